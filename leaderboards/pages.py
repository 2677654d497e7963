"""What the pages of a Parquet file come to, told from their own headers before anything is unpacked.

A footer may lie, and a few bytes can stand for thousands of millions of values: run lengths of a dictionary's index,
prefixes that are shared, levels of empty lists. So each page header is read here (Thrift's compact protocol, as in
parquet-format's parquet.thrift), and only plain pages are let through: their unpacked size is the sum that is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leaderboards.tables import Bounds

#: parquet.thrift: PageType and Encoding.
_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = range(4)
_PLAIN, _RLE = 0, 3
_HEADER_OF = {_DATA_PAGE: 5, _DATA_PAGE_V2: 8}
_ENCODING_FIELD = {_DATA_PAGE: 2, _DATA_PAGE_V2: 4}
#: Thrift's compact types.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MOST_DEPTH = 8
_MOST_HEADER_BYTES = 1 << 16
#: Pages of a file; a writer makes one a MiB of values. Millions of empty ones would take an hour to walk.
_MOST_PAGES = 50_000
_PLAINLY = "write it plainly: python -m leaderboards.submit, or pyarrow.parquet.write_table(..., use_dictionary=False)"


class PageError(Exception):
    """A column whose pages are not let through.

    Args:
        column: Its name.
        reason: What is wrong.
        fix: What to do.
    """

    def __init__(self, column: str, reason: str, fix: str = _PLAINLY) -> None:
        super().__init__(column, reason, fix)
        self.column, self.reason, self.fix = column, reason, fix


@dataclass(frozen=True, slots=True)
class _Page:
    values: int
    unpacked: int


def check_pages(data: bytes, metadata: Any, bounds: Bounds, where: str) -> None:
    """Walk the page headers of all columns.

    Args:
        data: The file.
        metadata: `pyarrow.parquet.FileMetaData` of it.
        bounds: What it may come to.
        where: Name of the file, for columns without a name.

    Raises:
        PageError: For pages that are not plain, columns of more values or files of more bytes than are allowed, and
            headers that contradict the footer.
    """
    total = walked = 0
    values: dict[str, int] = {}
    rows = 0
    for group_number in range(metadata.num_row_groups):
        group = metadata.row_group(group_number)
        rows += group.num_rows
        for column_number in range(group.num_columns):
            column = group.column(column_number)
            name = str(column.path_in_schema).partition(".")[0] or where
            pages = _pages(data, column, name, _MOST_PAGES - walked)
            walked += len(pages)
            counted = sum(page.values for page in pages)
            if counted != column.num_values:
                raise PageError(name, f"its pages have {counted} values, the footer says {column.num_values}")
            total += sum(page.unpacked for page in pages)
            values[str(column.path_in_schema)] = values.get(str(column.path_in_schema), 0) + counted
            if values[str(column.path_in_schema)] > bounds.values:
                raise PageError(name, f"has more than the {bounds.values} values that this board allows", "")
            if total > bounds.memory:
                raise PageError(name, f"unpacks to more than the {bounds.memory} bytes that this board allows", "")
    if rows != metadata.num_rows:
        raise PageError("file", f"its row groups have {rows} rows, the footer says {metadata.num_rows}")


def _pages(data: bytes, column: Any, name: str, most: int) -> list[_Page]:
    if column.has_dictionary_page or column.dictionary_page_offset:
        raise PageError(name, "has a dictionary, by which a small file can grow without bound")
    at, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
    if not 4 <= at <= end <= len(data):
        raise PageError(name, f"its pages would lie at {at} to {end} of {len(data)} bytes")
    found: list[_Page] = []
    while at < end:
        if len(found) >= most:
            raise PageError(name, f"has too many pages, at most {_MOST_PAGES} are read of a file")
        reader = Reader(data, at, min(end, at + _MOST_HEADER_BYTES))
        try:
            header = reader.struct()
        except (IndexError, ValueError) as error:
            raise PageError(name, f"has a page header that cannot be read at byte {at}") from error
        found.append(_page(header, name))
        at = reader.at + int(header[3])
    if at != end:
        raise PageError(name, f"its pages end at byte {at}, the footer says {end}")
    return found


def _page(header: dict[int, Any], name: str) -> _Page:
    kind, unpacked, packed = header.get(1), header.get(2), header.get(3)
    inner = header.get(_HEADER_OF.get(kind, -1)) if isinstance(kind, int) else None
    if not isinstance(inner, dict) or not isinstance(kind, int):
        raise PageError(name, "has a page that is none of plain values, such as a dictionary")
    values, encoding = inner.get(1), inner.get(_ENCODING_FIELD[kind])
    if encoding not in (_PLAIN, _RLE) or (encoding == _RLE and kind == _DATA_PAGE):
        raise PageError(name, f"is encoded by rule {encoding!r}; only plain values are read")
    numbers = (values, unpacked, packed)
    if not all(isinstance(one, int) and one >= 0 for one in numbers):
        raise PageError(name, "has a page whose sizes are missing or negative")
    return _Page(int(values or 0), int(unpacked or 0))


class Reader:
    """Thrift's compact protocol, as far as page headers and footers need it.

    Args:
        data: Bytes.
        at: Where to begin; moves on.
        end: Where to stop.
    """

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data = data
        self.at = at
        self._end = end

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Fields by their number."""
        return {number: self._value(kind, depth) for number, kind in self.fields()}

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and type of every field of a struct; whoever asks for the next has read the value before."""
        number = 0
        while byte := self._byte():
            delta = byte >> 4
            number = number + delta if delta else self._signed()
            yield number, byte & 15

    def skip_value(self, kind: int) -> None:
        """Go past a value.

        Raises:
            IndexError: Where it runs over the end.
            ValueError: For a type that is none, or too deep a nesting.
        """
        self._value(kind, 0)

    def list_head(self) -> tuple[int, int]:
        """Size and type of a list."""
        byte = self._byte()
        size = byte >> 4
        return self._unsigned() if size == 15 else size, byte & 15

    def _value(self, kind: int, depth: int) -> Any:  # noqa: PLR0911 - one for each type
        if depth > _MOST_DEPTH:
            raise ValueError("nested too deeply")
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _DOUBLE:
            return self._skip(8)
        if kind == _BINARY:
            return self._skip(self._unsigned())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth)
        raise ValueError(f"unknown type {kind}")

    def _list(self, depth: int) -> None:
        size, kind = self.list_head()
        for _ in range(size):
            if kind in (_TRUE, _FALSE):
                self._byte()
            else:
                self._value(kind, depth + 1)

    def _byte(self) -> int:
        if self.at >= self._end:
            raise IndexError("ends in a header")
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, size: int) -> None:
        if self.at + size > self._end:
            raise IndexError("ends in a header")
        self.at += size

    def _unsigned(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("a number without an end")

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)
