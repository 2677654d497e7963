"""What the pages say of records in plain English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.report.text import NOTHING, interval, plural

if TYPE_CHECKING:
    from leaderboards.records import Rules, Submission
    from leaderboards.standings import SetScore, Standing

STATES = {
    "verified": "verified",
    "self-reported": "self-reported",
    "withdrawn": "withdrawn",
}
STATE_MEANINGS = {
    "verified": "a maintainer says to have run the system again and got these predictions; its page says who",
    "self-reported": "the predictions are the submitter's, nobody ran it again; the numbers are recomputed here",
    "withdrawn": "taken back; listed for the record and never ranked",
}
#: Mark of ranked systems that are not shown to find more than the metadata floor.
NOT_ABOVE = "not above the floor"
DOMAINS = {"in": "in-set", "cross": "cross-set", "unknown": "not declared"}
DOMAIN_MEANINGS = {
    "in": "the system was trained or selected on this set",
    "cross": "the system was neither trained nor selected on this set",
    "unknown": "the system does not say what it was trained on",
}
FAMILIES = {"temporal": "In time: stretches", "frame": "In time: frames", "pixel": "In the picture: pixels"}
#: Names of `leaderboards.localization` as people say them; AP@IoU and AR@n stay as they are.
METRICS = {
    "temporal/score": "challenge score (mean of AP and AR)",
    "frame/pooled": "AUC over all frames",
    "frame/within_clip": "AUC inside a clip",
    "pixel/auc": "AUC over the pixels of a clip",
    "pixel/auc_pooled": "AUC over all pixels",
    "pixel/best_f1": "F1 at its best threshold",
    "pixel/patch_auc": "AUC over the patches of a clip",
    "pixel/false_positive_area": "area called forged where nothing is (lower is better)",
    "pixel/auc_twin": "AUC of the real twin's map",
    "pixel/auc_gain": "AUC above that of the real twin's map",
}


def modalities(submission: Submission) -> str:
    """What the system looks at, e.g. "audio + video"."""
    return " + ".join(sorted(set(submission.system.modalities)))


def rank(row: Standing) -> str:
    """Rank with its interval, e.g. "2 (1–4)"; "–" where there is none."""
    if row.rank is None:
        return NOTHING
    return f"{row.rank} {rank_ends(row)}".strip()


def rank_ends(row: Standing) -> str:
    """The interval of the rank in brackets, or nothing."""
    if row.rank_low is None or row.rank_high is None:
        return ""
    return f"({row.rank_low}–{row.rank_high})" if row.rank_low != row.rank_high else f"({row.rank_low})"


def unranked(row: Standing) -> str:
    """Why a system has no rank, as a phrase."""
    return "" if row.ranked else row.why_unranked or "no reason was given"


def size(n_parameters: int | None) -> str:
    """Number of parameters as people say it.

    >>> size(None), size(0), size(950), size(12_300), size(86_000_000), size(1_500_000_000)
    ('–', '0', '950', '12 k', '86 M', '1.5 G')
    """
    if n_parameters is None:
        return NOTHING
    for unit, step in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n_parameters >= step:
            value = n_parameters / step
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    return str(n_parameters)


def version(platform: str) -> str:
    """Name of a platform; clips as they were made have none."""
    return platform or "originals"


def metric(name: str) -> str:
    """Plain name of a localization metric."""
    return METRICS.get(name) or name.partition("/")[2].replace("_", " ").replace("f1@", "F1@").replace("iou@", "IoU@")


def not_above(row: Standing) -> str:
    """Why a ranked system is not shown to find more than the metadata floor, as a phrase; "" where it is."""
    margin = row.margin
    if not row.ranked or margin is None or margin.low is None or margin.high is None or margin.low > 0:
        return ""
    ends = interval(margin.low, margin.high, signed=True)
    return (
        f"the interval of its margin over the metadata floor, {ends}, {'holds' if margin.high >= 0 else 'lies below'} 0"
    )


def failed(score: SetScore) -> str:
    """How many clips have no score, and what that did."""
    if not score.n_failed:
        return ""
    return f"{plural(score.n_failed, 'clip')} failed: counted as the worst of their class"


def rules(found: Rules) -> tuple[tuple[str, str], ...]:
    """The ranking rules, as (what, how)."""
    level = f"{100 * found.level:g} %"
    return (
        (
            "Order",
            "Systems are ordered by the macro mean of their AUC over the sets of the board: every set weighs the same, "
            "however many clips it has. Borda points (over the sets, how many systems it is ahead of) come second. "
            "Equal systems share a rank.",
        ),
        (
            "Who is ranked",
            "A system is ranked where every set of the board is a cross set for it: it was neither trained "
            "nor selected on them or on their data under another name. Systems that were, that do not say, or that "
            "were withdrawn are listed without a rank. Floors are rows of their own.",
        ),
        (
            "Failures",
            "Every clip counts. A clip without a score counts as the worst of its class, so leaving out hard clips "
            "never helps.",
        ),
        (
            "Intervals",
            f"{level} intervals over {found.draws:,} draws of components (clips that share a person or a source stay "
            f"together), the same draws for all systems, seed {found.seed}. The interval of a rank is its spread over "
            "those draws. They say how much the numbers depend on who is in the test sets, not on the training run: "
            "another training seed can move a number as far.",
        ),
        (
            "Groups",
            f"A system is in the group of the leader where the {level} interval of their paired difference holds 0: "
            "the data cannot tell them apart. The first system outside leads the next group. Each pair is looked "
            "at for itself, without a correction for many pairs.",
        ),
        (
            "Margin",
            "AUC minus the AUC of the metadata floor on the same clips: what the system finds beyond what file length, "
            "leading silence and the like give away. A rank is no sign of such a margin: where its interval holds 0, "
            "the system is not shown to see more than the floor.",
        ),
    )
