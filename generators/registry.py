"""Which generators there are. Names only: nothing is imported before a generator is asked for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
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
        "audio/voice_change": "generators.audio.voice_change:VoiceChange",
        "audio/tts": "generators.audio.tts:CoquiSpeech",
        "audio/tts_clone": "generators.audio.tts:CoquiClone",
        "audio/vc": "generators.audio.vc:CoquiConversion",
        "video/mouth_warp": "generators.video.mouth_warp:MouthWarp",
        "video/mouth_mute": "generators.video.mouth_warp:MouthMute",
        "video/lip_warp": "generators.video.lip_warp:LipWarp",
        "video/rewrite": "generators.video.rewrite:VideoRewrite",
        "video/face_swap": "generators.video.face_swap:FaceSwap",
        "video/still_warp": "generators.video.still_warp:StillWarp",
        "video/still_bank": "generators.video.still_bank:StillBank",
        "video/freeze": "generators.video.hold:Freeze",
        "video/loop": "generators.video.hold:Loop",
        "edit/partial": "generators.edits.partial:PartialEdit",
        "edit/own": "generators.edits.partial:OwnEdit",
        "splice/face": "generators.splice.face:FaceSplice",
        "splice/mouth": "generators.splice.mouth:MouthSplice",
        "splice/object": "generators.splice.object:ObjectSplice",
        "splice/region": "generators.splice.region:RegionSplice",
        "splice/remove": "generators.splice.remove:Removal",
        "splice/copy_move": "generators.splice.copy_move:CopyMove",
        "splice/temporal": "generators.splice.temporal:TemporalSplice",
        "manual/edit": "generators.manual.edit:ManualEdit",
    },
)


def make_generator(name: str) -> Generator:
    """Construct a generator; the same one again for the same name.

    Args:
        name: Registry name, "pkg.mod:Class", "path/to/file.py:Class", "external/ID", or "path/to/spec.toml".

    Raises:
        CmdfdError: For an unknown generator, with the nearest right one.
    """
    from generators.external.catalogue import is_external
    from generators.external.installed import config_path

    if not is_external(name):
        return _in_process(name)
    # what the user installs in the meantime counts at once, also in a process that lives on
    return _external(name, *(_stamp(path) for path in (config_path(), Path(name))))


@lru_cache(maxsize=64)
def _in_process(name: str) -> Generator:
    made: Generator = GENERATORS.load(name)()
    return made


@lru_cache(maxsize=64)
def _external(name: str, config: str, spec: str) -> Generator:
    from generators.external.adapter import external

    made: Generator = external(name)
    return made


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return f"{path}: absent"
    return f"{path}: {found.st_mtime_ns} {found.st_size}"


def make_sham(name: str) -> Generator:
    """A generator whose `sham` is asked for; one that has none, as plug-ins may, changes nothing there."""
    generator = make_generator(name)
    if hasattr(generator, "sham"):
        return generator
    from generators.sham import Sham

    return Sham()


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
