"""Publishing from end to end: check, stage, document, and, where it is no dry run, upload and verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cmdfd.errors import CmdfdError
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from cmdfd.audit.severity import Severity
    from cmdfd.dataset import Dataset
    from cmdfd.publish.records import Checked, Format, Problem, Published, Repo, Staged
    from cmdfd.publish.words import CardWords

Say = Callable[[str], None]
#: The one refusal of a real run that looks at the publisher's words alone.
NO_CONTACT = "no_contact"
#: A reason that is published says more than "ok" or "because".
_LEAST_REASON = 10


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What to publish, and how.

    Args:
        folder: The built set.
        repo: Where it goes.
        layout: How the media lie there.
        recipe_only: Tables and recipe without media, for sources that may not be passed on.
        words: File with what only the publisher knows (`--card`), or None.
        accept: Refusal -> reason for which the publisher lifts it.
        audit: How deep the audit before publishing looks.
        fail_on: Grade from which a cue stops publishing.
        framework: Name for `eval.yaml`, which is written only with it.
        output: Folder that the public copy is made in.
        dry_run: Stop before the Hub.
        workers: Processes of the audit; None for one a core.
        seed: Of everything that the audit draws.
    """

    folder: Path
    repo: Repo
    layout: Format = "videofolder"
    recipe_only: bool = False
    words: Path | None = None
    accept: Mapping[str, str] = field(default_factory=dict)
    audit: Literal["full", "quick"] = "full"
    fail_on: Severity = "medium"
    framework: str | None = None
    output: Path = Path("published")
    dry_run: bool = False
    workers: int | None = None
    seed: int = 0

    @property
    def place(self) -> Path:
        """Folder of the public copy."""
        return self.output / self.repo.id.replace("/", "--")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of it.

    Args:
        checked: The checks; where they hold problems, nothing else was done.
        staged: The public copy.
        blanks: What the card leaves to be filled.
        published: The set on the Hub; None after a dry run or a refusal.
    """

    checked: Checked
    staged: Staged | None = None
    blanks: tuple[str, ...] = ()
    published: Published | None = None


def publish(options: PublishOptions, say: Say = lambda _: None) -> Outcome:
    """Publish a set, or say why not.

    Args:
        options: What and how.
        say: Told what is being done, in a few words.

    Raises:
        CmdfdError: For words of the publisher that cannot be read, a folder that cannot be written, and everything that
            the Hub refuses.
    """
    from cmdfd.dataset import Dataset
    from cmdfd.publish.checks import CheckOptions, check, shortened
    from cmdfd.publish.documents import read_words
    from cmdfd.publish.records import Checked, RefusedError
    from cmdfd.publish.remote import check_repo
    from cmdfd.publish.staging import check_place

    check_repo(options.repo)  # it names a folder, too, and neither should cost an audit
    check_place(options.folder, options.place)
    words = read_words(options.words)
    if not options.dry_run and (problems := _beforehand(options, words, say)):
        return Outcome(Checked(shortened(problems)))
    checked = check(
        options.folder,
        CheckOptions(
            accept={code: why for code, why in options.accept.items() if code != NO_CONTACT},
            audit=options.audit,
            fail_on=options.fail_on,
            seed=options.seed,
            workers=options.workers,
        ),
        say,
    )
    if checked.problems:
        return Outcome(checked)
    checked = _contact_lifted(checked, options, words)
    dataset = Dataset.open(options.folder)
    try:
        staged, blanks = _staged(dataset, checked, options, words, say)
        if options.dry_run:
            return Outcome(checked, staged, blanks)
        return Outcome(checked, staged, blanks, _upload(dataset, staged, options, say))
    except RefusedError as error:
        return Outcome(replace(checked, problems=shortened(error.problems)))


def _beforehand(options: PublishOptions, words: CardWords, say: Say) -> list[Problem]:
    """What would stop a real run after hours of checks, and can be known in seconds.

    Raises:
        CmdfdError: For a token, a right, a line to the Hub or a repository with which it cannot be done.
    """
    from cmdfd.dataset import Dataset
    from cmdfd.publish.hub import ask
    from cmdfd.publish.withdrawn import problems_of
    from cmdfd.takedown.tombstones import read_tombstones

    try:
        dataset = Dataset.open(options.folder)
        ids, tombstones = {clip.id for clip in dataset.rows}, read_tombstones(dataset.folder)
    except (CmdfdError, OSError, ValueError, KeyError, TypeError):
        return []  # the checks tell at once what is broken
    say("asking the Hub")
    problems = list(problems_of(ask(options.repo, say), options.repo, ids, tombstones))
    return [*problems, *contact_missing(words, options.accept)]


def contact_missing(words: CardWords, accept: Mapping[str, str]) -> list[Problem]:
    """The refusal `no_contact`, unless the publisher says whom to ask or answers for it.

    Args:
        words: Of the publisher; nobody but them knows.
        accept: Refusal -> reason.
    """
    from cmdfd.publish.records import Problem

    if (words.contact or "").strip() or NO_CONTACT in accept:
        return []
    reason = "nobody is named whom people can ask to be taken out, and the tag of a version stays for ever"
    fix = f"write `contact: WHO AND WHERE` in a file and give it with --card; or --accept {NO_CONTACT}='WHY NOT'"
    return [Problem(NO_CONTACT, "--card: contact", reason, fix)]


def _contact_lifted(checked: Checked, options: PublishOptions, words: CardWords) -> Checked:
    """The same with that refusal among the lifted ones, so that the card tells it."""
    if NO_CONTACT not in options.accept:
        return checked
    if not contact_missing(words, {}):
        return replace(checked, notes=(*checked.notes, f"--accept {NO_CONTACT} was not needed"))
    return replace(checked, overrides={**checked.overrides, NO_CONTACT: options.accept[NO_CONTACT]})


def _staged(
    dataset: Dataset, checked: Checked, options: PublishOptions, words: CardWords, say: Say
) -> tuple[Staged, tuple[str, ...]]:
    from cmdfd.publish.documents import write_documents
    from cmdfd.publish.staging import stage, staged_files

    out = options.place
    say(f"making the public copy in {out}")
    staged = stage(dataset, out, options.layout, recipe_only=options.recipe_only, say=say)
    say("writing card, Croissant and audit")
    blanks = write_documents(dataset, staged, checked, options.repo, words, framework=options.framework)
    before = {file.path for file in staged.files}
    staged = replace(staged, files=staged_files(staged.folder))
    written = frozenset(file.path for file in staged.files if file.path not in before)
    _look_again(dataset, staged, written, options, words)
    return staged, blanks


def _look_again(
    dataset: Dataset, staged: Staged, written: frozenset[str], options: PublishOptions, words: CardWords
) -> None:
    """Refuse documents that give away a place, a person or a withheld clip; staging looked at everything else."""
    from cmdfd.publish.records import RefusedError
    from cmdfd.publish.scrub import private_of
    from cmdfd.publish.staging import private_records
    from cmdfd.publish.sweep import sweep

    repo = options.repo
    told = " ".join([repo.id, f"{repo.id}@{repo.tag}", options.framework or "", words.model_dump_json()])
    private = private_of(dataset.folder, private_records(dataset))
    if problems := sweep(staged.folder, private, dataset, names=written, told=told):
        raise RefusedError(tuple(problems))


def _upload(dataset: Dataset, staged: Staged, options: PublishOptions, say: Say) -> Published:
    from cmdfd.publish.hub import publish as to_hub
    from cmdfd.publish.loadback import load_back

    def verify(commit: str) -> int:
        if staged.recipe_only:
            return 0  # there are no media to load; the hub compares the files
        rows = 0
        for streaming in (False, True):
            say(f"loading it back with datasets.load_dataset{', streaming' if streaming else ''}")
            rows = load_back(options.repo.id, commit, dataset, staged.layout, streaming=streaming)
        return rows

    return to_hub(staged, options.repo, say, verify=verify)


def parse_accept(pairs: list[str]) -> dict[str, str]:
    """Read `--accept CODE=REASON`.

    Raises:
        CmdfdError: For a code that is none or that nobody can lift, or a reason that is missing or too short.
    """
    from cmdfd.errors import nearest
    from cmdfd.publish.checks import check_accept
    from cmdfd.publish.records import REFUSALS

    found: dict[str, str] = {}
    for pair in pairs:
        code, _, reason = (part.strip() for part in pair.partition("="))
        if code not in REFUSALS:
            raise CmdfdError(f"--accept: {code!r} is no refusal: {nearest(code, REFUSALS)}")
        check_accept({code: reason or "none"})
        if len(reason) < _LEAST_REASON:
            raise CmdfdError(
                f"--accept {code}: give the reason in {_LEAST_REASON} signs or more, as in --accept {code}='WHY IT MAY "
                f"GO'; it is published{f'; {clean(reason)!r} has {len(reason)}' if reason else ''}"
            )
        found[code] = reason
    return found
