"""The contact sheet: each real clip above everything that was made from it, on a few pages of PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.cache import write_atomic
from cmdfd.clip import REAL_KIND
from cmdfd.errors import CmdfdError, MediaError
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
from generators.sheets.choice import SheetTake, choose, moments, own_moments, takes_of
from generators.sheets.origins import RELATIONS, is_plain_real

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

MAX_PAGES = 4
#: Rows of a page: about 2600 pixels, two screens.
ROWS_PER_PAGE = 18
_TITLE_HEIGHT, _HEAD_HEIGHT = 76, 30
_LEGEND = (
    "A: sound forged    V: picture forged    S: lips do not follow the sound    I: face and voice are of two people    "
    "1 yes, 0 no, ? unknown",
    "Blue: changed pixels; a blue frame: nearly all of them.    "
    "Beside each clip its sound; below it what is forged when, sound (A) and picture (V); "
    "lines mark the frames shown.",
)


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """What was written.

    Args:
        pages: PNG files, in order; none where every split is withheld.
        n_takes: Takes on them.
        n_clips: Clips on them.
        left_out: Clips of the chosen takes for which there was no room.
        unreadable: Ids of clips that could not be decoded; their rows say why.
    """

    pages: tuple[Path, ...]
    n_takes: int
    n_clips: int
    left_out: int
    unreadable: tuple[str, ...]


def write_contact_sheet(dataset: Dataset, folder: Path, *, people: int = 6, frames: int = 4) -> ContactSheet:
    """Write `contact_sheet-1.png` ... for a sample of takes; older pages are removed.

    Splits whose labels are withheld are not shown. There are at most `MAX_PAGES` pages; where the sample does not
    fit, fewer people are shown, and of the last one what there is room for.

    Args:
        dataset: A finished set with its provenance.
        folder: Where the pages go, e.g. `dataset.folder / "sheets"`.
        people: Takes to show, of different people as far as possible; at least 1.
        frames: Frames of each clip, 1 to 8.

    Raises:
        CmdfdError: For numbers out of range, or a set without provenance.
    """
    if people < 1 or not 1 <= frames <= 8:
        raise CmdfdError(f"a contact sheet needs at least 1 person and 1 to 8 frames, got {people} and {frames}")
    everything = takes_of(dataset)
    chosen = choose(everything, people)
    while len(chosen) > 1 and len(_pages(chosen)) > MAX_PAGES:
        chosen = choose(everything, len(chosen) - 1)
    sample = _Sample(chosen, len(everything), {(take.split, take.key): moments(take, frames) for take in chosen})
    return _write(dataset, folder, sample)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """What is shown.

    Args:
        takes: The chosen takes.
        n_takes: Takes that could be shown.
        moments: Frames to show of each take, by split and key.
    """

    takes: Sequence[SheetTake]
    n_takes: int
    moments: Mapping[tuple[str, str], Sequence[int]]

    def pages(self) -> list[list[SheetTake]]:
        return _pages(self.takes)[:MAX_PAGES]

    @property
    def n_clips(self) -> int:
        return sum(len(part.clips) for page in self.pages() for part in page)

    @property
    def left_out(self) -> int:
        return sum(len(take.clips) for take in self.takes) - self.n_clips


def _pages(takes: Sequence[SheetTake]) -> list[list[SheetTake]]:
    """Takes on pages: whole ones together as far as they fit, those longer than a page in parts."""
    pages: list[list[SheetTake]] = []
    room = 0
    for take in takes:
        for start in range(0, len(take.clips), ROWS_PER_PAGE):
            stop = start + ROWS_PER_PAGE
            part = replace(take, clips=take.clips[start:stop], origins=take.origins[start:stop])
            if len(part.clips) > room:
                pages.append([])
                room = ROWS_PER_PAGE
            pages[-1].append(part)
            room -= len(part.clips)
    return pages


def _write(dataset: Dataset, folder: Path, sample: _Sample) -> ContactSheet:
    files: list[Path] = []
    unreadable: list[str] = []
    pages = sample.pages()
    for number, page in enumerate(pages, start=1):
        image, failed = _draw_page(dataset, page, sample, f"page {number} of {len(pages)}")
        buffer = io.BytesIO()
        image.save(buffer, format="PNG", compress_level=6)
        files.append(folder / f"contact_sheet-{number}.png")
        write_atomic(files[-1], buffer.getvalue())
        unreadable += failed
    for old in folder.glob("contact_sheet-*.png"):
        if old not in files:
            old.unlink()
    return ContactSheet(tuple(files), len(sample.takes), sample.n_clips, sample.left_out, tuple(unreadable))


def _draw_page(dataset: Dataset, page: Sequence[SheetTake], sample: _Sample, number: str) -> tuple[Image, list[str]]:
    """One page, and the ids of clips that could not be read."""
    from PIL import Image, ImageDraw

    columns = max(len(indices) for indices in sample.moments.values())
    wide = max(_thumb_width(clip) for part in page for clip in part.clips)
    strip_left = MARGIN + LABEL_WIDTH + columns * (wide + GAP) + 10
    width = strip_left + STRIP_WIDTH + 24 + MARGIN
    rows = sum(len(part.clips) for part in page)
    height = MARGIN + _TITLE_HEIGHT + len(page) * (_HEAD_HEIGHT + 8) + rows * ROW_HEIGHT + MARGIN
    image = Image.new("RGB", (width, height), LIGHT.paper)
    draw = ImageDraw.Draw(image)
    _draw_title(draw, width, dataset, sample, number)
    y = MARGIN + _TITLE_HEIGHT
    failed: list[str] = []
    for part in page:
        indices = sample.moments[part.split, part.key]
        _draw_head(draw, y, part, indices, (wide, strip_left, width))
        y += _HEAD_HEIGHT
        for clip, origin in zip(part.clips, part.origins, strict=True):
            shown = own_moments(clip, indices)
            pictures = _pictures(dataset, clip, shown)
            failed += [clip.id] if pictures.problem else []
            relation = RELATIONS.get(origin.relation, "driven by another take" if origin.donor else "")
            draw_labels(draw, MARGIN, y, clip, "" if is_plain_real(clip) else relation)
            _draw_frames(image, draw, y, pictures, wide)
            _draw_other_times(draw, y, clip.fps, (indices, shown), wide)
            draw_strip(draw, strip_left, y, clip, pictures, [index / clip.fps for index in shown])
            y += ROW_HEIGHT
        y += 8
    return image, failed


def _draw_title(draw: ImageDraw, width: int, dataset: Dataset, sample: _Sample, number: str) -> None:
    shown = f"{len(sample.takes)} of {plural(sample.n_takes, 'take')}, {plural(sample.n_clips, 'clip')}"
    if sample.left_out:
        shown += f" ({sample.left_out} more of them have no room)"
    if dataset.build.withheld:
        shown += f"; withheld: {', '.join(dataset.build.withheld)}"
    title = fitted(f"{dataset.name}: {shown}", width - 200, font(19, bold=True))
    draw.text((MARGIN, MARGIN), title, font=font(19, bold=True), fill=LIGHT.ink)
    draw.text((width - MARGIN, MARGIN + 4), number, font=font(13), fill=LIGHT.muted, anchor="ra")
    for line, text in enumerate(_LEGEND):
        draw.text((MARGIN, MARGIN + 30 + 18 * line), text, font=font(12), fill=LIGHT.muted)


def _draw_head(draw: ImageDraw, y: int, part: SheetTake, indices: Sequence[int], places: tuple[int, int, int]) -> None:
    """The line above a take: who, and the times of the columns."""
    wide, strip_left, width = places
    draw.rectangle([MARGIN, y, width - MARGIN, y + _HEAD_HEIGHT - 6], fill=LIGHT.surface)
    more = "" if part.clips[0].kind == REAL_KIND else ", no real clip" if not _has_real(part) else ", continued"
    number = part.key.rsplit("-", 1)[-1] if "-" in part.key else part.key
    who = f"{part.clips[0].face_id or part.key}, {number}"
    name = fitted(f"{part.split}: {who}{more}", LABEL_WIDTH - 16, font(13, bold=True))
    draw.text((MARGIN + 8, y + 12), name, font=font(13, bold=True), fill=LIGHT.ink, anchor="lm")
    fps, seconds = part.clips[0].fps, part.clips[0].duration
    for column, index in enumerate(indices):
        x = MARGIN + LABEL_WIDTH + column * (wide + GAP) + wide / 2
        draw.text((x, y + 12), f"{index / fps:.2f} s", font=font(12), fill=LIGHT.muted, anchor="mm")
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 60, 600) if seconds / step <= 8 or step == 600)
    for tick in np.arange(0, seconds + 1e-6, step):
        anchor = "lm" if tick == 0 else "rm" if tick > seconds - 0.04 * seconds else "mm"
        x = strip_left + tick * STRIP_WIDTH / seconds
        draw.text((x, y + 12), f"{tick:g} s", font=font(12), fill=LIGHT.muted, anchor=anchor)


def _has_real(part: SheetTake) -> bool:
    return any(clip.kind == REAL_KIND for clip in part.clips)


def _thumb_width(clip: Clip) -> int:
    """Width of a picture of the fixed height; very wide ones are pressed together."""
    return int(np.clip(round(THUMB * clip.width / clip.height), THUMB // 2, 2 * THUMB))


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
            place = (MARGIN + LABEL_WIDTH + column * (wide + GAP) + 4, y + 4)
            text = f"{shown / fps:.2f} s"
            draw.rectangle(draw.textbbox(place, text, font=font(12)), fill=LIGHT.paper)
            draw.text(place, text, font=font(12), fill=LIGHT.ink)


def _pictures(dataset: Dataset, clip: Clip, indices: Sequence[int]) -> ClipPictures:
    """Decode what is shown of a clip."""
    from cmdfd.media.decode import read_audio

    size = (_thumb_width(clip), THUMB)
    nothing = np.zeros(0, np.float32)
    try:
        frames = _frames_at(dataset.path_of(clip), indices, size, "rgb24")
        path = dataset.mask_of(clip)
        masks = _frames_at(path, indices, size, "gray") if path is not None else []
    except (MediaError, CmdfdError) as error:
        return ClipPictures((), (), nothing, nothing, getattr(error, "code", "") or str(error))
    try:
        sound = read_audio(dataset.path_of(clip)).samples
    except MediaError:
        return ClipPictures(frames, masks, nothing, nothing)
    return ClipPictures(frames, masks, *_envelope(sound, STRIP_WIDTH + 1))


def _frames_at(path: Path, indices: Sequence[int], size: tuple[int, int], pixel_format: str) -> list[NDArray[np.uint8]]:
    """Frames by number, scaled; decoding stops at the last one."""
    import cv2

    from cmdfd.media.decode import iter_frames

    wanted, found = set(indices), []
    for number, frame in enumerate(iter_frames(path, pixel_format=pixel_format)):
        if number in wanted:
            found.append(np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8))
        if number >= max(wanted):
            break
    return found


def _envelope(samples: NDArray[np.float32], n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest sample of `n` equal stretches."""
    if len(samples) == 0:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    starts = np.minimum(np.linspace(0, len(samples), n + 1).astype(int)[:-1], len(samples) - 1)
    return np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
