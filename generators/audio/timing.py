"""Which moments of two recordings of the same words belong together, found by listening (dynamic time warping)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from generators.audio.stretch import HOP, WINDOW, spectra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.audio.dsp import Signal

#: The rate of all that is compared here.
RATE = 16000
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 24, 80.0, 7600.0
#: Range of loudness that is told apart, dB below the loudest band value.
_FLOOR_DB = 50.0


def _mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """O'Shaughnessy's mel scale (Speech Communication, 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0))


def _filters() -> NDArray[np.float64]:
    """[bins, bands] triangles, equally wide in mel."""
    bins = _mel(np.arange(WINDOW // 2 + 1) * RATE / WINDOW)
    edges = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), _BANDS + 2)
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None))


def features(samples: Signal) -> NDArray[np.float64]:
    """What is compared: [K, 24] log-mel energies every 8 ms, each band with mean 0 and deviation 1.

    Args:
        samples: [N] at 16 kHz.
    """
    power = np.square(np.abs(spectra(samples))) @ _filters()
    level = 10 * np.log10(np.maximum(power, power.max(initial=1e-12) * 10 ** (-_FLOOR_DB / 10)))
    spread = level.std(axis=0)
    return np.asarray((level - level.mean(axis=0)) / np.where(spread > 1e-6, spread, 1.0))


def match_times(old: Signal, new: Signal) -> NDArray[np.float64]:
    """Times that belong together in two recordings of the same words that begin and end together.

    The new one is first brought to the old one's length as a whole; around that its speed may be between a half and
    twice (Sakoe and Chiba's slope constraint, 1978).

    Args:
        old: [N] at 16 kHz, from the first sound to the last.
        new: [M] at 16 kHz, likewise.

    Returns:
        [K, 2] seconds in the old and in the new one; the first column strictly increasing, the second increasing.
    """
    a, b = features(old), features(new)
    places = np.linspace(0, len(b) - 1, len(a))
    left = np.minimum(places.astype(int), max(len(b) - 2, 0))
    share = (places - left)[:, None]
    fitted = (1 - share) * b[left] + share * b[np.minimum(left + 1, len(b) - 1)]
    path = _best_path(_distances(a, fitted))
    seconds = HOP / RATE
    return np.stack([path[:, 0] * seconds, places[path[:, 1]] * seconds], axis=1)


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[len(a), len(b)] Euclidean distances."""
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None, :] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _best_path(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cheapest way from the first to the last corner by the steps (1, 1), (1, 2) and (2, 1); [K, 2] rows, columns.

    A step of two pays for the moment that it passes, too, so that no step is cheaper by being long.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    step = np.zeros((rows + 1, columns + 1), np.int8)
    for i in range(1, rows + 1):
        here = cost[i - 1]
        options = np.full((3, columns), np.inf)
        options[0] = total[i - 1, :-1] + here
        options[1, 1:] = total[i - 1, :-2] + here[1:] + 0.5 * here[:-1]
        if i > 1:
            options[2] = total[i - 2, :-1] + here + 0.5 * cost[i - 2]
        step[i, 1:] = options.argmin(axis=0)
        total[i, 1:] = options.min(axis=0)
    i, j, found = rows, columns, []
    while i > 0 and j > 0:
        found.append((i - 1, j - 1))
        back = ((1, 1), (1, 2), (2, 1))[int(step[i, j])]
        i, j = i - back[0], j - back[1]
    return np.array(found[::-1], np.int64)
