"""Maps on disk and the table of pixel counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.detector import PixelMaps
from benchmarks.metrics.spatial import evaluate_pixels
from benchmarks.pixels import (
    NOT_SOUGHT,
    Control,
    MapStore,
    check_against,
    counts_of,
    pixel_row,
    pixel_rows,
    read_pixels,
    schema,
    truth_kind,
    twin_of,
    write_pixels,
)
from benchmarks.predictions import KEY as PREDICTED
from benchmarks.predictions import RowKey
from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment
from cmdfd.errors import CmdfdError, MediaError
from cmdfd.media.masks import write_mask

KEY = RowKey("noise_residual", "set", "test", "untrimmed")
VIDEO = Labels(1, 0, 1, 0, 0)
SOUND = Labels(1, 1, 0, 1, 0)


def clip(name: str, labels: Labels = REAL, mask: str | None = None, fps: float = 25.0, n: int = 10) -> Clip:
    segments = (Segment(0.0, 0.4, Modality.VIDEO),) if labels.label else ()
    return Clip(
        id=name,
        split="test",
        file=f"{name}.mp4",
        sha256="0" * 64,
        labels=labels,
        kind="fake" if labels.label else "real",
        variant="",
        generator="",
        face_id="f",
        voice_id="v",
        source_ids=(name,),
        component=name,
        segments=segments,
        mask=mask,
        tracks=None,
        fps=fps,
        n_frames=n,
        width=48,
        height=32,
        sample_rate=16000,
        n_samples=6400,
        rights=Rights("CC0-1.0", "synthetic"),
    )


def masks(n: int = 10) -> np.ndarray:
    truth = np.zeros((n, 32, 48), np.uint8)
    for k in range(n):
        truth[k, 8:24, 2 * k : 2 * k + 16] = 180
    return truth


def maps_like(truth: np.ndarray, fps: float = 25.0) -> PixelMaps:
    return PixelMaps(np.arange(len(truth)) / fps, np.where(truth > 10, 230, 20).astype(np.uint8))


# -- the store ---------------------------------------------------------------------------------------------------


def test_maps_come_back_to_the_last_bit_and_have_equal_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps = PixelMaps(np.arange(5) / 30, rng.integers(0, 256, (5, 9, 16)).astype(np.uint8))
    store, other = MapStore(tmp_path, "r1"), MapStore(tmp_path, "r2")
    store.put("ab12", maps)
    other.put("ab12", maps)
    again = store.get("ab12")
    assert again is not None and (again.maps == maps.maps).all() and (again.times == maps.times).all()
    assert store.path("ab12").read_bytes() == other.path("ab12").read_bytes()
    assert "ab12" in store and "cd" not in store and store.get("cd") is None
    assert not list(tmp_path.rglob(".part*"))
    store.clear()
    assert "ab12" not in store and "ab12" in other


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", None])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    store = MapStore(tmp_path, "r")
    store.put("ab", maps_like(masks()))
    whole = store.path("ab").read_bytes()
    store.path("ab").write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert store.get("ab") is None and "ab" not in store


def test_arrays_that_are_no_maps_are_not_given_out(tmp_path: Path) -> None:
    store = MapStore(tmp_path, "r")
    store.put("ab", maps_like(masks()))
    np.savez(store.path("ab").open("wb"), times=np.zeros(3), maps=np.zeros((2, 4, 4), np.uint8))
    assert store.get("ab") is None


# -- rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [22.131, 25.0, 30000 / 1001, 30.0])
def test_a_mask_on_disk_meets_its_maps_at_any_rate(tmp_path: Path, fps: float) -> None:
    truth = masks()
    write_mask(tmp_path / "m.mkv", truth, fps)
    row = pixel_row(KEY, clip("a", VIDEO, "m.mkv", fps), tmp_path / "m.mkv", maps_like(truth, fps))
    counts = counts_of(row)
    assert counts is not None and row["truth"] == "mask"
    assert counts.fn.sum() == 0 and counts.fp.sum() == 0 and counts.n_forged == 10 * 256


@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_trimming_moves_the_mask_with_the_maps(tmp_path: Path, fps: float) -> None:
    truth = masks()
    write_mask(tmp_path / "m.mkv", truth, fps)
    whole = clip("a", VIDEO, "m.mkv", fps)
    counts = counts_of(pixel_row(KEY, whole, tmp_path / "m.mkv", maps_like(truth[4:], fps), skip=4))
    assert counts is not None and counts.n_frames == 6 and counts.fn.sum() + counts.fp.sum() == 0
    real = counts_of(pixel_row(KEY, clip("r"), None, maps_like(truth[4:]), skip=4))
    assert real is not None and real.n_frames == 6
    with pytest.raises(CmdfdError, match="no frame is left"):
        pixel_row(KEY, whole, tmp_path / "m.mkv", maps_like(truth), skip=10)


def test_truth_is_known_from_masks_or_labels_or_not_at_all() -> None:
    assert truth_kind(clip("a"), None) == "empty"
    assert truth_kind(clip("a", SOUND), None) == "empty"
    assert truth_kind(clip("a", VIDEO), None) == "unknown"
    assert truth_kind(clip("a", replace(VIDEO, video_label=None)), None) == "unknown"
    assert truth_kind(clip("a", VIDEO), Path("m.mkv")) == "mask"
    assert truth_kind(clip("a", VIDEO), Path("nowhere/000/m.mkv")) == "absent"  # masks/ did not come along
    row = pixel_row(KEY, clip("a", VIDEO), Path("nowhere/000/m.mkv"), maps_like(masks()))
    assert row["truth"] == "absent" and row["pixels"] is None and counts_of(row) is None
    row = pixel_row(KEY, clip("a", VIDEO), None, maps_like(masks()))
    assert row["truth"] == "unknown" and row["pixels"] is None and counts_of(row) is None


def test_a_detector_without_any_maps_has_no_rows_and_one_with_some_fails_at_the_rest(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.mkv", masks(), 25)
    clips = [clip("a"), clip("b", VIDEO, "m.mkv")]

    def mask_of(one: Clip) -> Path | None:
        return tmp_path / one.mask if one.mask else None

    assert pixel_rows(KEY, clips, mask_of, lambda one: None) == []
    rows = pixel_rows(KEY, clips, mask_of, lambda one: maps_like(masks()) if one.id == "a" else None)
    assert [row["failed"] for row in rows] == [False, True]
    counts = [counts_of(row) for row in rows]
    assert evaluate_pixels(counts, [0, 1], ["a", "b"], n_draws=5)["pixel_auc"].value == 0.0


def test_errors_name_the_clip(tmp_path: Path) -> None:
    broken = PixelMaps(np.array([0.1, 0.0]), np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(CmdfdError, match=r"clip 'a' \(no mask\): times of the maps must be finite and rise"):
        pixel_row(KEY, clip("a"), None, broken)
    with pytest.raises(MediaError, match="missing"):
        pixel_row(KEY, clip("a", VIDEO, "m.mkv"), tmp_path / "m.mkv", maps_like(masks()))


def test_the_twin_is_counted_under_the_mask_of_its_fake(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.mkv", masks(), 25)
    fake, mask = clip("b", VIDEO, "m.mkv"), tmp_path / "m.mkv"
    seen = maps_like(masks()[::-1])  # the map of the twin lies elsewhere, and half of it under the mask
    row = pixel_row(KEY, fake, mask, maps_like(masks()), control=Control("a", seen))
    assert (row["twin"], row["no_twin"]) == ("a", None)
    alone = counts_of(pixel_row(KEY, fake, mask, seen))
    table = twin_of(row)
    assert alone is not None and table is not None and (table == alone.pixels).all()
    without = pixel_row(KEY, fake, mask, maps_like(masks()), control=Control(why="no take"))
    assert (without["twin"], without["twin_pixels"], without["no_twin"]) == (None, None, "no take")
    assert pixel_row(KEY, fake, mask, None)["no_twin"] == NOT_SOUGHT
    for real in (pixel_row(KEY, clip("a"), None, seen), pixel_row(KEY, clip("c", VIDEO), None, seen)):
        assert real["twin"] is real["twin_pixels"] is real["no_twin"] is None  # nothing to compare under


# -- the table ---------------------------------------------------------------------------------------------------


def table(tmp_path: Path) -> tuple[Path, list[dict]]:
    write_mask(tmp_path / "m.mkv", masks(), 25)
    rows = [
        pixel_row(KEY, clip("a"), None, maps_like(masks())),
        pixel_row(KEY, clip("b", VIDEO, "m.mkv"), tmp_path / "m.mkv", maps_like(masks())),
        pixel_row(KEY, clip("c", VIDEO), None, maps_like(masks())),
        pixel_row(KEY, clip("d", VIDEO, "m.mkv"), tmp_path / "m.mkv", None, control=Control("a", maps_like(masks()))),
    ]
    return tmp_path / "pixels.parquet", rows


def test_the_table_gives_the_same_numbers_without_media(tmp_path: Path) -> None:
    path, rows = table(tmp_path)
    write_pixels(path, rows)
    again = read_pixels(path)
    assert again == rows
    numbers = [
        evaluate_pixels([*map(counts_of, some)], [0, 1, 1, 1], ["a", "b", "c", "d"], twins=[*map(twin_of, some)])
        for some in (rows, again)
    ]
    assert numbers[0] == numbers[1] and numbers[0]["pixel_f1@0.5"].value == 0.5
    assert numbers[0]["pixel_auc_twin"].value == 1.0 and numbers[0]["pixel_auc_gain"].value == -1.0  # "d" failed
    data = path.read_bytes()
    write_pixels(path, rows)
    assert path.read_bytes() == data


def test_tables_that_are_wrong_are_refused_by_row(tmp_path: Path) -> None:
    path, rows = table(tmp_path)
    write_pixels(path, [rows[0], rows[0]])
    with pytest.raises(CmdfdError, match="row 1: clip 'a' stands twice"):
        read_pixels(path)
    write_pixels(path, [rows[0], {**rows[1], "tp": [0] * 10}])
    with pytest.raises(CmdfdError, match=r"row 1 \(clip 'b'\): tp of all frames is 0"):
        read_pixels(path)
    write_pixels(path, [{**rows[0], "truth": "maybe"}])
    with pytest.raises(CmdfdError, match="row 0: truth must be one of mask, empty, unknown, absent, got 'maybe'"):
        read_pixels(path)
    write_pixels(path, [{**rows[2], "truth": "mask"}])
    with pytest.raises(CmdfdError, match="'pixels' is missing"):
        read_pixels(path)
    moved = list(rows[3]["twin_pixels"])
    moved[20], moved[276] = moved[20] - 1, moved[276] + 1
    for twin, words in ((moved, "are not of one mask"), ([1, 2], "needs 512 counts >= 0 and a mask, got 2")):
        write_pixels(path, [{**rows[3], "twin_pixels": twin}])
        with pytest.raises(CmdfdError, match=rf"row 0 \(clip 'd'\): .*{words}"):
            read_pixels(path)
    write_pixels(path, [{**rows[2], "twin_pixels": rows[3]["twin_pixels"]}])
    with pytest.raises(CmdfdError, match="truth is 'unknown', which has no counts, but twin_pixels is there"):
        read_pixels(path)


def test_other_files_and_versions_are_refused(tmp_path: Path) -> None:
    path, rows = table(tmp_path)
    path.write_bytes(b"nothing")
    with pytest.raises(CmdfdError, match="not a Parquet file"):
        read_pixels(path)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema().with_metadata({"schema_version": "9"})), path)
    with pytest.raises(CmdfdError, match="schema version 9, this version reads 1"):
        read_pixels(path)
    lacking = pa.Table.from_pylist(rows, schema=schema()).drop_columns(["patches"])
    pq.write_table(lacking, path)
    with pytest.raises(CmdfdError, match="column 'patches' is missing"):
        read_pixels(path)


@pytest.mark.parametrize(
    ("number", "changes", "reason"),
    [
        *[(0, {name: None}, f"{name} is None") for name in ("detector", "dataset", "split", "condition", "id")],
        (0, {"split": ""}, "split is ''"),
        (0, {"failed": True}, "failed is true, but pixels and unreached are not those of the worst maps"),
        (1, {"failed": True}, "failed is true, but"),
        (3, {"failed": False}, "failed is false, but pixels has too few zeros for the 10 frames that no map reached"),
        (0, {"unreached": 3}, "failed is false, but pixels has too few zeros for the 3 frames"),
        (0, {"failed": None}, "column 'failed' is missing"),
        (0, {"truth": "mask"}, "needs either twin_pixels or no_twin"),
        (1, {"truth": "empty"}, "truth is 'empty', but pixels has 2560 forged ones"),
        (1, {"truth": "unknown"}, "truth is 'unknown', which has no counts, but pixels is there"),
        (1, {"truth": "absent"}, "truth is 'absent', which has no counts"),
        (3, {"no_twin": "none"}, "needs either twin_pixels or no_twin"),
        (1, {"tp": [None] * 10}, ""),
    ],
)
def test_rows_that_contradict_themselves_are_refused(
    tmp_path: Path, number: int, changes: dict[str, object], reason: str
) -> None:
    path, rows = table(tmp_path)
    rows[number] = {**rows[number], **changes}
    write_pixels(path, rows)
    with pytest.raises(CmdfdError, match=rf"pixels\.parquet: row {number} \(clip .*\): {reason}"):
        read_pixels(path)


def test_tables_without_rows_or_of_other_types_are_refused(tmp_path: Path) -> None:
    path, rows = table(tmp_path)
    write_pixels(path, [])
    with pytest.raises(CmdfdError, match="there are no counts in it"):
        read_pixels(path)
    write_pixels(path, rows)
    whole = pq.read_table(path)
    other = whole.set_column(whole.column_names.index("tp"), "tp", pa.array(["many"] * 4))
    pq.write_table(other.replace_schema_metadata(schema().metadata), path)
    with pytest.raises(CmdfdError, match="a column is of another type than in this version"):
        read_pixels(path)


def predicted(rows: list[dict], labels: dict[str, int]) -> pd.DataFrame:
    return pd.DataFrame([{**{name: row[name] for name in PREDICTED}, "label": labels[row["id"]]} for row in rows])


def test_counts_must_be_those_of_the_predictions(tmp_path: Path) -> None:
    _, rows = table(tmp_path)
    said = predicted(rows, {"a": 0, "b": 1, "c": 1, "d": 1})
    trimmed = said.assign(condition="trimmed")
    mute = said.assign(detector="random")  # gives no maps, so it needs no rows
    every = pd.concat([said, trimmed, mute])
    check_against(rows, every, "p")
    check_against([], every, "p")
    with pytest.raises(CmdfdError, match=r"p: clip 'd' of .* has a prediction, but no row here"):
        check_against(rows[:3], every, "p")
    with pytest.raises(CmdfdError, match=r"p: row 3 \(clip 'd'\): no untrimmed prediction has its detector, dataset"):
        check_against(rows, said.iloc[:3], "p")
    with pytest.raises(CmdfdError, match=r"p: row 0 \(clip 'a'\): no untrimmed prediction"):
        check_against(rows, trimmed, "p")
    for number, truth in ((1, "mask"), (2, "unknown")):
        with pytest.raises(CmdfdError, match=rf"row {number} \(clip .*truth is '{truth}', but the clip is real"):
            check_against(rows, predicted(rows, {"a": 0, "d": 1, "b": number - 1, "c": 2 - number}), "p")
