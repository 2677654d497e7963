"""Where speech may be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.edits.words import HUG_SECONDS, gap_before, gaps, runs
from generators.generator import Word

WORDS = (Word("we", 0.2, 0.5), Word("saw", 0.5, 0.9), Word("it", 1.3, 1.5))


@st.composite
def some_words(draw: st.DrawFn) -> tuple[Word, ...]:
    found, at = [], 0.0
    for index in range(draw(st.integers(1, 8))):
        at += draw(st.sampled_from([0.0, 0.0, 0.01, 0.2]))
        end = at + draw(st.floats(0.05, 0.8))
        found.append(Word(f"w{index}", at, end))
        at = end
    return tuple(found)


@given(some_words(), st.floats(0, 1), st.floats(1, 8), st.floats(0.05, 0.5), st.floats(0.5, 2))
def test_no_cut_is_inside_a_word(
    words: tuple[Word, ...], low: float, high: float, shortest: float, longest: float
) -> None:
    seconds = words[-1].end + 0.1
    for run in runs(words, low, high, shortest, longest, seconds):
        assert low <= run.start < run.end <= high and shortest <= run.seconds <= longest
        assert run.text == " ".join(word.text for word in words[run.first : run.last + 1])
        assert words[run.first].start - run.start <= HUG_SECONDS + 1e-12
        assert run.end - words[run.last].end <= HUG_SECONDS + 1e-12
        for cut in (run.start, run.end):
            assert not any(word.start + 1e-9 < cut < word.end - 1e-9 for word in words)
    for gap in gaps(words, low, high, seconds):
        assert low <= gap <= high and not any(word.start + 1e-9 < gap < word.end - 1e-9 for word in words)


@given(some_words())
def test_every_run_is_found(words: tuple[Word, ...]) -> None:
    found = {(run.first, run.last) for run in runs(words, 0.0, 100.0, 0.0, 100.0, words[-1].end + 1)}
    assert found == {(i, j) for i in range(len(words)) for j in range(i, len(words))}


def test_cuts_touch_words_in_speech_and_keep_a_little_off_in_pauses() -> None:
    by_words = {(run.first, run.last): run for run in runs(WORDS, 0, 2, 0.1, 2, 2.0)}
    assert (by_words[1, 1].start, by_words[1, 1].end) == (0.5, pytest.approx(0.93))
    assert (by_words[0, 0].start, by_words[0, 0].end) == (pytest.approx(0.17), 0.5)
    assert by_words[0, 2].text == "we saw it"
    assert gaps(WORDS, 0, 2, 2.0) == (0.5, pytest.approx(1.1))
    assert gap_before(WORDS, 3, 2.0) == (1.5, 2.0)


def test_words_that_overlap_a_little_meet_in_the_middle() -> None:
    words = (Word("a", 0.0, 0.52), Word("b", 0.48, 1.0))
    assert gap_before(words, 1, 1.0) == (0.5, 0.5)
