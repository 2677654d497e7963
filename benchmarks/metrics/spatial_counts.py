"""What a clip's predicted maps and its mask come to: exact counts, from which every pixel metric can be recomputed.

Conventions:

- A pixel is forged where its mask is above `cmdfd.media.masks.FORGED_ABOVE` (10 of 255). It is *called* forged where
  its map is at least `CALLED_FROM` (128 of 255, which is .5).
- Maps and mask meet by time, never by index: platforms change frame rates (a preview of ManualFake has 95 frames at
  30 fps and a mask of 79 at 25 fps). **Every frame of the truth is judged**, with the map that is nearest to it in
  time; of two that are equally near (to a millisecond, the clock of Matroska) the later one. So a detector that looks
  at every fifth frame only is judged on the same pixels as one that looks at all of them.
- A frame that no map reaches counts as called genuine everywhere. A map reaches as far as the usual step between maps
  (their median), or half a frame of the truth where that is farther.
- A map covers the whole picture, whatever its shape, and is brought to the *truth's* size: bilinearly where it is
  smaller, by area where it is larger in both directions.
- Patches are the whole 16 x 16 squares of the picture from its upper left corner; what is left at the right and at the
  bottom is not counted. The score of a patch is the mean of its map, rounded half up; it is forged where at least half
  of its pixels are.
- A clip that failed has the worst maps of all: everything genuine called forged with 255, everything forged with 0.

Maps have eight bits, so the histograms of a clip say all that a rank statistic needs, without loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.media.masks import forged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from benchmarks.detector import PixelMaps

#: A pixel is called forged from this value of the map on: .5 of 255, rounded up.
CALLED_FROM = 128
LEVELS = 256
#: Side of a patch in pixels of the truth.
PATCH = 16
#: Seconds under which two distances count as equal: Matroska, in which masks are kept, tells milliseconds.
TICK = 1e-3
#: Columns of `PixelCounts.to_row`.
COLUMNS = ("pixels", "patches", "tp", "fp", "fn", "frame_pixels", "unreached", "failed")


@dataclass(frozen=True, slots=True, eq=False)
class PixelCounts:
    """Sufficient statistics of one clip; build them with `count_pixels` or `worst_counts`.

    Args:
        pixels: [2, 256] int64 pixels of all frames by truth (0 genuine, 1 forged) and value of the map.
        patches: [2, 256] the same of the patches; all 0 for pictures under 16 pixels.
        tp: [T] int64 forged pixels that were called forged, of each frame.
        fp: [T] genuine pixels that were called forged.
        fn: [T] forged pixels that were called genuine.
        frame_pixels: Pixels of a frame.
        unreached: Frames that no map reached.
        failed: Whether the detector gave no maps for the clip.
    """

    pixels: NDArray[np.int64]
    patches: NDArray[np.int64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    frame_pixels: int
    unreached: int = 0
    failed: bool = False

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(problem)

    @property
    def n_frames(self) -> int:
        """Frames of the truth."""
        return len(self.tp)

    @property
    def n_forged(self) -> int:
        """Forged pixels of all frames; 0 for an authentic clip."""
        return int(self.pixels[1].sum())

    def to_row(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON or Parquet."""
        return {
            "pixels": self.pixels.ravel().tolist(),
            "patches": self.patches.ravel().tolist(),
            "tp": self.tp.tolist(),
            "fp": self.fp.tolist(),
            "fn": self.fn.tolist(),
            "frame_pixels": self.frame_pixels,
            "unreached": self.unreached,
            "failed": self.failed,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> PixelCounts:
        """Read what `to_row` wrote; other columns of the row are passed over.

        Raises:
            ValueError: Where a column is missing, has another length, or the sums contradict each other.
        """
        missing = [name for name in COLUMNS if row.get(name) is None]
        if missing:
            raise ValueError(f"column {missing[0]!r} is missing; pixel counts have {', '.join(COLUMNS)}")
        tp, fp, fn = (np.asarray(row[name], dtype=np.int64) for name in ("tp", "fp", "fn"))
        pixels, patches = _table(row["pixels"], "pixels"), _table(row["patches"], "patches")
        size, unreached = int(row["frame_pixels"]), int(row["unreached"])
        return cls(pixels, patches, tp, fp, fn, size, unreached, bool(row["failed"]))

    def _problem(self) -> str | None:
        arrays = (self.pixels, self.patches, self.tp, self.fp, self.fn)
        if any(table.shape != (2, LEVELS) for table in (self.pixels, self.patches)):
            return f"pixel and patch histograms need the shape (2, {LEVELS})"
        if self.tp.ndim != 1 or not len(self.tp) or not self.tp.shape == self.fp.shape == self.fn.shape:
            return "tp, fp and fn need one number for each frame, and at least one frame"
        if any(array.dtype.kind != "i" or (array < 0).any() for array in arrays):
            return "counts must be whole numbers >= 0"
        if self.frame_pixels < 1 or not 0 <= self.unreached <= self.n_frames:
            return f"{self.frame_pixels} pixels in a frame and {self.unreached} frames without a map cannot be"
        return self._contradiction()

    def _contradiction(self) -> str | None:
        called, genuine = self.pixels[:, CALLED_FROM:].sum(axis=1), self.pixels[:, :CALLED_FROM].sum(axis=1)
        sums = {"tp": (self.tp, called[1]), "fp": (self.fp, called[0]), "fn": (self.fn, genuine[1])}
        for name, (frames, expected) in sums.items():
            if frames.sum() != expected:
                return f"{name} of all frames is {frames.sum()}, the histogram of the pixels says {expected}"
        if self.pixels.sum() != self.n_frames * self.frame_pixels:
            return f"{self.n_frames} frames of {self.frame_pixels} pixels are not the {self.pixels.sum()} counted"
        if ((self.tp + self.fp + self.fn) > self.frame_pixels).any():
            return f"a frame has more than its {self.frame_pixels} pixels"
        return None


def _table(values: Sequence[int], name: str) -> NDArray[np.int64]:
    table = np.asarray(values, dtype=np.int64)
    if table.size != 2 * LEVELS:
        raise ValueError(f"column {name!r} needs {2 * LEVELS} counts, got {table.size}")
    return table.reshape(2, LEVELS)


def nearest_maps(truth_times: ArrayLike, map_times: ArrayLike) -> NDArray[np.int64]:
    """Which map judges each frame of the truth; the rule stands at the top of this module.

    Args:
        truth_times: [T] seconds, rising.
        map_times: [K] seconds, rising.

    Returns:
        [T] index of a map, -1 where none reaches.

    Raises:
        ValueError: For times that are not finite or do not rise.
    """
    frames, maps = _rising(truth_times, "frames"), _rising(map_times, "maps")
    right = np.minimum(np.searchsorted(maps, frames), len(maps) - 1)
    left = np.maximum(right - 1, 0)
    # a frame behind the last map has that one on its left; searchsorted pointed beyond it
    left = np.where(frames > maps[right], right, left)
    later = np.abs(maps[right] - frames) <= np.abs(frames - maps[left]) + TICK
    chosen = np.where(later, right, left)
    step = float(np.median(np.diff(maps))) if len(maps) > 1 else 0.0
    frame = float(np.median(np.diff(frames))) if len(frames) > 1 else np.inf
    reached = np.abs(maps[chosen] - frames) <= max(step, frame / 2) + TICK
    return np.where(reached, chosen, -1).astype(np.int64)


def _rising(times: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(times, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"times of the {what} need one dimension and at least one entry, got shape {array.shape}")
    if not np.isfinite(array).all() or (np.diff(array) <= 0).any():
        raise ValueError(f"times of the {what} must be finite and rise strictly")
    return array


def fitted(one: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A map at the size of the picture.

    Args:
        one: [h, w].
        shape: (H, W) to bring it to.
    """
    if one.shape == shape:
        return one
    import cv2

    shrinks = one.shape[0] >= shape[0] and one.shape[1] >= shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(one, (shape[1], shape[0]), interpolation=how), dtype=np.uint8)


def count_pixels(
    truth: NDArray[np.uint8] | None, truth_times: ArrayLike, shape: tuple[int, int], maps: PixelMaps
) -> PixelCounts:
    """Compare the maps of one clip with its mask.

    Args:
        truth: [T, H, W] uint8, soft; None for a clip whose pixels are all genuine (every real has this empty truth).
            A fake whose mask is *unknown* has no counts at all: it is left out of the pixel metrics.
        truth_times: [T] seconds of the frames of the truth, on the clock of the maps.
        shape: (H, W) of the picture.
        maps: What the detector says.

    Raises:
        ValueError: Where shapes or times do not fit.
    """
    times = _rising(truth_times, "frames")
    _check_truth(truth, len(times), shape)
    chosen = nearest_maps(times, maps.times)
    sums = _Sums(len(times))
    blank = np.zeros(shape, dtype=np.uint8)
    last, sized = -2, blank
    for number, index in enumerate(chosen):
        if index != last:
            last, sized = int(index), blank if index < 0 else fitted(maps.maps[index], shape)
        sums.add(number, None if truth is None else forged(truth[number]), sized)
    return sums.close(shape, unreached=int((chosen < 0).sum()), failed=False)


def worst_counts(truth: NDArray[np.uint8] | None, n_frames: int, shape: tuple[int, int]) -> PixelCounts:
    """Counts of a clip for which the detector gave no maps: the worst there are.

    Args:
        truth: As for `count_pixels`.
        n_frames: Frames of the truth.
        shape: (H, W) of the picture.

    Raises:
        ValueError: Where shapes do not fit.
    """
    _check_truth(truth, n_frames, shape)
    sums = _Sums(n_frames)
    for number in range(n_frames):
        real = np.zeros(shape, dtype=bool) if truth is None else forged(truth[number])
        sums.add(number, real, np.where(real, 0, LEVELS - 1).astype(np.uint8))
    return sums.close(shape, unreached=n_frames, failed=True)


def _check_truth(truth: NDArray[np.uint8] | None, n_frames: int, shape: tuple[int, int]) -> None:
    if n_frames < 1 or min(shape) < 1:
        raise ValueError(f"needs at least one frame with pixels, got {n_frames} of {shape}")
    if truth is not None and (truth.dtype != np.uint8 or truth.shape != (n_frames, *shape)):
        raise ValueError(
            f"the mask must be uint8 [{n_frames}, {shape[0]}, {shape[1]}] like its times and picture, "
            f"got {truth.dtype} {list(truth.shape)}"
        )


class _Sums:
    """Counts that grow frame by frame."""

    def __init__(self, n_frames: int) -> None:
        self.pixels = np.zeros((2, LEVELS), dtype=np.int64)
        self.patches = np.zeros((2, LEVELS), dtype=np.int64)
        self.errors = np.zeros((3, n_frames), dtype=np.int64)
        self._known: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]] | None = None

    def add(self, number: int, real: NDArray[np.bool_] | None, one: NDArray[np.uint8]) -> None:
        if real is None and self._known is not None and self._known[0] is one:
            _, pixels, patches = self._known  # the frame before had the same map and no truth either
        else:
            pixels = _histogram(real, one)
            patches = _patches(real, one)
            self._known = (one, pixels, patches) if real is None else None
        self.pixels += pixels
        self.patches += patches
        called = pixels[:, CALLED_FROM:].sum(axis=1)
        self.errors[:, number] = called[1], called[0], pixels[1, :CALLED_FROM].sum()

    def close(self, shape: tuple[int, int], *, unreached: int, failed: bool) -> PixelCounts:
        tp, fp, fn = self.errors
        return PixelCounts(self.pixels, self.patches, tp, fp, fn, shape[0] * shape[1], unreached, failed)


def _histogram(real: NDArray[np.bool_] | None, values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """[2, 256] counts by truth and value."""
    code = values.ravel().astype(np.intp)
    if real is not None:
        code += real.ravel().astype(np.intp) * LEVELS
    return np.bincount(code, minlength=2 * LEVELS).reshape(2, LEVELS).astype(np.int64)


def _patches(real: NDArray[np.bool_] | None, one: NDArray[np.uint8]) -> NDArray[np.int64]:
    area = PATCH * PATCH
    means = ((_blocks(one) + area // 2) // area).astype(np.uint8)
    if means.size == 0:
        return np.zeros((2, LEVELS), dtype=np.int64)
    return _histogram(None if real is None else _blocks(real) * 2 >= area, means)


def _blocks(picture: NDArray[Any]) -> NDArray[np.int64]:
    """Sums of the whole patches of a picture."""
    rows, columns = picture.shape[0] // PATCH, picture.shape[1] // PATCH
    cut = picture[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH)
    sums: NDArray[np.int64] = cut.sum(axis=(1, 3), dtype=np.int64)
    return sums
