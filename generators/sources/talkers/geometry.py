"""The form of a head: outline, height field and normals on the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generators.sources.talkers.fields import (
    ABS_XS,
    SCALE,
    XS,
    YS,
    Field,
    blob,
    blur,
    bump,
    fbm,
    step,
)  # fmt: skip

if TYPE_CHECKING:
    from generators.sources.talkers.identity import Identity, Shape

#: Height of the part of the outline that is rounded to the chin, face units.
_CHIN = 0.30


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Form of a head.

    Args:
        half_width: [H] half width of the face at every canvas row, 0 above the skull and below the chin.
        depth: [H, W] height towards the viewer, face units.
        normals: [H, W, 3] unit normals, z to the viewer.
        coverage: [H, W] opacity of the face's skin, 0 to 1.
    """

    half_width: Field
    depth: Field
    normals: Field
    coverage: Field


def outline(shape: Shape) -> tuple[Field, Field]:
    """Half width of the face over y: two float32 arrays, y increasing and width."""
    from scipy.interpolate import PchipInterpolator

    c = shape.chin_y
    knots = [
        (-1.48, 0.0), (-1.40, 0.36), (-1.15, 0.74), (-0.80, 0.93), (-0.35, 0.985), (0.05, 0.985),
        (0.45, shape.cheek), (0.80, shape.jaw + 0.10), (c - _CHIN, 0.80 * shape.jaw + 0.04), (c, 0.45 * shape.jaw),
    ]  # fmt: skip
    ys, widths = np.array(knots).T
    # dense where the outline turns: at the crown and round the chin
    fine = np.concatenate([np.linspace(-1.48, c - _CHIN, 300), c - _CHIN * (1 - np.linspace(0, 1, 121)[1:]) ** 2])
    smooth = PchipInterpolator(ys, widths)(fine)
    round_chin = np.clip(1.0 - np.clip((fine - c) / _CHIN + 1.0, 0.0, 1.0) ** 2.6, 0.0, 1.0) ** 0.52
    return fine.astype(np.float32), (shape.width * smooth * round_chin).astype(np.float32)


def _nose(shape: Shape) -> Field:
    ny, nw = shape.nose_y, shape.nose_w
    t = np.clip((YS + 0.18) / (ny + 0.12), 0.0, 1.0)
    ridge = (0.06 + 0.27 * t**1.3) * shape.nose_height / (1.0 + np.exp(-(YS + 0.22) / 0.06))
    sigma = 0.072 + 0.05 * t
    lateral = np.exp(-0.5 * (XS[None, :] / sigma[:, None]) ** 2)
    across = np.clip(ABS_XS / nw, 0.0, 1.3)
    base = ny - 0.022 - 0.018 * np.cos(4.6 * across) - 0.06 * np.clip(across - 0.85, 0.0, 1.0)
    under = 1.0 / (1.0 + np.exp((YS[:, None] - base[None, :]) / 0.034))
    nose = 0.9 * ridge[:, None] * lateral * under
    nose += 0.10 * blob(0.0, ny - 0.085, 0.092, 0.085) * under
    nose += 0.085 * blob(0.72 * nw, ny - 0.045, 0.058, 0.055, both=True) * under
    return np.asarray(nose, np.float32)


def _fold(shape: Shape, age: float) -> Field:
    """Nasolabial folds."""
    ny, my = shape.nose_y, shape.mouth_y
    path = shape.nose_w + 0.05 + 0.42 * np.clip(YS - ny + 0.02, 0.0, 0.5)
    fade = step(YS - (ny - 0.02), 0.10) * step(my - 0.02 - YS, 0.16)
    ridge = np.exp(-0.5 * ((ABS_XS[None, :] - path[:, None]) / 0.04) ** 2)
    return np.asarray((0.010 + 0.024 * age) * ridge * fade[:, None], np.float32)


def depth_field(person: Identity, half_width: Field) -> Field:
    """Height of the head towards the viewer, [H, W] face units, smooth (no wrinkles)."""
    s = person.shape
    # the form goes on below the chin, so that it rounds off there without a point
    turn = s.chin_y - _CHIN
    form = np.interp(np.where(turn < YS, turn + (YS - turn) * 0.72, YS), YS, half_width).astype(np.float32)
    rho = np.clip(ABS_XS[None, :] / np.maximum(form[:, None], 0.05), 0.0, 1.0)
    arch = np.sqrt(np.clip(1.0 - ((YS - 0.02) / 1.58) ** 2, 0.0, 1.0))
    z = (1.05 * arch**0.7)[:, None] * np.sqrt(np.clip(1.0 - rho * rho * np.sqrt(rho), 0.0, 1.0))
    z = z.astype(np.float32)
    z += 0.05 * blob(0.36, s.brow_y + 0.03, 0.26, 0.10, both=True)
    z -= 0.115 * blob(s.eye_x - 0.04, s.eye_y - 0.01, 0.20, 0.13, both=True)
    z += 0.080 * blob(s.eye_x, s.eye_y + 0.01, 0.15, 0.085, both=True)
    z += 0.075 * blob(0.58, 0.20, 0.24, 0.20, both=True) - 0.030 * blob(0.56, 0.74, 0.16, 0.25, both=True)
    z += _nose(s)
    my = s.mouth_y
    z += 0.085 * blob(0.0, my - 0.02, 0.34, 0.17) + 0.030 * blob(0.0, my - 0.6 * s.lip_upper, 0.26, 0.034)
    z += 0.052 * blob(0.0, my + 0.5 * s.lip_lower, 0.21, 0.044) - 0.050 * blob(0.0, my + 0.20, 0.22, 0.055)
    z += 0.095 * blob(0.0, s.chin_y - 0.19, 0.21, 0.13)
    z -= 0.020 * blob(0.0, s.nose_y + 0.13, 0.03, 0.075)
    z -= _fold(s, person.look.age)
    z -= (0.55 * np.clip(YS - (s.chin_y - 0.13), 0, 0.22) ** 2 * 14)[:, None]
    return blur(z, 0.0125)


def normals_of(depth: Field, scale: float) -> Field:
    """Unit normals of a height field; `scale` is its pixels per face unit."""
    dy, dx = np.gradient(depth * np.float32(scale))
    length = 1.0 / np.sqrt(dx * dx + dy * dy + 1.0)
    return np.stack([-dx * length, -dy * length, length], axis=-1).astype(np.float32)


def build_geometry(person: Identity) -> Geometry:
    """The form of a person's head, with wrinkles in the normals but not in the depth."""
    s, age = person.shape, person.look.age
    rng = np.random.default_rng([person.seed, 11])
    ys, widths = outline(s)
    half_width = np.interp(YS, ys, widths, left=0.0, right=0.0).astype(np.float32)
    z = depth_field(person, half_width)
    detail = np.float32(0.00035 * (1 + age)) * fbm(rng, 70, 2) + np.float32(0.0012) * fbm(rng, 10, 2)
    phase = float(rng.uniform(0, 6.28))
    lines = np.sin(48 * (YS[:, None] + 0.02 * np.sin(4 * XS[None, :])) + phase)
    detail += (0.0035 * age * lines * np.outer(bump(YS, -0.62, 0.14), bump(XS, 0.0, 0.45))).astype(np.float32)
    coverage = step(half_width[:, None] - ABS_XS[None, :], 0.03) * (half_width[:, None] > 0.01)
    coverage = blur(coverage.astype(np.float32), 0.011)
    return Geometry(half_width, z, normals_of(z + detail, SCALE), coverage.astype(np.float32))
