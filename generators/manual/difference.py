"""Where two aligned pictures differ beyond what a second encoding does.

The signed difference is smoothed a little, so that codec noise, which changes its sign from pixel to pixel, cancels.
What is left of it grows with the picture's edges, so its size is measured for each strength of edges; a pixel is
changed where the difference is far above that, and only in patches that hold such pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Frames = NDArray[np.uint8]
    Bools = NDArray[np.bool_]

#: Smoothing of the difference and of the edges, in pixels of a picture of 640; scaled with the picture, at least 0.8.
_SMOOTH = 1.3
#: Quantiles of the edges' strength between the bins; the few strongest edges are the noisiest by far.
_BORDERS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
#: "Sigma" is the lower quartile of the differences over this. A quartile, since an edit may cover half of the pixels.
_LOWER, _UPPER, _UNSURE = 0.45, 1.2, 3.0
#: In sigmas and in levels: what belongs to a patch, and what a patch must hold.
#: Of x264 at crf 14 to 34 (a made texture, two real clips), 99 % of the pixels lie below 2.1 to 2.7 sigma, 99.99 %
#: below 4 to 8.
_LOW, _HIGH = (2.5, 4.5), (6.0, 10.0)
#: Least pixels of a patch that are that high, and least size of a patch as a share of the picture.
_PEAKS, SMALLEST = 6, 0.0008
#: Levels below which the upper quarter of a frame's differences tells that the frame was copied.
_COPIED = 0.4
_SAMPLES = 24


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """Gain and offset of each channel by which an edit differs from its original everywhere; [3] each."""

    gain: NDArray[np.float32]
    offset: NDArray[np.float32]

    @property
    def strength(self) -> float:
        """Most levels by which it changes a grey between 32 and 224."""
        ends = [np.abs(self.gain * grey + self.offset - grey).max() for grey in (32.0, 224.0)]
        return float(max(ends))

    @classmethod
    def fit(cls, original: Frames, edited: Frames, keep: Bools) -> Tone:
        """Fit it where nothing was changed.

        Args:
            original: [T, H, W, 3] uint8.
            edited: The same shape.
            keep: [T, H, W], where to look; outside of it, and far from the fit, pixels do not count.
        """
        rows = _sampled(len(original))
        step = max(1, int(np.sqrt(original[0, ..., 0].size / 4000)))
        inside = keep[rows][:, ::step, ::step]
        ours, theirs = original[rows][:, ::step, ::step][inside], edited[rows][:, ::step, ::step][inside]
        if len(ours) < 500:
            return cls(np.ones(3, np.float32), np.zeros(3, np.float32))
        fits = [_line(ours[:, c].astype(np.float64), theirs[:, c].astype(np.float64)) for c in range(3)]
        return cls(np.array([a for a, _ in fits], np.float32), np.array([b for _, b in fits], np.float32))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Y = a x + b by least squares on the half of the points that agree best, three times."""
    good = (x > 8) & (x < 247) & (y > 4) & (y < 251)
    if good.sum() < 200 or x[good].std() < 2:
        return 1.0, float(np.median(y - x)) if len(x) else 0.0
    a, b = 1.0, float(np.median((y - x)[good]))
    for _ in range(4):
        away = np.abs(y - a * x - b)
        near = good & (away <= np.median(away[good]) * 1.5 + 1)
        if near.sum() < 100 or x[near].std() < 2:
            break
        a, b = (float(each) for each in np.polyfit(x[near], y[near], 1))
    return a, b


def _sampled(n: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, n - 1, min(n, _SAMPLES)).astype(np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """What a second encoding changes: sigma in levels for each strength of edges.

    Args:
        borders: [B - 1] strengths between the bins.
        sigmas: [B].
    """

    borders: NDArray[np.float32]
    sigmas: NDArray[np.float32]

    def at(self, edges: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sigma at every pixel, from its edge's strength."""
        return np.asarray(self.sigmas[np.searchsorted(self.borders, edges)], np.float32)


def _sigma(levels: NDArray[np.float32]) -> float:
    """Size of the noise by the lower quartile; by the upper one where that tells of more, up to twice as much.

    An edit may cover half of the pixels, and a codec may leave half of the blocks as they were.
    """
    low, high = (float(each) for each in np.percentile(levels, [25, 75]))
    return max(low / _LOWER, min(high / _UPPER, max(2 * low / _LOWER, _UNSURE)))


class Comparer:
    """Compares frames of one pair.

    Args:
        original: [T, H, W, 3] uint8.
        edited: The same shape.
        keep: [T, H, W], False where a matte says that the picture was changed; None where there is no matte.
    """

    def __init__(self, original: Frames, edited: Frames, keep: Bools | None) -> None:
        self._original, self._edited = original, edited
        self.length = len(original)
        self._sigma = max(0.8, _SMOOTH * max(original.shape[1:3]) / 640)
        outside = np.ones(original.shape[:3], bool) if keep is None else keep
        self.tone = Tone.fit(original, edited, outside)
        self.noise = self._measured(outside)
        self.smallest = max(6, round(SMALLEST * original[0, ..., 0].size))

    def difference(self, index: int) -> NDArray[np.float32]:
        """[H, W] levels: the largest of the channels' smoothed differences, tone put right."""
        signed = self._edited[index].astype(np.float32) - (self._original[index] * self.tone.gain + self.tone.offset)
        smooth = cv2.GaussianBlur(signed, (0, 0), self._sigma)
        return np.asarray(np.abs(smooth).max(axis=2), np.float32)

    def edges(self, index: int) -> NDArray[np.float32]:
        """[H, W] strength of the edges of the original, and of the edit where that has more."""
        found = [self._edges(frames[index]) for frames in (self._original, self._edited)]
        return np.asarray(np.minimum(*found) * 0.5 + found[0] * 0.5, np.float32)

    def _edges(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), self._sigma)
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        return np.asarray(cv2.blur(slope, (5, 5)), np.float32)

    def _measured(self, outside: Bools) -> Noise:
        rows = _sampled(len(self._original))
        differences = [self.difference(int(row)) for row in rows]
        # an editor that copies what was not touched leaves frames without any noise; they tell nothing
        upper = [np.percentile(one, 75) for one in differences]
        noisy = [k for k, level in enumerate(upper) if level > _COPIED]
        if noisy:
            rows, differences = rows[noisy], [differences[k] for k in noisy]
        edges = np.concatenate([self.edges(int(row))[outside[row]] for row in rows])
        levels = np.concatenate([one[outside[row]] for one, row in zip(differences, rows, strict=True)])
        if len(levels) < 200:
            return Noise(np.zeros(0, np.float32), np.full(1, 2.0, np.float32))
        borders = np.quantile(edges, _BORDERS).astype(np.float32)
        which = np.searchsorted(borders, edges)
        usual = _sigma(levels)
        sigmas = np.array(
            [_sigma(levels[which == k]) if (which == k).sum() > 50 else usual for k in range(len(_BORDERS) + 1)]
        )
        # a region that was edited all the time and has all the strong edges must not be taken for noise
        return Noise(borders, np.clip(sigmas, 0.5, max(4 * usual, 1.5)).astype(np.float32))

    def changed(self, index: int) -> Bools:
        """[H, W] where the picture was changed: patches that hold pixels far above the noise."""
        levels, sigma = self.difference(index), self.noise.at(self.edges(index))
        low = levels > np.maximum(_LOW[0] * sigma, _LOW[1])
        high = levels > np.maximum(_HIGH[0] * sigma, _HIGH[1])
        if not high.any():
            return np.zeros(low.shape, bool)
        count, names, stats, _ = cv2.connectedComponentsWithStats(low.astype(np.uint8), connectivity=8)
        peaks = np.bincount(names[high], minlength=count)
        good = (peaks >= _PEAKS) & (stats[:, cv2.CC_STAT_AREA] >= self.smallest)
        good[0] = False
        return np.asarray(good[names], np.bool_)

    def residual(self, index: int, keep: Bools) -> float:
        """Mean square of the plain difference where `keep` says that nothing was changed, NaN where that is nowhere."""
        signed = self._edited[index].astype(np.float32) - (self._original[index] * self.tone.gain + self.tone.offset)
        part = signed[keep]
        return float((part**2).mean()) if len(part) else float("nan")


def filled(changed: Bools, width: int) -> Bools:
    """Patches closed, their holes filled: the shape of an edit from its differing pixels.

    Args:
        changed: [H, W].
        width: Longer side of the picture, for the size of the gaps that are closed.
    """
    if not changed.any():
        return changed
    radius = max(1, round(width / 80))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(changed.astype(np.uint8), radius + 1)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = np.zeros_like(closed)
    cv2.drawContours(solid, outlines, -1, 1, cv2.FILLED)
    inner = slice(radius + 1, -(radius + 1))
    return np.asarray(solid[inner, inner] > 0, np.bool_)


def lasting(changed: Bools, smallest: int) -> Bools:
    """Patches that the frame before or after has too, or that are large: codec noise does neither.

    Args:
        changed: [T, H, W].
        smallest: Least size of a patch in pixels; twenty-five times that is large.
    """
    kept = np.zeros_like(changed)
    for k, one in enumerate(changed):
        if not one.any():
            continue
        count, names, stats, _ = cv2.connectedComponentsWithStats(one.astype(np.uint8), connectivity=8)
        area = stats[:, cv2.CC_STAT_AREA]
        beside = np.zeros(count, np.int64)
        for frame in (*changed[max(k - 1, 0) : k], *changed[k + 1 : k + 2]):
            beside = np.maximum(beside, np.bincount(names[frame], minlength=count))
        good = (beside >= 0.25 * area) | (area >= 25 * smallest)
        good[0] = False
        kept[k] = good[names]
    return kept


def softened(shape: Bools) -> NDArray[np.uint8]:
    """A mask of a shape: 255 inside, falling to 0 over two pixels outside of it."""
    if not shape.any():
        return np.zeros(shape.shape, np.uint8)
    away = cv2.distanceTransform((~shape).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.clip(255 * (1 - away / 2), 0, 255).round(), np.uint8)
