"""Curves of the closed lips and of the lids: shared by the painting, the per-frame warp and the face points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from generators.sources.talkers.identity import Shape


def seam(shape: Shape, x: Any) -> Any:
    """Y of the line between the closed lips at x."""
    t = np.clip(x / shape.mouth_w, -1.15, 1.15)
    return shape.mouth_y + 0.012 * np.cos(np.pi * np.clip(t, -1, 1)) + 0.022 * t * t


def _arch(shape: Shape, x: Any) -> Any:
    return np.clip(1.0 - (x / shape.mouth_w) ** 2, 0.0, 1.0)


def upper_lip(shape: Shape, x: Any) -> Any:
    """Thickness of the upper lip at x, with its bow; 0 at the corners."""
    dip = 1.0 - 0.20 * np.exp(-0.5 * (x / 0.035) ** 2)
    peaks = 0.10 * (np.exp(-0.5 * ((x - 0.085) / 0.05) ** 2) + np.exp(-0.5 * ((x + 0.085) / 0.05) ** 2))
    return shape.lip_upper * _arch(shape, x) ** 0.80 * (dip + peaks)


def lower_lip(shape: Shape, x: Any) -> Any:
    """Thickness of the lower lip at x; 0 at the corners."""
    return shape.lip_lower * _arch(shape, x) ** 0.66


def _lid(shape: Shape, u: Any) -> Any:
    return np.clip(1.0 - np.abs(u / shape.eye_w) ** 2.2, 0.0, 1.0)


def _tilt(shape: Shape, u: Any) -> Any:
    return -(shape.eye_tilt + 0.012) * u / shape.eye_w


def upper_lid(shape: Shape, u: Any) -> Any:
    """Y of the open upper lid's edge at the outward offset u from the eye's centre."""
    return shape.eye_y - shape.eye_h * _lid(shape, u) ** 0.55 * (1.05 - 0.12 * u / shape.eye_w) + _tilt(shape, u)


def lower_lid(shape: Shape, u: Any) -> Any:
    """Y of the open lower lid's edge at the outward offset u."""
    drop = 0.62 * shape.eye_h * _lid(shape, u) ** 0.7 * (1.0 + 0.15 * u / shape.eye_w)
    return shape.eye_y + drop + _tilt(shape, u)


def crease(shape: Shape, u: Any) -> Any:
    """Y of the fold above the upper lid."""
    return upper_lid(shape, u) - 0.052 - 0.022 * _lid(shape, u)


def closed_lids(shape: Shape, u: Any, blink: float) -> tuple[Any, Any]:
    """Y of the upper and lower lid's edge while the eye is closed by `blink` in 0 to 1."""
    upper, lower = upper_lid(shape, u), lower_lid(shape, u)
    shut = lower - 0.004 - 0.10 * shape.eye_h * _lid(shape, u)
    lower_now = lower - 0.04 * shape.eye_h * blink
    return np.minimum(upper + blink * (shut - upper), lower_now), lower_now


def brow(shape: Shape, t: Any) -> Any:
    """Y of the brow's centre line; t runs from 0 (inner end) to 1 (outer end)."""
    return shape.brow_y - shape.brow_arch * np.sin(0.75 * np.pi * t) + 0.35 * shape.brow_arch


def brow_x(shape: Shape, t: Any) -> Any:
    """|x| of the brow's centre line."""
    return shape.eye_x - 0.26 + 0.53 * t
