"""Whether a predictions table answers for a board: every clip once, the right files, finite numbers."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.proposing import RULE, propose
from cmdfd.clip import Modality
from cmdfd.errors import CmdfdError
from leaderboards.entries import Answers
from leaderboards.predictions import CONDITIONS, OVER_TIME
from leaderboards.tables import Bounds, clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from leaderboards.entries import OpenBoard, Truth
    from leaderboards.findings import Findings

#: Larger numbers are no scores but an attempt at, or an accident of, arithmetic; log-odds of float64 end at 745.
MOST_SCORE = 1e9
#: Units of time for each second of a clip: audio features come every 10 ms at the finest in use (5 ms would fit).
_UNITS_PER_SECOND = 200
_SPARE_UNITS = 64
#: Rows too many that a table may have before it is refused unread.
SPARE_ROWS = 1_000
#: LAV-DF's AR counts 100 proposals of a clip.
_MOST_PROPOSALS = 200
_MOST_ERROR = 300
#: Seconds that a time may lie outside its clip by rounding, as benchmarks.metrics.proposals allows.
_SLACK = 0.1
#: Bytes of text of a row, and of one stretch, generously.
_ROW_BYTES, _STRETCH_BYTES = 2_000, 64
_MODALITIES = frozenset(str(one) for one in Modality)
_SUBMIT = "write the file with python -m leaderboards.submit"
_RIGHT_CLIPS = "predict the clips of this version of the set"
#: Below this AUC on every set the scores plainly tell the classes apart, but the wrong way round.
INVERTED_BELOW = 0.2
#: Standard errors of a chance AUC below .5 on every set, from where the page says that it looks inverted.
_DOUBT = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A predictions table that answers for a board.

    Args:
        answers: Set name -> answers, without pixels.
        notes: What a reader should know.
    """

    answers: dict[str, Answers]
    notes: tuple[str, ...]


def bounds_of(board: OpenBoard) -> Bounds:
    """What the predictions of a board may come to."""
    tables = [truth.table for truth in board.truths.values()]
    rows = len(CONDITIONS) * sum(map(len, tables)) + SPARE_ROWS  # rows too many are named one by one
    units = sum(int(_most_units(table["duration"]).sum()) for table in tables)
    stretches = _MOST_PROPOSALS * rows
    memory = rows * _ROW_BYTES + units * 32 + stretches * _STRETCH_BYTES
    return Bounds(file_bytes=memory, rows=rows, values=rows + max(units, stretches), memory=memory)


def _most_units(durations: Any) -> Any:
    return np.ceil(np.asarray(durations) * _UNITS_PER_SECOND) + _SPARE_UNITS


def check_answers(rows: Sequence[Mapping[str, Any]], board: OpenBoard, findings: Findings, *, floor: bool) -> Checked:
    """Check the rows of a predictions table and put them in the order of the board's truth.

    Args:
        rows: Of `leaderboards.predictions.schema`.
        board: The board.
        findings: Told what is wrong.
        floor: Whether the system is a floor of the board: only a floor may have constant scores, since there may be
            nothing for it to see, or scores far below chance, as chance itself may have on a small set.

    Returns:
        The answers; only of use where `findings` has no problems.
    """
    placed = _placed(rows, board, findings)
    _check_coverage(placed, board, findings)
    _check_times_whole(placed, findings)
    _check_rules(rows, findings)
    if findings.problems:
        return Checked({}, ())
    answers = {name: _aligned(name, truth, placed) for name, truth in board.truths.items()}
    if not floor:
        _check_scores(answers, findings)
    return Checked(answers, _check_direction(answers, board, findings, floor=floor))


def _placed(
    rows: Sequence[Mapping[str, Any]], board: OpenBoard, findings: Findings
) -> dict[tuple[str, str], dict[str, Mapping[str, Any]]]:
    """(set, condition) -> clip id -> row; rows that belong nowhere are told to `findings`."""
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    known = {
        name: dict(zip(truth.table["id"], truth.table[["sha256", "duration"]].itertuples(index=False), strict=True))
        for name, truth in board.truths.items()
    }
    for number, row in enumerate(rows, start=1):
        if row["set"] not in known:
            fix = f"leave it out; this board has {', '.join(known)}"
            findings.add("set", f"{_shown(row['set'])} is no set of this board", fix, number)
        elif row["condition"] not in CONDITIONS:
            findings.add("condition", f"is {_shown(row['condition'])}", f"write {' or '.join(CONDITIONS)}", number)
        elif row["id"] not in known[row["set"]]:
            findings.add("id", f"{_shown(row['id'])} is no clip of {row['set']}", "leave extra clips out", number)
        elif row["id"] in found.setdefault((row["set"], row["condition"]), {}):
            findings.add(
                "id", f"{row['id']!r} stands twice under {row['set']}, {row['condition']}", "once each", number
            )
        else:
            found[row["set"], row["condition"]][row["id"]] = row
            sha256, duration = known[row["set"]][row["id"]]
            _check_row(row, str(sha256), float(duration), findings, number)
    return found


def _check_row(row: Mapping[str, Any], sha256: str, duration: float, findings: Findings, number: int) -> None:
    if row["sha256"] != sha256:
        said = f"{_shown(row['sha256'])} is not the clip {row['id']!r}, whose file has {sha256}"
        findings.add("sha256", said, _RIGHT_CLIPS, number)
    _check_score(row, findings, number)
    if row["condition"] != "untrimmed" or row["score"] is None:
        why = "which is judged by its scores only" if row["condition"] != "untrimmed" else "whose clip failed"
        for name in OVER_TIME:
            if row[name]:
                findings.add(name, f"must be empty in a row {why}", _SUBMIT, number)
        return
    _check_units(row, duration, findings, number)
    _check_proposals(row["proposals"], duration, findings, number)


def _check_score(row: Mapping[str, Any], findings: Findings, number: int) -> None:
    score, error = row["score"], row["error"]
    if score is None:
        if error is None:
            findings.add("score", "is null without an error", "say in `error` why the clip failed", number)
        elif not _is_line(error, _MOST_ERROR):
            findings.add("error", f"must be 1 to {_MOST_ERROR} printable characters", "shorten it", number)
        return
    if error is not None:
        findings.add("error", "stands beside a score", "a clip has either a score or an error", number)
    if not math.isfinite(score):
        fix = "write null, and the reason in `error`, where a clip failed; it counts as the worst of its class"
        findings.add("score", f"is {score}; it must be finite", fix, number)
    elif abs(score) > MOST_SCORE:
        findings.add("score", f"is {score:g}, beyond {MOST_SCORE:g}", "scale the scores down", number)


def _is_line(text: Any, most: int) -> bool:
    """Whether a text has 1 to `most` characters, all of them visible."""
    return (
        isinstance(text, str)
        and 0 < len(text.strip()) <= len(text) <= most
        and not any(unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" for char in text)
    )


def _check_units(row: Mapping[str, Any], duration: float, findings: Findings, number: int) -> None:
    times, scores = row["times"], row["frame_scores"]
    if (times is None) != (scores is None) or len(times or ()) != len(scores or ()):
        said = f"there are {len(times or ())} times and {len(scores or ())} frame_scores"
        findings.add("frame_scores", said, "one score for each time", number)
        return
    if not times:
        return
    most = int(_most_units(duration))
    if len(times) > most:
        findings.add("times", f"has {len(times)} entries for {duration:g} s", f"at most {most} here", number)
        return
    if None in times or None in scores:
        findings.add("times", "has a null in it", "numbers only", number)
        return
    if not np.isfinite(scores).all() or np.abs(scores).max() > MOST_SCORE:
        findings.add("frame_scores", f"has numbers that are not finite or beyond {MOST_SCORE:g}", "finite", number)
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        findings.add("times", "must be finite and rise strictly", "sort them", number)
    elif times[0] < -_SLACK or times[-1] > duration + _SLACK:
        said = f"reaches from {times[0]:g} to {times[-1]:g} s, the clip from 0 to {duration:g} s"
        findings.add("times", said, "seconds of the clip's clock", number)


def _check_proposals(
    spans: Sequence[Mapping[str, Any]] | None, duration: float, findings: Findings, number: int
) -> None:
    if spans is None:
        findings.add("proposals", "is null", "an empty list says that there are none", number)
        return
    if len(spans) > _MOST_PROPOSALS:
        findings.add("proposals", f"has {len(spans)} stretches", f"at most {_MOST_PROPOSALS} a clip", number)
        return
    for one in spans:
        if one is None or None in one.values():
            findings.add("proposals", "has a null in it", "start, end, modality and confidence", number)
        elif not 0 <= one["start"] < one["end"] <= duration + _SLACK:  # false for NaN, too
            said = f"has a stretch from {one['start']:g} to {one['end']:g} s in a clip of {duration:g} s"
            findings.add("proposals", said, "0 <= start < end <= duration", number)
        elif one["modality"] not in _MODALITIES:
            said = f"has the modality {_shown(one['modality'])}"
            findings.add("proposals", said, f"one of {', '.join(sorted(_MODALITIES))}", number)
        elif not math.isfinite(one["confidence"]) or abs(one["confidence"]) > MOST_SCORE:
            findings.add(
                "proposals", f"has the confidence {one['confidence']}", f"finite, up to {MOST_SCORE:g}", number
            )
        else:
            continue
        return


def _check_coverage(placed: Mapping[tuple[str, str], Mapping[str, Any]], board: OpenBoard, findings: Findings) -> None:
    """All clips of all sets; under `trimmed` all clips of a set or none."""
    for name, truth in board.truths.items():
        for condition in CONDITIONS:
            given = placed.get((name, condition), {})
            missing = [one for one in truth.table["id"] if one not in given]
            if missing and (given or condition == "untrimmed"):
                count = f"{len(missing)} of {len(truth.table)} clips of {name} ({condition})"
                said = f"{count} are missing, e.g. {missing[0]!r}"
                findings.add("id", said, "answer for every clip; where one failed, give a row with its error")


def _check_times_whole(placed: Mapping[tuple[str, str], Mapping[str, Any]], findings: Findings) -> None:
    """Scores over time for the easy clips only would make localization look better than it is."""
    for (name, condition), rows in placed.items():
        scored = [row for row in rows.values() if row["score"] is not None]
        given = sum(bool(row["frame_scores"]) for row in scored)
        if condition == "untrimmed" and 0 < given < len(scored):
            said = f"are there for {given} of the {len(scored)} clips of {name} that have a score"
            findings.add("frame_scores", said, "give them for all of them or for none")


def _check_rules(rows: Iterable[Mapping[str, Any]], findings: Findings) -> None:
    rules = {row["proposal_rule"] for row in rows}
    if rules - {"", RULE}:
        unknown = sorted(map(str, rules - {"", RULE}))[0]
        findings.add("proposal_rule", f"is {_shown(unknown)}", f'"" for own stretches, or {RULE!r}')
    elif len(rules) > 1:
        findings.add("proposal_rule", "is not the same in all rows", "a system names stretches or it does not")
    elif rules == {RULE} and any(row["proposals"] for row in rows):
        findings.add("proposals", f"must be empty under the rule {RULE!r}", "the board makes them of frame_scores")


def _aligned(name: str, truth: Truth, placed: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]) -> Answers:
    import pandas as pd

    ids = list(truth.table["id"])
    given = placed[name, "untrimmed"]
    rows = [
        {
            "detector": "",
            "condition": "untrimmed",
            "duration": float(duration),
            "segments": given[one]["proposals"],  # the system's own, where no rule is named
            **given[one],
        }
        for one, duration in zip(ids, truth.table["duration"], strict=True)
    ]
    if rows[0]["proposal_rule"] == RULE:
        try:
            rows = propose(rows)
        except CmdfdError as error:  # its inputs were checked
            raise AssertionError(str(error)) from error
    columns = ["id", "times", "frame_scores", "proposals", "proposal_rule", "error"]
    frame: pd.DataFrame = pd.DataFrame(rows)[columns]
    trimmed = placed.get((name, "trimmed"))
    return Answers(_scores(given, ids), frame, _scores(trimmed, ids) if trimmed else None)


def _scores(given: Mapping[str, Mapping[str, Any]], ids: Sequence[str]) -> Any:
    values = [given[one]["score"] for one in ids]
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _check_scores(answers: Mapping[str, Answers], findings: Findings) -> None:
    for name, one in answers.items():
        for condition, scores in (("untrimmed", one.scores), ("trimmed", one.trimmed)):
            if scores is None:
                continue
            known = scores[np.isfinite(scores)]
            where = f"{name} ({condition})"
            if not len(known):
                findings.add("score", f"no clip of {where} has one", "submit when the system runs on this set")
            elif len(known) > 1 and (known == known[0]).all():
                said = f"all {len(known)} clips of {where} have the score {known[0]:g}: it says nothing of them"
                findings.add("score", said, "submit scores before they are rounded or cut")


def _check_direction(
    answers: Mapping[str, Answers], board: OpenBoard, findings: Findings, *, floor: bool
) -> tuple[str, ...]:
    """Refuse scores that are plainly turned round; only remark on a system, or a floor, that is below chance."""
    from cmdfd.statistics.roc import auc

    aucs, limits = [], []
    for name, one in answers.items():
        labels = board.truths[name].table["label"].to_numpy()
        known = np.isfinite(one.scores)
        reals, fakes = int((labels[known] == 0).sum()), int((labels[known] == 1).sum())
        if not reals or not fakes:
            return ()
        aucs.append(auc(labels[known], one.scores[known]))
        # standard error of an AUC that is .5 (Mann and Whitney, 1947)
        limits.append(0.5 - _DOUBT * math.sqrt((reals + fakes + 1) / (12 * reals * fakes)))
    if not floor and all(value < min(limit, INVERTED_BELOW) for value, limit in zip(aucs, limits, strict=True)):
        said = f"the AUC is at most {max(aucs):.3f} on every set: the scores are higher for reals"
        findings.add("score_direction", said, "turn the scores round, e.g. submit their negatives")
    if all(value < limit for value, limit in zip(aucs, limits, strict=True)):
        return (f"below chance on every set (AUC at most {max(aucs):.3f}): are the scores turned round?",)
    return ()


def _shown(value: Any) -> str:
    return repr(clean(value)) if isinstance(value, str) else str(value)
