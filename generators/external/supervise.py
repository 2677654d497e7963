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
_ASKED: list[int] = []


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _parents() -> dict[int, tuple[int, str]]:
    """Every process of this machine that can be seen: its parent and its name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                text = (entry / "stat").read_text("utf-8", "replace")
                name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
                if rest[0] != "Z":
                    found[int(entry.name)] = (int(rest[1]), name)
    return found


def descendants() -> dict[int, str]:
    """All living processes below this one, with their names."""
    if not Path("/proc/self/stat").exists():
        return {}
    parents = _parents()
    below = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in parents.items() if parent in below} - below
        below |= more
        grown = bool(more)
    return {pid: parents[pid][1] for pid in below if pid != os.getpid()}


def _send(number: int, group: int, spare: list[str]) -> int:
    """Signal everything below; returns how many there were."""
    found = descendants()
    for pid, name in found.items():
        if number == signal.SIGKILL or name not in spare:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
    if sys.platform != "linux" and group:
        with contextlib.suppress(OSError):
            os.killpg(group, number)
    return len(found)


def _reap(child: int, state: dict[str, int]) -> None:
    """Collect whoever has ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if pid == child:
                state["status"] = status


def end_all(child: int, state: dict[str, int], grace: float, spare: list[str]) -> None:
    """End every process below: TERM, and KILL for those that are still there after `grace` seconds."""
    until = time.monotonic() + grace
    if grace > 0:
        _send(signal.SIGTERM, child, spare)
        while time.monotonic() < until and descendants():
            _reap(child, state)
            time.sleep(0.01)
    for _ in range(500):
        _reap(child, state)
        if not _send(signal.SIGKILL, child, spare):
            break
        time.sleep(0.01)
    _reap(child, state)


def _start(command: list[str], limits: dict[str, int], report: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.close(report)
        os.setpgid(0, 0)
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
