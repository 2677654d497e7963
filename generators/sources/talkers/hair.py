"""Hair on the head canvas: cap, curtains, bun, and what hangs behind the neck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.sources.talkers.fields import (
    ABS_XS,
    HEIGHT,
    SCALE,
    WIDTH,
    XS,
    YS,
    Field,
    blur,
    fbm,
    resized,
    rgb,
    step,
)  # fmt: skip
from generators.sources.talkers.geometry import normals_of
from generators.sources.talkers.shading import irradiance

if TYPE_CHECKING:
    from generators.sources.talkers.identity import Identity

#: How far hair stands out from the skull, face units.
THICKNESS = {"short": 0.12, "buzz": 0.035, "crop": 0.15, "long": 0.15, "bob": 0.17, "bun": 0.08}
LONG = ("long", "bob")


@dataclass(frozen=True, slots=True, eq=False)
class Hair:
    """Hair of a person: display colours [H, W, 3] with opacity [H, W]; `back` hangs behind head and neck."""

    colour: Field
    opacity: Field
    shadow: Field
    back_colour: Field | None
    back_opacity: Field | None


def _strands(person: Identity, rng: np.random.Generator) -> tuple[Field, Field]:
    """Noise drawn out along the hair: on the cap (radially from the parting) and hanging down. Unit deviation."""
    noise = rng.standard_normal((20, 760), dtype=np.float32)
    bank = resized(noise, (1520, 128), smooth=True)
    bank += np.float32(0.9) * resized(rng.standard_normal((10, 200), dtype=np.float32), (1520, 128))
    x = XS[None, :] - np.float32(0.45 * person.look.part)
    y = YS[:, None] + np.float32(0.25)
    radius = np.sqrt(x * x + y * y)
    angle = np.arctan2(x, -y).astype(np.float32)
    column = (angle + np.float32(0.22) * np.sin(2.2 * radius)) * np.float32(112) + 760
    cap = cv2.remap(
        bank, column.astype(np.float32), (radius * np.float32(44)).astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    wave = np.float32(0.035) * np.sin(3.1 * YS[:, None] + np.float32(person.look.part * 9))
    slant = person.look.sweep * np.clip(YS[:, None] + 0.9, -1.0, 0.8) if person.look.fringe > 0 else 0.0
    across = (XS[None, :] + wave + np.float32(1.2) * slant) * np.float32(118) + 760
    down = cv2.remap(
        bank, across.astype(np.float32), np.broadcast_to((YS[:, None] + 1.95) * 26, across.shape).astype(np.float32),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    return cap / np.float32(bank.std()), down / np.float32(bank.std())


def _hairline(person: Identity) -> Field:
    """Y of the hairline over the columns, without a fringe."""
    look = person.look
    line = -0.86 + look.hairline - 0.10 * np.cos(2.0 * XS + look.part) + 0.14 * XS * XS
    return np.asarray(line - (0.02 if look.style == "buzz" else 0.0), np.float32)


def _cap(person: Identity, half_width: Field, strands: Field, down: Field, rng: np.random.Generator) -> Field:
    """Opacity of the hair that lies on the skull."""
    look, s = person.look, person.shape
    thick = THICKNESS[look.style]
    ragged = {"buzz": 0.003, "bun": 0.004}.get(look.style, 0.008)
    x, y = XS[None, :], YS[:, None]
    skull = np.sqrt((x / (s.width * 0.985 + 0.9 * thick)) ** 2 + ((y + 0.15) / (1.325 + thick)) ** 2)
    outer = np.maximum(1.0 - skull, half_width[:, None] - 0.03 - np.abs(x)) + np.float32(ragged) * strands
    above = _hairline(person)[None, :] - y + np.float32(0.022) * fbm(rng, 9, 2)
    if look.fringe > 0:
        fall = look.fringe * (1.0 - 0.45 * (XS / 0.85) ** 2) + look.sweep * XS
        above = above + fall[None, :] + np.float32(0.022) * down
    side_x = s.width * (0.80 + 0.17 * step(YS + 0.30, 0.7))  # temples narrow towards the sideburns
    side_end = {"buzz": -0.02, "bald": -0.1}.get(look.style, 0.10 if person.male else -0.02)
    beside = np.minimum(ABS_XS[None, :] - side_x[:, None], (side_end - y) * 0.6)
    inside = np.float32(0.05) * np.logaddexp(above / np.float32(0.05), beside / np.float32(0.05))
    soft = 0.16 if look.style == "buzz" else 0.075
    edge = step(inside + np.float32(0.016) * strands, soft)
    return np.asarray(edge * step(outer, 0.03), np.float32)


def _curtains(person: Identity, strands: Field) -> Field:
    """Opacity of long hair beside the face."""
    look, s = person.look, person.shape
    end = 2.6 if look.style == "long" else 1.08
    y = YS[:, None]
    inner = s.width * (0.93 - 0.13 * step(YS + 0.75, 0.9) + 0.05 * step(YS - 0.7, 1.0))
    outer = s.width * 0.985 + THICKNESS[look.style] * (0.9 + 0.55 * step(YS - 0.3, 1.6))
    if look.style == "bob":
        outer = outer - 0.10 * step(YS - 0.95, 0.4)
    band = np.minimum(ABS_XS[None, :] - inner[:, None], outer[:, None] - ABS_XS[None, :])
    tips = step(end - y + np.float32(0.05) * strands, 0.12)
    below_top = step(y + 0.55, 0.5)
    return np.asarray(step(band + np.float32(0.014) * strands, 0.06) * tips * below_top, np.float32)


def _bun(person: Identity) -> Field:
    """Height of a bun above the crown, 0 where there is none."""
    x, y = XS[None, :] / np.float32(0.36), (YS[:, None] + np.float32(1.52)) / np.float32(0.27)
    return np.sqrt(np.clip(1.0 - x * x - y * y, 0.0, 1.0)).astype(np.float32)


def _shade(person: Identity, opacity: Field, strands: Field, bun: Field | None) -> Field:
    look = person.look
    x = XS[None, :] / np.float32(1.25)
    y = (YS[:, None] + np.float32(0.12)) / np.float32(1.55)
    ball = np.sqrt(np.clip(1.0 - x * x - y * y, 0.02, 1.0)).astype(np.float32)
    height = blur(ball + np.float32(0.10) * opacity, 0.042)
    if bun is not None:
        height += np.float32(0.5) * blur(bun, 0.014)
    normals = normals_of(height + np.float32(0.0032) * strands, SCALE)
    flat = np.ones(opacity.shape, np.float32)
    light = irradiance(normals, flat, flat, person.light)
    band = np.exp(-0.5 * ((YS[:, None] + 1.10 - 0.22 * ABS_XS[None, :]) / 0.13) ** 2)
    shine = (0.045 + 0.07 * float(np.mean(look.hair))) * band * np.clip(0.6 + 0.5 * strands, 0, 2)
    tone = 1 + np.float32(0.13) * np.clip(strands, -2, 2)
    colour = rgb(*look.hair) * (light**0.6) * tone[..., None]
    return np.asarray(np.clip(colour * 1.05 + (shine * light[..., 1])[..., None], 0, 1), np.float32)


def _fallen(person: Identity, cap: Field, down: Field) -> Field:
    """Strands of the cap, hanging where a fringe falls over the forehead."""
    if person.look.fringe <= 0:
        return cap
    share = step(YS[:, None] - _hairline(person)[None, :] + 0.10, 0.25) * step(0.85 - ABS_XS, 0.3)[None, :]
    return np.asarray(cap * (1 - share) + down * share, np.float32)


def build_hair(person: Identity, half_width: Field) -> Hair | None:
    """Paint a person's hair over a face of the given half width per row; None for the bald."""
    style = person.look.style
    if style == "bald":
        return None
    rng = np.random.default_rng([person.seed, 13])
    cap_strands, down = _strands(person, rng)
    opacity = _cap(person, half_width, cap_strands, down, rng)
    strands, bun, back, back_colour = _fallen(person, cap_strands, down), None, None, None
    if style == "bun":
        bun = _bun(person)
        behind = step(bun - 0.12, 0.2) * (1 - opacity)
        opacity = opacity + behind
        strands = np.where(bun > 0.1, down, cap_strands)
    if style in LONG:
        hang = step(YS[:, None] + 0.35, 0.7)
        strands = np.asarray(strands * (1 - hang) + down * hang, np.float32)
        opacity = np.maximum(opacity, _curtains(person, down))
    colour = _shade(person, opacity, strands, bun)
    if style in LONG:
        back, back_colour = _back(person, down)
    if style == "buzz":
        opacity = opacity * np.clip(0.80 + 0.12 * cap_strands, 0, 1)
    lower = np.array([[1, 0, 0], [0, 1, 0.055 * SCALE]], np.float64)
    moved: Field = np.asarray(cv2.warpAffine(opacity, lower, (WIDTH, HEIGHT)), np.float32)
    shadow = 0.34 * blur(moved, 0.042) * (0.4 if style == "buzz" else 1.0)
    return Hair(colour, opacity.astype(np.float32), shadow.astype(np.float32), back_colour, back)


def _back(person: Identity, down: Field) -> tuple[Field, Field]:
    """Hair behind the neck: dimmer, down to the ends of the curtains."""
    s = person.shape
    end = 2.6 if person.look.style == "long" else 1.02
    wide = s.width * 0.97 + THICKNESS[person.look.style] * 0.9
    reach = np.minimum(wide - ABS_XS[None, :], end - YS[:, None]) + np.float32(0.03) * down
    opacity = step(reach, 0.06) * step(YS[:, None] + 0.6, 0.3)
    shade = np.clip(0.42 + 0.16 * down[..., None] * 0.6, 0.1, 1) * rgb(*person.look.hair)
    return np.asarray(opacity, np.float32), np.asarray(shade * (0.6 + person.light.ambient), np.float32)
