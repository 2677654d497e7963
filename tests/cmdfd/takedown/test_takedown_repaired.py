"""People who are taken out of repaired sets: the same clips go as from the set before, under their new names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cmdfd.audit.repair import Repair, RepairError, apply
from cmdfd.audit.repair.carried import repair_address
from cmdfd.audit.repair.recipe import Crop, Harmonise, Rename, Resplit
from cmdfd.audit.targets.opening import open_target
from cmdfd.clip import sha256_file
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.tables import PROVENANCE, STAGES, TAKES, read_table
from cmdfd.takedown.applying import withdraw
from cmdfd.takedown.closure import Asked, close
from cmdfd.takedown.tombstones import MARKS_FILE, TOMBSTONES

Copy = Callable[[Dataset], Dataset]
RENAMED = Repair(steps=[Resplit(fractions={"train": 0.5, "test": 0.5}), Rename(key="k")])
CUT = Repair(
    steps=[
        Crop(lead=0.04, trail=0.04, spread=0.08, seconds=0.6, min_forged=0.01),
        Harmonise(width=64, height=64, preset="ultrafast", crf=30),
        Rename(key="k"),
    ]
)


def repaired(dataset: Dataset, out: Path, repair: Repair = RENAMED) -> tuple[Dataset, dict[str, str]]:
    """The repaired set, and new ids by old ones."""
    applied = apply(repair, open_target([dataset.folder]), None, out)
    new = Dataset.open(out)
    new.verify()
    assert all(sha256_file(new.path_of(clip)) == clip.sha256 for clip in new.rows)
    return new, {fate.id: fate.new_id for fate in applied.fates if fate.kept}


def rows_of(dataset: Dataset, name: str = PROVENANCE) -> dict[str, dict[str, object]]:
    return {row["id"]: row for row in read_table(dataset.folder / name)}


def questions(dataset: Dataset) -> list[Asked]:
    """Everybody, every recording and every take of a set."""
    people = {clip.face_id for clip in dataset.rows} | {clip.voice_id for clip in dataset.rows}
    rows = read_table(dataset.folder / PROVENANCE)
    things = {name for clip in dataset.rows for name in clip.source_ids} | {one["take"] for one in rows}
    return [Asked((who,)) for who in sorted(people)] + [Asked((), (name,)) for name in sorted(things)]


def test_a_row_says_what_was_done_and_what_is_there_now(people: Dataset, copy_of: Copy, tmp_path: Path) -> None:
    source = copy_of(people)
    for clip in source.rows:
        if clip.face_id != "test-2":
            source.path_of(clip).unlink()
    new, names = repaired(source, tmp_path / "new", CUT)
    before, after = rows_of(people), rows_of(new)
    assert set(after) == set(names.values()) == {clip.id for clip in new.rows} and len(names) >= 5
    starts = {row["new_id"]: row["start"] for row in read_table(new.folder / "repair.parquet")}
    for old_id, new_id in names.items():
        old, row, clip = before[old_id], after[new_id], new.clip(new_id)
        assert (row["sha256"], row["split"]) == (clip.sha256, clip.split)
        assert row["repaired_sha256"] == people.clip(old_id).sha256 != clip.sha256
        assert row["repairs"] == [repair_address(CUT)]
        assert row["operations"] == [*old["operations"], "repair:crop", "repair:harmonise"]  # type: ignore[misc]
        assert row["start"] == pytest.approx(old["start"] + starts[new_id])  # type: ignore[operator]
        assert row["crf"] == 30 and row["recipe_hash"] == new.build.recipe_hash != old["recipe_hash"]
        target = row["parents"][0]  # type: ignore[index]
        assert (target["key"], target["start"]) == (row["take"], row["start"])
        assert target["end"] == pytest.approx(row["start"] + 0.6)  # type: ignore[operator]
        same = ("take", "kind", "generator", "params", "relation", "seed", "job", "transcript", "licence", "details")
        assert all(row[name] == old[name] for name in same)
    assert (new.build.encoder["width"], new.build.encoder["crf"], new.build.encoder["seconds"]) == (64, [30, 30], 0.6)
    assert not (new.folder / STAGES).exists()  # they tell of files that are no more


def test_copied_files_keep_their_stages_and_a_second_repair_is_told(people: Dataset, tmp_path: Path) -> None:
    first, names = repaired(people, tmp_path / "first")
    new, again = repaired(first, tmp_path / "second", Repair(steps=[Rename(key="other")]))
    old = {(row["id"], row["stage"]): row for row in read_table(people.folder / STAGES)}
    stages = read_table(new.folder / STAGES)
    back = {again[names[name]]: name for name in names}
    assert len(stages) == len(old)
    for row in stages:
        mine = old[back[row["id"]], row["stage"]]
        assert row == {**mine, "id": row["id"], "split": new.clip(row["id"]).split}
    address = repair_address(Repair(steps=[Rename(key="other")]))
    assert all(row["repairs"] == [repair_address(RENAMED), address] for row in rows_of(new).values())


def lossy(dataset: Dataset) -> Dataset:
    """Files of a copy are lost, so that the repair drops their clips: all of somebody's own, and some reals."""
    for clip in dataset.rows:
        if clip.face_id == "test-1" or (clip.kind == "real" and clip.face_id in ("test-2", "train-0")):
            dataset.path_of(clip).unlink()
    return dataset


def test_the_same_clips_go_whoever_is_asked_for(people: Dataset, copy_of: Copy, tmp_path: Path) -> None:
    source = lossy(copy_of(people))
    new, names = repaired(source, tmp_path / "new")
    assert len(names) < len(people.rows) and set(rows_of(new)) == set(names.values())
    asked = questions(people)
    answered = 0
    for question in asked:
        expected = {names[name] for name in close(source, question).ids if name in names}
        try:
            found = close(new, question)
        except CmdfdError as error:  # nothing of theirs is left, so the set does not know them
            assert not expected, question
            assert "is called" in str(error)
            continue
        assert found.ids == expected, question
        assert not found.notes
        answered += bool(expected)
    assert answered > 15
    assert Asked(("test-1",)) in asked and close(new, Asked(("test-1",))).ids  # only lends and moves others here


@pytest.mark.slow
def test_scenes_and_versions_go_alike(scenes: Dataset, copy_of: Copy, tmp_path: Path) -> None:
    source = copy_of(scenes)
    for clip in source.rows:  # originals are lost, their versions stay
        if clip.kind == "real" and not clip.platform:
            source.path_of(clip).unlink()
    new, names = repaired(source, tmp_path / "new")
    assert any(clip.platform and not clip.original for clip in new.rows)
    assert any(clip.platform and clip.original for clip in new.rows)
    for row in rows_of(new).values():
        for one in row["parents"]:  # type: ignore[attr-defined]
            if one["role"] == "original":
                known = new.clip(row["id"]).original  # type: ignore[arg-type]
                assert one["key"] == known and (not known or one["sha256"] == new.clip(known).sha256)
    for question in questions(scenes):
        expected = {names[name] for name in close(source, question).ids if name in names}
        assert close(new, question).ids == expected, question


def test_who_went_before_the_repair_stays_gone_and_who_goes_after_it_does_not_come_back(
    people: Dataset, copy_of: Copy, tmp_path: Path
) -> None:
    source = copy_of(people)
    withdraw(source, close(source, Asked(("test-0",))), None)
    source = Dataset.open(source.folder)
    new, _ = repaired(source, tmp_path / "new")
    for name in (TOMBSTONES, MARKS_FILE):
        assert (new.folder / name).read_bytes() == (source.folder / name).read_bytes()
    repaired(source, tmp_path / "new")  # a second run is one
    closure = close(new, Asked(("test-2",)))
    takes = {row["take"] for row in read_table(new.folder / TAKES)}
    withdraw(new, closure, None)
    left = Dataset.open(new.folder)
    left.verify()
    assert closure.ids and not closure.ids & {clip.id for clip in left.rows}
    gone = takes - {row["take"] for row in read_table(left.folder / TAKES)}
    assert gone and all(name.startswith("test-2-") for name in gone)
    with pytest.raises(RepairError, match="would bring them back"):
        apply(RENAMED, open_target([source.folder]), None, new.folder)
    assert {clip.id for clip in Dataset.open(new.folder).rows} == {clip.id for clip in left.rows}


def test_sheets_of_a_repaired_set_are_drawn(people: Dataset, copy_of: Copy, tmp_path: Path) -> None:
    from generators.sheets import write_contact_sheet, write_data_sheet

    new, _ = repaired(lossy(copy_of(people)), tmp_path / "new")
    pages = write_contact_sheet(new, tmp_path / "sheets", people=1)
    write_data_sheet(new, tmp_path / "data_sheet.md")
    assert pages and (tmp_path / "sheets" / "contact_sheet-1.png").stat().st_size > 2000
    assert "audio/swap" in (tmp_path / "data_sheet.md").read_text("utf-8")
    takes = {row["take"] for row in rows_of(new).values()}
    assert set(open_target([new.folder]).clips["take"]) == takes  # the audit knows pairs again


def test_a_set_without_provenance_has_none_after_either(people: Dataset, copy_of: Copy, tmp_path: Path) -> None:
    source = copy_of(people)
    repaired(source, tmp_path / "new")
    (source.folder / PROVENANCE).unlink()
    new, _ = repaired(source, tmp_path / "new")
    assert not (new.folder / PROVENANCE).exists() and not (new.folder / TAKES).exists()
