"""What a generator changed, told from what any coding changes.

Coding errs by noise and ringing, which average out over a few pixels; a forged face does not. So differences are
averaged with their sign over a box before they are judged. Measured on drawn and real faces of 224 and 256 pixels: the
largest averaged error of a frame is 2 to 3 levels at the staging's x264 crf 8, 4 to 6 at crf 23, up to 10 at crf 28;
lips that are held still instead of speaking reach 20 to 90.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of the box in pixels.
BOX = 9
#: Levels (of 255) from which an averaged difference shows a change, for masks and for the question of identity.
CHANGED, DIFFERENT = 8.0, 10.0
#: Share of frames that must differ.
_SHARE = 0.05
#: Frames by which a copy may be shifted and still is a copy.
_SHIFTS = 2
#: Masks: pixels over which gaps are closed, and least area of a change.
_CLOSE, _LEAST_AREA = 15, 16
#: A recording and its copy through AAC at 32 kbit/s correlate above .99, another voice on the same words below .6.
SAME_SOUND = 0.97
_LAG_SECONDS = 0.25
#: A picture is flat below this standard deviation, dark below this mean (levels).
_FLAT, _DARK = 2.0, 8.0


def _averaged(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The averaged difference of luma, [H, W]; colour alone is coded too coarsely to be judged."""
    before, after = (cv2.cvtColor(np.ascontiguousarray(each), cv2.COLOR_RGB2GRAY) for each in (other, one))
    difference = after.astype(np.float32) - before.astype(np.float32)
    return np.asarray(np.abs(cv2.blur(difference, (BOX, BOX))), np.float32)


def same_picture(frames: NDArray[np.uint8], reference: NDArray[np.uint8]) -> bool:
    """Whether pictures show the same as others, but for coding and a shift of up to two frames.

    Args:
        frames: [T, H, W, 3] uint8.
        reference: [T, H, W, 3] uint8, or [1, H, W, 3]: a still.
    """
    n = len(frames)
    if len(reference) == 1:
        return _share_different(frames, np.broadcast_to(reference, frames.shape)) < _SHARE
    shifts = range(-min(_SHIFTS, n - 1), min(_SHIFTS, n - 1) + 1)
    return any(
        _share_different(frames[max(k, 0) : n + min(k, 0)], reference[max(-k, 0) : n - max(k, 0)]) < _SHARE
        for k in sorted(shifts, key=abs)
    )


def _share_different(frames: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    count, enough = 0, _SHARE * len(frames)
    for one, other in zip(frames, reference, strict=True):
        count += bool(_averaged(one, other).max() > DIFFERENT)
        if count > enough:
            return 1.0
    return count / len(frames)


def change_masks(frames: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where pictures were changed.

    Args:
        frames: [T, H, W, 3] uint8.
        reference: The same before.

    Returns:
        [T, H, W] uint8, 255 where the averaged difference, and that of the nearest pixels, is over `CHANGED`; gaps and
        holes are closed.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSE, _CLOSE))
    masks = np.zeros(frames.shape[:3], np.uint8)
    for index, (one, other) in enumerate(zip(frames, reference, strict=True)):
        coarse = _averaged(one, other) > CHANGED
        if coarse.any():
            # the box spreads a change by its half: its border is drawn by the pixels' own differences
            fine = cv2.blur(cv2.absdiff(one, other).max(axis=2), (3, 3)) > CHANGED
            mask = (coarse & fine).astype(np.uint8)
            masks[index] = _without_holes(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel))
    return masks


def _without_holes(mask: NDArray[Any]) -> NDArray[np.uint8]:
    outlines, _ = cv2.findContours(np.asarray(mask, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    large = [outline for outline in outlines if cv2.contourArea(outline) >= _LEAST_AREA]
    cv2.drawContours(filled, large, -1, 255, cv2.FILLED)
    return filled


def sound_likeness(samples: NDArray[np.float32], reference: NDArray[np.float32], rate: int) -> float:
    """Largest correlation of two sounds over shifts of up to a quarter of a second, whatever their levels; [0, 1]."""
    n = max(len(samples), len(reference))
    if not n:
        return 0.0
    size = 1 << (2 * n - 1).bit_length()
    one = np.fft.rfft(samples.astype(np.float64), size)
    other = np.fft.rfft(reference.astype(np.float64), size)
    product = np.fft.irfft(one * np.conj(other), size)
    norm = float(np.linalg.norm(samples.astype(np.float64)) * np.linalg.norm(reference.astype(np.float64)))
    lag = min(round(_LAG_SECONDS * rate), n - 1)
    near = np.concatenate([product[: lag + 1], product[len(product) - lag :]])
    return float(np.abs(near).max() / norm) if norm > 0 else 0.0


def is_blank(frames: NDArray[np.uint8]) -> bool:
    """Whether most of the pictures are black or of one colour."""
    blank = 0
    for one in frames:
        grey = one.astype(np.float32).mean(axis=2)
        blank += bool(grey.mean() < _DARK or grey.std() < _FLAT)
    return blank > len(frames) / 2


def colour_map(frames: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The affine change of colours that a wrong matrix or range has put over a whole picture.

    Fitted to the pixels that agree best, in two rounds, so that a forged region has no say.

    Args:
        frames: [T, H, W, 3] uint8.
        reference: The same before.

    Returns:
        [4, 3] such that [r, g, b, 1] @ map is the reference's colour, or None where there is no such change: where it
        moves colours by less than 2 levels on average, or does not halve the usual difference.
    """
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), 12)).round().astype(int)
    small = [cv2.resize(one[k], (64, 64), interpolation=cv2.INTER_AREA) for k in chosen for one in (frames, reference)]
    given = np.concatenate([one.reshape(-1, 3) for one in small[0::2]]).astype(np.float64)
    wanted = np.concatenate([one.reshape(-1, 3) for one in small[1::2]]).astype(np.float64)
    table = np.concatenate([given, np.ones((len(given), 1))], axis=1)
    keep = np.ones(len(table), bool)
    fit = np.eye(4, 3)
    for _ in range(3):
        part = table[keep]  # the normal equations: four unknowns, and a flat picture is no error
        fit = np.linalg.lstsq(part.T @ part, part.T @ wanted[keep], rcond=None)[0]
        error = np.abs(table @ fit - wanted).max(axis=1)
        keep = error <= np.percentile(error, 70)
    before = np.abs(given - wanted).max(axis=1)
    after = np.abs(table @ fit - wanted).max(axis=1)
    moved = float(np.abs(table @ fit - given).mean())
    if moved < 2.0 or np.median(after) > 0.5 * np.median(before):
        return None
    return np.asarray(fit, np.float64)


def recoloured(frames: NDArray[np.uint8], fit: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Apply a map of `colour_map`."""
    matrix = fit.T.astype(np.float64)
    return np.stack([cv2.transform(np.ascontiguousarray(one), matrix) for one in frames]).astype(np.uint8)
