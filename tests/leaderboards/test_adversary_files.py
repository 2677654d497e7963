"""Files made by hand to hang, to crash or to fool the verifier: footers that lie, text that is none, YAML of tricks."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_board import make_board, make_submission

from leaderboards import pages
from leaderboards.board import open_board, submission_files
from leaderboards.footers import plain_footer
from leaderboards.loading import load_standings
from leaderboards.pages import PageError, check_pages
from leaderboards.problems import SubmissionError
from leaderboards.site.build import build_site
from leaderboards.tables import Bounds, parse_table
from leaderboards.verify import verify
from leaderboards.yamlfile import parse_yaml

SCHEMA = pa.schema(
    [("name", pa.string()), ("values", pa.list_(pa.float64()))], metadata={"table": "toy", "schema_version": "1"}
)
ROWS = [{"name": f"row {number}", "values": [number / 7, -0.0]} for number in range(40)]
BOUNDS = Bounds(file_bytes=10**6, rows=100, values=1_000, memory=10**6)


def written(rows: list[dict[str, object]] = ROWS, **how: object) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), stream, use_dictionary=False, **how)
    return stream.getvalue()


def footer_of(data: bytes) -> tuple[int, int]:
    end = len(data) - 8
    return end - int.from_bytes(data[-8:-4], "little"), end


@pytest.mark.parametrize("how", [{}, {"data_page_version": "2.0"}, {"compression": "zstd"}, {"row_group_size": 7}])
def test_a_plain_footer_reads_as_before_and_has_no_statistics(how: dict[str, object]) -> None:
    data = written(**how)
    plain = plain_footer(data)
    assert pq.read_table(io.BytesIO(plain)).equals(pq.read_table(io.BytesIO(data)))
    assert pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0).statistics is not None
    assert pq.ParquetFile(io.BytesIO(plain)).metadata.row_group(0).column(0).statistics is None
    assert plain_footer(plain) == plain
    assert parse_table(data, SCHEMA, BOUNDS, "x").to_pylist() == ROWS


def test_no_footer_with_one_changed_byte_ends_the_process() -> None:
    """Sizes in a footer that contradict the schema made pyarrow 25.0.1 call `std::terminate`."""
    data = written()
    start, end = footer_of(data)
    passed = 0
    for place in range(start, end):
        for value in (0x00, data[place] ^ 0x02):
            changed = data[:place] + bytes([value]) + data[place + 1 :]
            try:
                passed += parse_table(changed, SCHEMA, BOUNDS, "x").num_rows > 0
            except SubmissionError as error:
                assert len(str(error)) < 5_000
    assert passed, "what is not needed may say what it likes"


def test_a_column_that_lies_in_another_file_is_refused() -> None:
    data = written()
    start, _ = footer_of(data)
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    metadata.set_file_path("../../../../etc/passwd")
    stream = io.BytesIO()
    metadata.write_metadata_file(stream)
    with pytest.raises(SubmissionError, match="another file"):
        parse_table(data[:start] + stream.getvalue()[4:], SCHEMA, BOUNDS, "x")


def test_text_that_is_no_utf8_is_refused_and_does_not_crash() -> None:
    data = written(compression="none")
    assert data.count(b"row 7") >= 1
    with pytest.raises(SubmissionError, match="cannot be read as Parquet"):
        parse_table(data.replace(b"row 7", b"row \xff"), SCHEMA, BOUNDS, "x")


def test_pages_without_end_are_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty page has ten bytes, so a file of some megabytes could hold a million."""
    monkeypatch.setattr(pages, "_MOST_PAGES", 500)
    header = bytes([0x15, 0, 0x15, 0, 0x15, 0, 0x2C, 0x15, 0, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0])
    data = b"PAR1" + header * 600

    class Column:
        path_in_schema, num_values = "values", 0
        has_dictionary_page, dictionary_page_offset, data_page_offset = False, None, 4
        total_compressed_size = len(data) - 4

    class Group:
        num_rows, num_columns = 0, 1

        def column(self, _: int) -> Column:
            return Column()

    class Metadata:
        num_rows, num_row_groups = 0, 1

        def row_group(self, _: int) -> Group:
            return Group()

    with pytest.raises(PageError) as caught:
        check_pages(data, Metadata(), BOUNDS, "x")
    assert "too many pages" in caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<<: {board: toy}\nname: a\n", "merge key"),
        ("<<: [{board: toy}, {name: b}]\n", "merge key"),
        ("%YAML 1.1\n---\nname: 010\n", "directive"),
        ("%TAG !e! tag:x,2020:\n---\nname: a\n", "directive"),
        ("name: a\nname: b\n", "duplicate key"),
        ("name: 'a\u2800'\n", "U+2800"),
        ("name: '\u3164'\n", "U+3164"),
        (f"name: 'Z{chr(0x300) * 40}algo'\n", "U+0300"),
        ("name: {" + "a, " * 40_000 + "}\n", "more than"),
        ("name: [" + "a: b, " * 30_000 + "]\n", "more than"),
        ("".join(f"k{number}: 1\n" for number in range(20_000)), "more than"),
    ],
)
def test_tricks_of_yaml_are_refused_soon(text: str, reason: str) -> None:
    began = time.process_time()
    with pytest.raises(SubmissionError) as caught:
        parse_yaml(text, "x.yaml")
    assert reason in str(caught.value)
    assert time.process_time() - began < 3


def test_what_names_may_have_is_let_through() -> None:
    for name in ("'<<'", "Größe", "Đối mặt", "顔認識", "हिन्दी", "o\u0308\u0304"):  # composed marks, Indic vowels
        assert parse_yaml(f"name: {name}\n", "x.yaml").data["name"] == name.strip("'")


def test_file_names_reach_neither_terminal_nor_page_raw(tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=12, components=6)
    folder = os.fsencode(board / "submissions")
    for name in (b"\xff\xfe.yaml", b"a\x1b[31m\n::error::b.yaml", b"<img src=x onerror=alert(1)>.yaml"):
        (Path(os.fsdecode(folder + b"/" + name))).write_text("a: 1\n", "utf-8")
    standings = load_standings(board)
    assert len(standings.left_out) == 3
    for file, reason in standings.left_out:
        assert all(char.isprintable() or char == "\n" for char in file + reason)
        assert "\n::" not in file + reason
    build_site([standings], tmp_path / "site", tmp_path)
    assert "<img" not in (tmp_path / "site" / "boards" / "toy" / "about.html").read_text("utf-8")


def test_a_linked_folder_of_submissions_is_not_read(tmp_path: Path) -> None:
    from cmdfd.errors import CmdfdError

    board = make_board(tmp_path, clips=12, components=6)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token.yaml").write_text("token_abc: 1\n", "utf-8")
    (board / "submissions").rmdir()
    (board / "submissions").symlink_to(tmp_path / "secrets")
    with pytest.raises(CmdfdError, match="symbolic link"):
        submission_files(board)


@pytest.mark.parametrize("slug", ["con", "nul", "aux", "com1", "lpt9"])
def test_names_of_devices_are_no_slugs(slug: str, tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=12, components=6)
    with pytest.raises(SubmissionError, match="Windows"):
        verify(open_board(board), make_submission(board, slug))
