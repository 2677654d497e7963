"""What a result was made with: versions and the state of the code."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import cmdfd

PACKAGES = (
    "av",
    "imageio-ffmpeg",
    "mediapipe",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "torch",
    "espeakng-loader",
)


def now() -> str:
    """Time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Versions that decide numbers. No host, no user, no path."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cmdfd": cmdfd.__version__,
        "git": git_revision(),
        "packages": packages,
        "ffmpeg": _ffmpeg_version(),
        "torch_threads": _torch_threads(),
    }


def git_revision() -> dict[str, Any] | None:
    """Commit of the checkout that this package was imported from, with a dirty flag; None outside one."""
    folder = Path(cmdfd.__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": dirty}


def _git(folder: Path, *words: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise OSError("git is not installed")
    done = subprocess.run([git, *words], cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _ffmpeg_version() -> str:
    """Version of the libraries inside PyAV: they decode and encode everything."""
    import av

    versions = av.library_versions
    return ", ".join(f"{name} {'.'.join(map(str, version))}" for name, version in sorted(versions.items()))


def _torch_threads() -> int | None:
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else None
