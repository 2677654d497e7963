"""One page of a contact sheet: a row for each clip, with frames, masks, sound and what is forged when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import REAL_KIND
from cmdfd.report.palette import LIGHT
from cmdfd.report.text import plural
from generators.sheets.canvas import (
    GAP,
    LABEL_WIDTH,
    MARGIN,
    ROW_HEIGHT,
    STRIP_WIDTH,
    THUMB,
    ClipPictures,
    draw_labels,
    draw_strip,
    fitted,
    font,
    tinted,
)
from generators.sheets.choice import own_moments
from generators.sheets.origins import RELATIONS, is_plain_real
from generators.sheets.pictures import CLOSE, focus_of, read_pictures, thumb_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset
    from generators.sheets.choice import SheetTake
    from generators.sheets.origins import Origin
    from generators.sheets.pictures import Focus

TITLE_HEIGHT, HEAD_HEIGHT = 76, 30
#: Width of the sound's strip beside the wide pictures of scenes.
_NARROW_STRIP = 280
_LEGEND = (
    "A: sound forged    V: picture forged    S: lips do not follow the sound    I: face and voice are of two people    "
    "1 yes, 0 no, ? unknown",
    "Blue: changed pixels; a blue frame: nearly all of them.    "
    "Beside each clip its sound; below it what is forged when, sound (A) and picture (V); "
    "lines mark the frames shown.",
)
_CLOSE_LEGEND = "    Close-up: the forged region without any drawing; of the real clip, the same place."


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a sheet shows.

    Args:
        n_shown: Takes on it.
        n_takes: Takes that could be shown.
        n_clips: Clips on it.
        left_out: Clips of its takes for which there is no room.
        moments: Frames to show of each take, by split and key.
    """

    n_shown: int
    n_takes: int
    n_clips: int
    left_out: int
    moments: Mapping[tuple[str, str], Sequence[int]]


@dataclass(frozen=True, slots=True)
class _Places:
    """Columns of a page: width of a frame, left edges of close-up (None without) and strip, widths."""

    wide: int
    close_left: int | None
    strip_left: int
    strip_width: int
    width: int


def row_height(take: SheetTake) -> int:
    """Height of a row of a take, gap included."""
    return max(ROW_HEIGHT, *(thumb_size(clip)[1] + ROW_HEIGHT - THUMB for clip in take.clips))


def _places(page: Sequence[SheetTake], sample: Sample) -> _Places:
    columns = max(len(indices) for indices in sample.moments.values())
    clips = [clip for part in page for clip in part.clips]
    wide = max(thumb_size(clip)[0] for clip in clips)
    left = MARGIN + LABEL_WIDTH + columns * (wide + GAP) + 10
    scenes = any(clip.scene for clip in clips)
    strip_left, strip = (left + CLOSE + 16, _NARROW_STRIP) if scenes else (left, STRIP_WIDTH)
    return _Places(wide, left if scenes else None, strip_left, strip, strip_left + strip + 24 + MARGIN)


def draw_page(dataset: Dataset, page: Sequence[SheetTake], sample: Sample, number: str) -> tuple[Image, list[str]]:
    """Draw one page.

    Args:
        dataset: The set.
        page: Takes, or parts of them.
        sample: What the whole sheet shows.
        number: "page 1 of 2".

    Returns:
        The picture, and the ids of clips that could not be read.
    """
    from PIL import Image, ImageDraw

    places = _places(page, sample)
    rows = sum(len(part.clips) * row_height(part) for part in page)
    height = MARGIN + TITLE_HEIGHT + len(page) * (HEAD_HEIGHT + 8) + rows + MARGIN
    image = Image.new("RGB", (places.width, height), LIGHT.paper)
    draw = ImageDraw.Draw(image)
    _draw_title(draw, places, dataset, sample, number)
    y = MARGIN + TITLE_HEIGHT
    failed: list[str] = []
    for part in page:
        indices = sample.moments[part.split, part.key]
        _draw_head(draw, y, part, indices, places)
        y += HEAD_HEIGHT
        focuses = _focuses(dataset, part, indices) if places.close_left is not None else {}
        for clip, origin in zip(part.clips, part.origins, strict=True):
            good = _draw_row(image, draw, y, dataset, (clip, origin), indices, focuses.get(clip.id), places)
            failed += [] if good else [clip.id]
            y += row_height(part)
        y += 8
    return image, failed


def _focuses(dataset: Dataset, part: SheetTake, indices: Sequence[int]) -> dict[str, Focus]:
    """What close-ups show: where each fake's mask is largest; of the others, what the first fake's shows."""
    found = {clip.id: focus_of(dataset, clip, set(own_moments(clip, indices))) for clip in part.clips}
    first = next((focus for focus in found.values() if focus is not None), None)
    shown = {clip.id: found[clip.id] or (first if clip.kind == REAL_KIND else None) for clip in part.clips}
    return {name: focus for name, focus in shown.items() if focus is not None}


def _draw_row(
    image: Image,
    draw: ImageDraw,
    y: int,
    dataset: Dataset,
    what: tuple[Clip, Origin],
    indices: Sequence[int],
    focus: Focus | None,
    places: _Places,
) -> bool:
    """One clip; returns whether it could be read."""
    clip, origin = what
    shown = own_moments(clip, indices)
    pictures = read_pictures(dataset, clip, shown, focus, places.strip_width + 1)
    relation = RELATIONS.get(origin.relation, "driven by another take" if origin.donor else "")
    draw_labels(draw, MARGIN, y, clip, "" if is_plain_real(clip) else relation)
    _draw_frames(image, draw, y, pictures, places.wide)
    _draw_other_times(draw, y, clip.fps, (indices, shown), places.wide)
    if places.close_left is not None and pictures.closeup is not None and focus is not None:
        from PIL import Image

        image.paste(Image.fromarray(np.ascontiguousarray(pictures.closeup)), (places.close_left, y))
        _draw_time(draw, (places.close_left + 4, y + 4), focus.index / clip.fps)
    times = [index / clip.fps for index in shown]
    draw_strip(draw, places.strip_left, y, clip, pictures, times, places.strip_width)
    return not pictures.problem


def _draw_title(draw: ImageDraw, places: _Places, dataset: Dataset, sample: Sample, number: str) -> None:
    width = places.width
    shown = f"{sample.n_shown} of {plural(sample.n_takes, 'take')}, {plural(sample.n_clips, 'clip')}"
    if sample.left_out:
        shown += f" ({sample.left_out} more of them have no room)"
    if dataset.build.withheld:
        shown += f"; withheld: {', '.join(dataset.build.withheld)}"
    title = fitted(f"{dataset.name}: {shown}", width - 200, font(19, bold=True))
    draw.text((MARGIN, MARGIN), title, font=font(19, bold=True), fill=LIGHT.ink)
    draw.text((width - MARGIN, MARGIN + 4), number, font=font(13), fill=LIGHT.muted, anchor="ra")
    legend = (_LEGEND[0] + (_CLOSE_LEGEND if places.close_left is not None else ""), _LEGEND[1])
    for line, text in enumerate(legend):
        draw.text((MARGIN, MARGIN + 30 + 18 * line), text, font=font(12), fill=LIGHT.muted)


def _draw_head(draw: ImageDraw, y: int, part: SheetTake, indices: Sequence[int], places: _Places) -> None:
    """The line above a take: who, in which scene, and the times of the columns."""
    draw.rectangle([MARGIN, y, places.width - MARGIN, y + HEAD_HEIGHT - 6], fill=LIGHT.surface)
    more = "" if part.clips[0].kind == REAL_KIND else ", no real clip" if not _has_real(part) else ", continued"
    number = part.key.rsplit("-", 1)[-1] if "-" in part.key else part.key
    scene = f"{part.clips[0].scene}, " if part.clips[0].scene else ""
    who = f"{part.clips[0].face_id or part.key}, {number}"
    name = fitted(f"{scene}{part.split}: {who}{more}", LABEL_WIDTH - 16, font(13, bold=True))
    draw.text((MARGIN + 8, y + 12), name, font=font(13, bold=True), fill=LIGHT.ink, anchor="lm")
    fps, seconds = part.clips[0].fps, part.clips[0].duration
    for column, index in enumerate(indices):
        x = MARGIN + LABEL_WIDTH + column * (places.wide + GAP) + places.wide / 2
        draw.text((x, y + 12), f"{index / fps:.2f} s", font=font(12), fill=LIGHT.muted, anchor="mm")
    if places.close_left is not None:
        draw.text((places.close_left, y + 12), "close-up", font=font(12), fill=LIGHT.muted, anchor="lm")
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 60, 600) if seconds / step <= 8 or step == 600)
    for tick in np.arange(0, seconds + 1e-6, step):
        anchor = "lm" if tick == 0 else "rm" if tick > seconds - 0.04 * seconds else "mm"
        x = places.strip_left + tick * places.strip_width / seconds
        draw.text((x, y + 12), f"{tick:g} s", font=font(12), fill=LIGHT.muted, anchor=anchor)


def _has_real(part: SheetTake) -> bool:
    return any(clip.kind == REAL_KIND for clip in part.clips)


def _draw_frames(image: Image, draw: ImageDraw, y: int, pictures: ClipPictures, wide: int) -> None:
    from PIL import Image

    left = MARGIN + LABEL_WIDTH
    if pictures.problem:
        text = fitted(f"cannot be read: {pictures.problem}", 4 * wide, font(12))
        draw.text((left, y + THUMB / 2), text, font=font(12), fill=LIGHT.bad, anchor="lm")
    for column, frame in enumerate(pictures.frames):
        shown = tinted(frame, pictures.masks[column]) if len(pictures.masks) > column else frame
        image.paste(Image.fromarray(np.ascontiguousarray(shown)), (left + column * (wide + GAP), y))


def _draw_other_times(
    draw: ImageDraw, y: int, fps: float, times: tuple[Sequence[int], Sequence[int]], wide: int
) -> None:
    """Write the time on a picture that is not of its column's time."""
    for column, (index, shown) in enumerate(zip(*times, strict=True)):
        if index != shown:
            _draw_time(draw, (MARGIN + LABEL_WIDTH + column * (wide + GAP) + 4, y + 4), shown / fps)


def _draw_time(draw: ImageDraw, place: tuple[int, int], seconds: float) -> None:
    text = f"{seconds:.2f} s"
    left, top, right, bottom = draw.textbbox(place, text, font=font(12))
    draw.rectangle([left - 3, top - 3, right + 3, bottom + 3], fill=LIGHT.paper)
    draw.text(place, text, font=font(12), fill=LIGHT.ink)
