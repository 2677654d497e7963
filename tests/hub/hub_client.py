"""Runs the real Hub clients in a process of their own, against a loopback Hub."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loopback_hub import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]


def client_environment(url: str, home: Path, token: str | None = OWNER) -> dict[str, str]:
    """The environment in which huggingface_hub and datasets talk to nothing but `url`.

    Args:
        url: Address of a Hub.
        home: Folder for caches; must be empty or of an earlier client of the same test.
        token: None for nobody.
    """
    kept = {
        k: v for k, v in os.environ.items() if not k.upper().startswith(("HF_", "HUGGING")) and "proxy" not in k.lower()
    }
    environment = kept | {
        "HF_ENDPOINT": url, "HF_HOME": str(home), "HF_DATASETS_CACHE": str(home / "datasets"),
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "NO_PROXY": "*", "no_proxy": "*",
        "PYTHONPATH": str(ROOT), "HOME": str(home), "TOKENIZERS_PARALLELISM": "false",
        "USE_TORCH": "0",  # `datasets` would import PyTorch for nothing, which takes longer than most of these tests
    }  # fmt: skip
    return environment | ({"HF_TOKEN": token} if token is not None else {})


@contextlib.contextmanager
def client(
    url: str, what: str | Sequence[str], *, token: str | None = OWNER, home: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a client and leave it to the caller; it is killed at the end. `what`: see `run_client`."""
    with tempfile.TemporaryDirectory(prefix="hub-client-", ignore_cleanup_errors=True) as temporary:
        arguments = ["-c", what] if isinstance(what, str) else list(what)
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=client_environment(url, home or Path(temporary), token),
            cwd=temporary,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def run_client(
    hub: object, what: str | Sequence[str], *, token: str | None = OWNER, timeout: float = 120, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with the real clients against a Hub and wait for it.

    Args:
        hub: A `LoopbackHub`, or its address.
        what: Python code, or the interpreter's arguments, e.g. ["-m", "cmdfd.publish", ...]. The repository's root is
            importable; the working folder is an empty one, so give absolute paths.
        token: Token of the user (`OWNER`, `STRANGER`, `READER`); None for nobody.
        timeout: Seconds.
        home: Folder of caches to keep between two clients; a new one each time by default.
    """
    url = hub if isinstance(hub, str) else str(hub.url)  # type: ignore[attr-defined]
    with client(url, what, token=token, home=home) as process:
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def checked(done: subprocess.CompletedProcess[str]) -> str:
    """Standard output of a client that must have ended well."""
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
