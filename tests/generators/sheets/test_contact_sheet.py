"""The contact sheet: what is on it, what is not, and that its pictures are the clips' own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy_set import BOX, CMDFD_KINDS, LIPSYNC_CROSS, PARTIAL, SIZE, Kind, write_toy_set

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.media.decode import read_video
from cmdfd.tables import PROVENANCE
from generators.sheets import SHEETS, canvas, contact, contact_page, write_contact_sheet, write_data_sheet
from generators.sheets.__main__ import main
from generators.sheets.canvas import THUMB, TINT, TINT_SHARE, fitted, font, tinted
from generators.sheets.choice import SheetTake, choose, moments, takes_of
from generators.sheets.contact import MAX_PAGES, ROWS_PER_PAGE
from generators.sheets.origins import Origin


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("mixed") / "set"
    return write_toy_set(folder, (LIPSYNC_CROSS, PARTIAL), splits=("train", "test"), people=2)


def words_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects every text that is drawn."""
    found: list[str] = []
    from PIL.ImageDraw import ImageDraw

    plain = ImageDraw.text

    def text(self: ImageDraw, xy: tuple[float, float], text: str, *rest: object, **named: object) -> None:
        found.append(text)
        plain(self, xy, text, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw, "text", text)
    return found


def test_rows_stand_below_their_real_in_order(mixed: Dataset) -> None:
    takes = takes_of(mixed)
    assert [(take.split, take.key) for take in takes] == [
        ("train", "train-0-0"), ("train", "train-1-0"), ("test", "test-0-0"), ("test", "test-1-0")
    ]  # fmt: skip
    for take in takes:
        kinds = [(clip.kind, clip.variant) for clip in take.clips]
        assert kinds == [("real", ""), ("real", "sham of edit/part"), ("lips/cross", ""), ("edit/part", "replace")]
        assert {clip.face_id for clip in take.clips} == {take.face_id}
        assert [origin.take for origin in take.origins] == [take.key] * 4
        donors = [origin.donor for origin in take.origins]
        assert donors == ["", "", take.key.replace("-0-", "-x-").replace("-1-", "-0-").replace("-x-", "-1-"), ""]


def test_a_sheet_shows_all_clips_and_their_facts(
    mixed: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of(monkeypatch)
    made = write_contact_sheet(mixed, tmp_path, people=4, frames=3)
    assert (made.n_takes, made.n_clips, made.left_out, made.unreadable) == (4, 16, 0, ())
    assert [page.name for page in made.pages] == ["contact_sheet-1.png"]
    with Image.open(made.pages[0]) as picture:
        assert picture.width < 1400 and picture.height < 3000
        assert not picture.info  # nothing about when and where
    for clip in mixed.clips():
        assert f"id {clip.id}" in words
    assert words.count("real") == 8 and words.count("lips/cross") == 4 and words.count("sham of edit/part") == 4
    assert words.count("driven by the partner") == 4
    assert {"A 1", "V ?", "S 1", "I 0", "test: test-p1, 0", "page 1 of 1"} <= set(words)


def test_pictures_are_those_of_the_clip(mixed: Dataset, tmp_path: Path) -> None:
    take = takes_of(mixed)[0]
    made = write_contact_sheet(mixed, tmp_path, people=1, frames=2)
    assert made.n_clips == 4
    with Image.open(made.pages[0]) as opened:
        page = np.asarray(opened.convert("RGB")).astype(int)
    left = canvas.MARGIN + canvas.LABEL_WIDTH
    top = canvas.MARGIN + contact_page.TITLE_HEIGHT + contact_page.HEAD_HEIGHT
    indices = moments(take, 2)
    for row, clip in enumerate(take.clips):
        truth = read_video(mixed.path_of(clip)).frames[indices]
        y = top + row * canvas.ROW_HEIGHT
        for column in (0, 1):
            x = left + column * (THUMB + canvas.GAP)
            shown = page[y : y + THUMB, x : x + THUMB]
            corner = shown[4:40, 4:40].mean(axis=(0, 1))  # outside the mask
            assert np.abs(corner - truth[column, 2:17, 2:17].mean(axis=(0, 1))).max() < 3
            middle = shown[THUMB * 48 // 64, THUMB * 32 // 64]
            pure = truth[column, 48, 32].astype(float)
            if clip.kind == "lips/cross":  # forged all the time: tinted where the mask is
                assert np.abs(middle - ((1 - TINT_SHARE) * pure + TINT_SHARE * np.array(TINT))).max() < 4
            elif clip.kind == "real":
                assert np.abs(middle - pure).max() < 3


def test_masks_are_tinted_and_outlined() -> None:
    frame = np.full((SIZE, SIZE, 3), 100, np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[BOX] = 255
    shown = tinted(frame, mask)
    assert (shown[mask == 0] == 100).all()
    edge = np.zeros((SIZE, SIZE), bool)
    edge[BOX] = True
    edge[41:55, 17:47] = False
    assert (shown[edge] == TINT).all()
    assert (shown[48, 32] == [88, 108, 119]).all()
    half = np.zeros((SIZE, SIZE), np.uint8)
    half[:, : SIZE // 2] = 255
    shown = tinted(frame, half)
    assert (shown[:, : SIZE // 2 - 1] == [88, 108, 119]).all()  # no outline at the border of the picture
    assert (shown[:, SIZE // 2 - 1] == TINT).all() and (shown[:, SIZE // 2 :] == 100).all()
    whole = tinted(frame, np.full((SIZE, SIZE), 255, np.uint8))
    assert (whole[4:-4, 4:-4] == 100).all() and (whole[:4] == TINT).all() and (whole[:, -4:] == TINT).all()
    assert (frame == 100).all()


def test_withheld_splits_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_toy_set(tmp_path / "set", (LIPSYNC_CROSS,), splits=("train", "test"), withheld=("test",))
    words = words_of(monkeypatch)
    made = write_contact_sheet(data, tmp_path / "sheets", people=9)
    assert made.n_clips == 4
    text = " ".join(words)
    assert not [clip.id for clip in data.clips("test") if clip.id in text] and "test-" not in text
    assert "withheld: test" in text
    hidden = write_toy_set(tmp_path / "all", (LIPSYNC_CROSS,), withheld=("test",))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "contact_sheet-1.png").write_bytes(b"old page that shows labels")
    assert write_contact_sheet(hidden, tmp_path / "none").pages == ()
    assert not list((tmp_path / "none").iterdir())


def test_a_broken_clip_keeps_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_toy_set(tmp_path / "set", (LIPSYNC_CROSS,))
    real, fake = (next(clip for clip in data.clips() if clip.kind == kind) for kind in ("real", "lips/cross"))
    data.path_of(real).write_bytes(b"not a film")
    data.mask_of(fake).unlink()  # type: ignore[union-attr]
    words = words_of(monkeypatch)
    made = write_contact_sheet(data, tmp_path / "sheets")
    assert made.n_clips == 4 and set(made.unreadable) == {real.id, fake.id}
    assert {"cannot be read: not_media", "cannot be read: missing"} <= set(words)


def test_old_pages_go_and_others_stay(mixed: Dataset, tmp_path: Path) -> None:
    for name in ("contact_sheet-7.png", "notes.png"):
        (tmp_path / name).write_bytes(b"x")
    write_contact_sheet(mixed, tmp_path, people=1)
    first = (tmp_path / "contact_sheet-1.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["contact_sheet-1.png", "notes.png"]
    write_contact_sheet(mixed, tmp_path, people=1)
    assert (tmp_path / "contact_sheet-1.png").read_bytes() == first


def test_wrong_questions_are_refused(mixed: Dataset, tmp_path: Path) -> None:
    for people, frames in ((0, 4), (1, 0), (1, 9)):
        with pytest.raises(CmdfdError, match=rf"at least 1 person and 1 to 8 frames, got {people} and {frames}"):
            write_contact_sheet(mixed, tmp_path, people=people, frames=frames)
    data = write_toy_set(tmp_path / "set", (LIPSYNC_CROSS,), provenance=lambda row: {**row, "id": "x" + row["id"]})
    with pytest.raises(CmdfdError, match="has no row of 4 clips of the set"):
        write_contact_sheet(data, tmp_path)
    (data.folder / PROVENANCE).unlink()
    with pytest.raises(CmdfdError, match=r"provenance.parquet: missing"):
        write_contact_sheet(data, tmp_path)


def take_of(mixed: Dataset, key: str, face: str, n_clips: int = 2, split: str = "test") -> SheetTake:
    real = replace(mixed.clips()[0], kind="real", segments=(), labels=REAL)
    origin = Origin(key, "", "", {})
    return SheetTake(key, split, face, (real,) * n_clips, (origin,) * n_clips)


def test_people_are_spread_and_full_takes_preferred(mixed: Dataset) -> None:
    takes = [take_of(mixed, f"{face}-{k}", f"f{face:02}", 2 + (k > 0)) for face in range(20) for k in range(3)]
    chosen = choose(takes, 6)
    assert [take.face_id for take in chosen] == ["f00", "f04", "f08", "f11", "f15", "f19"]
    assert [take.key[-1] for take in chosen] == ["1", "2", "1", "2", "1", "2"]  # grades go by take: both are seen
    assert len({take.key for take in choose(takes[:3], 6)}) == 3  # one person: their other takes
    assert choose([], 6) == []


def test_many_clips_make_few_pages(mixed: Dataset) -> None:
    takes = [take_of(mixed, f"{face}", f"f{face:02}", 10) for face in range(12)]
    pages = contact._pages(takes)
    assert [len(page) for page in pages] == [1] * 12  # a take is not torn where it fits on a page
    long = contact._pages([take_of(mixed, "x", "f", 40)])
    assert [len(page[0].clips) for page in long] == [ROWS_PER_PAGE, ROWS_PER_PAGE, 40 - 2 * ROWS_PER_PAGE]


def test_what_does_not_fit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "ROWS_PER_PAGE", 2)
    data = write_toy_set(tmp_path / "set", CMDFD_KINDS, people=4)
    words = words_of(monkeypatch)
    made = write_contact_sheet(data, tmp_path / "sheets")
    assert (len(made.pages), made.n_takes, made.n_clips, made.left_out) == (3, 1, 5, 0)
    many = write_toy_set(tmp_path / "many", [replace(LIPSYNC_CROSS, name=f"k{n}", mask=False) for n in range(9)])
    made = write_contact_sheet(many, tmp_path / "sheets")
    assert (len(made.pages), made.n_takes, made.n_clips, made.left_out) == (MAX_PAGES, 1, 8, 2)
    assert any("2 more of them have no room" in word for word in words)


@given(
    st.lists(st.tuples(st.integers(0, 19), st.integers(1, 8)), max_size=4),
    st.integers(1, 8),
)
def test_moments_meet_the_forged_stretches(stretches: list[tuple[int, int]], frames: int) -> None:
    clips = []
    for start, length in stretches:
        one = Segment(start / 25, min(start + length, 20) / 25, Modality.VIDEO)
        clips.append(_bare(Labels(1, 0, 1, 1, 0), (one,)))
    clips.append(_bare(REAL, ()))
    take = SheetTake("t", "test", "f", tuple(clips), ())
    found = moments(take, frames)
    assert len(found) == frames and found == sorted(set(found)) and found[0] >= 0 and found[-1] < 20
    for start, length in stretches[:1] if len(stretches) == 1 else ():
        assert any(start <= frame < start + length for frame in found)  # a single stretch, however short, is met
    if not stretches:
        gaps = np.diff([*found])
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 2


def _bare(labels: Labels, segments: tuple[Segment, ...]) -> object:
    from cmdfd.clip import Clip, Rights

    return Clip(
        id="x", split="test", file="f", sha256="", labels=labels, kind="k", variant="", generator="", face_id="f",
        voice_id="v", source_ids=(), component="c", segments=segments, mask=None, tracks=None, fps=25.0, n_frames=20,
        width=64, height=64, sample_rate=16000, n_samples=12800, rights=Rights("", ""),
    )  # fmt: skip


def test_names_from_outside_are_cut_and_cleaned() -> None:
    face = font(13)
    for name in ("short", "x" * 500, "a\x1b[31mb\u202ec", ""):
        shown = fitted(name, 120, face)
        assert face.getlength(shown) <= 120
        assert re.search(r"[\x00-\x1f\u202e]", shown) is None
    assert fitted("short", 120, face) == "short"


def test_videofolder_opens_a_set_with_sheets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    data = write_toy_set(tmp_path / "set", (LIPSYNC_CROSS,), splits=("train", "validation", "test"))
    manifest = data.manifest_sha256
    assert main([str(data.folder)]) == 0
    listed = capsys.readouterr().out.split()
    assert [Path(name).name for name in listed] == ["contact_sheet-1.png", "datasheet.md"]
    assert sorted(path.name for path in (data.folder / SHEETS).iterdir()) == [
        "contact_sheet-1.png", "datasheet.csv", "datasheet.json", "datasheet.md",
    ]  # fmt: skip
    found = datasets.load_dataset("videofolder", data_dir=str(data.folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(found[split]) for split in found} == {"train": 4, "validation": 4, "test": 4}
    again = Dataset.open(data.folder)
    again.verify()
    assert again.manifest_sha256 == manifest
    assert main([str(tmp_path)]) == 2 and "no data set here" in capsys.readouterr().err


@pytest.mark.slow
def test_five_hundred_clips_are_quick(tmp_path: Path) -> None:
    import time

    kinds = [Kind(f"k{n}", Labels(1, 0, 1, 1, 0), "self", mask=n % 2 == 0) for n in range(8)]
    kinds = [replace(kind, segments=(Segment(0, 0.8, Modality.VIDEO),)) for kind in kinds]
    data = write_toy_set(tmp_path / "set", kinds, people=56)
    assert len(data.clips()) == 504
    began = time.process_time()
    made = write_contact_sheet(data, tmp_path / "sheets")
    write_data_sheet(data, tmp_path / "sheets" / "datasheet.md")
    assert made.n_clips == 54 and time.process_time() - began < 10


def test_a_short_forgery_is_always_seen() -> None:
    from dataclasses import replace

    from cmdfd.clip import REAL, Clip, Modality, Rights, Segment
    from generators.sheets.choice import own_moments

    rights = Rights("CC0-1.0", "synthetic")
    clip = Clip("i", "test", "f", "s", REAL, "k", "", "g", "a", "v", (), "c", (), None, None, 25.0, 100, 64, 64, 16000,
                64000, rights)  # fmt: skip
    assert own_moments(clip, [12, 37, 62, 87]) == [12, 37, 62, 87]
    cut = replace(clip, segments=(Segment(1.04, 1.12, Modality.BOTH),))
    assert own_moments(cut, [12, 37, 62, 87]) == [12, 27, 62, 87]
    heard = replace(clip, segments=(Segment(1.04, 1.12, Modality.AUDIO),))
    assert own_moments(heard, [12, 37, 62, 87]) == [12, 37, 62, 87]
    seen = replace(clip, segments=(Segment(1.4, 1.6, Modality.VIDEO),))
    assert own_moments(seen, [12, 37, 62, 87]) == [12, 37, 62, 87]
