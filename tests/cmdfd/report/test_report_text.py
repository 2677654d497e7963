from __future__ import annotations

import doctest
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cmdfd.report.text as text


def test_doctests_hold() -> None:
    assert doctest.testmod(text).failed == 0


@given(st.text(alphabet=st.characters()))
def test_clean_leaves_only_what_every_format_can_hold(value: str) -> None:
    found = text.clean(value)
    found.encode("utf-8")
    assert not any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in found)
    assert text.clean(found) == found


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF)) | st.text(alphabet="ab [;m\x1b\x7f\x80é\n]\x07\\~"))
def test_what_clean_passes_at_once_is_what_every_sign_alone_comes_to(value: str) -> None:
    slow = "".join(text._harmless(sign) for sign in text._ESCAPE_SEQUENCE.sub("", value))
    assert text.clean(value) == slow


def test_every_ascii_sign_comes_to_the_same_alone_and_among_others() -> None:
    for code in range(0x80):
        alone = text._harmless(chr(code))
        assert text.clean(chr(code)) == alone  # what has no other sign beside it may go the short way
        assert text.clean(f"é{chr(code)}é") == f"é{alone}é"  # the long way


def test_clean_removes_terminal_escapes_and_direction_overrides() -> None:
    assert text.clean("\x1b[31mred\x1b[0m\x1b]0;title\x07") == "red"
    assert text.clean("a\u202eb\u2066c") == "abc"
    assert text.clean("a\nb\tc\x00") == "a b c\ufffd"
    assert text.clean("déjà 日本 👍") == "déjà 日本 👍"


@given(st.text(min_size=0, max_size=60), st.integers(3, 40))
def test_shorten_never_exceeds_and_keeps_both_ends(value: str, length: int) -> None:
    found, whole = text.shorten(value, length), text.clean(value)
    assert len(found) <= length
    if len(whole) > length:
        head, _, tail = found.partition("…") if "…" not in whole else (found[:1], "", found[-1:])
        assert whole.startswith(head)
        assert whole.endswith(tail)
    else:
        assert found == whole


@given(st.floats(-1, 1))
def test_number_can_be_read_back(value: float) -> None:
    for signed in (False, True):
        written = text.number(value, signed=signed)
        assert float(written.replace("−", "-")) == pytest.approx(value, abs=5.01e-4)
        assert not written.startswith(("0.", "−0.", "+0."))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_a_dash(value: float | None) -> None:
    assert text.number(value) == "–"
    assert text.interval(value, 0.5) == ""
    assert text.percent(value) == "–"
    assert text.duration(value) == "–"


def test_nought_has_no_sign() -> None:
    assert text.number(-0.0001, signed=True) == ".000"
    assert text.number(0.0, signed=True) == ".000"


def test_percent_never_rounds_to_all_or_nothing() -> None:
    assert text.percent(0.998) == "99.8 %"
    assert text.percent(0.002) == "0.2 %"
    assert text.percent(1.0) == "100 %"
