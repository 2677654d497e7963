"""Edit decision lists in CMX 3600's form, and time codes.

An event line is `001  REEL  V  C  00:00:00:00 00:00:01:05 01:00:00:00 01:00:01:05`: number, reel, channels (V, A, A2,
AA, B for both, AA/V, NONE), transition (C cut, D dissolve, Wnnn wipe, K key) with a duration for all but cuts, then
source in and out and record in and out; outs are exclusive. `FCM: DROP FRAME` or `;` before the frames says that time
codes drop two numbers (four at 59.94) a minute but for every tenth (SMPTE ST 12-1). Comments begin with `*`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from cmdfd.clip import Modality, Segment
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction
    from pathlib import Path

#: An EDL has at most 999 events (three digits); more is a mistake or an attack.
MAX_BYTES, MAX_EVENTS = 4 << 20, 9999
_TIMECODE = re.compile(r"^(\d{2})[:;.](\d{2})[:;.](\d{2})([:;.])(\d{2})$")
_EVENT = re.compile(
    r"^(?P<number>\d{1,6})\s+(?P<reel>\S{1,129})\s+(?P<channels>[A-Za-z0-9/]{1,16})\s+(?P<transition>C|D|W\d{1,3}|K[BO]?)"
    r"(?:\s+(?P<duration>\d{1,4}))?\s+(?P<times>\S+\s+\S+\s+\S+\s+\S+)\s*$"
)
_STARTS_LIKE_EVENT = re.compile(r"^\d{1,6}\s+\S")
_AUDIO = re.compile(r"^(?:A\d*)+$")
_CLIP_NAME = re.compile(r"^\*\s*(?P<side>FROM|TO)\s+CLIP\s+NAME\s*:\s*(?P<name>.*)$", re.IGNORECASE)
#: Reels that show nothing.
_BLACK = frozenset({"BL", "BLACK"})
Channel = Literal["audio", "video"]


class EdlError(CmdfdError):
    """An edit decision list that cannot be read; tells file, line and fix."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an edit decision list; times in frames of the time code, outs exclusive.

    Args:
        line: Line in the file.
        reel: Name of the source.
        channels: "audio", "video" or both; empty for NONE.
        cut: Whether it begins with a cut.
        transition: Frames of the transition at its start, 0 for a cut.
        source_in: First frame of the source.
        source_out: Frame after the last one.
        record_in: First frame on the timeline.
        record_out: Frame after the last one.
        clip: The clip's name by the comments after it ("TO CLIP NAME" before "FROM CLIP NAME"), "" without one.
    """

    line: int
    reel: str
    channels: frozenset[Channel]
    cut: bool
    transition: int
    source_in: int
    source_out: int
    record_in: int
    record_out: int
    clip: str = ""


@dataclass(frozen=True, slots=True)
class Edl:
    """An edit decision list.

    Args:
        title: Its title, "" without one.
        events: In the order of the file.
        rate: Frames per second.
        drop: Whether its time codes drop numbers.
    """

    title: str
    events: tuple[Event, ...]
    rate: Fraction
    drop: bool = False

    @property
    def hour(self) -> int:
        """Frames from 00:00:00:00 to 01:00:00:00."""
        return frames_of("01:00:00;00" if self.drop else "01:00:00:00", self.rate)


def nominal(rate: Fraction) -> int:
    """Frame numbers of one second of time code: 30 for 29.97."""
    return round(rate)


def may_drop(rate: Fraction) -> bool:
    """Whether time code at a rate can drop frame numbers: 29.97 and 59.94 only."""
    return rate.denominator == 1001 and nominal(rate) in {30, 60}


def frames_of(text: str, rate: Fraction, *, drop: bool = False) -> int:
    """Frame number of a time code, counted from 00:00:00:00.

    Args:
        text: "hh:mm:ss:ff"; ";" before the frames means drop frame.
        rate: Frames per second, e.g. 30000/1001.
        drop: Whether numbers are dropped although no ";" says so.

    Raises:
        ValueError: If it is no time code, or one that does not exist.
    """
    match = _TIMECODE.match(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no time code hh:mm:ss:ff")
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    whole = nominal(rate)
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= whole:
        raise ValueError(f"{text!r} does not exist at {float(rate):.3f} frames per second")
    count = ((hours * 60 + minutes) * 60 + seconds) * whole + frames
    if not (drop or match[4] == ";"):
        return count
    if not may_drop(rate):
        raise ValueError(f"{text!r}: drop frame is for 29.97 and 59.94 frames per second, not for {float(rate):.3f}")
    lost = whole // 15
    if minutes % 10 and not seconds and frames < lost:
        raise ValueError(f"{text!r} is one of the numbers that drop frame leaves out")
    total = hours * 60 + minutes
    return count - lost * (total - total // 10)


def read_edl(path: Path, fps: float) -> Edl:
    """Read a list.

    Args:
        path: The file.
        fps: Frame rate of its time codes.

    Raises:
        EdlError: Naming file and line.
    """
    if path.stat().st_size > MAX_BYTES:
        raise EdlError(f"{path}: larger than {MAX_BYTES >> 20} MiB; this is no edit decision list")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_bytes().decode("latin-1")  # CMX knew ASCII only; what editors put into names varies
    return parse_edl(text, fps, str(path))


def parse_edl(text: str, fps: float, where: str = "edl") -> Edl:
    """Read a list from its text; see `read_edl`."""
    from cmdfd.media.encode import rational_rate

    rate = rational_rate(fps)
    title, drop, dropped = "", False, False
    events: list[Event] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if "\0" in line:
            raise EdlError(f"{where}: line {number}: has a NUL; this is no text file")
        upper = line.upper()
        if upper.startswith("TITLE:"):
            title = line[6:].strip()[:200]
        elif upper.startswith("FCM:"):
            drop = _drop_frame(upper[4:].strip(), where, number)
        elif name := _CLIP_NAME.match(line):
            _name_event(events, name["side"].upper(), name["name"].strip()[:300])
        elif _STARTS_LIKE_EVENT.match(line):
            try:
                events.append(_event(line, number, rate, drop=drop))
                dropped = dropped or drop or ";" in line
            except ValueError as error:
                raise EdlError(f"{where}: line {number}: {error}") from error
        if len(events) > MAX_EVENTS:
            raise EdlError(f"{where}: more than {MAX_EVENTS} events")
    if not events:
        raise EdlError(f"{where}: there is no event in it; export the timeline as CMX 3600")
    return Edl(title, tuple(events), rate, dropped)


def _drop_frame(words: str, where: str, number: int) -> bool:
    if words not in {"DROP FRAME", "NON-DROP FRAME", "NON DROP FRAME"}:
        raise EdlError(f"{where}: line {number}: FCM must be DROP FRAME or NON-DROP FRAME, got {words[:40]!r}")
    return words == "DROP FRAME"


def _name_event(events: list[Event], side: str, name: str) -> None:
    if events and (side == "TO" or not events[-1].clip):
        events[-1] = replace(events[-1], clip=name)


def _event(line: str, number: int, rate: Fraction, *, drop: bool) -> Event:
    match = _EVENT.match(line)
    if match is None:
        raise ValueError(f"{line[:80]!r} is no event: number, reel, channels, transition, four time codes")
    times = [frames_of(each, rate, drop=drop) for each in match["times"].split()]
    cut = match["transition"] == "C"
    if times[2] > times[3] or times[0] > times[1]:
        raise ValueError("an event ends before it begins")
    channels = _channels(match["channels"])
    length = 0 if cut else int(match["duration"] or 0)
    return Event(number, match["reel"], channels, cut, length, times[0], times[1], times[2], times[3])


def _channels(text: str) -> frozenset[Channel]:
    upper = text.upper()
    if upper == "NONE":
        return frozenset()
    if upper == "B":
        return frozenset({"audio", "video"})
    found: set[Channel] = set()
    for part in upper.split("/"):
        if re.fullmatch(r"V\d*", part):
            found.add("video")
        elif _AUDIO.match(part):
            found.add("audio")
        elif re.fullmatch(r"(?:A\d*)+V\d*|V\d*(?:A\d*)+", part):
            found |= {"audio", "video"}
        else:
            raise ValueError(f"channels must be V, A, A2, AA, B, AA/V or NONE, got {text!r}")
    return frozenset(found)


def edited_segments(edl: Edl, original: str, first: str | None = None) -> tuple[Segment, ...]:
    """Stretches of the timeline that do not show the original as it is.

    Where comments or reels name the original, its events that lie where most of it lies (by source time minus record
    time), cut in, are genuine, and everything else that is recorded is an edit; where none does, all events are edits.
    A dissolve or wipe is an edit for as long as it lasts. Black at either end is none.

    Args:
        edl: The list.
        original: Name of the original's file.
        first: Time code of the timeline's first frame; None for the whole hour at or before the first event.

    Returns:
        Segments in seconds from the timeline's first frame, in order, overlaps of one kind joined.

    Raises:
        ValueError: If `first` is no time code, or lies behind an event.
    """
    events = [one for one in edl.events if one.record_out > one.record_in and one.channels]
    start = _origin(edl, events, first)
    known = _genuine(events, original)
    found: list[Segment] = []
    head = min((one.record_in for one in events), default=0)
    tail = max((one.record_out for one in events), default=0)
    for event in events:
        begin, end = event.record_in, event.record_out
        if event in known:
            end = min(end, begin + event.transition)
        elif event.reel.upper() in _BLACK and (begin == head or end == tail):
            continue
        if end > begin:
            modality = Modality.BOTH if len(event.channels) == 2 else Modality(next(iter(event.channels)))
            found.append(Segment(float((begin - start) / edl.rate), float((end - start) / edl.rate), modality))
    return joined(found)


def _origin(edl: Edl, events: Sequence[Event], first: str | None) -> int:
    earliest = min((one.record_in for one in events), default=0)
    if first is not None:
        start = frames_of(first, edl.rate, drop=";" in first)
        if start > earliest:
            raise ValueError(f"edl_start {first} lies behind the first event")
        return start
    return earliest // edl.hour * edl.hour


def _genuine(events: Sequence[Event], original: str) -> frozenset[Event]:
    """Events that show the original where it lies."""
    names = {original.casefold(), PurePosixPath(original).stem.casefold()}
    of_it = [one for one in events if (one.clip or one.reel).casefold() in names]
    if not of_it:
        return frozenset()
    weight: Counter[int] = Counter()
    for one in of_it:
        weight[one.source_in - one.record_in] += one.record_out - one.record_in
    usual = weight.most_common(1)[0][0]
    return frozenset(one for one in of_it if one.source_in - one.record_in == usual)


def joined(segments: Sequence[Segment], gap: float = 1e-6) -> tuple[Segment, ...]:
    """Segments in order, those of one modality that touch (within `gap` seconds) as one."""
    found: list[Segment] = []
    for modality in Modality:
        last: Segment | None = None
        for one in sorted((each for each in segments if each.modality is modality), key=lambda each: each.start):
            if last is not None and one.start <= last.end + gap:
                last = Segment(last.start, max(last.end, one.end), modality)
                found[-1] = last
            else:
                last = one
                found.append(one)
    return tuple(sorted(found, key=lambda each: (each.start, each.end, each.modality)))
