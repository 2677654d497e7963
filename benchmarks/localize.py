"""Where a detector sees the forgery, against where it is: in time, and in the picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.columns import BOOTSTRAP_DRAWS
from benchmarks.detector import ScoredSegment
from benchmarks.pixels import NOT_SOUGHT
from benchmarks.predictions import KEY
from benchmarks.proposing import stretches
from benchmarks.results import Localization
from cmdfd.clip import Modality, Segment

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.metrics.localization import Pooling
    from benchmarks.metrics.spatial_counts import PixelCounts
    from benchmarks.results import Estimate

NO_STRETCHES = "no clip has a forged stretch"
NO_MASKS = "no clip has a mask"
MASKS_ABSENT = "this copy of the set came without its folder masks/"
SILENT = "the detector gives no scores over time"
UNNAMED = "the detector names no stretches and gives no scores over time"
NO_MAPS = "the detector gives no maps"


@dataclass(frozen=True, slots=True, eq=False)
class ClipPixels:
    """What the maps of one clip came to.

    Args:
        truth: "mask", "empty", "unknown" or "absent", see `benchmarks.pixels.truth_kind`.
        counts: None where the truth is unknown or absent.
        twin: [2, 256] what the map of its real twin came to under the same mask; None where there is no such control.
        no_twin: Why not, for a clip that has a mask.
    """

    truth: str
    counts: PixelCounts | None
    twin: NDArray[np.int64] | None = None
    no_twin: str = ""


#: Key of a row of the predictions table -> what its maps came to.
PixelTable = Mapping[tuple[str, ...], ClipPixels]


def pixel_table(rows: Iterable[Mapping[str, Any]]) -> PixelTable:
    """Index the rows of `pixels.parquet`."""
    from benchmarks.pixels import counts_of, twin_of

    return {
        tuple(str(row[name]) for name in KEY): ClipPixels(
            str(row["truth"]), counts_of(row), twin_of(row), str(row["no_twin"] or "")
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True, eq=False)
class Localizer:
    """Judges one detector on any part of the predictions table.

    Args:
        names_stretches: Whether stretches can be asked of the detector: it names some anywhere, or gives scores over
            time of which they are made.
        rule: How they are made of scores, "" where the detector's own count.
        gives_scores: Whether it gives scores over time for any clip.
        pixels: What its maps came to; empty where it gives none.
        seed: Seed of the draws.
        n_draws: Draws behind every interval.
    """

    names_stretches: bool
    rule: str
    gives_scores: bool
    pixels: PixelTable
    seed: int
    n_draws: int = BOOTSTRAP_DRAWS

    def judge(self, table: pd.DataFrame) -> Localization:
        """Judge the clips of some rows, which are all of this detector.

        Args:
            table: Rows of the predictions table under one condition.
        """
        forged = [segments_of(row) for row in table["true_segments"]]
        absent: dict[str, str] = {}
        counts = [self.pixels.get(key) for key in _keys(table)]
        any_forged = any(forged)
        partial = sum(
            bool(spans) and not _whole(spans, float(duration))
            for spans, duration in zip(forged, table["duration"], strict=True)
        )
        return Localization(
            frame_auc=self._frames(table, forged) if _may(absent, "frame_auc", any_forged, self.gives_scores) else None,
            temporal=self._stretches(table, forged)
            if _may(absent, "temporal", any_forged, self.names_stretches)
            else None,
            pixel=self._pixels(table, counts, absent),
            absent=absent,
            proposal_rule=self.rule,
            n_forged=sum(map(bool, forged)),
            n_partial=partial,
            n_masked=sum(one is not None and one.truth == "mask" for one in counts),
            n_without_maps=sum(one is not None and one.counts is not None and one.counts.failed for one in counts),
        )

    def _frames(self, table: pd.DataFrame, forged: list[tuple[Segment, ...]]) -> dict[str, Estimate]:
        from benchmarks.metrics.localization import frame_auc

        times, scores = (list(map(_array, table[name])) for name in ("times", "frame_scores"))
        components = table["component"].to_numpy(dtype=str)
        poolings: tuple[Pooling, ...] = ("pooled", "within_clip")
        return {
            pooling: frame_auc(times, scores, forged, components, pooling=pooling, n_draws=self.n_draws, seed=self.seed)
            for pooling in poolings
        }

    def _stretches(self, table: pd.DataFrame, forged: list[tuple[Segment, ...]]) -> dict[str, Estimate]:
        from benchmarks.metrics.temporal import evaluate_temporal

        names = ["segments", "proposals", "proposal_rule"]
        rows = [dict(zip(names, row, strict=True)) for row in table[names].itertuples(index=False, name=None)]
        failed = table["score"].isna()
        proposals = [None if gone else _scored(stretches(row)) for row, gone in zip(rows, failed, strict=True)]
        components = table["component"].to_numpy(dtype=str)
        return evaluate_temporal(forged, proposals, components, n_draws=self.n_draws, seed=self.seed)

    def _pixels(
        self, table: pd.DataFrame, found: list[ClipPixels | None], absent: dict[str, str]
    ) -> dict[str, Estimate] | None:
        from benchmarks.metrics.spatial import evaluate_pixels

        if not any(one is not None for one in found):
            absent["pixel"] = NO_MAPS
            return None
        if not any(one is not None and one.truth == "mask" for one in found):
            left = any(one is not None and one.truth == "absent" for one in found)
            absent["pixel"] = MASKS_ABSENT if left else NO_MASKS
            return None
        counts = [one.counts if one is not None else None for one in found]
        twins = [one.twin if one is not None else None for one in found]
        if all(twin is None for twin in twins):
            absent["pixel_twin"] = _commonest(one.no_twin for one in found if one is not None and one.no_twin)
        labels, components = table["label"].to_numpy(np.int64), table["component"].to_numpy(dtype=str)
        return evaluate_pixels(
            counts,
            labels,
            components,
            twins=None if "pixel_twin" in absent else twins,
            n_draws=self.n_draws,
            seed=self.seed,
        )


def localizers(predictions: pd.DataFrame, pixels: PixelTable | None, seed: int) -> dict[str, Localizer]:
    """One for each detector of a table.

    Args:
        predictions: The whole table of a run: what a detector can tell is read off everything that it said.
        pixels: What predicted maps came to.
        seed: Seed of the draws.
    """
    found = {}
    for detector, rows in predictions.groupby("detector", sort=False):
        rules = sorted(set(rows["proposal_rule"]) - {""})
        own = any(value is not None and len(value) for value in rows["segments"])
        found[str(detector)] = Localizer(
            names_stretches=own or bool(rules),
            rule=rules[0] if rules else "",
            gives_scores=any(_array(value) is not None for value in rows["frame_scores"]),
            pixels={key: value for key, value in (pixels or {}).items() if key[0] == detector},
            seed=seed,
        )
    return found


def segments_of(spans: Iterable[Mapping[str, Any]] | None) -> tuple[Segment, ...]:
    """Stretches of a column of the table."""
    return tuple(
        Segment(one["start"], one["end"], Modality(one["modality"])) for one in (() if spans is None else spans)
    )


def _scored(spans: Iterable[Mapping[str, Any]]) -> tuple[ScoredSegment, ...]:
    return tuple(ScoredSegment(segment, float(one["confidence"])) for one in spans for segment in segments_of([one]))


def _commonest(reasons: Iterable[str]) -> str:
    """What is said most often; of several the first by name."""
    counted = Counter(reasons)
    return min(counted, key=lambda reason: (-counted[reason], reason), default=NOT_SOUGHT)


def _array(value: Any) -> Any:
    """A list column's entry, None where it is missing or empty."""
    return value if isinstance(value, list | tuple | np.ndarray) and len(value) else None


def _keys(table: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(map(str, key)) for key in table[list(KEY)].itertuples(index=False, name=None)]


def _may(absent: dict[str, str], name: str, forged: bool, able: bool) -> bool:
    """Whether something can be judged; why not goes into `absent`."""
    if not forged:
        absent[name] = NO_STRETCHES
    elif not able:
        absent[name] = SILENT if name == "frame_auc" else UNNAMED
    return forged and able


def _whole(spans: tuple[Segment, ...], duration: float) -> bool:
    """Whether nothing of a clip is unforged, but for less than a frame at 25 per second at either end."""
    reach = 0.0
    for span in sorted(spans, key=lambda one: one.start):
        if span.start > reach + 0.04:
            return False
        reach = max(reach, span.end)
    return reach >= duration - 0.04
