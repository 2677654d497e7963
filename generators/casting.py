"""Who stands in a picture with whom: small fixed casts inside a split, and the scene of every take.

People stand in casts in the order of the source, first to last, so that the two who drive each other
(`generators.pairing.pair_neighbours`) share one: a cast is one connected component, and no scene ties two casts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators.chance import stream
from generators.pairing import people_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from generators.recipe_scenes import ScenesRecipe
    from generators.sources.contract import SourceItem

#: Of a person that is left alone in a split.
LONE = "address"


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """The scene of one take.

    Args:
        layout: Name of the layout.
        drawn: Everything that was drawn for it, as `generators.splice.scenes.Scene.to_dict` says it.
        bystanders: Takes of the others, in the order of the panels after the take's own.
    """

    layout: str
    drawn: Mapping[str, Any]
    bystanders: tuple[SourceItem, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """People who stand in one picture: its layout, and the takes of each of them."""

    layout: str
    people: tuple[tuple[SourceItem, ...], ...]


def casts(items: Sequence[SourceItem], people: Mapping[str, int], seed: int) -> list[Cast]:
    """Put the people of each split together in casts.

    Args:
        items: All takes.
        people: Layout's name to the number of people it shows; each layout gets the same share of casts, in an order
            that is drawn for each split.
        seed: Of that order.

    Returns:
        The casts. Where fewer people are left than the layout wants, another one that they fill is taken, and `LONE`
        for one.
    """
    splits: dict[str, list[list[SourceItem]]] = {}
    for (split, _), takes in people_of(items).items():
        splits.setdefault(split, []).append(takes)
    found = []
    for split, persons in splits.items():
        rng, turn, place = stream("casts", seed, split), list[str](), 0
        while place < len(persons):
            turn = turn or [str(name) for name in rng.permutation(sorted(people))]
            layout = next((name for name in turn if people[name] <= len(persons) - place), None)
            if layout is None:
                fitting = [name for name in people if people[name] <= len(persons) - place]
                layout = max(fitting, key=lambda name: people[name]) if fitting else LONE
            else:
                turn.remove(layout)
            size = people.get(layout, 1)
            # partners are the first with the second, the third with the fourth: no cast may begin between two
            block = persons[place : place + size + size % 2]
            found.append(_cast(layout, block[:size]))
            found += [_cast(layout if size == 1 else LONE, [one]) for one in block[size:]]
            place += len(block)
    return found


def _cast(layout: str, persons: Sequence[Sequence[SourceItem]]) -> Cast:
    return Cast(layout, tuple(tuple(takes) for takes in persons))


def plan_scenes(items: Sequence[SourceItem], recipe: ScenesRecipe, seed: int) -> dict[str, PlannedScene]:
    """The scene of every take, by key.

    Takes of a cast's people are matched by their number; who has fewer comes again.

    Raises:
        CmdfdError: For an unknown layout, with the nearest right one.
    """
    from generators.splice.scenes.layouts import layout_of
    from generators.splice.scenes.scene import draw_scene

    people = {name: layout_of(name).people for name in recipe.layouts}
    found = {}
    for cast in casts(items, people, seed):
        for place, takes in enumerate(cast.people):
            others = cast.people[place + 1 :] + cast.people[:place]
            for index, item in enumerate(takes):
                drawn = draw_scene(
                    cast.layout,
                    stream("scene", seed, item.key),
                    long_edge=recipe.long_edge,
                    captions=recipe.captions,
                    sound=recipe.sound,
                )
                with_it = tuple(their[index % len(their)] for their in others)
                found[item.key] = PlannedScene(cast.layout, drawn.to_dict(), with_it)
    return found
