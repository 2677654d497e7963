"""One program to its end: its own group, limits, a deadline, bounded logs, and nobody left behind."""

from __future__ import annotations

import contextlib
import json
import os
import secrets as random_words
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.external import supervise
from generators.external.logs import ScrubbedLog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Seconds from TERM to KILL.
GRACE = 3.0
#: Programs that pass no TERM on, and whose end is a KILL for all below.
SPARE = ("bwrap",)
_BLOCK = 1 << 16
#: Seconds for what still lies in the pipes at the end: a program that outlives all signals could fill them for ever.
_LAST_WORDS = 2.0
#: A variable that every process of one run inherits, by which it can be told from others.
_MARK = "CMDFD_RUN"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run.

    Args:
        seconds: Wall time.
        address_space: Bytes of every process, or None.
        file_bytes: Bytes of every written file.
        open_files: Open files of every process.
        grace: Seconds from TERM to KILL.
    """

    seconds: float
    address_space: int | None = None
    file_bytes: int = 4 << 30
    open_files: int = 4096
    grace: float = GRACE

    def as_resources(self) -> dict[str, int]:
        """Values for `setrlimit` by name."""
        found = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": self.file_bytes, "RLIMIT_NOFILE": self.open_files}
        return found | ({} if self.address_space is None else {"RLIMIT_AS": self.address_space})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    Args:
        exit_code: Its status; negative for a signal; None where it had to be killed.
        timed_out: Whether the deadline passed.
        seconds: Wall time.
        peak_kb: Largest resident set of one process, in KiB.
        cpu_seconds: Processor time of all processes.
        secrets: How often a secret was taken out of its logs.
        left_behind: Names of processes that were still there when it had ended; they were killed.
    """

    exit_code: int | None
    timed_out: bool
    seconds: float
    peak_kb: int = 0
    cpu_seconds: float = 0.0
    secrets: int = 0
    left_behind: tuple[str, ...] = field(default=())


def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    logs: Path,
    limits: Limits,
    secrets: tuple[bytes, ...] = (),
) -> Ended:
    """Run a program and wait for its end.

    Args:
        command: Argument list.
        folder: Working folder.
        environment: All that it sees.
        logs: Folder for the files "stdout" and "stderr".
        limits: Bounds.
        secrets: Values that are taken out of the logs before they reach the disk.

    Returns:
        How it ended. None of its processes lives on.

    Raises:
        OSError: If not even the supervisor can be started.
    """
    begun = time.monotonic()
    read_end, write_end = os.pipe()
    mark = random_words.token_hex(16)
    settings = {
        "report": write_end, "parent": os.getpid(), "limits": limits.as_resources(), "grace": limits.grace,
        "spare": list(SPARE),
    }  # fmt: skip
    script = str(Path(supervise.__file__).absolute())
    outer = [sys.executable, "-I", "-S", script, json.dumps(settings), "--", *command]
    try:
        process = subprocess.Popen(
            outer,
            cwd=folder,
            env={**environment, _MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(write_end,),
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    out, error = (ScrubbedLog(logs / name, secrets) for name in ("stdout", "stderr"))
    try:
        timed_out = _attend(process, {process.stdout: out, process.stderr: error}, begun + limits.seconds, limits.grace)
    finally:
        _finish(process, limits.grace)
        out.close()
        error.close()
        report = _report(read_end)
        if not report:  # the program has ended its supervisor, which then ended nobody
            _end_marked(mark)
    code = report.get("exit_code")
    return Ended(
        exit_code=None if timed_out else code,
        timed_out=timed_out,
        seconds=time.monotonic() - begun,
        peak_kb=int(report.get("peak_kb", 0)),
        cpu_seconds=float(report.get("cpu_seconds", 0.0)),
        secrets=out.found + error.found,
        left_behind=tuple(report.get("left_behind", ())),
    )


def _attend(process: subprocess.Popen[bytes], streams: dict[Any, ScrubbedLog], deadline: float, grace: float) -> bool:
    """Read both streams until the supervisor has ended; True where the deadline passed before."""
    timed_out = False
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        while process.poll() is None:
            now = time.monotonic()
            if now > deadline:
                if timed_out:  # the supervisor itself hangs
                    break
                timed_out, deadline = True, now + grace + 10.0
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGCONT)  # the program may have stopped it
            _drain(selector, streams, 0.02)
        until = time.monotonic() + _LAST_WORDS
        while _drain(selector, streams, 0.0) and time.monotonic() < until:
            pass
    return timed_out


def _drain(selector: selectors.BaseSelector, streams: dict[Any, ScrubbedLog], wait: float) -> bool:
    """Read what is there; False where nothing was."""
    if not selector.get_map():
        time.sleep(wait)
        return False
    read = False
    for key, _ in selector.select(wait):
        stream: Any = key.fileobj
        with contextlib.suppress(BlockingIOError):
            block = os.read(stream.fileno(), _BLOCK)
            if block:
                streams[stream].write(block)
                read = True
            else:
                selector.unregister(stream)
    return read


def _finish(process: subprocess.Popen[bytes], grace: float) -> None:
    if process.poll() is None:  # we are leaving by an exception, or it hangs
        process.send_signal(signal.SIGHUP)
        try:
            process.wait(grace + 5.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _end_marked(mark: str) -> None:
    """Kill every process that inherited a mark (Linux), until there is none."""
    wanted = f"{_MARK}={mark}".encode()
    for _ in range(500):
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):  # empty for what has ended already
                    found.append(int(entry.name))
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.01)


def _report(handle: int) -> dict[str, Any]:
    with os.fdopen(handle, "rb") as stream:
        os.set_blocking(handle, False)
        data = stream.read() or b""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
