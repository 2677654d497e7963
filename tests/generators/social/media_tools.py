"""The ffmpeg program, for tests."""

from __future__ import annotations

import subprocess

from cmdfd.media.ffmpeg import find_ffmpeg


def ffmpeg(*arguments: object) -> bytes:
    """Run it and return its output."""
    command = [str(find_ffmpeg()), "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout
