"""Containment by bubblewrap: everything can be read, only the job's own folder can be written, there is no network.

Where `bwrap` is not installed, or may not make namespaces (common inside containers), jobs run uncontained and their
record says so.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from generators.external.check import gpu_nodes

#: "off" runs uncontained even where bubblewrap works; "require" refuses to run without.
ENVIRONMENT = "CMDFD_CONTAIN"
NOT_CONTAINED = "not contained"
_PROBE_SECONDS = 20.0
_NAMESPACES = ("--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net")
#: Folders whose content a contained program does not see: others' files and sockets.
_HIDDEN = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - they are hidden, not used
#: What lies in a home folder and is nobody's business.
_PRIVATE = (".ssh", ".gnupg", ".aws", ".config/gcloud", ".kube", ".docker", ".netrc", ".git-credentials",
            ".cache/huggingface/token", ".cache/huggingface/stored_tokens", ".huggingface/token")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Containment:
    """Whether bubblewrap works here.

    Args:
        program: Its path, "" where it does not.
        label: For records: "bubblewrap 0.8.0", or `NOT_CONTAINED`.
        reason: Why not, "" where it does.
    """

    program: str
    label: str
    reason: str = ""


@functools.lru_cache(maxsize=1)
def probe() -> Containment:
    """Try bubblewrap once by running it as jobs do."""
    program = shutil.which("bwrap")
    if program is None:
        return Containment("", NOT_CONTAINED, "bwrap is not installed (the Debian package bubblewrap)")
    command = [program, *_NAMESPACES, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]  # noqa: S108
    try:
        version = subprocess.run([program, "--version"], capture_output=True, timeout=_PROBE_SECONDS, check=True)
        subprocess.run([*command, "--", "/bin/true"], capture_output=True, timeout=_PROBE_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        return Containment("", NOT_CONTAINED, f"bwrap does not work here: {reason[-1] if reason else error}")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Containment("", NOT_CONTAINED, f"bwrap does not work here: {error}")
    return Containment(program, version.stdout.decode("utf-8", "replace").strip())


def contained(
    command: list[str], containment: Containment, *, folder: Path, writable: Path, jobs: Path, readable: list[Path]
) -> list[str]:
    """A command that runs another one inside bubblewrap.

    Args:
        command: What to run.
        containment: Of `probe`; must be one that works.
        folder: Working folder.
        writable: The only folder that can be written, besides private /tmp, /var/tmp and /run.
        jobs: The folder in which the jobs of all have theirs; `writable` lies below it.
        readable: Files and folders that the program needs; what of them lies in a hidden folder is shown again.

    Returns:
        The argument list.
    """
    arguments = [containment.program, *_NAMESPACES, "--new-session", "--ro-bind", "/", "/", "--dev", "/dev"]
    for node in gpu_nodes():
        arguments += ["--dev-bind", str(node), str(node)]
    arguments += ["--proc", "/proc"]
    for hidden in _HIDDEN:
        if Path(hidden).is_dir() and not Path(hidden).is_symlink():
            arguments += ["--tmpfs", hidden]
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none
    for shown in _hidden_ones([*readable, home]):
        arguments += ["--ro-bind", shown, shown]
    for name in _PRIVATE:
        secret = home / name
        if secret.is_dir():
            arguments += ["--tmpfs", str(secret)]
        elif secret.is_file():
            arguments += ["--ro-bind", "/dev/null", str(secret)]
    # the folder of all jobs is empty but for this one, and closed: a hidden folder around it would take any file
    arguments += ["--tmpfs", str(jobs), "--bind", str(writable), str(writable)]
    for path in readable:
        if path.is_relative_to(jobs) and path.exists() and not path.is_relative_to(writable):
            arguments += ["--ro-bind", str(path), str(path)]
    arguments += ["--remount-ro", str(jobs)]
    return [*arguments, "--chdir", str(folder), "--", *command]


def _hidden_ones(paths: list[Path]) -> list[str]:
    """Those that lie in a hidden folder, outermost ones alone: they show what is inside them."""
    found: set[Path] = set()
    for path in paths:
        for one in (path.absolute(), path.resolve()):
            if one.exists() and any(one.is_relative_to(hidden) for hidden in _HIDDEN) and str(one) not in _HIDDEN:
                found.add(one)
    kept: dict[Path, None] = {}
    for one in sorted(found, key=lambda one: (len(one.parts), one)):
        # bubblewrap takes 9000 arguments, and a checkout may hold more large files than that
        if not any(outer in kept for outer in one.parents):
            kept[one] = None
    return [str(one) for one in kept]
