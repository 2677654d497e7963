"""The folder of one attempt at a job, and what its program sees of the machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from generators.external.installed import Installed
    from generators.external.spec import ExternalSpec

#: Root of all scratch folders.
SCRATCH = "CMDFD_SCRATCH"
#: "1" keeps the folder of a job that failed.
KEEP = "CMDFD_KEEP_SCRATCH"
PREFIX, KEPT = "cmdfd-job-", "cmdfd-kept-"
#: What the box holds, before and after.
BOXES = ("checkout", "home", "tmp")


@dataclass(frozen=True, slots=True)
class JobFolder:
    """Folders of one attempt.

    Args:
        top: All of it.
    """

    top: Path

    @property
    def box(self) -> Path:
        """What the program may write: `checkout` (the shadow), `home`, `tmp`."""
        return self.top / "box"

    @property
    def root(self) -> Path:
        """The shadow checkout."""
        return self.box / "checkout"

    @property
    def logs(self) -> Path:
        """Folder of the files "stdout" and "stderr"."""
        return self.top / "logs"

    @property
    def programs(self) -> Path:
        """Folder of links to programs that PATH lacks."""
        return self.top / "bin"


def scratch_root() -> Path:
    """Where jobs work: `$CMDFD_SCRATCH`, else a folder of this user below the platform's temporary one."""
    named = os.environ.get(SCRATCH)
    root = Path(named).expanduser() if named else Path(tempfile.gettempdir()) / f"cmdfd-{os.getuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if root.stat().st_uid != os.getuid():
        raise CmdfdError(f"{root} belongs to somebody else; name another folder by ${SCRATCH}")
    sweep(root.resolve())
    return root.resolve()


def _owner() -> str:
    """Names this machine and process in a folder's name, so that what a killed process leaves can be told."""
    return f"{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}-{os.getpid()}"


def scratch_prefix(head: str) -> str:
    """Beginning of the name of a scratch folder of this process."""
    return f"{PREFIX}{head}-{_owner()}-"


@functools.lru_cache(maxsize=8)
def sweep(root: Path) -> tuple[Path, ...]:
    """Remove what killed processes of this machine have left in a scratch root; once in a process.

    Returns:
        The folders that were removed.
    """
    host, found = _owner().split("-")[0], []
    for path in root.glob(f"{PREFIX}*"):
        parts = path.name.removeprefix(PREFIX).split("-")
        if len(parts) == 4 and parts[1] == host and parts[2].isdigit() and not _is_alive(int(parts[2])):
            _remove(path)
            found.append(path)
    return tuple(found)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def job_folder(address: str, root: Path) -> Iterator[JobFolder]:
    """A fresh folder, removed afterwards; after an error and with `$CMDFD_KEEP_SCRATCH` = 1 it is kept, renamed.

    Args:
        address: Content address of the job; its head is part of the name.
        root: Of `scratch_root`.
    """
    folder = JobFolder(Path(tempfile.mkdtemp(prefix=scratch_prefix(address[:16]), dir=root)))
    try:
        for one in (folder.box, folder.box / "home", folder.box / "tmp", folder.logs, folder.programs):
            one.mkdir()
        yield folder
    except BaseException:
        if os.environ.get(KEEP) == "1":
            folder.top.rename(root / folder.top.name.replace(PREFIX, KEPT, 1))
        else:
            _remove(folder.top)
        raise
    _remove(folder.top)


def _remove(top: Path) -> None:
    """Remove a tree, also where a program took rights away from its own folders."""
    shutil.rmtree(top, ignore_errors=True)
    if top.exists():
        for place, folders, _ in os.walk(top):
            for name in folders:  # before they are entered
                inner = Path(place) / name
                with contextlib.suppress(OSError):
                    if not inner.is_symlink():
                        inner.chmod(0o700)
        shutil.rmtree(top, ignore_errors=True)


def environment_of(
    spec: ExternalSpec, installed: Installed, folder: JobFolder, fixed: Mapping[str, str]
) -> dict[str, str]:
    """All variables that a program sees.

    Args:
        spec: The generator.
        installed: The user's table.
        folder: The job's folder.
        fixed: The spec's variables, placeholders filled.

    Returns:
        PATH, a fixed language, private folders, switches that keep libraries off the network, the spec's own, and
        those of the user's that the user's table allows. No proxies, no tokens.
    """
    home, temporary = str(folder.box / "home"), str(folder.box / "tmp")
    path = [str(folder.programs)] if any(folder.programs.iterdir()) else []
    path += [str(installed.python.parent)] if installed.python is not None else []
    path.append(os.environ.get("PATH", os.defpath))
    found = {
        "PATH": os.pathsep.join(path), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": home,
        "TMPDIR": temporary, "TMP": temporary, "TEMP": temporary, "XDG_CACHE_HOME": f"{home}/.cache",
        "XDG_CONFIG_HOME": f"{home}/.config", "XDG_DATA_HOME": f"{home}/.local/share", "NUMBA_CACHE_DIR": temporary,
        "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "UV_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg", "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }  # fmt: skip
    if installed.device == "cpu":
        found["CUDA_VISIBLE_DEVICES"] = ""
    found |= fixed
    return found | {name: os.environ[name] for name in installed.env_allow if name in os.environ}


def supply_ffmpeg(spec: ExternalSpec, folder: JobFolder) -> list[Path]:
    """Put a link called ffmpeg where PATH has no such program; returns what it leads to."""
    if "ffmpeg" not in spec.run.needs or shutil.which("ffmpeg") is not None:
        return []
    from cmdfd.media.ffmpeg import find_ffmpeg

    program = find_ffmpeg()
    (folder.programs / "ffmpeg").symlink_to(program)
    return [program]
