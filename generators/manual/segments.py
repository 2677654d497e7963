"""When something was edited: what the list says, held against where picture and sound really differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import Modality, Segment
from generators.manual.problems import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from generators.manual.edits_csv import Span

#: Frames without a difference that do not end a stretch: an edit may look like the original for a moment.
_GAP_FRAMES = 4
#: A difference may lie this far beyond a stretch that somebody names (seconds): two frames, and half a sound window.
SLACK = 0.08

Stretch = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Checked:
    """Segments on the take's clock, and what is not as it should be though it was let pass."""

    segments: tuple[Segment, ...]
    warnings: tuple[str, ...]


def runs(changed: NDArray[np.bool_], fps: float) -> tuple[Stretch, ...]:
    """Stretches of frames with a change, in seconds; short gaps belong to them.

    Args:
        changed: [T].
        fps: Frames per second.
    """
    found: list[list[int]] = []
    for k in np.flatnonzero(changed).tolist():
        if found and k - found[-1][1] <= _GAP_FRAMES + 1:
            found[-1][1] = k
        else:
            found.append([k, k])
    return tuple((first / fps, (last + 1) / fps) for first, last in found)


def derived(video: Sequence[Stretch], audio: Sequence[Stretch]) -> tuple[Segment, ...]:
    """Segments of what differs, one modality each."""
    found = [Segment(*one, Modality.VIDEO) for one in video] + [Segment(*one, Modality.AUDIO) for one in audio]
    return tuple(sorted(found, key=lambda one: (one.start, one.end, one.modality)))


def checked(
    spans: Sequence[Span],
    video: Sequence[Stretch],
    audio: Sequence[Stretch],
    seconds: float,
    file: str,
    *,
    strict: bool,
) -> Checked:
    """Hold named stretches against what differs.

    A stretch in which nothing differs is refused always: its label would be wrong. A difference outside of all is
    refused where `strict`, else it becomes a segment of its own, with a warning.

    Args:
        spans: On the take's clock, cut to it; empty for none named.
        video: Where the picture differs.
        audio: Where the sound differs.
        seconds: Length of the take.
        file: For errors.
        strict: See above.

    Raises:
        MediaError: `unsupported` with "empty_segment" or "outside_segments".
    """
    if not spans:
        return Checked(derived(video, audio), ())
    found = [_held(one, video, audio, seconds, file) for one in spans]
    beyond = [
        *_beyond(video, [one for one in found if one.modality is not Modality.AUDIO], Modality.VIDEO),
        *_beyond(audio, [one for one in found if one.modality is not Modality.VIDEO], Modality.AUDIO),
    ]
    if beyond and strict:
        raise refusal("outside_segments", file, f"a difference in no segment: {_told(beyond)}")
    ordered = sorted([*found, *beyond], key=lambda one: (one.start, one.end, one.modality))
    return Checked(tuple(ordered), (f"differences in no named segment, added: {_told(beyond)}",) if beyond else ())


def _held(span: Span, video: Sequence[Stretch], audio: Sequence[Stretch], seconds: float, file: str) -> Segment:
    start, end = max(span.start, 0.0), min(span.end, seconds)
    seen, heard = _touches(video, start, end), _touches(audio, start, end)
    wanted = {
        None: (False, False),
        Modality.VIDEO: (True, False),
        Modality.AUDIO: (False, True),
        Modality.BOTH: (True, True),
    }
    picture, sound = wanted[span.modality]
    missing = [
        name for name, asked, there in (("picture", picture, seen), ("sound", sound, heard)) if asked and not there
    ]
    if missing or not (seen or heard):
        what = " and ".join(missing) or "picture and sound"
        raise refusal("empty_segment", file, f"in {start:.2f} to {end:.2f} s of the take {what} are as in the original")
    if span.modality is not None:
        return Segment(start, end, span.modality)
    return Segment(start, end, Modality.BOTH if seen and heard else Modality.VIDEO if seen else Modality.AUDIO)


def _touches(stretches: Sequence[Stretch], start: float, end: float) -> bool:
    """Whether a stretch lies in the span for a frame's time at least, or for most of a shorter span."""
    least = min(0.04, 0.5 * (end - start))
    return any(min(one[1], end) - max(one[0], start) >= least - 1e-6 for one in stretches)


def _beyond(stretches: Iterable[Stretch], named: Sequence[Segment], modality: Modality) -> list[Segment]:
    """Parts of stretches that no segment covers, by more than the slack."""
    found = []
    for start, end in stretches:
        at = start
        for one in sorted(named, key=lambda each: each.start):
            low, high = one.start - SLACK, one.end + SLACK
            if high <= at or low >= end:
                continue
            if low - at > SLACK / 2:
                found.append(Segment(at, low, modality))
            at = max(at, high)
        if end - at > SLACK / 2:
            found.append(Segment(at, end, modality))
    return found


def _told(segments: Sequence[Segment]) -> str:
    return ", ".join(f"{one.modality} {one.start:.2f} to {one.end:.2f} s" for one in segments[:8])
