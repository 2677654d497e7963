"""The chains of social platforms that a recipe sends its clips through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from generators.recipe import Recipe


@dataclass(frozen=True, slots=True)
class PlannedChain:
    """A chain of platforms: how the recipe names it, and its content address."""

    text: str
    address: str


def chains_of(recipe: Recipe) -> dict[str, PlannedChain]:
    """Every chain of platforms that a recipe sends its clips through, by name.

    Raises:
        CmdfdError: For an unknown profile, or two chains of one name.
    """
    if not recipe.social.chains:
        return {}
    from generators.social.transmit import resolve_chain

    found: dict[str, PlannedChain] = {}
    for text in recipe.social.chains:
        chain = resolve_chain(text)
        if chain.name in found:
            raise CmdfdError(f"the chains {found[chain.name].text!r} and {text!r} have one name, {chain.name!r}")
        found[chain.name] = PlannedChain(text, chain.address)
    return found
