"""Colour of the skin and of what is painted on it: redness, lips, nostrils, brows, stubble. Display RGB in 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from generators.sources.talkers import lips
from generators.sources.talkers.fields import (
    ABS_XS,
    XS,
    YS,
    Field,
    blob,
    blur,
    bump,
    fbm,
    mix,
    resized,
    rgb,
    ring,
    step,
    to_column,
    to_row,
)  # fmt: skip

if TYPE_CHECKING:
    from generators.sources.talkers.identity import Identity


def _skin(person: Identity, rng: np.random.Generator) -> Field:
    s, look = person.shape, person.look
    skin = np.broadcast_to(rgb(*look.skin), (len(YS), len(XS), 3)).copy()
    red = 0.5 * blob(0.55, 0.28, 0.22, 0.18, both=True) + 0.50 * blob(0.0, s.nose_y - 0.08, 0.16, 0.13)
    red += 0.22 * blob(0.0, s.chin_y - 0.18, 0.22, 0.14) + 0.12 * fbm(rng, 5, 3)
    paler = 1 - 0.5 * look.tone / 7
    skin *= 1 + np.float32(0.13 * paler) * red[..., None] * rgb(0.35, -0.75, -0.65)
    mottle = 1 + np.float32(0.012) * fbm(rng, 9, 3) + np.float32(0.014) * fbm(rng, 110, 2)
    under_eye = (0.10 + 0.13 * look.age) * blob(s.eye_x - 0.02, s.eye_y + 0.15, 0.15, 0.05, both=True)
    inner = 0.10 * blob(s.eye_x - 0.19, s.eye_y + 0.02, 0.06, 0.07, both=True)
    socket = 0.10 * blob(s.eye_x, s.eye_y - 0.12, 0.20, 0.05, both=True)
    skin *= (mottle * (1 - under_eye - inner - socket))[..., None]
    return np.asarray(skin, np.float32)


def _spots(skin: Field, person: Identity, rng: np.random.Generator) -> Field:
    look = person.look
    layer = np.zeros(skin.shape[:2], np.float32)
    if look.freckles:
        columns = to_column(np.clip(rng.normal(0.0, 0.36, look.freckles), -1, 1)).astype(int)
        rows = to_row(np.clip(rng.normal(0.18, 0.16, look.freckles), -0.4, 0.8)).astype(int)
        np.add.at(layer, (rows, columns), rng.uniform(0.5, 1.5, look.freckles).astype(np.float32))
        layer = np.clip(blur(layer, 0.013), 0, 0.20)
    for _ in range(look.moles):
        x, y = rng.uniform(-0.7, 0.7), rng.uniform(-0.5, 1.05)
        layer += np.float32(0.35) * blob(float(x), float(y), 0.012, 0.012)
    return np.asarray(skin * (1 - layer[..., None] * rgb(0.75, 0.95, 1.0)), np.float32)


def lip_mask(person: Identity) -> Field:
    """Opacity of the closed lips' red, [H, W]."""
    s = person.shape
    middle = lips.seam(s, XS)
    top = (middle - lips.upper_lip(s, XS)).astype(np.float32)
    bottom = (middle + lips.lower_lip(s, XS)).astype(np.float32)
    inside = np.minimum(YS[:, None] - top[None, :], bottom[None, :] - YS[:, None])
    ends = step(s.mouth_w - ABS_XS + 0.004, 0.05)
    return np.asarray(step(inside - 0.001, 0.030) * ends[None, :], np.float32)


def _lips(skin: Field, person: Identity, mask: Field, rng: np.random.Generator) -> Field:
    s, look = person.shape, person.look
    base = rgb(*look.skin)
    # a share of blood red keeps the contrast of lips on dark skin, where shading alone would lose them
    colour = 0.62 * base * rgb(0.88, 0.58, 0.57) + 0.38 * rgb(0.64, 0.31, 0.31) * (0.55 + 0.45 * float(base.mean()))
    if look.lipstick > 0:
        colour = 0.5 * colour + 0.5 * rgb(0.62, 0.16, 0.20) * np.float32(look.lipstick)
    upper = step(lips.seam(s, XS)[None, :] - YS[:, None], 0.03)
    streak = np.float32(0.035) * resized(rng.standard_normal((3, 90), dtype=np.float32))
    tinted = colour * (1 - 0.10 * upper + streak)[..., None]
    return mix(skin, tinted, 0.90 * mask)


def _mouth_lines(skin: Field, person: Identity) -> Field:
    """The line between closed lips and its shaded ends."""
    s = person.shape
    middle = lips.seam(s, XS).astype(np.float32)
    line = np.exp(-0.5 * ((YS[:, None] - middle[None, :]) / 0.0105) ** 2) * step(s.mouth_w - ABS_XS, 0.06)[None, :]
    corner = blob(s.mouth_w + 0.004, float(lips.seam(s, s.mouth_w)), 0.028, 0.022, both=True)
    return np.asarray(skin * (1 - 0.52 * line - 0.26 * corner)[..., None], np.float32)


def _nose(skin: Field, person: Identity) -> Field:
    s = person.shape
    dark = step(-ring(0.45 * s.nose_w, s.nose_y + 0.002, 0.25 * s.nose_w, 0.021, both=True), 0.024)
    wing = 0.13 * blob(1.02 * s.nose_w, s.nose_y - 0.025, 0.020, 0.045, both=True)
    shade = 1 - np.clip(0.62 * dark + wing, 0, 0.85)
    return np.asarray(skin * (1 - (1 - shade[..., None]) * rgb(0.88, 1.0, 1.0)), np.float32)


def _lid_lines(skin: Field, person: Identity) -> Field:
    s, look = person.shape, person.look
    layer = np.zeros(skin.shape[:2], np.float32)
    for side in (-1.0, 1.0):
        u = side * XS - s.eye_x
        near = step(s.eye_w + 0.01 - np.abs(u), 0.06)
        fold = lips.crease(s, u).astype(np.float32)
        layer += 0.34 * near * np.exp(-0.5 * ((YS[:, None] - fold[None, :]) / 0.011) ** 2)
        bag = lips.lower_lid(s, u).astype(np.float32) + 0.055
        layer += (0.05 + 0.12 * look.age) * near * np.exp(-0.5 * ((YS[:, None] - bag[None, :]) / 0.014) ** 2)
    return np.asarray(skin * (1 - layer[..., None] * rgb(0.85, 1.0, 1.0)), np.float32)


def beard_mask(person: Identity, hairs: Field) -> Field:
    """Where facial hair grows, [H, W] in 0 to 1, without its density."""
    s = person.shape
    t = np.clip((s.jaw + 0.18 - ABS_XS) / 0.62, 0.0, 1.0)
    upper_edge = 0.30 + (s.mouth_y + 0.02 - 0.30) * t**0.55
    cheek = step(YS[:, None] - upper_edge[None, :] + 0.03 * hairs, 0.18)
    # a moustache whose upper edge falls to the corners, and bare skin round the lower lip but for a tuft
    rise = s.nose_y + 0.075 + 0.10 * (XS / s.mouth_w) ** 2 + 0.02 * np.exp(-0.5 * (XS / 0.03) ** 2)
    moustache = step(YS[:, None] - rise[None, :] + 0.02 * hairs, 0.075)
    bare = step(-ring(0.0, s.mouth_y + 0.06, s.mouth_w + 0.02, 0.15, 2.4) + 0.015 * hairs, 0.10)
    tuft = 0.55 * np.outer(step(YS - (s.mouth_y + 0.10), 0.06), bump(XS, 0.0, 0.07))
    upper = np.outer(step(s.mouth_y + 0.03 - YS, 0.08), step(s.mouth_w + 0.06 - ABS_XS, 0.10))
    around = np.maximum(cheek * (1.0 - bare), np.maximum(cheek, step(YS - s.mouth_y, 0.1)[:, None]) * tuft * bare)
    inner = step(s.mouth_w + 0.10 - ABS_XS, 0.16)[None, :]
    below = step(YS[:, None] - (s.mouth_y + 0.13), 0.10)
    whole = np.maximum(around, np.maximum(moustache * upper, below * inner * (1.0 - bare)))
    return np.asarray(np.clip(whole, 0.0, 1.0), np.float32)


def _beard(skin: Field, person: Identity, lips_mask: Field, rng: np.random.Generator) -> Field:
    look = person.look
    density = max(look.beard, look.stubble)
    if density <= 0.02:
        return skin
    # hairs hang down: noise stretched along y
    hairs = resized(rng.standard_normal((80, 170), dtype=np.float32))
    where = beard_mask(person, hairs) * (1 - 0.97 * blur(lips_mask, 0.014))
    colour = rgb(*look.hair) * (0.80 + 0.16 * hairs)[..., None]
    full = np.clip(density * 0.95 + 0.10 * hairs * density, 0, 1) if look.beard else density * (0.75 + 0.2 * hairs)
    return mix(skin, np.clip(colour, 0, 1), np.clip(where * full, 0, 1))


def _brows(skin: Field, person: Identity, rng: np.random.Generator) -> Field:
    s = person.shape
    t = (ABS_XS - (s.eye_x - 0.26)) / 0.53
    clipped = np.clip(t, 0.0, 1.0)
    centre = lips.brow(s, clipped).astype(np.float32)
    thick = s.brow_thick * (1 - 0.70 * clipped**2) * (0.72 + 0.28 * step(clipped - 0.12, 0.24))
    ends = step(t + 0.01, 0.14) * step(1.0 - t, 0.16)
    noise = resized(rng.standard_normal((103, 118), dtype=np.float32))
    distance = np.abs(YS[:, None] - centre[None, :]) - 0.60 * thick[None, :]
    mask = step(-distance + 0.0045 * noise, 0.05) * ends[None, :] * (0.88 + 0.07 * noise)
    colour = rgb(*person.look.hair) * np.float32(0.62)
    return mix(skin, colour, np.clip(0.88 * mask, 0, 1).astype(np.float32))


def build_albedo(person: Identity) -> Field:
    """Paint a person's skin.

    Returns:
        [H, W, 3] float32 display RGB; meaningful inside the face's outline, and continued beyond it.
    """
    rng = np.random.default_rng([person.seed, 12])
    skin = _spots(_skin(person, rng), person, rng)
    mask = lip_mask(person)
    skin = _beard(_lid_lines(_nose(skin, person), person), person, mask, rng)
    skin = _mouth_lines(_lips(skin, person, mask, rng), person)
    return np.clip(_brows(skin, person, rng), 0.0, 1.0)
