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

#: Every way in which a generator's job can end other than "ok". The word goes into tables, so it never changes.
JOB_CODES: dict[str, str] = {
    "env_missing": "the generator, its interpreter or its runtime is not installed",
    "weights_missing": "a file of weights is not there",
    "hash_mismatch": "a file is not the one that the spec or the plan names",
    "licence_refused": "a licence is unknown, or the generator's terms were not accepted",
    "consent_missing": "nobody says that the person shown agreed",
    "input_unsupported": "the take lacks what this generator needs",
    "face_not_found": "the generator, or the face tracker before it, found no face",
    "audio_invalid": "the sound is missing, silent or not finite",
    "oom": "the memory limit was reached",
    "timeout": "the time limit was reached",
    "crashed": "the generator ended with an error",
    "output_missing": "the generator ended without an output file, whatever its exit code said",
    "output_corrupt": "the output cannot be decoded to its end, or is black or silent",
    "output_identical": "the output shows and sounds the same as the input",
    "av_mismatch": "picture or sound of the output is too short for the clip",
    "wrote_outside": "the generator wrote, or tried to write, outside its own folder",
    "secret_printed": "the generator printed a secret of the environment",
    "withdrawn": "a takedown removed it, or somebody in it, from this folder; it is not made again",
}
#: A job may end otherwise the next time: it is tried again, and leaves no record.
RETRY_CODES = frozenset({"oom", "timeout", "crashed"})
_AS_JOB_CODE = {
    "missing": "output_missing", "empty": "output_corrupt", "not_media": "output_corrupt",
    "decode_failed": "output_corrupt", "no_video": "output_corrupt", "unsafe_reference": "output_corrupt",
    "no_audio": "audio_invalid", "no_face": "face_not_found", "out_of_memory": "oom", "internal": "crashed",
}  # fmt: skip


def job_code(code: str) -> str:
    """The word of `JOB_CODES` for a code that a job met: the same word, or that of a media file's trouble."""
    return code if code in JOB_CODES else _AS_JOB_CODE.get(code, "input_unsupported")


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


class JobError(CmdfdError):
    """A generator's job that did not end well.

    Args:
        code: One of `JOB_CODES`.
        generator: Its name.
        detail: What was found, in one sentence.
    """

    def __init__(self, code: str, generator: str, detail: str = "") -> None:
        if code not in JOB_CODES:
            raise ValueError(f"unknown job code {code!r}")
        self.code = code
        self.generator = generator
        self.detail = detail or JOB_CODES[code]
        super().__init__(code, generator, detail)  # positional, so that it survives pickling between processes

    def __str__(self) -> str:
        return f"{self.generator}: {self.code}: {self.detail}"


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
