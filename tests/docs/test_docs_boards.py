"""The pages "run your own board" and "submit a detector" are executed, one after the other, in one folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from doc_pages import BUILD, DOCS, blocks_of, python, ran, with_names

if TYPE_CHECKING:
    from collections.abc import Sequence

BOARD_PAGE, SUBMIT_PAGE = "run_your_own_board.md", "submit_a_detector.md"
#: The file that the page calls my_detector.py: it learns nothing, as the page's facts say of it.
DETECTOR = """
import numpy as np

from benchmarks.detector import DetectorSpec, Prediction


class MyDetector:
    spec = DetectorSpec("my-detector", "movement against loudness", ("audio", "video"), needs_training=False)

    def __init__(self, preset="default", seed=0):
        self.preset, self.seed = preset, seed

    def fit(self, train, select, progress=None):
        return self

    def predict(self, views):
        for view in views:
            frames, sound = view.frames()[:, ::8, ::8].astype(np.float32), view.audio()
            moved = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
            step = len(sound) // len(frames)
            loud = np.sqrt((sound[: step * len(frames)].reshape(len(frames), step) ** 2).mean(axis=1))[1:]
            gaps = np.abs(moved / moved.max() - loud / loud.max())
            score = -float(np.corrcoef(moved, loud)[0, 1])
            yield Prediction(view.id, score, times=(np.arange(len(moved)) + 1) / view.fps, frame_scores=gaps)

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def load(cls, folder):
        return cls()
"""
#: A few people to train the two metadata floors on, in place of mini-a, which takes minutes to build.
OTHER = """
schema_version: 1
name: other
summary: a few people to train floors on
seed: 5
source:
  kind: talkers
  options: {cast: a, difficulty: 0.5, seconds: 1.6}
splits:
  train: {identities: 2, clips: 1}
  validation: {identities: 2, clips: 1}
kinds:
  - kind: audio/desync
harmonise: {fps: 25, width: 64, height: 64, sample_rate: 16000, seconds: 1.0, lufs: -23, crf: [23, 29]}
audit: {gate: false}
"""
TRAINED = ["--train-on", "data/other", "--select-on", "data/other", "--cache-dir", "cache"]


@dataclass
class Played:
    """Both pages after they were run: the folder, what each command printed, and the pages' sites before and after."""

    folder: Path
    outs: list[tuple[list[str], str]]

    def out(self, *words: str) -> str:
        [found] = [out for one, out in self.outs if all(word in one for word in words)]
        return found

    def board(self, site: str, name: str = "talkers") -> dict[str, dict[str, object]]:
        """Rows of a built site by slug."""
        text = (self.folder / site / "boards" / name / "leaderboard.json").read_text(encoding="utf-8")
        return {row["slug"]: row for row in json.loads(text)["rows"]}


def play(page: str, folder: Path, outs: list[tuple[list[str], str]]) -> None:
    """Run a page's commands; runs of detectors are told what to train on, and name RUN for what follows."""
    names = {"BOARD": "talkers"}
    for block in blocks_of(page):
        if block.language == "yaml":
            (folder / "facts.yaml").write_text(block.text, encoding="utf-8")
            continue
        assert block.language == "bash"
        for words in (with_names(one, names) for one in block.commands):
            runs = "benchmarks.run" in words
            out = ran(python([*words, *TRAINED] if runs else words, folder))
            outs.append((words, out))
            if runs:
                [report] = {line.split()[-1] for line in out.splitlines() if line.startswith("report: ")}
                names["RUN"] = str(Path(report).parent)


@pytest.fixture(scope="module")
def played(built_mini_b: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Both pages, and the site once more with the system on it."""
    pytest.importorskip("huggingface_hub", reason="needs the extra 'hub'")
    folder = tmp_path_factory.mktemp("boards")
    shutil.copytree(built_mini_b, folder / "data")
    (folder / "my_detector.py").write_text(DETECTOR, encoding="utf-8")
    (folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    ran(python(["-m", "generators.build", "other.yaml", "--out", "data/other"], folder))
    outs: list[tuple[list[str], str]] = []
    play(BOARD_PAGE, folder, outs)
    play(SUBMIT_PAGE, folder, outs)
    words = ["-m", "leaderboards.site", "--boards", "boards", "--board", "talkers", "--out", "site-after"]
    outs.append((words, ran(python(words, folder))))
    return Played(folder, outs)


def cells(page: str, heading: str) -> list[str]:
    """First cells of the table under a heading, code only."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
    return [line.split("|")[1].strip().strip("`") for line in text.splitlines() if line.startswith("| `")]


def test_the_page_builds_what_the_fixture_builds() -> None:
    assert blocks_of(BOARD_PAGE)[0].text.splitlines()[0] == BUILD


def test_the_states_of_the_page_are_those_of_the_board() -> None:
    from leaderboards.standings import State

    assert set(cells(SUBMIT_PAGE, "States")) == set(get_args(State))


def test_the_rules_are_told_as_they_are() -> None:
    from leaderboards.answers import INVERTED_BELOW
    from leaderboards.board import rules_of

    rules = rules_of(1)
    assert (rules.rank_by, rules.then_by, rules.level) == ("macro_auc", "borda", 0.95)
    assert INVERTED_BELOW == 0.2
    assert "under .2 on every set" in (DOCS / SUBMIT_PAGE).read_text(encoding="utf-8")


def test_the_facts_of_the_page_are_fields_of_a_submission() -> None:
    from ruamel.yaml import YAML

    from leaderboards.composing import Meta

    [facts] = [block for block in blocks_of(SUBMIT_PAGE) if block.language == "yaml"]
    assert Meta.model_validate(YAML(typ="safe").load(facts.text)).slug == "my-detector"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_files_of_the_pages_are_there(played: Played) -> None:
    for name in cells(BOARD_PAGE, "Make it"):
        assert (played.folder / name).exists(), name
    submissions = {path.name for path in (played.folder / "boards/talkers/submissions").iterdir()}
    floors = {"random", "floor-container", "floor-rate"}
    assert submissions == {f"{slug}{end}" for slug in (*floors, "my-detector") for end in (".yaml", ".parquet")}
    for name in ("leaderboard.json", "leaderboard.csv", "leaderboard.parquet", "systems/my-detector.html"):
        assert (played.folder / "site-after/boards/talkers" / name).is_file()
    assert "sdk: static" in (played.folder / "space/README.md").read_text(encoding="utf-8")
    assert "hf upload" in played.out("leaderboards.space")


@pytest.mark.slow
def test_a_submission_has_no_number_no_label_and_no_path(played: Played) -> None:
    import pyarrow.parquet as pq

    folder = played.folder / "boards/talkers/submissions"
    table = pq.read_table(folder / "my-detector.parquet")
    assert not {"label", "kind", "component", "file_name", "path"} & set(table.column_names)
    assert {"id", "sha256", "score", "error"} <= set(table.column_names)
    text = (folder / "my-detector.yaml").read_text(encoding="utf-8")
    assert "auc" not in text.lower() and "FILL IN" not in text
    for data in (text.encode(), (folder / "my-detector.parquet").read_bytes()):
        assert str(played.folder).encode() not in data


@pytest.mark.slow
def test_floors_have_numbers_and_no_rank_and_the_system_stands_over_them(played: Played) -> None:
    before, after = played.board("site"), played.board("site-after")
    assert set(before) == {"random", "floor-container", "floor-rate"}
    assert all(row["floor"] and row["rank"] is None and row["macro"]["value"] is not None for row in before.values())
    system = after["my-detector"]
    assert (system["rank"], system["group"], system["trained_on"]) == (1, 1, [])
    margin = system["macro"]["value"] - after["floor-container"]["macro"]["value"]
    assert system["margin"]["value"] == pytest.approx(margin, abs=1e-9)
    [one] = system["sets"]
    assert (one["set"], one["domain"], one["n_components"]) == ("mini-b/test", "cross", 3)
    assert one["auc"]["doubt"]  # under 12 components, as the page says


@pytest.mark.slow
def test_the_number_of_the_board_is_that_of_the_run(played: Played) -> None:
    [path] = (played.folder / "runs").glob("my_detector*/*/result.json")
    [task] = [
        task
        for task in json.loads(path.read_text(encoding="utf-8"))["tasks"]
        if task["condition"] == "untrimmed" and task["detector"].startswith("my_detector")
    ]
    system = played.board("site-after")["my-detector"]
    assert system["macro"]["value"] == pytest.approx(task["pooled"]["auc"]["value"], abs=1e-12)
    index = (played.folder / "my-model/model-index.yaml").read_text(encoding="utf-8")
    assert str(system["macro"]["value"]) in index
    assert "not in .eval_results: mini-b/test" in played.out("leaderboards.results")


@pytest.mark.slow
def test_only_a_maintainers_stamp_verifies_and_it_cannot_come_in(played: Played) -> None:
    assert "the rerun agrees" in played.out("--rerun")
    assert played.board("site-after")["my-detector"]["state"] == "verified"
    assert played.board("site-after")["random"]["state"] == "self-reported"
    again = ["-m", "leaderboards.verify", "boards/talkers/submissions/my-detector.yaml"]
    ran(python(again, played.folder))
    done = python([*again, "--incoming"], played.folder)
    assert done.returncode == 2
    assert "reproduction" in done.stderr


@pytest.mark.slow
def test_the_labels_of_the_hidden_board_stay_at_home(played: Played) -> None:
    assert not list((played.folder / "boards/hidden").rglob("*.parquet"))
    assert (played.folder / "truth/hidden/truth/mini-b-test.parquet").is_file()
    site = [path.read_bytes() for path in (played.folder / "hidden-site").rglob("*") if path.is_file()]
    clips = {path.stem.encode() for path in (played.folder / "data/mini-b/test/videos").rglob("*.mp4")}
    assert len(clips) == 45 and b"hidden" in b"".join(site)
    assert not [one for one in clips if any(one in data for data in site)]
    words = ["-m", "leaderboards.site", "--boards", "boards", "--board", "hidden", "--out", "nowhere"]
    done = python(words, played.folder)
    assert done.returncode == 2
    assert "--truth" in done.stderr
    assert not (played.folder / "nowhere").exists()


def copied(played: Played, to: Path) -> Path:
    shutil.copytree(played.folder / "boards" / "talkers", to / "boards" / "talkers")
    return to / "boards" / "talkers" / "submissions" / "my-detector.yaml"


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def verified(path: Path, *words: str) -> str:
    return ran(python(["-m", "leaderboards.verify", str(path), *words], path.parent))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("declared", "why"),
    [("trained_on: [mini-b/train]", "trained or selected on data of this board"), ("trained_on: null", "not declared")],
)
def test_who_knows_the_board_or_says_nothing_has_no_rank(
    played: Played, tmp_path: Path, declared: str, why: str
) -> None:
    path = copied(played, tmp_path)
    edited(path, "trained_on: []", declared)
    row = standing(path)
    assert (row.ranked, row.rank) == (False, None)
    assert row.sets[0].auc.value is not None  # listed with its number
    assert why in row.why_unranked


def standing(path: Path) -> object:
    from leaderboards.loading import load_standings

    standings = load_standings(path.parents[1])
    return next(row for row in standings.rows if row.slug == path.stem)


@pytest.mark.slow
def test_withdrawn_stays_listed_and_refused_ends_with_one(played: Played, tmp_path: Path) -> None:
    path = copied(played, tmp_path)
    verified(path, "--withdraw", "trained on test clips by accident")
    row = standing(path)
    assert (row.state, row.rank) == ("withdrawn", None)
    edited(path, "board: talkers", "board: other")
    words: Sequence[str] = ["-m", "leaderboards.site", "--boards", "boards", "--out", "site"]
    done = python(words, tmp_path)
    assert done.returncode == 1
    assert "refused: my-detector.yaml" in done.stderr
    assert (tmp_path / "site/boards/talkers/index.html").is_file()
