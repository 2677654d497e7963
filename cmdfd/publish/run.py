"""Publishing from end to end: check, stage, document, and, where it is no dry run, upload and verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from cmdfd.audit.severity import Severity
    from cmdfd.dataset import Dataset
    from cmdfd.publish.records import Checked, Format, Published, Repo, Staged
    from cmdfd.publish.words import CardWords

Say = Callable[[str], None]


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
    from cmdfd.publish.records import RefusedError
    from cmdfd.publish.remote import check_repo

    check_repo(options.repo)  # it names a folder, too, and should not cost an audit
    words = read_words(options.words)
    checked = check(
        options.folder,
        CheckOptions(
            accept=options.accept,
            audit=options.audit,
            fail_on=options.fail_on,
            seed=options.seed,
            workers=options.workers,
        ),
        say,
    )
    if checked.problems:
        return Outcome(checked)
    dataset = Dataset.open(options.folder)
    try:
        staged, blanks = _staged(dataset, checked, options, words, say)
    except RefusedError as error:
        return Outcome(replace(checked, problems=shortened(error.problems)))
    if options.dry_run:
        return Outcome(checked, staged, blanks)
    return Outcome(checked, staged, blanks, _upload(dataset, staged, options, say))


def _staged(
    dataset: Dataset, checked: Checked, options: PublishOptions, words: CardWords, say: Say
) -> tuple[Staged, tuple[str, ...]]:
    from cmdfd.publish.documents import write_documents
    from cmdfd.publish.staging import stage, staged_files

    out = options.output / options.repo.id.replace("/", "--")
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
        CmdfdError: For a pair without a reason, or a code that is none.
    """
    from cmdfd.errors import nearest
    from cmdfd.publish.records import REFUSALS

    found: dict[str, str] = {}
    for pair in pairs:
        code, _, reason = (part.strip() for part in pair.partition("="))
        if code not in REFUSALS:
            raise CmdfdError(f"--accept: {code!r} is no refusal: {nearest(code, REFUSALS)}")
        if len(reason) < 10:
            raise CmdfdError(
                f"--accept {code}: give the reason, as in --accept {code}='WHY IT MAY GO'; it is published"
            )
        found[code] = reason
    return found
