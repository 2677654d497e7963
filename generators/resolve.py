"""From a recipe as it stands and the words of a command to the recipe that is built."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cmdfd.errors import CmdfdError
from generators.recipe import Recipe, load_recipe
from generators.registry import make_generator

#: Clips of a user's recordings, where no other length is asked for: many corpora cut their sentences to 3 s (GRID),
#: and the sound must have room to be shifted.
FOLDER_SECONDS = 2.4
#: Recordings give takes this much longer than a clip, for the draw of the window and shifts of the sound.
MARGIN_SECONDS = 0.8
#: Side of a recording's square picture where it becomes a panel of a scene and the recipe does not say.
PANEL_SIZE = 384
#: The source of edits made by hand keeps its kind, whatever folder is named.
MANUAL = "manual"


def resolve_recipe(
    recipe: Recipe | str,
    *,
    sources: Path | None = None,
    seed: int | None = None,
    seconds: float | None = None,
    identity_per_file: bool = False,
) -> Recipe:
    """The recipe that will be built.

    Args:
        recipe: A recipe, the name of a built-in one, or a YAML file.
        sources: A folder of recordings; replaces the recipe's source by `folder` (a `manual` one keeps its kind) and
            leaves the splits to the recipe's fractions.
        seed: Replaces the recipe's seed.
        seconds: Length of the clips; if None, the recipe's, or 2.4 with recordings where that is shorter.
        identity_per_file: Every file of `sources` shows a person of its own.

    Raises:
        CmdfdError: If there is no such recipe or folder.
    """
    found = load_recipe(recipe) if isinstance(recipe, str) else recipe
    changes: dict[str, Any] = {} if seed is None else {"seed": seed}
    recordings = sources is not None and found.source.kind != MANUAL
    if identity_per_file and not recordings:
        raise CmdfdError("--identity-per-file needs --sources DIR with recordings")
    if seconds is None:
        seconds = min(found.harmonise.seconds, FOLDER_SECONDS if recordings else math.inf)
    changes["harmonise"] = {**found.harmonise.model_dump(), "seconds": seconds}
    if sources is not None:
        if not Path(sources).is_dir():
            raise CmdfdError(f"--sources {str(sources)!r}: there is no such folder")
        options = _of_recordings(found, seconds) if recordings else {**found.source.options, "seconds": seconds}
        options["folder"] = str(Path(sources).resolve())
        if identity_per_file:
            options["identity_per_file"] = True
        changes |= {"source": {"kind": "folder" if recordings else MANUAL, "options": options}, "splits": {}}
    try:
        return Recipe.model_validate({**found.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][-1] if first["loc"] else "recipe"
        raise CmdfdError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from error


def _of_recordings(recipe: Recipe, seconds: float) -> dict[str, Any]:
    """Options of the `folder` source for clips of this length."""
    margins = [make_generator(kind.made_by).spec.margin for kind in recipe.kinds]
    options: dict[str, Any] = {"min_seconds": seconds, "seconds": seconds + max([MARGIN_SECONDS, *margins])}
    if recipe.scenes is not None:
        options["size"] = recipe.source.options.get("size", PANEL_SIZE)
    return options
