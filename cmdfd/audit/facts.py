"""What a file says of itself: the records that `cmdfd.audit.reading` fills and the cues are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.audit.marks import NO_MARKS, Marks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from cmdfd.audit.isobmff import IsoBoxes
    from cmdfd.audit.pictures import Pictures
    from cmdfd.media.orient import Orientation
    from cmdfd.media.sound import Audio


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """The packets of one stream, in order of storage; those that a player discards are left out.

    Args:
        times: [P] seconds on the container's clock at which they are presented.
        durations: [P] seconds, 0 where unknown.
        sizes: [P] bytes.
        keys: [P] whether they are key frames.
        first_pts: Time stamp of the very first packet in ticks, discarded or not; None where it has none.
        n_stored: Packets in the file, discarded ones too.
    """

    times: NDArray[np.float64]
    durations: NDArray[np.float64]
    sizes: NDArray[np.int64]
    keys: NDArray[np.bool_]
    first_pts: int | None
    n_stored: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class VideoFacts:
    """What the video stream says of itself, and its packets.

    Args:
        codec: FFmpeg's name.
        profile: Profile, "none" where it is not told.
        width: Coded width in pixels.
        height: Coded height.
        sample_aspect: Width over height of a pixel, "0" or "1" where it is not told.
        orientation: How players turn the picture; None where only decoding would tell.
        pix_fmt: Pixel format of the decoder.
        colour: Range/primaries/transfer/matrix, numbers of ITU-T H.273.
        fps: Declared average rate, or None.
        time_base: Clock, e.g. "1/12800".
        tags: Metadata.
        signature: The encoder's text in the bit stream, without its settings.
        packets: Its packets.
        level: The codec's level as FFmpeg counts it (31 = 3.1 in H.264); negative where it is not told.
        scan: FFmpeg's order of fields: 0 unknown, 1 progressive, 2 to 5 interlaced.
        first_kind: Kind of the first stored picture, see `bitstream.first_kind`; "" where there is no packet.
        duration: Declared seconds, or None.
        start: Declared seconds of the first picture on the container's clock, or None.
        n_declared: Pictures that the header promises, 0 where it does not.
    """

    codec: str
    profile: str
    width: int
    height: int
    sample_aspect: str
    orientation: Orientation | None
    pix_fmt: str
    colour: str
    fps: float | None
    time_base: str
    tags: Mapping[str, str]
    signature: str
    packets: Packets
    level: int = -99
    scan: int = 0
    first_kind: str = ""
    duration: float | None = None
    start: float | None = None
    n_declared: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class AudioFacts:
    """What the sound stream says of itself, its packets, and the sound at its own sample rate.

    Args:
        codec: FFmpeg's name.
        profile: Profile, "none" where it is not told.
        sample_rate: Declared samples per second.
        layout: Declared channel layout.
        time_base: Clock, e.g. "1/16000".
        tags: Metadata.
        packets: Its packets.
        decoded: The sound, None where only headers were read.
        duration: Declared seconds, or None.
        start: Declared seconds of the first sample on the container's clock, or None.
    """

    codec: str
    profile: str
    sample_rate: int
    layout: str
    time_base: str
    tags: Mapping[str, str]
    packets: Packets
    decoded: Audio | None
    duration: float | None = None
    start: float | None = None

    @property
    def sound(self) -> Audio:
        """The decoded sound.

        Raises:
            ValueError: Where only headers were read.
        """
        if self.decoded is None:
            raise ValueError("the sound was not decoded: read the file at depth 'sound' or 'full'")
        return self.decoded


@dataclass(frozen=True, slots=True, eq=False)
class FileFacts:
    """Everything that the cues are computed from.

    Args:
        size_bytes: Size of the file.
        container: Name of the demuxer.
        tags: Metadata of the container.
        streams: One letter for each stream in order: v, a, c (cover art), s (subtitles), d (data), t (attachment), ...
        boxes: Structure of an ISO file, None for other containers.
        video: First stream of moving pictures, or None.
        audio: First sound stream, or None.
        chapters: Chapters of the container.
        marks: Provenance and camera marks.
        pictures: Samples of the pictures at depth "full", None otherwise or without video.
    """

    size_bytes: int
    container: str
    tags: Mapping[str, str]
    streams: str
    boxes: IsoBoxes | None
    video: VideoFacts | None
    audio: AudioFacts | None
    chapters: int = 0
    marks: Marks = NO_MARKS
    pictures: Pictures | None = None
