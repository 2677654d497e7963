"""Errors that name the file, the field and the fix."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Every reason for which a media file or a job can be refused. The word goes into tables, so it never changes.
MEDIA_CODES: dict[str, str] = {
    "missing": "the file does not exist or is not a regular file",
    "empty": "the file has no bytes",
    "not_media": "no known container was recognised",
    "unsafe_reference": "the file is a playlist or script that points to other resources",
    "no_video": "there is no video stream",
    "no_audio": "there is no audio stream",
    "too_large": "the picture is larger than the limit",
    "too_long": "the clip is longer than the limit",
    "too_short": "there are fewer frames or samples than are needed",
    "decode_failed": "the stream broke off or could not be decoded",
    "no_face": "no face track was found",
    "many_faces": "more than one face track was found",
    "no_backend": "real video needs a face backend and none is installed",
    "timeout": "the time limit was reached",
    "out_of_memory": "the memory limit was reached",
    "unsupported": "the source lacks what this generator needs",
    "crashed": "the worker process died",
    "internal": "an unexpected error; see the journal",
}


class CmdfdError(Exception):
    """Base of every error that the suite raises on purpose; its text is meant for the user."""


class MediaError(CmdfdError):
    """A media file that cannot be used.

    Args:
        code: One of `MEDIA_CODES`.
        path: The file, as the user named it.
        detail: What was found, in one sentence.
    """

    def __init__(self, code: str, path: object, detail: str = "") -> None:
        if code not in MEDIA_CODES:
            raise ValueError(f"unknown media error code {code!r}")
        self.code = code
        self.path = str(path)
        self.detail = detail or MEDIA_CODES[code]
        super().__init__(code, str(path), detail)  # positional, so that it survives pickling between processes

    def __str__(self) -> str:
        return f"{self.path!r}: {self.code}: {self.detail}"


class MissingExtraError(CmdfdError, ImportError):
    """An optional part is not installed.

    Args:
        extra: Name of the extra in pyproject.toml.
        purpose: What it is needed for, as the object of "needed for".
    """

    def __init__(self, extra: str, purpose: str) -> None:
        self.extra = extra
        self.purpose = purpose
        super().__init__(extra, purpose)

    def __str__(self) -> str:
        return (
            f"the extra {self.extra!r} is needed for {self.purpose}; install it with: "
            f"pip install -c constraints.txt -e '.[{self.extra}]'"
        )


def nearest(value: str, allowed: Iterable[str]) -> str:
    """Return a sentence that lists the allowed words and the nearest one to `value`."""
    words = sorted(allowed)
    close = difflib.get_close_matches(value, words, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(words) or 'none'}"
