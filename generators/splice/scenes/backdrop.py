"""Backgrounds: what a studio, a conference window or an edited clip has behind its panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from generators.splice.scenes.pools import PALETTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.splice.scenes.scene import Scene

_GREY = {"grid": (22, 23, 26)}


def paint_backdrop(scene: Scene) -> NDArray[np.float32]:
    """The background of a scene.

    Args:
        scene: The scene; its palette, its kind of background and its seed decide.

    Returns:
        [height, width, 3] float32, 0 to 255, with a faint noise that keeps gradients from banding.
    """
    rng = np.random.default_rng(scene.seed)
    height, width = scene.height, scene.width
    noise = rng.uniform(-0.8, 0.8, (height, width, 1)).astype(np.float32)
    if scene.layout in _GREY:
        return np.broadcast_to(np.array(_GREY[scene.layout], np.float32), (height, width, 3)) + noise
    palette = PALETTES[scene.palette]
    deep, mid, glow = (np.array(c, np.float32) for c in (palette.deep, palette.mid, palette.glow))
    scale = max(width, height)
    u = ((np.arange(width) + 0.5) / scale).astype(np.float32)[None]
    v = ((np.arange(height) + 0.5) / scale).astype(np.float32)[:, None]
    top = height / scale
    picture = deep + (mid - deep) * (0.25 + 0.6 * v / top + np.zeros_like(u))[..., None]
    light = np.zeros((height, width), np.float32)
    _LIGHTS[scene.backdrop](light, u, v, rng)
    # a pool of light in the middle, dark corners
    centre = ((u - 0.5 * width / scale) / (0.62 * width / scale)) ** 2 + ((v - 0.42 * top) / (0.8 * top)) ** 2
    picture *= np.clip(1.12 - 0.42 * centre, 0.45, None)[..., None]
    picture += (glow - picture) * np.clip(light, 0, 0.8)[..., None]
    out: NDArray[np.float32] = np.clip(picture + noise, 0, 255).astype(np.float32)
    return out


def _bokeh(
    light: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32], rng: np.random.Generator
) -> None:
    for _ in range(26):
        x, y = rng.uniform(0, u.max()), rng.uniform(0, v.max())
        radius, strength = rng.uniform(0.012, 0.05), rng.uniform(0.04, 0.16)
        reach = np.hypot(u - np.float32(x), v - np.float32(y)) / np.float32(radius)
        disc = np.clip((1.06 - reach) / 0.12, 0, 1)
        light += np.float32(strength) * disc * (0.75 + 0.35 * np.clip(reach, 0, 1))


def _panels(
    light: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32], rng: np.random.Generator
) -> None:
    x = float(rng.uniform(-0.08, 0.0))
    slope = np.float32(rng.uniform(-0.18, 0.18))
    while x < u.max() + 0.2:
        width = float(rng.uniform(0.05, 0.13))
        across = (u + slope * v - np.float32(x)) / np.float32(width)
        band = np.clip(across / 0.06, 0, 1) * np.clip((1 - across) / 0.06, 0, 1)
        fade = 0.55 + 0.45 * np.cos(np.float32(np.pi) * (v / v.max() - np.float32(rng.uniform(0.1, 0.6))))
        light += np.float32(rng.uniform(0.05, 0.17)) * band * fade
        x += width + float(rng.uniform(0.008, 0.04))


def _arcs(light: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32], rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.0, u.max()), rng.uniform(0.6, 1.3) * v.max()
    reach = np.hypot(u - np.float32(x), v - np.float32(y))
    radius = float(rng.uniform(0.08, 0.16))
    while radius < 1.3:
        thick = float(rng.uniform(0.006, 0.05))
        ring = np.clip((thick - np.abs(reach - np.float32(radius))) / np.float32(0.006), 0, 1)
        light += np.float32(rng.uniform(0.05, 0.15)) * ring * np.clip(1.2 - reach, 0, 1)
        radius += thick + float(rng.uniform(0.05, 0.14))


_LIGHTS = {"bokeh": _bokeh, "panels": _panels, "arcs": _arcs}
