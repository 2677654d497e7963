"""Who speaks: the pooled eSpeak NG voice variants, dealt out so that no two splits or casts share one.

Every cell (cast and split) has variants for its talkers and reserved ones that no talker uses: those speak the same
words in `audio/revoice`. All names were heard with every accent below; none is silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import SPLITS

if TYPE_CHECKING:
    from collections.abc import Mapping

CASTS = ("a", "b")
#: Accents whose names eSpeak NG 1.52 accepts together with a variant (several that look right are refused).
ACCENTS = ("en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-029")


@dataclass(frozen=True, slots=True)
class Pool:
    """The variants of one sex in one cell."""

    talkers: tuple[str, ...]
    reserved: tuple[str, ...]


def _pool(talkers: str, reserved: str) -> Pool:
    return Pool(tuple(talkers.split()), tuple(reserved.split()))


#: (cast, split, sex) -> variants; 20 male and 13 female ones, each once.
POOLS: Mapping[tuple[str, str, str], Pool] = {
    ("a", "train", "male"): _pool("m1 m3 Andy Alex", "m5"),
    ("a", "train", "female"): _pool("f1 f4", "Annie"),
    ("a", "validation", "male"): _pool("m2", "Mike"),
    ("a", "validation", "female"): _pool("linda", "f3"),
    ("a", "test", "male"): _pool("m7 Lee", "ed"),
    ("a", "test", "female"): _pool("Andrea", "steph"),
    ("b", "train", "male"): _pool("m4 david zac caleb", "m6"),
    ("b", "train", "female"): _pool("f2", "belinda"),
    ("b", "validation", "male"): _pool("m8", "rob"),
    ("b", "validation", "female"): _pool("f5", "aunty"),
    ("b", "test", "male"): _pool("Michael quincy", "john"),
    ("b", "test", "female"): _pool("Alicia", "anika"),
}


def cell_index(cast: str, split: str) -> int:
    """Number of a cell, 0 to 5; ValueError for an unknown cast or split."""
    return CASTS.index(cast) * len(SPLITS) + SPLITS.index(split)


def draw_voice(cast: str, split: str, sex: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw a talker's voice.

    Args:
        cast: One of `CASTS`.
        split: One of `cmdfd.clip.SPLITS`.
        sex: "male" or "female".
        rng: The voice's own stream.

    Returns:
        JSON-able: `name` (for eSpeak NG), `accent`, `variant`, `rate` (words per minute), `pitch` and `range` (0-99).
    """
    accent = ACCENTS[int(rng.integers(len(ACCENTS)))]
    talkers = POOLS[cast, split, sex].talkers
    variant = talkers[int(rng.integers(len(talkers)))]
    low, high = (25, 60) if sex == "male" else (45, 75)
    return {
        "name": f"{accent}+{variant}",
        "accent": accent,
        "variant": variant,
        "rate": int(rng.integers(140, 190)),
        "pitch": int(rng.integers(low, high)),
        "range": int(rng.integers(35, 75)),
    }


def draw_reserved(
    cast: str, split: str, sex: str, voice: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Draw the reserved voice that forges a talker: same accent and rate (so the same sounds), other timbre and pitch.

    Args:
        cast: One of `CASTS`.
        split: One of `cmdfd.clip.SPLITS`.
        sex: "male" or "female".
        voice: The talker's own voice.
        rng: A stream of its own.

    Returns:
        A voice in the form of `draw_voice`; its variant belongs to no talker.
    """
    reserved = POOLS[cast, split, sex].reserved
    variant = reserved[int(rng.integers(len(reserved)))]
    shift = int(rng.integers(8, 16)) * (1 if rng.random() < 0.5 else -1)
    return {
        **voice,
        "name": f"{voice['accent']}+{variant}",
        "variant": variant,
        "pitch": int(np.clip(voice["pitch"] + shift, 10, 90)),
        "range": int(rng.integers(35, 75)),
    }
