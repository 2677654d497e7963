"""Drawing of contact sheets: pictures, masks, sound and forged stretches of one clip, in fixed boxes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import Modality
from cmdfd.media.masks import forged
from cmdfd.report.palette import LIGHT
from cmdfd.report.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from cmdfd.clip import Clip, Labels, Segment

#: Sizes in pixels. A page is some 1310 wide with four frames, so that it is read without zooming.
MARGIN, THUMB, GAP, LABEL_WIDTH, STRIP_WIDTH = 20, 144, 6, 240, 400
ROW_HEIGHT = THUMB + 10
#: Height of the lanes below the sound's curve that show what is forged when: one for sound, one for picture.
LANE = 12
#: Masks: a colour that no skin has, and how much of it: the lips below must stay visible.
TINT, TINT_SHARE = (0, 170, 255), 0.12
#: Where more of the picture was changed, it gets a thick frame and no tint, which would only hide it.
MOST = 0.6
_LANES = {Modality.AUDIO: (0,), Modality.VIDEO: (1,), Modality.BOTH: (0, 1)}


@lru_cache(maxsize=16)
def font(size: int, *, bold: bool = False) -> FreeTypeFont:
    """The font that matplotlib brings."""
    import matplotlib as mpl
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


def fitted(text: object, width: int, face: FreeTypeFont) -> str:
    """A name from outside, cleaned and cut in its middle until it fits."""
    length = len(str(text))
    shown = shorten(text, max(length, 3))
    while length > 3 and face.getlength(shown) > width:
        length -= 1
        shown = shorten(text, length)
    return shown


def png(image: Image) -> bytes:
    """A picture as PNG, without a word about when and where."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class ClipPictures:
    """What is drawn of one clip.

    Args:
        frames: Pictures [h, w, 3] uint8, or empty where the clip cannot be read.
        masks: [h, w] uint8 for each picture, or empty where no pixels were changed.
        low: [n] lowest sample in each of n equal stretches, -1 to 1; empty without sound.
        high: [n] highest.
        problem: Why it cannot be read, "" if it can.
        closeup: [s, s, 3] what is forged, enlarged and without any drawing; None where nothing shows it.
    """

    frames: Sequence[NDArray[np.uint8]]
    masks: Sequence[NDArray[np.uint8]]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    problem: str = ""
    closeup: NDArray[np.uint8] | None = None


def tinted(frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with its mask as a translucent tint and an outline, or as a frame where it covers most of it.

    The tint is as strong as the mask; the outline goes around what counts as forged.

    Args:
        frame: [h, w, 3] RGB.
        mask: [h, w], how much of a pixel is foreign, 0 to 255.
    """
    import cv2

    inside = forged(mask).astype(np.uint8)
    found = frame.copy()
    if inside.mean() > MOST:
        for edge in (found[:4], found[-4:], found[:, :4], found[:, -4:]):
            edge[:] = TINT
        return found
    share = TINT_SHARE * mask[..., None].astype(np.float32) / 255
    found = (frame * (1 - share) + np.array(TINT, dtype=np.float32) * share).round().astype(np.uint8)
    # the border of the picture is no outline: a mask that reaches it goes on outside
    eroded = cv2.erode(inside, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    found[(inside > 0) & (eroded == 0)] = TINT
    return found


def draw_labels(draw: ImageDraw, left: int, top: int, clip: Clip, relation: str) -> None:
    """Kind, grade, label signs, driver and id of a clip, in a column."""
    fake = clip.labels.label == 1
    colour = LIGHT.fake if fake else LIGHT.real
    width = LABEL_WIDTH - 16
    draw.rectangle([left, top, left + 4, top + THUMB], fill=colour)
    x, lines = left + 12, []
    lines.append((fitted(clip.kind, width, font(15, bold=True)), font(15, bold=True), colour, 20))
    if clip.variant:
        lines.append((fitted(clip.variant, width, font(13)), font(13), LIGHT.ink, 18))
    y = top
    for text, face, ink, step in lines:
        draw.text((x, y), text, font=face, fill=ink)
        y += step
    draw_signs(draw, x, y + 3, clip.labels)
    y += 28
    if relation:
        draw.text((x, y), fitted(relation, width, font(12)), font=font(12), fill=LIGHT.muted)
        y += 17
    draw.text((x, y), f"id {fitted(clip.id, width - 20, font(12))}", font=font(12), fill=LIGHT.muted)


def draw_signs(draw: ImageDraw, left: int, top: int, labels: Labels) -> None:
    """A, V, S and I as boxes: filled where the label is 1, empty where it is 0, dashed with "?" where unknown."""
    named = zip(
        "AVSI",
        (labels.audio_label, labels.video_label, labels.sync_mismatch, labels.identity_mismatch),
        strict=True,
    )
    for index, (letter, value) in enumerate(named):
        x = left + index * 40
        box = [x, top, x + 34, top + 19]
        if value == 1:
            draw.rectangle(box, fill=LIGHT.fake)
        else:
            draw.rectangle(box, outline=LIGHT.line, fill=LIGHT.surface)
        text = f"{letter} {'?' if value is None else value}"
        ink = LIGHT.paper if value == 1 else LIGHT.muted
        draw.text((x + 17, top + 10), text, font=font(12, bold=value == 1), fill=ink, anchor="mm")


def draw_strip(
    draw: ImageDraw,
    left: int,
    top: int,
    clip: Clip,
    pictures: ClipPictures,
    shown: Sequence[float],
    width: int = STRIP_WIDTH,
) -> None:
    """The sound's curve over the clip's time, with lanes below that show what is forged when.

    Args:
        draw: The page.
        left: Of the strip.
        top: Of the strip.
        clip: The clip.
        pictures: Its sound.
        shown: Times of the frames that stand beside it, as lines.
        width: Of the strip.
    """
    height = THUMB - 2 * LANE - 4
    scale = width / clip.duration
    draw.rectangle([left, top, left + width, top + height], fill=LIGHT.surface)
    for one in clip.segments:
        if 0 in _LANES[one.modality]:
            draw.rectangle([left + one.start * scale, top, _end(left, width, one, scale), top + height], fill="#f7e0d2")
    for time in shown:
        draw.line([left + time * scale, top, left + time * scale, top + height], fill=LIGHT.line)
    middle = top + height / 2
    draw.line([left, middle, left + width, middle], fill=LIGHT.line)
    if len(pictures.low):
        peak = max(float(np.abs(pictures.low).max()), float(np.abs(pictures.high).max()), 1e-6)
        reach = (height / 2 - 3) / peak
        for x, (low, high) in enumerate(zip(pictures.low.tolist(), pictures.high.tolist(), strict=True)):
            draw.line([left + x, middle - high * reach, left + x, middle - low * reach], fill=LIGHT.ink)
    else:
        draw.text((left + width / 2, middle), "no sound", font=font(12), fill=LIGHT.muted, anchor="mm")
    _lanes(draw, left, top + height + 4, clip.segments, scale, width)


def _end(left: int, width: int, one: Segment, scale: float) -> float:
    return min(left + max(one.end, one.start + 1 / scale) * scale, left + width)


def _lanes(draw: ImageDraw, left: int, top: int, segments: Sequence[Segment], scale: float, width: int) -> None:
    for lane in (0, 1):
        y = top + lane * LANE
        draw.rectangle([left, y, left + width, y + LANE - 3], outline=LIGHT.line)
        for one in segments:
            if lane in _LANES[one.modality]:
                fill = LIGHT.fake if lane == 0 else "#{:02x}{:02x}{:02x}".format(*TINT)
                draw.rectangle([left + one.start * scale, y, _end(left, width, one, scale), y + LANE - 3], fill=fill)
        draw.text((left + width + 6, y + LANE / 2 - 1), ("A", "V")[lane], font=font(11), fill=LIGHT.muted, anchor="lm")
