"""High-pass residuals of frames and what blocks of them look like, measured against the frame's own rest.

What is pasted into a picture has another history: another camera's noise, another compression, a resampling, a blur.
High-pass filters take the content away and leave these traces (Fridrich and Kodovsky, "Rich Models for Steganalysis of
Digital Images", IEEE TIFS 7(3), 2012; Cozzolino, Poggi and Verdoliva, "Splicebuster", WIFS 2015). Every number is taken
relative to what the same frame shows elsewhere at like brightness and texture, so that a grainy camera, a strong
compression or a dark room is no evidence by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Float: TypeAlias = "NDArray[np.float32]"

#: Side of a cell in pixels; a block is two by two cells, so blocks of 16 pixels lie every 8 pixels.
CELL = 8
BLOCK = 2 * CELL
#: Pictures must hold this many pixels in both directions: three blocks, or there is no rest to compare with.
MIN_SIDE = 32
#: Frames looked at for each second; a splice of a face or a panel does not come and go faster than it can be seen.
FRAMES_PER_SECOND = 8.0
#: Variance of rounding to whole levels, 1/12: below it a logarithm of energies would only tell the codec's zeros apart.
FLOOR = 1.0 / 12.0
#: Deviations beyond this many robust standard deviations are all the same.
CLIP = 6.0
#: From median absolute deviation to the standard deviation of a normal distribution.
MAD_SCALE = 1.4826
#: Smallest spread by which a feature is divided (logarithms and shares): flat pictures have none of their own.
MIN_SPREAD = 0.1

#: Square filters of the rich models: second order 3 x 3 and the 5 x 5 of Ker and Boehme, scaled to a centre of -1.
_LAPLACE = [[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]
_KER_BOEHME = [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
LAPLACE: Float = np.divide(_LAPLACE, 4, dtype=np.float32)
KER_BOEHME: Float = np.divide(_KER_BOEHME, 12, dtype=np.float32)
SECOND: Float = np.divide([[1, -2, 1]], 2, dtype=np.float32)

NAMES = (
    "laplace energy",
    "ker-boehme energy",
    "chroma energy",
    "temporal energy",
    "temporal against spatial",
    "tail",
    "zeros",
    "correlation across",
    "correlation down",
    "direction",
)
VERSION = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """How many blocks a picture has."""

    rows: int
    columns: int

    @classmethod
    def of(cls, height: int, width: int) -> Grid:
        """Blocks of a picture of this size.

        Raises:
            ValueError: Where it is smaller than `MIN_SIDE`.
        """
        if min(height, width) < MIN_SIDE:
            raise ValueError(f"the picture has {width}x{height} pixels, {MIN_SIDE} are needed in both directions")
        return cls(height // CELL - 1, width // CELL - 1)


def chosen_frames(n_frames: int, fps: float) -> NDArray[np.int64]:
    """Frames that are looked at: evenly spaced, about `FRAMES_PER_SECOND`, the first and the last among them."""
    step = max(round(fps / FRAMES_PER_SECOND), 1)
    count = max(-(-(n_frames - 1) // step) + 1, 1)
    return np.unique(np.round(np.linspace(0, n_frames - 1, count)).astype(np.int64))


def _planes(frame: NDArray[np.uint8]) -> tuple[Float, Float]:
    """Luma [H, W] and chroma [2, H, W] of an RGB frame, 0 to 255."""
    import cv2

    colours = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    return np.ascontiguousarray(colours[..., 0]), np.ascontiguousarray(np.moveaxis(colours[..., 1:], 2, 0))


def _filtered(plane: Float, kernel: Float) -> Float:
    import cv2

    return np.asarray(cv2.filter2D(plane, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _block_means(values: Float) -> Float:
    """[H, W] to the means of blocks [rows, columns]."""
    rows, columns = values.shape[0] // CELL, values.shape[1] // CELL
    cut = values[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    cells = cut.mean(axis=(1, 3), dtype=np.float32)
    found: Float = (cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:]) / np.float32(4)
    return found


def _log(energy: Float) -> Float:
    return np.asarray(np.log(energy + np.float32(FLOOR)), np.float32)


def block_features(frame: NDArray[np.uint8], other: NDArray[np.uint8] | None) -> tuple[Float, Float]:
    """Statistics of the residuals in every block, and what they depend on by nature.

    Args:
        frame: [H, W, 3] RGB.
        other: Its neighbour in time; None where the clip has one frame (the temporal numbers are then 0).

    Returns:
        [rows, columns, F] in the order of `NAMES`, and [rows, columns, 3] brightness (0 to 1), its square, and
        texture (log energy of the middle frequencies).
    """
    import cv2

    luma, chroma = _planes(frame)
    fine, strong = _filtered(luma, LAPLACE), _filtered(luma, KER_BOEHME)
    energy, strong_energy = _block_means(fine * fine), _block_means(strong * strong)
    colour = _block_means(_filtered(chroma[0], LAPLACE) ** 2) + _block_means(_filtered(chroma[1], LAPLACE) ** 2)
    across, down = _filtered(luma, SECOND), _filtered(luma, SECOND.T)
    temporal = np.zeros_like(energy)
    if other is not None:
        moved = _filtered(luma - _planes(other)[0], LAPLACE)
        temporal = _log(_block_means(moved * moved))
    size = np.float32(FLOOR) + strong_energy
    found = [
        _log(energy),
        _log(strong_energy),
        _log(colour),
        temporal,
        temporal - _log(energy) if other is not None else temporal,
        _log(strong_energy) - 2 * np.log(_block_means(np.abs(strong)) + np.float32(FLOOR)),
        _block_means((np.abs(fine) < 0.5).astype(np.float32)),
        _block_means(strong * np.roll(strong, 1, axis=1)) / size,
        _block_means(strong * np.roll(strong, 1, axis=0)) / size,
        _log(_block_means(across * across)) - _log(_block_means(down * down)),
    ]
    smooth = cv2.GaussianBlur(luma, (0, 0), 1.5)
    middle = smooth - cv2.GaussianBlur(smooth, (0, 0), 3.0)
    bright = _block_means(luma) / 255
    return np.stack(found, axis=2), np.stack([bright, bright * bright, _log(_block_means(middle * middle))], axis=2)


def against_the_rest(features: Float, context: Float) -> Float:
    """What is unusual in a block for its frame, in robust standard deviations.

    Every feature is predicted from brightness and texture by a line through all blocks of the frame (least squares,
    then once more without the blocks that are far off), and its rest is divided by the median absolute deviation.

    Args:
        features: [rows, columns, F].
        context: [rows, columns, C].

    Returns:
        [rows, columns, F] in [-`CLIP`, `CLIP`]; 0 in a frame where all blocks are alike.
    """
    shape = features.shape
    table = features.reshape(-1, shape[2]).astype(np.float64)
    design = np.column_stack([np.ones(len(table)), context.reshape(len(table), -1).astype(np.float64)])
    z = _deviations(table, design, np.ones(len(table)))
    near = (np.abs(z).mean(axis=1) < 2).astype(np.float64)
    z = _deviations(table, design, near)
    return np.asarray(np.clip(z, -CLIP, CLIP), np.float32).reshape(shape)


def _deviations(table: NDArray[np.float64], design: NDArray[np.float64], weights: NDArray[np.float64]) -> Any:
    # a little ridge keeps flat pictures, in which brightness and texture do not vary, solvable
    normal = (design * weights[:, None]).T @ design + 1e-6 * len(table) * np.eye(design.shape[1])
    rest = table - design @ np.linalg.solve(normal, (design * weights[:, None]).T @ table)
    rest -= np.median(rest, axis=0)
    spread = MAD_SCALE * np.median(np.abs(rest), axis=0)
    return rest / np.maximum(spread, MIN_SPREAD)


def clip_features(frames: NDArray[np.uint8], fps: float) -> dict[str, NDArray[Any]]:
    """Deviations of all blocks of the chosen frames.

    Args:
        frames: [T, H, W, 3] RGB.
        fps: Frames per second.

    Returns:
        "blocks" [K, rows, columns, F] float16, "index" [K] of the frames, "size" (T, H, W).

    Raises:
        ValueError: For pictures under `MIN_SIDE`.
    """
    n, height, width = frames.shape[:3]
    Grid.of(height, width)
    index = chosen_frames(n, fps)
    found = []
    for i in index:
        other = None if n == 1 else frames[i + 1 if i + 1 < n else i - 1]
        found.append(against_the_rest(*block_features(frames[i], other)).astype(np.float16))
    return {"blocks": np.stack(found), "index": index, "size": np.array([n, height, width])}


def block_shares(mask: NDArray[np.bool_]) -> Float:
    """[H, W] of forged pixels to the share of them in every block, [rows, columns]."""
    return _block_means(mask.astype(np.float32))
