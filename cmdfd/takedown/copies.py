"""Where programs of this machine keep whole clips that they fetched from the Hub."""

from __future__ import annotations

import os
from pathlib import Path

from cmdfd.cache import cache_dir


def hub_copies() -> tuple[Path, ...]:
    """Folders of sets that were audited by their name on the Hub, and of `huggingface_hub` and `datasets`.

    The variables and defaults are those of the two libraries (huggingface_hub 2.4 `constants.py`, datasets 5.2
    `config.py`), which need not be installed where somebody is taken out.
    """
    xdg = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("HF_HOME") or f"{xdg}/huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or home / "hub"
    rows = os.environ.get("HF_DATASETS_CACHE") or home / "datasets"
    found = (cache_dir() / "hub", Path(hub), Path(rows))
    return tuple(dict.fromkeys(Path(os.path.expandvars(path)).expanduser() for path in found))
