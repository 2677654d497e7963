"""The folder of a build: whose it is, who may write to it now, and what is left there when it is done."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.cache import write_atomic
from cmdfd.clip import SPLITS
from cmdfd.dataset import BUILD_FILE, BuildFile, Dataset
from cmdfd.errors import CmdfdError
from cmdfd.tables import LABELS, METADATA, PROVENANCE, REFUSED, STAGES
from generators.folders import JOURNAL, MARKER, SHEETS, WORK
from generators.update import adopt, any_done, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from generators.plan import BuildPlan
    from generators.update import Change


@dataclass(frozen=True, slots=True)
class Claim:
    """What may happen to a data set that lies in a build's folder.

    Args:
        overwrite: Remove it first.
        prune: Remove those of its clips that are not planned any more.
        retry: Go through a finished set again, for jobs that failed.
        missing: Generators that are not installed here.
    """

    overwrite: bool = False
    prune: bool = False
    retry: bool = False
    missing: tuple[str, ...] = ()


def refuse_foreign(out: Path) -> None:
    """Refuse to build into a folder that holds something else.

    Raises:
        CmdfdError: If `out` is a file, or a folder with content that no build made.
    """
    if out.exists() and not out.is_dir():
        raise CmdfdError(f"{out} is a file; name a folder with --out")
    ours = (out / BUILD_FILE).is_file() or (out / WORK).is_dir()
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise CmdfdError(f"{out} is not empty and holds no data set; choose another folder with --out")


def claim(out: Path, plan: BuildPlan, jobs: Mapping[str, str], how: Claim) -> BuildFile | None:
    """Prepare a folder for a build; one rank at a time, and none beside a build.

    A finished or unfinished build of which the plan keeps clips is gone on with: what is the same stays, what changed
    is made anew.

    Args:
        out: The folder.
        plan: What shall be there.
        jobs: Job id by clip id.
        how: What may happen to what is there.

    Returns:
        What is finished there already, or None where there is work to do.

    Raises:
        CmdfdError: If another data set lies there, or clips of this one would go, and `how` does not allow it.
    """
    marker = out / WORK / MARKER
    there = ""
    if how.overwrite:
        remove_set(out)
    elif (out / BUILD_FILE).is_file():
        dataset = Dataset.open(out)
        if dataset.build.recipe_hash == plan.recipe_hash and not how.retry:
            return dataset.build
        change = compare(dataset, plan, jobs, how.missing)
        there = _why_not(dataset, change, how)
        if not there:
            adopt(dataset, out / WORK, change, plan, jobs)
    elif marker.is_file() and _marked(marker) != plan.recipe_hash and not any_done(out / WORK, out, jobs):
        there = "holds an unfinished build of another recipe, source, seed or limit"
    if there:
        raise CmdfdError(f"{out} {there}; choose another folder with --out, or replace it with --overwrite")
    write_atomic(marker, json.dumps({"recipe_hash": plan.recipe_hash}).encode())
    return None


def is_finished(out: Path, recipe_hash: str) -> bool:
    """Whether this very data set lies finished in a folder."""
    return (out / BUILD_FILE).is_file() and Dataset.open(out).build.recipe_hash == recipe_hash


def _why_not(found: Dataset, change: Change, how: Claim) -> str:
    """Why a finished set must not be changed into the plan; "" if it may."""
    same = f"holds the data set {found.name!r}, made from another recipe, source, seed or limit"
    if not change.kept and change.known:
        return f"holds the data set {found.name!r}, made by other versions of the tools, so that no clip can be kept"
    if not change.kept:
        return same
    if change.dropped and not how.prune:
        what = ", ".join(f"{n} of {kind!r}" for kind, n in sorted(change.dropped.items()))
        return f"{same}, and has clips that are not planned now ({what}); remove those with --prune"
    return ""


def _marked(marker: Path) -> str | None:
    try:
        found = json.loads(marker.read_text("utf-8"))["recipe_hash"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(found)


@contextmanager
def lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file for this process; the system frees it however the process ends.

    Args:
        path: The lock file; made where it is missing.
        wait: Wait for its holder instead of refusing.

    Raises:
        CmdfdError: If another process holds it and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except OSError as error:
                folder = path.parent.parent
                raise CmdfdError(f"another build is writing to {folder}; wait for it or stop it") from error
        yield


def remove_work(out: Path) -> None:
    """Remove the work area of a finished build."""
    shutil.rmtree(out / WORK, ignore_errors=True)


def remove_set(out: Path) -> None:
    """Remove a data set, or what there is of one, and nothing else; lock files stay."""
    (out / BUILD_FILE).unlink(missing_ok=True)  # first: from here on it is not finished any more
    for split in SPLITS:
        shutil.rmtree(out / split / "videos", ignore_errors=True)
        for name in (METADATA, LABELS):
            (out / split / name).unlink(missing_ok=True)
        if (out / split).is_dir() and not any((out / split).iterdir()):
            (out / split).rmdir()
    for name in ("masks", "tracks", f"{WORK}/takes", f"{WORK}/records", f"{WORK}/tmp"):  # noqa: S108 - ours
        shutil.rmtree(out / name, ignore_errors=True)
    shutil.rmtree(out / SHEETS, ignore_errors=True)
    for name in (PROVENANCE, STAGES, REFUSED, JOURNAL, f"{WORK}/{MARKER}"):
        (out / name).unlink(missing_ok=True)
