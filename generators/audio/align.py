"""Which times of two utterances of one text belong together, and one played on the clock of the other."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import MediaError
from generators.audio.dsp import Signal, resample
from generators.audio.stretch import HOP, warp_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.generator import Phone, Word

#: Under this share of sounds or words in common, two utterances of one text are not the same speech.
_MIN_MATCH = 0.6
#: Silence put before the spoken words, so that the map may begin earlier than they do.
_LEAD_SECONDS = 0.5
#: Times closer than this are one, seconds.
_SAME_TIME = 1e-3
#: Seconds that a word may sound on into a pause, or begin before its time.
_RUN_SECONDS = 0.1
#: A place that no sound has, seconds.
NOWHERE = -1e9


@dataclass(frozen=True, slots=True)
class Stretch:
    """An interval of the old utterance and the interval of the new one that is heard there; seconds, not empty."""

    old_start: float
    old_end: float
    new_start: float
    new_end: float


def anchors(old: Sequence[Phone], new: Sequence[Phone], who: str = "audio/revoice") -> NDArray[np.float64]:
    """Times that belong together: [K, 2] seconds in the old and in the new utterance, both increasing.

    Args:
        old: Sounds of the take.
        new: Sounds of the other voice.
        who: The generator, for errors.

    Raises:
        MediaError: "unsupported" if fewer than 60 % of the old sounds are found in the new utterance in order.
    """
    match = SequenceMatcher(None, [p.label for p in old], [p.label for p in new], autojunk=False)
    pairs = [
        (old[a + k], new[b + k]) for a, b, size in match.get_matching_blocks() for k in range(size)
    ]  # fmt: skip
    if len(pairs) < _MIN_MATCH * len(old) or not pairs:
        reason = f"only {len(pairs)} of {len(old)} sounds are the same in the other voice"
        raise MediaError("unsupported", who, reason)
    times = [(a.start, b.start) for a, b in pairs] + [(pairs[-1][0].end, pairs[-1][1].end)]
    kept = [times[0]]
    for one in times[1:]:
        if one[0] > kept[-1][0] + _SAME_TIME and one[1] > kept[-1][1] + _SAME_TIME:
            kept.append(one)
    return np.array(kept, np.float64)


@dataclass(frozen=True, slots=True)
class _Token:
    """One written word; `first` and `last` tell whether its entry begins and ends with it."""

    text: str
    entry: Word
    first: bool
    last: bool


def _tokens(words: Sequence[Word]) -> list[_Token]:
    found = []
    for entry in words:
        texts = ["".join(c for c in word.casefold() if c.isalnum()) for word in entry.text.split()]
        texts = [text for text in texts if text]
        found += [_Token(text, entry, k == 0, k == len(texts) - 1) for k, text in enumerate(texts)]
    return found


def matched_words(old: Sequence[Word], new: Sequence[Word], who: str) -> list[Stretch]:
    """Stretches of speech that say the same words in both utterances, in order.

    A stretch is one word, or several where one of the utterances has but one time for them ("from the" spoken as
    one). Words that only one of the utterances has are left out.

    Args:
        old: Words of the take.
        new: Words of the other voice.
        who: The generator, for errors.

    Raises:
        MediaError: "unsupported" if fewer than 60 % of the take's words are found in the other utterance in order.
    """
    a, b = _tokens(old), _tokens(new)
    match = SequenceMatcher(None, [token.text for token in a], [token.text for token in b], autojunk=False)
    found: list[Stretch] = []
    said = 0
    for i, j, size in match.get_matching_blocks():
        begun: tuple[float, float] | None = None
        for k in range(size):
            one, other = a[i + k], b[j + k]
            if one.first and other.first:
                begun = (one.entry.start, other.entry.start)
            if begun is not None and one.last and other.last:
                if one.entry.end > begun[0] + _SAME_TIME and other.entry.end > begun[1] + _SAME_TIME:
                    found.append(Stretch(begun[0], one.entry.end, begun[1], other.entry.end))
                begun = None
        said += size
    if said < _MIN_MATCH * len(a) or not found:
        reason = f"only {said} of {len(a)} words are the same in the other voice"
        raise MediaError("unsupported", who, reason)
    return found


def phone_places(pairs: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where in the new utterance to listen at `times` of the old one: piecewise linear, unit speed outside.

    Args:
        pairs: [K, 2] of `anchors`.
        times: [T] seconds.

    Returns:
        [T] seconds.
    """
    heard = np.interp(times, pairs[:, 0], pairs[:, 1])
    before, after = times < pairs[0, 0], times > pairs[-1, 0]
    heard[before] = pairs[0, 1] - (pairs[0, 0] - times[before])
    heard[after] = pairs[-1, 1] + (times[after] - pairs[-1, 0])
    return np.asarray(heard)


def word_places(stretches: Sequence[Stretch], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where in the new utterance to listen at `times` of the old one, if every word shall have its old time.

    Inside a word the map is linear. Around it the new utterance runs on at unit speed for up to 100 ms, as far as
    both utterances have a pause there; the rest of the old pause is silent. So a pause that only one of them makes is
    neither drawn out of a sound nor filled with the next word.

    Args:
        stretches: Of `matched_words`, in order.
        times: [T] seconds.

    Returns:
        [T] seconds; `NOWHERE` where nothing is heard.
    """
    heard = np.full(times.shape, NOWHERE)
    for left, right in zip((None, *stretches), (*stretches, None), strict=True):
        reach = _RUN_SECONDS
        if left is not None and right is not None:
            pause = min(right.old_start - left.old_end, right.new_start - left.new_end)
            reach = float(np.clip(pause / 2, 0.0, reach))
        if left is not None:
            gone = times - left.old_end
            here = (gone >= 0) & (gone < reach)
            heard[here] = left.new_end + gone[here]
        if right is not None:
            missing = right.old_start - times
            here = (missing > 0) & (missing <= reach)
            heard[here] = right.new_start - missing[here]
    for one in stretches:
        here = (times >= one.old_start) & (times < one.old_end)
        share = (times[here] - one.old_start) / (one.old_end - one.old_start)
        heard[here] = one.new_start + share * (one.new_end - one.new_start)
    return heard


def grid(n: int, rate: int) -> NDArray[np.float64]:
    """Times in seconds at which `played` wants a place: one for each hop that `n` samples need."""
    return np.arange(n // HOP + 1) * HOP / rate


def played(dry: Signal, heard: NDArray[np.float64], rate: int, n: int) -> Signal:
    """A signal along a time map, without a change of pitch.

    Args:
        dry: [M] samples.
        heard: [K] seconds of `dry` that are heard at `grid(n, rate)`.
        rate: Samples per second; the vocoder's window is made for about 16 000.
        n: Samples wanted.

    Returns:
        [n] float32.
    """
    lead = round(_LEAD_SECONDS * rate)
    padded = np.pad(dry, (lead, lead))
    return warp_time(padded, heard * rate + lead, n)


def same_place(samples: Signal, sample_rate: int, rate: int) -> Signal:
    """What `played` does to a sound whose every moment stays where it is: the sham of an alignment.

    Args:
        samples: [N] at `sample_rate`.
        sample_rate: Samples per second.
        rate: At which the vocoder works.

    Returns:
        [N] float32: its pitch, loudness and times are the same, its waveform is not, as after every vocoder.
    """
    from generators.audio.dsp import fit_length

    slow = resample(samples, sample_rate, rate)
    back = resample(played(slow, grid(len(slow), rate), rate, len(slow)), rate, sample_rate)
    return fit_length(back, len(samples))
