"""What `python -m benchmarks.method_floors --json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The worst first, but for the last one, which stands for itself.
Verdict = Literal["tells", "below chance", "undecided", "at chance", "not testable"]
#: An interval inside these bounds is "at chance" (rule of the house).
CHANCE = (0.35, 0.65)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(_Record):
    """An AUC with its 95 % interval over components.

    Args:
        auc: None where no fake could be compared with any real.
        low: Lower end, None likewise.
        high: Upper end.
        shown_low: Lower end of the interval that must exclude .5 before a cue counts as shown; it is the wider one
            where the floor was cross-validated.
        shown_high: Upper end of that.
        p: Permutation test with components kept whole; None where it cannot be made.
        verdict: What follows.
    """

    auc: float | None
    low: float | None
    high: float | None
    shown_low: float | None
    shown_high: float | None
    p: float | None
    verdict: Verdict


class StrongestCue(_Record):
    """The single cue that separates best on these clips, for people who look for the reason.

    It is the best of many and chosen on what it is judged on, so its AUC is too high; whether there is anything at all
    is for the floors to say.

    Args:
        cue: Its name in `cmdfd.audit`.
        auc: AUC with the direction taken out.
    """

    cue: str
    auc: float


class MethodFloor(_Record):
    """One fake kind against the reals.

    Args:
        kind: Its name; "" for all kinds together, which stands first where the set has platforms.
        platform: The platform whose versions are compared, fakes with reals; "" for originals.
        n_real: Real clips, those that passed a generator's steps without forging among them.
        n_fake: Fake clips.
        n_components: Components.
        floor: `floor:container`: trees on timing, container, geometry, level and silence, cross-validated by component.
        held_out: The same learnt from other people, as a detector would be; None where there are none of this kind.
        learnt_from: Name of the split that those people are in, "" where there is none.
        gap: Rank of the gap between sound and picture alone, its direction taken out (AUC >= .5).
        longer_in_fakes: Direction of the gap: whether sound minus picture is larger in fakes; None for no difference.
        gap_real: Median gap of the reals in milliseconds; None where none can be measured.
        gap_fake: Median gap of the fakes.
        n_without_gap: Clips whose gap cannot be measured; they take no part in `gap`.
        strongest: The single cue that separates best, None where none varies.
        reason: Why it is not testable, "" where it is.
        verdict: The worst of them.
    """

    kind: str
    n_real: int
    n_fake: int
    n_components: int
    floor: Estimate
    held_out: Estimate | None
    learnt_from: str
    gap: Estimate
    longer_in_fakes: bool | None
    gap_real: float | None
    gap_fake: float | None
    n_without_gap: int
    strongest: StrongestCue | None
    reason: str
    verdict: Verdict
    platform: str = ""


class FloorsReport(_Record):
    """All kinds of a set.

    Args:
        schema_version: Version of this format.
        name: Name of the set.
        judged: Split, or "all".
        n_unreadable: Clips whose file cannot be read; they count as clips of which nothing can be measured.
        seed: Seed.
        methods: One for each kind, and for each platform where there are several; originals first.
    """

    schema_version: Literal[2] = 2
    name: str
    judged: str
    n_unreadable: int
    seed: int
    methods: tuple[MethodFloor, ...]


def verdict_of(
    low: float | None, high: float | None, shown_low: float | None, shown_high: float | None, testable: bool
) -> Verdict:
    """What an interval says.

    Args:
        low: Of the interval.
        high: Of the interval.
        shown_low: Of the interval that must exclude .5.
        shown_high: Of that.
        testable: Whether there are enough components.
    """
    if not testable or low is None or high is None or shown_low is None or shown_high is None:
        return "not testable"
    if CHANCE[0] <= low and high <= CHANCE[1]:
        return "at chance"
    if shown_low > 0.5:
        return "tells"
    return "below chance" if shown_high < 0.5 else "undecided"


def worse(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of several verdicts; "not testable" where any is."""
    order: tuple[Verdict, ...] = ("not testable", "tells", "below chance", "undecided", "at chance")
    return min(verdicts, key=order.index)
