"""Boards with made-up numbers, whose parts agree with each other as ranking would leave them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from leaderboards.records import Board, Rules, Submission
from leaderboards.standings import Number, SetScore, Slice, Standing, Standings, State

SETS = ("mini-a/test", "mini-b/test", "mini-splice/test", "lavdf-style/test")
KINDS = ("voice swap", "lip sync", "face swap", "cut-in words", "sync shift")
PLATFORMS = ("", "messenger", "video portal", "short clips")
HEX = "0123456789abcdef" * 4

#: Names that try to be more than names.
HOSTILE = (
    "<script>document.title='run'</script>",
    "\"><img src=x onerror=\"document.title='run'\">",
    "'><svg onload=document.title='run'>",
    "</style></script><script>document.title='run'</script>",
    "\u202egnp.exe\u202c right to left",
    "שם בעברית عربى",
    "long " * 39 + "end",
    "W" * 200,
    "🕵️‍♀️ emoji 🎭",
    "=HYPERLINK(\"http://localhost/\",\"click\")",
    "+1+1", "-2+3", "@SUM(A1)", "\u2028line\u2029ends",
    "{{ 7 * 7 }}{% raw %}", "javascript:document.title='run'", "&lt;b&gt; &amp;",
)  # fmt: skip


@dataclass
class Plan:
    """What a made-up system is like."""

    slug: str
    name: str
    skill: float
    modalities: tuple[str, ...] = ("audio", "video")
    state: State = "self-reported"
    trained_on: tuple[str, ...] | None = ("elsewhere/train",)
    floor: bool = False
    maps: bool = True


def plans(n_systems: int, seed: int) -> list[Plan]:
    """Systems of every sort: good, poor, floors, in-set, undeclared, withdrawn."""
    rng = random.Random(seed)
    found = [
        Plan("metadata-floor", "Metadata floor", 0.04, ("audio", "video"), floor=True, trained_on=(), maps=False),
        Plan("chance", "Chance", 0.0, ("video",), floor=True, trained_on=(), maps=False),
    ]
    for index in range(n_systems - len(found)):
        modalities = (("audio",), ("video",), ("audio", "video"))[index % 3]
        plan = Plan(f"system-{index:03d}", f"System {index:03d}", 0.05 + 0.42 * rng.random(), modalities)
        plan.maps = "video" in modalities
        if index % 11 == 7:
            plan.trained_on = ("mini-a/train", "elsewhere/train")
        elif index % 11 == 9:
            plan.trained_on = None
        elif index % 11 == 10:
            plan.state = "withdrawn"
        elif index % 5 == 0:
            plan.state = "verified"
        found.append(plan)
    return found


def toy_standings(
    n_systems: int = 16,
    *,
    name: str = "toy",
    seed: int = 0,
    sets: Sequence[str] = SETS[:3],
    more: Sequence[Plan] = (),
    title: str = "Cross-modal deepfakes, small sets",
) -> Standings:
    """A ranked board.

    Args:
        n_systems: At least 2: two are floors.
        name: Of the board.
        seed: Of the numbers.
        sets: Sets of the board.
        more: Systems beside the usual ones.
        title: Title of the board.
    """
    rows = [_row(plan, name, sets, seed) for plan in (*plans(n_systems, seed), *more)]
    ranked = sorted((row for row in rows if row.ranked), key=lambda row: (-(row.macro.value or 0), row.name))
    floors = [row for row in rows if row.floor]
    others = [row for row in rows if not row.floor and not row.ranked]
    return Standings(
        board=_board(name, sets, title).model_dump(mode="json"),
        rules=Rules(version=1, since="2026-11-27", changes="first version").model_dump(mode="json"),
        rows=(*_ranks(ranked), *floors, *others),
        left_out=(("late.yaml", "late.yaml:7: system.slug: must be lower-case letters; got 'Late'"),),
    )


def _board(name: str, sets: Sequence[str], title: str) -> Board:
    return Board.model_validate(
        {
            "name": name,
            "title": title,
            "summary": "Which detectors find forged voices, lips and faces that they were not trained on?",
            "rules": 1,
            "sets": [
                {
                    "name": one,
                    "title": one.partition("/")[0].replace("-", " ").title(),
                    "truth": f"truth/{one.replace('/', '-')}.parquet",
                    "truth_sha256": HEX,
                    "manifest_sha256": HEX[::-1],
                    "hub": f"example/{one.partition('/')[0]}@v1.0.0",
                    "note": "talkers made here",
                }
                for one in sets
            ],
            "same_data": {"the mini sets": list(sets[:1])},
            "metadata_floor": "metadata-floor",
            "floors": ["metadata-floor", "chance"],
            "contact": "board@example.org",
            "changes": ["2026-11-27 first version"],
        }
    )


def _number(value: float, width: float, rng: random.Random, doubt: str = "") -> Number:
    value = min(max(value, 0.0), 1.0)
    return Number(value, max(value - width * rng.uniform(0.7, 1.2), 0), min(value + width * rng.random(), 1.0), doubt)


def _set(plan: Plan, one: str, rng: random.Random) -> SetScore:
    hard = rng.uniform(-0.05, 0.05)
    seen = plan.trained_on is not None and any(t.partition("/")[0] == one.partition("/")[0] for t in plan.trained_on)
    auc = 0.5 + plan.skill + hard + (0.08 if seen else 0)
    kinds = [Slice(k, 120, 40, _number(auc + rng.uniform(-0.2, 0.1), 0.07, rng)) for k in KINDS]
    kinds[-1] = replace(kinds[-1], n_fake=0, auc=Number(None, doubt="no fake of this kind"))
    platforms = [Slice(p, 60, 80, _number(auc - 0.03 * i, 0.06, rng)) for i, p in enumerate(PLATFORMS)]
    localization = {"temporal/AP@0.5": _number(plan.skill, 0.1, rng), "frame/within_clip": _number(auc, 0.05, rng)}
    absent = {}
    if plan.maps:
        localization["pixel/auc"] = _number(auc - 0.1, 0.08, rng)
    else:
        absent["pixel"] = "the detector gives no maps"
    return SetScore(
        set=one,
        domain="unknown" if plan.trained_on is None else "in" if seen else "cross",
        n_real=120,
        n_fake=200,
        n_failed=3 if plan.slug.endswith("4") else 0,
        n_components=40 if one != SETS[1] else 9,
        auc=_number(auc, 0.05, rng, "" if one != SETS[1] else "under 12 components"),
        eer=_number(0.5 - plan.skill, 0.05, rng),
        margin=Number(plan.skill - 0.04, plan.skill - 0.09, plan.skill + 0.01),
        trimmed=_number(auc - 0.02, 0.05, rng) if "audio" in plan.modalities else None,
        kinds=tuple(kinds),
        platforms=tuple(platforms),
        localization=localization,
        localization_absent=absent,
    )


def _row(plan: Plan, board: str, sets: Sequence[str], seed: int) -> Standing:
    rng = random.Random(f"{seed}/{plan.slug}")
    scores = tuple(_set(plan, one, rng) for one in sets)
    cross = [score for score in scores if score.domain == "cross"]
    why = ""
    if plan.floor:
        why = "a floor"
    elif plan.state == "withdrawn":
        why = "withdrawn on 2026-11-20: the checkpoint had seen the test clips"
    elif plan.trained_on is None:
        why = "does not say what it was trained on"
    elif len(cross) < len(sets):
        why = "trained on mini-a/train"
    values = [score.auc.value or 0.0 for score in cross]
    macro = sum(values) / len(values) if values else None
    worst = min(cross, key=lambda score: score.auc.value or 0.0, default=None)
    return Standing(
        slug=plan.slug,
        name=plan.name,
        state=plan.state,
        floor=plan.floor,
        ranked=not why,
        why_unranked=why,
        rank=None,
        rank_low=None,
        rank_high=None,
        group=None,
        macro=Number(None, doubt="no cross set")
        if macro is None
        else Number(macro, macro - 0.03, min(macro + 0.03, 1)),
        borda=None,
        worst=(worst.set, worst.auc) if worst else None,
        margin=None if plan.slug == "metadata-floor" else Number(plan.skill - 0.04, plan.skill - 0.08, plan.skill),
        sets=scores,
        trained_on=plan.trained_on,
        submission=_submission(plan, board).model_dump(mode="json"),
    )


def _submission(plan: Plan, board: str) -> Submission:
    data: dict[str, Any] = {
        "board": board,
        "submitted_at": f"2026-11-{1 + sum(map(ord, plan.slug)) % 27:02d}",
        "system": {
            "name": plan.name,
            "slug": plan.slug,
            "description": f"{plan.name[:80]} looks at {' and '.join(plan.modalities)}.",
            "modalities": list(plan.modalities),
            "code": "https://example.org/detector/tree/0123456789abcdef",
            "code_commit": "0123456789abcdef",
            "checkpoint": "https://example.org/weights",
            "checkpoint_sha256": HEX,
            "paper": None,
            "reference": "Somebody, 2026",
            "licence": "Apache-2.0",
            "n_parameters": 1_000 * (1 + sum(map(ord, plan.name)) % 900_000) if not plan.floor else 0,
        },
        "trained_on": None if plan.trained_on is None else list(plan.trained_on),
        "selected_on": None if plan.trained_on is None else [],
        "score_direction": "higher_is_fake",
        "predictions": {"file": f"{plan.slug}.parquet", "sha256": HEX, "size": 1234},
        "harness": "cmdfd 0.1.0",
        "submitter": {"name": "A. Person", "contact": "person@example.org"},
        "notes": "",
    }
    if plan.state == "verified":
        data["reproduction"] = {
            "by": "B. Person", "on": "2026-11-25", "match": "inference", "version": "0.1.0", "max_difference": 0.0,
            "predictions_sha256": HEX,
        }  # fmt: skip
    if plan.state == "withdrawn":
        data["withdrawn"] = {"on": "2026-11-20", "reason": "the checkpoint had seen the test clips"}
    return Submission.model_validate(data)


def _ranks(rows: Sequence[Standing]) -> list[Standing]:
    """Ranks and groups as ranking would give them: a group ends where its leader's interval does."""
    found: list[Standing] = []
    group, lead = 0, None
    for index, row in enumerate(rows):
        value = row.macro.value or 0.0
        if lead is None or value < lead - 0.03:
            group, lead = group + 1, value
        rank = 1 + sum((other.macro.value or 0.0) > value for other in rows)
        found.append(
            replace(
                row,
                rank=rank,
                rank_low=max(1, rank - 1 - index % 2),
                rank_high=min(len(rows), rank + index % 3),
                group=group,
                borda=float(sum((other.macro.value or 0.0) < value for other in rows)),
            )
        )
    return found
