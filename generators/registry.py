"""Which generators there are. Names only: nothing is imported before a generator is asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError, nearest
from cmdfd.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generators.generator import Generator

GENERATORS = Registry(
    "generator",
    group="cmdfd.generators",
    entries={
        "sham": "generators.sham:Sham",
        "audio/swap": "generators.audio.swap:Swap",
        "audio/desync": "generators.audio.desync:Desync",
        "audio/revoice": "generators.audio.revoice:Revoice",
        "video/mouth_warp": "generators.video.mouth_warp:MouthWarp",
        "video/mouth_mute": "generators.video.mouth_warp:MouthMute",
    },
)


@lru_cache(maxsize=32)
def make_generator(name: str) -> Generator:
    """Construct a generator by registry name, "pkg.mod:Class" or "path/to/file.py:Class".

    Raises:
        CmdfdError: For an unknown generator, with the nearest right one.
    """
    made: Generator = GENERATORS.load(name)()
    return made


def resolve_params(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A generator's defaults with a recipe's parameters over them.

    Raises:
        CmdfdError: For a parameter that the generator does not have, with the nearest right one.
    """
    spec = make_generator(name).spec
    for word in params:
        if word not in spec.params:
            raise CmdfdError(f"generator {name!r} has no parameter {word!r}: {nearest(word, spec.params)}")
    return {**spec.params, **params}


def donor_streams(name: str) -> frozenset[str]:
    """Which streams of a donor a generator reads: "frames", "audio", "track".

    Decoding a picture costs more than most generators do, so those that need less say so by a class attribute
    `donor_streams`; all others get everything.
    """
    generator = make_generator(name)
    if not generator.spec.needs_donor:
        return frozenset()
    return frozenset(getattr(generator, "donor_streams", ("frames", "audio", "track")))
