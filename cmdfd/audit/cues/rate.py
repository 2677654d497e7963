"""File size and bit rates. They follow the content (a warped mouth may cost bits), so they are debatable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue

if TYPE_CHECKING:
    from cmdfd.audit.reading import FileFacts

_DRAW = "draw the encoder's quality from one range for all clips; what remains follows from the content: report it"
_SOURCE = "Güera et al., 'We need no pixels', arXiv 1906.08743"

CUES = (
    Cue("rate.file_size", "the file size", "bytes", "debatable", "size of the file", _DRAW, _SOURCE),
    Cue(
        "rate.bytes_per_second",
        "the byte rate",
        "bytes/s",
        "debatable",
        "size of the file over the longer stream",
        _DRAW,
        _SOURCE,
    ),
    Cue(
        "rate.video",
        "the video bit rate",
        "bits/s",
        "debatable",
        "bits of the video packets over their span",
        _DRAW,
        _SOURCE,
    ),
    Cue(
        "rate.audio",
        "the audio bit rate",
        "bits/s",
        "debatable",
        "bits of the audio packets over their span",
        _DRAW,
        _SOURCE,
    ),
    Cue(
        "rate.key_frame",
        "the size of the first key frame",
        "bytes",
        "debatable",
        "bytes of the first key frame",
        _DRAW,
        _SOURCE,
    ),
    Cue(
        "rate.frame",
        "the size of the other frames",
        "bytes",
        "debatable",
        "mean bytes of the frames that are no key frames",
        _DRAW,
        _SOURCE,
    ),
    Cue(
        "rate.frame_spread",
        "the spread of the frame sizes",
        "ratio",
        "debatable",
        "standard deviation over mean of the frames that are no key frames",
        _DRAW,
        _SOURCE,
    ),
)


def measure(facts: FileFacts) -> dict[str, CueValue]:
    """Cues of size and rate; None where a stream is missing."""
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    found["rate.file_size"] = float(facts.size_bytes)
    spans = []
    for name, stream in (("rate.video", facts.video), ("rate.audio", facts.audio)):
        if stream is None or not len(stream.packets.times):
            continue
        packets = stream.packets
        span = float((packets.times + packets.durations).max() - packets.times.min())
        if span > 0:
            spans.append(span)
            found[name] = float(packets.sizes.sum() * 8 / span)
    if spans:
        found["rate.bytes_per_second"] = facts.size_bytes / max(spans)
    if facts.video is not None:
        keys, sizes = facts.video.packets.keys, facts.video.packets.sizes
        others = sizes[~keys]
        if keys.any():
            found["rate.key_frame"] = float(sizes[np.argmax(keys)])
        if len(others):
            found["rate.frame"] = float(others.mean())
            found["rate.frame_spread"] = float(others.std() / others.mean()) if others.mean() else None
    return found
