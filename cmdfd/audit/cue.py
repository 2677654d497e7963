"""What a cue is: a cheap measurement that must not tell a forged clip from an unforged one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: leak = betrays the label and has nothing to do with forging: always repair it. nuisance = a property of recording or
#: encoding: harmonise it. debatable = may follow from the content or be a genuine trace: report it, never fail on it.
CueKind = Literal["leak", "nuisance", "debatable"]
#: What `--fix` can do about a cue: cut both streams at random (crop), write every clip anew with one encoder setting
#: (harmonise), keep a subset in which both classes look alike (match), drop copies (deduplicate), move whole
#: components between splits (resplit), new opaque names and one order (rename), or nothing by machine.
Fix = Literal["crop", "harmonise", "match", "deduplicate", "resplit", "rename", "none"]
#: A number, a category or a text of tokens, or None where the clip has nothing to measure (which is audited itself).
CueValue = float | str | None
Measurements = Mapping[str, CueValue]

CATEGORY, TOKENS = "category", "tokens"


@dataclass(frozen=True, slots=True)
class Cue:
    """One measurement.

    Args:
        name: Column name, "family.cue".
        title: What it is, as the subject of a sentence in English.
        unit: Unit of the number, "category" for text, "tokens" for words parted by blanks, each looked at by itself.
        kind: What a difference between the classes means.
        rule: How exactly it is measured.
        remedy: What to do where it separates real from fake.
        source: Where the cue is known from.
        fix: The remedy of `--fix` that removes it.
    """

    name: str
    title: str
    unit: str
    kind: CueKind
    rule: str
    remedy: str
    source: str
    fix: Fix = "harmonise"

    @property
    def family(self) -> str:
        """What stands before the dot."""
        return self.name.split(".", 1)[0]

    @property
    def categorical(self) -> bool:
        """Whether values are names, also where they look like numbers."""
        return self.unit == CATEGORY

    @property
    def tokenised(self) -> bool:
        """Whether values are words parted by blanks."""
        return self.unit == TOKENS
