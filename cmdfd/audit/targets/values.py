"""Columns of strangers' tables as clean text or numbers, without a loop over the rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

#: What people write into a cell that holds nothing.
EMPTY_WORDS = ("", "-", "--", "nan", "none", "null", "na", "n/a", "#n/a", "<na>", "nat")
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_WHOLE = 2**53


def key(name: object) -> str:
    """A column's name without case, camel humps and signs: "isFake", "Is fake" and "IS_FAKE" are all "is_fake"."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", str(name).strip())
    return re.sub(r"[^a-z0-9]+", "_", parted.casefold()).strip("_")


def text_type() -> Any:
    """The type of every text column here: Arrow memory, so that a million rows stay small."""
    import pandas as pd

    return pd.StringDtype("pyarrow")


def blank(n: int) -> pd.Series[Any]:
    """A text column of `n` empty cells."""
    import pyarrow as pa

    return from_arrow(pa.repeat(_long(""), n))


def arrow(values: pd.Series[Any]) -> pa.Array:
    """A text column as one Arrow array of long strings."""
    import pyarrow as pa

    found = pa.array(values.array, type=pa.large_string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def from_arrow(values: Any, index: Any = None) -> pd.Series[Any]:
    """An Arrow array of strings as a text column; null becomes ""."""
    import pandas as pd
    import pyarrow.compute as pc

    found: pd.Series[Any] = pd.Series(pd.arrays.ArrowStringArray(pc.fill_null(values, "")), index=index)
    return found


def _long(text: str) -> pa.Scalar:
    import pyarrow as pa

    return pa.scalar(text, pa.large_string())


def glue(first: pd.Series[Any], second: pd.Series[Any], sign: str = "") -> pd.Series[Any]:
    """Two text columns with a sign between them."""
    import pyarrow.compute as pc

    return from_arrow(pc.binary_join_element_wise(arrow(first), arrow(second), _long(sign)), first.index)


def is_nested(values: pd.Series[Any]) -> bool:
    """Whether cells hold lists or records."""
    return values.dtype == object


def is_text(values: pd.Series[Any]) -> bool:
    """Whether cells hold text."""
    import pandas as pd

    return isinstance(values.dtype, pd.StringDtype)


def texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Cells as stripped text; "" where there is nothing. Whole numbers are written without a point.

    Args:
        values: A column of a `RawTable`.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_nested(values):
        return blank(len(values)).set_axis(values.index)
    if is_text(values):
        stripped = pc.utf8_trim_whitespace(arrow(values))
        empty = pc.is_in(pc.utf8_lower(stripped), value_set=pa.array(EMPTY_WORDS, pa.large_string()))
        return from_arrow(pc.if_else(empty, pa.scalar("", pa.large_string()), stripped), values.index)
    if values.dtype.kind in "iu":
        return from_arrow(pc.cast(pa.array(values.to_numpy()), pa.large_string()), values.index)
    found = values.to_numpy(dtype=np.float64, na_value=np.nan)
    whole = np.isfinite(found) & (np.abs(found) < _WHOLE) & (found == np.round(found))
    written = np.full(len(found), "", dtype=object)
    written[whole] = found[whole].astype(np.int64).astype(str)
    rest = np.isfinite(found) & ~whole
    written[rest] = [repr(float(one)) for one in found[rest]]
    return from_arrow(pa.array(written, pa.large_string()), values.index)


def numbers(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Cells as numbers; NaN where there is none (also for infinite ones).

    Args:
        values: A column of a `RawTable`.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_nested(values):
        return np.full(len(values), np.nan)
    if is_text(values):
        cells = pc.utf8_trim_whitespace(arrow(values))
        good = pc.match_substring_regex(cells, _NUMBER)
        kept = pc.if_else(good, cells, pa.scalar(None, pa.large_string()))
        kept = pc.replace_substring_regex(kept, r"^\+", "")
        found = np.array(pc.cast(kept, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    else:
        found = np.array(values.to_numpy(dtype=np.float64, na_value=np.nan))
    found[~np.isfinite(found)] = np.nan
    return found


def distinct(values: pd.Series[Any], limit: int) -> list[str] | None:
    """Different cells of a text column that are not empty, sorted; None where there are more than `limit`."""
    found = values.unique()
    return sorted(str(one) for one in found if one) if len(found) <= limit + 1 else None


def join(columns: list[pd.Series[Any]]) -> pd.Series[Any]:
    """Text columns side by side, parted by one blank; empty cells leave no blank."""
    import pyarrow.compute as pc

    arrays = [arrow(column) for column in columns]
    whole = pc.binary_join_element_wise(*arrays, _long(" ")) if len(arrays) > 1 else arrays[0]
    squeezed = pc.replace_substring_regex(pc.utf8_trim_whitespace(whole), r" {2,}", " ") if len(arrays) > 1 else whole
    return from_arrow(squeezed, columns[0].index)


def extract(values: pd.Series[Any], pattern: str) -> dict[str, pd.Series[Any]]:
    """Named groups of a pattern (RE2), one text column each; "" where the pattern does not match.

    Args:
        values: Text column.
        pattern: With named groups only.
    """
    import pyarrow.compute as pc

    found = pc.extract_regex(arrow(values), pattern=pattern)
    names = [found.type.field(k).name for k in range(found.type.num_fields)]
    return {name: from_arrow(pc.struct_field(found, name), values.index) for name in names}


def contains(values: pd.Series[Any], pattern: str) -> NDArray[np.bool_]:
    """Whether a pattern (RE2, case ignored) occurs in each cell of a text column."""
    import numpy as np
    import pyarrow.compute as pc

    found = pc.match_substring_regex(arrow(values), pattern, ignore_case=True)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def stems(values: pd.Series[Any]) -> pd.Series[Any]:
    """File names without folder and suffix."""
    import pyarrow.compute as pc

    base = pc.replace_substring_regex(arrow(values), r"(?s)^.*[/\\]", "")
    return from_arrow(pc.replace_substring_regex(base, r"\.[A-Za-z0-9]{1,5}$", ""), values.index)
