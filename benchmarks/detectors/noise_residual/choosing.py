"""What is chosen on the selection split: where .5 of the map lies, how a frame is pooled, when a frame is forged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detectors.noise_residual.model import clip_score, frame_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Shares of the blocks of a frame that may make its score: a mouth to a panel.
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
#: Taken where the selection split lacks a class.
USUAL_SHARE = 0.1
#: Cuts of the log-odds that are tried for the map's .5.
CUTS = np.linspace(-6.0, 6.0, 121)


@dataclass(frozen=True, slots=True)
class Choices:
    """Thresholds of a fitted detector.

    Args:
        cut: Log-odds of a block from which on it is called forged.
        share: Share of a frame's blocks whose mean is the frame's score.
        frame_threshold: Score from which on a frame is called forged; None where it could not be chosen.
        chosen_on: What was there to choose on, in words.
    """

    cut: float
    share: float
    frame_threshold: float | None
    chosen_on: str


@dataclass(slots=True)
class Evidence:
    """What the selection split says, collected clip by clip."""

    f1: list[NDArray[np.float64]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    pooled: list[dict[float, float]] = field(default_factory=list)
    frame_labels: list[NDArray[np.bool_]] = field(default_factory=list)
    frames: list[dict[float, NDArray[np.float64]]] = field(default_factory=list)

    def add(
        self,
        log_odds: NDArray[np.float32],
        label: int,
        truth: NDArray[np.float32] | None,
        forged_frames: NDArray[np.bool_] | None,
    ) -> None:
        """Take in one clip.

        Args:
            log_odds: [K, rows, columns].
            label: 1 = its picture is forged.
            truth: [K, rows, columns] share of forged pixels, None where unknown.
            forged_frames: [K], None where unknown.
        """
        by_share = {share: frame_scores(log_odds, share) for share in SHARES}
        self.labels.append(label)
        self.pooled.append({share: clip_score(scores) for share, scores in by_share.items()})
        if truth is not None and (truth >= 0.5).any():
            self.f1.append(f1_by_cut(log_odds, truth >= 0.5))
        if forged_frames is not None:
            self.frame_labels.append(forged_frames)
            self.frames.append(by_share)

    def choose(self, train_share: float) -> Choices:
        """Best F1 of the map, best AUC of the clips, best balanced accuracy of the frames, in this order.

        Args:
            train_share: Share of forged blocks among all of the training clips; sets the cut where no selection clip
                has a mask.
        """
        from cmdfd.statistics.roc import auc, best_threshold

        said = f"{len(self.labels)} clips, {len(self.f1)} of them with a mask"
        cut = float(np.log((1 - train_share) / train_share))
        if self.f1:
            cut = float(CUTS[int(np.argmax(np.mean(self.f1, axis=0)))])
        share = USUAL_SHARE
        if set(self.labels) == {0, 1}:
            y = np.array(self.labels)
            share = max(SHARES, key=lambda one: auc(y, np.array([scores[one] for scores in self.pooled])))
        threshold = None
        units = np.concatenate(self.frame_labels) if self.frame_labels else np.empty(0, dtype=bool)
        if units.any() and not units.all():
            threshold = best_threshold(units, np.concatenate([scores[share] for scores in self.frames]))
        return Choices(cut, share, threshold, said)


def f1_by_cut(log_odds: NDArray[np.float32], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean F1 of the frames with forged blocks, for each of `CUTS`.

    Args:
        log_odds: [K, rows, columns].
        truth: [K, rows, columns], some block forged.
    """
    kept = truth.any(axis=(1, 2))
    found = np.zeros(len(CUTS))
    for odds, real in zip(log_odds[kept], truth[kept], strict=True):
        place = np.searchsorted(CUTS, odds.ravel(), side="right")  # called forged by the first `place` cuts
        by_place = np.stack([np.bincount(place[real.ravel() == kind], minlength=len(CUTS) + 1) for kind in (0, 1)])
        above = by_place[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
        found += 2 * above[1] / (above[1] + above[0] + real.sum())
    return np.asarray(found / kept.sum())
