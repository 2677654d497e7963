"""The eyes of one frame: eyeballs, gaze, lids and lashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.sources.talkers import lips
from generators.sources.talkers.fields import SCALE, TOP, XS, YS, Field, step, to_column, to_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.sources.talkers.identity import Identity

IRIS_RADIUS, PUPIL_RADIUS = 0.094, 0.040
#: Half size of the redrawn patch: outwards and inwards, above and below the eye's centre; face units.
_SIDE, _ABOVE, _BELOW = 0.27, 0.23, 0.15


class EyePainter:
    """Draws one person's eyes into the head layer; both eyes are computed together as [2, h, w].

    Args:
        person: Whose eyes.
        layer: [H, W, 4] the still head layer; only read.
    """

    def __init__(self, person: Identity, layer: NDArray[np.uint8]) -> None:
        s = person.shape
        self.shape = s
        self.top = int(to_row(s.eye_y - _ABOVE))
        bottom = int(to_row(s.eye_y + _BELOW)) + 1
        self.size = int(2 * _SIDE * SCALE) + 2
        self.rows = slice(self.top, bottom)
        self.lefts = [int(to_column(side * s.eye_x - _SIDE)) for side in (-1, 1)]
        self.columns = [slice(left, left + self.size) for left in self.lefts]
        # outward offsets of each patch's columns from its eye's centre
        self.u = np.stack([side * XS[c] - np.float32(s.eye_x) for side, c in zip((-1, 1), self.columns, strict=True)])[
            :, None, :
        ].astype(np.float32)
        self.y = YS[None, self.rows, None]
        self.still = np.stack([layer[self.rows, c] for c in self.columns])
        self.fold = lips.crease(s, self.u).astype(np.float32)
        self.rest = lips.upper_lid(s, self.u).astype(np.float32)
        self.ends = step(np.float32(s.eye_w + 0.012) - np.abs(self.u), 0.05)
        self.light = person.light
        self.bright = np.float32(0.66 + 0.36 * person.light.ambient)
        self._paints(person)

    def _paints(self, person: Identity) -> None:
        s = self.shape
        rng = np.random.default_rng([person.seed, 15])
        t = np.clip(np.abs(self.u) * np.float32(1 / s.eye_w), 0, 1)
        white = np.array([0.82, 0.825, 0.84], np.float32)
        self.sclera = (1.0 - 0.34 * t * t)[..., None] * white
        corner = np.exp(-0.5 * ((self.u + np.float32(s.eye_w - 0.015)) / 0.022) ** 2)[..., None]
        self.sclera = self.sclera * (1 - corner * np.array([0.10, 0.40, 0.38], np.float32))
        self.sclera = np.broadcast_to(self.sclera, (2, self.y.shape[1], self.size, 3)).astype(np.float32)
        self.iris = np.array(person.look.iris, np.float32) * np.float32(1.25) + np.float32(0.03)
        self.spokes = rng.normal(0.0, 0.10, 64).astype(np.float32)
        self.lash = np.float32(0.014 if not person.male else 0.0105)
        self.lash_dark = np.float32(0.86 if not person.male else 0.78)

    def draw(self, layer: NDArray[np.uint8], gaze_x: float, gaze_y: float, blink: float) -> None:
        """Paint the eyes of a frame into `layer` (a copy of the still layer).

        Args:
            layer: [H, W, 4] uint8, changed in place.
            gaze_x: -1 to 1, to the image's right.
            gaze_y: -1 to 1, down.
            blink: Lid closure, 0 to 1.
        """
        upper, lower = (edge.astype(np.float32) for edge in lips.closed_lids(self.shape, self.u, blink))
        skin = self._lids(upper, blink)
        y = self.y
        inside = step(y - upper - 0.002, 0.020) * step(lower - y - 0.002, 0.022)
        inside *= np.abs(self.u) < np.float32(self.shape.eye_w)
        out = skin[..., :3].astype(np.float32)
        if blink < 0.97:
            ball = self._ball(gaze_x, gaze_y, upper)
            ball *= np.float32(255)
            ball -= out
            ball *= inside[..., None]
            out += ball
        edge = (y - upper + np.float32(0.003)) / self.lash
        dark = self.lash_dark * np.exp(np.float32(-0.5) * edge * edge) * self.ends
        edge = (y - lower - np.float32(0.004)) * np.float32(1 / 0.009)
        dark += np.float32(0.26) * np.exp(np.float32(-0.5) * edge * edge) * self.ends
        out *= (np.float32(1) - np.minimum(dark, np.float32(0.95)))[..., None]
        for index, columns in enumerate(self.columns):
            patch = layer[self.rows, columns]
            patch[..., :3] = np.clip(out[index] + np.float32(0.5), 0, 255).astype(np.uint8)
            patch[..., 3] = skin[index, ..., 3]

    def _lids(self, upper: Field, blink: float) -> NDArray[np.uint8]:
        """Skin with the upper lid drawn down: the strip between crease and lashes is stretched."""
        if blink < 0.01:
            return self.still
        span = np.maximum(upper - self.fold, np.float32(0.01))
        share = (self.y - self.fold) / span
        stretched = self.fold + share * (self.rest - self.fold - np.float32(0.012))
        source = np.where((share > 0) & (share < 1.0), stretched, self.y)
        # what was the open eye lies under the lid now and is never seen; below it the skin stays where it is
        rows = ((source - np.float32(TOP)) * np.float32(SCALE) - np.float32(0.5 + self.top)).astype(np.float32)
        columns = np.broadcast_to(np.arange(self.size, dtype=np.float32), rows.shape[1:]).copy()
        return np.stack([cv2.remap(self.still[i], columns, rows[i], cv2.INTER_LINEAR) for i in range(2)])

    def _ball(self, gaze_x: float, gaze_y: float, upper: Field) -> Field:
        s, y, u = self.shape, self.y, self.u
        side = np.array([-1.0, 1.0], np.float32)[:, None, None]
        dx = u - side * np.float32(0.06 * gaze_x)
        dy = y - np.float32(s.eye_y - 0.012 + 0.04 * gaze_y)
        radius = np.sqrt(dx * dx + dy * dy)
        angle = ((np.arctan2(dy, dx) + np.float32(np.pi)) * np.float32(63 / (2 * np.pi))).astype(np.int32)
        limb = step(radius - 0.078, 0.030)
        glow = np.float32(0.80) + np.float32(3.2) * np.clip(dy, -0.05, 0.09) + self.spokes[angle]
        tone = glow * (1 - 0.55 * limb) * (1 - step(np.float32(PUPIL_RADIUS) - radius, 0.016) * np.float32(0.92))
        iris = self.iris * tone[..., None]
        ball = self.sclera + (iris - self.sclera) * step(np.float32(IRIS_RADIUS) - radius, 0.020)[..., None]
        ball *= (self.bright * (0.55 + 0.45 * step(y - upper - 0.040, 0.075)))[..., None]
        hx = side * dx - np.float32(0.055 * self.light.x)
        hy = dy + np.float32(0.034)
        spark = np.exp((hx * hx + hy * hy) * np.float32(-0.5 / 0.013**2))
        ball += (np.float32(0.80) * spark)[..., None]
        return np.asarray(np.minimum(ball, 1.0), np.float32)
