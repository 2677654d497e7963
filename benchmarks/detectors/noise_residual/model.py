"""From deviations of blocks to maps: what stands around a block, a logistic regression, and how a map is pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.detectors.noise_residual.residuals import CELL, NAMES
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Float = NDArray[np.float32]

#: Sides in blocks of the neighbourhoods whose mean is looked at besides the block itself (40 and 72 pixels wide).
AROUND = (3, 7)
#: Deviations beyond this many standard deviations count on top of their linear part, for each side on its own, so that
#: "too noisy" and "too smooth" may both speak for a forgery.
HINGE = 0.7
#: Columns of a block: itself and each neighbourhood, linear and hinged on two sides.
WIDTH = len(NAMES) * (1 + len(AROUND)) * 3
#: Inverse strength of the ridge. With tens of thousands of blocks and under a hundred columns it hardly matters.
RIDGE = 0.1
#: Blocks over which the map is averaged in either direction, and looked-at frames over which it is in time.
SMOOTH = 3
TENSORS = {"weights": "float64", "mean": "float64", "scale": "float64", "bias": "float64"}


def columns(blocks: NDArray[np.floating[Any]]) -> Float:
    """What the regression is given of every block.

    Args:
        blocks: [rows, columns, F] deviations of one frame.

    Returns:
        [rows * columns, WIDTH].
    """
    one = np.ascontiguousarray(blocks, dtype=np.float32)
    parts = [one, *(_mean_around(one, side) for side in AROUND)]
    for part in tuple(parts):
        parts += [np.maximum(part - HINGE, 0), np.maximum(-part - HINGE, 0)]
    return np.concatenate(parts, axis=2).reshape(-1, WIDTH)


def _mean_around(values: Float, side: int) -> Float:
    import cv2

    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32).reshape(values.shape)


@dataclass(frozen=True, slots=True, eq=False)
class BlockModel:
    """A fitted logistic regression.

    Args:
        weights: [WIDTH] of the standardised columns.
        mean: [WIDTH] of the training blocks.
        scale: [WIDTH] of the training blocks, > 0.
        bias: Log-odds of an average block where both classes are equally common.
    """

    weights: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    bias: float

    def log_odds(self, blocks: NDArray[np.floating[Any]]) -> Float:
        """[K, rows, columns, F] deviations to [K, rows, columns] log-odds, smoothed in space and time."""
        slope = (self.weights / self.scale).astype(np.float32)
        start = np.float32(self.bias - float(self.mean @ (self.weights / self.scale)))
        maps = [(columns(frame) @ slope + start).reshape(frame.shape[:2]) for frame in blocks]
        smooth = np.stack([_mean_around(one, SMOOTH) for one in maps])
        padded = np.pad(smooth, ((1, 1), (0, 0), (0, 0)), mode="edge")
        found: Float = (padded[:-2] + padded[1:-1] + padded[2:]) / np.float32(3)
        return found

    def write(self, path: Path) -> None:
        """Write safetensors."""
        from safetensors.numpy import save_file

        save_file({name: np.atleast_1d(np.asarray(getattr(self, name), np.float64)) for name in TENSORS}, path)

    @classmethod
    def read(cls, path: Path) -> BlockModel:
        """Read and check what `write` wrote.

        Raises:
            CmdfdError: With the file and what is wrong.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise CmdfdError(f"{path}: not a safetensors file: {error}") from error
        shapes = {name: [1] if name == "bias" else [WIDTH] for name in TENSORS}
        found = {name: list(array.shape) for name, array in tensors.items()}
        if found != shapes or any(str(array.dtype) != "float64" for array in tensors.values()):
            raise CmdfdError(f"{path}: expected float64 tensors of the shapes {shapes}, got {found}")
        if not all(np.isfinite(array).all() for array in tensors.values()) or (tensors["scale"] <= 0).any():
            raise CmdfdError(f"{path}: a number is not finite, or a scale is not above 0")
        return cls(tensors["weights"], tensors["mean"], tensors["scale"], float(tensors["bias"][0]))


def learn(table: Float, forged: NDArray[np.bool_]) -> BlockModel:
    """Fit the regression with both classes weighted alike.

    Args:
        table: [n, WIDTH] columns of training blocks.
        forged: [n]; both classes.
    """
    from sklearn.linear_model import LogisticRegression

    wide = table.astype(np.float64)
    mean, scale = wide.mean(axis=0), np.maximum(wide.std(axis=0), 1e-3)
    fitted = LogisticRegression(C=RIDGE, max_iter=500, class_weight="balanced").fit((wide - mean) / scale, forged)
    return BlockModel(fitted.coef_[0].astype(np.float64), mean, scale, float(fitted.intercept_[0]))


def frame_scores(log_odds: Float, share: float) -> NDArray[np.float64]:
    """Mean of the highest `share` of the blocks of every frame, at least one block.

    Args:
        log_odds: [K, rows, columns].
        share: Above 0, up to 1.

    Returns:
        [K].
    """
    flat = np.sort(log_odds.reshape(len(log_odds), -1), axis=1)
    count = max(round(share * flat.shape[1]), 1)
    return np.asarray(flat[:, -count:].mean(axis=1, dtype=np.float64))


def clip_score(scores: NDArray[np.float64]) -> float:
    """Mean of the higher half of the frames' scores, so that a stretch of the clip suffices."""
    return float(np.sort(scores)[len(scores) // 2 :].mean())


def to_maps(log_odds: Float, shift: float, height: int, width: int) -> NDArray[np.uint8]:
    """Probabilities of eight bits that cover the whole picture, one value for about every cell.

    Args:
        log_odds: [K, rows, columns] of blocks whose centres lie at `CELL`, 2 * `CELL`, ... pixels.
        shift: Added to the log-odds, so that .5 is the threshold.
        height: Of the picture in pixels.
        width: Of the picture in pixels.

    Returns:
        [K, ceil(height / CELL), ceil(width / CELL)].
    """
    import cv2

    rows, across = -(-height // CELL), -(-width // CELL)
    # centre of every value in pixels, then in blocks; block k has its centre at pixel edge (k + 1) * CELL
    y = ((np.arange(rows) + 0.5) * height / rows / CELL - 1).astype(np.float32)
    x = ((np.arange(across) + 0.5) * width / across / CELL - 1).astype(np.float32)
    grid_x, grid_y = np.meshgrid(x, y)
    found = np.empty((len(log_odds), rows, across), np.uint8)
    for k, one in enumerate(log_odds):
        odds = cv2.remap(one, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found[k] = np.round(255 / (1 + np.exp(-np.clip(odds.astype(np.float64) + shift, -30, 30))))
    return found
