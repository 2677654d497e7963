"""Words of paths, names and ids, and of transcripts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.views import MIN_LEVEL_COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

#: Runs of letters and digits; numbers of more than two digits are counters and ids.
_SEGMENT = re.compile(r"(?<![^\W_])(?!\d{3,}(?:[\W_]|$))[^\W_]+")
_PIECE = re.compile(r"\d+|[^\W\d_]+")
#: A run of one kind of sign; a capital before small letters belongs to them ("FaceSwap" has two runs).
_RUN = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_HEX = re.compile(r"(?=(?:.*\d){2})(?=.*[a-f])[0-9a-f]{8,}", re.IGNORECASE)
#: A short number between letters is part of a name: wav2lip, mp4a, w2l.
_NAME_WITH_NUMBER = re.compile(r"[^\W\d_]\d{1,2}[^\W\d_]")
#: The ending of a file name.
EXTENSION = re.compile(r"\.(?=[0-9]*[A-Za-z])[0-9A-Za-z]{1,5}$")
#: Words of languages that put no blanks between them count sign by sign.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:['’][^\W\d_]+)*")
#: Ids have at least this many signs ...
_MIN_RANDOM = 8
#: ... and change between capitals, small letters and digits at least every so many signs. "Audio2Head" has runs of
#: 3.3 signs, "wav2lip" of 2.3, an id of YouTube of 1.6 on average.
_MAX_RUN = 2.2
#: Longer pure numbers are counters and ids.
_MAX_DIGITS = 2


def looks_random(segment: str) -> bool:
    """Whether letters and digits look like an id that a machine drew, not like a word.

    >>> looks_random("cKsB2dym7Ms"), looks_random("3f9a07bc"), looks_random("wav2lip"), looks_random("Audio2Head")
    (True, True, False, False)
    """
    if len(segment) < _MIN_RANDOM or segment.isdecimal() or not any(sign.isdecimal() for sign in segment):
        return False
    if _HEX.fullmatch(segment):
        return True
    return len(segment) / max(len(_RUN.findall(segment)), 1) <= _MAX_RUN


class _Numbers(dict[str, int]):
    """Counts up texts in order of appearance."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


@dataclass(slots=True)
class _Segments:
    """Every distinct run of letters and digits of a set, and the rows in which it occurs."""

    numbers: _Numbers = field(default_factory=_Numbers)
    found: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.found.extend(map(self.numbers.__getitem__, _SEGMENT.findall(text)))
        self.ends.append(len(self.found))


def path_words(
    files: NDArray[np.object_], ids: NDArray[np.object_], components: NDArray[np.intp]
) -> NDArray[np.object_]:
    """Words of the path and id of every clip, parted by blanks, each once; None where there is nothing to read.

    Words are split at every sign that is no letter or digit, and between letters and digits, in small letters. A name
    with a number inside (wav2lip) stays whole where its parts occur nowhere else. Numbers of more than two digits
    and what looks like a drawn id are left out, the latter unless it occurs in several components and thus names no
    single recording. The extension is a word with its dot.

    Args:
        files: [n] paths as the set writes them, "" where unknown.
        ids: [n] names, "" where unknown.
        components: [n] unit of each clip.
    """
    pairs, extensions = [], []
    for file, name in zip(files, ids, strict=True):
        match = EXTENSION.search(file)
        extensions.append("" if match is None else match[0].lower())
        pairs.append(f"{file[: match.start()] if match else file} {name}")
    segments = _Segments()
    for text in pairs:
        segments.add(text)
    words = _words_of(segments, components)
    found = np.full(len(files), None, dtype=object)
    numbers = segments.found
    start = 0
    for row, (end, extension) in enumerate(zip(segments.ends, extensions, strict=True)):
        own = dict.fromkeys(word for number in numbers[start:end] for word in words[number])
        if extension:
            own[extension] = None
        start = end
        if own or files[row] or ids[row]:
            found[row] = " ".join(own)
    return found


def _words_of(segments: _Segments, components: NDArray[np.intp]) -> list[tuple[str, ...]]:
    names = list(segments.numbers)
    found = np.array(segments.found, dtype=np.int64)
    ends = np.array(segments.ends, dtype=np.int64)
    lengths = ends - np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
    owners = np.repeat(components.astype(np.int64), lengths)
    span = int(components.max(initial=0)) + 2
    spread = np.bincount(np.unique(found * span + owners + 1) // span, minlength=len(names))
    times = np.bincount(found, minlength=len(names))
    pieces = [tuple(_PIECE.findall(name)) for name in names]
    totals: dict[str, int] = {}
    for parts, count in zip(pieces, times, strict=True):
        for part in dict.fromkeys(parts):
            totals[part.lower()] = totals.get(part.lower(), 0) + int(count)
    words: list[tuple[str, ...]] = []
    for name, parts, count, wide in zip(names, pieces, times, spread >= MIN_LEVEL_COMPONENTS, strict=True):
        if looks_random(name):
            words.append((name.lower(),) if wide else ())
            continue
        kept = [part.lower() for part in parts if not part.isdecimal() or len(part) <= _MAX_DIGITS]
        if wide and _NAME_WITH_NUMBER.search(name):
            kept = [name.lower(), *(part for part in kept if totals[part] > count)]
        words.append(tuple(kept))
    return words


def text_words(texts: Iterable[str]) -> list[list[str]]:
    """Words of each text in small letters, in their order, repetitions included.

    >>> text_words(["Don't stop, DON'T!", ""])
    [["don't", 'stop', "don't"], []]
    """
    return [_WORD.findall(text.lower()) for text in texts]
