"""Where the ffmpeg program is, and one safe way to run a graph of ffmpeg-python with it.

Decoding and the data set's own files go through PyAV in process. The program serves what PyAV's libraries lack.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cmdfd.errors import CmdfdError

#: Names the program to use; wins over everything else.
ENVIRONMENT = "CMDFD_FFMPEG"


class FfmpegError(CmdfdError):
    """The ffmpeg program is missing, failed or took too long."""


def find_ffmpeg() -> Path:
    """Find the program: environment variable `CMDFD_FFMPEG`, then PATH, then the one that imageio-ffmpeg brings.

    Returns:
        Absolute path of an executable file.

    Raises:
        FfmpegError: If there is none, or the variable names something that is not one.
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        found = shutil.which(named)
        if found is None:
            raise FfmpegError(f"{ENVIRONMENT}={named!r} is not an executable file")
        return Path(found).absolute()
    found = shutil.which("ffmpeg")
    if found is not None:
        return Path(found).absolute()
    try:
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe()).absolute()
    except (ImportError, RuntimeError) as error:
        raise FfmpegError(
            f"no ffmpeg found: pip install imageio-ffmpeg, or set {ENVIRONMENT} to the program"
        ) from error


def local(path: Path) -> str:
    """Name a file so that ffmpeg takes it for nothing else, whatever characters it has."""
    return f"file:{Path(path).absolute()}"


def run_graph(graph: Any, *, timeout: float = 600.0) -> bytes:
    """Run a graph of ffmpeg-python, without a shell and without standard input.

    Args:
        graph: An output node of ffmpeg-python; inputs of strangers carry `protocol_whitelist="file"`.
        timeout: Seconds after which the program is killed.

    Returns:
        What it wrote to standard output.

    Raises:
        FfmpegError: If it is missing, fails (with the end of its messages) or takes too long.
    """
    command = [str(part) for part in graph.compile(cmd=str(find_ffmpeg()))]
    command[1:1] = ["-nostdin", "-hide_banner", "-loglevel", "error"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=True)
    except subprocess.TimeoutExpired as error:
        raise FfmpegError(f"ffmpeg did not end within {timeout:g} s") from error
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode("utf-8", "replace").strip()[-2000:]
        raise FfmpegError(f"ffmpeg failed with status {error.returncode}: {message}") from error
    except OSError as error:
        raise FfmpegError(f"ffmpeg cannot be started: {error}") from error
    return done.stdout
