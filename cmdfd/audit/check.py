"""What is plainly wrong with a set, without any statistics: copies across splits, impossible labels, broken files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmdfd.audit.cue import Fix
    from cmdfd.audit.severity import Severity


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for and found.

    Args:
        name: "family.what", e.g. "split.duplicate", "label.outside_clip", "missing.sound".
        severity: Grade; "none" for what is only worth knowing.
        sentence: What was found, with counts, for people.
        n: Clips concerned.
        examples: Names of a few of them.
        remedy: What to do.
        fix: The remedy of `--fix` that repairs it.
    """

    name: str
    severity: Severity
    sentence: str
    n: int
    examples: tuple[str, ...]
    remedy: str
    fix: Fix = "none"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)
