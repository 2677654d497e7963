"""One picture of a checked edit to look at: original, edited, difference, mask, and the time line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.clip import Modality
from cmdfd.media.encode import atomic_path
from cmdfd.media.masks import forged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.ImageDraw import ImageDraw

    from generators.generator import Take

_WIDTH, _GAP, _TITLE, _COLUMNS = 300, 8, 24, ("original", "edited", "difference (x 6)", "mask")
_LANES, _FRAMES = 46, 5
_GAIN = 6.0
_INK, _PAPER, _TINT, _SOUND = (30, 30, 34), (250, 250, 248), (0, 140, 220), (214, 96, 30)


def write_picture(path: Path, takes: Sequence[tuple[str, Take]], frames: int = _FRAMES) -> None:
    """Write a PNG with rows of frames for each edit.

    Args:
        path: File to write.
        takes: Title and checked take (`edited` filled in) of each.
        frames: Frames of each edit, spread over it.
    """
    from PIL import Image

    pages = [_page(title, take, frames) for title, take in takes]
    if not pages:
        return
    height, width = sum(len(page) for page in pages), max(page.shape[1] for page in pages)
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    top = 0
    for page in pages:
        sheet[top : top + len(page), : page.shape[1]] = page
        top += len(page)
    with atomic_path(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")


def _page(title: str, take: Take, frames: int) -> NDArray[np.uint8]:
    from PIL import Image, ImageDraw

    from generators.sheets.canvas import fitted, font

    assert take.edited is not None  # noqa: S101 - an import has one
    high = round(_WIDTH * take.frames.shape[1] / take.frames.shape[2])
    rows = _chosen(take, frames)
    width = 4 * (_WIDTH + _GAP) + _GAP
    page = Image.new("RGB", (width, 2 * _TITLE + _LANES + len(rows) * (high + _GAP) + 2 * _GAP), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_GAP, 5), fitted(title, width - 2 * _GAP, font(14, bold=True)), font=font(14, bold=True), fill=_INK)
    _time_line(draw, take, rows, width)
    for column, name in enumerate(_COLUMNS):
        draw.text((_GAP + column * (_WIDTH + _GAP), _TITLE + _LANES + 2), name, font=font(12), fill=_INK)
    for number, row in enumerate(rows):
        top = 2 * _TITLE + _LANES + number * (high + _GAP)
        for column, image in enumerate(_pictures(take, row)):
            small = cv2.resize(image, (_WIDTH, high), interpolation=cv2.INTER_AREA)
            page.paste(Image.fromarray(small), (_GAP + column * (_WIDTH + _GAP), top))
        draw.text((_GAP + 4, top + 3), f"{row / take.fps:.2f} s", font=font(12, bold=True), fill=_PAPER, stroke_width=2,
                  stroke_fill=_INK)  # fmt: skip
    return np.asarray(page, np.uint8)


def _chosen(take: Take, frames: int) -> list[int]:
    """Frames to show: one before the edit where there is one, the others spread over it."""
    assert take.edited is not None  # noqa: S101
    masks = take.edited.masks
    times = (np.arange(len(take.frames)) + 0.5) / take.fps
    inside = np.zeros(len(times), bool)
    for one in take.edited.segments:
        inside |= (times > one.start) & (times < one.end)
    if masks is not None:
        on = forged(masks).any(axis=(1, 2))
        inside = inside & on if (inside & on).any() else inside
    edited = np.flatnonzero(inside)
    spread = edited[np.unique(np.linspace(0, len(edited) - 1, max(frames - 1, 1)).astype(int))] if len(edited) else []
    free = np.flatnonzero(~inside)
    return sorted({*(int(k) for k in spread), *(int(k) for k in free[len(free) // 2 : len(free) // 2 + 1])})


def _pictures(take: Take, row: int) -> list[NDArray[np.uint8]]:
    assert take.edited is not None  # noqa: S101
    ours, theirs = take.frames[row], take.edited.frames[row]
    away = np.abs(theirs.astype(np.float32) - ours) * _GAIN
    mask = np.zeros(ours.shape[:2], np.uint8) if take.edited.masks is None else take.edited.masks[row]
    outline = theirs.copy()
    lines, _ = cv2.findContours(forged(mask).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(outline, lines, -1, _TINT, max(1, round(ours.shape[1] / 320)))
    shown = np.repeat(mask[..., None], 3, axis=2)
    return [ours, outline, away.clip(0, 255).astype(np.uint8), shown]


def _time_line(draw: ImageDraw, take: Take, rows: list[int], width: int) -> None:
    """Two lanes, picture and sound, with the edited stretches and the frames that are shown."""
    from generators.sheets.canvas import font

    assert take.edited is not None  # noqa: S101
    left, right = _GAP + 56, width - _GAP - 50
    scale = (right - left) / take.duration
    for lane, (name, ink) in enumerate((("picture", _TINT), ("sound", _SOUND))):
        top = _TITLE + 4 + lane * 19
        draw.text((_GAP, top), name, font=font(12), fill=_INK)
        draw.rectangle([left, top, right, top + 14], outline=(190, 190, 190))
        skipped = Modality.AUDIO if lane == 0 else Modality.VIDEO
        for one in take.edited.segments:
            if one.modality is not skipped:
                draw.rectangle([left + one.start * scale, top, left + one.end * scale, top + 14], fill=ink)
    for row in rows:
        x = left + (row + 0.5) / take.fps * scale
        draw.line([x, _TITLE + 2, x, _TITLE + 40], fill=_INK)
    draw.text((right + 6, _TITLE + 4), f"{take.duration:.2f} s", font=font(12), fill=_INK)
