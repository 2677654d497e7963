"""All cues of a file, or of a take in memory, under the same names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cmdfd.audit.cues import (
    audio,
    container,
    face,
    freeze,
    geometry,
    history,
    level,
    meta,
    picture,
    rate,
    silence,
    timing,
)
from cmdfd.media.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import numpy as np
    from numpy.typing import NDArray

    from cmdfd.audit.cue import Cue, CueValue
    from cmdfd.audit.facts import FileFacts, VideoFacts
    from cmdfd.audit.reading import Depth
    from cmdfd.faces.tracks import FaceTrack

#: What a family is measured from.
_From = Literal["facts", "sound", "pictures"]


@dataclass(frozen=True, slots=True)
class _Family:
    cues: tuple[Cue, ...]
    measure: Callable[..., dict[str, CueValue]]
    of: _From
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(cue.name for cue in self.cues))


#: Families whose cues the build and the floors rest on: published figures hang on this list.
_CHEAP = (
    _Family(container.CUES, container.measure, "facts"),
    _Family(timing.CUES, timing.measure, "facts"),
    _Family(geometry.CUES, geometry.measure, "facts"),
    _Family(level.CUES, level.measure, "sound"),
    _Family(silence.CUES, silence.measure, "sound"),
    _Family(rate.CUES, rate.measure, "facts"),
)
#: Families that only an audit measures, faces apart.
_FURTHER = (
    _Family(meta.CUES, meta.measure, "facts"),
    _Family(level.MORE_CUES, level.measure_more, "sound"),
    _Family(silence.MORE_CUES, silence.measure_more, "sound"),
    _Family(audio.CUES, audio.measure, "sound"),
    _Family(picture.CUES, picture.measure, "pictures"),
    _Family(history.CUES, history.measure, "pictures"),
    _Family(freeze.CUES, freeze.measure, "pictures"),
)

#: Every cue that is measured on one clip, by name.
CATALOGUE: dict[str, Cue] = {
    cue.name: cue for cues in (*(family.cues for family in (*_CHEAP, *_FURTHER)), face.CUES) for cue in cues
}
#: Cues of depth "sound": what the build and the floors measure.
SOUND_CUES: tuple[str, ...] = tuple(cue.name for family in _CHEAP for cue in family.cues)
#: Cues of size and bit rate: kept apart, since they follow the content (`floor:rate`).
RATE_CUES: tuple[str, ...] = tuple(cue.name for cue in rate.CUES)
#: The other cues of depth "sound": what a set built here must hold at chance (`floor:container`).
CONTAINER_CUES: tuple[str, ...] = tuple(name for name in SOUND_CUES if name not in RATE_CUES)
#: Cues that are measured without decoding anything (depth "headers").
HEADER_CUES: tuple[str, ...] = tuple(
    cue.name
    for family in (*_CHEAP, *_FURTHER)
    if family.of == "facts"
    for cue in family.cues
    if cue.name not in timing.SOUND_CUES
)
#: Cues of depth "full": all of them; those of the face need a track beside the file.
FULL_CUES: tuple[str, ...] = tuple(CATALOGUE)
_PICTURE_CUES = frozenset(cue.name for family in _FURTHER if family.of == "pictures" for cue in family.cues)
_FACE_CUES = frozenset(cue.name for cue in face.CUES)


def cues_of_depth(depth: Depth) -> tuple[str, ...]:
    """Names of the cues that are measured at a depth.

    Args:
        depth: "headers", "sound" or "full".
    """
    return {"headers": HEADER_CUES, "sound": SOUND_CUES, "full": FULL_CUES}[depth]


def depth_of_cue(name: str) -> Depth:
    """The least depth of reading that a cue of the catalogue needs; the face's need only a track and the headers.

    Args:
        name: Name of a cue of `CATALOGUE`.
    """
    if name in _PICTURE_CUES:
        return "full"
    return "headers" if name in HEADER_CUES or name in _FACE_CUES else "sound"


def measure_file(
    path: Path, limits: Limits = DEFAULT_LIMITS, depth: Depth = "sound", *, track: Path | None = None
) -> dict[str, CueValue]:
    """Measure the cues of one depth on a written file.

    Args:
        path: Media file.
        limits: Bounds.
        depth: "headers": `HEADER_CUES`, nothing is decoded. "sound": `SOUND_CUES`, the sound is decoded once, the
            pictures are not. "full": `FULL_CUES`, sound and pictures are decoded once.
        track: Stored face track (`track.npz`) for the cues of the face at depth "full", or None.

    Returns:
        Cue name -> number, text, or None where the file has nothing to measure.

    Raises:
        MediaError: Where the file cannot be read.
        ValueError: Where the track cannot.
    """
    from cmdfd.audit.reading import read_facts

    facts = read_facts(Path(path), limits, depth)
    found = measure_facts(facts, cues_of_depth(depth))
    return found | measure_face(facts, track) if depth == "full" and track is not None else found


def measure_facts(facts: FileFacts, names: Collection[str]) -> dict[str, CueValue]:
    """Measure cues on what was read of a file.

    Args:
        facts: What `cmdfd.audit.reading.read_facts` gives.
        names: Cues that are wanted; families without any are not computed.

    Returns:
        A value for each of `names`, None for those that `facts` does not hold enough for.
    """
    found: dict[str, CueValue] = dict.fromkeys(names)
    wanted = frozenset(names)
    sound = facts.audio.decoded if facts.audio else None
    for family in (*_CHEAP, *_FURTHER):
        if family.names.isdisjoint(wanted):
            continue
        if family.of == "facts":
            values = family.measure(facts)
        elif family.of == "sound":
            values = family.measure(sound.samples, sound.sample_rate) if sound is not None else {}
        else:
            values = family.measure(facts.pictures, facts.video) if facts.pictures is not None else {}
        if family.names <= wanted:
            found |= values
        else:
            found.update((name, value) for name, value in values.items() if name in wanted)
    return found


def measure_face(facts: FileFacts, track: Path | None) -> dict[str, CueValue]:
    """Measure the cues of the face from a stored track.

    Args:
        facts: Facts of the file, for the shape of the picture.
        track: File of the track, or None: every cue is None then.

    Raises:
        ValueError: Where the track is missing or damaged.
    """
    found: FaceTrack | None = None
    if track is not None:
        from cmdfd.faces.tracks import load_track

        found = load_track(track)
    return face.measure(found, _shown_aspect(facts.video))


def _shown_aspect(video: VideoFacts | None) -> float | None:
    """Width over height as a player shows the picture."""
    from fractions import Fraction

    from cmdfd.media.orient import square_size

    if video is None or not video.width or not video.height:
        return None
    width, height = square_size(video.width, video.height, Fraction(video.sample_aspect))
    return height / width if video.orientation is not None and video.orientation.sideways else width / height


def measure_take(
    frames_shape: tuple[int, ...], fps: float, audio: NDArray[np.float32] | None, sample_rate: int
) -> dict[str, CueValue]:
    """Measure the cues that a take in memory has: timing, geometry, level and silence.

    Args:
        frames_shape: Shape of the pictures, [T, H, W] or [T, H, W, 3].
        fps: Frames per second, > 0.
        audio: [N] mono in [-1, 1], or None.
        sample_rate: Samples per second.

    Returns:
        Cue name -> value, with the names of `measure_file`.

    Raises:
        ValueError: For another shape or rate.
    """
    if len(frames_shape) not in (3, 4) or fps <= 0 or sample_rate <= 0:
        raise ValueError(f"needs [T, H, W(, 3)] and rates > 0, got {frames_shape}, {fps}, {sample_rate}")
    shown = frames_shape[0] / fps
    found: dict[str, CueValue] = {
        "time.video_duration": shown,
        "time.n_frames": float(frames_shape[0]),
        "time.fps": float(fps),
        "geometry.height": float(frames_shape[1]),
        "geometry.width": float(frames_shape[2]),
    }
    if audio is not None:
        found |= timing.sound_cues(len(audio), sample_rate, shown)
        found |= level.measure(audio, sample_rate) | silence.measure(audio, sample_rate)
    return found
