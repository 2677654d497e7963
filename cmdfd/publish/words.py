"""What only the publisher can say about a set: read from a YAML file, checked, and made safe as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cmdfd.errors import CmdfdError, nearest
from cmdfd.report.text import clean
from cmdfd.yaml_text import line_of, plain, reason_of, tree_of

if TYPE_CHECKING:
    from pathlib import Path

#: Largest file of words that is read, in bytes: a card of a hundred pages.
MAX_BYTES = 500_000
#: What a card may hold at most in one answer, in signs.
_MAX_SIGNS = 20_000
_MAX_LIST = 200

_Text = Annotated[str, Field(min_length=1, max_length=_MAX_SIGNS)]
_Line = Annotated[str, Field(min_length=1, max_length=300)]
#: ISO 639-1 or 639-3, as the Hub wants it.
_Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
_Date = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class Change(BaseModel):
    """One version of the set, for the changelog.

    Args:
        version: Its tag, e.g. "v1.0.0".
        date: Day, "2026-11-27".
        what: What changed.
        withdrawn: Clips that were taken out since the version before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[str, Field(pattern=r"^v?\d+(\.\d+){0,2}([-+.][0-9A-Za-z.-]+)?$", max_length=40)]
    date: _Date | None = None
    what: _Text | None = None
    withdrawn: Annotated[int, Field(ge=0)] = 0


class CardWords(BaseModel):
    """What cannot be worked out from a set. Everything is optional; what is left out stays a visible blank on the card.

    Args:
        title: Name of the set for people; without it the set's own name is taken.
        summary: One paragraph: what it is, what for, by whom.
        languages: Languages that are spoken, ISO 639 ("en").
        collection: How the recordings were made or collected.
        intended_use: Training, evaluation; which question it answers.
        social_impact: What good and what harm the set can do.
        prohibited: Further terms, e.g. those of the sources.
        limits: Who and what is missing; what a good score does not show.
        traces: Why traces that the audit found remain.
        predictions: Where predictions for withheld splits are sent.
        personal_data: What else is in the set about people, or was removed.
        citation: How to cite it, as text or BibTeX.
        contact: A person or role with an address that is read.
        maintainers: Who looks after it.
        takedown_days: Within how many days a request to take clips out is answered.
        maintenance: How long and how the set is looked after.
        overrides_by: Who decided on the overrides that the card lists.
        changes: Versions, the newest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: _Line | None = None
    summary: _Text | None = None
    languages: Annotated[tuple[_Language, ...], Field(max_length=_MAX_LIST)] = ()
    collection: _Text | None = None
    intended_use: _Text | None = None
    social_impact: _Text | None = None
    prohibited: _Text | None = None
    limits: _Text | None = None
    traces: _Text | None = None
    predictions: _Text | None = None
    personal_data: _Text | None = None
    citation: _Text | None = None
    contact: _Text | None = None
    maintainers: Annotated[tuple[_Line, ...], Field(max_length=_MAX_LIST)] = ()
    takedown_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    maintenance: _Text | None = None
    overrides_by: _Line | None = None
    changes: Annotated[tuple[Change, ...], Field(max_length=_MAX_LIST)] = ()


#: What a field wants, in words.
_HINTS = {
    "languages": "a list of codes of ISO 639, as in [en, de]",
    "maintainers": "a list of names, as in [Ann, the data desk]",
    "takedown_days": "days as a whole number, 1 to 3650",
    "changes": "a list of versions, as in [{version: v1.0.0, date: 2026-11-27, what: first release}]",
}


def read_words(path: Path | None) -> CardWords:
    """Read the file of `--card`.

    Args:
        path: YAML with some of the fields of `CardWords`; None for no words at all.

    Raises:
        CmdfdError: With file and line where it is missing, too large, no YAML, or a field is unknown or wrong.
    """
    if path is None:
        return CardWords()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CmdfdError(f"{path}: more than {MAX_BYTES} bytes; a file of words for a card is shorter")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CmdfdError(f"{path}: cannot be read: {error}") from error
    tree = tree_of(text, str(path), CmdfdError)
    if tree is None:
        return CardWords()
    if not isinstance(tree, dict):
        raise CmdfdError(f"{path}:1: a card's words are names with values; known: {_fields()}")
    try:
        return CardWords.model_validate(plain(tree))
    except ValidationError as error:
        raise CmdfdError("\n".join(_told(path, tree, one) for one in error.errors()[:10])) from error


def _fields() -> str:
    return ", ".join(CardWords.model_fields)


def _told(path: Path, tree: Any, error: Any) -> str:
    place = error["loc"]
    where = ".".join(str(part) for part in place)
    hint = _HINTS.get(str(place[0]), "") if error["type"] != "extra_forbidden" else ""
    if error["type"] == "extra_forbidden":
        known = CardWords.model_fields if len(place) == 1 else Change.model_fields
        hint = nearest(clean(str(place[-1])), known)
    said = f"{path}:{line_of(tree, place)}: {clean(where)}: {reason_of(error)}"
    return f"{said}; {hint}" if hint else said


def prose(text: str) -> str:
    r"""Words of the publisher as Markdown: emphasis, lists and links stay; HTML, headings and control signs do not.

    Args:
        text: One or several paragraphs.

    >>> prose("# A *good* <b>set</b>")
    '\\# A *good* &lt;b>set&lt;/b>'
    """
    lines = [clean(line).rstrip() for line in text.strip().splitlines()]
    # "<" begins every tag and comment; "#", "=" and "---" at the beginning of a line make headings
    safe = [re.sub(r"^(\s*)(#|=|-{2,}\s*$|`{3}|~{3})", r"\1\\\2", line.replace("<", "&lt;")) for line in lines]
    return "\n".join(safe)


def fenced(text: str, language: str = "") -> str:
    """A text as a block of code; its fence is longer than any run of its own ticks.

    Args:
        text: Any text.
        language: For colours, e.g. "bibtex".
    """
    lines = "\n".join(clean(line).rstrip() for line in text.strip().splitlines())
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines}\n{fence}"
