"""Sensor noise: a still has one sample of it for ever, a camera draws a new one for every picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Pairs of pictures that are compared at most.
_PAIRS = 12
#: A place counts as unmoved if the blurred difference of two pictures stays below this many levels.
_UNMOVED, _BLUR = 1.0, 2.5
#: Least number of pixels for an estimate.
_ENOUGH = 500
#: Noise below this many levels is not worth drawing or removing; quantisation alone makes .29.
QUIET = 0.35
#: Share of the noise (standard deviation) that `removed` leaves; measured on four talkers, .37 to .49.
_LEFT = 0.44
#: Strongest blur of the noise's grain, in pixels.
_MAX_GRAIN = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class SensorNoise:
    """Noise between the pictures of one take.

    Args:
        mixing: [3, 3] lower triangle; three independent unit noises times its transpose are the channels' noise.
        grain: Blur of the noise in pixels (sigma), 0 for white noise.
    """

    mixing: Floats
    grain: float

    @property
    def level(self) -> float:
        """Root mean square of the channels' standard deviations."""
        return float(np.sqrt((self.mixing**2).sum() / 3))

    @classmethod
    def of(cls, frames: NDArray[np.uint8]) -> SensorNoise:
        """Measure it where nothing moves and nothing is drawn, between neighbouring pictures [T, H, W, 3]."""
        rows: list[Floats] = []
        correlations: list[float] = []
        for index in np.unique(np.linspace(0, max(len(frames) - 2, 0), _PAIRS).astype(int)):
            if index + 1 >= len(frames):
                break
            found = _residual(frames[index], frames[index + 1])
            if found is not None:
                rows.append(found[0])
                correlations.append(found[1])
        if not rows or sum(len(row) for row in rows) < _ENOUGH:
            return cls(np.zeros((3, 3), np.float32), 0.0)
        covariance = np.median([row.T @ row / len(row) for row in rows], axis=0) + 1e-6 * np.eye(3)
        rho = float(np.clip(np.median(correlations), 0.0, 0.95))
        # White noise under a Gaussian of sigma s has the correlation exp(-1 / (4 s^2)) between neighbours.
        grain = 0.0 if rho < 0.05 else min(float(np.sqrt(-0.25 / np.log(rho))), _MAX_GRAIN)
        return cls(np.linalg.cholesky(covariance).astype(np.float32), grain)

    def removed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture without (most of) its own sample of the noise; edges stay."""
        if self.level < QUIET:
            return image
        return np.asarray(cv2.bilateralFilter(image, 7, 3.5 * self.level, 2.0), np.uint8)

    def renewed(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """A picture after `removed` that brings the rest of its own noise along, filled up to the usual level."""
        return self.added(image, rng, float(np.sqrt(1 - _LEFT**2)))

    def added(self, image: NDArray[np.uint8], rng: np.random.Generator, share: float = 1.0) -> NDArray[np.uint8]:
        """A picture with a fresh sample of the noise, scaled by `share`."""
        if self.level < QUIET:
            return image
        noise = rng.standard_normal(image.shape, np.float32)
        if self.grain > 0.2:
            noise = cv2.GaussianBlur(noise, (0, 0), self.grain).astype(np.float32)
            noise *= np.float32(1 / _damping(self.grain))
        drawn = image + noise @ (self.mixing.T * np.float32(share))
        return np.asarray(np.rint(drawn).clip(0, 255), np.uint8)


def _damping(grain: float) -> float:
    """Standard deviation that a blur leaves of white noise; from OpenCV's own kernel."""
    size = round(grain * 8 + 1) | 1
    kernel = cv2.getGaussianKernel(size, grain)
    return float((kernel**2).sum())


def _residual(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[Floats, float] | None:
    """Noise samples [n, 3] of one picture, and the correlation of neighbours."""
    difference = (other.astype(np.float32) - one) / np.float32(np.sqrt(2))
    slow = cv2.GaussianBlur(difference, (0, 0), _BLUR)
    grey = cv2.GaussianBlur(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    clipped = (one.min(axis=-1) < 6) | (one.max(axis=-1) > 249)
    still = (np.abs(slow).max(axis=-1) < _UNMOVED) & (slope <= np.median(slope)) & ~clipped
    still[:, -1] = False
    if int(still.sum()) < _ENOUGH // 4:
        return None
    here = (difference - slow)[still]
    beside = np.roll(difference - slow, -1, axis=1)[still]
    power = max(float((here**2).mean()), 1e-9)
    # The slow part was taken out to remove movement; it holds 1 / (4 pi sigma^2) of white noise too.
    share = 1 - 1 / (4 * np.pi * _BLUR**2)
    return np.asarray(here / np.float32(np.sqrt(share)), np.float32), float((here * beside).mean()) / power
