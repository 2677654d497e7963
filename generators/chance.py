"""Where chance comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmdfd.clip import content_id


def stream(*parts: Any) -> np.random.Generator:
    """The random stream of a thing: a pure function of its names, so that no draw depends on any other."""
    return np.random.default_rng(int(content_id(*parts, length=32), 16))
