"""How much of an untrusted media file is decoded before it is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep every call on a stranger's file finite in time and memory.

    The defaults are this project's own choice: the largest public set of the field (AV-Deepfake1M) stays under
    three minutes at 1080p, so ten minutes of 4K leaves room.

    Args:
        max_pixels: Largest width x height of one picture, as coded and as displayed.
        max_seconds: Longest clip in seconds, declared or decoded.
        max_frames: Most pictures of one clip; ten minutes at 60 per second.
        max_bytes: Most bytes that `read_video` may hold at once (4 GiB: 20 s of 1080x1920 RGB are 3.1 GB).
        max_file_bytes: Largest file in bytes.
        max_streams: Most streams of one container.
        max_reads: How often over the bytes of a file may be read before the demuxer is taken to run in circles.
    """

    max_pixels: int = 3840 * 2160
    max_seconds: float = 600.0
    max_frames: int = 36_000
    max_bytes: int = 4 << 30
    max_file_bytes: int = 8 << 30
    max_streams: int = 32
    max_reads: int = 16

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value <= 0:
                raise ValueError(f"limits: {field.name} must be positive and finite, got {value!r}")


DEFAULT_LIMITS = Limits()
