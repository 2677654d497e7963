"""Where a moment of an edited recording comes from, and where a moment of the source went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the source and the stretch of the output that stands for it; either may have no length.

    Args:
        source_start: Seconds of the source.
        source_end: Seconds of the source.
        start: Seconds of the output.
        end: Seconds of the output.
    """

    source_start: float
    source_end: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class TimeMap:
    """A monotone, piecewise linear map between the times of a source and those of what was made of it.

    Inside an edit that keeps some of both, time runs evenly. What was deleted maps to the cut; what was inserted comes
    from the moment before which it was put. Outside the edits the map only shifts, and is exact both ways.

    Args:
        pieces: Edits in order; they do not overlap on either side.
        source_seconds: Length of the source.
    """

    pieces: tuple[Piece, ...]
    source_seconds: float

    @property
    def seconds(self) -> float:
        """Length of the output."""
        return self.source_seconds + sum((p.end - p.start) - (p.source_end - p.source_start) for p in self.pieces)

    def forward(self, times: ArrayLike) -> Times:
        """Output times of source times; a moment at which something is inserted goes behind it.

        Args:
            times: Seconds of the source, of any shape.
        """
        return _mapped(
            np.asarray(times, np.float64), [(p.source_start, p.source_end, p.start, p.end) for p in self.pieces]
        )

    def inverse(self, times: ArrayLike) -> Times:
        """Source times of output times; a moment at which something was deleted comes from behind it.

        Args:
            times: Seconds of the output, of any shape.
        """
        return _mapped(
            np.asarray(times, np.float64), [(p.start, p.end, p.source_start, p.source_end) for p in self.pieces]
        )

    def edited(self, times: ArrayLike) -> NDArray[np.bool_]:
        """Whether output times lie in a replaced or inserted stretch (start <= t < end).

        Args:
            times: Seconds of the output, of any shape.
        """
        at = np.asarray(times, np.float64)
        inside = np.zeros(at.shape, np.bool_)
        for piece in self.pieces:
            inside |= (at >= piece.start) & (at < piece.end)
        return inside


def _mapped(given: ArrayLike, pieces: list[tuple[float, float, float, float]]) -> Times:
    """Pieces as (from start, from end, to start, to end)."""
    times = np.asarray(given, np.float64)
    out = times.copy()
    for from_start, from_end, to_start, to_end in pieces:
        length = from_end - from_start
        if length > 0:
            share = np.clip((times - from_start) / length, 0.0, 1.0)
            inside = (times >= from_start) & (times < from_end)
            out = np.where(inside, to_start + share * (to_end - to_start), out)
        out = np.where(times >= from_end, times + (to_end - from_end), out)
    return np.asarray(out, np.float64)
