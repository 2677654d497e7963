from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.clip import Rights
from generators.sources.sources_csv import SourcesCsvError, SourcesCsvWarning, printable, read_sources_csv

HEADER = "file,identity,licence,consent,pristine\n"


def read(tmp_path: Path, text: str | bytes) -> tuple:
    path = tmp_path / "sources.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sources_csv(path)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(SourcesCsvError) as caught:
        read(tmp_path, text)
    assert "sources.csv" in str(caught.value)
    return str(caught.value)


def test_rows_are_read_with_their_lines(tmp_path: Path) -> None:
    text = (
        HEADER
        + "a.mp4,anna,CC-BY-4.0,given,true\n\n./sub/b.mov , bob ,unclear,public-figure,FALSE\nc.mkv,,MIT,unknown,1\n"
    )
    first, second, third = read(tmp_path, text)
    assert (first.file, first.identity, first.line) == ("a.mp4", "anna", 2)
    assert first.rights == Rights("CC-BY-4.0", "given", True)
    assert (second.file, second.identity, second.line) == ("sub/b.mov", "bob", 4)
    assert second.rights == Rights("unclear", "public-figure", False)
    assert (third.identity, third.rights.pristine) == (None, True)


def test_marks_quotes_line_ends_and_column_order_do_not_matter(tmp_path: Path) -> None:
    text = '\ufeffpristine,licence,file,consent,identity\r\nyes,"MIT, and more","a, b.mp4",given,Ärna\r\n'
    (row,) = read(tmp_path, text)
    assert (row.file, row.identity, row.rights.licence) == ("a, b.mp4", "Ärna", "MIT, and more")


def test_other_columns_are_left_out_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(SourcesCsvWarning, match="'origin', 'sha256'"):
        (row,) = read(tmp_path, "origin,file,licence,consent,pristine,sha256\nweb,a.mp4,MIT,given,true,00\n")
    assert row.identity is None


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("/etc/passwd", "absolute"),
        ("C:/clips/a.mp4", "absolute"),
        ("C:a.mp4", "absolute"),
        ("//server/share/a.mp4", "absolute"),
        ("\\\\server\\a.mp4", "absolute"),
        ("../a.mp4", r"leaves the folder"),
        ("sub/../../a.mp4", "leaves the folder"),
        ("sub\\a.mp4", "backslashes"),
        (".", "names no file"),
        ("", "is empty; write the path inside the folder"),
        ("a\x00.mp4", "control characters"),
        ("x" * 1025, "at most 1024"),
    ],
)
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, file: str, why: str) -> None:
    text = refusal(tmp_path, HEADER + "ok.mp4,anna,MIT,given,true\n" + f"{file},bob,MIT,given,true\n")
    assert "line 3, column 'file'" in text
    assert why in text


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        ("a.mp4,anna,,given,true", "licence", "is empty; write an SPDX id"),
        ("a.mp4,anna,MIT,,true", "consent", "is empty; write given"),
        ("a.mp4,anna,MIT,maybe,true", "consent", "'maybe'"),
        ("a.mp4,anna,MIT,given,", "pristine", "is empty; write true or false"),
        ("a.mp4,anna,MIT,given,perhaps", "pristine", "'perhaps'"),
        ("a.mp4,an\x07na,MIT,given,true", "identity", "control characters"),
    ],
)
def test_wrong_cells_are_told_by_line_and_column(tmp_path: Path, row: str, column: str, why: str) -> None:
    text = refusal(tmp_path, HEADER + row + "\n")
    assert f"line 2, column {column!r}" in text
    assert why in text


def test_all_problems_are_told_at_once_up_to_a_bound(tmp_path: Path) -> None:
    text = refusal(tmp_path, HEADER + "".join(f"/{k}.mp4,anna,MIT,given,true\n" for k in range(30)))
    assert "line 2," in text
    assert "line 21," in text
    assert "line 22," not in text
    assert "and 10 more" in text


def test_a_file_listed_twice_is_refused(tmp_path: Path) -> None:
    row = "anna,MIT,given,true\n"
    assert "line 3, column 'file': 'a.mp4' is listed in line 2" in refusal(
        tmp_path, HEADER + f"a.mp4,{row}./a.mp4,{row}"
    )


def test_one_person_written_in_two_ways_is_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, HEADER + "a.mp4,Anna B,MIT,given,true\nb.mp4,anna  b,MIT,given,true\n")
    assert "line 3, column 'identity'" in text
    assert "one person in one way" in text


def test_a_person_may_have_many_files(tmp_path: Path) -> None:
    assert len(read(tmp_path, HEADER + "a.mp4,anna,MIT,given,true\nb.mp4,anna,MIT,given,true\n")) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("file;identity;licence;consent;pristine\n", "separate columns by commas"),
        ("file,license,consent,pristine\n", "no column 'licence'; rename 'license'"),
        ("identity,licence,consent,pristine\n", "no column 'file'"),
        ("file,file,licence,consent,pristine\n", "'file' is there twice"),
        (HEADER + "a.mp4,anna,MIT\n", "line 2: 3 cells, the header has 5 columns"),
        (HEADER + "a.mp4,anna,MIT,given,true,x\n", "line 2: 6 cells"),
        (HEADER + 'a.mp4,"anna,MIT,given,true\n', "line 2"),
        (HEADER.encode() + b"a.mp4,\xff\xfe,MIT,given,true\n", "line 2: not UTF-8"),
        (HEADER + "a.mp4," + "x" * 200_000 + ",MIT,given,true\n", "line 2: field larger"),
    ],
)
def test_files_that_are_no_ledger_are_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    assert why in refusal(tmp_path, text)


def test_a_missing_ledger_tells_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(SourcesCsvError, match="file,identity,licence,consent,pristine"):
        read_sources_csv(tmp_path / "sources.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourcesCsvError, match="no such file"):
        read_sources_csv(tmp_path / "folder")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("csv") / "sources.csv"
    path.write_bytes(HEADER.encode() + data)
    try:
        rows = read_sources_csv(path)
    except SourcesCsvError:
        return
    for row in rows:
        assert row.file
        assert not row.file.startswith("/")
        assert ".." not in row.file.split("/")


def test_any_name_that_a_file_can_have_is_read_and_shown_harmlessly(tmp_path: Path) -> None:
    names = ["two\nlines.mp4", "a\x1b[31mred.mp4", "-dash.mp4", "two  spaces.mp4", 'it\'s "quoted".mp4']
    rows = "".join('"{}",anna,MIT,given,true\n'.format(name.replace('"', '""')) for name in names)
    path = tmp_path / "sources.csv"
    path.write_text(HEADER + rows, encoding="utf-8", newline="")
    assert [row.file for row in read_sources_csv(path)] == names
    assert [printable(name) for name in names[:2]] == ["two\\nlines.mp4", "a\\x1b[31mred.mp4"]
    assert [printable(name) for name in names[2:]] == names[2:]
