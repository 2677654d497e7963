"""The process between the runner and a generator: sets limits, and leaves nobody behind.

Run as a script with nothing but the standard library. It is a "subreaper" (Linux): processes that detach from the
generator become its children, so all of them can be found and ended, also when the runner itself is killed. On other
systems only the generator's process group is ended.

    python -I -S supervise.py SETTINGS -- COMMAND ...

SETTINGS is JSON: `report` (an open file descriptor for the result), `parent` (process id of the runner), `limits`
(name to value), `grace` (seconds from TERM to KILL), `spare` (names of programs that get no TERM, since they pass none
on and take their children with them).

Signals: SIGTERM ends everything with grace, SIGHUP at once (the kernel sends it when the runner dies).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
#: Of proc(5), oom_score_adj: where memory runs out, the kernel shall end the generator, not the build beside it.
_FIRST_TO_GO = "1000"
#: Seconds for which KILL is sent again and again; who is in the middle of a broken disk's read ends no sooner.
_KILL_SECONDS = 8.0
_ASKED: list[int] = []


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _everybody() -> dict[int, tuple[int, int, str, bool]]:
    """Every process of this machine that can be seen: its parent, its group, its name, and whether it lives."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                text = (entry / "stat").read_text("utf-8", "replace")
                name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
                found[int(entry.name)] = (int(rest[1]), int(rest[2]), name, rest[0] != "Z")
    return found


def _below() -> dict[int, tuple[int, int, str, bool]]:
    """All processes below this one, as `_everybody`, those included that have ended and were not collected yet."""
    if not Path("/proc/self/stat").exists():
        return {}
    everybody = _everybody()
    below = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, (parent, *_) in everybody.items() if parent in below} - below
        below |= more
        grown = bool(more)
    return {pid: everybody[pid] for pid in below if pid != os.getpid()}


def descendants() -> dict[int, str]:
    """All living processes below this one, with their names."""
    return {pid: name for pid, (_, _, name, lives) in _below().items() if lives}


def _send(number: int, group: int, spare: list[str]) -> None:
    """Signal everything below."""
    found = _below()
    for pid, (_, _, name, lives) in found.items():
        if lives and (number == signal.SIGKILL or name not in spare):
            with contextlib.suppress(OSError):
                os.kill(pid, number)
    groups = {group} - {0} if sys.platform != "linux" else set()
    if number == signal.SIGKILL:
        # who forks and ends all the time has another number by now, but is of the same group
        groups |= {one for _, one, _, _ in found.values()} - {os.getpgrp()}
    for one in groups:
        with contextlib.suppress(OSError):
            os.killpg(one, number)


def _reap(child: int, state: dict[str, int]) -> bool:
    """Collect whoever has ended; False where nobody is left: orphans become children of this process."""
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return True
            if pid == child:
                state["status"] = status
    except ChildProcessError:
        return False


def end_all(child: int, state: dict[str, int], grace: float, spare: list[str]) -> None:
    """End every process below: TERM, and KILL for those that are still there after `grace` seconds."""
    until = time.monotonic() + grace
    if grace > 0:
        _send(signal.SIGTERM, child, spare)
        while time.monotonic() < until and _reap(child, state):
            time.sleep(0.01)
    until = time.monotonic() + _KILL_SECONDS
    _send(signal.SIGKILL, child, spare)
    while _reap(child, state) and time.monotonic() < until:  # an empty list of processes would be no proof
        _send(signal.SIGKILL, child, spare)
        time.sleep(0.001)


def _start(command: list[str], limits: dict[str, int], report: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.close(report)
        os.setpgid(0, 0)
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)  # it may end its supervisor
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, "ascii")
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        for name, value in limits.items():
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (most, most))
        os.execvpe(command[0], command, os.environ)  # noqa: S606 - an argument list, no shell
    except OSError as error:
        os.write(2, f"cannot be started: {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def main(arguments: list[str]) -> int:
    """Run one command to its end; see the module."""
    settings, command = json.loads(arguments[0]), arguments[2:]
    state: dict[str, int] = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: _ASKED.append(got))
    _prctl(_SET_PDEATHSIG, signal.SIGHUP)
    _prctl(_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != settings["parent"]:  # the runner died before the kernel knew whom to tell
        return 1
    child = _start(command, settings["limits"], settings["report"])
    while "status" not in state and not _ASKED:
        time.sleep(0.01)
        _reap(child, state)
    gone = "status" in state
    left = sorted(descendants().values())
    hurried = signal.SIGHUP in _ASKED
    end_all(child, state, 0.0 if hurried else float(settings["grace"]) if not gone else 0.2, settings["spare"])
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = state.get("status")
    result = {
        "exit_code": None if status is None else os.waitstatus_to_exitcode(status),
        "peak_kb": usage.ru_maxrss,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "left_behind": left if gone else [],
    }
    with contextlib.suppress(OSError):
        os.write(settings["report"], json.dumps(result).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
