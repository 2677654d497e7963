"""How long a build will take and how much room it needs, before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from generators.registry import make_generator

if TYPE_CHECKING:
    from generators.plan import BuildPlan, PlannedTake

#: Processor seconds for one clip's harmonising, cues and checksums, and for a second of its encoding at 224 x 224;
#: measured on `cmdfd-classical` (two cores, x264 veryfast).
_CLIP_SECONDS, _ENCODE_PER_SECOND = 0.12, 0.06
#: Processor seconds for a second of a source's take: drawing a talker; finding the face in a recording;
#: aligning an edit.
_SOURCE_COST = {"talkers": 0.45, "folder": 0.6, "manual": 2.0}
#: Of a generator that does not say: as slow as the slowest built-in ones.
_UNKNOWN_COST = 1.0
#: Bits for a pixel of x264 veryfast at crf 26; six steps halve or double it. Measured on `mini-a` and `mini-folder`.
_BITS_PER_PIXEL, _CRF = 0.055, 26.0
#: Bytes for a pixel of a pristine take in the work area, lossless.
_LOSSLESS_PER_PIXEL = 0.7
#: Bytes of mask, track and rows for a second of video.
_SIDECARS = 22_000
#: Processor seconds for composing, and for sending through a platform, a million pixels; measured on `manualfake`.
_COMPOSE_PER_MEGAPIXEL, _SOCIAL_PER_MEGAPIXEL = 0.03, 0.07


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a build will need; half or twice as much is no surprise.

    Args:
        n_takes: Pristine takes.
        n_clips: Clips to be made.
        n_refused: Clips that are planned and refused already.
        seconds: Wall seconds with the given workers, or None where a generator's speed is unknown to the suite.
        set_bytes: The finished set.
        work_bytes: The work area while it is built.
        unknown: Generators whose speed is unknown.
    """

    n_takes: int
    n_clips: int
    n_refused: int
    seconds: float
    set_bytes: float
    work_bytes: float
    unknown: tuple[str, ...]


def estimate(plan: BuildPlan, workers: int) -> Estimate:
    """Estimate a build from what was measured of its parts.

    Args:
        plan: The plan.
        workers: Worker processes, at most as many as there are cores.
    """
    form = plan.recipe.harmonise
    made = [(take, clip) for take in plan.takes for clip in take.clips if clip.refused is None]
    names = {clip.slot.generator for _, clip in made}
    costs = {name: make_generator(name).spec.cost for name in names}
    unknown = tuple(sorted(name for name, cost in costs.items() if cost is None and name != "sham"))
    take_seconds = float(plan.recipe.source.options.get("seconds", form.seconds + 0.6))
    processor = len(plan.takes) * take_seconds * _SOURCE_COST.get(plan.recipe.source.kind, _UNKNOWN_COST)
    crf, set_bytes = sum(form.crf) / 2, 0.0
    for take, clip in made:
        pixels = _pixels(plan, take)
        cost = costs[clip.slot.generator]
        known = 0.0 if clip.slot.generator == "sham" else _UNKNOWN_COST if cost is None else cost
        per_second = known + _ENCODE_PER_SECOND * pixels / (224 * 224 * 25)
        per_second += _COMPOSE_PER_MEGAPIXEL * pixels / 1e6 if take.scene else 0.0
        if clip.original:
            per_second = _SOCIAL_PER_MEGAPIXEL * pixels / 1e6
        processor += _CLIP_SECONDS + form.seconds * per_second
        rate = pixels * _BITS_PER_PIXEL * 2 ** ((_CRF - crf) / 6) / 8 + form.audio_bit_rate / 8 + _SIDECARS
        set_bytes += form.seconds * rate
    panel = float(plan.recipe.source.options.get("size", form.width)) ** 2 * form.fps
    return Estimate(
        n_takes=len(plan.takes),
        n_clips=len(made),
        n_refused=sum(clip.refused is not None for take in plan.takes for clip in take.clips),
        seconds=processor / max(workers, 1),
        set_bytes=set_bytes,
        work_bytes=len(plan.takes) * take_seconds * panel * _LOSSLESS_PER_PIXEL,
        unknown=unknown,
    )


def _pixels(plan: BuildPlan, take: PlannedTake) -> float:
    """Pixels that a second of a take's clips has."""
    form, scenes = plan.recipe.harmonise, plan.recipe.scenes
    if take.scene is None or scenes is None:
        return form.width * form.height * form.fps
    from generators.splice.scenes.layouts import layout_of

    width, height = layout_of(take.scene.layout).canvas(scenes.long_edge)
    return width * height * form.fps
