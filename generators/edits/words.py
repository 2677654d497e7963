"""Where speech may be cut: between words, never inside one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.generator import Word

#: In a pause, a cut keeps this far from the word that is taken, so that its onset and its end stay whole, seconds.
HUG_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Run:
    """Some words in a row.

    Args:
        first: Index of the first word.
        last: Index of the last word.
        start: Seconds at which the run is cut out, in the gap before its first word.
        end: Seconds, in the gap behind its last word.
        text: Its words.
    """

    first: int
    last: int
    start: float
    end: float
    text: str

    @property
    def seconds(self) -> float:
        """Length between the cuts."""
        return self.end - self.start

    @property
    def middle(self) -> float:
        """Seconds midway between the cuts."""
        return (self.start + self.end) / 2


def gap_before(words: Sequence[Word], index: int, seconds: float) -> tuple[float, float]:
    """The gap before a word, or behind the last one for `len(words)`; without length where words touch.

    Args:
        words: In order.
        index: 0 to len(words).
        seconds: Length of the recording.
    """
    before = words[index - 1].end if index > 0 else 0.0
    after = words[index].start if index < len(words) else seconds
    if after < before:  # times that overlap a little: the border lies between them
        before = after = (before + after) / 2
    return before, after


def runs(
    words: Sequence[Word], low: float, high: float, shortest: float, longest: float, seconds: float
) -> tuple[Run, ...]:
    """All runs of words that can be cut out.

    Args:
        words: In order.
        low: Earliest cut, seconds.
        high: Latest cut.
        shortest: Least length between the cuts.
        longest: Greatest length.
        seconds: Length of the recording.

    Returns:
        By first word, then by length.
    """
    found = []
    for first in range(len(words)):
        start = max(gap_before(words, first, seconds)[0], words[first].start - HUG_SECONDS)
        if start < low:
            continue
        for last in range(first, len(words)):
            end = min(gap_before(words, last + 1, seconds)[1], words[last].end + HUG_SECONDS)
            if end > high or end - start > longest:
                break
            if end - start >= shortest:
                text = " ".join(word.text for word in words[first : last + 1])
                found.append(Run(first, last, start, end, text))
    return tuple(found)


def gaps(words: Sequence[Word], low: float, high: float, seconds: float) -> tuple[float, ...]:
    """Moments between two words, in the middle of their gap.

    Args:
        words: In order.
        low: Earliest moment, seconds.
        high: Latest moment.
        seconds: Length of the recording.
    """
    borders = (gap_before(words, index, seconds) for index in range(1, len(words)))
    middles = ((before + after) / 2 for before, after in borders)
    return tuple(middle for middle in middles if low <= middle <= high)
