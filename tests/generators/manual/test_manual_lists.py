from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manual_media import listed

from cmdfd.clip import Modality, Segment
from generators.manual.cmx3600 import EdlError, edited_segments, frames_of, parse_edl
from generators.manual.edits_csv import TEMPLATE, EditsCsvError, Span, read_edits_csv, spans_of

NTSC = Fraction(30000, 1001)


def drop_frame_text(count: int) -> str:
    """Time code of a frame at 29.97, by walking: an independent second way (only whole minutes are jumped)."""
    minutes = 0
    while True:
        size = 1800 if minutes % 10 == 0 else 1798
        if count < size:
            break
        count -= size
        minutes += 1
    if minutes % 10:
        count += 2
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{count // 30:02d};{count % 30:02d}"


@given(st.integers(0, 2_589_407))
def test_drop_frame_time_codes_count_every_frame_once(count: int) -> None:
    assert frames_of(drop_frame_text(count), NTSC) == count


@pytest.mark.parametrize(
    ("text", "rate", "frames"),
    [
        ("00:00:00:00", Fraction(25), 0),
        ("01:00:00:00", Fraction(25), 90_000),
        ("01:00:00:00", NTSC, 108_000),  # non-drop counts 30 a second
        ("01:00:00;00", NTSC, 107_892),  # SMPTE ST 12-1: an hour of drop frame
        ("00:01:00;02", NTSC, 1800),
        ("00:00:59;29", NTSC, 1799),
        ("00:10:00;00", NTSC, 17_982),
        ("00:01:00;04", Fraction(60000, 1001), 3600),
        ("00:00:01:00", Fraction(24000, 1001), 24),
    ],
)
def test_known_time_codes(text: str, rate: Fraction, frames: int) -> None:
    assert frames_of(text, rate) == frames


@pytest.mark.parametrize(
    ("text", "rate", "why"),
    [
        ("00:01:00;00", NTSC, "leaves out"),
        ("00:01:00;01", NTSC, "leaves out"),
        ("00:00:00;00", Fraction(25), "29.97 and 59.94"),
        ("00:00:00:25", Fraction(25), "does not exist"),
        ("24:00:00:00", Fraction(25), "does not exist"),
        ("00:00:61:00", Fraction(25), "does not exist"),
        ("0:0:0:0", Fraction(25), "no time code"),
        ("99999999999999999999", Fraction(25), "no time code"),
    ],
)
def test_time_codes_that_do_not_exist(text: str, rate: Fraction, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        frames_of(text, rate)


EDL = """TITLE: anna
FCM: NON-DROP FRAME

001  AX       V     C        00:00:00:00 00:00:01:05 01:00:00:00 01:00:01:05
* FROM CLIP NAME: anna_01.mov
002  AX       V     C        00:00:10:00 00:00:11:05 01:00:01:05 01:00:02:10
* FROM CLIP NAME: bob.mov
003  AX       V     C        00:00:02:10 00:00:02:10 01:00:02:10 01:00:02:10
* FROM CLIP NAME: bob.mov
003  AX       V     D    010 00:00:02:10 00:00:05:00 01:00:02:10 01:00:05:00
* FROM CLIP NAME: bob.mov
* TO CLIP NAME: anna_01.mov
004  AX       AA    C        00:00:00:00 00:00:03:00 01:00:00:00 01:00:03:00
* FROM CLIP NAME: ANNA_01.MOV
005  BOBWAV   A     C        00:00:00:00 00:00:01:00 01:00:03:00 01:00:04:00
006  AX       A     C        00:00:04:00 00:00:05:00 01:00:04:00 01:00:05:00
* FROM CLIP NAME: anna_01.mov
007  BL       V     C        00:00:00:00 00:00:01:00 01:00:05:00 01:00:06:00
"""


def test_an_edl_gives_what_is_not_the_original() -> None:
    found = edited_segments(parse_edl(EDL, 25.0), "anna_01.mov")
    assert found == (
        Segment(1.2, 2.8, Modality.VIDEO),  # bob, then ten frames of dissolve back
        Segment(3.0, 4.0, Modality.AUDIO),
    )


def test_a_piece_of_the_original_from_elsewhere_is_an_edit() -> None:
    moved = EDL.replace("00:00:10:00 00:00:11:05", "00:00:03:00 00:00:04:05").replace("bob.mov", "anna_01.mov")
    assert edited_segments(parse_edl(moved, 25.0), "anna_01.mov")[0].start == pytest.approx(1.2)


def test_without_the_original_every_event_is_an_edit_and_the_hour_is_the_start() -> None:
    text = "001 X B C 00:00:00:00 00:00:01:00 10:00:02:00 10:00:03:00\n"
    assert edited_segments(parse_edl(text, 25.0), "a.mov") == (Segment(2.0, 3.0, Modality.BOTH),)
    assert edited_segments(parse_edl(text, 25.0), "a.mov", "10:00:01:00") == (Segment(1.0, 2.0, Modality.BOTH),)
    with pytest.raises(ValueError, match="behind the first event"):
        edited_segments(parse_edl(text, 25.0), "a.mov", "10:00:05:00")


def test_drop_frame_lists_end_up_in_real_seconds() -> None:
    text = "FCM: DROP FRAME\n001 X V C 00:00:00:00 00:00:01:00 01:01:00:02 01:01:10:00\n"
    (found,) = edited_segments(parse_edl(text, 29.97), "a.mov")
    assert found.start == pytest.approx(1800 * 1001 / 30000)
    assert found.end == pytest.approx((1800 + 298) * 1001 / 30000)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("TITLE: x\n001 X V C 00:00:00:00 00:00:01:00 01:00:00:00\n", 2, "is no event"),
        ("001 X V C 00:00:02:00 00:00:01:00 01:00:00:00 01:00:01:00\n", 1, "ends before it begins"),
        ("001 X Q C 00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00\n", 1, "channels must be"),
        ("FCM: SOMETIMES\n", 1, "DROP FRAME"),
        ("001 X V C 00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:99\n", 1, "does not exist"),
        ("x\0y\n", 1, "NUL"),
    ],
)
def test_edls_that_are_wrong_are_told_by_line(text: str, line: int, why: str) -> None:
    with pytest.raises(EdlError, match=f"line {line}: .*{why}"):
        parse_edl(text, 25.0)


def test_an_edl_without_events_is_none() -> None:
    with pytest.raises(EdlError, match="no event"):
        parse_edl("TITLE: x\n", 25.0)


def test_the_template_is_read(tmp_path: Path) -> None:
    path = tmp_path / "edits.csv"
    path.write_text(TEMPLATE)
    first, second, third = read_edits_csv(path)
    assert (first.line, first.donor_ids, first.matte) == (3, ("bob",), "mattes/anna_01_matte.mov")
    assert second.edl == "lists/anna_02.edl"
    assert spans_of(third.segments) == (Span(1.2, 2.4, Modality.VIDEO), Span(3.0, 3.5, Modality.AUDIO))


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("edited", "../a.mp4", "leaves the folder"),
        ("edited", "/etc/passwd", "absolute"),
        ("edited", "C:/a.mp4", "absolute"),
        ("matte", "..\\a.mp4", "backslashes"),
        ("edl", "a\0.edl", "control characters"),
        ("original", "", "is empty"),
        ("original", "edited.mp4", "one file"),
        ("tool", '=HYPERLINK("http://x")', "formula"),
        ("editor", "@SUM(A1)", "formula"),
        ("face_id", "+1", "formula"),
        ("donors", "-2+3", "formula"),
        ("licence", "M\x1bIT", "control characters"),
        ("operation", "faceswap", "did you mean 'face-swap'"),
        ("segments", "1.2", "no stretch"),
        ("segments", "2-1", "start < end"),
        ("segments", "0-1e9", "no stretch"),
        ("segments", "0-999999", "start < end"),
        ("segments", "nan-inf", "no stretch"),
        ("consent", "yes", "given"),
        ("pristine", "maybe", "boolean"),
        ("split", "dev", "train"),
        ("edl_fps", "9" * 400, "finite number"),
        ("edl_fps", "999", "120"),
        ("edl_fps", "25", "for an edl"),
        ("sync_mismatch", "2", "'0' or '1'"),
        ("tool", "x" * 201, "at most 200"),
    ],
)
def test_hostile_cells_are_refused_by_line_and_column(tmp_path: Path, column: str, value: str, why: str) -> None:
    path = listed(tmp_path, {"edited": "ok.mp4"}, {column: value})
    with pytest.raises(EditsCsvError, match=why) as caught:
        read_edits_csv(path)
    assert "line 4" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("original,edited\n", "line 1: must be #cmdfd-edits,1"),
        ("#cmdfd-edits,2\noriginal\n", "line 1: must be #cmdfd-edits,1"),
        ("#cmdfd-edits,1\n", "line 2: the header is missing"),
        ("#cmdfd-edits,1\noriginal,edited,operaton\n", "did you mean 'operation'"),
        ("#cmdfd-edits,1\noriginal,edited\n", "no column 'operation'"),
        ("#cmdfd-edits,1\noriginal;edited\n", "separate columns by commas"),
        ("#cmdfd-edits,1\noriginal,original\n", "there twice"),
        ('#cmdfd-edits,1\n"original\n', "line 2"),
        ("", "line 1"),
    ],
)
def test_lists_of_another_form_are_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "edits.csv"
    path.write_text(text)
    with pytest.raises(EditsCsvError, match=why):
        read_edits_csv(path)


def test_people_in_two_spellings_and_edits_listed_twice_are_told(tmp_path: Path) -> None:
    with pytest.raises(EditsCsvError) as caught:
        read_edits_csv(listed(tmp_path, {"donors": "Bob"}, {"edited": "b.mp4", "donors": "bob"}, {}))
    assert "differ in case" in str(caught.value) and "listed in line 3 already" in str(caught.value)
