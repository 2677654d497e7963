"""Generators that a plan needs and this machine does not have, told before anything is made."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError, MissingExtraError
from generators.registry import make_generator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from generators.plan import BuildPlan


def missing_generators(plan: BuildPlan) -> dict[str, list[str]]:
    """Generator's name to what it lacks, in words; generators that need nothing have no `problems`."""
    names = {clip.slot.generator for take in plan.takes for clip in take.clips if clip.refused is None}
    found = {}
    for name in sorted(names):
        problems = getattr(make_generator(name), "problems", None)
        lacking = [str(problem) for problem in problems()] if callable(problems) else []
        if lacking:
            found[name] = lacking
    return found


def require_extras(plan: BuildPlan) -> None:
    """Refuse a plan of scenes where what composes them is not installed.

    Raises:
        MissingExtraError: With the command to type.
    """
    if plan.recipe.scenes is not None and importlib.util.find_spec("moviepy") is None:
        raise MissingExtraError("splice", "composing scenes")


def refuse_missing(found: Mapping[str, list[str]]) -> NoReturn:
    """Refuse a build whose generators are not all there.

    Args:
        found: See `missing_generators`.

    Raises:
        CmdfdError: Naming each, what it lacks, and what to do.
    """
    lines = [f"  {name}: {problem}" for name, problems in found.items() for problem in problems]
    names = " ".join(name.removeprefix("external/") for name in found)
    raise CmdfdError(
        "generators of this recipe are not ready:\n"
        + "\n".join(lines)
        + f"\nsee python -m generators.doctor {names.split()[0]}; or build the rest with --skip-missing, and come back "
        "with --retry-failed"
    )
