"""The one way in which untrusted media files are opened.

No path ever reaches the demuxers: the file is opened here, checked to be regular, and handed over as a byte stream
with a neutral name. So colons, dashes, percent signs or newlines in a name mean nothing, nothing is guessed from a
suffix, and whatever a container refers to (playlists, data references, other protocols) cannot be opened, since the
only opener that the demuxer is given refuses.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import av
import av.error

from cmdfd.errors import MediaError
from cmdfd.media.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.stream import Stream

#: Demuxers that hold their media inside one file. Playlists (hls, dash, concat, sdp, imf), pictures (image2 and the
#: *_pipe family), devices and lavfi are absent on purpose.
CONTAINERS = (
    "mov", "mp4", "3gp", "matroska", "webm", "mpeg", "mpegts", "mpegvideo", "avi", "flv", "asf", "ogg", "mxf", "nut",
    "ivf", "h264", "hevc", "m4v", "wav", "w64", "aiff", "caf", "mp3", "flac", "aac", "ac3", "eac3", "amr", "au",
)  # fmt: skip
#: Heads of files that are playlists or scripts and point at other resources.
_REFERENCES = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|ffconcat\s+version|\[playlist\]|\[Reference\]|v=0\s*[\r\n]|RTSPtext|<ASX"
    rb"|(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*"
    rb"<(?:[A-Za-z0-9]+:)?(?:MPD|SmoothStreamingMedia|smil|playlist|AssetMap|CompositionPlaylist|manifest)\b)",
    re.IGNORECASE | re.DOTALL,
)
_HEAD = 4096
_BUFFER = 1 << 16
#: Slack on top of `max_reads` times the size: small files are probed several times.
_FREE_BYTES = 64 << 20


class _Runaway(Exception):  # noqa: N818 - never leaves this package
    """The demuxer has read far more than the file holds."""


class _Reader:
    """A read-only byte stream over a regular file, bounded in what it hands out."""

    name = "media"

    def __init__(self, file: io.FileIO, size: int, limits: Limits) -> None:
        self._file = file
        self._left = size * limits.max_reads + _FREE_BYTES

    def read(self, n: int = -1) -> bytes:
        """Read at most `n` bytes from the current position."""
        block = self._file.read(n) or b""
        # An empty read costs too, or a demuxer could spin at the end of the file for ever.
        self._left -= max(len(block), 1 << 10)
        if self._left < 0:
            raise _Runaway
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as `io.FileIO.seek` does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Current position in bytes."""
        return self._file.tell()


@contextlib.contextmanager
def media_errors(path: Path, code: str) -> Iterator[None]:
    """Turn whatever the media libraries raise inside the block into a `MediaError`.

    Args:
        path: The file, as the user named it.
        code: Code for errors that say no more than that the bytes are wrong.

    Raises:
        MediaError: `code`, "out_of_memory", or "decode_failed" where the demuxer ran in circles.
    """
    try:
        yield
    except MediaError:
        raise
    except _Runaway as error:
        raise MediaError("decode_failed", path, "the demuxer reads the same bytes for ever") from error
    except MemoryError as error:
        raise MediaError("out_of_memory", path, "a buffer could not be allocated") from error
    except (av.error.FFmpegError, OSError, ValueError, RuntimeError, ArithmeticError) as error:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        # a decoder that gets no thread or no memory says nothing about the file, and may get them the next time
        scarce = getattr(error, "errno", None) in (errno.EAGAIN, errno.ENOMEM)
        raise MediaError("out_of_memory" if scarce else code, path, f"{text}") from error


def _refuse(url: str, *_: Any) -> NoReturn:
    raise PermissionError(f"media may not refer to {url[:200]!r}")


def _open_regular(path: Path) -> io.FileIO:
    """Open a regular file without ever blocking on a pipe or touching a device."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaError("missing", path, "not a regular file")
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError("missing", path, f"cannot be opened: {reason}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # it was exchanged between the two calls
        os.close(handle)
        raise MediaError("missing", path, "not a regular file")
    return io.FileIO(handle, "rb")


def _check_head(path: Path, file: io.FileIO, limits: Limits) -> int:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise MediaError("empty", path)
    if size > limits.max_file_bytes:
        raise MediaError("too_large", path, f"file of {size} bytes, limit {limits.max_file_bytes}")
    if _REFERENCES.match(file.read(_HEAD) or b""):
        raise MediaError("unsafe_reference", path)
    file.seek(0)
    return size


def _open_container(path: Path, reader: _Reader, limits: Limits, edit_lists: bool) -> InputContainer:
    refused: list[str] = []

    def io_open(url: str, *_: Any) -> NoReturn:
        refused.append(url)
        _refuse(url)

    try:
        with media_errors(path, "not_media"):
            return av.open(
                reader,
                "r",
                options={"max_pixels": str(limits.max_pixels)},
                container_options={
                    "protocol_whitelist": "file",
                    "format_whitelist": ",".join(CONTAINERS),
                    "max_streams": str(limits.max_streams + 1),  # one more than allowed, so that it is seen
                    "enable_drefs": "0",
                    **({} if edit_lists else {"advanced_editlist": "0"}),
                },
                metadata_errors="replace",
                buffer_size=_BUFFER,
                io_open=io_open,
            )
    except MediaError as error:
        if refused:
            raise MediaError("unsafe_reference", path, f"refers to {refused[0][:200]!r}") from error
        raise


def _check_container(path: Path, container: InputContainer, limits: Limits) -> None:
    if len(container.streams) > limits.max_streams:
        raise MediaError("too_large", path, f"{len(container.streams)} streams, limit {limits.max_streams}")
    for stream in container.streams:
        context = stream.codec_context
        if stream.type == "video" and context is not None and not is_picture_of_cover(stream):
            check_size(path, getattr(context, "width", 0), getattr(context, "height", 0), limits)
            context.options = {**context.options, "max_pixels": str(limits.max_pixels)}
    seconds = (container.duration or 0) / av.time_base
    if seconds > limits.max_seconds:
        raise MediaError("too_long", path, f"declares {seconds:.1f} s, limit {limits.max_seconds:g} s")


def check_size(path: Path, width: int, height: int, limits: Limits) -> None:
    """Refuse a picture before it is allocated.

    Raises:
        MediaError: "too_large" where width x height is over `limits.max_pixels`.
    """
    if width * height > limits.max_pixels:
        raise MediaError("too_large", path, f"picture of {width}x{height}, limit {limits.max_pixels} pixels")


@contextlib.contextmanager
def open_media(path: Path, limits: Limits = DEFAULT_LIMITS, *, edit_lists: bool = True) -> Iterator[InputContainer]:
    """Open a media file from a stranger for reading.

    Args:
        path: A regular file or a symbolic link to one; any name.
        limits: Bounds on size, length and streams, checked before anything is decoded.
        edit_lists: Whether packets that an edit list hides are flagged; else all are shown, each at its true time.

    Yields:
        The opened container; closed when the block ends.

    Raises:
        MediaError: "missing", "empty", "not_media", "unsafe_reference", "too_large", "too_long" or "out_of_memory".
    """
    path = Path(path)
    with _open_regular(path) as file:
        reader = _Reader(file, _check_head(path, file, limits), limits)
        with _open_container(path, reader, limits, edit_lists) as container:
            _check_container(path, container, limits)
            yield container


def is_picture_of_cover(stream: Stream) -> bool:
    """Whether a "video" stream is cover art or a thumbnail track."""
    kinds = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return bool(stream.disposition & kinds)
