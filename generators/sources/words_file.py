"""When which word is spoken in a user's recording: a small file beside it, written by hand or by a recogniser.

Two forms. `talk.words.csv` (or `talk.mp4.words.csv`) beside `talk.mp4` is UTF-8 with the header `word,start,end`.
`talk.words.json` is a list of {"word", "start", "end"}, or what Whisper and WhisperX write: {"segments": [{"words":
[...]}]} or {"word_segments": [...]}. Times are seconds from the first sample of the file's sound, as recognisers
count them.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError
from generators.generator import Speech, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SUFFIXES = (".words.csv", ".words.json")
COLUMNS = ("word", "start", "end")
#: Four hours of speech have some 40 000 words; more is a mistake or an attack.
MAX_BYTES, MAX_WORDS, MAX_LETTERS = 32 << 20, 200_000, 200
#: Recognisers let neighbours overlap a little, and round times; seconds.
MAX_OVERLAP, SLACK = 0.05, 0.5
#: Problems told at once; more would not be read.
MAX_TOLD = 10


class WordsFileError(CmdfdError):
    """Word times that cannot be used; tells file, line or entry, and fix."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A word as it stands in the file; `place` is "line 3" or "word 12"."""

    place: str
    text: str
    start: float | None
    end: float | None


def find_words_file(recording: Path) -> Path | None:
    """The word times beside a recording, or None.

    Raises:
        WordsFileError: If there are several.
    """
    names = dict.fromkeys((recording.name, recording.stem))
    found = [path for name in names for suffix in SUFFIXES if _is_file(path := recording.with_name(name + suffix))]
    if len(found) > 1:
        raise WordsFileError(
            f"{recording}: there are several files of word times: {', '.join(path.name for path in found)}; keep one"
        )
    return found[0] if found else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a recording's name leaves no room for a longer one
        return False


def read_words(path: Path, seconds: float) -> tuple[Word, ...]:
    """Read the word times of a recording.

    Args:
        path: A file that `find_words_file` names.
        seconds: Length of the recording's sound.

    Returns:
        Words in order; times in seconds from the first sample of the sound. A word of a JSON file without times
        (WhisperX leaves them out for figures) belongs to the word before it, which then reaches to the next one.

    Raises:
        WordsFileError: If the file is no such file, or a word has no place in the recording; problems by line.
    """
    if path.stat().st_size > MAX_BYTES:
        raise WordsFileError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WordsFileError(f"{path}: not UTF-8; save the file as UTF-8") from error
    entries = list(_from_csv(path, text) if path.suffix.lower() == ".csv" else _from_json(path, text))
    if not entries:
        raise WordsFileError(f"{path}: there are no words in it; write some, or remove the file")
    problems = list(_problems(entries, seconds))
    if problems:
        told = problems[:MAX_TOLD] + ([f"and {len(problems) - MAX_TOLD} more"] if len(problems) > MAX_TOLD else [])
        raise WordsFileError(f"{path}: " + "; ".join(told))
    return tuple(_timed(entries))


def speech_of(words: Sequence[Word], start: float, seconds: float) -> Speech | None:
    """What is said in a stretch of a recording.

    Args:
        words: Of the whole recording.
        start: Seconds on the words' clock.
        seconds: Length of the stretch.

    Returns:
        Words with times on the stretch's clock; those at its borders are cut there. None where nothing is said.
    """
    inside = []
    for word in words:
        begin, end = max(word.start - start, 0.0), min(word.end - start, seconds)
        if end > begin:
            inside.append(replace(word, start=begin, end=end))
    if not inside:
        return None
    return Speech(" ".join(word.text for word in inside), {}, (), tuple(inside))


def _from_csv(path: Path, text: str) -> Iterator[_Entry]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line, header = 0, None
    try:
        for cells in reader:
            first, line = line + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if sorted(header) != sorted(COLUMNS):
                    raise WordsFileError(f"{path}: line {first}: the header must be word,start,end, got {cells[:5]}")
                continue
            if len(cells) != len(header):
                raise WordsFileError(f"{path}: line {first}: {len(cells)} cells, the header has {len(header)}")
            row = dict(zip(header, cells, strict=True))
            times = (_number(path, f"line {first}", name, row[name]) for name in ("start", "end"))
            yield _Entry(f"line {first}", row["word"].strip(), *times)
    except csv.Error as error:
        raise WordsFileError(f"{path}: line {line + 1}: {error}") from error


def _number(path: Path, place: str, name: str, value: Any) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError) as error:
        shown = repr(value)[:80]
        raise WordsFileError(f"{path}: {place}: {name} must be a number of seconds, got {shown}") from error


def _from_json(path: Path, text: str) -> Iterator[_Entry]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise WordsFileError(f"{path}: {line}not JSON: {error}") from error
    for number, one in enumerate(_word_list(path, data), start=1):
        place = f"word {number}"
        wording = one.get("word", one.get("text")) if isinstance(one, dict) else None
        if not isinstance(wording, str):
            raise WordsFileError(f'{path}: {place}: must be {{"word": …, "start": …, "end": …}}, got {repr(one)[:80]}')
        times = (None if one.get(name) is None else _number(path, place, name, one[name]) for name in ("start", "end"))
        yield _Entry(f"{place} ({wording.strip()[:40]!r})", wording.strip(), *times)


def _word_list(path: Path, data: Any) -> list[Any]:
    """The words in any of the forms that are known."""
    if isinstance(data, dict) and isinstance(data.get("word_segments"), list):
        return list(data["word_segments"])
    if isinstance(data, dict) and isinstance(data.get("segments"), list):
        found: list[Any] = []
        for number, segment in enumerate(data["segments"], start=1):
            words = segment.get("words") if isinstance(segment, dict) else None
            if not isinstance(words, list):
                raise WordsFileError(
                    f"{path}: segment {number} has no list 'words'; let the recogniser write word times "
                    "(Whisper: --word_timestamps True)"
                )
            found += words
        return found
    words = data.get("words") if isinstance(data, dict) else data
    if not isinstance(words, list):
        raise WordsFileError(f"{path}: must be a list of words, or have 'words', 'segments' or 'word_segments'")
    return words


def _problems(entries: Sequence[_Entry], seconds: float) -> Iterator[str]:
    if len(entries) > MAX_WORDS:
        yield f"{len(entries)} words, at most {MAX_WORDS} are read"
        return
    last = 0.0
    for index, one in enumerate(entries):
        if not one.text or len(one.text) > MAX_LETTERS or not one.text.isprintable():
            yield f"{one.place}: a word has 1 to {MAX_LETTERS} printable letters"
        if one.start is None or one.end is None:
            if index == 0 or (one.start is None) != (one.end is None):
                yield f"{one.place}: has no start and end; write both, or remove the word"
            continue
        problem = _misplaced(one.start, one.end, last, seconds)
        if problem:
            yield f"{one.place}: {problem}"
        else:
            last = one.end


def _misplaced(start: float, end: float, last: float, seconds: float) -> str:
    if not (math.isfinite(start) and math.isfinite(end)):
        return f"start and end must be finite, got {start} and {end}"
    if not 0 <= start < end:
        return f"needs 0 <= start < end in seconds, got {start:g} and {end:g}"
    if end > seconds + SLACK:
        return f"ends at {end:g} s, but the recording's sound has {seconds:.2f} s"
    if start < last - MAX_OVERLAP:
        return f"starts at {start:g} s, before the word above it ends ({last:g} s); put the words in order"
    return ""


def _timed(entries: Sequence[_Entry]) -> Iterator[Word]:
    """Words with times; those without are joined to the one before, overlaps end in their middle."""
    grouped: list[tuple[str, float, float, bool]] = []
    for one in entries:
        if one.start is None or one.end is None:
            text, start, end, _ = grouped[-1]
            grouped[-1] = (f"{text} {one.text}", start, end, True)
        else:
            grouped.append((one.text, one.start, one.end, False))
    last = 0.0
    for index, (text, start, end, reaches) in enumerate(grouped):
        following = grouped[index + 1][1] if index + 1 < len(grouped) else math.inf
        until = following if reaches and math.isfinite(following) else end
        until = (following + until) / 2 if following < until else until
        begin = max(start, last)
        if until > begin:
            yield Word(text, begin, until)
            last = until
