"""The strict temporal metrics a second time: from their definitions, in loops, and with fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from temporal_cases import Case

#: Times are read to this many digits, so that 0.4 is two fifths.
DIGITS = 6
THRESHOLDS = [Fraction(k, 100) for k in range(50, 100, 5)]


def exact(number: float) -> Fraction:
    return (
        Fraction(round(number, 9)).limit_denominator(10**9)
        if number != round(number, DIGITS)
        else Fraction(str(round(number, DIGITS)))
    )


def iou(a: list[float], b: list[float]) -> Fraction:
    a0, a1, b0, b1 = (exact(x) for x in (*a, *b))
    shared = min(a1, b1) - max(a0, b0)
    return max(shared, Fraction(0)) / ((a1 - a0) + (b1 - b0) - max(shared, Fraction(0)))


def ranked(part: list[list[float]]) -> list[list[float]]:
    return sorted(part, key=lambda row: (-row[0], row[1], row[2]))


def hit(value: Fraction, threshold: Fraction, rule: str) -> bool:
    return value >= threshold if rule == ">=" else value > threshold


def matched(case: Case, threshold: Fraction, rule: str, by: str) -> list[tuple[float, bool]]:
    """Confidence and whether it is a hit, of every proposal."""
    rows = []
    for truth, given in zip(case["truth"], case["proposals"], strict=True):
        stretches, proposals = sorted(truth), ranked(given)
        free = set(range(len(stretches)))
        taken: set[int] = set()
        if by == "score":
            for p, (_, *part) in enumerate(proposals):
                able = [(-iou(stretches[t], part), t) for t in free if hit(iou(stretches[t], part), threshold, rule)]
                if able:
                    free.remove(min(able)[1])
                    taken.add(p)
        else:
            for stretch in stretches:
                for p, (_, *part) in enumerate(proposals):
                    if p not in taken and hit(iou(stretch, part), threshold, rule):
                        taken.add(p)
                        break
        rows += [(row[0], p in taken) for p, row in enumerate(proposals)]
    return rows


def ap(case: Case, threshold: Fraction, rule: str = ">=", by: str = "score", interpolation: str = "voc2011") -> float:
    rows = matched(case, threshold, rule, by)
    total = sum(map(len, case["truth"]))
    points = [(Fraction(0), Fraction(0))]  # recall, precision after each distinct confidence
    for level in sorted({c for c, _ in rows}, reverse=True):
        above = [found for c, found in rows if c >= level]
        points.append((Fraction(sum(above), total), Fraction(sum(above), len(above))))
    points.append((Fraction(1), Fraction(0)))
    if interpolation == "voc2011":
        points = [(r, max(q for s, q in points[i:])) for i, (r, _) in enumerate(points)]
    return float(sum((b[0] - a[0]) * b[1] for a, b in pairwise(points)))


def ar(case: Case, number: int) -> float:
    hits, total = 0, 0
    for truth, given in zip(case["truth"], case["proposals"], strict=True):
        for stretch in truth:
            total += len(THRESHOLDS)
            best = max((iou(stretch, row[1:]) for row in ranked(given)[:number]), default=Fraction(0))
            hits += sum(best >= t for t in THRESHOLDS)
    return hits / total


def ar_an(case: Case, number: int) -> float:
    forged = [(t, ranked(p)) for t, p in zip(case["truth"], case["proposals"], strict=True) if t]
    ratio = Fraction(number * len(forged), max(sum(len(p) for _, p in forged), 1))
    cut = {"truth": [t for t, _ in forged], "proposals": [p[: int(len(p) * ratio)] for _, p in forged]}
    return ar(cut, 10**9)
