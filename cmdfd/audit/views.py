"""Ways of looking at a cue, so that linear statistics also see grids, islands, words and missing values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueValue

#: A number with at most this many distinct values is also looked at value by value (frame rates, picture sizes, grids).
MAX_LEVELS = 12
#: A category or word that occurs in fewer components is lumped with the other rare ones, or left out.
MIN_LEVEL_COMPONENTS = 3
#: Most frequent categories of one cue that are looked at by themselves.
MAX_CATEGORIES = 60
#: Words that are looked at, the most frequent ones first (by components).
MAX_WORDS = 300
RARE = "(rare)"
#: Quantile bins of a number.
BINS = 10
#: Lengths of frames of codecs and batches of generators that whole numbers are looked at modulo.
MODULI = (2, 4, 5, 8, 10, 16, 25, 64, 160, 512, 960, 1024)
#: Bins of the rests of a modulus; a rest of 0 is one more.
REST_BINS = 8
#: Units whose numbers are counts that codecs and generators cut to a grid; "" is a column of unknown meaning.
COUNTED = ("samples", "frames", "")

ViewKind = Literal["value", "distance", "level", "word", "missing", "order", "bins", "levels", "rest"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One column of numbers made from a cue.

    Args:
        cue: Name of the cue.
        kind: Ranked ones: "value" as it is; "distance" from the median; "level" whether it has one value; "word"
            whether it holds a word; "missing" whether it is not measurable; "order" levels by their share of fakes
            (an effect size only, it is never tested). Bins (`binned`): "bins" quantiles; "levels" all categories;
            "rest" the rest of a division by `level`.
        level: The value for "level", the word for "word", the modulus for "rest", else "".
        values: [n] numbers, bins 0, 1, ... of binned views; NaN where the cue is not measurable.
    """

    cue: str
    kind: ViewKind
    level: str
    values: NDArray[np.float64]

    @property
    def binned(self) -> bool:
        """Whether values are numbers of bins, to be judged by a chi-square."""
        return self.kind in ("bins", "levels", "rest")

    @property
    def binary(self) -> bool:
        """Whether values tell membership: 1 or 0."""
        return self.kind in ("level", "word", "missing")

    @property
    def name(self) -> str:
        """In words."""
        names = {
            "value": "value",
            "distance": "distance from the median",
            "level": f"is {self.level!r}",
            "word": f"contains {self.level!r}",
            "missing": "is not measurable",
            "order": "levels by their share of fakes",
            "bins": "quantile bins",
            "levels": "all categories together",
            "rest": f"rest of a division by {self.level}",
        }
        return names[self.kind]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A cue over all clips.

    Args:
        cue: Name of the cue.
        present: [n] whether it is measurable.
        numbers: [n] its numbers (NaN where missing), or None for a category.
        levels: [n] its values as text where it is a category or has few values ("" where missing), else None.
        words: [n] whether values are words parted by blanks.
        counted: Whether numbers are counts that may lie on a grid.
    """

    cue: str
    present: NDArray[np.bool_]
    numbers: NDArray[np.float64] | None
    levels: NDArray[np.str_] | None
    words: bool = False
    counted: bool = False

    @property
    def constant(self) -> bool:
        """Whether all clips agree, also in being measurable."""
        if not self.present.any():
            return True
        shown: NDArray[np.generic] | None = self.numbers if self.numbers is not None else self.levels
        return bool(self.present.all() and shown is not None and (shown == shown[0]).all())

    def rows(self, rows: NDArray[np.intp]) -> Column:
        """The same cue of some clips."""
        numbers = None if self.numbers is None else self.numbers[rows]
        levels = None if self.levels is None else self.levels[rows]
        return Column(self.cue, self.present[rows], numbers, levels, self.words, self.counted)


def column_of(cue: str, values: Sequence[CueValue], categorical: bool, unit: str = "?") -> Column:
    """Sort out numbers, categories, words and missing values.

    Args:
        cue: Name.
        values: [n] numbers, text, None or NaN (None and NaN are missing; so are infinite numbers).
        categorical: Whether numbers are names, too.
        unit: Unit of the cue; "tokens" makes words of it, counts are also looked at modulo.
    """
    if categorical or unit == "tokens" or any(isinstance(value, str) for value in values):
        texts = [None if _missing(value) else str(value) for value in values]
        present = np.array([text is not None for text in texts])
        return Column(cue, present, None, np.array([text or "" for text in texts], dtype=str), unit == "tokens")
    numbers = np.array([np.nan if _missing(value) else float(value) for value in values], dtype=np.float64)  # type: ignore[arg-type]
    present = ~np.isnan(numbers)
    distinct = np.unique(numbers[present])
    levels = None
    if len(distinct) <= MAX_LEVELS:
        levels = np.array([f"{number:.10g}" if here else "" for number, here in zip(numbers, present, strict=True)])
    return Column(cue, present, numbers, levels, counted=unit in COUNTED)


def _missing(value: CueValue) -> bool:
    if value is None or isinstance(value, str):
        return value is None
    try:
        return not np.isfinite(value)
    except TypeError:  # pandas.NA and whatever else is no number
        return True


def views_of(column: Column, components: NDArray[np.intp]) -> list[View]:
    """All ranked, testable views of a cue; none where it is constant.

    Args:
        column: The cue.
        components: [n] component of each clip.
    """
    present, found = column.present, []
    if not present.any():
        return []
    if not present.all():
        found.append(View(column.cue, "missing", "", (~present).astype(np.float64)))
    if column.words:
        return found + _word_views(column, components)
    several = False
    if column.numbers is not None:
        distinct = np.unique(column.numbers[present])
        several = len(distinct) > 2
        if len(distinct) > 1:
            found.append(View(column.cue, "value", "", column.numbers))
        if several:
            distance = np.abs(column.numbers - np.median(column.numbers[present]))
            found.append(View(column.cue, "distance", "", distance))
    if column.levels is not None and (several or column.numbers is None):
        found += _level_views(column, components)
    return found


def binned_views_of(column: Column, components: NDArray[np.intp]) -> list[View]:
    """Views that are judged by a chi-square: quantile bins, all categories together, rests of divisions.

    Args:
        column: The cue.
        components: [n] component of each clip.
    """
    present = column.present
    if not present.any() or column.words:
        return []
    if column.numbers is None:
        names, codes = np.unique(lumped(column, components)[present], return_inverse=True)
        return [View(column.cue, "levels", "", _spread(codes, present))] if len(names) > 2 else []
    numbers = column.numbers[present]
    if len(np.unique(numbers)) <= 2:
        return []
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    found = [View(column.cue, "bins", "", _spread(np.searchsorted(edges, numbers, side="left"), present))]
    if column.counted and np.ptp(numbers) >= 2 * MODULI[0] and (numbers == np.floor(numbers)).all():
        for modulus in MODULI:
            rests = np.mod(numbers, modulus)
            if np.ptp(numbers) < 2 * modulus or len(np.unique(rests)) < 2:
                continue
            codes = np.where(rests == 0, 0, 1 + np.floor(rests * REST_BINS / modulus))
            _, codes = np.unique(codes, return_inverse=True)
            found.append(View(column.cue, "rest", str(modulus), _spread(codes, present)))
    return found


def _spread(codes: NDArray[np.intp], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    found = np.full(len(present), np.nan)
    found[present] = codes
    return found


def lumped(column: Column, components: NDArray[np.intp]) -> NDArray[np.str_]:
    """[n] levels with those that occur in few components under one name; "" where missing."""
    levels = column.levels
    if levels is None:
        raise ValueError(f"cue {column.cue!r} has no levels")
    here = np.flatnonzero(column.present)
    names, codes = np.unique(levels[here], return_inverse=True)
    seen = np.unique(np.column_stack([codes, components[here]]), axis=0)[:, 0] if len(here) else codes
    counts = np.bincount(seen, minlength=len(names))
    kept = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
    common = np.zeros(len(names), bool)
    common[kept] = counts[kept] >= MIN_LEVEL_COMPONENTS
    found = levels.astype(object)
    found[here] = np.where(common[codes], names[codes].astype(object), RARE)
    return found.astype(str)


def words_of(column: Column, components: NDArray[np.intp], limit: int = MAX_WORDS) -> dict[str, NDArray[np.bool_]]:
    """Words that occur in enough components, and which clips hold them; words of the same clips are one.

    Args:
        column: A cue of words.
        components: [n].
        limit: Words at most, those of most components first.
    """
    if column.levels is None:
        return {}
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(column.levels):
        for word in set(text.split()):
            rows.setdefault(word, []).append(row)
    count = Counter({word: len(set(components[where].tolist())) for word, where in rows.items()})
    found: dict[str, NDArray[np.bool_]] = {}
    twins: set[bytes] = set()
    for word, n in sorted(count.items(), key=lambda one: (-one[1], one[0])):
        if n < MIN_LEVEL_COMPONENTS or len(found) >= limit:
            break
        here = np.zeros(len(column.present), bool)
        here[rows[word]] = True
        if here[column.present].all() or here.tobytes() in twins:
            continue
        twins.add(here.tobytes())
        found[word] = here
    return found


def _word_views(column: Column, components: NDArray[np.intp]) -> list[View]:
    return [
        View(column.cue, "word", word, np.where(column.present, here.astype(np.float64), np.nan))
        for word, here in words_of(column, components).items()
    ]


def _level_views(column: Column, components: NDArray[np.intp]) -> list[View]:
    levels = lumped(column, components)
    names = np.unique(levels[column.present])
    if len(names) < 2:
        return []
    chosen = names[:1] if len(names) == 2 else names
    return [
        View(column.cue, "level", str(name), np.where(column.present, (levels == name).astype(np.float64), np.nan))
        for name in chosen
    ]


def ordered_view(column: Column, labels: NDArray[np.bool_], components: NDArray[np.intp]) -> View | None:
    """Levels in the order of their share of fakes: how far all of them together tell the classes.

    Its order is taken from the same clips, so it overstates an effect that is not there. Use it for the size of an
    effect that another view has shown to exist.
    """
    if column.levels is None or column.words:
        return None
    levels = lumped(column, components)
    names = np.unique(levels[column.present])
    if len(names) < 3:
        return None
    values = np.full(len(levels), np.nan)
    for name in names:
        here = column.present & (levels == name)
        values[here] = labels[here].mean()
    return View(column.cue, "order", "", values)
