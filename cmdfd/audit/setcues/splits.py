"""Who or what is in more than one split, splits without a class, and unequal draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.check import Check
from cmdfd.audit.setcues.columns import MAX_EXAMPLES, NOBODY, codes, texts
from cmdfd.audit.setcues.grading import by_share, worst_share
from cmdfd.report.text import listing, percent, plural, shorten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.setcues.columns import Rows

_RESPLIT = "assign whole components (everybody and everything that hangs together) to one split each"
_SAMPLER = "draw the same number of clips or windows of every source of either class"
_CLASSES = "move whole components so that every split that is scored has both classes"
#: Columns of identity, and how their values are called.
_KINDS = {
    "face_id": ("face", "faces"), "voice_id": ("voice", "voices"), "source_ids": ("source", "sources"),
    "component": ("component", "components"),
}  # fmt: skip
#: Clips a source of one class have this many times as many as of the other before it is graded.
_UNEQUAL, _VERY_UNEQUAL = 3.0, 10.0


def split_checks(rows: Rows) -> list[Check]:
    """Identities across splits, fakes apart from their own reals, splits with one class, unequal draws."""
    found = [_draws(rows)]
    splits = rows.codes("split")
    if splits.max(initial=NOBODY) > 0:
        found += [_identities(rows, splits), _originals(rows, splits), *_one_class(rows, splits)]
    return [one for one in found if one is not None]


def crossing(
    values: NDArray[np.intp], rows: NDArray[np.intp], splits: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Values that occur in more than one split.

    Args:
        values: [m] codes of values, negative = unknown.
        rows: [m] row of each.
        splits: [n] split of each row, negative = unknown.

    Returns:
        The values; the rows that hold one; how many values there are.
    """
    known = (values >= 0) & (splits[rows] >= 0)
    values, rows = values[known], rows[known]
    span = int(splits.max(initial=0)) + 1
    pairs = np.unique(values.astype(np.int64) * span + splits[rows]) // span
    names, counts = np.unique(pairs, return_counts=True)
    shared = names[counts > 1]
    return shared, np.unique(rows[np.isin(values, shared)]), len(names)


def _identities(rows: Rows, splits: NDArray[np.intp]) -> Check | None:
    told: list[str] = []
    examples: list[str] = []
    concerned = np.zeros(rows.n, bool)
    for name, (one, many) in _KINDS.items():
        if name == "component" and told:
            continue  # follows from the others
        values, own, words = _values(rows, name)
        shared, hit, total = crossing(values, own, splits)
        if len(shared):
            told.append(f"{len(shared):,} of {total:,} {one if total == 1 else many}")
            concerned[hit] = True
            examples += [f"{one} {shorten(words[int(k)], 60)}" for k in shared[:MAX_EXAMPLES]]
    if not told:
        return None
    share, worst = worst_share(concerned, splits)
    where, size = _split_name(rows, splits, worst), int((splits == worst).sum())
    verb = "is" if len(told) == 1 and told[0].startswith("1 of") else "are"
    sentence = (
        f"{listing(told)} {verb} in more than one split: of the {size:,} clips of {where!r} "
        f"{int((concerned & (splits == worst)).sum()):,} ({percent(share)}) share one with another split."
    )
    return Check("split.identity", by_share(share), sentence, int(concerned.sum()), tuple(examples[:MAX_EXAMPLES]),
                 _RESPLIT, "resplit")  # fmt: skip


def _values(rows: Rows, name: str) -> tuple[NDArray[np.intp], NDArray[np.intp], dict[int, str]]:
    if name == "source_ids":
        own, members = rows.lists(name)
        cells: Any = np.array([str(one) for one in members], dtype=object)
    else:
        own, cells = np.arange(rows.n), rows.text(name)
    values = codes(cells) if len(cells) else np.empty(0, np.intp)
    first = np.unique(values, return_index=True)
    return values, own, _Names(cells, dict(zip(first[0].tolist(), first[1].tolist(), strict=True)))


class _Names(dict[int, str]):
    """Text of a code, looked up when it is asked for."""

    def __init__(self, cells: Any, first: dict[int, int]) -> None:
        super().__init__()
        self._cells, self._first = cells, first

    def __missing__(self, code: int) -> str:
        return str(self._cells[self._first[code]])


def _split_name(rows: Rows, splits: NDArray[np.intp], code: int) -> str:
    return str(rows.text("split")[int(np.argmax(splits == code))])


def _originals(rows: Rows, splits: NDArray[np.intp]) -> Check | None:
    places = original_rows(rows)
    apart = (places >= 0) & (splits >= 0) & (splits[places] >= 0) & (splits[places] != splits)
    if not apart.any():
        return None
    share, worst = worst_share(apart, splits)
    labels = rows.flag("label")
    own_real = apart & (labels == 1) & (labels[places] == 0)
    where, there = _split_name(rows, splits, worst), apart & (splits == worst)
    word = "fake" if own_real[there].all() else "clip"
    others = sorted({str(one) for one in rows.text("split")[places[there]]})
    sentence = (
        f"The original of {plural(int(there.sum()), word)} of {where!r} ({percent(share)} of its clips) is in "
        f"{listing([repr(one) for one in others])}"
    )
    sentence += f"; {int(apart.sum()):,} in all." if apart.sum() > there.sum() else "."
    examples = tuple(
        f"{rows.name(int(k))} and {rows.name(int(places[k]))}" for k in np.flatnonzero(apart)[:MAX_EXAMPLES]
    )
    return Check(
        "split.original", by_share(share, "critical"), sentence, int(apart.sum()), examples, _RESPLIT, "resplit"
    )


def original_rows(rows: Rows) -> NDArray[np.intp]:
    """[n] row of the clip that a clip names as its original, by id, path or file name; `NOBODY` where there is none."""
    import pandas as pd

    wanted = rows.text("original")
    found = np.full(rows.n, NOBODY, dtype=np.intp)
    if not (wanted != "").any():
        return found
    files = rows.text("file")
    bases = np.array([one.replace("\\", "/").rpartition("/")[2] for one in files], dtype=object)
    for names in (rows.text("id"), files, bases):
        places = pd.Series(np.arange(rows.n), index=names)
        places = places[(names != "") & ~pd.Index(names).duplicated(keep=False)]
        hits = pd.Index(places.index).get_indexer(pd.Index(wanted)) if len(places) else np.full(rows.n, NOBODY)
        open_ = (found < 0) & (hits >= 0) & (wanted != "")
        found[open_] = places.to_numpy()[hits[open_]]
    found[found == np.arange(rows.n)] = NOBODY
    return found


def _one_class(rows: Rows, splits: NDArray[np.intp]) -> list[Check]:
    labels = rows.flag("label")
    if not ((labels == 0).any() and (labels == 1).any()):
        return []
    found = []
    for code in range(int(splits.max()) + 1):
        own = labels[splits == code]
        n_real, n_fake = int((own == 0).sum()), int((own == 1).sum())
        if n_real + n_fake and not (n_real and n_fake):
            word, other = ("reals", plural(n_fake, "fake")) if n_fake else ("fakes", plural(n_real, "real"))
            text = (
                f"The split {_split_name(rows, splits, code)!r} has {other} and no {word}: nothing can be scored on it."
            )
            found.append(Check("sampling.split_without_class", "low", text, n_real + n_fake, (), _CLASSES, "resplit"))
    return found


def _draws(rows: Rows) -> Check | None:
    """Clips per source by class: the file's original, else source, else component."""
    labels = rows.flag("label")
    sources = _sources(rows)
    medians = []
    for label in (0, 1):
        own = sources[(labels == label) & (sources >= 0)]
        if not len(own):
            return None
        medians.append(float(np.median(np.bincount(own)[np.unique(own)])))
    ratio = max(medians) / min(medians)
    if ratio < _UNEQUAL:
        return None
    many = int(medians[1] > medians[0])
    counted = [f"{n:g} {word}{'' if n == 1 else 's'}" for n, word in zip(medians, ("real", "fake"), strict=True)]
    sentence = (
        f"A source has {counted[many]} and {counted[1 - many]} (medians): whoever "
        "draws a fixed number a clip, or balances by drawing more of one class, lets the number tell the label."
    )
    return Check(
        "sampling.clips_per_source", "low" if ratio >= _VERY_UNEQUAL else "none", sentence, int((labels >= 0).sum()),
        (), _SAMPLER, "match",
    )  # fmt: skip


def _sources(rows: Rows) -> NDArray[np.intp]:
    named = rows.text("original")
    own = rows.text("id")
    known = np.where(named != "", named, own if (named != "").any() else "")
    if not (named != "").any():
        own_rows, members = rows.lists("source_ids")
        known = texts(None, rows.n)
        for row, one in zip(own_rows[::-1].tolist(), members[::-1], strict=True):
            known[row] = str(one)  # the first one of each
    if not (known != "").any():
        known = rows.text("component")
    return codes(known)
