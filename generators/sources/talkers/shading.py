"""Light on a head: irradiance, soft shadows, gloss, and how they change when the head turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.sources.talkers.fields import (
    COARSE_HEIGHT,
    COARSE_SCALE,
    COARSE_WIDTH,
    SCALE,
    Field,
    blur,
    resized,
    shrunk,
    step,
)  # fmt: skip
from generators.sources.talkers.geometry import Geometry, normals_of

if TYPE_CHECKING:
    from generators.sources.talkers.identity import Light

#: How far light wraps around the terminator per channel: red travels farthest under skin.
_WRAP = (0.42, 0.27, 0.22)
_AMBIENT_TINT = (0.97, 1.0, 1.05)
#: Pose differences over which relighting is measured, radians.
_TURN = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Relight:
    """Change of the display colour per radian of yaw and pitch, [h, w, 3] on the coarse canvas, in 0 to 255."""

    yaw: Field
    pitch: Field


def occlusion(depth: Field) -> Field:
    """Ambient occlusion of hollows, 0.35 to 1."""
    return np.asarray(np.clip(1.0 - 1.6 * np.clip(blur(depth, 0.09) - depth, 0.0, 0.2), 0.35, 1.0), np.float32)


def cast_shadow(depth: Field, light: Light) -> Field:
    """Soft shadows that the nose, brows and lips cast, 1 = lit; a short march towards the lamp at half size."""
    half = shrunk(depth, (depth.shape[1] // 2, depth.shape[0] // 2))
    worst = np.full_like(half, -1.0)
    for reach in (0.05, 0.10, 0.16, 0.24):
        dx, dy = light.x * reach * SCALE / 2, light.y * reach * SCALE / 2
        moved = cv2.warpAffine(
            half,
            np.array([[1, 0, -dx], [0, 1, -dy]], np.float64),
            (half.shape[1], half.shape[0]),
            borderMode=cv2.BORDER_REPLICATE,
        )
        worst = np.maximum(worst, moved - half - np.float32(reach * light.z))
    lit = 1.0 - np.float32(0.8) * step(blur(worst, 0.02) - np.float32(0.02), 0.11)
    return resized(lit.astype(np.float32), (depth.shape[1], depth.shape[0]))


def irradiance(normals: Field, hollow: Field, shadow: Field, light: Light) -> Field:
    """Light that arrives, [H, W, 3]; about 1 where the lamp shines straight on.

    Args:
        normals: [H, W, 3].
        hollow: [H, W] ambient occlusion.
        shadow: [H, W] 1 = lit.
        light: The lamp.
    """
    nx, ny, nz = normals[..., 0], normals[..., 1], normals[..., 2]
    facing = nx * np.float32(light.x) + ny * np.float32(light.y) + nz * np.float32(light.z)
    fill = np.clip(-0.8 * light.x * nx + 0.1 * ny + 0.6 * nz, 0.0, 1.0) * np.float32(0.14)
    ambient = (0.40 + 0.60 * np.clip(nz, 0, 1) - 0.18 * ny) * hollow * np.float32(light.ambient)
    colour = (1.05 + light.warmth, 1.0, 0.94 - light.warmth)
    out = np.empty((*facing.shape, 3), np.float32)
    for channel, wrap in enumerate(_WRAP):
        lamp = np.clip((facing + np.float32(wrap)) * np.float32(1 / (1 + wrap)), 0.0, 1.0)
        soft = shadow if channel else 0.12 + 0.88 * shadow  # shadows bleed red
        lamp = lamp * soft * np.float32(1.12 * (1 - light.ambient) * colour[channel])
        out[..., channel] = ambient * np.float32(_AMBIENT_TINT[channel]) + lamp + fill
    return out


def gloss(normals: Field, light: Light, strength: Field, sharp: Field) -> Field:
    """Specular light [H, W]: a broad and a narrow lobe, scaled by `strength` and `sharp` [H, W]."""
    half = np.array([light.x, light.y, light.z + 1.0])
    half /= np.linalg.norm(half)
    s = np.clip(normals @ half.astype(np.float32), 0.0, 1.0)
    s2 = s * s
    s4 = s2 * s2
    s16 = s4 * s4 * s4 * s4
    return np.asarray(strength * s16 * s4 * s2 + sharp * (s16 * s16 * s16), np.float32)


def _turned(normals: Field, yaw: float, pitch: float) -> Field:
    nx, ny, nz = normals[..., 0], normals[..., 1], normals[..., 2]
    turned = np.stack([nx + yaw * nz, ny + pitch * nz, nz - yaw * nx - pitch * ny], axis=-1)
    return np.asarray(turned / np.linalg.norm(turned, axis=-1, keepdims=True), np.float32)


def relight(geometry: Geometry, display: Field, light: Light) -> Relight:
    """How the picture of the head changes with pose, first order.

    Args:
        geometry: The head's form.
        display: [H, W, 3] display colours in 0 to 1, premultiplied by the coverage.
        light: The lamp, which stays where it is when the head turns.
    """
    size = (COARSE_WIDTH, COARSE_HEIGHT)
    depth = shrunk(blur(geometry.depth, 0.04), size)
    colour = shrunk(display, size) * np.float32(255)
    normals = normals_of(depth, COARSE_SCALE)
    flat = np.ones(depth.shape, np.float32)
    rest = irradiance(normals, flat, flat, light)

    def ratio(yaw: float, pitch: float) -> Field:
        lit = irradiance(_turned(normals, yaw, pitch), flat, flat, light)
        return np.asarray(np.power(lit / np.maximum(rest, 0.05), 1 / 2.2), np.float32)

    def slope(yaw: float, pitch: float) -> Field:
        change = (ratio(yaw, pitch) - ratio(-yaw, -pitch)) * np.float32(1 / (2 * _TURN))
        smooth = cv2.GaussianBlur(np.clip(change, -1.5, 1.5), (0, 0), 1.2)
        return np.asarray(smooth * colour, np.float32)

    return Relight(slope(_TURN, 0.0), slope(0.0, _TURN))
