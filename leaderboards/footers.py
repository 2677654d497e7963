"""The footer of a stranger's Parquet file, written again with nothing in it but what finds the values.

Readers are written in C++ and believe what optional parts of a footer say: in pyarrow 25.0.1, sizes that contradict
the schema end the whole process, and a column may be said to lie in another file. None of it is needed to
read a table. So the footer is read here (Thrift's compact protocol, parquet-format's parquet.thrift) and given to
the reader without statistics, indexes, Bloom filters, sort orders and keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leaderboards.pages import PageError, Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIST, _STRUCT = 9, 12


@dataclass(frozen=True, slots=True)
class _Kept:
    """Fields of a struct that stay; those of `inside` are structs, or lists of structs, with a rule of their own."""

    whole: frozenset[int]
    inside: Mapping[int, _Kept] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)


#: ColumnMetaData: type, encodings, path, codec, values, sizes, offsets of the first page and of a dictionary.
_META = _Kept(frozenset({1, 2, 3, 4, 5, 6, 7, 9, 11}))
#: ColumnChunk: file_offset, meta_data.
_CHUNK = _Kept(frozenset({2}), {3: _META}, {1: "names another file for a column", 8: "is encrypted", 9: "is encrypted"})
#: RowGroup: columns, total_byte_size, num_rows.
_GROUP = _Kept(frozenset({2, 3}), {1: _CHUNK})
#: FileMetaData: version, schema, num_rows, row_groups, key_value_metadata.
_FILE = _Kept(frozenset({1, 2, 3, 5}), {4: _GROUP}, {8: "is encrypted", 9: "is encrypted"})


def plain_footer(data: bytes) -> bytes:
    """The file with a footer of what is needed.

    Args:
        data: A file that begins and ends as Parquet does and whose footer lies inside it.

    Raises:
        PageError: For a footer that cannot be read, or whose values lie elsewhere.
    """
    end = len(data) - 8
    start = end - int.from_bytes(data[-8:-4], "little")
    reader = Reader(data, start, end)
    try:
        footer = bytes(_struct(data, reader, _FILE))
    except (IndexError, ValueError) as error:
        raise PageError("file", f"cannot be read as Parquet: its footer {error}") from error
    return b"".join((data[:start], footer, len(footer).to_bytes(4, "little"), data[-4:]))


def _struct(data: bytes, reader: Reader, kept: _Kept) -> bytearray:
    made = bytearray()
    last = 0
    for number, kind in reader.fields():
        if number in kept.refused:
            raise PageError("file", kept.refused[number])
        begun = reader.at
        inner = kept.inside.get(number)
        if inner is not None and kind in (_STRUCT, _LIST):
            value = _struct(data, reader, inner) if kind == _STRUCT else _list(data, reader, inner)
        else:
            reader.skip_value(kind)
            value = bytearray(data[begun : reader.at])
        if inner is None and number not in kept.whole:
            continue
        if number <= last:
            raise ValueError("has a field twice, or out of order")
        if number - last > 15:
            raise ValueError("lacks a field")
        made.append((number - last) << 4 | kind)
        made += value
        last = number
    made.append(0)
    return made


def _list(data: bytes, reader: Reader, kept: _Kept) -> bytearray:
    begun = reader.at
    size, kind = reader.list_head()
    if kind != _STRUCT:
        raise ValueError("has a list of something else than structs")
    made = bytearray(data[begun : reader.at])
    for _ in range(size):
        made += _struct(data, reader, kept)
    return made
