"""Sets that were built, with people taken out: what is left, what is gone, kills, and later builds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from takedown_recipes import people_recipe, scenes_recipe
from tiny_source import SERIAL, tree

from cmdfd.clip import sha256_file
from cmdfd.dataset import BUILD_FILE, Dataset, DatasetError, media_files
from cmdfd.errors import CmdfdError
from cmdfd.tables import read_table
from cmdfd.takedown.__main__ import main
from cmdfd.takedown.applying import STATE_FOLDER, warnings_of, withdraw
from cmdfd.takedown.closure import Asked, Closure, close
from cmdfd.takedown.copies import hub_copies
from cmdfd.takedown.names import Names
from cmdfd.takedown.tombstones import MARKS_FILE, TOMBSTONES, read_marks, read_tombstones
from generators.build import build
from generators.recipe import Recipe

Copy = Callable[[Dataset], Dataset]
#: The first of four people of the test split.
WHO = "test-0"


def involved(dataset: Dataset, who: str) -> set[str]:
    """Ids of the clips that a take of somebody went into: the tiny source's keys carry the person's name."""
    rows = read_table(dataset.folder / "provenance.parquet")
    hit = {row["id"] for row in rows if any(one["key"].startswith(f"{who}-") for one in row["parents"])}
    return hit | {clip.id for clip in dataset.rows if clip.original in hit}


def out_of(dataset: Dataset, out: Path | None, *people: str) -> tuple[Closure, Dataset]:
    closure = close(dataset, Asked(people or (WHO,)))
    withdraw(dataset, closure, out)
    return closure, Dataset.open(out or dataset.folder)


def test_a_new_set_without_a_person(people: Dataset, tmp_path: Path) -> None:
    before = tree(people.folder)
    closure, new = out_of(people, tmp_path / "new")
    assert closure.ids == involved(people, WHO) and 0 < len(closure.ids) < len(people.clips("test"))
    new.verify()
    assert {clip.id for clip in new.rows} == {clip.id for clip in people.rows} - closure.ids
    assert all(clip == people.clip(clip.id) for clip in new.rows)  # rows, places and hashes of the others are the same
    assert all(sha256_file(new.path_of(clip)) == clip.sha256 for clip in new.rows)
    assert tree(people.folder) == before
    for name in ("provenance.parquet", "stages.parquet"):
        left = [row for row in read_table(people.folder / name) if row["id"] not in closure.ids]
        assert read_table(new.folder / name) == left
    assert read_table(new.folder / TOMBSTONES) == [
        {"id": name, "state": "withdrawn", "version": "takedown-1"} for name in sorted(closure.ids)
    ]
    assert not (new.folder / "sheets").exists() and (people.folder / "sheets").is_dir()
    assert f"{len(closure.ids)} clips were withdrawn; their ids are in tombstones.parquet" in new.build.notes
    assert new.build.audit is None and any("audit" in note for note in new.build.notes)


def test_nothing_in_the_set_names_who_went(people: Dataset, tmp_path: Path) -> None:
    _, new = out_of(people, tmp_path / "new")
    for path in new.folder.rglob("*"):
        if path.suffix == ".parquet":
            text = json.dumps(read_table(path))
        elif path.suffix in (".json", ".jsonl"):
            text = path.read_text("utf-8")
        else:
            continue
        assert f"{WHO}-" not in text and f'"{WHO}"' not in text, path.name
    assert "test-1" in (new.folder / "journal.jsonl").read_text("utf-8")


@pytest.mark.slow
def test_a_scene_goes_with_everybody_in_it(scenes: Dataset, tmp_path: Path) -> None:
    closure, new = out_of(scenes, tmp_path / "new")
    assert closure.ids == involved(scenes, WHO)
    new.verify()
    assert {clip.face_id for clip in scenes.rows if clip.id in closure.ids} == {"test-0", "test-1"}
    assert {clip.face_id for clip in new.rows} == {"test-2", "test-3"}
    assert any(clip.platform for clip in scenes.rows if clip.id in closure.ids)
    assert all(clip.original in {one.id for one in new.rows} for clip in new.rows if clip.platform)


def test_in_place_is_the_same_as_beside(people: Dataset, copy_of: Copy, tmp_path: Path) -> None:
    copy = copy_of(people)
    (copy.folder / ".work" / "takes").mkdir(parents=True)
    out_of(people, tmp_path / "new")
    out_of(copy, None)
    assert tree(copy.folder) == tree(tmp_path / "new")
    here, there = (folder / "journal.jsonl" for folder in (copy.folder, tmp_path / "new"))
    assert here.read_text("utf-8") == there.read_text("utf-8")
    assert not (copy.folder / ".work").exists() and not (copy.folder / STATE_FOLDER).exists()
    Dataset.open(copy.folder).verify()


class KillError(BaseException):
    """Nobody catches it, as nobody catches a kill."""


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Makes the n-th change of the file system from now on the last one."""
    real = {name: getattr(Path, name) for name in ("unlink", "replace", "rmdir", "rename")}
    left = [10**9]

    def counted(name: str) -> Callable[..., object]:
        def act(self: Path, *arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise KillError
            return real[name](self, *arguments, **named)

        return act

    for name in real:
        monkeypatch.setattr(Path, name, counted(name))
    yield lambda n: left.__setitem__(0, n)
    left[0] = 10**9


def test_a_kill_at_any_moment_leaves_a_whole_set_or_none(
    people: Dataset, tmp_path: Path, killer: Callable[[int], None]
) -> None:
    whole = out_of(people, tmp_path / "beside")[1]
    old_ids, new_ids = {clip.id for clip in people.rows}, {clip.id for clip in whole.rows}
    states = set()
    for moment in range(0, 400, 9):
        folder = tmp_path / "copy"
        shutil.copytree(people.folder, folder)
        killer(moment)
        try:
            out_of(Dataset.open(folder), None)
            ended = True
        except KillError:
            ended = False
        killer(10**9)
        try:
            found = Dataset.open(folder)
            ids = {clip.id for clip in found.rows}
            assert ids in (old_ids, new_ids)
            # where the old set is still there, nothing of it is gone; where the new one is, nothing of the old is left
            assert set(media_files(folder)) == set(media_files((people if ids == old_ids else whole).folder))
            states.add("old" if ids == old_ids else "new")
        except DatasetError as error:
            assert "takedown was stopped here" in str(error)
            states.add("none")
        assert main([str(folder), "--person", WHO, "--in-place"]) == 0
        assert tree(folder) == tree(whole.folder)
        assert not (folder / STATE_FOLDER).exists()
        shutil.rmtree(folder)
        if ended:
            break
    assert states == {"old", "none", "new"}


def test_a_second_takedown_keeps_the_first_ones_tombstones(people: Dataset, tmp_path: Path) -> None:
    first, once = out_of(people, tmp_path / "once")
    second, twice = out_of(once, tmp_path / "twice", "test-3")
    assert read_tombstones(twice.folder) == {
        **dict.fromkeys(first.ids, "takedown-1"), **dict.fromkeys(second.ids, "takedown-2"),
    }  # fmt: skip
    assert read_marks(once.folder) < read_marks(twice.folder)
    assert sum("withdrawn;" in note for note in twice.build.notes) == 1
    twice.verify()
    _, other = out_of(once, tmp_path / "again", "test-3")
    assert tree(other.folder) == tree(twice.folder)


def test_what_a_takedown_refuses(people: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everybody = Asked(tuple(sorted({clip.face_id for clip in people.rows})))
    with pytest.raises(CmdfdError, match="not a single clip would be left"):
        withdraw(people, close(people, everybody), tmp_path / "none")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(CmdfdError, match="is not empty"):
        out_of(people, tmp_path / "full")
    with pytest.raises(CmdfdError, match="lies in the set itself"):
        out_of(people, people.folder / "inside")
    assert main([str(people.folder), "--person", "test-00"]) == 2
    assert "did you mean 'test-0'" in capsys.readouterr().err
    assert main([str(people.folder), "--person", WHO, "--yes"]) == 2
    assert main([str(people.folder), "--person", WHO, "--repo", "a/b"]) == 2
    assert not list(tmp_path.glob("none*"))


def test_splits_that_are_not_what_they_were(people: Dataset) -> None:
    def told(*names: str) -> tuple[str, ...]:
        return warnings_of(people, close(people, Asked(names)).ids)

    assert told(WHO) == ("test: 2 components are left; under 12, intervals mean little",)
    assert told("train-0", "train-1") == ("train: no clip is left, so the split is gone",)
    fakes = frozenset(clip.id for clip in people.clips("train") if clip.labels.label)
    assert warnings_of(people, fakes) == ("train: no fake clip is left, so nothing can be measured there",)


def test_a_dry_run_writes_nothing(people: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    parent, before = people.folder.parent, sorted(people.folder.parent.rglob("*"))
    assert main([str(people.folder), "--person", WHO, "--dry-run", "--explain"]) == 0
    out = capsys.readouterr().out
    assert f"voice {WHO}-voice through audio/swap" in out and "nothing was written" in out
    assert all(name in out for name in involved(people, WHO))
    assert sorted(parent.rglob("*")) == before


def test_what_is_left_names_every_copy_on_this_machine(
    people: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CMDFD_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    hugging = tmp_path / "xdg/huggingface"
    assert hub_copies() == (tmp_path / "own/hub", hugging / "hub", hugging / "datasets")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "rows"))
    left = withdraw(people, close(people, Asked((WHO,))), tmp_path / "new").left
    told = next(line for line in left if "came back from the Hub" in line)
    assert all(str(tmp_path / name) in told for name in ("own/hub", "hf/hub", "rows")), told


class Builder:
    """Builds into a folder from which somebody was taken, and looks that they did not come back."""

    def __init__(self, folder: Path, gone: frozenset[str]) -> None:
        self.folder, self.gone = folder, gone

    def __call__(self, recipe: Recipe, **options: bool) -> Dataset:
        report = build(recipe, self.folder, options=replace(SERIAL, **options))  # type: ignore[arg-type]
        assert not report.remaining
        found = Dataset.open(self.folder)
        found.verify()
        assert not involved(found, WHO) and not {clip.id for clip in found.rows} & self.gone
        assert read_tombstones(self.folder).keys() == self.gone and (self.folder / MARKS_FILE).is_file()
        assert any("withdrawn;" in note for note in found.build.notes)
        rows = [row for row in read_table(self.folder / "refused.parquet") if row["code"] == "withdrawn"]
        assert not any(row["source"] for row in rows)
        return found


def grown(recipe: Recipe) -> Recipe:
    more = recipe.kinds[1].model_copy(update={"kind": "audio/late", "generator": "audio/desync"})
    return recipe.model_copy(update={"kinds": [*recipe.kinds, more]})


def test_a_set_grows_without_what_was_withdrawn(people: Dataset, copy_of: Copy) -> None:
    copy = copy_of(people)
    closure, new = out_of(copy, None)
    built, kept = Builder(copy.folder, closure.ids), {clip.id for clip in new.rows}
    assert {clip.id for clip in built(people_recipe()).rows} == kept  # found finished
    larger = built(grown(people_recipe()))
    assert kept < {clip.id for clip in larger.rows} and larger.build.counts["test"]["audio/late"] == 3
    assert larger.build.refused["withdrawn"] == len(closure.ids) + 1


@pytest.mark.slow
def test_no_option_brings_a_withdrawn_clip_back(people: Dataset, copy_of: Copy) -> None:
    copy = copy_of(people)
    closure, new = out_of(copy, None)
    built, kept = Builder(copy.folder, closure.ids), {clip.id for clip in new.rows}
    recipe = grown(people_recipe())
    assert {clip.id for clip in built(people_recipe(), retry_failed=True).rows} == kept
    fewer = built(recipe.model_copy(update={"kinds": recipe.kinds[1:]}), prune=True)
    assert "audio/swap" not in fewer.build.counts["test"]
    # another seed gives all clips other ids, and a new set in the same folder
    other = built(recipe.model_copy(update={"seed": 6}), overwrite=True)
    assert not {clip.id for clip in other.rows} & kept and "test-1" in {clip.face_id for clip in other.rows}


@pytest.mark.slow
def test_a_withdrawn_bystander_takes_the_scene_along(scenes: Dataset, copy_of: Copy) -> None:
    copy = copy_of(scenes)
    closure, new = out_of(copy, None)
    build(scenes_recipe(), copy.folder, options=replace(SERIAL, retry_failed=True))
    again = Dataset.open(copy.folder)
    assert [clip.id for clip in again.rows] == [clip.id for clip in new.rows]
    assert again.build.refused == {"withdrawn": len(closure.ids)}


def test_a_damaged_list_stops_a_build(people: Dataset, copy_of: Copy) -> None:
    copy = copy_of(people)
    out_of(copy, None)
    (copy.folder / MARKS_FILE).write_text("{}")
    with pytest.raises(CmdfdError, match="withdrawn people could come back"):
        build(people_recipe(), copy.folder, options=SERIAL)


def test_a_running_build_is_not_disturbed(people: Dataset, copy_of: Copy) -> None:
    import subprocess
    import sys

    copy = copy_of(people)
    (copy.folder / ".work").mkdir(exist_ok=True)
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    path = copy.folder / ".work" / "rank-0-of-1.lock"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        with pytest.raises(CmdfdError, match="a build is writing"):
            out_of(copy, None)
        holder.communicate("\n")
    assert len(Dataset.open(copy.folder).rows) == len(people.rows)


def test_texts_lose_the_names_and_nothing_else() -> None:
    names = Names.of({"p7", "take-1", "ab" * 32}, ("Ann Lee",))
    for text in ("p7", "clips/p7.mp4", "p7-voice", "see take-1, then", f"{'ab' * 32}-take-2", "by ann: Ann Lee's"):
        assert names.hit(text), text
    for text in ("p70", "xp7", "take-10", "p", ""):
        assert not names.hit(text), text
    value = {"files": ["p7.mp4", "p8.mp4"], "p7": 1, "n": 3, "deep": {"who": "p7", "x": None}}
    assert names.scrub(value) == {"files": ["p8.mp4"], "n": 3, "deep": {"who": "withdrawn", "x": None}}


def test_a_repaired_set_loses_them_too(people: Dataset, tmp_path: Path) -> None:
    from cmdfd.audit.repair.applying import apply
    from cmdfd.audit.repair.recipe import Rename, Repair
    from cmdfd.audit.targets.opening import open_target

    target = open_target([people.folder])
    apply(Repair(steps=[Rename(key="k")]), target, None, tmp_path / "repaired")
    repaired = Dataset.open(tmp_path / "repaired")
    assert {clip.face_id for clip in repaired.rows} >= {WHO}
    closure, new = out_of(repaired, tmp_path / "new")
    new.verify()
    here = close(people, Asked((WHO,))).ids
    assert len(closure.ids) == len(here) and not closure.notes
    rows = read_table(new.folder / "repair.parquet")
    assert not {row["id"] for row in rows} & here and (new.folder / BUILD_FILE).is_file()
