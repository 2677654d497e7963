"""A system on one set of a board: AUC, EER, margin, kinds and platforms, all from one set of draws.

Every set is drawn for itself: the seed of its draws is made of the rules' seed and the set's name (`set_seed`), so that
sets with equally many components are not drawn alike by accident, and a set that is added changes nothing of the
others. Within a set all systems, kinds and platforms share the draws (paired bootstrap over components, see
`cmdfd.statistics.bootstrap`); a draw without a clip of a kind or platform has no value for that and is left out there.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.bootstrap import ComponentDraws, class_components, draw_components, interval_of, reliability
from cmdfd.statistics.pairs import ComponentPairs
from leaderboards.standings import Number, SetScore, Slice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from leaderboards.entries import Answers, Truth
    from leaderboards.records import Rules
    from leaderboards.standings import Domain


def set_seed(seed: int, name: str) -> int:
    """Seed of the draws of one set.

    Args:
        seed: The rules' seed.
        name: "NAME/SPLIT".

    Returns:
        Below 2^63.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True, slots=True)
class Certainty:
    """What an interval is made with.

    Args:
        level: Nominal coverage.
        components: Components of the class that has fewer of them, as of `class_components`.
        doubt: Why the interval should not be trusted, or "".
    """

    level: float
    components: int
    doubt: str

    @classmethod
    def of(cls, labels: NDArray[np.bool_], components: NDArray[np.str_], level: float) -> Certainty:
        """Of some clips with both classes."""
        return cls(level, class_components(labels, components), reliability(labels, components) or "")

    def number(self, value: float, draws: NDArray[np.float64]) -> Number:
        """A value with its interval.

        Args:
            value: NaN = undefined.
            draws: [B].
        """
        if math.isnan(value):
            return Number(None, doubt=self.doubt or "undefined")
        found = interval_of(draws, self.level, self.components, self.doubt or None)
        return Number(float(value), found.low, found.high, found.unreliable or "")


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Clips of a kind or a platform, with the reals that they are held against."""

    name: str
    n_real: int
    n_fake: int
    certainty: Certainty
    kept: NDArray[np.bool_]
    pairs: ComponentPairs | None

    def slice(self, auc: Number) -> Slice:
        return Slice(self.name, self.n_real, self.n_fake, auc)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What ranking needs of a system on a set.

    Args:
        score: Everything that is shown.
        draws: [B] AUC in every draw; None where the set has one class only.
    """

    score: SetScore
    draws: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True, eq=False)
class Arena:
    """One set of a board, drawn and ready to judge any number of systems; made by `of`.

    Args:
        name: "NAME/SPLIT".
        labels: [n] True = fake.
        n_components: Components.
        components: Their names.
        certainty: Of the pooled AUC.
        pairs: None where a class is missing.
        kinds: Fake kinds, by name.
        platforms: Originals first, then by name; empty where there are originals only.
        seed: Seed of the draws.
        n_draws: Draws.
    """

    name: str
    labels: NDArray[np.bool_]
    n_components: int
    components: frozenset[str]
    certainty: Certainty
    pairs: ComponentPairs | None
    kinds: tuple[_Part, ...]
    platforms: tuple[_Part, ...]
    seed: int
    n_draws: int

    @classmethod
    def of(cls, truth: Truth, rules: Rules) -> Arena:
        """Draw a set.

        Args:
            truth: What the board knows of it.
            rules: Its rules.
        """
        table = truth.table
        labels = table["label"].to_numpy(np.int64) == 1
        components, kinds, platforms = (table[name].to_numpy(dtype=str) for name in ("component", "kind", "platform"))
        seed = set_seed(rules.seed, truth.set.name)
        maker = _Maker(labels, components, draw_components(components, rules.draws, seed, labels), rules.level)
        names, codes = np.unique(kinds[labels], return_inverse=True)
        parts = np.zeros(len(labels), dtype=np.intp)
        parts[labels] = codes.reshape(-1)
        whole = np.ones_like(labels)
        sent = sorted(set(platforms.tolist()))
        return cls(
            name=truth.set.name,
            labels=labels,
            n_components=len(set(components.tolist())),
            components=frozenset(components.tolist()),
            certainty=maker.certainty(whole),
            pairs=maker.pairs(whole, parts),
            kinds=tuple(maker.part(str(kind), ~labels | (kinds == kind), apart=False) for kind in names),
            platforms=tuple(maker.part(name, platforms == name, apart=True) for name in sent) if any(sent) else (),
            seed=seed,
            n_draws=rules.draws,
        )

    def judge(self, answers: Answers, domain: Domain, floor: Scored | None = None) -> Scored:
        """Judge one system.

        Args:
            answers: What it said, in the order of the truth.
            domain: Whether it was trained on this set.
            floor: The metadata-only floor on this set.
        """
        scores = worst_case(self.labels, answers.scores)
        auc, kinds, drawn, eer = self._pooled(scores)
        trimmed = None
        if answers.trimmed is not None and self.pairs is not None:
            cut = self.pairs.aucs(worst_case(self.labels, answers.trimmed))
            trimmed = self.certainty.number(float(cut.values[-1]), cut.draws[-1])
        score = SetScore(
            set=self.name,
            domain=domain,
            n_real=int((~self.labels).sum()),
            n_fake=int(self.labels.sum()),
            n_failed=int(np.isnan(answers.scores).sum()),
            n_components=self.n_components,
            auc=auc,
            eer=eer,
            margin=self._margin(auc, drawn, floor),
            trimmed=trimmed,
            kinds=kinds,
            platforms=tuple(part.slice(_apart(part, scores)) for part in self.platforms),
        )
        return Scored(score, drawn)

    def _pooled(
        self, scores: NDArray[np.float64]
    ) -> tuple[Number, tuple[Slice, ...], NDArray[np.float64] | None, Number]:
        if self.pairs is None:
            nothing = Number(None, doubt=self.certainty.doubt)
            return nothing, tuple(part.slice(nothing) for part in self.kinds), None, nothing
        found, eer = self.pairs.aucs(scores), self.pairs.eer(scores)
        kinds = tuple(
            part.slice(part.certainty.number(float(value), draws))
            for part, value, draws in zip(self.kinds, found.values[:-1], found.draws[:-1], strict=True)
        )
        pooled = self.certainty.number(float(found.values[-1]), found.draws[-1])
        return pooled, kinds, found.draws[-1], self.certainty.number(eer.value, eer.draws)

    def _margin(self, auc: Number, drawn: NDArray[np.float64] | None, floor: Scored | None) -> Number | None:
        if floor is None or floor.draws is None or drawn is None:
            return None
        if auc.value is None or floor.score.auc.value is None:
            return None
        return self.certainty.number(auc.value - floor.score.auc.value, drawn - floor.draws)


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    """Makes what an arena is made of, for any part of its clips."""

    labels: NDArray[np.bool_]
    components: NDArray[np.str_]
    draws: ComponentDraws
    level: float

    def certainty(self, kept: NDArray[np.bool_]) -> Certainty:
        labels = self.labels[kept]
        if labels.all() or not labels.any():
            lacking = "no clips" if len(labels) == 0 else "no reals" if labels.all() else "no fakes"
            return Certainty(self.level, 0, f"undefined: there are {lacking} among the {len(labels)} clips")
        return Certainty.of(labels, self.components[kept], self.level)

    def pairs(self, kept: NDArray[np.bool_], parts: NDArray[np.intp] | None = None) -> ComponentPairs | None:
        labels = self.labels[kept]
        if labels.all() or not labels.any():
            return None
        draws = ComponentDraws(self.draws.multiplicities, self.draws.index[kept])
        return ComponentPairs.of(labels, draws, None if parts is None else parts[kept])

    def part(self, name: str, kept: NDArray[np.bool_], *, apart: bool) -> _Part:
        labels = self.labels[kept]
        return _Part(
            name=name,
            n_real=int((~labels).sum()),
            n_fake=int(labels.sum()),
            certainty=self.certainty(kept),
            kept=kept,
            pairs=self.pairs(kept) if apart else None,
        )


def _apart(part: _Part, scores: NDArray[np.float64]) -> Number:
    if part.pairs is None:
        return Number(None, doubt=part.certainty.doubt)
    found = part.pairs.aucs(scores[part.kept])
    return part.certainty.number(float(found.values[-1]), found.draws[-1])


def worst_case(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores in which a failed clip (NaN) is the worst of its class, as in `benchmarks.columns`.

    Args:
        labels: [n] True = fake.
        scores: [n]; NaN = failed.

    Raises:
        ValueError: For another length.
    """
    if scores.shape != labels.shape:
        raise ValueError(f"{len(labels)} clips need {len(labels)} scores, got {scores.shape}")
    return np.where(np.isnan(scores), np.where(labels, -np.inf, np.inf), scores)


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """A mean over sets, draw by draw.

    Args:
        number: With its interval.
        draws: [B]; None where there is no value.
    """

    number: Number
    draws: NDArray[np.float64] | None


def mean_over_sets(
    arenas: Mapping[str, Arena], values: Mapping[str, float], draws: Mapping[str, NDArray[np.float64]], level: float
) -> Mean:
    """Mean over sets with its interval; the sets are drawn independently of each other.

    The interval is as wide as that of the set with the fewest components asks for; doubts of any set are doubts of it.

    Args:
        arenas: The board's sets.
        values: Set -> value.
        draws: Set -> [B]; the same sets.
        level: Nominal coverage.
    """
    if not values:
        return Mean(Number(None, doubt="undefined: there is no set to take it over"), None)
    doubts = [f"{name}: {arenas[name].certainty.doubt}" for name in values if arenas[name].certainty.doubt]
    shared = _shared([arenas[name].components for name in values])
    if shared:
        doubts.append(f"{shared} components stand in more than one set and are drawn as if they were others")
    drawn: NDArray[np.float64] = np.mean([draws[name] for name in values], axis=0)
    fewest = min(arenas[name].certainty.components for name in values)
    certainty = Certainty(level, fewest, "; ".join(doubts))
    return Mean(certainty.number(math.fsum(values.values()) / len(values), drawn), drawn)


def _shared(sets: list[frozenset[str]]) -> int:
    return sum(map(len, sets)) - len(frozenset().union(*sets)) if len(sets) > 1 else 0
