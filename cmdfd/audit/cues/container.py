"""Container and codec: who wrote the file, and how. None of it has to do with forging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueKind, CueValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmdfd.audit.reading import FileFacts

_REWRITE = "write every clip, unforged ones too, with one encoder setting and scrubbed metadata (harmonise)"
_PIXELS = "Güera et al., 'We need no pixels', arXiv 1906.08743: stream descriptors alone detect manipulation"
_TOOLS = "tools stamp their own containers: mp4v of OpenCV, Lavf tags of ffmpeg, prompts of ComfyUI"


def _cue(name: str, title: str, kind: CueKind, rule: str, source: str = _PIXELS, unit: str = "category") -> Cue:
    return Cue(f"container.{name}", title, unit, kind, rule, _REWRITE, source)


CUES = (
    _cue("format", "the container format", "nuisance", "name of FFmpeg's demuxer"),
    _cue("brands", "the file's brand", "leak", "major and compatible brands of an ISO file", _TOOLS),
    _cue("boxes", "the order of the file's boxes", "leak", "top-level boxes of an ISO file; equal runs as one", _TOOLS),
    _cue("edits", "the edit list", "leak", "media time of each track's first edit that is not empty, in ticks"),
    _cue("streams", "the number and order of streams", "nuisance", "v, a, c (cover), s, d for each stream in order"),
    _cue("video_codec", "the video codec", "nuisance", "codec and profile of the first video stream"),
    _cue("audio_codec", "the audio codec", "nuisance", "codec and profile of the first audio stream"),
    _cue("pix_fmt", "the pixel format", "nuisance", "pixel format of the decoder"),
    _cue("colour", "the colour tag", "nuisance", "range/primaries/transfer/matrix as the numbers of ITU-T H.273"),
    _cue("sample_rate", "the sample rate", "nuisance", "declared samples per second", unit="Hz"),
    _cue("channels", "the channel layout", "nuisance", "declared layout of the first audio stream"),
    _cue("tag_names", "the set of metadata tags", "leak", "sorted tag names of container and streams", _TOOLS),
    _cue("encoder", "the encoder tag", "leak", "encoder, handler and vendor tags of container and streams", _TOOLS),
    _cue("signature", "the encoder's signature in the bit stream", "leak", "first unregistered SEI message", _TOOLS),
    _cue("time_bases", "the clock of the streams", "leak", "time base of video and audio"),
    _cue(
        "gop", "the distance of key frames", "nuisance", "largest distance between key frames, in frames", unit="frames"
    ),
    _cue("reordered", "the use of B frames", "nuisance", "whether frames are stored in another order than shown"),
    _cue(
        "priming",
        "the encoder delay of the sound",
        "leak",
        "time stamp of the first audio packet, in ticks: negative = signalled by an edit list, 0 = not signalled",
        "AAC encoders prime with 1024 or 2112 samples; without an edit list they become a leading near-silence",
        "ticks",
    ),
)

_ENCODER_TAGS = ("encoder", "handler_name", "vendor_id", "encoding_tool", "software")


def measure(facts: FileFacts) -> dict[str, CueValue]:
    """Cues of the container.

    Args:
        facts: What `read_facts` gives.

    Returns:
        A value for every cue of `CUES`; None where the stream or box is missing.
    """
    video, audio, boxes = facts.video, facts.audio, facts.boxes
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    brands = [facts.tags[name] for name in ("major_brand", "compatible_brands") if name in facts.tags]
    found["container.format"] = facts.container
    found["container.brands"] = ":".join(brands) or None
    found["container.streams"] = facts.streams
    tags: list[Mapping[str, str]] = [facts.tags]
    if boxes:
        found["container.boxes"] = boxes.order
        found["container.edits"] = boxes.edits or "none"
    if video:
        tags.append(video.tags)
        found |= _video(facts)
    if audio:
        tags.append(audio.tags)
        found["container.audio_codec"] = f"{audio.codec}/{audio.profile}"
        found["container.sample_rate"] = float(audio.sample_rate)
        found["container.channels"] = audio.layout
        first = audio.packets.first_pts
        found["container.priming"] = None if first is None else float(first)
    found["container.tag_names"] = " | ".join(" ".join(sorted(one)) for one in tags)
    words = [f"{name}={one[name]}" for one in tags for name in _ENCODER_TAGS if name in one]
    found["container.encoder"] = " | ".join([*words, boxes.handlers if boxes else ""]).strip(" |") or "none"
    found["container.time_bases"] = " ".join(stream.time_base for stream in (video, audio) if stream) or None
    return found


def _video(facts: FileFacts) -> dict[str, CueValue]:
    video = facts.video
    if video is None:
        return {}
    keys = np.flatnonzero(video.packets.keys)
    times = video.packets.times
    return {
        "container.video_codec": f"{video.codec}/{video.profile}",
        "container.pix_fmt": video.pix_fmt,
        "container.colour": video.colour,
        "container.signature": video.signature or "none",
        "container.gop": float(np.diff(keys, append=len(video.packets.keys)).max()) if len(keys) else None,
        "container.reordered": "yes" if bool((times[1:] < times[:-1]).any()) else "no",
    }
