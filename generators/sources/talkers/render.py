"""From a person, a camera and movement to frames and face points."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cmdfd.faces.tracks import FaceTrack
from generators.sources.talkers.backdrop import FOLLOW, MARGIN, Backdrop, build_backdrop
from generators.sources.talkers.camera import Camera, HeadMap, Pose, Sensor
from generators.sources.talkers.eyes import EyePainter
from generators.sources.talkers.fields import LEFT, SCALE, TOP
from generators.sources.talkers.head import Head, build_head
from generators.sources.talkers.identity import draw_identity
from generators.sources.talkers.landmarks import Frame, Landmarks
from generators.sources.talkers.mouth import MouthPainter, MouthPose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.sources.talkers.motion import Motion
    from generators.sources.talkers.visemes import LipTracks


@lru_cache(maxsize=2)
def cached_head(seed: int) -> Head:
    """The head of a person; the last two are kept, since the clips of a person follow one another."""
    return build_head(draw_identity(seed))


def _over(picture: NDArray[np.uint8], layer: Any) -> NDArray[np.uint8]:
    """Lay a premultiplied RGBA layer over an RGB picture of the same size."""
    clear = np.empty(picture.shape, np.uint8)
    cv2.mixChannels([layer], [clear], [3, 0, 3, 1, 3, 2])
    cv2.bitwise_not(clear, clear)
    cv2.multiply(picture, clear, clear, scale=1 / 255)
    return np.asarray(cv2.add(cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), clear), np.uint8)


class Renderer:
    """Draws the frames of one clip.

    Args:
        head: Whose head.
        camera: The camera.
        rng: The sensor noise's own stream.
    """

    def __init__(self, head: Head, camera: Camera, rng: np.random.Generator) -> None:
        self.head, self.camera, self.rng = head, camera, rng
        self.mouth = MouthPainter(head.person, head.layer)
        self.eyes = EyePainter(head.person, head.layer)
        self.map = HeadMap(head, camera)
        self.sensor = Sensor(camera, rng)
        self.backdrop: Backdrop = build_backdrop(head.person, camera)
        self.landmarks = Landmarks(head, camera)
        self.layer = head.layer.copy()

    def _behind(self, pose: Pose) -> NDArray[np.uint8]:
        """Room, back hair and body."""
        size, scale = self.camera.size, self.camera.scale
        picture = self.backdrop.room
        if self.head.back is not None:
            zoom = scale / SCALE
            cos, sin = zoom * np.cos(pose.roll), zoom * np.sin(pose.roll)
            ox, oy = LEFT * SCALE + 0.5, TOP * SCALE + 0.5  # canvas pixel (0, 0) in face pixels
            matrix = np.array(
                [
                    [cos, -sin, cos * ox - sin * oy + self.camera.x + scale * pose.dx],
                    [sin, cos, sin * ox + cos * oy + self.camera.y + scale * pose.dy],
                ]
            )
            picture = _over(picture, cv2.warpAffine(self.head.back, matrix, (size, size), flags=cv2.INTER_LINEAR))
        body, top = self.backdrop.body, self.backdrop.body_top
        shift = np.array([[1.0, 0.0, FOLLOW * scale * pose.dx - MARGIN], [0.0, 1.0, FOLLOW * scale * pose.dy]])
        moved = cv2.warpAffine(body, shift, (size, size - top), flags=cv2.INTER_LINEAR)
        whole = picture.copy()
        whole[top:] = _over(np.ascontiguousarray(picture[top:]), moved)
        return whole

    def frame(self, frame: Frame, gaze_x: float = 0.0, gaze_y: float = 0.0) -> NDArray[np.uint8]:
        """One RGB frame, [size, size, 3] uint8."""
        self.mouth.draw(self.layer, frame.mouth)
        self.eyes.draw(self.layer, gaze_x, gaze_y, frame.blink)
        columns, rows, coarse_columns, coarse_rows = self.map.maps(frame.pose)
        head = cv2.remap(
            self.layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0)
        )
        picture: Any = _over(self._behind(frame.pose), head)
        change = self.map.change_of_light(frame.pose, coarse_columns, coarse_rows)
        picture = cv2.addWeighted(picture, 1.0, change, 1.0, -128.0)
        return self.sensor.expose(picture, self.rng)


def frames_of(motion: Motion, lips: LipTracks) -> list[Frame]:
    """Bundle movement and lips frame by frame."""
    return [
        Frame(
            Pose(*(float(v[i]) for v in (motion.yaw, motion.pitch, motion.roll, motion.dx, motion.dy, motion.brow))),
            MouthPose(*(float(v[i]) for v in (lips.open, lips.wide, lips.press, lips.bite, lips.tongue))),
            float(motion.blink[i]),
        )
        for i in range(len(motion.yaw))
    ]


def render(renderer: Renderer, motion: Motion, lips: LipTracks) -> NDArray[np.uint8]:
    """All frames of a clip, [T, size, size, 3] uint8."""
    plan = frames_of(motion, lips)
    size = renderer.camera.size
    out = np.empty((len(plan), size, size, 3), np.uint8)
    for index, frame in enumerate(plan):
        out[index] = renderer.frame(frame, float(motion.gaze_x[index]), float(motion.gaze_y[index]))
    return out


def track(renderer: Renderer, motion: Motion, lips: LipTracks, fps: float) -> FaceTrack:
    """The true face track of a clip, in normalised coordinates."""
    plan = frames_of(motion, lips)
    pixels = renderer.landmarks.at(plan)
    points = ((pixels + 0.5) / renderer.camera.size).astype(np.float32)
    times = np.arange(len(plan)) / fps
    return FaceTrack(times, points, np.ones(len(plan), np.bool_), "renderer")
