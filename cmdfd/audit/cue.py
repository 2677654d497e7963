"""What a cue is: a cheap measurement that must not tell a forged clip from an unforged one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: leak = betrays the label and has nothing to do with forging: always repair it. nuisance = a property of recording or
#: encoding: harmonise it. debatable = may follow from the content or be a genuine trace: report it, never fail on it.
CueKind = Literal["leak", "nuisance", "debatable"]
#: A number, a category, or None where the clip has nothing to measure (which is audited itself).
CueValue = float | str | None
Measurements = Mapping[str, CueValue]


@dataclass(frozen=True, slots=True)
class Cue:
    """One measurement.

    Args:
        name: Column name, "family.cue".
        title: What it is, as the subject of a sentence in English.
        unit: Unit of the number, "category" for text.
        kind: What a difference between the classes means.
        rule: How exactly it is measured.
        remedy: What to do where it separates real from fake.
        source: Where the cue is known from.
    """

    name: str
    title: str
    unit: str
    kind: CueKind
    rule: str
    remedy: str
    source: str

    @property
    def categorical(self) -> bool:
        """Whether values are text."""
        return self.unit == "category"
