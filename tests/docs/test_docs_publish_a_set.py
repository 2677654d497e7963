"""The page "publish a set" is executed: a set is built, published to a Hub on this machine, and a person taken out."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doc_pages import BUILD, DOCS, blocks_of, python, ran, with_names

from cmdfd.publish.records import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopback_hub import LoopbackHub

PAGE = "publish_a_set.md"
REPO = "my-lab/mini-b"
TEXT = (DOCS / PAGE).read_text(encoding="utf-8")


@dataclass
class Step:
    """One command of the page: its words, what it printed, and how the Hub was left."""

    words: list[str]
    out: str
    calls: int
    private: bool | None = None
    gated: str | bool | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    listing: str = ""


@dataclass
class Played:
    """The page after it was run."""

    folder: Path
    person: str
    steps: list[Step]
    done: Step
    hub: LoopbackHub

    def step(self, *words: str) -> Step:
        """The only step that has these words."""
        [found] = [one for one in self.steps if all(word in one.words for word in words)]
        return found


def after(hub: LoopbackHub, words: list[str], out: str, folder: Path) -> Step:
    """The step, with what the Hub and the list of files hold now."""
    step = Step(words, out, len(hub.calls))
    listing = folder / "published" / "my-lab--mini-b.files.txt"
    step.listing = listing.read_text(encoding="utf-8") if listing.is_file() else ""
    if f"datasets/{REPO}" in hub.repos:
        repo = hub.repo(REPO)
        step.private, step.gated, step.tags = repo.private, repo.gated, dict(repo.tags)
        step.files = hub.files(REPO)
    return step


@pytest.fixture(scope="module")
def played(built_mini_b: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Run the page from its first block to its last, and the last command once more with `--yes`."""
    for needed in ("huggingface_hub", "datasets", "mlcroissant"):
        pytest.importorskip(needed, reason="needs the extra 'hub'")
    from hub_client import client_environment
    from loopback_hub import LoopbackHub

    from cmdfd.dataset import Dataset

    folder = tmp_path_factory.mktemp("publish")
    shutil.copytree(built_mini_b, folder / "data")
    person = Dataset.open(folder / "data" / "mini-b").rows[0].face_id
    steps: list[Step] = []
    with LoopbackHub(orgs=("my-lab",)) as hub:
        env = client_environment(hub.url, folder / "home")

        def run(words: list[str]) -> Step:
            steps.append(after(hub, words, ran(python(words, folder, env)), folder))
            return steps[-1]

        for block in blocks_of(PAGE):
            if block.language == "yaml":
                (folder / "words.yaml").write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                run(["-c", block.text])
            else:
                for words in block.commands:
                    run(with_names(words, {"PERSON": person}))
        done = run([*steps[-1].words, "--yes"])
        yield Played(folder, person, steps, done, hub)


def test_the_page_tells_every_refusal_in_the_words_of_the_code() -> None:
    table = TEXT.partition("## What refuses a set")[2].partition("\n## ")[0]
    told = [
        word for line in table.splitlines() if line.startswith("| `") for word in line.split("|")[1].split("`")[1::2]
    ]
    assert told == list(REFUSALS)


def test_the_page_names_what_can_be_lifted_and_nothing_else() -> None:
    from cmdfd.publish.checks import LIFTABLE

    [line] = [part for part in TEXT.split("\n\n") if part.startswith("`--accept CODE=REASON` lifts")]
    assert set(line.split("nothing else")[0].split("`")[3::2]) == LIFTABLE


def test_the_page_builds_what_the_fixture_builds() -> None:
    first = blocks_of(PAGE)[0]
    assert first.text.strip() == BUILD


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dry_run_asks_the_hub_nothing_and_plans_what_is_uploaded(played: Played) -> None:
    first, published = played.step("--dry-run", REPO, "cmdfd.publish"), played.step("--card", "cmdfd.publish")
    assert first.calls == 0
    for told in ("stays at home: journal.jsonl", "[to be filled:", "dry run: nothing was sent"):
        assert told in first.out
    planned = set(re.findall(r"^ {2,7}\d+ +[\d.]+ k?M?G?B {2}(\S+)$", first.out, re.MULTILINE))
    for path in set(published.files) - {".gitattributes"}:
        assert path in planned or f"{'/'.join(path.split('/')[:2])}/" in planned


@pytest.mark.slow
def test_without_the_acceptance_the_set_is_refused(played: Played, tmp_path: Path) -> None:
    words = played.step("--dry-run", REPO, "cmdfd.publish").words
    at = words.index("--accept")
    words = [*words[:at], *words[at + 2 :], "-o", str(tmp_path / "published")]
    done = python(words, played.folder)
    assert done.returncode == 1
    assert "- audit_missing (" in done.stdout
    assert "fix: " in done.stdout
    assert not (tmp_path / "published").exists()


@pytest.mark.slow
def test_it_is_published_gated_and_tagged_and_read_as_the_page_reads_it(played: Played) -> None:
    published = played.step("--card", "cmdfd.publish")
    assert (published.private, published.gated) == (False, "manual")
    assert list(published.tags) == ["v1.0.0"]
    assert "45 rows loaded back equal" in published.out
    for name in ("README.md", "croissant.json", "audit.json", "LICENSE"):
        assert name in published.files
    uploads = [call for call in played.hub.calls if "/commit/" in call.path and call.method == "POST"]
    assert uploads and all(call.private for call in uploads)
    assert all(call.gated == "manual" for call in uploads)
    [read] = [one for one in played.steps if one.words[0] == "-c"]
    plain, stream = read.out.splitlines()
    assert plain.split()[2].endswith(".mp4") and stream.startswith(f"hf://datasets/{REPO}@")


@pytest.mark.slow
def test_the_card_has_the_words_and_the_listing_names_the_files(played: Played) -> None:
    published = played.step("--card", "cmdfd.publish")
    card = published.files["README.md"].decode()
    assert "# Mini-B" in card and "data-desk at my-lab.example" in card
    assert "three people are too few to test anything" in card  # the override is told
    assert "[to be filled:" in card
    croissant = json.loads(published.files["croissant.json"])
    assert any("rai:" in key for key in croissant)


@pytest.mark.slow
def test_media_are_links_and_the_list_names_what_is_uploaded(played: Played) -> None:
    copy = played.folder / "published" / "my-lab--mini-b"
    clip = next((copy / "test" / "videos").rglob("*.mp4"))
    assert any(clip.samefile(one) for one in (played.folder / "data").rglob(clip.name))
    published = played.step("--card", "cmdfd.publish")
    named = {line.split()[2]: line.split()[0] for line in published.listing.splitlines()}
    uploaded = {path: hashlib.sha256(data).hexdigest() for path, data in published.files.items()}
    assert named == {path: name for path, name in uploaded.items() if path != ".gitattributes"}


@pytest.mark.slow
def test_recipe_only_has_tables_and_no_media(played: Played) -> None:
    copy = played.folder / "published" / "my-lab--mini-b-recipe"
    names = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert {"REBUILD.md", "recipe.yaml", "provenance.parquet", "test/metadata.parquet"} <= names
    assert not [name for name in names if name.endswith((".mp4", ".mkv", ".npz"))]


@pytest.mark.slow
def test_a_name_on_the_hub_is_audited(played: Played) -> None:
    out = played.step("cmdfd.audit").out
    assert out.startswith(f"NOT TESTABLE: {REPO}@")
    assert "45 clips, 3 components" in out


@pytest.mark.slow
def test_a_person_goes_with_everything_and_leaves_tombstones(played: Played) -> None:
    import pandas as pd

    dry = played.step("cmdfd.takedown", "--dry-run")
    assert "dry run: nothing was written" in dry.out
    old, new = (
        pd.read_parquet(played.folder / "data" / name / "test/metadata.parquet") for name in ("mini-b", "mini-b-2")
    )
    gone = old[(old.face_id == played.person)]
    assert set(old.id) - set(new.id) >= set(gone.id) and len(gone) == 15
    tombs = pd.read_parquet(played.folder / "data/mini-b-2/tombstones.parquet")
    assert list(tombs.columns) == ["id", "state", "version"]
    assert set(tombs.id) == set(old.id) - set(new.id) and set(tombs.state) == {"withdrawn"}
    home = (played.folder / "data/mini-b-2/withdrawn.json").read_text(encoding="utf-8")
    assert played.person not in home
    assert len(old) == 45  # the old folder is as it was


@pytest.mark.slow
def test_it_is_told_what_goes_on_the_hub_and_done_only_with_yes(played: Played) -> None:
    published, told = played.step("--card", "cmdfd.publish"), played.steps[-2]
    assert "nothing was changed on the Hub" in told.out
    assert told.files == published.files and told.tags == published.tags
    assert list(played.done.tags) == ["v1.1.0"]
    assert (played.done.private, played.done.gated) == (False, "manual")
    gone = {path for path in published.files if path.endswith(".mp4")} - set(played.done.files)
    assert len(gone) == 15
    assert "tombstones.parquet" in played.done.files and "withdrawn.json" not in played.done.files
    reached = {entry.blob for commit in played.hub.repo(REPO).commits.values() for entry in commit.tree.values()}
    for path in gone:
        name = hashlib.sha256(published.files[path]).hexdigest()
        assert name not in reached and name not in played.hub.repo(REPO).lfs


@pytest.mark.slow
def test_building_again_does_not_undo_a_takedown(played: Played) -> None:
    import pandas as pd

    shutil.copytree(played.folder / "data" / "mini-b-2", played.folder / "again" / "data" / "mini-b")
    ran(python(BUILD.split()[1:], played.folder / "again"))
    again = pd.read_parquet(played.folder / "again/data/mini-b/test/metadata.parquet")
    tombs = pd.read_parquet(played.folder / "data/mini-b-2/tombstones.parquet")
    assert not set(again.id) & set(tombs.id) and played.person not in set(again.face_id)
    assert len(again) == 30
