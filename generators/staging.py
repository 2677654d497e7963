"""From what a generator made to what goes into the common stage: as it is, or as one panel of a scene."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from cmdfd.clip import Labels, Segment
from generators.rows import in_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from generators.bench import Bench
    from generators.generator import Outcome, Take
    from generators.splice.scenes.compose import Composed, Panel


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A take with what is forged in it, ready for the common stage.

    Args:
        take: Picture, sound and track.
        masks: [T, H, W] uint8, or None where no pixels were changed.
        segments: Forged stretches on the take's clock.
        start: Seconds at which the window of the written clip begins in the take.
    """

    take: Take
    masks: NDArray[np.uint8] | None
    segments: tuple[Segment, ...]
    start: float


def plain_scene(bench: Bench) -> Take:
    """The scene of a take with nothing forged, its time 0 at the window's begin; composed once.

    Raises:
        MediaError: If one of those who stand beside it cannot be had, or is shorter than the clip.
    """
    if bench.plain is None:
        bench.plain = _composed(bench, bench.take, None, {}).take
    return bench.plain


def joined(outcome: Outcome, beside: Mapping[int, Outcome]) -> Outcome:
    """An outcome whose labels and details also tell of those who stand beside the take and are forged too.

    A label is 1 where it is for anybody, else unknown where it is for anybody. Who drives somebody beside the take is
    another person, so an identity that the generator leaves open is a mismatch there.
    """
    if not beside:
        return outcome

    def united_label(name: str) -> int | None:
        found = [getattr(outcome.labels, name)]
        others = [getattr(one.labels, name) for one in beside.values()]
        found += [1 if other is None and name == "identity_mismatch" else other for other in others]
        return 1 if 1 in found else None if None in found else 0

    labels = Labels(**{field.name: united_label(field.name) for field in fields(Labels)})
    told = {"beside": [{"panel": index + 1, **one.details} for index, one in beside.items()]}
    return replace(outcome, labels=labels, details={**outcome.details, **told})


def stage(bench: Bench, outcome: Outcome, on: str, beside: Mapping[int, Outcome]) -> Staged:
    """Put an outcome where it belongs.

    Args:
        bench: What the clips of its take share.
        outcome: What the generator made of the take, or of the scene where `on` says so.
        on: "panel" or "scene".
        beside: Outcomes of those who stand beside it and are forged too, by their number.

    Returns:
        The outcome itself where there is no scene.
    """
    if bench.scene is None:
        return Staged(outcome.take, outcome.masks, outcome.segments, bench.start)
    if on == "scene":
        return Staged(outcome.take, outcome.masks, outcome.segments, 0.0)
    segments = outcome.segments
    if beside:
        segments = united([segment for one in (outcome, *beside.values()) for segment in one.segments])
    inside = in_window(segments, bench.start, bench.settings.seconds)
    if not beside and outcome.take is bench.take:
        return Staged(plain_scene(bench), None, inside, 0.0)
    from generators.splice.scenes.compose import mix

    if not beside and outcome.masks is None and outcome.take.frames is bench.take.frames:  # another sound alone
        plain = plain_scene(bench)
        seconds = len(plain.audio) / plain.sample_rate
        sound = mix(bench.scene, _panels(bench, outcome.take, None, {}), bench.start, seconds)
        return Staged(replace(plain, audio=sound), None, inside, 0.0)
    made = _composed(bench, outcome.take, outcome.masks, beside)
    return Staged(made.take, made.masks, inside, 0.0)


def united(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments of several people in one picture: what overlaps or touches in one stream becomes one stretch."""
    found: list[Segment] = []
    for segment in sorted(segments, key=lambda one: (one.modality, one.start)):
        last = found[-1] if found else None
        if last is not None and last.modality == segment.modality and segment.start <= last.end:
            found[-1] = Segment(last.start, max(last.end, segment.end), last.modality)
        else:
            found.append(segment)
    return tuple(sorted(found, key=lambda one: (one.start, one.modality)))


def _composed(bench: Bench, take: Take, masks: NDArray[np.uint8] | None, beside: Mapping[int, Outcome]) -> Composed:
    from generators.splice.scenes.compose import compose

    if bench.scene is None:
        raise ValueError("there is no scene to compose")
    speech = bench.take.speech  # captions say what the genuine take says, whatever is forged
    words = speech.words if speech is not None else None
    panels = _panels(bench, take, masks, beside)
    return compose(bench.scene, panels, bench.start, bench.settings.seconds, words=words)


def _panels(bench: Bench, take: Take, masks: NDArray[np.uint8] | None, beside: Mapping[int, Outcome]) -> list[Panel]:
    """The take's panel first, then those of the others, forged or as they are."""
    from generators.splice.scenes.compose import Panel

    found = [Panel(take, masks)]
    for index, key in enumerate(bench.bystanders):
        other = beside.get(index)
        found.append(Panel(bench.lender(key).take) if other is None else Panel(other.take, other.masks))
    return found
