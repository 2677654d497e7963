"""Pages as programs: their fenced blocks in order, and a Python that runs their commands away from the source tree."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: The set of all three pages: built once for the session, see conftest.py.
BUILD = "python -m generators.build mini-b --limit 3 --out data/mini-b"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """Words of every command line of a bash block, without the leading `python`."""
        words = [shlex.split(line) for line in self.text.replace("\\\n", " ").splitlines()]
        assert all(one[0] == "python" for one in words), self.text
        return [one[1:] for one in words]


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page of docs/, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def with_names(words: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Words of a command with the capital placeholders of the page (RUN, BOARD, PERSON) replaced."""
    pattern = re.compile("|".join(rf"(?<![A-Z]){name}(?![A-Z])" for name in names)) if names else None
    return [pattern.sub(lambda found: names[found[0]], word) if pattern else word for word in words]


def python(
    words: Iterable[str], cwd: Path, extra: Mapping[str, str] | None = None, timeout: float = 200
) -> subprocess.CompletedProcess[str]:
    """Run this Python in a folder; the source tree is importable.

    Args:
        words: Arguments of the interpreter.
        cwd: Working folder.
        extra: The whole environment instead of this process's.
        timeout: Seconds.
    """
    env = {**(extra or os.environ), "PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=env)


def ran(done: subprocess.CompletedProcess[str]) -> str:
    """What a command printed that must have ended well."""
    assert done.returncode == 0, f"{done.args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
