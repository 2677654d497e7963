"""`floor:container` and the gap between sound and picture, for each fake kind against all reals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detectors.floors import ContainerFloor
from benchmarks.detectors.floors.encoding import encode, learn_encoding
from benchmarks.detectors.floors.trees import grow
from benchmarks.method_floors.crossfit import N_REPEATS, cross_fit
from benchmarks.method_floors.records import Estimate, FloorsReport, MethodFloor, StrongestCue, verdict_of, worse
from cmdfd.audit.measure import CATALOGUE
from cmdfd.audit.views import column_of, ordered_view, views_of
from cmdfd.errors import CmdfdError
from cmdfd.statistics.arrays import as_labels, component_codes
from cmdfd.statistics.bootstrap import bootstrap_auc, reliability
from cmdfd.statistics.permutation import permutation_test_auc
from cmdfd.statistics.roc import auc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueValue

GAP = "time.av_gap"


@dataclass(frozen=True, slots=True)
class MethodRows:
    """Clips with their cheap cues.

    Args:
        cues: Cues of `cmdfd.audit.measure` of each clip; those that are missing count as not measurable.
        labels: 1 = fake, 0 = real.
        kinds: Kind of each clip; what it says of reals is not used.
        components: Connected component over face, voice and sources of each clip.
        platforms: Platform of each clip, "" for originals; empty where all are.
    """

    cues: Sequence[Mapping[str, CueValue]]
    labels: Sequence[int]
    kinds: Sequence[str]
    components: Sequence[str]
    platforms: Sequence[str] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.cues), len(self.labels), len(self.kinds), len(self.components)}
        if len(lengths | ({len(self.platforms)} if self.platforms else set())) != 1:
            raise ValueError("cues, labels, kinds, components and platforms must be of one length")

    def of(self, kind: str) -> MethodRows:
        """The reals and the fakes of one kind; of all kinds for ""."""
        return self._kept([row for row, label in enumerate(self.labels) if label == 0 or kind in ("", self.kinds[row])])

    def on(self, platform: str) -> MethodRows:
        """The clips of one platform, "" for originals."""
        names = self.platforms or [""] * len(self.labels)
        return self._kept([row for row, name in enumerate(names) if name == platform])

    def _kept(self, kept: Sequence[int]) -> MethodRows:
        return MethodRows(
            [self.cues[row] for row in kept],
            [self.labels[row] for row in kept],
            [self.kinds[row] for row in kept],
            [self.components[row] for row in kept],
            [self.platforms[row] for row in kept] if self.platforms else (),
        )

    @property
    def platform_names(self) -> list[str]:
        """Platforms of the clips, originals first."""
        return sorted(set(self.platforms)) if self.platforms else [""]

    @property
    def fake_kinds(self) -> list[str]:
        """Kinds of the fakes, by name."""
        return sorted({kind for kind, label in zip(self.kinds, self.labels, strict=True) if label})


def judge_methods(
    rows: MethodRows,
    train: MethodRows | None = None,
    *,
    train_name: str = "train",
    name: str = "",
    judged: str = "all",
    n_unreadable: int = 0,
    n_repeats: int = N_REPEATS,
    seed: int = 0,
) -> FloorsReport:
    """Judge every fake kind; on every platform by itself where there are several, and there all kinds together first.

    Args:
        rows: What is judged.
        train: Other people's clips, from which the floor is learnt a second time. What tells in one split may be turned
            round in the other (voices of another cast, say), so that neither number can stand for both.
        train_name: What the report calls it.
        name: Of the set.
        judged: Of the split.
        n_unreadable: See `FloorsReport`.
        n_repeats: Partitions of a cross-validation.
        seed: Of trees, folds, draws and rearrangements.

    Raises:
        CmdfdError: Where there is no real or no fake clip, or `train` shares components with `rows`.
    """
    if not rows.fake_kinds or all(rows.labels):
        raise CmdfdError(f"real and fake cannot be compared: {len(rows.labels)} clips, {sum(rows.labels)} of them fake")
    shared = sorted(set(rows.components) & set(train.components)) if train is not None else []
    if shared:
        raise CmdfdError(f"what is learnt from shares {len(shared)} components with what is judged, e.g. {shared[0]}")
    found: list[MethodFloor] = []
    for platform in rows.platform_names:
        here = rows.on(platform)
        if not here.fake_kinds or all(here.labels):
            raise CmdfdError(f"real and fake cannot be compared on {platform or 'originals'}: one of them is missing")
        teacher = _Teacher(train.on(platform) if train is not None else None, train_name, n_repeats)
        together = [""] if rows.platforms and any(rows.platforms) and len(here.fake_kinds) > 1 else []
        for kind in (*together, *here.fake_kinds):
            found.append(_judge(kind, here.of(kind), teacher, seed).model_copy(update={"platform": platform}))
    return FloorsReport(name=name, judged=judged, n_unreadable=n_unreadable, seed=seed, methods=tuple(found))


@dataclass(frozen=True, slots=True)
class _Teacher:
    """From whom the floor learns."""

    train: MethodRows | None
    name: str
    n_repeats: int

    def of(self, kind: str) -> MethodRows | None:
        """Clips of others for a kind, both classes; None where there are none."""
        if self.train is None or not self.train.fake_kinds or all(self.train.labels):
            return None
        if kind not in ("", *self.train.fake_kinds):
            return None
        return self.train.of(kind)


def _judge(kind: str, rows: MethodRows, teacher: _Teacher, seed: int) -> MethodFloor:
    reason = reliability(rows.labels, np.asarray(rows.components)) or ""
    taught = teacher.of(kind)
    floor = _cross_validated(rows, teacher.n_repeats, seed)
    held_out = None if taught is None else _held_out(rows, taught, seed)
    gaps, present = _gaps(rows)
    labels = as_labels(rows.labels)
    gap, longer = _gap(rows, gaps, present, seed)
    return MethodFloor(
        kind=kind,
        n_real=int((~labels).sum()),
        n_fake=int(labels.sum()),
        n_components=len(set(rows.components)),
        floor=floor,
        held_out=held_out,
        learnt_from="" if taught is None else teacher.name,
        gap=gap,
        longer_in_fakes=longer,
        gap_real=_median(gaps[present & ~labels]),
        gap_fake=_median(gaps[present & labels]),
        n_without_gap=int((~present).sum()),
        strongest=strongest_cue(rows),
        reason=reason or ("" if gap.auc is not None else "the gap cannot be measured in both classes"),
        verdict=worse([one.verdict for one in (floor, held_out, gap) if one is not None]),
    )


def _median(values: NDArray[np.float64]) -> float | None:
    return round(float(np.median(values)), 3) if len(values) else None


def learn_and_score(
    train: Sequence[Mapping[str, CueValue]],
    labels: NDArray[np.bool_],
    test: Sequence[Mapping[str, CueValue]],
    seed: int,
) -> NDArray[np.float64]:
    """Grow the trees of `floor:container` on some clips and score others.

    Args:
        train: Cues to learn from.
        labels: Of these, True = fake; both classes.
        test: Cues to score.
        seed: Of the trees.

    Returns:
        [len(test)] log-odds of being fake; all 0 where no cue varies.
    """
    encoding = learn_encoding(train, ContainerFloor.cue_names())
    table, judged = encode(encoding, train), encode(encoding, test)
    varies = (table != table[:1]).any(axis=0)  # what is constant here splits nothing
    if not varies.any():
        return np.zeros(len(test))
    return grow(table[:, varies], labels, seed).log_odds(judged[:, varies])


def strongest_cue(rows: MethodRows) -> StrongestCue | None:
    """The single cue of `floor:container` that separates best, in any of the ways in which the audit looks at it."""
    labels = as_labels(rows.labels)
    index = component_codes(np.asarray(rows.components), len(labels))
    best: StrongestCue | None = None
    for name in ContainerFloor.cue_names():
        column = column_of(name, [row.get(name) for row in rows.cues], CATALOGUE[name].categorical)
        if column.constant:
            continue
        ordered = ordered_view(column, labels, index)
        for view in [*views_of(column, index), *([ordered] if ordered else [])]:
            present = ~np.isnan(view.values)
            if labels[present].all() or not labels[present].any():
                continue
            value = auc(labels[present], view.values[present])
            if best is None or max(value, 1 - value) > best.auc:
                best = StrongestCue(cue=name, auc=max(value, 1 - value))
    return best


def _cross_validated(rows: MethodRows, n_repeats: int, seed: int) -> Estimate:
    labels = as_labels(rows.labels)

    def learner(train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
        given, asked = [rows.cues[row] for row in train], [rows.cues[row] for row in test]
        return learn_and_score(given, labels[train], asked, seed)

    found = cross_fit(learner, labels, np.asarray(rows.components), n_repeats=n_repeats, seed=seed)
    plain, wide = found.interval, found.wide
    testable = plain.unreliable is None and found.auc is not None
    return Estimate(
        auc=found.auc,
        low=plain.low,
        high=plain.high,
        shown_low=wide.low,
        shown_high=wide.high,
        p=None,
        verdict=verdict_of(plain.low, plain.high, wide.low, wide.high, testable),
    )


def _held_out(rows: MethodRows, train: MethodRows, seed: int) -> Estimate:
    """Learnt from other people: one model, so the plain AUC, interval and permutation test hold."""
    scores = learn_and_score(train.cues, as_labels(train.labels), rows.cues, seed)
    return _plain(as_labels(rows.labels), scores, np.asarray(rows.components), seed)


def _plain(labels: NDArray[np.bool_], scores: NDArray[np.float64], components: NDArray[np.str_], seed: int) -> Estimate:
    interval = bootstrap_auc(labels, scores, components, seed=seed)
    low, high = interval.low, interval.high
    return Estimate(
        auc=auc(labels, scores),
        low=low,
        high=high,
        shown_low=low,
        shown_high=high,
        p=permutation_test_auc(labels, scores, components, seed=seed).p,
        verdict=verdict_of(low, high, low, high, interval.unreliable is None),
    )


def _gaps(rows: MethodRows) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """[n] gap in milliseconds, NaN where there is none; [n] whether there is one."""
    values = [row.get(GAP) for row in rows.cues]
    gaps = np.array([np.nan if value is None or isinstance(value, str) else float(value) for value in values])
    return gaps, np.isfinite(gaps)


def _gap(
    rows: MethodRows, gaps: NDArray[np.float64], present: NDArray[np.bool_], seed: int
) -> tuple[Estimate, bool | None]:
    labels = as_labels(rows.labels)[present]
    if len(labels) == 0 or labels.all() or not labels.any():
        nothing: dict[str, None] = dict.fromkeys(("auc", "low", "high", "shown_low", "shown_high", "p"))
        return Estimate(**nothing, verdict="not testable"), None
    value = auc(labels, gaps[present])
    sign = 1.0 if value >= 0.5 else -1.0
    found = _plain(labels, sign * gaps[present], np.asarray(rows.components)[present], seed)
    return found, None if value == 0.5 else sign > 0
