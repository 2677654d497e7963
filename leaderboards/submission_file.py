"""The YAML of a submission: read, and held against its board and its neighbours."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboards.problems import Problem, SubmissionError
from leaderboards.records import Submission
from leaderboards.tables import clean
from leaderboards.training import look
from leaderboards.yamlfile import read_yaml, record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leaderboards.records import Board, PredictionsRef
    from leaderboards.yamlfile import YamlFile

#: The layout is younger than this; an older date is a slip.
_FIRST_DAY = date(2026, 1, 1)
_MOST_NAMES = 200
#: "/data/sets", "C:\sets", "~/sets", "../sets", "file:...": places of a machine, which nobody else can look at.
_LOCAL = re.compile(r"^(/|~|\.{1,2}/|[A-Za-z]:[\\/]|\\\\|file:)")
#: Names that Windows keeps for devices: a checkout with such a file fails there.
_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)\d")
_SUFFIXES = {"predictions": ".parquet", "pixels": ".pixels.parquet"}


def read_submission(path: Path, board: Board) -> tuple[YamlFile, Submission]:
    """Read the YAML of a submission and check everything but its predictions.

    Args:
        path: `<slug>.yaml` in a board's folder of submissions.
        board: The board.

    Returns:
        The file, which knows its lines, and the record.

    Raises:
        SubmissionError: With every field that is wrong.
    """
    path = Path(path)
    if path.suffix != ".yaml":
        fix = "name it <slug>.yaml"
        raise SubmissionError([Problem(clean(path.name), "file", f"ends with {clean(path.suffix)!r}", fix)])
    file = read_yaml(path)
    submission = record_of(file, Submission)
    found = [
        *_identity(submission, path, board),
        *_neighbours(submission, path),
        *_days(submission),
        *_references(submission),
        *_declared(submission),
        *_stamps(submission),
    ]
    if found:
        raise SubmissionError([file.problem(place, reason, fix) for place, reason, fix in found])
    return file, submission


_Found = tuple[tuple[Any, ...], str, str]


def _identity(submission: Submission, path: Path, board: Board) -> Iterator[_Found]:
    slug = submission.system.slug
    if path.name != f"{slug}.yaml":
        yield ("system", "slug"), f"is {slug!r}, but the file is called {clean(path.name)!r}", f"rename it {slug}.yaml"
    if _DEVICES.fullmatch(slug):
        yield ("system", "slug"), f"{slug!r} is no name for a file on Windows", "choose another"
    if submission.board != board.name:
        yield ("board",), f"is {submission.board!r}, but this is the board {board.name!r}", "submit to one of them"
    repeated = sorted({one for one in submission.system.modalities if submission.system.modalities.count(one) > 1})
    if repeated:
        yield ("system", "modalities"), f"{repeated[0]!r} stands twice", "once each"
    for name in ("predictions", "pixels"):
        one: PredictionsRef | None = getattr(submission, name)
        if one is None:
            continue
        if (one.file is None) == (one.url is None):
            yield (name,), "needs either file or url", "leave the other out"
        elif one.file is not None and one.file != slug + _SUFFIXES[name]:
            fix = f"call it {slug}{_SUFFIXES[name]}, so that no two systems share a file"
            yield (name, "file"), f"is {one.file!r}", fix


def _neighbours(submission: Submission, path: Path) -> Iterator[_Found]:
    """File systems and addresses may not tell capitals apart, so a slug must be unique without them."""
    # names alone, since every submission looks at all others
    for other in sorted(os.listdir(path.parent)):  # noqa: PTH208
        stem, dot, suffix = other.rpartition(".")
        taken = stem.casefold() == submission.system.slug.casefold()
        if taken and dot and suffix.casefold() in ("yaml", "yml") and other != path.name:
            yield ("system", "slug"), f"{submission.system.slug!r} is taken by {clean(other)!r}", "choose another"


def _days(submission: Submission) -> Iterator[_Found]:
    latest = datetime.now(UTC).date() + timedelta(days=1)  # somewhere it is tomorrow already
    days: list[tuple[tuple[str, ...], str]] = [(("submitted_at",), submission.submitted_at)]
    if submission.reproduction is not None:
        days.append((("reproduction", "on"), submission.reproduction.on))
    if submission.withdrawn is not None:
        days.append((("withdrawn", "on"), submission.withdrawn.on))
    for place, text in days:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            yield place, f"{text!r} is no day", "YYYY-MM-DD"
            continue
        if not _FIRST_DAY <= day <= latest:
            yield place, f"{text} is not between {_FIRST_DAY} and today", "write the day of the submission"
        elif text < submission.submitted_at:
            yield place, f"{text} is before the submission, {submission.submitted_at}", "correct one of them"


def _references(submission: Submission) -> Iterator[_Found]:
    """Somebody else must be able to look at the system."""
    system = submission.system
    if system.code is not None and system.code_commit is None:
        yield ("system", "code_commit"), "is missing beside code", "name the commit, so that the code cannot change"
    if system.checkpoint is not None and system.checkpoint_sha256 is None:
        yield ("system", "checkpoint_sha256"), "is missing beside checkpoint", "give the SHA-256 of the weights"
    if system.checkpoint is None and system.checkpoint_sha256 is not None:
        yield ("system", "checkpoint"), "is missing beside checkpoint_sha256", "give the address of the weights"
    if system.code is None and system.checkpoint is None and system.code_commit is None:
        fix = "give code and code_commit, or checkpoint and checkpoint_sha256; code_commit alone means this repository"
        yield ("system", "code"), "neither code nor checkpoint is named", fix


def _declared(submission: Submission) -> Iterator[_Found]:
    for field in ("trained_on", "selected_on"):
        names: Sequence[str] = getattr(submission, field) or []
        if len(names) > _MOST_NAMES:
            yield (field,), f"names {len(names)} data sets", f"at most {_MOST_NAMES}; name the collection instead"
        for number, name in enumerate(names):
            if _LOCAL.match(name):
                fix = "name the data, e.g. mini-a/train or FaceForensics++"
                yield (field, number), f"{clean(name)!r} is a place on a machine", fix
            elif name.casefold() in [other.casefold() for other in names[:number]]:
                yield (field, number), f"{clean(name)!r} stands twice", "once each"


def _stamps(submission: Submission) -> Iterator[_Found]:
    stamp = submission.reproduction
    if stamp is not None and look(stamp.by) == look(submission.submitter.name):
        yield ("reproduction", "by"), f"{clean(stamp.by)!r} is the submitter", "somebody else must run the system again"
    if stamp is not None and stamp.predictions_sha256 != submission.predictions.sha256:
        reason = f"is {stamp.predictions_sha256}, the predictions are {submission.predictions.sha256}"
        fix = "the stamp is of other predictions: take it away, and a maintainer runs the system again"
        yield ("reproduction", "predictions_sha256"), reason, fix
    if submission.withdrawn is not None and not submission.withdrawn.reason.strip():
        yield ("withdrawn", "reason"), "is empty", "say why"
