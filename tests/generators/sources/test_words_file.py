"""Word times beside a user's recording: the forms that are read, and what is refused with which words."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.generator import Speech, Word
from generators.sources.words_file import WordsFileError, _timed, find_words_file, read_words, speech_of

HELLO = [{"word": " Hello,", "start": 0.5, "end": 0.9}, {"word": " mum.", "start": 1.0, "end": 1.4}]
READ = (Word("Hello,", 0.5, 0.9), Word("mum.", 1.0, 1.4))


def written(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize(
    "content",
    [
        HELLO,
        {"words": HELLO},
        {"text": "Hello, mum.", "language": "en", "segments": [{"id": 0, "words": HELLO[:1]}, {"words": HELLO[1:]}]},
        {"word_segments": HELLO, "segments": []},
        [{**word, "score": 0.9, "speaker": "A"} for word in HELLO],
    ],
)
def test_json_of_recognisers(tmp_path: Path, content: Any) -> None:
    assert read_words(written(tmp_path, "a.words.json", content), 2.0) == READ


@pytest.mark.parametrize(
    "content",
    [
        'word,start,end\n"Hello,",0.5,0.9\nmum.,1.0,1.4\n',
        '\ufeffstart,end,word\r\n0.5,0.9,"Hello,"\r\n\r\n1,1.4, mum. \r\n',
    ],
)
def test_csv(tmp_path: Path, content: str) -> None:
    assert read_words(written(tmp_path, "a.words.csv", content), 2.0) == READ


def test_whisperx_leaves_out_times_of_figures(tmp_path: Path) -> None:
    words = [HELLO[0], {"word": "2014"}, {"word": "25", "start": None, "end": None}, HELLO[1]]
    found = read_words(written(tmp_path, "a.words.json", words), 2.0)
    assert found == (Word("Hello, 2014 25", 0.5, 1.0), READ[1])  # reaches to the next word: no gap to cut in
    last = read_words(written(tmp_path, "a.words.json", [*HELLO, {"word": "7"}]), 2.0)
    assert last == (READ[0], Word("mum. 7", 1.0, 1.4))


def test_small_overlaps_end_in_their_middle(tmp_path: Path) -> None:
    path = written(tmp_path, "a.words.csv", "word,start,end\na,0,0.52\nb,0.48,1\n")
    assert read_words(path, 2.0) == (Word("a", 0.0, 0.5), Word("b", 0.5, 1.0))


def test_the_file_is_found_by_either_name_and_never_guessed(tmp_path: Path) -> None:
    recording = tmp_path / "talk.one.mp4"
    assert find_words_file(recording) is None
    first = written(tmp_path, "talk.one.words.csv", "x")
    assert find_words_file(recording) == first
    second = written(tmp_path, "talk.one.mp4.words.json", "x")
    with pytest.raises(WordsFileError, match=r"several files of word times: .*json, talk.one.words.csv; keep one"):
        find_words_file(recording)
    first.unlink()
    assert find_words_file(recording) == second
    assert find_words_file(tmp_path / ("x" * 250 + ".mp4")) is None


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.words.csv", "", "no words in it"),
        ("a.words.csv", "word,start,end\n", "no words in it"),
        ("a.words.csv", "text,from,to\na,0,1\n", "line 1: the header must be word,start,end"),
        ("a.words.csv", "word,start,end\na,0\n", "line 2: 2 cells"),
        ("a.words.csv", "word,start,end\na,0,1\nb,zero,2\n", "line 3: start must be a number of seconds, got 'zero'"),
        ("a.words.csv", "word,start,end\na,0,nan\n", "line 2: start and end must be finite"),
        ("a.words.csv", "word,start,end\na,1,0.5\n", "line 2: needs 0 <= start < end"),
        ("a.words.csv", "word,start,end\na,-1,0.5\n", "line 2: needs 0 <= start < end"),
        ("a.words.csv", "word,start,end\na,1,3\n", "line 2: ends at 3 s, but the recording's sound has 2.00 s"),
        ("a.words.csv", "word,start,end\na,1,1.5\nb,0.2,0.5\n", "line 3: starts at 0.2 s, before the word above"),
        ("a.words.csv", "word,start,end\n,1,1.5\n", "line 2: a word has 1 to 200 printable letters"),
        ("a.words.csv", f"word,start,end\n{'x' * 201},1,1.5\n", "line 2: a word has 1 to 200 printable letters"),
        ("a.words.csv", 'word,start,end\n"a\x07",1,1.5\n', "line 2: a word has 1 to 200 printable letters"),
        ("a.words.csv", 'word,start,end\n"a,1,1.5\n', "line 2"),
        ("a.words.csv", "word,start,end\n" + "a,1,0\n" * 30, "and 20 more"),
        ("a.words.json", "{", "line 1: not JSON"),
        ("a.words.json", "[" * 100_000, "not JSON"),
        ("a.words.json", "3", "must be a list of words"),
        ("a.words.json", {"segments": [{"text": "hi"}]}, "segment 1 has no list 'words'.*word_timestamps"),
        ("a.words.json", [1], "word 1: must be"),
        ("a.words.json", [{"start": 0, "end": 1}], "word 1: must be"),
        ("a.words.json", [{"word": "a", "start": True, "end": 1}], "start must be a number of seconds, got True"),
        ("a.words.json", [{"word": "a", "start": [], "end": 1}], "start must be a number of seconds"),
        ("a.words.json", [{"word": "a", "start": 0.5}], r"word 1 \('a'\): has no start and end"),
        ("a.words.json", [{"word": "a"}], r"word 1 \('a'\): has no start and end"),
        ("a.words.json", '[{"word": "a", "start": 0, "end": 1e999}]', "must be finite"),
        ("a.words.json", '[{"word": "a", "start": 0, "end": ' + "9" * 400 + "}]", "number of seconds"),
    ],
)
def test_hostile_files_are_refused_by_line(tmp_path: Path, name: str, content: Any, told: str) -> None:
    with pytest.raises(WordsFileError, match=told) as caught:
        read_words(written(tmp_path, name, content), 2.0)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_sizes_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "a.words.csv", "word,start,end\n" + "a,0,1\n" * 50)
    monkeypatch.setattr("generators.sources.words_file.MAX_WORDS", 49)
    with pytest.raises(WordsFileError, match="50 words, at most 49"):
        read_words(path, 2.0)
    monkeypatch.setattr("generators.sources.words_file.MAX_BYTES", 1 << 8)
    with pytest.raises(WordsFileError, match="larger than"):
        read_words(path, 2.0)
    path.write_bytes(b"word,start,end\n\xff,0,1\n")
    with pytest.raises(WordsFileError, match="not UTF-8"):
        read_words(path, 2.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 1)), min_size=1, max_size=10), st.floats(0, 5))
def test_a_stretch_holds_the_words_that_lie_in_it(times: list[tuple[float, float]], start: float) -> None:
    words, at = [], 0.0
    for index, (pause, length) in enumerate(times):
        words.append(Word(f"w{index}", at + pause, at + pause + length))
        at += pause + length
    speech = speech_of(words, start, 3.0)
    inside = [word for word in words if word.end > start and word.start < start + 3.0]
    if not inside or all(min(w.end, start + 3.0) - max(w.start, start) <= 1e-9 for w in inside):
        return
    assert isinstance(speech, Speech) and not speech.phones and not speech.voice
    assert {word.text for word in speech.words} <= {word.text for word in inside}
    assert all(0 <= word.start < word.end <= 3.0 for word in speech.words)
    for word in speech.words:
        whole = next(one for one in words if one.text == word.text)
        assert word.start == pytest.approx(max(whole.start - start, 0.0))
        assert word.end == pytest.approx(min(whole.end - start, 3.0))


def test_times_never_run_backwards() -> None:
    from generators.sources.words_file import _Entry

    entries = [_Entry("", "a", 0.0, 0.50), _Entry("", "b", 0.46, 0.48), _Entry("", "c", 0.47, 0.60)]
    found = list(_timed(entries))
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(word.start < word.end for word in found)
