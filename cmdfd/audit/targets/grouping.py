"""Which clips hang together: whoever shares a person, a recording or an original is one component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.values import arrow, contains, extract, from_arrow, stems

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: Fewer components than this give no resampling that means anything.
MIN_COMPONENTS = 24
#: Where few components stand, people are still kept together unless the first person alone gives this many times more.
_COLLAPSE_FACTOR = 4
#: Share of names that must follow a rule before it is believed.
_SHARE = 0.5
#: The same in each class for pairs by name.
_PAIR_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class NameRule:
    """A way in which published sets write people or recordings into names.

    Args:
        title: For notes.
        pattern: RE2 with the groups a (the person shown) and b (who lends), over the stem or the whole path.
        whole: Whether it looks at the whole path.
    """

    title: str
    pattern: str
    whole: bool = False


_RULES = (
    NameRule("Celeb-DF's id<A>_id<B>_<clip>", r"^(?P<a>id\d{1,3})(?:_(?P<b>id\d{1,3}))?_\d{4}$"),
    NameRule("FaceForensics++'s <target>_<source>", r"^(?P<a>\d{3})(?:_(?P<b>\d{3}))?$"),
    NameRule("the actors of <target>_<source>__<scene>", r"^(?P<a>\d{2})(?:_(?P<b>\d{2}))?__.+$"),
    NameRule(
        "DeepfakeTIMIT's <person>/<sentence>-video-<donor>",
        r"^(?:.*/)?(?P<a>[fm][a-z]{3}\d)/[^/]*?(?:-video-(?P<b>[fm][a-z]{3}\d))?(?:\.[A-Za-z0-9]+)?$",
        whole=True,
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Components and who was found.

    Args:
        component: [n] name of each clip's component.
        notes: How they were found, in sentences.
        first: [n] the person shown in each clip (the first that it names), "" = unknown.
        donor: [n] the next other person that it names, "" = none.
    """

    component: pd.Series[Any]
    notes: tuple[str, ...]
    first: pd.Series[Any]
    donor: pd.Series[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Clips and what they hang on, in the order of importance for each clip.

    Args:
        row: [m] clip.
        node: [m] what it hangs on.
    """

    row: NDArray[np.intp]
    node: NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What there is to group by.

    Args:
        ids: [n] unique name of every clip.
        names: [n] text in which ids of people may stand.
        paths: [n] one path or name of each clip.
        labels: [n] 1 fake, 0 real, NaN.
        identities: Declared people, the one shown first.
        originals: Declared originals (paths or names), "" = none.
    """

    ids: pd.Series[Any]
    names: pd.Series[Any]
    paths: pd.Series[Any]
    labels: NDArray[np.float64]
    identities: Sequence[pd.Series[Any]] = ()
    originals: pd.Series[Any] | None = None


def group(known: Known, declared: pd.Series[Any] | None = None, column: str = "") -> Grouping:
    """Connected components of a set.

    Args:
        known: Names and identities.
        declared: [n] components that the user or the set names; nothing else is looked at then.
        column: Where they stand, for the note.
    """
    if declared is not None:
        edges = _column_edges(declared)
        found, first = _components(edges, known.ids)
        note = f"clips are grouped by the column {column!r}: {found.nunique()} components"
        return Grouping(found, (note, *_lonely(first)), *_people(_people_edges(known, []), known.ids))
    edges, people, notes = _all_edges(known)
    named = _people(people, known.ids)
    if not len(edges.row):
        return Grouping(_alone(known.ids), (NO_IDENTITY,), *named)
    found, first = _components(edges, known.ids)
    shares = found.value_counts()
    if len(shares) < MIN_COMPONENTS or shares.iloc[0] > len(found) / 2:
        narrow, _ = _components(_first_edges(edges), known.ids)
        wider = narrow.nunique()
        if wider > len(shares) and (shares.iloc[0] > len(found) / 2 or wider >= _COLLAPSE_FACTOR * len(shares)):
            notes.append(
                f"donors join all people: the clips fall into only {len(shares)} component(s) over all people, the "
                f"largest with {shares.iloc[0]} of {len(found)} clips; so only the person shown first in a clip counts "
                f"({wider} components), and the tests guard against target identities only, not against shared donors"
            )
            return Grouping(narrow, (*notes, *_lonely(first)), *named)
    notes.append(f"{len(shares)} components; the largest has {shares.iloc[0]} of {len(found)} clips")
    return Grouping(found, (*notes, *_lonely(first)), *named)


NO_IDENTITY = (
    "nothing says who is seen or heard, so every clip counts as a person of its own: if people repeat, p-values are "
    "too small and intervals too narrow; name the person with --group-column"
)


def _lonely(first: pd.Series[Any]) -> tuple[str, ...]:
    lost = int((first == "").sum())
    return (f"{lost} of {len(first)} clips name nobody and count as components of their own",) if lost else ()


def _alone(ids: pd.Series[Any]) -> pd.Series[Any]:
    return "clip:" + ids


def _all_edges(known: Known) -> tuple[Edges, Edges, list[str]]:
    """What clips hang on, the people among it, and how it was found."""
    notes: list[str] = []
    people = _people_edges(known, notes)
    parts = [people] if len(people.row) else []
    if known.originals is not None and (known.originals != "").any():
        parts.append(_original_edges(known.originals, known.paths))
        notes.append("a fake and the original that the list names for it belong together")
    if not parts:
        pairs = _pairs(known)
        if pairs is not None:
            parts.append(pairs[0])
            notes.append(pairs[1])
    return _joined(parts), people, notes


def _people_edges(known: Known, notes: list[str]) -> Edges:
    """People that are declared or named."""
    parts: list[Edges] = []
    if known.identities:
        parts += [_column_edges(one) for one in known.identities]
        notes.append("people are those that the list declares")
    numbered = _numbered(known.names)
    rules = _by_rules(known.paths) if numbered is None else None
    if numbered is not None:
        parts.append(numbered)
        notes.append("people are read from the names, as id and five digits (VoxCeleb)")
    elif rules is not None:
        parts += rules[0]
        notes.append(f"people are read from the names: {rules[1]}")
    return _joined(parts)


def _people(edges: Edges, ids: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """The first person of each clip, and the next other one."""
    import numpy as np
    import pandas as pd

    found = np.full((2, len(ids)), "", dtype=object)
    for place in (0, 1):
        once = _first_edges(edges)
        found[place, once.row] = once.node
        other = edges.node != found[0, edges.row]
        edges = Edges(edges.row[other], edges.node[other])
    first, donor = (pd.Series(one, index=ids.index, dtype=ids.dtype) for one in found)
    return first, donor


def _joined(parts: Sequence[Edges]) -> Edges:
    import numpy as np

    if not parts:
        return Edges(np.empty(0, np.intp), np.empty(0, object))
    row = np.concatenate([one.row for one in parts])
    order = np.argsort(row, kind="stable")
    return Edges(row[order], np.concatenate([one.node for one in parts])[order])


def _column_edges(values: pd.Series[Any], prefix: str = "") -> Edges:
    import numpy as np

    filled = (values != "").to_numpy(dtype=bool)
    node = np.asarray(values[filled].to_numpy(dtype=object), dtype=object)
    return Edges(np.flatnonzero(filled), np.asarray(prefix + node, dtype=object) if prefix else node)


def _first_edges(edges: Edges) -> Edges:
    """Only the first of each clip."""
    import numpy as np

    _, place = np.unique(edges.row, return_index=True)
    return Edges(edges.row[place], edges.node[place])


def _numbered(names: pd.Series[Any]) -> Edges | None:
    """Every id of VoxCeleb's form in each name, in their order; None where most names have none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    spotted = contains(names, r"(^|[^A-Za-z0-9])id\d{5}([^0-9]|$)")
    if spotted.mean() < _SHARE:
        return None
    # Everything but the ids is replaced by blanks: a split then gives all of them at once.
    slash = pa.scalar("/", pa.large_string())
    text = pc.binary_join_element_wise(slash, arrow(names), pa.scalar("", pa.large_string()))
    only = pc.replace_substring_regex(text, pattern=r"(?s).*?(?:[^A-Za-z0-9](id\d+)|$)", replacement=r"\1 ")
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(only))
    row = pc.list_parent_indices(words).to_numpy(zero_copy_only=False).astype(np.intp)
    node = pc.list_flatten(words)
    good = pc.equal(pc.utf8_length(node), len("id00000")).to_numpy(zero_copy_only=False)
    return Edges(row[good], node.to_numpy(zero_copy_only=False)[good])


def _by_rules(paths: pd.Series[Any]) -> tuple[list[Edges], str] | None:
    names = stems(paths)
    for rule in _RULES:
        found = extract(paths if rule.whole else names, rule.pattern)
        if (found["a"] != "").mean() >= _SHARE:
            return [_column_edges(found["a"]), _column_edges(found["b"])], rule.title
    return None


def _original_edges(originals: pd.Series[Any], paths: pd.Series[Any]) -> Edges:
    """A clip hangs on its original, and an original on itself; folders are kept where both are written with them."""
    with_folders = contains(originals, r"[/\\]").any() and contains(paths, r"[/\\]").any()
    theirs, own = (originals, paths) if with_folders else (stems(originals), stems(paths))
    filled = (theirs != "").to_numpy(dtype=bool)
    return _column_edges(own.where(~filled, theirs), "original:")


def _pairs(known: Known) -> tuple[Edges, str] | None:
    """Clips of one name in both classes, or fakes named after a real one and something more."""
    import numpy as np

    real, fake = known.labels == 0, known.labels == 1
    if not real.any() or not fake.any():
        return None
    least = _PAIR_SHARE * min(real.sum(), fake.sum())
    for names in (_without_suffix(known.paths), stems(known.paths)):
        if names[real].nunique() < 0.95 * real.sum() or names[fake].nunique() < 0.95 * fake.sum():
            continue
        shared = np.intersect1d(names[real].to_numpy(dtype=object), names[fake].to_numpy(dtype=object))
        if len(shared) >= max(1, least):
            kept = names.where(names.isin(shared), "")
            return _column_edges(kept, "name:"), f"{len(shared)} names occur in both classes and were taken for pairs"
    return _named_after(known, real, fake)


def _without_suffix(paths: pd.Series[Any]) -> pd.Series[Any]:
    import pyarrow.compute as pc

    return from_arrow(pc.replace_substring_regex(arrow(paths), r"\.[A-Za-z0-9]{1,5}$", ""), paths.index)


def _named_after(known: Known, real: NDArray[np.bool_], fake: NDArray[np.bool_]) -> tuple[Edges, str] | None:
    """Fakes whose name is that of a real clip and one to three words more: anna_01 and anna_01_wav2lip."""
    import pyarrow.compute as pc

    names = stems(known.paths)
    reals = set(names[real])
    if len(reals) < 0.95 * real.sum():
        return None
    rest, node = names, names.where(~fake, "")
    for _ in range(3):
        rest = from_arrow(pc.replace_substring_regex(arrow(rest), r"[-_+. ]+[^-_+. ]+$", ""), names.index)
        hit = (node == "") & rest.isin(reals) & fake
        node = node.where(~hit, rest)
    told = int(((node != "") & fake).sum())
    if told < 0.8 * fake.sum():
        return None
    return _column_edges(node, "name:"), f"{told} fakes are named after a real clip and belong to it"


def _components(edges: Edges, ids: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Component of each clip, named after its smallest node, and the first node of each clip."""
    import numpy as np
    import pandas as pd
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(ids)
    codes, nodes = pd.factorize(edges.node, sort=True)
    size = n + len(nodes)
    graph = coo_matrix((np.ones(len(codes), np.int8), (edges.row, n + codes)), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    name = np.full(found.max() + 1 if size else 0, "", dtype=object)
    name[found[n:][::-1]] = np.asarray(nodes, dtype=object)[::-1]  # the smallest node is written last
    components = name[found[:n]]
    lonely = components == ""
    components[lonely] = ("clip:" + ids[lonely]).to_numpy(dtype=object)
    first = np.full(n, "", dtype=object)
    once = _first_edges(edges)
    first[once.row] = once.node
    kind = ids.dtype
    return pd.Series(components, index=ids.index, dtype=kind), pd.Series(first, index=ids.index, dtype=kind)
