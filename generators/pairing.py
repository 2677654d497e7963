"""Who drives whom: donors inside a split, such that no more than two people hang together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from generators.chance import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.recipe import Driver
    from generators.sources.contract import SourceItem

SELF, SAME, PARTNER = "self", "same", "partner"


@dataclass(frozen=True, slots=True)
class Donor:
    """A take that drives or lends.

    Args:
        item: The take.
        relation: "self", "same" (another take of the same person) or "partner".
    """

    item: SourceItem
    relation: str


@dataclass(frozen=True, slots=True)
class Donors:
    """Donors of every take by key, for each `driver` of a recipe's kinds."""

    other: dict[str, Donor]
    cross: dict[str, Donor]

    def of(self, item: SourceItem, driver: Driver) -> Donor | None:
        """Who drives a take; None where there is nobody."""
        if driver == "self":
            return Donor(item, SELF)
        return (self.cross if driver == "cross" else self.other).get(item.key)


def people_of(items: Sequence[SourceItem]) -> dict[tuple[str, str], list[SourceItem]]:
    """Takes by split and face, in the source's order; a take of an unknown face is a person of its own."""
    people: dict[tuple[str, str], list[SourceItem]] = {}
    for item in items:
        people.setdefault((item.split or "", item.face_id or f"\0{item.key}"), []).append(item)
    return people


def pair_neighbours(items: Sequence[SourceItem]) -> dict[str, Donor]:
    """Mutual swaps between neighbours, as in CMDFD: the first person with the second, the third with the fourth.

    People stand in the order of the source inside their split. Takes of partners are matched by their number. Whoever
    is left over in a split has no donor.
    """
    splits: dict[str, list[list[SourceItem]]] = {}
    for (split, _), takes in people_of(items).items():
        splits.setdefault(split, []).append(takes)
    found: dict[str, Donor] = {}
    for people in splits.values():
        for first, second in zip(people[::2], people[1::2], strict=False):
            for mine, theirs in ((first, second), (second, first)):
                for index, item in enumerate(mine):
                    found[item.key] = Donor(theirs[index % len(theirs)], PARTNER)
    return found


def pair_others(items: Sequence[SourceItem], seed: int, partners: dict[str, Donor] | None = None) -> dict[str, Donor]:
    """Another take of the same person, or of a fixed partner.

    The same person's next take, round about, where there is one. Those with a single take are paired off inside
    their split, each the other's donor, so that no more than two people become one component. One that is left over
    has no donor.

    Args:
        items: All takes.
        seed: Of the pairs.
        partners: Pairs that are given already (`pair_neighbours`); drawn if None.

    Returns:
        Take's key to its donor.
    """
    found: dict[str, Donor] = {}
    single: dict[str, list[SourceItem]] = {}
    for (split, _), takes in sorted(people_of(items).items()):
        if len(takes) == 1:
            single.setdefault(split, []).append(takes[0])
        for index, item in enumerate(takes if len(takes) > 1 else []):
            found[item.key] = Donor(takes[(index + 1) % len(takes)], SAME)
    for split, lone in single.items():
        if partners is not None:
            found |= {item.key: partners[item.key] for item in lone if item.key in partners}
            continue
        order = stream("partners", seed, split).permutation(len(lone))
        for first, second in zip(order[::2], order[1::2], strict=False):
            found[lone[first].key] = Donor(lone[second], PARTNER)
            found[lone[second].key] = Donor(lone[first], PARTNER)
    return found


def all_donors(items: Sequence[SourceItem], drivers: set[Driver], seed: int) -> Donors:
    """Donors for the drivers that a recipe's kinds use.

    Where a kind is driven by partners, they are everybody's partners: two ways of pairing would tie many people into
    one component.
    """
    cross = pair_neighbours(items) if "cross" in drivers else {}
    other = pair_others(items, seed, cross if cross else None) if "other" in drivers else {}
    return Donors(other, cross)
