"""What a takedown tells on the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cmdfd.clip import REAL_KIND
from cmdfd.report.text import plural
from cmdfd.takedown.closure import counts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmdfd.dataset import Dataset
    from cmdfd.takedown.applying import Applied
    from cmdfd.takedown.closure import Closure

#: So many groups of reasons are printed; `--explain` prints every clip.
_MOST_REASONS = 30


def counts_lines(dataset: Dataset, closure: Closure) -> list[str]:
    """How many clips go, by kind and split, with how many there are."""
    gone = counts_of(dataset, closure.ids)
    there = Counter((clip.kind, clip.split) for clip in dataset.rows)
    splits = dataset.splits
    kinds = sorted({kind for kind, _ in gone}, key=lambda kind: (kind != REAL_KIND, kind))
    width = max([len(kind) for kind in kinds] + [4])
    cells = [[f"{gone[kind, split]} of {there[kind, split]}" for split in splits] for kind in kinds]
    size = max([len(cell) for row in cells for cell in row] + [len(split) for split in splits])
    head = "  ".join([f"{'kind':<{width}}", *(f"{split:>{size}}" for split in splits)])
    rows = [
        "  ".join([f"{kind:<{width}}", *(f"{cell:>{size}}" for cell in row)])
        for kind, row in zip(kinds, cells, strict=True)
    ]
    return [f"{plural(len(closure.ids), 'clip')} of {len(dataset.rows)} go:", head, *rows]


def reason_lines(dataset: Dataset, closure: Closure, *, explain: bool) -> list[str]:
    """Why each is in; grouped by kind and chain, or clip by clip."""
    asked = bullets("asked for:", closure.asked)
    if explain:
        return [*asked, *(f"{name} ({_what(dataset, name)}): {_told(why)}" for name, why in closure.reasons.items())]
    groups = Counter((dataset.clip(name).kind, _told(told)) for name, told in closure.reasons.items())
    order = sorted(groups.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = [f"  {n:>4}  {kind}: {why}" for (kind, why), n in order[:_MOST_REASONS]]
    more = len(order) - _MOST_REASONS
    rest = [f"  and {plural(more, 'reason')} more; see --explain"] if more > 0 else []
    return [*asked, "why:", *lines, *rest]


def _what(dataset: Dataset, name: str) -> str:
    clip = dataset.clip(name)
    return ", ".join(word for word in (clip.kind, clip.split, clip.platform) if word)


def _told(chain: tuple[str, ...]) -> str:
    return " → ".join(chain)


def applied_lines(applied: Applied) -> list[str]:
    """What was done, and what is left to do."""
    done = f"{plural(applied.n_clips, 'clip')} and {plural(applied.n_files, 'file')} of theirs are not in it"
    return [
        f"written: {applied.folder} ({applied.version}); {done}",
        *bullets("look:", applied.warnings),
        *bullets("left to do:", applied.left),
    ]


def bullets(title: str, lines: Iterable[str]) -> list[str]:
    """A title with lines below it, or nothing where there are none."""
    found = [f"  - {line}" for line in lines]
    return [title, *found] if found else []
