"""Sheets of sets with scenes and platforms: everything is seen, in its place, and no version counts as a clip."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ImageDraw import ImageDraw
from toy_set import BOX, CMDFD_KINDS, LIPSYNC_CROSS, PARTIAL, PLATFORMS, SCENES, Kind, write_toy_set

from cmdfd.clip import Labels, Modality, Segment
from cmdfd.dataset import Dataset
from cmdfd.media.decode import read_video
from generators.sheets import DataSheet, canvas, contact_page, write_contact_sheet, write_data_sheet
from generators.sheets.__main__ import main
from generators.sheets.canvas import THUMB, TINT, tinted
from generators.sheets.choice import choose, covering, features, takes_of
from generators.sheets.datasheet import BLANK
from generators.sheets.pictures import CLOSE, Box, box_around, crop, thumb_size
from generators.sheets.platform_sheet import LONG_SIDE, SQUARE, choose_blocks

KINDS = [
    replace(LIPSYNC_CROSS, name=f"splice/{name}", drive="") for name in ("face", "mouth", "object", "remove")
] + [PARTIAL]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("scenes") / "set"
    return write_toy_set(
        folder, KINDS, splits=("train", "test"), people=6, scenes=tuple(SCENES), platforms=PLATFORMS, per_take=1
    )  # fmt: skip


def words_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects every text that is drawn."""
    found: list[str] = []
    plain = ImageDraw.text

    def text(self: ImageDraw, xy: tuple[float, float], text: str, *rest: object, **named: object) -> None:
        found.append(text)
        plain(self, xy, text, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw, "text", text)
    return found


def test_versions_count_as_nobody(data: Dataset, tmp_path: Path) -> None:
    sheet = write_data_sheet(data, tmp_path / "d.md")
    originals = [clip for clip in data.clips() if not clip.platform]
    assert len(data.clips()) == 3 * len(originals)
    assert sum(row.clips for row in sheet.counts) == len(originals) == sum(row.clips for row in sheet.labels)
    assert sum(row.clips for row in sheet.rights) == len(originals)
    assert sum(row.fakes + row.shams for row in sheet.generators) == sum(c.generator != "sham" for c in originals)
    assert sum(row.seconds for row in sheet.counts) == pytest.approx(sum(clip.duration for clip in originals))
    assert (sheet.people, sheet.schema_version) == (12, 2)
    assert {row.kind: row.segments for row in sheet.segments if row.modality == "video"} == Counter(
        clip.kind for clip in originals if clip.kind.startswith("splice/")
    )
    alone = write_toy_set(
        tmp_path / "alone", KINDS, splits=("train", "test"), people=6, scenes=tuple(SCENES), per_take=1
    )
    same = write_data_sheet(alone, tmp_path / "a.md")
    assert [row.model_dump() for row in same.counts] == [row.model_dump() for row in sheet.counts]
    assert (same.components, same.segments, same.labels) == (sheet.components, sheet.segments, sheet.labels)


def test_cells_are_those_of_the_tables(data: Dataset, tmp_path: Path) -> None:
    sheet = write_data_sheet(data, tmp_path / "d.md")
    truth = Counter((clip.split, clip.scene, clip.platform, clip.kind) for clip in data.clips())
    assert {(row.split, row.scene, row.platform, row.kind): row.clips for row in sheet.cells} == truth
    assert sum(row.masks for row in sheet.cells) == sum(clip.mask is not None for clip in data.clips())
    with (tmp_path / "d-versions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["split"], row["scene"], row["platform"], row["kind"], int(row["clips"])) for row in rows] == [
        (row.split, row.scene, row.platform, row.kind, row.clips) for row in sheet.cells
    ]
    assert DataSheet.model_validate_json((tmp_path / "d.json").read_text()) == sheet
    original, chat, both = sheet.platforms
    assert (original.platform, chat.platform, both.platform) == ("", "chat", "chat+tube")
    assert chat.confidence == {"chat": "medium"} and both.confidence == {"chat": "low", "tube": "low"}
    assert original.sizes == {"128x72": 9, "160x90": 9, "90x160": 8} and chat.fps == {"30": 26}
    clips = [clip for clip in data.clips() if clip.platform == "chat"]
    rates = [8 * data.path_of(clip).stat().st_size / clip.duration / 1000 for clip in clips]
    assert chat.kbit_per_second == pytest.approx(float(np.median(rates)), abs=0.051)


def test_the_tables_of_scenes_and_platforms_add_up(data: Dataset, tmp_path: Path) -> None:
    write_data_sheet(data, tmp_path / "d.md")
    text = (tmp_path / "d.md").read_text()
    assert "26 clips of 12 people" in text
    assert "There are also 52 versions of these clips, as 2 platforms leave them." in text
    tables = {
        title: [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        for title in ("Scenes", "Platforms")
        for block in text.split(f"## {title}\n\n")[1].split("\n## ")[0].split("\n\n")
        if "all" in block.splitlines()[0]
    }
    for title, names in (
        ("Scenes", ["interview", "grid", "portrait"]),
        ("Platforms", ["original", "chat", "chat+tube"]),
    ):
        header, _, *rows, total = tables[title]
        assert header[1:] == ["real", *(kind.name for kind in KINDS), "all"]
        assert sorted(row[0] for row in rows) == sorted(names) and total[0] == "all"
        numbers = np.array([[int(cell) for cell in row[1:]] for row in [*rows, total]])
        assert (numbers[:, -1] == numbers[:, :-1].sum(axis=1)).all() and (numbers[-1] == numbers[:-1].sum(axis=0)).all()
        assert numbers[-1, -1] == (26 if title == "Scenes" else 78)
    assert "| chat | 26 | 14 | 12 | 12 |" in text and "| chat low, tube low |" in text


def test_the_gate_of_each_platform_is_told(data: Dataset, tmp_path: Path) -> None:
    told = json.loads((data.folder / "build.json").read_text())
    audit = {"status": "failed", "originals": "passed", "sentences": [], "platforms": {"chat": {"status": "failed"}}}
    changed = replace(data, build=data.build.model_validate({**told, "audit": audit}))
    sheet = write_data_sheet(changed, tmp_path / "d.md")
    # the whole failed since one platform did; the originals have a word of their own
    assert [row.audit for row in sheet.platforms] == ["passed", "failed", None]
    audit = {"status": "passed", "sentences": [], "platforms": {"chat": {"status": "passed"}}}
    changed = replace(data, build=data.build.model_validate({**told, "audit": audit}))
    assert [row.audit for row in write_data_sheet(changed, tmp_path / "d.md").platforms] == ["passed", "passed", None]
    assert BLANK in (tmp_path / "d.md").read_text()


def test_without_scenes_and_platforms_nothing_is_added(tmp_path: Path) -> None:
    plain = write_toy_set(tmp_path / "set", CMDFD_KINDS)
    (tmp_path / "d-versions.csv").write_text("old")
    (tmp_path / "platform_sheet-1.png").write_bytes(b"old")
    sheet = write_data_sheet(plain, tmp_path / "d.md")
    assert (sheet.schema_version, sheet.cells, sheet.platforms) == (1, (), ())
    told = json.loads((tmp_path / "d.json").read_text())
    assert "cells" not in told and "platforms" not in told and told["schema_version"] == 1
    assert "Scenes" not in (tmp_path / "d.md").read_text() and not (tmp_path / "d-versions.csv").exists()
    assert write_contact_sheet(plain, tmp_path).platform_pages == ()
    assert not list(tmp_path.glob("platform_sheet-*.png"))


def test_every_scene_kind_and_platform_is_seen(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(monkeypatch)
    made = write_contact_sheet(data, tmp_path, people=2, frames=3)
    told = " ".join(words)
    for name in (*SCENES, *(kind.name for kind in KINDS), *(one.name for one in PLATFORMS), "original"):
        assert name in told
    assert made.unreadable == () and made.left_out == 0 and 1 <= len(made.platform_pages) <= 3
    assert {"80x44 @ 30", "44x80 @ 30", "160x90 @ 25"} <= {word.split("   ")[0] for word in words}
    assert {"frame 12, 0.400 s", "frame 10, 0.400 s"} <= set(words)  # the same moment at both rates
    for path in (*made.pages, *made.platform_pages):
        with Image.open(path) as picture:
            assert picture.width < 2000 and picture.height < 3200 and not picture.info
    first = [path.read_bytes() for path in (*made.pages, *made.platform_pages)]
    again = write_contact_sheet(data, tmp_path, people=2, frames=3)
    assert [path.read_bytes() for path in (*again.pages, *again.platform_pages)] == first
    assert main([str(data.folder), "--people", "1"]) == 0
    assert (data.folder / "sheets" / "platform_sheet-1.png").is_file()


def test_takes_are_chosen_so_that_nothing_is_missed(data: Dataset) -> None:
    takes = takes_of(data)
    assert not [clip for take in takes for clip in take.clips if clip.platform] and len(takes) == 12
    everything = set().union(*(features(take) for take in takes))
    for people in (1, 3, 6, 12):
        chosen = covering(takes, people)
        assert set().union(*(features(take) for take in chosen)) == everything
        assert len(chosen) >= people and len({(take.split, take.key) for take in chosen}) == len(chosen)
    alike = [take for take in takes if take.clips[-1].kind == "splice/face"]
    assert covering(alike[:1], 1) == choose(alike[:1], 1) and covering([], 3) == []
    versions = {clip.id: [v for v in data.clips() if v.original == clip.id] for t in takes for clip in t.clips}
    blocks = choose_blocks(takes, versions)
    assert {clip.scene for clip in blocks} == set(SCENES) and len({clip.kind for clip in blocks}) == 3
    assert all(clip.mask for clip in blocks)
    assert choose_blocks(takes, {}) == []


def test_pictures_of_scenes_stand_where_they_belong(data: Dataset, tmp_path: Path) -> None:
    made = write_contact_sheet(data, tmp_path, people=1, frames=2)
    take = next(take for take in takes_of(data) if take.clips[0].scene == "interview")
    wide, high = thumb_size(take.clips[0])
    assert (wide, high) == (256, 144)
    upright = next(clip for clip in data.clips() if clip.scene == "portrait" and not clip.platform)
    assert thumb_size(upright) == (144, 256)
    with Image.open(made.pages[0]) as opened:
        page = np.asarray(opened.convert("RGB")).astype(int)
    first = covering(takes_of(data), 1)
    shown = next(take for take in takes_of(data) if take in first)
    clip = shown.clips[0]
    truth = read_video(data.path_of(clip)).frames[0, 2:10, 2:10].mean(axis=(0, 1))
    top, left = canvas.MARGIN + contact_page.TITLE_HEIGHT + contact_page.HEAD_HEIGHT, canvas.MARGIN + canvas.LABEL_WIDTH
    assert np.abs(page[top + 6 : top + 20, left + 6 : left + 20].mean(axis=(0, 1)) - truth).max() < 3


def test_a_platform_page_shows_sizes_in_proportion(tmp_path: Path) -> None:
    kind = replace(LIPSYNC_CROSS, drive="")
    data = write_toy_set(tmp_path / "set", (kind,), scenes=("interview",), platforms=PLATFORMS[:1])
    made = write_contact_sheet(data, tmp_path, people=1)
    with Image.open(made.platform_pages[0]) as opened:
        page = np.asarray(opened.convert("RGB")).astype(int)
    fake = next(clip for clip in data.clips() if clip.kind == kind.name and not clip.platform)
    frame = read_video(data.path_of(fake)).frames[10].astype(int)
    colour = frame[:20, :10].mean(axis=(0, 1))
    rows = np.abs(page - colour).max(axis=2) < 4
    ys = np.nonzero(rows)[0]
    left = canvas.MARGIN
    top = int(ys.min())
    # 160x90 is smaller than the sheet's pictures, so one pixel is one pixel; the version has half of them
    assert rows[top : top + 90, left : left + 10].all() and not rows[top + 91, left : left + 10].any()
    second = left + max(160, 2 * SQUARE + canvas.GAP) + 14
    height = int(rows[top : top + 90, second].sum())
    assert 43 <= height <= 44 and LONG_SIDE > 160
    outline = (page[top : top + 90, left : left + 160] == TINT).all(axis=2)
    edge = np.zeros((90, 160), bool)
    edge[BOX] = True
    edge[41:55, 17:47] = False
    assert (outline == edge).all()


def test_broken_and_withheld_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_toy_set(tmp_path / "set", (LIPSYNC_CROSS,), splits=("train", "test"), withheld=("test",),
                         scenes=("portrait",), platforms=PLATFORMS)  # fmt: skip
    for clip in data.clips("train"):
        if clip.platform == "chat":
            data.path_of(clip).write_bytes(b"no film")
    words = words_of(monkeypatch)
    made = write_contact_sheet(data, tmp_path / "sheets")
    assert made.platform_pages and "cannot be read: not_media" in words
    told = " ".join(words)
    assert not [clip.id for clip in data.clips("test") if clip.id in told]
    sheet = write_data_sheet(data, tmp_path / "d.md")
    assert [(row.split, row.clips) for row in sheet.withheld] == [("test", 4)]
    assert {row.split for row in sheet.cells} == {"train"}


def test_a_soft_mask_is_a_soft_tint() -> None:
    frame = np.full((40, 40, 3), 100, np.uint8)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 128
    mask[15:25, 15:25] = 255
    mask[0, 0] = 10
    shown = tinted(frame, mask).astype(int)
    assert (shown[12, 12] != shown[20, 20]).any()
    outline = (shown == TINT).all(axis=2)
    inside = np.zeros((40, 40), bool)
    inside[10:30, 10:30] = True
    inside[11:29, 11:29] = False
    assert (outline == inside).all()  # around what counts as forged, not around the core; 10 of 255 does not count


@given(st.integers(8, 300), st.integers(8, 300), st.data())
def test_close_ups_hold_all_that_is_forged(width: int, height: int, data: st.DataObject) -> None:
    left = data.draw(st.integers(0, width - 1))
    top = data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 255
    box = box_around(mask)
    assert box is not None
    x0, y0, x1, y1 = box.left * width, box.top * height, box.right * width, box.bottom * height
    assert -1e-6 <= x0 < x1 <= width + 1e-6 and -1e-6 <= y0 < y1 <= height + 1e-6
    assert x1 - x0 == pytest.approx(y1 - y0)
    side = min(width, height)
    if right - left <= side and bottom - top <= side:
        assert x0 <= left + 1e-6 and right <= x1 + 1e-6 and y0 <= top + 1e-6 and bottom <= y1 + 1e-6
    cut = crop(np.repeat(mask[..., None], 3, axis=2), box, CLOSE)
    assert cut.shape == (CLOSE, CLOSE, 3) and cut.any()
    assert box_around(np.full((4, 4), 10, np.uint8)) is None


def test_a_close_up_is_the_place_itself() -> None:
    ys, xs = np.mgrid[:90, :160]
    image = np.stack([xs, ys, xs * 0], axis=-1).astype(np.uint8)
    cut = crop(image, Box(0.25, 1 / 3, 0.5, 1 / 3 + 40 / 90), 40)
    assert (cut == image[30:70, 40:80]).all()
    assert thumb_size(replace_shape(1920, 1080)) == (256, THUMB)


def replace_shape(width: int, height: int) -> object:
    from types import SimpleNamespace

    return SimpleNamespace(scene="interview", width=width, height=height)


def test_fakes_without_masks_are_shown_too(tmp_path: Path) -> None:
    sound = Kind("audio/swap", Labels(1, 1, 0, 1, 0), segments=(Segment(0, 0.8, Modality.AUDIO),))
    data = write_toy_set(tmp_path / "set", (sound,), platforms=PLATFORMS)
    made = write_contact_sheet(data, tmp_path)
    assert len(made.platform_pages) == 1 and made.unreadable == ()
    sheet = write_data_sheet(data, tmp_path / "d.md")
    assert "## Platforms" in (tmp_path / "d.md").read_text() and "## Scenes" not in (tmp_path / "d.md").read_text()
    assert sum(row.masks for row in sheet.cells) == 0
