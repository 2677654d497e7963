"""What a recipe names beyond its own words: generators, their parameters, the source and its options; told by line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cmdfd.errors import CmdfdError, nearest
from generators.recipe import RecipeError
from generators.registry import make_generator
from generators.sources.registry import make_source
from generators.yaml_text import line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from generators.recipe import KindRecipe, Recipe

_MAX_TOLD = 5


def check_names(recipe: Recipe, tree: Any, where: str) -> None:
    """Try everything that a recipe names, without making anything.

    Args:
        recipe: The recipe.
        tree: The YAML tree that it was read from, for line numbers.
        where: Name of its file.

    Raises:
        RecipeError: Naming line and field of up to five mistakes.
    """
    found: list[str] = []

    def attempt(place: Sequence[Any], action: Callable[[], Any]) -> bool:
        try:
            action()
        except ValidationError as error:
            first = error.errors()[0]
            inside = [*place, *first["loc"]]
            found.append(_told(where, tree, inside, first["msg"].removeprefix("Value error, ")))
        except CmdfdError as error:
            found.append(_told(where, tree, place, str(error).splitlines()[0]))
        else:
            return True
        return False

    attempt(("source", "options"), lambda: make_source(recipe.source.kind, recipe.source.options))
    for index, kind in enumerate(recipe.kinds):
        place = ("kinds", index)
        if attempt((*place, "generator" if kind.generator else "kind"), partial(make_generator, kind.made_by)):
            found += [_told(where, tree, (*place, *inside), text) for inside, text in _kind_problems(kind)]
    for named, action in _named(recipe):
        attempt(named, action)
    if found:
        raise RecipeError("\n".join(found[:_MAX_TOLD]))


def _named(recipe: Recipe) -> Iterator[tuple[tuple[str | int, ...], Callable[[], object]]]:
    """What else a recipe names: where it stands, and what tries it."""
    layouts = recipe.scenes.layouts if recipe.scenes else []
    for index, kind in enumerate(recipe.kinds):
        if kind.panels > 1:
            yield ("kinds", index, "panels"), partial(_panels, kind.panels, layouts)
    lists: tuple[tuple[tuple[str, str], Sequence[str], Callable[[str], object]], ...] = (
        (("real", "through"), recipe.real.through, make_generator),
        (("scenes", "layouts"), layouts, _layout),
        (("social", "chains"), recipe.social.chains, _chain),
    )
    for place, texts, action in lists:
        for index, text in enumerate(texts):
            yield (*place, index), partial(action, text)


def _panels(n: int, layouts: Sequence[str]) -> None:
    from generators.splice.scenes.layouts import layout_of

    most = max(layout_of(name).people for name in layouts)
    if n > most:
        raise CmdfdError(f"{n} panels shall be forged, but no layout of the recipe shows more than {most} people")


def _layout(name: str) -> object:
    from generators.splice.scenes.layouts import layout_of

    return layout_of(name)


def _chain(text: str) -> object:
    from generators.social.transmit import resolve_chain

    return resolve_chain(text)


def _kind_problems(kind: KindRecipe) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a kind asks of its generator in vain: field and sentence."""
    spec = make_generator(kind.made_by).spec
    for word in kind.params:
        if word not in spec.params:
            yield ("params", word), f"{kind.made_by!r} has no parameter {word!r}: {nearest(word, spec.params)}"
    if kind.driver != "other" and not spec.needs_donor:
        yield ("driver",), f"{kind.made_by!r} is not driven by anything; leave {kind.driver!r} out"


def _told(where: str, tree: Any, place: Sequence[Any], message: str) -> str:
    return f"{where}:{line_of(tree, place)}: {'.'.join(str(part) for part in place)}: {message}"
