"""The gate's form: what whoever asks for access is asked for. The gate itself is a setting of the repository.

Where the licence lets everybody share and adapt, it also forbids whoever passes the work on to add terms (CC BY 4.0,
section 2(a)(5)(C); Apache 2.0 and MIT grant their rights without any). There the form asks, and the licence holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cmdfd.publish.rights_check import forbids
from cmdfd.rights import LICENCE_ORDER

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADING = "Access for research on the detection of forged media"
#: What follows "I will" or "I am asked to".
TERMS = (
    "use this set for research on detection only",
    "not try to find out who is shown or heard",
    "not pass the clips on",
    "not train generators on them",
    "delete clips that are withdrawn",
)
_AGREED, _READ = "I agree to the terms above", "I have read what is asked of me above"


def lets_share(licence: str) -> bool:
    """Whether a set's licence lets everybody pass its clips on, under whatever conditions of its own.

    Args:
        licence: As in `Rights`; several joined by AND all hold.

    >>> lets_share("CC-BY-NC-4.0"), lets_share("CC-BY-4.0 AND CPML"), lets_share("research-only")
    (True, False, False)
    """
    parts = [part.strip() for part in re.split(r"\s+AND\s+", licence)]
    return all(part in LICENCE_ORDER for part in parts) and not forbids(licence)


def prompt(licence: str) -> str:
    """What is asked, as one paragraph in the first person.

    Args:
        licence: Of the set.
    """
    if lets_share(licence):
        asked = _asked()
        request = "This is a request: what the licence of the set allows stays allowed."
        return f"I am asked {', '.join(asked[:-1])}, and {asked[-1]}. {request}"
    return f"I will {', '.join(TERMS[:-1])}, and {TERMS[-1]}."


def fields(licence: str) -> Mapping[str, str]:
    """Name -> type, as the Hub knows them (text, country, checkbox).

    Args:
        licence: Of the set.
    """
    return {
        "Name": "text",
        "Institution": "text",
        "Country": "country",
        "Address for notices of withdrawn clips": "text",
        "Intended use": "text",
        _READ if lets_share(licence) else _AGREED: "checkbox",
    }


def licence_lines(licence: str) -> list[str]:
    """What the LICENSE file says of the gate.

    Args:
        licence: Of the set.
    """
    if lets_share(licence):
        return [
            "Whoever asks for access is asked:", "", *(f"    - {term}" for term in _asked()), "",
            "These are requests of the publisher. They add nothing to the licence and take nothing from it: where a",
            "request and the licence differ, the licence holds.",
        ]  # fmt: skip
    return [
        "Whoever asks for access promises to:", "", *(f"    - {term}" for term in TERMS), "",
        "Where the licence of a single clip allows more, that licence holds for the clip.",
    ]  # fmt: skip


def _asked() -> list[str]:
    """The terms as requests."""
    return [f"not to {term.removeprefix('not ')}" if term.startswith("not ") else f"to {term}" for term in TERMS]
