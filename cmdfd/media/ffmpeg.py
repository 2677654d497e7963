"""Where the ffmpeg program is, and one safe way to run a graph of ffmpeg-python with it.

Decoding and the data set's own files go through PyAV in process. The program serves what PyAV's libraries lack.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Names the program to use; wins over everything else.
ENVIRONMENT = "CMDFD_FFMPEG"


class FfmpegError(CmdfdError):
    """The ffmpeg program is missing, failed or took too long."""


def find_ffmpeg(needs_filter: str = "") -> Path:
    """Find the program: environment variable `CMDFD_FFMPEG`, then PATH, then the one that imageio-ffmpeg brings.

    Args:
        needs_filter: A filter that the program must have, for example "rubberband", which many builds on PATH lack.
            The program that the variable names is never passed over.

    Returns:
        Absolute path of an executable file.

    Raises:
        FfmpegError: If there is none, or the variable names something that is not one or lacks the filter.
    """
    poor = []
    for program in _programs():
        if not needs_filter or needs_filter in filters_of(program):
            return program
        poor.append(str(program))
    if not poor:
        raise FfmpegError(f"no ffmpeg found: pip install imageio-ffmpeg, or set {ENVIRONMENT} to the program")
    raise FfmpegError(
        f"ffmpeg without the filter {needs_filter!r}: {', '.join(poor)}; pip install imageio-ffmpeg (its build has "
        f"it), or set {ENVIRONMENT} to a build with it"
    )


def _programs() -> Iterator[Path]:
    """Where the program may be, best first."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        found = shutil.which(named)
        if found is None:
            raise FfmpegError(f"{ENVIRONMENT}={named!r} is not an executable file")
        yield Path(found).absolute()
        return
    found = shutil.which("ffmpeg")
    if found is not None:
        yield Path(found).absolute()
    try:
        import imageio_ffmpeg

        yield Path(imageio_ffmpeg.get_ffmpeg_exe()).absolute()
    except (ImportError, RuntimeError):
        return


@lru_cache(maxsize=8)
def filters_of(program: Path) -> frozenset[str]:
    """Names of the filters that a build has; empty if it cannot be asked."""
    try:
        asked = subprocess.run([str(program), "-hide_banner", "-filters"], capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    rows = [line.split() for line in asked.stdout.decode("utf-8", "replace").splitlines()]
    return frozenset(row[1] for row in rows if len(row) >= 3 and "->" in row[2])


def program_version(program: Path | None = None) -> str:
    """What a build calls itself, e.g. "7.0.2-static"; of `find_ffmpeg()` if None.

    Raises:
        FfmpegError: If there is none, or it does not tell.
    """
    return _version_of(program or find_ffmpeg())


@lru_cache(maxsize=8)
def _version_of(chosen: Path) -> str:
    try:
        asked = subprocess.run([str(chosen), "-version"], capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise FfmpegError(f"{chosen} does not tell its version: {error}") from error
    words = asked.stdout.decode("utf-8", "replace").split()
    return words[2] if words[:2] == ["ffmpeg", "version"] and len(words) > 2 else "unknown"


def local(path: Path) -> str:
    """Name a file so that ffmpeg takes it for nothing else, whatever characters it has."""
    return f"file:{Path(path).absolute()}"


def run_graph(graph: Any, *, timeout: float = 600.0, program: Path | None = None, data: bytes | None = None) -> bytes:
    """Run a graph of ffmpeg-python, without a shell; it can ask nobody anything.

    Args:
        graph: An output node of ffmpeg-python; inputs of strangers carry `protocol_whitelist="file"`.
        timeout: Seconds after which the program is killed.
        program: Which one, where `find_ffmpeg()` is not right.
        data: What an input named "pipe:" shall read.

    Returns:
        What it wrote to standard output.

    Raises:
        FfmpegError: If it is missing, fails (with the end of its messages) or takes too long.
    """
    command = [str(part) for part in graph.compile(cmd=str(program or find_ffmpeg()))]
    command[1:1] = ["-nostdin", "-hide_banner", "-loglevel", "error"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=timeout, check=True)
    except subprocess.TimeoutExpired as error:
        raise FfmpegError(f"ffmpeg did not end within {timeout:g} s") from error
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode("utf-8", "replace").strip()[-2000:]
        raise FfmpegError(f"ffmpeg failed with status {error.returncode}: {message}") from error
    except OSError as error:
        raise FfmpegError(f"ffmpeg cannot be started: {error}") from error
    return done.stdout
