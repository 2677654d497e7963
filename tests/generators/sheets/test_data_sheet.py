"""The data sheet: its counts against the tables, and its text."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from toy_set import CMDFD_KINDS, LIPSYNC_CROSS, PARTIAL, write_toy_set

from cmdfd.clip import REAL, Labels, Rights
from cmdfd.dataset import Dataset
from generators.sheets import DataSheet, write_data_sheet
from generators.sheets.counting import published
from generators.sheets.datasheet import BLANK

REFUSED = [
    {"source": "anna|01.mp4", "kind": "", "code": "no_face", "reason": "nobody is seen"},
    {"source": "t1", "kind": "edit/part", "code": "crashed", "reason": "exit code 1"},
    {"source": "t2", "kind": "edit/part", "code": "crashed", "reason": "exit code 2"},
    {"source": "t3", "kind": "edit/part", "code": "crashed", "reason": "exit code 2"},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data") / "set"
    kinds = (*CMDFD_KINDS, PARTIAL)
    return write_toy_set(folder, kinds, splits=("train", "test"), people=4, takes=2, refused=REFUSED)


@pytest.fixture
def sheet(data: Dataset, tmp_path: Path) -> DataSheet:
    return write_data_sheet(data, tmp_path / "datasheet.md")


def test_counts_are_those_of_the_tables(data: Dataset, sheet: DataSheet, tmp_path: Path) -> None:
    truth = Counter((clip.split, clip.kind, clip.variant) for clip in data.clips())
    assert {(row.split, row.kind, row.variant): row.clips for row in sheet.counts} == truth
    assert sum(row.clips for row in sheet.counts) == len(data.clips()) == 2 * 8 * (1 + 4 + 2)
    for row in sheet.counts:
        assert row.people == 4 and row.seconds == pytest.approx(8 * 0.8)
        assert row.components == 2  # partners hang together
        assert row.masks == (8 if row.kind in ("lips/cross", "lips/self", "edit/part") else 0)
    assert (sheet.people, sheet.components) == (8, 4)
    assert [row.kind for row in sheet.counts[:3]] == ["real", "real", "lips/cross"]
    with (tmp_path / "datasheet.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["split"], row["kind"], int(row["clips"])) for row in rows] == [
        (row.split, row.kind, row.clips) for row in sheet.counts
    ]


def test_label_vectors_in_both_forms(sheet: DataSheet) -> None:
    found = {(row.kind, row.sham): (row.labels, row.published, row.clips) for row in sheet.labels}
    # facts of the published lists: E, A, V, I, S with 1 = match
    assert found["real", False] == ((0, 0, 0, 0, 0), (0, 0, 0, 1, 1), 16)
    assert found["real", True] == ((0, 0, 0, 0, 0), (0, 0, 0, 1, 1), 16)
    assert found["lips/cross", False] == ((1, 0, 1, 0, 1), (1, 0, 1, 0, 1), 16)
    assert found["lips/self", False] == ((1, 0, 1, 0, 0), (1, 0, 1, 1, 1), 16)
    assert found["head/cross", False] == ((1, 0, 1, 1, 1), (1, 0, 1, 0, 0), 16)
    assert found["head/self", False] == ((1, 0, 1, 1, 0), (1, 0, 1, 1, 0), 16)
    assert found["edit/part", False] == ((1, 1, None, 1, 0), (1, 1, None, 1, 0), 16)
    assert published(Labels(1, None, 1, None, 0)) == (1, None, 1, 1, None)


def test_segments_drivers_and_generators(sheet: DataSheet) -> None:
    found = {(row.kind, row.modality.value): row for row in sheet.segments}
    sound, both = found["edit/part", "audio"], found["edit/part", "audiovisual"]
    assert (sound.segments, sound.clips, sound.mean_seconds, sound.share) == (16, 16, 0.08, 0.1)
    assert (both.segments, both.mean_seconds, both.share) == (16, 0.2, 0.25)
    assert found["lips/self", "video"].share == 1.0
    drivers = {row.kind: (row.relation, row.clips) for row in sheet.relations}
    assert drivers["lips/cross"] == ("partner", 16) and drivers["lips/self"] == ("self", 16)
    assert drivers["edit/part"] == ("", 16) and "real" not in drivers
    made = {row.generator: row for row in sheet.generators}
    assert set(made) == {kind.name for kind in (*CMDFD_KINDS, PARTIAL)}  # plain reals pass none
    part = made["edit/part"]
    assert (part.version, part.licence, part.output_licence, part.watermark) == (3, "MIT", "", "")
    assert (part.fakes, part.shams, part.known_cues) == (16, 16, ("blur | of the mouth",))


def test_rights_refusals_and_audit(sheet: DataSheet) -> None:
    assert {(row.licence, row.consent): row.clips for row in sheet.rights} == {
        ("CC-BY-4.0", "given"): 84, ("CC0-1.0", "given"): 28,
    }  # fmt: skip
    assert sheet.refused is not None
    assert [(row.kind, row.code, row.count, row.reason) for row in sheet.refused] == [
        ("", "no_face", 1, "nobody is seen"), ("edit/part", "crashed", 3, "exit code 2"),
    ]  # fmt: skip
    assert (sheet.audit_status, sheet.audit) == ("not testable", ("Too few components.",))
    assert sheet.overrides == {} and sheet.notes == ("a note | with a bar",)


def test_the_page_is_whole_and_its_tables_hold(sheet: DataSheet, tmp_path: Path) -> None:
    text = (tmp_path / "datasheet.md").read_text()
    assert DataSheet.model_validate_json((tmp_path / "datasheet.json").read_text()) == sheet
    for part in ("Clips", "Labels", "Who drives", "Generators", "Licences and consent", "Not made", "Audit", "Notes"):
        assert f"\n## {part}\n" in text
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 7
    for lines in blocks:  # a bar in a name must not make a column
        widths = {len([1 for a, b in zip(" " + line, line, strict=False) if b == "|" and a != "\\"]) for line in lines}
        assert len(widths) == 1
    assert "anna" not in text  # names of files may name people
    assert "| 3 | edit/part | `crashed` | the generator ended with an error | exit code 2 |" in text
    assert "| edit/part | 16 | 1, 1, ?, 1, 0 | 1, 1, ?, 1, 0 |" in text
    assert BLANK not in text


def test_what_is_not_known_is_visibly_blank(tmp_path: Path) -> None:
    old = ("generator_version", "output_licence", "watermark", "relation", "generator_licence")
    data = write_toy_set(
        tmp_path / "set",
        (LIPSYNC_CROSS,),
        provenance=lambda row: {**row, **dict.fromkeys(old)},
        change=lambda clip: replace(clip, face_id="", rights=Rights("", "")),
    )
    (data.folder / "refused.parquet").unlink()
    build = json.loads((data.folder / "build.json").read_text())
    (data.folder / "build.json").write_text(json.dumps({**build, "audit": None}))
    sheet = write_data_sheet(Dataset.open(data.folder), tmp_path / "d.md")
    assert sheet.people is None and sheet.refused is None and sheet.audit_status is None
    assert sheet.relations[0].relation is None and sheet.counts[0].people is None
    lines = (tmp_path / "d.md").read_text().splitlines()
    assert f"| lips/cross | {BLANK} | {BLANK} | {BLANK} | {BLANK} | 2 | 0 | blur \\| of the mouth |" in lines
    assert f"| lips/cross | {BLANK} | 2 |" in lines and f"| {BLANK} | {BLANK} | yes | 4 |" in lines
    assert f"{BLANK}: the gate did not run (it is switched off, or a class is missing)." in lines
    assert (tmp_path / "d.csv").read_text().splitlines()[1] == "test,real,,2,,1,1.6,0"


def test_overrides_and_hostile_names(tmp_path: Path) -> None:
    reason = "agreed <script>alert(1)</script> | by\nphone"
    data = write_toy_set(
        tmp_path / "set",
        (LIPSYNC_CROSS,),
        provenance=lambda row: {**row, "rights_override": reason if row["kind"] != "real" else ""},
    )
    sheet = write_data_sheet(data, tmp_path / "d.md", [{"source": "s", "kind": "k|", "code": "`x`", "reason": "a\nb"}])
    assert sheet.overrides == {reason: 2}
    text = (tmp_path / "d.md").read_text()
    assert "- 2 clips: agreed \\<script\\>alert(1)\\</script\\> \\| by phone" in text and "<script>" not in text
    assert f"| 1 | k\\| | `'x'` | {BLANK} | a b |" in text


def test_withheld_splits_count_nowhere(tmp_path: Path) -> None:
    kinds = (LIPSYNC_CROSS, PARTIAL)
    data = write_toy_set(tmp_path / "set", kinds, splits=("train", "test"), withheld=("test",))
    alone = write_toy_set(tmp_path / "alone", kinds, splits=("train",))
    both = write_data_sheet(data, tmp_path / "d.md")
    only = write_data_sheet(alone, tmp_path / "a.md")
    assert both.model_copy(update={"withheld": ()}) == only
    assert [(row.split, row.clips, row.seconds) for row in both.withheld] == [("test", 8, 6.4)]
    assert "The labels of `test` (8 clips, 0.1 minutes) are withheld" in (tmp_path / "d.md").read_text()
    assert "| test |" not in (tmp_path / "d.md").read_text() + (tmp_path / "d.csv").read_text()


def test_the_same_set_gives_the_same_bytes(data: Dataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_data_sheet(Dataset.open(data.folder), tmp_path / name / "s.md")
    for suffix in ("md", "json", "csv"):
        assert (tmp_path / "a" / f"s.{suffix}").read_bytes() == (tmp_path / "b" / f"s.{suffix}").read_bytes()
    assert published(REAL) == (0, 0, 0, 1, 1)
