"""Which column says what is fake, and which of its values mean it. Nothing is guessed in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.audit.targets.rawtable import TableError, UndecidedError
from cmdfd.audit.targets.rawtext import NAMELESS
from cmdfd.audit.targets.roles import generator_rank, label_rank
from cmdfd.audit.targets.values import contains, distinct, key
from cmdfd.audit.targets.words import FAKE_PATTERN, REAL_PATTERN, class_word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: A label column has at most this many different values (of which each must be understood).
MAX_CLASSES = 64
#: Names agree with the label from here on, and contradict it below 1 minus this: one class is named, and rightly so.
_AGREE = 0.7
#: Names that tell less than this of a difference tell nothing; share of names that must say so in a single class.
_FAINT, _CLEAR = 0.1, 0.5
_EVIDENCE_ROWS = 20_000
_BINARY = ({"0"}, {"1"}, {"0", "1"})
_UNSURE = re.compile(r"\?|unknown|unsure|unlabell?ed|undecided", re.IGNORECASE)
_TRUE, _FALSE = ("true", "yes", "t"), ("false", "no", "f")


@dataclass(frozen=True, slots=True, eq=False)
class LabelReading:
    """A label column and what its values mean.

    Args:
        column: Its name.
        values: [n] 1 = fake, 0 = real, NaN = unknown.
        notes: What was decided, in sentences.
    """

    column: str
    values: NDArray[np.float64]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Meaning:
    classes: Mapping[str, int]
    said: str
    assumed: bool


def read_label(
    columns: Mapping[str, pd.Series[str]],
    *,
    named: str | None,
    fake_values: Sequence[str],
    evidence: pd.Series[str] | None,
    table: str,
    allow_none: bool = False,
) -> LabelReading | None:
    """Find the label.

    Args:
        columns: Every column as text.
        named: The column that the user named, or None.
        fake_values: Values that the user named as fake.
        evidence: Paths and the like, joined; they show whether 1 means fake.
        table: Name for errors.
        allow_none: Give None instead of an error where no column tells.

    Raises:
        TableError: Where it cannot be decided, with the columns and the option to type.
    """
    if named is not None:
        return _named(named, columns[named], fake_values, evidence, table)
    ranked = sorted((rank, place, name) for place, name in enumerate(columns) if (rank := label_rank(name)) is not None)
    for _, _, name in ranked:
        found = _reading(name, columns[name], fake_values, evidence)
        if found is not None:
            return found
    by_value = _by_values(columns, fake_values, table) or _nameless(columns, fake_values, evidence)
    if by_value is not None or allow_none:
        return by_value
    raise UndecidedError(_undecided(table, columns))


def _named(
    name: str, values: pd.Series[str], fake_values: Sequence[str], evidence: pd.Series[str] | None, table: str
) -> LabelReading:
    found = _reading(name, values, fake_values, evidence)
    if found is None and not fake_values:
        shown = distinct(values, MAX_CLASSES)
        found = _rest_is_fake(name, values)
        if found is None:
            said = ", ".join(map(repr, shown[:8])) if shown else f"more than {MAX_CLASSES} different ones"
            raise TableError(
                f"{table}: it is not clear which values of the column {name!r} mean fake (it holds {said}); "
                f"say it with --fake-values"
            )
    if found is None:
        shown = distinct(values, MAX_CLASSES) or [str(one) for one in values.unique()[:8]]
        raise TableError(
            f"{table}: the column {name!r} never holds {' or '.join(map(repr, fake_values))} (--fake-values); "
            f"it holds {', '.join(map(repr, shown[:8]))}"
        )
    return found


def _reading(
    name: str, values: pd.Series[str], fake_values: Sequence[str], evidence: pd.Series[str] | None
) -> LabelReading | None:
    shown = distinct(values, MAX_CLASSES)
    if not shown:
        return None
    if fake_values:
        wanted = {_canon(one) for one in fake_values}
        classes = {one: int(_canon(one) in wanted) for one in shown}
        if not any(classes.values()):
            return None
        fakes = [one for one in shown if classes[one]]
        said = f"the column {name!r} is the label; {' and '.join(map(repr, fakes))} = fake, as you said; all else real"
        return LabelReading(name, _mapped(values, classes), (said,))
    meaning = _meaning(name, shown)
    if meaning is None:
        return None
    labels = _mapped(values, meaning.classes)
    labels, notes = _weighed(name, labels, meaning, evidence)
    return LabelReading(name, labels, notes)


def _canon(value: str) -> str:
    text = value.strip().casefold()
    whole, point, rest = text.partition(".")
    return whole if point and rest.strip("0") == "" and whole.lstrip("+-").isdigit() else text


def _mapped(values: pd.Series[str], classes: Mapping[str, int]) -> NDArray[np.float64]:
    import numpy as np

    codes, found = _factorized(values)
    table = np.array([classes.get(one, np.nan) for one in found] or [np.nan], dtype=np.float64)
    mapped: NDArray[np.float64] = table[codes]
    return mapped


def _factorized(values: pd.Series[str]) -> tuple[NDArray[np.intp], list[str]]:
    import pandas as pd

    codes, found = pd.factorize(values)
    return codes, [str(one) for one in found]


def polarity(name: str) -> int | None:
    """What 1 means in a column of this name: 1 = fake, 0 = real, None = the name does not tell."""
    word = key(name)
    if word in ("class", "label", "labels", "target", "y"):
        return None
    said = class_word(word)
    return None if said is None else said.label


def _meaning(name: str, shown: Sequence[str]) -> _Meaning | None:
    """What the values of a label column mean, where all are understood."""
    canon = {one: _canon(one) for one in shown}
    kinds = set(canon.values())
    positive, negative = ({"1", *_TRUE}, {"0", *_FALSE})
    if kinds <= positive | negative:
        side = polarity(name)
        fake_is_one = side != 0
        classes = {one: int((canon[one] in positive) == fake_is_one) for one in shown}
        one_word = next((one for one in shown if canon[one] in positive), "1")
        said = f"the column {name!r} is the label; {one_word} = {'fake' if fake_is_one else 'real'}"
        return _Meaning(classes, said, assumed=side is None)
    words = {one: class_word(one) for one in shown if not _UNSURE.search(one)}
    if words and all(word is not None for word in words.values()):
        classes = {one: word.label for one, word in words.items() if word is not None}
        fakes = [one for one in shown if classes.get(one)]
        said = f"the column {name!r} is the label; {', '.join(fakes[:6]) or 'nothing in it'} = fake"
        unsure = [one for one in shown if one not in words]
        said += f"; {', '.join(unsure[:3])} = unknown" if unsure else ""
        return _Meaning(classes, said, assumed=False)
    return None


def _weighed(
    name: str, labels: NDArray[np.float64], meaning: _Meaning, evidence: pd.Series[str] | None
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Look whether names and paths agree with what the values were taken to mean."""
    agreement = agreeing(labels, evidence)
    if not meaning.assumed:
        if agreement is not None and agreement <= 1 - _AGREE:
            return labels, (meaning.said, f"names and paths contradict the column {name!r}: check it")
        return labels, (meaning.said,)
    if agreement is None:
        return labels, (f"{meaning.said} was assumed: if it is the other way round, say --fake-values 0",)
    if agreement >= _AGREE:
        return labels, (f"{meaning.said}, as names and paths also say",)
    if agreement <= 1 - _AGREE:
        return 1 - labels, (
            f"the column {name!r} is the label; 1 = REAL and 0 = FAKE there, since names and paths say so: inverted",
        )
    return labels, (f"{meaning.said} was assumed; names and paths tell little of it",)


def agreeing(labels: NDArray[np.float64], evidence: pd.Series[str] | None) -> float | None:
    """How far names and paths tell the class as the label does.

    Args:
        labels: [n] 1, 0 or NaN.
        evidence: [n] names and paths.

    Returns:
        1 = names say fake for the fakes and real for the reals, 0 = the other way round, .75 = one class alone is
        named and rightly so. None where names tell nothing, or the same of both classes (a folder "real_world").
    """
    if evidence is None or not len(evidence):
        return None
    step = max(1, len(evidence) // _EVIDENCE_ROWS)
    sample, known = evidence.iloc[::step], labels[::step]
    told = contains(sample, FAKE_PATTERN).astype(float) - contains(sample, REAL_PATTERN).astype(float)
    means = [float(told[known == label].mean()) if (known == label).any() else None for label in (0, 1)]
    real, fake = means
    if real is None or fake is None:  # one class: a name may agree, but a word in all names turns nothing round
        said = fake if fake is not None else -real if real is not None else 0.0
        return 1.0 if said > _CLEAR else None
    contrast = (fake - real) / 2
    return None if abs(contrast) < _FAINT else 0.5 + contrast / 2


def _by_values(columns: Mapping[str, pd.Series[str]], fake_values: Sequence[str], table: str) -> LabelReading | None:
    """A column whose values are class words of both classes; else one in which one value means real."""
    found: list[LabelReading] = []
    for name, values in columns.items():
        shown = distinct(values, MAX_CLASSES)
        if not shown or all(_canon(one) in ("0", "1", *_TRUE, *_FALSE) for one in shown):
            continue
        reading = _reading(name, values, fake_values, None)
        if reading is not None and len(set(_finite(reading))) == 2:
            found.append(reading)
    if found:
        first = found[0]
        for other in found[1:]:
            if _contradict(first, other):
                raise TableError(
                    f"{table}: the columns {first.column!r} and {other.column!r} both look like the label and "
                    f"disagree; say which one it is with --label-column"
                )
        return first
    ranked = sorted(
        (rank, place, name) for place, name in enumerate(columns) if (rank := _class_rank(name)) is not None
    )
    for _, _, name in ranked:
        reading = _rest_is_fake(name, columns[name])
        if reading is not None:
            return reading
    return None


def _nameless(
    columns: Mapping[str, pd.Series[str]], fake_values: Sequence[str], evidence: pd.Series[str] | None
) -> LabelReading | None:
    """The only column of 0 and 1 in a table without names of columns."""
    if not all(name.startswith(NAMELESS) for name in columns):
        return None
    binary = [name for name, values in columns.items() if set(map(_canon, distinct(values, 2) or ())) in _BINARY]
    return _reading(binary[0], columns[binary[0]], fake_values, evidence) if len(binary) == 1 else None


def _class_rank(name: str) -> int | None:
    rank = label_rank(name)
    if rank is not None:
        return rank
    if key(name) in ("type", "category", "kind"):
        return 100
    rank = generator_rank(name)
    return None if rank is None else 200 + rank


def _rest_is_fake(name: str, values: pd.Series[str]) -> LabelReading | None:
    """A column of generators or kinds in which "real" is one value."""
    shown = distinct(values, MAX_CLASSES)
    if not shown:
        return None
    words = {one: class_word(one) for one in shown}
    reals = [one for one, word in words.items() if word is not None and word.label == 0]
    others = [one for one in shown if one not in reals]
    if not reals or not others or any(one.lstrip("+-").isdigit() for one in others):
        return None
    classes = {one: int(one not in reals) for one in shown}
    said = (
        f"the column {name!r} is the label; {', '.join(reals)} = real, everything else ({', '.join(others[:6])}) = fake"
    )
    return LabelReading(name, _mapped(values, classes), (said,))


def _finite(reading: LabelReading) -> list[float]:
    import numpy as np

    return [float(one) for one in np.unique(reading.values[~np.isnan(reading.values)])]


def _contradict(first: LabelReading, second: LabelReading) -> bool:
    import numpy as np

    both = ~np.isnan(first.values) & ~np.isnan(second.values)
    return bool((first.values[both] != second.values[both]).mean() > 0.01) if both.any() else False


def _undecided(table: str, columns: Mapping[str, pd.Series[str]]) -> str:
    lines = [f"{table}: no column could be recognised as the label (which clips are fake). The columns:"]
    for name, values in list(columns.items())[:30]:
        shown = [str(one) for one in values[(values != "").to_numpy(dtype=bool)].unique()[:4]]
        lines.append(f"  {name!r}: {', '.join(repr(one[:40]) for one in shown) or 'empty'}")
    lines.append("Say which one with --label-column NAME, and with --fake-values VALUE which of its values mean fake.")
    return "\n".join(lines)
