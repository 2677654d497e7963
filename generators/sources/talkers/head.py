"""The still layers of a head: skin, ears, hair and glasses, shaded once per person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generators.sources.talkers.albedo import build_albedo, lip_mask
from generators.sources.talkers.fields import (
    ABS_XS,
    COARSE_HEIGHT,
    COARSE_WIDTH,
    XS,
    YS,
    Field,
    blob,
    blur,
    mix,
    rgb,
    ring,
    shrunk,
    step,
    to_display,
    to_linear,
)  # fmt: skip
from generators.sources.talkers.geometry import Geometry, build_geometry
from generators.sources.talkers.hair import build_hair
from generators.sources.talkers.shading import Relight, cast_shadow, gloss, irradiance, occlusion, relight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.sources.talkers.identity import Identity

#: Depth at which a point does not move when the head turns, face units.
PIVOT = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A person's head, ready to be animated.

    Args:
        person: Whose head it is.
        layer: [H, W, 4] uint8 premultiplied RGBA with closed mouth and empty eye openings.
        back: The same for hair behind the neck, or None.
        depth: [h, w] smooth depth on the coarse canvas, for parallax, face units.
        relight: Change of colour with pose.
    """

    person: Identity
    layer: NDArray[np.uint8]
    back: NDArray[np.uint8] | None
    depth: Field
    relight: Relight


def _ears(person: Identity) -> tuple[Field, Field]:
    """Opacity and brightness of the ears."""
    s = person.shape
    x = (ABS_XS[None, :] - s.width * 0.985) / np.float32(0.125)
    y = (YS[:, None] - np.float32(0.10) + 0.12 * (ABS_XS[None, :] - 1.0)) / np.float32(0.28)
    radius = np.sqrt(x * x + y * y)
    opacity = step(1.0 - radius, 0.16)
    rim = 1.0 - 0.30 * np.exp(-0.5 * ((radius - 0.58) / 0.16) ** 2) + 0.08 * step(radius - 0.7, 0.2)
    return opacity.astype(np.float32), np.asarray(0.86 * rim, np.float32)


def _lit_skin(person: Identity, geometry: Geometry) -> Field:
    """Shaded skin, display RGB."""
    s, look = person.shape, person.look
    albedo = build_albedo(person)
    shadow = cast_shadow(geometry.depth, person.light)
    light = irradiance(geometry.normals, occlusion(geometry.depth), shadow, person.light)
    mask = lip_mask(person)
    dry = 1.0 - 0.85 * look.beard * step(YS - (s.nose_y + 0.09), 0.12)[:, None]
    darkness = 1.0 - float(np.mean(look.skin))
    oily = 0.6 + 0.5 * blob(0.0, 0.10, 0.22, 0.40) + 0.4 * blob(0.0, -0.62, 0.45, 0.20)
    broad = (0.030 + 0.055 * darkness) * oily * dry
    if look.style == "bald":
        broad = broad + 0.10 * blob(0.25 * person.light.x, -1.0, 0.35, 0.16)
    sharp = 0.020 * oily * dry + 0.10 * mask
    shine = gloss(geometry.normals, person.light, broad.astype(np.float32), sharp.astype(np.float32))
    shine *= (1.0 - 0.5 * mask) * shadow
    return np.asarray(
        to_display(to_linear(albedo) * light * np.float32(1.02 + 0.03 * look.tone) + shine[..., None]), np.float32
    )


def _glasses(colour: Field, opacity: Field, person: Identity) -> tuple[Field, Field]:
    s = person.shape
    rng = np.random.default_rng([person.seed, 16])
    power, thick = float(rng.uniform(2.0, 3.4)), float(rng.uniform(0.011, 0.020))
    rx, ry = float(rng.uniform(0.29, 0.325)), float(rng.uniform(0.195, 0.235))
    middle = s.eye_y + 0.02
    shape = ring(s.eye_x + 0.005, middle, rx, ry, power, both=True)
    frame = step(np.float32(thick) - np.abs(shape), 0.018)
    lens = step(-shape, 0.02)
    gap = max(s.eye_x + 0.01 - rx, 0.03)
    arc = middle - 0.045 - 0.035 * np.sqrt(np.clip(1 - (XS / gap) ** 2, 0, 1))
    bridge = step(np.float32(thick) - np.abs(YS[:, None] - arc[None, :]), 0.018) * step(gap + 0.005 - ABS_XS, 0.02)
    arm_y = middle - 0.06 - 0.05 * (ABS_XS - s.eye_x - rx)
    arm = step(np.float32(thick) - np.abs(YS[:, None] - arm_y[None, :]), 0.018)
    arm = arm * step(ABS_XS - (s.eye_x + rx), 0.02) * step(s.width * 1.0 - ABS_XS, 0.03)
    frame = np.maximum(frame, np.maximum(bridge, arm)).astype(np.float32)
    shade = np.float32(0.32) * np.clip(np.roll(blur(frame, 0.02), 3, axis=0), 0, 1)
    colour = colour * (1 - shade[..., None])
    streak = XS[None, :] * 0.8 + YS[:, None] - person.light.x * 0.4 + 0.12
    glint = 0.055 * lens * np.exp(-0.5 * (streak / 0.09) ** 2)
    colour = mix(colour, rgb(0.9, 0.95, 1.0), glint.astype(np.float32))
    rim = ((0.07, 0.06, 0.06), (0.20, 0.12, 0.07), (0.34, 0.33, 0.34))[int(rng.integers(3))]
    return mix(colour, rgb(*rim), 0.93 * frame), np.maximum(opacity, 0.93 * frame)


def _pack(colour: Field, opacity: Field) -> NDArray[np.uint8]:
    alpha = np.clip(opacity, 0.0, 1.0)
    premultiplied = np.clip(colour, 0.0, 1.0) * alpha[..., None]
    whole = np.concatenate([premultiplied, alpha[..., None]], axis=-1)
    return np.asarray(np.rint(whole * np.float32(255)), np.uint8)


def build_head(person: Identity) -> Head:
    """Paint and shade a person's head (about a tenth of a second)."""
    geometry = build_geometry(person)
    skin = _lit_skin(person, geometry)
    # what is stretched out from under the outline must look like skin: continue the rim outwards
    ears, ear_shade = _ears(person)
    face = geometry.coverage
    flat = rgb(*person.look.skin) * np.float32(0.55 + 0.55 * person.light.ambient)
    ear_colour = flat * ear_shade[..., None]
    colour = mix(np.broadcast_to(ear_colour, skin.shape).astype(np.float32), skin, face)
    opacity = np.maximum(face, ears)
    hair = build_hair(person, geometry.half_width)
    if hair is not None:
        colour = colour * (1 - hair.shadow[..., None] * (1 - hair.opacity[..., None]))
        colour = mix(colour, hair.colour, hair.opacity)
        opacity = np.maximum(opacity, hair.opacity)
    if person.look.glasses:
        colour, opacity = _glasses(colour, opacity, person)
    back = None
    if hair is not None and hair.back_colour is not None and hair.back_opacity is not None:
        back = _pack(hair.back_colour, hair.back_opacity)
    size = (COARSE_WIDTH, COARSE_HEIGHT)
    depth = shrunk(blur(geometry.depth, 0.055), size)
    light = relight(geometry, colour * face[..., None], person.light)
    return Head(person, _pack(colour, opacity), back, np.asarray(depth, np.float32), light)
