"""What is written down about a clip: rights, provenance, tool versions."""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from generators.plan import BuildPlan

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
