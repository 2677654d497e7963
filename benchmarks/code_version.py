"""Hash of the source files that a cached result depends on, so that changed code never meets an old cache."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from functools import cache
from pathlib import Path


@cache
def code_version(*modules: str) -> str:
    """Hash the source of modules; a package is hashed with all files in its folder.

    Args:
        *modules: Importable names, e.g. "benchmarks.detectors.mds", "cmdfd.faces.crops".

    Returns:
        12 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(modules):
        for path in _files(name):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _files(name: str) -> list[Path]:
    module = importlib.import_module(name)
    source = inspect.getsourcefile(module)
    if source is None:
        return []
    path = Path(source)
    return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
