"""Masks over frames: what is forged in a clip, and what the detector marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.spatial_counts import CALLED_FROM
from benchmarks.report.timeline import plain
from cmdfd.report.blocks import Figure
from cmdfd.report.plots import MarkedFrame, overlay_plot
from cmdfd.report.text import clean, percent, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Clips of a report, so that the page stays small.
MOST_MARKED = 6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MarkedItem:
    """A clip with its maps.

    Args:
        title: Name of the clip for people.
        kind: "real" or the fake kind.
        detector: Label.
        score: Of the clip, None where it could not be scored.
        frames: [n, h, w, 3] uint8 RGB, a few frames.
        times: [n] seconds of each.
        heat: [n, a, b] uint8 maps of the picture's shape.
        truth: [n, h, w] bool, all False where no pixel is forged; None where nobody knows.
    """

    title: str
    kind: str
    detector: str
    score: float | None
    frames: NDArray[np.uint8]
    times: NDArray[np.float64]
    heat: NDArray[np.uint8]
    truth: NDArray[np.bool_] | None


def mark_figures(items: Sequence[MarkedItem]) -> list[Figure]:
    """Pictures of the first `MOST_MARKED` clips."""
    return [
        Figure(
            alt=f"{clean(item.title)}: {plural(len(item.frames), 'frame')} with the truth outlined and the map of "
            f"{clean(item.detector)} over them. {_caption(item)}",
            svg=overlay_plot(
                [
                    MarkedFrame(
                        float(time), item.frames[i], item.heat[i], None if item.truth is None else item.truth[i]
                    )
                    for i, time in enumerate(item.times)
                ]
            ),
            title=clean(item.title) or clean(item.kind),
            caption=_caption(item),
            wide=True,
        )
        for item in items[:MOST_MARKED]
    ]


def _caption(item: MarkedItem) -> str:
    score = f" Score of the clip: {plain(item.score)}." if item.score is not None and np.isfinite(item.score) else ""
    called = _called(item)
    if item.truth is None:
        return (
            f"Which pixels are forged is not known here; {percent(float(called.mean()))} of them are called so.{score}"
        )
    if not item.truth.any():
        area = percent(float(called.mean()))
        return f"No pixel is forged here; in these frames {area} of the picture is called forged.{score}"
    found, false = float(called[item.truth].mean()), float(called[~item.truth].mean()) if not item.truth.all() else 0.0
    return (
        f"In these frames {percent(found)} of the forged pixels are called forged, and {percent(false)} of the "
        f"others.{score}"
    )


def _called(item: MarkedItem) -> NDArray[np.bool_]:
    """Which pixels of the frames are called forged, at the size of the picture."""
    from benchmarks.metrics.spatial_counts import fitted

    shape = (item.frames.shape[1], item.frames.shape[2])
    found: NDArray[np.bool_] = np.stack([fitted(one, shape) >= CALLED_FROM for one in item.heat])
    return found
