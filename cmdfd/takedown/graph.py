"""What follows from what: nodes, edges with reasons, and everything that can be reached."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

NodeKind = Literal["person", "face", "voice", "own", "take", "source", "file", "clip"]


class Node(NamedTuple):
    """Something that can be withdrawn.

    "own" is a take that shows or carries the person: its recording goes, too. "take" is a take alone, "file" the
    hash of a file's bytes.
    """

    kind: NodeKind
    name: str


class Step(NamedTuple):
    """Why a node was reached: from where, and in words; `before` is None for what was asked for."""

    before: Node | None
    why: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Directed edges: if the first goes, the second goes, too."""

    edges: dict[Node, dict[Node, str]] = field(default_factory=dict)

    def add(self, first: Node, second: Node, why: str) -> None:
        """Add an edge; a second one between the same nodes keeps the first reason. Nameless nodes are nobody."""
        if first.name and second.name and first != second:
            self.edges.setdefault(first, {}).setdefault(second, why)

    def reach(self, seeds: Iterable[tuple[Node, str]]) -> dict[Node, Step]:
        """Everything that goes with the seeds, breadth first: the shortest chain of reasons for each.

        Args:
            seeds: What was asked for, with the reason in words.

        Returns:
            Node to the step by which it was reached, in the order of reaching.
        """
        found: dict[Node, Step] = {}
        queue: deque[Node] = deque()
        for node, why in seeds:
            if node.name and node not in found:
                found[node] = Step(None, why)
                queue.append(node)
        while queue:
            node = queue.popleft()
            for other, why in self.edges.get(node, {}).items():
                if other not in found:
                    found[other] = Step(node, why)
                    queue.append(other)
        return found


def chain(found: dict[Node, Step], node: Node) -> tuple[str, ...]:
    """The reasons from what was asked for to a node that was reached."""
    told: list[str] = []
    step: Step | None = found[node]
    while step is not None:
        if step.why:
            told.append(step.why)
        step = None if step.before is None else found[step.before]
    return tuple(reversed(told))
