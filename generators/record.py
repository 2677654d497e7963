"""What is written down about a clip: rights, provenance, tool versions."""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from cmdfd.clip import Rights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from generators.plan import BuildPlan

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

#: Packages whose versions may change the bytes of any clip.
CODE_PACKAGES = ("cmdfd", "av", "numpy", "opencv-python-headless", "pyloudnorm", "scipy")
PROVENANCE_COLUMNS = {
    "id": "string", "job": "string", "split": "string", "sha256": "string", "raw_sha256": "string", "kind": "string",
    "generator": "string", "generator_version": "int32", "generator_licence": "string", "output_licence": "string",
    "params": "string", "seed": "int64", "take": "string", "index": "int32", "relation": "string", "start": "double",
    "crf": "int32", "parents": "parents", "operations": "strings", "known_cues": "strings", "watermark": "string",
    "details": "string", "transcript": "string", "versions": "string", "licence": "string", "consent": "string",
    "pristine": "bool", "rights_override": "string", "recipe_hash": "string",
}  # fmt: skip
#: Files and planned clips that were not made, one row each.
REFUSED_COLUMNS = {"source": "string", "kind": "string", "code": "string", "reason": "string"}
STAGE_COLUMNS = {"id": "string", "split": "string", "stage": "string"}


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


def tool_versions(packages: Iterable[str] = ()) -> dict[str, str]:
    """Versions of everything that decides the bytes: packages, Python, and the codecs inside PyAV."""
    import av

    found = {"python": platform.python_version()}
    for name in sorted({*CODE_PACKAGES, *packages}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    for library, numbers in av.library_versions.items():
        found[library] = ".".join(str(number) for number in numbers)
    return found


def versions_of(plan: BuildPlan) -> dict[str, str]:
    """Versions of everything that decides the bytes of a plan's clips, the programs of its scenes and platforms too."""
    recipe = plan.recipe
    packages = [*plan.code_packages, *(("moviepy", "pillow") if recipe.scenes else ())]
    found = tool_versions(packages)
    if recipe.social.chains:
        from cmdfd.media.ffmpeg import program_version

        found["ffmpeg program"] = program_version()
    return found


def finite(cues: Mapping[str, Any]) -> dict[str, float | str | None]:
    """Cues as they go into tables: numbers that are not finite are not measurable."""
    clean: dict[str, float | str | None] = {}
    for name, value in cues.items():
        if value is None or isinstance(value, str):
            clean[name] = value
        else:
            number = float(value)
            clean[name] = number if math.isfinite(number) else None
    return clean


def as_text(value: Mapping[str, Any]) -> str:
    """Canonical JSON of settings, for a table's cell."""
    return json.dumps(dict(value), sort_keys=True, ensure_ascii=False, allow_nan=False)
