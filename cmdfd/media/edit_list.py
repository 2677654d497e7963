"""What the edit list of a trimmed ISO file hides, and by how much that moves its first picture.

Phones and `ffmpeg -c copy` trim a film without coding it again: the packets from the key frame before the cut stay in
the file, and an edit list says from which moment on they are shown. The demuxer flags what is hidden, and the decoder
never hands it out.

A cut mostly falls between two frames. FFmpeg then moves the picture to the front until the first frame that is shown
whole stands at the cut (`mov_fix_index` of libavformat/mov.c: "to make the first pts zero"), but leaves the sound,
which so comes late by up to a frame. Read without its index of edits, the file tells the true time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.media.open import open_media

if TYPE_CHECKING:
    from pathlib import Path

    from av.packet import Packet

    from cmdfd.media.limits import Limits

#: A longer step is none of these; then the demuxer's times stand.
_MOST_SECONDS = 1.0


def hidden_step(path: Path, packet: Packet[Any], limits: Limits) -> int:
    """Ticks by which the demuxer shows the pictures of a trimmed file too early; 0 for other files.

    Args:
        path: The file.
        packet: The first one of its video stream, as it was demuxed.
        limits: Bounds.

    Raises:
        MediaError: As `open_media`.
    """
    stream = packet.stream
    if not packet.is_discard or "mov" not in stream.container.format.name or packet.pts is None:
        return 0
    with open_media(path, limits, edit_lists=False) as plain:
        for other in plain.demux(plain.streams[stream.index]):
            if other.pos == packet.pos and other.size == packet.size and other.pts is not None:
                step = int(other.pts - packet.pts)
                return step if 0 <= step * float(packet.time_base or 0) < _MOST_SECONDS else 0
    return 0
