"""Which version of a generator ran: commit, changes, packages of its environment, hashes of its weights."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
from typing import TYPE_CHECKING, Any

from generators.external.check import hash_of, runtime_of, weight_path

if TYPE_CHECKING:
    from pathlib import Path

    from generators.external.installed import Installed
    from generators.external.spec import ExternalSpec

_SECONDS = 60.0
#: What decides how a program works, as far as it is text; a larger file is none.
_CODE = frozenset({
    ".py", ".pyx", ".c", ".cc", ".cpp", ".cu", ".h", ".sh", ".yaml", ".yml", ".json", ".toml", ".cfg", ".ini",
})  # fmt: skip
_CODE_BYTES = 1 << 20
#: Asked of the generator's own interpreter, which may be as old as Python 3.6.
_PACKAGES = """
import sys
try:
    from importlib.metadata import distributions
    found = [(d.metadata["Name"] or "", d.version or "") for d in distributions()]
except ImportError:
    import pkg_resources
    found = [(d.project_name, d.version) for d in pkg_resources.working_set]
print(sys.version.split()[0])
print("\\n".join(sorted("%s==%s" % (n.lower().replace("_", "-"), v) for n, v in found)))
"""


def origin_of(spec: ExternalSpec, installed: Installed) -> dict[str, Any]:
    """Facts for the record, each None where it cannot be told.

    Returns:
        `commit`, `dirty` (tracked files were changed), `code` (SHA-256 of the checkout's small files, where no clean
        commit tells what they hold), `weights` (SHA-256 by name), and `environment` (SHA-256 of the list of packages).
    """
    commit, dirty = git_state(installed.checkout) if installed.checkout is not None else (None, None)
    weights = {}
    for one in spec.weights:
        path = weight_path(one, installed)
        if path is not None and path.exists():
            weights[one.name] = hash_of(path)
    python = installed.python if runtime_of(spec, installed) == "python" else None
    told_by_git = commit is not None and dirty is False
    code = None if installed.checkout is None or told_by_git else code_hash(installed.checkout)
    return {
        "commit": commit,
        "dirty": dirty,
        "code": code,
        "weights": weights,
        "environment": packages_hash(python) if python is not None else None,
    }


@functools.lru_cache(maxsize=32)
def code_hash(checkout: Path) -> str | None:
    """SHA-256 over names and bytes of the code and settings of a checkout; None where it cannot be read.

    Pictures, sounds and weights do not count, nor does what a run leaves behind; asked once in a process.
    """
    digest = hashlib.sha256()
    try:
        for path in sorted(checkout.rglob("*")):
            inside = path.relative_to(checkout)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
            if hidden or path.suffix not in _CODE or not path.is_file() or path.stat().st_size > _CODE_BYTES:
                continue
            data = path.read_bytes()
            digest.update(f"{inside.as_posix()} {len(data)}\n".encode("utf-8", "surrogateescape") + data)
    except (OSError, RuntimeError):  # a folder that cannot be read, a loop of links
        return None
    return digest.hexdigest()


@functools.lru_cache(maxsize=32)
def git_state(checkout: Path) -> tuple[str | None, bool | None]:
    """Commit of a checkout, and whether tracked files were changed; None, None where git does not tell.

    Asked once in a process: it is about the code, which does not change during a build.
    """
    commit = _git(checkout, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def _git(checkout: Path, *arguments: str) -> str | None:
    # the folder may belong to another user, and its own settings may name programs to start
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [*command, "-C", str(checkout), *arguments],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env=environment | {"GIT_CEILING_DIRECTORIES": str(checkout.parent)},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


@functools.lru_cache(maxsize=32)
def packages_hash(python: Path) -> str | None:
    """SHA-256 of an interpreter's version and the packages that it finds, or None where it does not tell."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", _PACKAGES], capture_output=True, timeout=_SECONDS, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return hashlib.sha256(done.stdout).hexdigest() if done.returncode == 0 else None
