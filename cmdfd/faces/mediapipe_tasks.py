"""Faces by MediaPipe's Tasks API, with a FaceLandmarker model file that the user names (mediapipe >= 0.10.30)."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import CmdfdError
from cmdfd.faces.backends import MAX_FACES, MODEL_VARIABLE
from cmdfd.faces.linking import link
from cmdfd.faces.mesh68 import to_68
from cmdfd.faces.native_log import held_back

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack
    from cmdfd.media.decode import Video

#: Least scores for a detection, for the presence of a face and for going on with a track: the API's defaults.
MIN_SCORE = 0.5
#: A .task bundle is a zip archive (MediaPipe's model metadata format).
_ZIP_MAGIC = b"PK\x03\x04"


class TasksBackend:
    """FaceLandmarker in video mode, up to three people.

    Args:
        model: The .task file.
    """

    name = "mediapipe-tasks"

    def __init__(self, model: Path | None = None) -> None:
        if model is None:
            raise CmdfdError(f"{self.name} needs a FaceLandmarker model file: option face_model or ${MODEL_VARIABLE}")
        self._model = model
        digest = hashlib.sha256(model.read_bytes()).hexdigest()[:8]
        self.label = f"{self.name} {version('mediapipe')} model {digest}"

    @staticmethod
    def obstacle(model: Path | None = None) -> str | None:
        """Why this backend cannot be used here, or None. Looks at files, imports nothing."""
        spec = find_spec("mediapipe")
        if spec is None or not spec.submodule_search_locations:
            return "mediapipe is not installed"
        if model is None:
            return f"no model file named (face_model or ${MODEL_VARIABLE})"
        if not model.is_file():
            return f"model file {str(model)!r} does not exist"
        with model.open("rb") as stream:
            if stream.read(4) != _ZIP_MAGIC:
                return f"model file {str(model)!r} is no .task bundle"
        return None

    def track(self, video: Video) -> list[FaceTrack]:
        """See `cmdfd.faces.backends.FaceBackend.track`."""
        import mediapipe
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=self._model.read_bytes()),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=MAX_FACES,
            min_face_detection_confidence=MIN_SCORE,
            min_face_presence_confidence=MIN_SCORE,
            min_tracking_confidence=MIN_SCORE,
        )
        times = video.times - video.times[:1]
        with held_back():
            try:
                landmarker = vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise CmdfdError(f"model file {str(self._model)!r} cannot be used: {error}") from error
            with landmarker:
                detections = []
                for frame, stamp in zip(video.frames, _milliseconds(times), strict=True):
                    pixels = np.ascontiguousarray(frame)
                    image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
                    detections.append(_points(landmarker.detect_for_video(image, int(stamp))))
        return link(detections, times, self.label)


def _milliseconds(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole milliseconds that strictly increase, as the API demands, also where frames share a time."""
    rounded = np.round(times * 1000).astype(np.int64)
    steps = np.arange(len(times), dtype=np.int64)
    return np.maximum.accumulate(rounded - steps) + steps


def _points(result: Any) -> list[NDArray[np.float32]]:
    return [to_68(np.array([[point.x, point.y] for point in face], np.float32)) for face in result.face_landmarks]
