"""What is behind and below the head: a room, a neck and shoulders, painted once per clip at the picture's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.sources.talkers.fields import Field, fbm, mix, rgb, step, to_display, to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.sources.talkers.camera import Camera
    from generators.sources.talkers.identity import Identity

#: The body moves by this share of the head's shift.
FOLLOW = 0.4
#: Pixels of body beyond each border, so that it can shift.
MARGIN = 8


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """Still layers of a clip.

    Args:
        room: [size, size, 3] uint8.
        body: [h, size + 2 * MARGIN, 4] uint8 premultiplied, the lowest rows of the picture.
        body_top: Picture row of the body's first row.
    """

    room: NDArray[np.uint8]
    body: NDArray[np.uint8]
    body_top: int


def _room(person: Identity, camera: Camera) -> Field:
    size = camera.size
    rng = np.random.default_rng([person.seed, 21])

    def colour() -> NDArray[np.float64]:
        raw = rng.uniform(0.12, 0.85, 3)
        return np.asarray(0.22 * raw + 0.78 * raw.mean())

    top, bottom = colour(), colour() * 0.85
    ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    side = np.linspace(-0.5, 0.5, size, dtype=np.float32)[None, :, None] * np.float32(rng.uniform(-0.3, 0.3))
    room = (top * (1 - ramp) + bottom * ramp).astype(np.float32) * (1 + side)
    if rng.random() < 0.65:
        for _ in range(int(rng.integers(4, 16))):
            tint = tuple(float(v) for v in colour())
            x, y = (int(v) for v in rng.uniform(-0.1, 1.1, 2) * size)
            w, h = (int(v) for v in rng.uniform(0.05, 0.35, 2) * size)
            if rng.random() < 0.75:
                cv2.rectangle(room, (x - w // 2, y - h), (x + w // 2, y + h), tint, -1)
            else:
                cv2.circle(room, (x, y), max(w // 2, 2), tint, -1)
        room = cv2.GaussianBlur(room, (0, 0), float(rng.uniform(2.5, 7) * size / 256))
    room *= 1 + np.float32(0.02) * fbm(rng, 6, 3, (size, size))[..., None]
    return np.clip(room * np.float32(0.75 + 0.45 * person.light.ambient), 0, 1)


def _neck(person: Identity, x: Field, y: Field) -> tuple[Field, Field]:
    s = person.shape
    half = np.float32((0.56 if person.male else 0.46) * (0.5 + 0.5 * s.width))
    flare = half + np.float32(0.22) * np.clip((y - 1.25) / 0.5, 0, 1.2) ** 2
    t = np.clip(x / flare, -1, 1)
    opacity = step(flare - np.abs(x), 0.05) * step(y - 0.55, 0.1)
    lamp = np.clip(0.75 * np.sqrt(1 - 0.9 * t * t) + 0.55 * person.light.x * t, 0.08, 1)
    jaw_shadow = 1 - 0.55 * step(s.chin_y + 0.30 - y + 0.10 * np.abs(x), 0.42)
    muscle = 1 + 0.05 * np.sin(np.clip((np.abs(x) - 0.1 - 0.25 * (1.9 - y)) * 9, -3.1, 3.1))
    light = (person.light.ambient * 0.9 + (1 - person.light.ambient) * 1.05 * lamp) * jaw_shadow * muscle
    skin = to_linear(rgb(*person.look.skin) * rgb(0.98, 0.95, 0.94))
    return opacity, np.asarray(to_display(skin * light[..., None]), np.float32)


def _dress(person: Identity, x: Field, y: Field) -> tuple[Field, Field]:
    look, s = person.look, person.shape
    wide = 1.95 if person.male else 1.65
    slope = 1.50 + 0.30 * np.clip(np.abs(x) - 0.45, 0, 9) ** 1.25
    open_w = np.float32((0.56 if person.male else 0.46) * (0.5 + 0.5 * s.width) + 0.03)
    shoulder = step(y - slope, 0.05) * step(np.float32(wide) - np.abs(x) + 0.3 * (y - 1.6), 0.1)
    deep = (0.42, 0.24, 0.10)[look.collar]
    neckline = slope - 0.02 + (deep + 0.06) * np.sqrt(np.clip(1 - (x / open_w) ** 2, 0, 1))
    opacity = shoulder * step(y - neckline, 0.035)
    fold = fbm(np.random.default_rng([person.seed, 22]), 5, 3, x.shape)
    cloth = np.broadcast_to(rgb(*look.cloth), (*x.shape, 3)).astype(np.float32)
    if look.stripes:
        band = 0.5 + 0.5 * np.sin((y + 0.06 * x * x) * 34)
        cloth = mix(cloth, rgb(*look.cloth) * 0.55 + 0.2, step(band - 0.6, 0.3))
    hem = np.exp(-0.5 * ((y - neckline - 0.05) / 0.022) ** 2) * (np.abs(x) < open_w)
    lamp = 0.72 + 0.25 * person.light.x * np.clip(x / wide, -1, 1) - 0.22 * np.clip((np.abs(x) - 0.9) / 0.9, 0, 1)
    chin = 1 - 0.25 * np.exp(-0.5 * ((x / 0.6) ** 2 + ((y - s.chin_y - 0.25) / 0.3) ** 2))
    light = (0.25 + 0.9 * lamp) * (1 + 0.05 * fold) * chin * (1 - 0.22 * hem)
    return opacity, np.asarray(np.clip(cloth * light[..., None], 0, 1), np.float32)


def build_backdrop(person: Identity, camera: Camera) -> Backdrop:
    """Paint the still layers of a clip."""
    size = camera.size
    body_top = int(np.clip(camera.y + 0.5 * camera.scale, 0, size - 8))
    rows = np.arange(body_top, size + MARGIN, dtype=np.float32)
    columns = np.arange(-MARGIN, size + MARGIN, dtype=np.float32)
    x, y = np.meshgrid((columns - camera.x) / camera.scale, (rows - camera.y) / camera.scale)
    x, y = x.astype(np.float32), y.astype(np.float32)
    neck_opacity, neck = _neck(person, x, y)
    dress_opacity, dress = _dress(person, x, y)
    colour = mix(neck, dress, dress_opacity)
    opacity = np.maximum(neck_opacity, dress_opacity)
    body = np.concatenate([np.clip(colour, 0, 1) * opacity[..., None], opacity[..., None]], axis=-1)
    room = np.asarray(np.rint(_room(person, camera) * 255), np.uint8)
    return Backdrop(room, np.asarray(np.rint(body * 255), np.uint8), body_top)
