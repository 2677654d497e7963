"""One panel: from a frame of a take to its box on the canvas, the same way for picture, mask and face track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generators.splice.scenes.layouts import Box, layout_of
from generators.splice.scenes.paint import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack
    from generators.splice.scenes.paint import Layer
    from generators.splice.scenes.scene import Scene

#: A take that would lose more than this leaves of a side is shown whole, in any panel: a face may stand anywhere in it.
#: Square takes keep 0.8 in the widest panel, those of 4:3 keep 0.75 in a square one.
LEAST_KEPT = 0.62


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a take lands where.

    Args:
        source: Rectangle of the take in its pixels.
        target: Rectangle of the canvas; whole pixels at both ends, so the two scales differ by less than one pixel
            of the take.
        size: Width and height of the take.
        canvas: Width and height of the canvas.
    """

    source: Box
    target: Box
    size: tuple[int, int]
    canvas: tuple[int, int]

    def scale(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop and scale one picture or one mask: the mean over the area where it shrinks, bilinear where it grows.

        Args:
            images: [H, W, 3] or [H, W] uint8 of the take.

        Returns:
            [h, w(, 3)] uint8 of the target's size.
        """
        part = images[self.source.y : self.source.bottom, self.source.x : self.source.right]
        size = (self.target.width, self.target.height)
        if part.shape[1::-1] == size:
            return part.copy()  # what covers it is blended in, and the take must stay as it is
        import cv2

        shrinks = size[0] * size[1] < part.shape[0] * part.shape[1]
        scaled = cv2.resize(part, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return np.asarray(scaled, np.uint8)

    def place(self, track: FaceTrack) -> FaceTrack:
        """Move the points of a track (fractions of the take's picture) to fractions of the canvas."""
        from cmdfd.faces.tracks import FaceTrack

        source, target = self.source, self.target
        scale = np.array([target.width / source.width, target.height / source.height])
        pixels = track.points * np.array(self.size, np.float64)
        points = (pixels - (source.x, source.y)) * scale + (target.x, target.y)
        points = (points / np.array(self.canvas, np.float64)).astype(np.float32)
        return FaceTrack(track.times, points, track.found, track.backend)


def window_of(scene: Scene, slot: int, width: int, height: int) -> Window:
    """How a take is seen in a slot.

    It depends on the scene and on the size of the take alone, never on what is seen in it: a forged take falls in the
    same place as the genuine one.

    Args:
        scene: The scene.
        slot: Number of the slot.
        width: Pixels of the take.
        height: Pixels of the take.
    """
    box, view = scene.boxes[slot], scene.views[slot]
    aspect = box.width / box.height
    kept = min(width / height, aspect) / max(width / height, aspect)
    if layout_of(scene.layout).slots[slot].fit == "contain" or kept < LEAST_KEPT:
        factor = min(box.width / width, box.height / height)
        inner = (min(box.width, max(1, round(width * factor))), min(box.height, max(1, round(height * factor))))
        target = Box(box.x + (box.width - inner[0]) // 2, box.y + (box.height - inner[1]) // 2, *inner)
        crop = (float(width), float(height))
    else:
        target = box
        crop = (min(float(width), height * aspect), min(float(height), width / aspect))
    inside = tuple(max(1, round(side / view.zoom)) for side in crop)
    left, top = round((width - inside[0]) * view.x), round((height - inside[1]) * view.y)
    return Window(Box(left, top, inside[0], inside[1]), target, (width, height), (scene.width, scene.height))


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """What of a panel is seen under one state of the graphics.

    Args:
        alpha: [h, w] uint8, how much of the panel is seen.
        fixed: [h, w, 3] uint16, 255 times what else is seen: graphics above, the background behind round corners.
    """

    alpha: NDArray[np.uint8]
    fixed: NDArray[np.uint16]
    _hidden: NDArray[np.intp]
    _soft: NDArray[np.intp]
    _hidden_fixed: NDArray[np.uint8]
    _soft_alpha: NDArray[np.uint16]
    _soft_fixed: NDArray[np.uint16]

    @classmethod
    def of(cls, shape: NDArray[np.float32], over: Layer, behind: NDArray[np.float32], target: Box) -> Blend:
        """Take together the shape of a panel, the graphics above it and what lies behind it.

        Args:
            shape: [h, w] 0 to 1, the panel's own edges.
            over: Graphics of the whole canvas.
            behind: [H, W, 3] background of the whole canvas, 0 to 255.
            target: Where the panel lies.
        """
        here = (slice(target.y, target.bottom), slice(target.x, target.right))
        free = 1 - over.alpha[here]
        alpha = np.clip(np.rint(255 * free * shape), 0, 255).astype(np.uint8)
        rest = over.colour[here] + behind[here] * (free * (1 - shape))[..., None]
        room = 255 * (255 - alpha.astype(np.int32))[..., None]  # so that a sum never passes 255
        fixed = np.clip(np.rint(rest * 255), 0, room).astype(np.uint16)
        flat, points = alpha.reshape(-1), fixed.reshape(-1, 3)
        hidden, soft = np.flatnonzero(flat == 0), np.flatnonzero((flat > 0) & (flat < 255))
        shown = ((points[hidden].astype(np.uint32) + 127) // 255).astype(np.uint8)
        return cls(alpha, fixed, hidden, soft, shown, flat[soft].astype(np.uint16)[:, None], points[soft])

    def picture(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Blend a scaled picture [h, w, 3] with all that covers it, in place."""
        flat = image.reshape(-1, 3)
        flat[self._hidden] = self._hidden_fixed
        mixed = flat[self._soft] * self._soft_alpha
        mixed += self._soft_fixed
        mixed += np.uint16(127)
        mixed //= np.uint16(255)
        flat[self._soft] = mixed
        return image

    def mask(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Reduce a scaled mask [h, w] by what covers it, in place."""
        flat = image.reshape(-1)
        flat[self._hidden] = 0
        flat[self._soft] = (flat[self._soft] * self._soft_alpha[:, 0] + np.uint16(127)) // np.uint16(255)
        return image


def shape_of(scene: Scene, slot: int, target: Box) -> NDArray[np.float32]:
    """How much of a panel is its own: less on round corners.

    Args:
        scene: The scene.
        slot: Number of the slot.
        target: Where the picture lies on the canvas.

    Returns:
        [h, w] float32, 0 to 1.
    """
    kind = layout_of(scene.layout).slots[slot]
    return rounded(target.width, target.height, kind.radius * scene.unit)
