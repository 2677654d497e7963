"""The pictures of a take and its edit held against each other and against the matte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.clip import Modality
from cmdfd.media.masks import forged
from generators.manual.difference import Comparer, filled, lasting, softened
from generators.manual.extent import extent_of
from generators.manual.segments import runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmdfd.clip import Segment
    from generators.manual.matte import Matte

    Bools = NDArray[np.bool_]

DERIVED = "derived from the difference"
#: The margin around a matte in which differences count as inside: blur and subsampled colour reach over its edge;
#: pixels of a picture of 640.
_MARGIN = 6
#: A matte may be held over frames that show no difference in it; more than this share is worth a warning.
_MUCH = 0.25
#: A matte of one shape (its smallest extent over its largest, over the frames that have it) says where, not when.
_STATIC = 0.98
#: By this factor frames that differ must exceed quiet ones, in their mean difference, for others to be likened to them.
_STANDS_OUT = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Where two pictures differ.

    Args:
        masks: [T, H, W] uint8, soft; the matte, or what was derived.
        frames: [T], which frames differ (inside the matte, where there is one).
        matte: "luma video", "alpha image" and so on, or `DERIVED`.
        outside: Share of the pixels outside the matte that differ beyond codec noise, over all frames.
        share: Share of the picture that the mask covers, over the frames that have one.
        coverage: Share of the mask's pixels that differ.
        extent: Share of the mask that lies among what was changed, see `generators.manual.extent`; 1 without a matte.
        noise: Levels (sigma) of the codec noise.
        tone: Levels by which brightness or colour differ everywhere.
        residual: Mean square of the difference where nothing was edited.
        inverted: Whether the matte looks as if it were.
        warnings: What is let pass.
    """

    masks: NDArray[np.uint8]
    frames: Bools
    matte: str
    outside: float
    share: float
    coverage: float
    extent: float
    noise: float
    tone: float
    residual: float
    inverted: bool
    warnings: tuple[str, ...]

    def masks_in(self, segments: Sequence[Segment], fps: float) -> NDArray[np.uint8] | None:
        """The masks of frames in segments that concern the picture; None where there are none."""
        inside = np.zeros(len(self.masks), bool)
        times = (np.arange(len(self.masks)) + 0.5) / fps
        for one in segments:
            if one.modality is not Modality.AUDIO:
                inside |= (times > one.start) & (times < one.end)
        if not inside.any():
            return None
        masks = np.where(inside[:, None, None], self.masks, 0).astype(np.uint8)
        return masks if forged(masks).any() else None


def outside_of(levels: NDArray[np.uint8]) -> Bools:
    """[T, H, W]: what lies outside a matte and its margin."""
    radius = _radius(levels.shape)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.stack([cv2.dilate((one > 0).astype(np.uint8), disc) == 0 for one in levels])


def _radius(shape: tuple[int, ...]) -> int:
    return max(2, round(_MARGIN * max(shape[1:3]) / 640))


def compare_pictures(comparer: Comparer, matte: Matte | None, *, strict: bool) -> Compared:
    """Find where the pictures of a pair differ.

    Args:
        comparer: Made of the pair.
        matte: On the take's frames and canvas, or None to derive one.
        strict: Without it, what differs outside the matte joins the mask.
    """
    n = comparer.length
    changed = lasting(np.stack([comparer.changed(k) for k in range(n)]), comparer.smallest)
    if matte is None:
        masks = np.stack([softened(filled(one, max(one.shape))) for one in changed])
        frames = np.asarray(changed.any(axis=(1, 2)), np.bool_)
        return _result(comparer, changed, masks, frames, DERIVED, np.zeros_like(changed), ())
    beyond = outside_of(matte.levels)
    inside = changed & ~beyond
    frames = inside.sum(axis=(1, 2)) >= max(3, comparer.smallest // 2)
    masks = matte.levels
    extent = extent_of(comparer, inside, forged(masks), beyond, frames)
    warnings: list[str] = []
    if matte.seconds is None or _is_static(masks):  # one shape for all frames says where, not when
        frames = _like(comparer, masks, frames)
        seen = np.zeros(n, bool)
        for start, end in runs(frames, 25.0):
            seen[round(start * 25) : round(end * 25)] = True
        masks = np.where(seen[:, None, None], masks, 0).astype(np.uint8)
    else:
        on = forged(masks).any(axis=(1, 2))
        idle = float((on & ~frames).sum() / max(on.sum(), 1))
        if idle > _MUCH:
            warnings.append(f"nothing differs in {idle:.0%} of the frames that have a matte")
    outside = changed & beyond
    if not strict and outside.any():
        extra = np.stack([softened(filled(one, max(one.shape))) for one in outside])
        masks, frames = np.maximum(masks, extra), frames | outside.any(axis=(1, 2))
        warnings.append("differences outside the matte were added to it")
    kind = f"{matte.kind} {'image' if matte.seconds is None else 'video'}"
    return _result(comparer, changed, masks, frames, kind, outside, tuple(warnings), extent)


def _is_static(levels: NDArray[np.uint8]) -> bool:
    """Whether a matte has one shape in all frames in which it is seen."""
    yes = forged(levels)
    yes = yes[yes.any(axis=(1, 2))]
    return len(yes) > 1 and bool(yes.all(axis=0).sum() >= _STATIC * yes.any(axis=0).sum())


def _like(comparer: Comparer, levels: NDArray[np.uint8], frames: Bools) -> Bools:
    """Frames that differ, and those whose mean difference inside the matte is like theirs.

    A weak tint stands out of the noise in a few frames only, pixel by pixel; its mean over the matte does in all.
    """
    if not frames.any():
        return frames
    yes = forged(levels)
    means = np.array([comparer.difference(k)[one].mean() if one.any() else 0.0 for k, one in enumerate(yes)])
    quiet, loud = float(np.percentile(means[yes.any(axis=(1, 2))], 5)), float(np.median(means[frames]))
    if loud < _STANDS_OUT * quiet:  # nothing tells the two apart; or all frames differ
        return frames
    return np.asarray(frames | (means > (quiet + loud) / 2), np.bool_)


def _result(
    comparer: Comparer,
    changed: Bools,
    masks: NDArray[np.uint8],
    frames: Bools,
    kind: str,
    outside: Bools,
    warnings: tuple[str, ...],
    extent: float = 1.0,
) -> Compared:
    yes = forged(masks)
    free = ~yes if kind == DERIVED else outside_of(masks)
    rows = np.unique(np.linspace(0, len(masks) - 1, min(16, len(masks))).astype(int))
    parts = [comparer.residual(int(row), free[row]) for row in rows if free[row].any()]
    on = yes.any(axis=(1, 2))
    beyond = max(int((~yes).sum()) if kind == DERIVED else int(outside_of(masks).sum()), 1)
    differing = int(changed.sum())
    return Compared(
        masks=masks,
        frames=frames,
        matte=kind,
        outside=float(outside.sum()) / beyond,
        share=float(yes[on].mean()) if on.any() else 0.0,
        coverage=float((changed & yes).sum() / max(int(yes.sum()), 1)),
        extent=extent,
        noise=float(np.median(comparer.noise.sigmas)),
        tone=comparer.tone.strength,
        residual=float(np.median(parts)) if parts else float("nan"),
        inverted=differing > 0 and float(outside.sum()) > 0.9 * differing and bool(yes.mean() > 0.5),
        warnings=warnings,
    )


def mask_runs(compared: Compared, matte: Matte | None, fps: float) -> tuple[tuple[float, float], ...]:
    """Stretches in which the picture was edited, seconds.

    Under a matte video, a stretch is as long as its matte is seen without a break, if anything differs in it; the mask
    of a matte that keeps its shape has been cut to the frames that differ.
    """
    if matte is None or matte.seconds is None:
        return runs(compared.frames, fps)
    on = np.asarray(forged(compared.masks).any(axis=(1, 2)), np.bool_)
    found = []
    for start, end in runs(on, fps):
        if compared.frames[round(start * fps) : round(end * fps)].any():
            found.append((start, end))
    return tuple(found)
