"""Licence and consent: which one is the most restrictive, and which forbid anything at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.clip import Rights

if TYPE_CHECKING:
    from collections.abc import Iterable

#: From free to forbidden; a licence that is not listed ranks between the last listed one and "unclear".
LICENCE_ORDER = (
    "CC0-1.0", "public-domain", "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "CC-BY-3.0", "CC-BY-4.0",
    "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0",
    "CC-BY-NC-ND-4.0", "research-only",
)  # fmt: skip
UNCLEAR = "unclear"
#: What people write where a licence is not known; nothing is forged from such a recording.
NO_LICENCE = frozenset(
    {"", UNCLEAR, "unknown", "none", "no licence", "no license", "n/a", "na", "?", "-", "todo", "tbd"}
)
CONSENT_ORDER = ("synthetic", "given", "public-figure", "unknown")


def most_restrictive(rights: Iterable[Rights]) -> Rights:
    """Rights of something made from several sources.

    The most restrictive licence wins ("unclear" above all); unlisted licences are joined by AND. Consent is that
    of the source with least of it. Pristine only if all are.
    """
    given = list(rights)
    if not given:
        return Rights(UNCLEAR, "unknown", pristine=False)
    worst = max(_licence_rank(one.licence) for one in given)
    licences = sorted({one.licence for one in given if _licence_rank(one.licence) == worst})
    consent = max((one.consent for one in given), key=_consent_rank)
    return Rights(" AND ".join(licences), consent, all(one.pristine for one in given))


def _licence_rank(licence: str) -> int:
    if licence.strip().casefold() in NO_LICENCE:
        return len(LICENCE_ORDER) + 1
    if licence in LICENCE_ORDER:
        return LICENCE_ORDER.index(licence)
    return len(LICENCE_ORDER)


def _consent_rank(consent: str) -> int:
    return CONSENT_ORDER.index(consent) if consent in CONSENT_ORDER else len(CONSENT_ORDER)


def rights_problem(rights: Rights) -> tuple[str, str] | None:
    """Why nothing may be forged from a source: a code of `cmdfd.errors.JOB_CODES` and a sentence, or None.

    A synthetic speaker needs no consent. Words that say that nobody knows are refused, and so is unknown consent.
    """
    if rights.licence.strip().casefold() in NO_LICENCE:
        return "licence_refused", f"licence {rights.licence!r} in sources.csv: nobody knows what may be done with it"
    if rights.consent not in CONSENT_ORDER or rights.consent == "unknown":
        return "consent_missing", f"consent {rights.consent!r} in sources.csv: nobody says that the person agreed"
    return None
