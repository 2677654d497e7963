"""`python -m cmdfd.publish DIR --repo ORG/NAME`: a built set goes to the Hugging Face Hub, gated and documented."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.audit.severity import SEVERITIES
from cmdfd.command import ended, teller
from cmdfd.publish.records import FORMATS, REFUSALS, Repo
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmdfd.publish.run import Outcome, PublishOptions

EPILOG = """examples:
  python -m cmdfd.publish data/mine --repo my-lab/mine --dry-run       print what would go public; the Hub is not asked
  python -m cmdfd.publish data/mine --repo my-lab/mine --card words.yaml
  python -m cmdfd.publish data/mine --repo my-lab/mine --recipe-only   no media: tables, hashes and edit lists

exit codes: 0 published (or planned), 1 the set was refused, 2 it could not be done"""


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(
        prog="python -m cmdfd.publish",
        description="Publish a built set: check, gate, upload, load back, tag, show.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("folder", type=Path, metavar="DIR", help="a built set")
    made.add_argument("--repo", required=True, metavar="ORG/NAME", help="data set repository on the Hub")
    made.add_argument(
        "--dry-run", action="store_true", help="do everything but the Hub, and print what would go public"
    )
    _what(made)
    _checks(made)
    return made


def _what(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("what").add_argument
    add("--format", choices=FORMATS, default="videofolder", help="layout on the Hub (default %(default)s)")
    add("--recipe-only", action="store_true", help="no media: for sources that may not be passed on")
    add(
        "--tag",
        default="v1.0.0",
        metavar="TAG",
        help="version tag; a published one never changes (default %(default)s)",
    )
    add("--card", type=Path, metavar="YAML", help="what only you know: contact, citation, intended use, limits ...")
    add("--evaluation-framework", metavar="NAME", help="also write eval.yaml; the Hub accepts listed frameworks only")
    add("--keep-private", action="store_true", help="do not make the repository visible at the end")
    add(
        "-o",
        "--output-path",
        type=Path,
        default=Path("published"),
        metavar="DIR",
        help="the public copy goes to DIR/ORG--NAME (default DIR: %(default)s)",
    )


def _checks(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("checks").add_argument
    add(
        "--accept",
        action="append",
        default=[],
        metavar="CODE=REASON",
        help="publish in spite of a refusal; the reason, of 10 signs at least, stands on the card",
    )
    add("--audit", choices=("full", "quick"), default="full", help="quick: headers and packets only")
    add(
        "--fail-on", choices=SEVERITIES[1:], default="medium", help="grade of a cue that stops it (default %(default)s)"
    )
    add("--workers", type=int, metavar="N", help="processes of the audit (default: one a core)")
    add("--seed", type=int, default=0, metavar="N", help="of everything that the audit draws (default %(default)s)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code (see `--help`)."""
    named = parser().parse_args(arguments)
    return ended(lambda: _run(_options(named)), "stopped; the same command goes on where it stopped")


def _run(options: PublishOptions) -> int:
    from cmdfd.publish.run import publish

    return _tell(publish(options, teller()), options)


def _options(named: argparse.Namespace) -> PublishOptions:
    from cmdfd.publish.run import PublishOptions, parse_accept

    return PublishOptions(
        folder=named.folder,
        repo=Repo(named.repo, named.tag, visible=not named.keep_private),
        layout=named.format,
        recipe_only=named.recipe_only,
        words=named.card,
        accept=parse_accept(named.accept),
        audit=named.audit,
        fail_on=named.fail_on,
        framework=named.evaluation_framework,
        output=named.output_path,
        dry_run=named.dry_run,
        workers=named.workers,
        seed=named.seed,
    )


def _tell(outcome: Outcome, options: PublishOptions) -> int:
    from cmdfd.publish.plan import plan_lines, sent_lines, write_listing

    out = sys.stdout.write
    if outcome.checked.problems or outcome.staged is None:
        out(f"{clean(options.folder.name)} is not published:\n")
        for problem in outcome.checked.problems:
            out(f"- {problem.code} ({REFUSALS[problem.code]})\n")
            out(f"    {clean(problem.where)}: {clean(problem.reason)}\n    fix: {clean(problem.fix)}\n")
        return 1
    listing = write_listing(outcome.staged)
    said = (outcome.staged, outcome.checked, options.repo, outcome.blanks, listing)
    if outcome.published is None:
        out("\n".join([*plan_lines(*said), *_without_contact(outcome, options)]) + "\n")
        out("dry run: nothing was sent; leave out --dry-run to publish\n")
        return 0
    done = outcome.published
    out("\n".join(sent_lines(*said, done.steps)) + "\n")
    out(f"published: {done.url}\n")
    rows = "" if outcome.staged.recipe_only else f", {done.n_rows} rows loaded back equal"
    out(f"  commit {done.commit}, tag {options.repo.tag}, {done.n_files} files{rows}\n")
    if not outcome.staged.recipe_only:
        out(f'  load_dataset("{options.repo.id}", revision="{options.repo.tag}")\n')
    out("  requests for access wait for your answer on the page of the repository\n")
    return 0


def _without_contact(outcome: Outcome, options: PublishOptions) -> list[str]:
    """What a dry run goes on without, and a real one does not."""
    from cmdfd.publish.documents import read_words
    from cmdfd.publish.run import contact_missing

    missing = contact_missing(read_words(options.words), outcome.checked.overrides)
    return [f"without --dry-run this is refused: {clean(one.text)}" for one in missing]


if __name__ == "__main__":
    sys.exit(main())
