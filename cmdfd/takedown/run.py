"""A takedown from end to end: what goes, the set without it, and the repository without it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cmdfd.cache import write_atomic
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.takedown.applying import finish, is_half_done, warnings_of, withdraw
from cmdfd.takedown.closure import Asked, Closure, close
from cmdfd.takedown.text import applied_lines, bullets, counts_lines, reason_lines
from cmdfd.takedown.tombstones import mark_of, read_marks, read_tombstones

if TYPE_CHECKING:
    from cmdfd.publish.records import Staged
    from cmdfd.takedown.hub_plan import Seen

Say = Callable[[str], None]
Write = Callable[[Iterable[str]], None]


@dataclass(frozen=True, slots=True)
class HubOptions:
    """The repository that holds the set.

    Args:
        repo: "ORG/NAME".
        tag: Of the new version.
        yes: Whether the Hub is changed; else it is told what would be.
        words: File for the card, see `cmdfd.publish`.
        accept: "CODE=REASON" pairs, see `cmdfd.publish`.
        audit: How deep the audit before publishing looks.
        output: Folder of the public copy.
    """

    repo: str
    tag: str
    yes: bool = False
    words: Path | None = None
    accept: tuple[str, ...] = ()
    audit: Literal["full", "quick"] = "full"
    output: Path = Path("published")


@dataclass(frozen=True, slots=True)
class Options:
    """What to take out, and how.

    Args:
        folder: The set.
        asked: What goes.
        out: New folder, or None for the set's own.
        version: Of the new set, "" for the next number.
        dry_run: Write and change nothing.
        explain: Tell the reason for every clip.
        hub: The repository, or None.
    """

    folder: Path
    asked: Asked
    out: Path | None
    version: str = ""
    dry_run: bool = False
    explain: bool = False
    hub: HubOptions | None = field(default=None)


def run(options: Options, write: Write, say: Say) -> int:
    """Do it; returns the exit code: 0, or 1 where the new version may not be published.

    Args:
        options: What and how.
        write: Takes lines of the answer.
        say: Takes lines of progress.

    Raises:
        CmdfdError: For what cannot be found, read, written or reached.
    """
    if is_half_done(options.folder) and not options.dry_run:
        finish(options.folder)
        say(f"{options.folder}: a takedown was stopped here, and is finished now")
    dataset, closure = _found(options)
    if closure is None:
        write([f"{dataset.folder}: they were taken out before"])
    else:
        write(counts_lines(dataset, closure))
        write(reason_lines(dataset, closure, explain=options.explain))
        write(bullets("note:", closure.notes))
        if options.dry_run:
            return _dry_run(dataset, closure, options, write, say)
        write(applied_lines(withdraw(dataset, closure, options.out, options.version)))
    new = Dataset.open(dataset.folder if closure is None else options.out or options.folder)
    say(f"verifying {new.folder}")
    new.verify()
    return 0 if options.hub is None else _on_hub(new, options.hub, options, write, say)


def _found(options: Options) -> tuple[Dataset, Closure | None]:
    """The set and what goes; no closure where an earlier run wrote the new set already.

    After a takedown in place, the ids that were asked for are not there any more; what is to be done in a repository
    still is.
    """
    out = options.out
    if out is not None and not options.dry_run and read_tombstones(out):
        old, new = Dataset.open(options.folder), Dataset.open(out)
        closure = close(old, options.asked)
        gone = {clip.id for clip in old.rows} - {clip.id for clip in new.rows}
        if gone == closure.ids:
            return new, None
        raise CmdfdError(f"{out} holds a set from which other clips were taken; name a new folder with --out")
    dataset = Dataset.open(options.folder)
    try:
        return dataset, close(dataset, options.asked)
    except CmdfdError:
        if is_withdrawn(options.folder, options.asked):
            return dataset, None
        raise


def is_withdrawn(folder: Path, asked: Asked) -> bool:
    """Whether all that is asked for was taken out of a set before."""
    marks, ids = read_marks(folder), read_tombstones(folder)
    kinds = ((asked.people, ("face", "voice")), (asked.sources, ("source", "take")))
    named = all(
        any(mark_of(kind, name) in marks for kind in kind_names) for names, kind_names in kinds for name in names
    )
    return named and all(name in ids for name in asked.clips)


def _dry_run(dataset: Dataset, closure: Closure, options: Options, write: Write, say: Say) -> int:
    write(bullets("look:", warnings_of(dataset, closure.ids)))
    if options.hub is None:
        write(["dry run: nothing was written"])
        return 0
    parent = dataset.folder.resolve().parent
    with tempfile.TemporaryDirectory(dir=parent, prefix=".takedown-") as folder:
        new = Path(folder) / dataset.folder.resolve().name
        withdraw(dataset, closure, new, options.version)
        hub = replace(options.hub, yes=False, output=Path(folder) / "published")
        code = _on_hub(Dataset.open(new), hub, options, write, say)
    write(["dry run: nothing was written, nothing was changed on the Hub"])
    return code


def _on_hub(new: Dataset, hub: HubOptions, options: Options, write: Write, say: Say) -> int:
    from cmdfd.publish.records import Repo
    from cmdfd.takedown import hub as remote

    repo = Repo(hub.repo, hub.tag)
    seen = remote.look(repo, say)
    if problems := remote.comes_back(seen, new, repo):
        write(bullets(f"{new.folder} may not be published:", [problem.text for problem in problems]))
        return 1
    staged = _staged(new, hub, seen, write, say)
    if staged is None:
        return 1
    found = remote.plan(seen, staged, repo)
    write(remote.plan_lines(found, repo, staged))
    if not hub.yes:
        write([] if options.dry_run else ["nothing was changed on the Hub; give the same command with --yes to do it"])
        return 0
    memory = staged.folder.with_name(f"{staged.folder.name}.takedown.json")
    visible = _was_visible(memory, seen)
    done = remote.carry_out(found, new, staged, repo, say, visible=visible)
    memory.unlink(missing_ok=True)
    write(remote.done_lines(done, repo))
    return 0


def _was_visible(memory: Path, seen: Seen) -> bool:
    """Whether the repository was visible before a takedown began, which closes it; remembered in case it is stopped."""
    try:
        return bool(json.loads(memory.read_text("utf-8"))["visible"])
    except (OSError, ValueError, KeyError, TypeError):
        write_atomic(memory, json.dumps({"visible": not seen.private}).encode())
        return not seen.private


def _staged(new: Dataset, hub: HubOptions, seen: Seen, write: Write, say: Say) -> Staged | None:
    """The public copy of the new version, or None with the reasons told."""
    from cmdfd.publish.plan import write_listing
    from cmdfd.publish.records import Repo
    from cmdfd.publish.run import PublishOptions, contact_missing, parse_accept, publish
    from cmdfd.publish.words import read_words

    outcome = publish(
        PublishOptions(
            folder=new.folder,
            repo=Repo(hub.repo, hub.tag),
            layout=seen.layout,
            recipe_only=seen.recipe_only,
            words=hub.words,
            accept=parse_accept(list(hub.accept)),
            audit=hub.audit,
            output=hub.output,
            dry_run=True,
        ),
        say,
    )
    if outcome.staged is None:
        write(bullets(f"{new.folder} may not be published:", [problem.text for problem in outcome.checked.problems]))
        return None
    write_listing(outcome.staged)  # the one of the version before names clips that are gone
    if missing := contact_missing(read_words(hub.words), outcome.checked.overrides):
        write(bullets("look:", [one.text for one in missing]))  # nobody waits for a word on the card to be taken out
    return outcome.staged
