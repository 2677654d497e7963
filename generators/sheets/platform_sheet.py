"""The platform sheet: one moment of a clip as it is and as every platform leaves it, in proportion, with its mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.cache import write_atomic
from cmdfd.clip import Modality
from cmdfd.errors import CmdfdError, MediaError
from cmdfd.media.masks import forged
from cmdfd.report.palette import LIGHT
from cmdfd.report.text import plural
from generators.sheets.canvas import GAP, MARGIN, fitted, font, png, tinted
from generators.sheets.origins import is_version, open_splits
from generators.sheets.pictures import Box, box_around, crop, scaled
from generators.sheets.versions import ORIGINAL, bit_rate, platform_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset
    from generators.sheets.choice import SheetTake

#: Blocks (clips) of a page, and of all pages.
BLOCKS_PER_PAGE, MAX_BLOCKS = 2, 6
#: Longer side, in pixels, of the largest picture of a block; the others are in proportion to it.
LONG_SIDE = 330
#: Side of the two squares beside every picture: what is forged, and its mask.
SQUARE = (LONG_SIDE - GAP) // 2
#: Versions that stand side by side.
COLUMNS = 4
#: Of the frames whose mask has this share of the largest area, the one nearest to the clip's middle is shown.
_ALMOST = 0.95
_TEXT, _HEAD, _TITLE = 58, 30, 76
_LEGEND = (
    "One moment of each clip, as it is and as every platform leaves it. Pictures are in proportion to their pixels; "
    "the grey frame is the size of the largest one.",
    "Blue: changed pixels. The squares show the forged region with all pixels there are, and its mask (white: "
    "foreign). kbit/s of the whole file; times are those of the frames shown.",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """A frame of a version.

    Args:
        frame: [H, W, 3].
        mask: [H, W], or None without one.
        index: Its number.
        time: Seconds.
    """

    frame: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    index: int
    time: float


def write_platform_pages(dataset: Dataset, folder: Path, takes: Sequence[SheetTake]) -> tuple[Path, ...]:
    """Write `platform_sheet-1.png` ... for a few fakes; older pages are removed, and a set without platforms gets none.

    Args:
        dataset: A finished set.
        folder: Where the pages go.
        takes: Takes that the contact sheet shows; their fakes are preferred.
    """
    versions = _versions(dataset)
    blocks = choose_blocks(takes, versions)
    files = []
    pages = [blocks[start : start + BLOCKS_PER_PAGE] for start in range(0, len(blocks), BLOCKS_PER_PAGE)]
    for number, page in enumerate(pages, start=1):
        image = _page(dataset, [(clip, versions[clip.id]) for clip in page], f"page {number} of {len(pages)}")
        files.append(folder / f"platform_sheet-{number}.png")
        write_atomic(files[-1], png(image))
    for old in folder.glob("platform_sheet-*.png"):
        if old not in files:
            old.unlink()
    return tuple(files)


def _versions(dataset: Dataset) -> dict[str, list[Clip]]:
    """Versions of each original, in the order of platforms; of open splits only."""
    clips = [clip for split in open_splits(dataset) for clip in dataset.clips(split) if is_version(clip)]
    order = platform_order(dataset, clips)
    found: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda one: (order.index(one.platform), one.id)):
        found.setdefault(clip.original, []).append(clip)
    return found


def choose_blocks(takes: Sequence[SheetTake], versions: Mapping[str, Sequence[Clip]]) -> list[Clip]:
    """Fakes to show: every scene and every platform is seen, and as many kinds as there is room for.

    Clips whose mask shows where they are forged are preferred. After scenes and platforms are covered nothing is added.

    Args:
        takes: Candidates in order.
        versions: Versions of each original, by its id.
    """
    rest = [clip for take in takes for clip in take.clips if clip.labels.label != 0 and clip.id in versions]
    rest = [clip for clip in rest if clip.mask] or rest
    kinds: set[str] = set()
    missing = {("scene", clip.scene) for clip in rest} | {("on", v.platform) for c in rest for v in versions[c.id]}
    chosen: list[Clip] = []

    def shows(clip: Clip) -> set[tuple[str, str]]:
        return {("scene", clip.scene)} | {("on", one.platform) for one in versions[clip.id]}

    while missing and rest and len(chosen) < MAX_BLOCKS:
        best = max(rest, key=lambda clip: (len(shows(clip) & missing), clip.kind not in kinds))
        if not shows(best) & missing:
            break
        rest.remove(best)
        missing -= shows(best)
        kinds.add(best.kind)
        chosen.append(best)
    return chosen


def _page(dataset: Dataset, blocks: Sequence[tuple[Clip, Sequence[Clip]]], number: str) -> Image:
    from PIL import Image, ImageDraw

    cells = [_cell_size([clip, *versions]) for clip, versions in blocks]
    lines = [-(-(len(versions) + 1) // COLUMNS) for _, versions in blocks]
    width = 2 * MARGIN + COLUMNS * max(wide for wide, _ in cells)
    height = 2 * MARGIN + _TITLE + sum(_HEAD + n * high + 8 for n, (_, high) in zip(lines, cells, strict=True))
    image = Image.new("RGB", (width, height), LIGHT.paper)
    draw = ImageDraw.Draw(image)
    title = f"{dataset.name}: {plural(len({one.platform for _, all_ in blocks for one in all_}), 'platform')}"
    draw.text((MARGIN, MARGIN), fitted(title, width - 200, font(19, bold=True)), font=font(19, bold=True),
              fill=LIGHT.ink)  # fmt: skip
    draw.text((width - MARGIN, MARGIN + 4), number, font=font(13), fill=LIGHT.muted, anchor="ra")
    for line, text in enumerate(_LEGEND):
        draw.text((MARGIN, MARGIN + 30 + 18 * line), text, font=font(12), fill=LIGHT.muted)
    y = MARGIN + _TITLE
    for (clip, versions), (wide, high), n in zip(blocks, cells, lines, strict=True):
        _block(image, draw, y, dataset, (clip, versions), (wide, high))
        y += _HEAD + n * high + 8
    return image


def _scale(clips: Sequence[Clip]) -> float:
    """Pixels of the sheet for one of a clip: the largest picture is `LONG_SIDE` long, none is enlarged."""
    return min(LONG_SIDE / max(max(clip.width, clip.height) for clip in clips), 1.0)


def _largest(clips: Sequence[Clip]) -> tuple[int, int]:
    """Width and height on the sheet that hold every picture of a block."""
    scale = _scale(clips)
    return round(max(c.width for c in clips) * scale), round(max(c.height for c in clips) * scale)


def _cell_size(clips: Sequence[Clip]) -> tuple[int, int]:
    """Of one version: squares stand below a wide picture and beside an upright one."""
    wide, high = _largest(clips)
    if wide >= high:
        return max(wide, 2 * SQUARE + GAP) + 14, _TEXT + high + GAP + SQUARE + 12
    return wide + GAP + SQUARE + 14, _TEXT + max(high, 2 * SQUARE + GAP) + 12


def _block(
    image: Image,
    draw: ImageDraw,
    y: int,
    dataset: Dataset,
    what: tuple[Clip, Sequence[Clip]],
    cell: tuple[int, int],
) -> None:
    clip, versions = what
    every = [clip, *versions]
    draw.rectangle([MARGIN, y, image.width - MARGIN, y + _HEAD - 6], fill=LIGHT.surface)
    scene = f"{clip.scene}, " if clip.scene else ""
    variant = f", {clip.variant}" if clip.variant else ""
    text = fitted(f"{scene}{clip.kind}{variant}; {clip.split}, id {clip.id}", image.width - 60, font(13, bold=True))
    draw.text((MARGIN + 8, y + 12), text, font=font(13, bold=True), fill=LIGHT.fake, anchor="lm")
    first = _try_moment(dataset, clip, None)
    box = box_around(first.mask) if isinstance(first, _Moment) and first.mask is not None else None
    for place, one in enumerate(every):
        left = MARGIN + place % COLUMNS * cell[0]
        top = y + _HEAD + place // COLUMNS * cell[1]
        shown = first if place == 0 else _try_moment(dataset, one, first.time if isinstance(first, _Moment) else 0.0)
        _words(draw, left, top, dataset, one, shown, cell[0] - 14)
        if isinstance(shown, _Moment):
            _draw_moment(image, draw, (left, top + _TEXT), shown, box, every)


def _words(
    draw: ImageDraw, left: int, top: int, dataset: Dataset, clip: Clip, shown: _Moment | str, width: int
) -> None:
    """Platform; size, rate and bit rate; which frame, or why there is none."""
    name = fitted(clip.platform or ORIGINAL, width, font(15, bold=True))
    rate = bit_rate(dataset, clip)
    bits = "" if rate is None else f"   {rate / 1000:.0f} kbit/s"
    draw.text((left, top), name, font=font(15, bold=True), fill=LIGHT.ink)
    draw.text((left, top + 20), f"{clip.width}x{clip.height} @ {clip.fps:.4g}{bits}", font=font(13), fill=LIGHT.ink)
    if isinstance(shown, _Moment):
        text, colour = f"frame {shown.index}, {shown.time:.3f} s", LIGHT.muted
    else:
        text, colour = f"cannot be read: {shown}", LIGHT.bad
    draw.text((left, top + 38), fitted(text, width, font(12)), font=font(12), fill=colour)


def _draw_moment(
    image: Image,
    draw: ImageDraw,
    place: tuple[int, int],
    shown: _Moment,
    box: Box | None,
    every: Sequence[Clip],
) -> None:
    from PIL import Image

    def paste(picture: NDArray[np.uint8], x: int, y: int) -> None:
        image.paste(Image.fromarray(np.ascontiguousarray(picture)), (x, y))

    left, top = place
    scale, (wide, high) = _scale(every), _largest(every)
    height, width = shown.frame.shape[:2]
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    picture = scaled(shown.frame, size)
    draw.rectangle([left, top, left + wide - 1, top + high - 1], outline=LIGHT.line)
    paste(picture if shown.mask is None else tinted(picture, scaled(shown.mask, size)), left, top)
    if box is None:
        return
    upright = wide < high
    x, y = (left + wide + GAP, top) if upright else (left, top + high + GAP)
    paste(crop(shown.frame, box, SQUARE), x, y)
    if shown.mask is not None:
        x, y = (x, y + SQUARE + GAP) if upright else (x + SQUARE + GAP, y)
        paste(np.repeat(crop(shown.mask, box, SQUARE)[..., None], 3, axis=2), x, y)
        draw.rectangle([x, y, x + SQUARE - 1, y + SQUARE - 1], outline=LIGHT.line)


def _try_moment(dataset: Dataset, clip: Clip, time: float | None) -> _Moment | str:
    """A frame of a clip, or why there is none."""
    try:
        return _moment(dataset, clip, time)
    except (MediaError, CmdfdError) as error:
        return str(getattr(error, "code", "") or error)


def _moment(dataset: Dataset, clip: Clip, time: float | None) -> _Moment:
    """The frame nearest to a time; without one, one where the mask is largest, or in the middle of what is forged."""
    from cmdfd.media.decode import iter_frames

    path = dataset.mask_of(clip)
    if time is None:
        seen = [one for one in clip.segments if one.modality != Modality.AUDIO]
        time = (seen[0].start + seen[0].end) / 2 if seen else clip.duration / 2
        if path is not None:
            areas = {one.time: int(forged(one.image).sum()) for one in iter_frames(path, pixel_format="gray")}
            enough = _ALMOST * max(areas.values())
            time = min(
                (when for when in areas if areas[when] >= enough), key=lambda when: abs(when - clip.duration / 2)
            )
    index, frame, best = 0, None, 0.0
    for number, one in enumerate(iter_frames(dataset.path_of(clip))):
        if frame is None or abs(one.time - time) < abs(best - time):
            index, frame, best = number, one.image, one.time
        elif one.time > time:
            break
    if frame is None:
        raise CmdfdError("no frame")
    mask = None
    if path is not None:
        for number, one in enumerate(iter_frames(path, pixel_format="gray")):
            if number == index:
                mask = one.image
                break
    return _Moment(frame, mask, index, best)
