"""Faces by MediaPipe's `solutions.face_mesh`, whose models are in the wheel (mediapipe 0.10.21)."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.faces.backends import MAX_FACES
from cmdfd.faces.linking import link
from cmdfd.faces.mesh68 import to_68
from cmdfd.faces.native_log import held_back

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack
    from cmdfd.media.decode import Video

#: Least scores for a detection and for going on with a track: the defaults of mediapipe 0.10.21.
MIN_SCORE = 0.5
#: Files that tell a wheel with models from one without.
_NEEDED = ("python/solutions/face_mesh.py", "modules/face_landmark/face_landmark.tflite")


class SolutionsBackend:
    """Face mesh in tracking mode, up to three people.

    Args:
        model: Ignored: the wheel has the models.
    """

    name = "mediapipe-solutions"

    def __init__(self, model: Path | None = None) -> None:
        self.label = f"{self.name} {version('mediapipe')}"

    @staticmethod
    def obstacle(model: Path | None = None) -> str | None:
        """Why this backend cannot be used here, or None. Looks at files, imports nothing."""
        spec = find_spec("mediapipe")
        if spec is None or not spec.submodule_search_locations:
            return "mediapipe is not installed"
        root = Path(next(iter(spec.submodule_search_locations)))
        if not all((root / part).is_file() for part in _NEEDED):
            return f"mediapipe {version('mediapipe')} has no solutions and no models (0.10.21 is the last that has)"
        return None

    def track(self, video: Video) -> list[FaceTrack]:
        """See `cmdfd.faces.backends.FaceBackend.track`."""
        from mediapipe.python.solutions import face_mesh

        with (
            held_back(),
            face_mesh.FaceMesh(
                static_image_mode=False,
                max_num_faces=MAX_FACES,
                refine_landmarks=False,
                min_detection_confidence=MIN_SCORE,
                min_tracking_confidence=MIN_SCORE,
            ) as mesh,
        ):
            detections = [_points(mesh.process(np.ascontiguousarray(frame))) for frame in video.frames]
        return link(detections, video.times - video.times[:1], self.label)


def _points(result: Any) -> list[NDArray[np.float32]]:
    faces = result.multi_face_landmarks or []
    return [to_68(np.array([[point.x, point.y] for point in face.landmark], np.float32)) for face in faces]
