"""The records that pass between the rooms of publishing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.audit.records import AuditReport

#: How a set lies on the Hub: browsable files, tar shards for streaming, or tables that hold the media's bytes.
Format = Literal["videofolder", "webdataset", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

#: Every reason for which publishing is refused. The word is printed and tested, so it never changes.
REFUSALS: dict[str, str] = {
    "unfinished": "the folder is not a finished set, or its tables cannot be read",
    "changed_file": "a file is missing, changed, or named by no table",
    "wrong_label": "a label contradicts its kind, segments or mask",
    "split_leak": "a person, recording or file is in two splits",
    "licence_missing": "nobody knows what may be done with a clip",
    "licence_forbids": "a licence forbids passing the clips on",
    "consent_missing": "nobody says that a person shown or heard agreed",
    "audit_failed": "something other than the forgery separates real from fake",
    "audit_missing": "the audit could not be made, or could not have found anything",
    "leaking_name": "a name or path tells the class",
    "withheld_label": "something that tells the labels of a withheld split would go public",
    "personal_data": "a local path, a user name, an address or a place would go public",
    "withdrawn_clip": "somebody who was taken out of the repository would come back",
    "no_contact": "people must be able to ask to be taken out, and the card names nobody to ask",
    "bad_repo": "the repository's name, or its state on the Hub, does not allow it",
    "not_loadable": "what the Hub gives back is not what was built",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a set is not published.

    Args:
        code: A key of `REFUSALS`.
        where: File, table and row, or clip; relative to the set's folder.
        reason: What is wrong, in one sentence.
        fix: What to do or type.
    """

    code: str
    where: str
    reason: str
    fix: str

    def __post_init__(self) -> None:
        if self.code not in REFUSALS:
            raise ValueError(f"{self.code!r} is no refusal; known: {', '.join(REFUSALS)}")

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{self.code}: {self.where}: {self.reason}; fix: {self.fix}"


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What the checks before publishing found.

    Args:
        problems: Empty where the set may go.
        audit: The audit that was made, or read; None where it was not got to.
        notes: What a reader of the plan and of the card must know.
        overrides: Refusals that the publisher lifted, code -> the reason given; recorded on the card.
    """

    problems: tuple[Problem, ...]
    audit: AuditReport | None = None
    notes: tuple[str, ...] = ()
    overrides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file that goes public.

    Args:
        path: Its place in the repository, POSIX, relative.
        size: Bytes.
        sha256: Of the bytes.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A folder that holds exactly what goes public, and nothing else.

    Args:
        folder: Where it lies.
        name: Name of the set.
        layout: How the media lie in it.
        files: Everything in it, sorted by path.
        kept_home: What stays at home, with the reason, for the plan.
        withheld: Splits whose labels stay at home.
        recipe_only: Whether there are no media in it.
    """

    folder: Path
    name: str
    layout: Format
    files: tuple[StagedFile, ...]
    kept_home: tuple[tuple[str, str], ...] = ()
    withheld: tuple[str, ...] = ()
    recipe_only: bool = False

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Repo:
    """Where a set goes.

    Args:
        id: "ORG/NAME".
        tag: Version tag, e.g. "v1.0.0"; readers use it, not the branch.
        visible: Whether the repository is made visible (still gated) at the end, or stays private.
    """

    id: str
    tag: str = "v1.0.0"
    visible: bool = True


@dataclass(frozen=True, slots=True)
class Published:
    """A set on the Hub.

    Args:
        repo: Where.
        commit: 40 hexadecimal digits that the tag points to.
        url: Address of the page.
        n_files: Files of that commit.
        n_rows: Rows that were loaded back and found equal.
        steps: What was done, in order, for the closing table.
    """

    repo: Repo
    commit: str
    url: str
    n_files: int
    n_rows: int
    steps: tuple[str, ...] = ()


class RefusedError(CmdfdError):
    """A public copy that must not go out, with every reason.

    Args:
        problems: Why; at least one.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(problems)

    def __str__(self) -> str:
        return "\n".join(one.text for one in self.problems)
