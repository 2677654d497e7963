"""One clip twice: equal files, equal pictures and sounds, and copies in another encoding."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.check import Check
from cmdfd.audit.setcues.columns import MAX_EXAMPLES, NOBODY
from cmdfd.audit.setcues.grading import by_share, share_of_class, worst_share
from cmdfd.audit.setcues.near import Alike, alike_pairs
from cmdfd.clip import sha256_file
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from cmdfd.audit.cue import Fix
    from cmdfd.audit.setcues.columns import Rows
    from cmdfd.audit.severity import Severity

_DROP = "keep one of each and drop the others, in both classes (deduplicate)"
_DECIDE = "find out which label is right and drop the other row"
_JOIN = "give clips that share a recording one group, so that splits and statistics keep them together"
#: Bytes at either end that are compared before whole files are.
_END = 1 << 16


def copy_checks(rows: Rows) -> list[Check]:
    """Copies: exact ones, then those in another encoding."""
    exact = exact_groups(rows)
    pairs = alike_pairs(list(rows.text("print_video")), list(rows.text("print_audio")))
    found = [_conflict(rows, exact), _across(rows, exact), _within(rows, exact), *_alike(rows, exact, pairs)]
    return [one for one in found if one is not None]


def exact_groups(rows: Rows) -> NDArray[np.intp]:
    """[n] group of clips that are equal in their bytes, or in every picture and sample; alone = a group of one.

    A row that only names the same file again is no copy: windows of one file are listed so.
    """
    n = rows.n
    first, second = [], []
    for keys in (_file_keys(rows), _stream_keys(rows)):
        if keys is None:
            continue
        order = np.argsort(keys, kind="stable")
        same = (keys[order][1:] == keys[order][:-1]) & (keys[order][1:] >= 0)
        first.append(order[:-1][same])
        second.append(order[1:][same])
    a = np.concatenate([*first, np.empty(0, np.intp)])
    b = np.concatenate([*second, np.empty(0, np.intp)])
    return joined(n, a, b)


def joined(n: int, a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.intp]:
    """[n] number of the group that a row is in when rows a and b belong together pair by pair."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if n == 0:
        return np.empty(0, np.intp)
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def _file_keys(rows: Rows) -> NDArray[np.intp] | None:
    if rows.has("sha256"):
        return rows.codes("sha256")
    paths = rows.text("path")
    if not (paths != "").any():
        return None
    return np.asarray(_hashed(paths), dtype=np.intp)


def _hashed(paths: NDArray[np.object_]) -> NDArray[np.intp]:
    """[n] number of each distinct content among files of equal size; `NOBODY` where a file is alone or unreadable."""
    keys = np.full(len(paths), NOBODY, dtype=np.intp)
    by_size: dict[int, list[int]] = {}
    for row, path in enumerate(paths):
        size = _size(path)
        if size > 0:  # empty files are a matter of their own
            by_size.setdefault(size, []).append(row)
    for members in by_size.values():
        if len({paths[row] for row in members}) < 2:
            continue
        for likely in _grouped(members, paths, _ends):
            for same in _grouped(likely, paths, _whole):
                keys[same] = same[0]
    return keys


def _grouped(members: Iterable[int], paths: NDArray[np.object_], key: Callable[[str], str]) -> list[list[int]]:
    found: dict[str, list[int]] = {}
    for row in members:
        text = key(str(paths[row]))
        if text:
            found.setdefault(text, []).append(row)
    return [own for own in found.values() if len(own) > 1]


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size if path else 0
    except (OSError, ValueError):
        return 0


def _ends(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            digest = hashlib.sha256(stream.read(_END))
            stream.seek(max(0, stream.seek(0, 2) - _END))
            digest.update(stream.read(_END))
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def _whole(path: str) -> str:
    try:
        return sha256_file(Path(path))
    except (OSError, ValueError):
        return ""


def _stream_keys(rows: Rows) -> NDArray[np.intp] | None:
    if not (rows.has("hash_video") or rows.has("hash_audio")):
        return None
    picture, sound = rows.codes("hash_video"), rows.codes("hash_audio")
    # a silent sound or a grey picture has no hash: equal pictures alone then make no copy where another has sound
    both = picture.astype(np.int64) * (int(sound.max(initial=0)) + 2) + sound + 1
    keys = np.unique(np.where((picture < 0) & (sound < 0), NOBODY, both), return_inverse=True)[1].astype(np.intp)
    streams = rows.text("container.streams")
    lone = (picture < 0) & np.array(["v" in one for one in streams], dtype=bool)
    lone |= (sound < 0) & np.array(["a" in one for one in streams], dtype=bool)
    return np.where(((picture < 0) & (sound < 0)) | lone, NOBODY, keys)


def _crowded(groups: NDArray[np.intp]) -> NDArray[np.bool_]:
    return np.bincount(groups, minlength=1)[groups] > 1 if len(groups) else np.zeros(0, bool)


def _mixed(groups: NDArray[np.intp], values: NDArray[np.intp]) -> NDArray[np.bool_]:
    """[n] whether a group has several values; negative ones are unknown."""
    if not len(groups):
        return np.zeros(0, bool)
    known = values >= 0
    span = int(values.max(initial=0)) + 1
    pairs = np.unique(groups[known].astype(np.int64) * span + values[known]) // span
    return (np.bincount(pairs, minlength=int(groups.max()) + 1) > 1)[groups]


def _conflict(rows: Rows, groups: NDArray[np.intp]) -> Check | None:
    labels = rows.flag("label")
    chosen = _mixed(groups, labels.astype(np.intp)) & (labels >= 0)
    if not chosen.any():
        return None
    n = len(np.unique(groups[chosen]))
    text = (
        f"{plural(n, 'clip')} {'is' if n == 1 else 'are'} in the set both as real and as fake: equal in every byte, or "
        "in every picture and sample."
    )
    return Check("label.copy_conflict", "critical", text, int(chosen.sum()), _examples(rows, groups, chosen), _DECIDE,
                 "deduplicate")  # fmt: skip


def _across(rows: Rows, groups: NDArray[np.intp]) -> Check | None:
    splits = rows.codes("split")
    chosen = _mixed(groups, splits) & (splits >= 0)
    if not chosen.any():
        return None
    share, worst = worst_share(chosen, splits)
    where = rows.text("split")[int(np.argmax(splits == worst))]
    text = (
        f"{plural(len(np.unique(groups[chosen])), 'clip')} {'is' if len(np.unique(groups[chosen])) == 1 else 'are'} in "
        f"more than one split: {int((chosen & (splits == worst)).sum()):,} of {int((splits == worst).sum()):,} of "
        f"{where!r} are copies of clips elsewhere."
    )
    return Check("split.duplicate", by_share(share, "critical"), text, int(chosen.sum()),
                 _examples(rows, groups, chosen), _DROP, "deduplicate")  # fmt: skip


def _within(rows: Rows, groups: NDArray[np.intp]) -> Check | None:
    splits, labels = rows.codes("split"), rows.flag("label")
    chosen = _crowded(groups) & ~_mixed(groups, splits) & ~_mixed(groups, labels.astype(np.intp))
    if not chosen.any():
        return None
    share = share_of_class(chosen, labels)
    n = len(np.unique(groups[chosen]))
    text = (
        f"{plural(n, 'clip')} {'is' if n == 1 else 'are'} in the set more than once: {int(chosen.sum()):,} rows in "
        "all, within one split and class."
    )
    severity: Severity = "medium" if by_share(share) == "high" else "low"
    return Check("sampling.duplicate", severity, text, int(chosen.sum()), _examples(rows, groups, chosen), _DROP,
                 "deduplicate")  # fmt: skip


def _examples(rows: Rows, groups: NDArray[np.intp], chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    found = []
    for group in dict.fromkeys(groups[chosen].tolist()):
        members = np.flatnonzero((groups == group) & chosen)[:3]
        found.append(" = ".join(rows.name(int(row)) for row in members))
        if len(found) == MAX_EXAMPLES:
            break
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One sort of likeness: which pairs, under what name."""

    name: str
    pairs: tuple[Alike, ...]
    words: str


def _alike(rows: Rows, exact: NDArray[np.intp], pairs: list[Alike]) -> list[Check | None]:
    """Likeness that the set does not speak of: across splits, or between components.

    A fake shares its sound or most of its picture with its own real by design; within one split and component that is
    no defect.
    """
    others = [one for one in pairs if exact[one.first] != exact[one.second]]
    whole = tuple(one for one in others if one.picture is not False and one.sound is not False)
    single = tuple(one for one in others if one.picture is False or one.sound is False)
    kinds = [
        _Kind("near_duplicate", whole, "look and sound like"),
        _Kind("shared_stream", single, "share sound or picture with"),
    ]
    return [check(rows, kind) for kind in kinds for check in (_alike_across, _alike_undeclared)]


def _chosen(rows: Rows, pairs: Iterable[Alike]) -> NDArray[np.bool_]:
    found = np.zeros(rows.n, bool)
    for one in pairs:
        found[[one.first, one.second]] = True
    return found


def _alike_across(rows: Rows, kind: _Kind) -> Check | None:
    splits = rows.codes("split")
    own = [
        one
        for one in kind.pairs
        if NOBODY not in (splits[one.first], splits[one.second]) and splits[one.first] != splits[one.second]
    ]
    if not own:
        return None
    chosen = _chosen(rows, own)
    share, worst = worst_share(chosen, splits)
    where = rows.text("split")[int(np.argmax(splits == worst))]
    text = (
        f"{int((chosen & (splits == worst)).sum()):,} of {plural(int((splits == worst).sum()), 'clip')} of {where!r} "
        f"{kind.words} clips of another split, though no file is equal."
    )
    fix: Fix = "deduplicate" if kind.name == "near_duplicate" else "resplit"
    remedy = _DROP if kind.name == "near_duplicate" else _JOIN
    return Check(f"split.{kind.name}", by_share(share), text, int(chosen.sum()), _pairs(rows, own), remedy, fix)


def _alike_undeclared(rows: Rows, kind: _Kind) -> Check | None:
    splits, components = rows.codes("split"), rows.codes("component")
    own = [
        one for one in kind.pairs
        if splits[one.first] == splits[one.second]
        and (components[one.first] != components[one.second] or components[one.first] == NOBODY)
    ]  # fmt: skip
    if not own:
        return None
    chosen = _chosen(rows, own)
    text = (
        f"{plural(int(chosen.sum()), 'clip')} of {rows.n:,} {kind.words} clips of other components: the set does not "
        "say that they belong together, and statistics count them as independent."
    )
    return Check(f"sampling.{kind.name}", "low", text, int(chosen.sum()), _pairs(rows, own), _JOIN, "none")


def _pairs(rows: Rows, pairs: list[Alike]) -> tuple[str, ...]:
    return tuple(f"{rows.name(one.first)} ~ {rows.name(one.second)}" for one in pairs[:MAX_EXAMPLES])
