"""From how a program ended to one code of the taxonomy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cmdfd.errors import JobError

if TYPE_CHECKING:
    from pathlib import Path

    from generators.external.process import Ended
    from generators.external.spec import ExternalSpec

#: What programs print when memory runs out, whatever they are.
_OOM = re.compile(
    r"CUDA out of memory|OutOfMemoryError|\bMemoryError\b|Cannot allocate memory|std::bad_alloc|can't allocate memory"
    r"|Unable to allocate [\d.]+ .?i?B|CUBLAS_STATUS_ALLOC_FAILED|CUDA_ERROR_OUT_OF_MEMORY",
    re.IGNORECASE,
)
_NOT_INSTALLED = re.compile(r"ModuleNotFoundError: [^\n]*|^cannot be started: [^\n]*", re.MULTILINE)
#: SIGKILL: nobody here sends it before the deadline, so it was the kernel, short of memory; bubblewrap says 137.
_KILLED = frozenset({-9, 137})


def read_logs(folder: Path) -> str:
    """What a program printed, stdout first."""
    texts = [(folder / name).read_bytes().decode("utf-8", "replace") for name in ("stdout", "stderr")]
    return "\n".join(text.strip() for text in texts if text.strip())


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"


def told_reason(spec: ExternalSpec, text: str) -> JobError | None:
    """The reason for a failure that a program's own words give, or None.

    The spec's messages win over those that are known of any program.
    """
    lower = text.lower()
    for message in spec.messages:
        if message.match.lower() in lower:
            return JobError(message.code, spec.name, f"it says: {message.match}")
    found = _OOM.search(text)
    if found is not None:
        return JobError("oom", spec.name, f"it says: {found[0]}")
    missing = _NOT_INSTALLED.search(text)
    if missing is not None:
        return JobError("env_missing", spec.name, missing[0][:300])
    return None


def check_ended(spec: ExternalSpec, ended: Ended, text: str, limit: float) -> None:
    """Refuse a program that ended badly, whatever it may have written before.

    An exit code other than 0 is a failure even beside a file that decodes: such a file is often one of an earlier
    stage, and a generator that reports success by failing needs a driver.

    Args:
        spec: The generator.
        ended: How it ended.
        text: What it printed.
        limit: Seconds that it had.

    Raises:
        JobError: "timeout", "oom", "crashed", or what the program's words tell.
    """
    if ended.timed_out:
        raise JobError("timeout", spec.name, f"it did not end within {limit:g} s")
    if ended.exit_code == 0:
        return
    told = told_reason(spec, text)
    if told is not None:
        raise told
    if ended.exit_code in _KILLED:
        raise JobError("oom", spec.name, "it was killed by the system, which happens where memory runs out")
    raise JobError("crashed", spec.name, f"exit code {ended.exit_code}: {last_line(text)}")
