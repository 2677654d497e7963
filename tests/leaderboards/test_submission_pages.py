"""Parquet of strangers: page headers are read right, damage never gets further than a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_board import answer_rows, make_board, write_raw

from leaderboards import pages
from leaderboards.predictions import schema, write_submitted
from leaderboards.problems import SubmissionError
from leaderboards.tables import Bounds, parse_table

ROOMY = Bounds(10**8, 10**6, 10**7, 10**8)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_board(tmp_path_factory.mktemp("pages"), clips=12, components=4)


@pytest.fixture(scope="module")
def table(board: Path) -> bytes:
    path = board / "x.parquet"
    write_submitted(path, answer_rows(board, over_time=True))
    return path.read_bytes()


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip"])
def test_page_headers_say_what_the_footer_of_an_honest_file_says(
    board: Path, version: str, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = answer_rows(board, over_time=True)
    path = write_raw(
        board / "honest.parquet", rows, schema(),
        use_dictionary=False, compression=codec, data_page_version=version, data_page_size=64, row_group_size=7,
    )  # fmt: skip
    data = path.read_bytes()
    metadata = pq.ParquetFile(path).metadata
    counted = []
    real = pages._pages

    def spy(*arguments: object) -> list[pages._Page]:
        found = real(*arguments)  # type: ignore[arg-type]
        counted.append(found)
        return found

    monkeypatch.setattr(pages, "_pages", spy)
    assert parse_table(data, schema(), ROOMY, "x").to_pylist() == pq.read_table(path).to_pylist() == rows
    columns = [
        metadata.row_group(g).column(c) for g in range(metadata.num_row_groups) for c in range(metadata.num_columns)
    ]
    assert len(counted) == len(columns) and sum(map(len, counted)) > len(columns), "no column has several pages"
    for column, found in zip(columns, counted, strict=True):
        assert sum(page.values for page in found) == column.num_values
        headers = column.total_uncompressed_size - sum(page.unpacked for page in found)
        assert 0 < headers < 300 * len(found), "the footer counts pages with their headers"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"use_dictionary": True}, "dictionary"),
        ({"use_dictionary": False, "column_encoding": {"id": "DELTA_BYTE_ARRAY"}}, "encoded by rule"),
        ({"use_dictionary": False, "column_encoding": {"score": "BYTE_STREAM_SPLIT"}}, "encoded by rule"),
    ],
)
def test_pages_that_are_not_plain_are_refused(board: Path, how: dict[str, object], reason: str) -> None:
    data = write_raw(board / "other.parquet", answer_rows(board), schema(), **how).read_bytes()
    with pytest.raises(SubmissionError, match=reason):
        parse_table(data, schema(), ROOMY, "x")


def test_a_small_file_of_many_empty_lists_is_counted_by_its_values(tmp_path: Path) -> None:
    many = 400_000
    kind = pa.schema([("v", pa.list_(pa.float64()))], metadata={"table": "t", "schema_version": "1"})
    column = pa.ListArray.from_arrays(pa.array(np.zeros(many + 1, dtype=np.int32)), pa.array([], pa.float64()))
    pq.write_table(pa.Table.from_arrays([column], schema=kind), tmp_path / "x", use_dictionary=False)
    data = (tmp_path / "x").read_bytes()
    assert len(data) < 10_000, "it is not small"
    with pytest.raises(SubmissionError, match="more than the 1000 values"):
        parse_table(data, kind, Bounds(10**6, 10**6, 1_000, 10**8), "x")


def test_pages_that_unpack_to_a_thousand_times_their_size_are_not_unpacked(tmp_path: Path) -> None:
    kind = pa.schema([("v", pa.string())], metadata={"table": "t", "schema_version": "1"})
    pq.write_table(
        pa.Table.from_pylist([{"v": "x" * 20_000_000}], schema=kind),
        tmp_path / "x",
        use_dictionary=False,
        compression="zstd",
    )
    data = (tmp_path / "x").read_bytes()
    assert len(data) < 10_000
    before = pa.total_allocated_bytes()
    with pytest.raises(SubmissionError, match="unpacks to more"):
        parse_table(data, kind, Bounds(10**6, 10, 10, 10**6), "x")
    assert pa.total_allocated_bytes() - before < 10**6


@settings(max_examples=80)
@given(data=st.data())
def test_damage_is_refused_or_harmless(table: bytes, data: st.DataObject) -> None:
    spoiled = bytearray(table)
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3)) * data.draw(st.integers(0, 50))
    try:
        found = parse_table(bytes(spoiled[: len(spoiled) - cut]), schema(), ROOMY, "x")
    except SubmissionError as error:
        assert all(one.file == "x" and one.reason for one in error.problems)
    else:
        assert found.schema.equals(schema()) and len(found) <= ROOMY.rows


@given(st.binary(max_size=400))
def test_thrift_of_strangers_ends(data: bytes) -> None:
    reader = pages.Reader(data, 0, len(data))
    try:
        reader.struct()
    except (IndexError, ValueError):
        return
    assert reader.at <= len(data)
