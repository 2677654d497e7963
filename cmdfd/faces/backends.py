"""Finding faces in real video: which backends there are, and how to get one.

No backend is part of the base install, and none is ever downloaded: `mediapipe` 0.10.21 brings its models in the
wheel, newer releases take a model file that the user names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cmdfd.errors import CmdfdError, MissingExtraError, nearest

if TYPE_CHECKING:
    from cmdfd.faces.tracks import FaceTrack
    from cmdfd.media.decode import Video

#: Names the model file of `mediapipe-tasks` where no argument does.
MODEL_VARIABLE = "CMDFD_FACE_MODEL"

#: Backends in the order in which they are tried. Lazy: nothing is imported before one is asked for.
BACKENDS: dict[str, str] = {
    "mediapipe-solutions": "cmdfd.faces.mediapipe_solutions:SolutionsBackend",
    "mediapipe-tasks": "cmdfd.faces.mediapipe_tasks:TasksBackend",
}

#: Most people looked for in a frame. Three are enough to see that there is not one.
MAX_FACES = 3


class FaceBackend(Protocol):
    """Something that finds and follows faces.

    Attributes:
        name: As in `BACKENDS`.
        label: Name, version and model: all that decides its tracks, and what they carry as their `backend`.
    """

    name: str
    label: str

    def track(self, video: Video) -> list[FaceTrack]:
        """Find the people in a video.

        Args:
            video: RGB frames [T, H, W, 3] and their times.

        Returns:
            One track per person, the most often found first; empty where there is no face. Each covers all T
            frames, at `video.times` counted from the first; gaps are interpolated and flagged in `found`.
        """


class NoFaceBackendError(MissingExtraError):
    """No face backend can be used here; tells both ways to get one.

    Args:
        extra: The extra that brings one.
        purpose: What it is needed for, as the object of "needed for".
        reasons: Why each known backend cannot be used, in words.
    """

    def __init__(self, extra: str, purpose: str, reasons: str = "") -> None:
        super().__init__(extra, purpose)
        self.reasons = reasons
        self.args = (extra, purpose, reasons)  # so that it survives pickling between processes

    def __str__(self) -> str:
        return (
            f"a face backend is needed for {self.purpose}. The extra {self.extra!r} brings one with its models; it "
            "pins numpy < 2 and exists for Python 3.11 and 3.12 only (python < 3.13), so give it a virtual "
            "environment of its own: python3.12 -m venv .venv-face && .venv-face/bin/pip install -e '.[face]'. "
            "Or stay here: pip install -e '.[face-tasks]' and name a FaceLandmarker model file (.task) by "
            f"the option face_model or ${MODEL_VARIABLE}." + (f" Tried: {self.reasons}." if self.reasons else "")
        )


def get_backend(
    name: str | None = None, model: Path | None = None, purpose: str = "finding faces in real video"
) -> FaceBackend:
    """Get a face backend.

    Args:
        name: One of `BACKENDS`, or "package.module:Class" of your own, constructed with the model path; None takes
            the first that is installed.
        model: Model file for backends that need one; default `$CMDFD_FACE_MODEL`.
        purpose: What it is for, told in the error.

    Raises:
        NoFaceBackendError: If none (or not the named one) can be used here; a `MissingExtraError`.
        CmdfdError: If the name is unknown.
    """
    if model is None and (variable := os.environ.get(MODEL_VARIABLE)):
        model = Path(variable)
    names = [name] if name is not None else list(BACKENDS)
    reasons = []
    for each in names:
        factory = _load(each)
        obstacle = factory.obstacle(model) if hasattr(factory, "obstacle") else None
        if obstacle is None:
            backend: FaceBackend = factory(model)
            return backend
        reasons.append(f"{each}: {obstacle}")
    raise NoFaceBackendError("face", purpose, "; ".join(reasons))


def _load(name: str) -> Any:
    from cmdfd.registry import load_object

    if name not in BACKENDS and ":" not in name:
        raise CmdfdError(f"unknown face backend {name!r}: {nearest(name, BACKENDS)}")
    return load_object(BACKENDS.get(name, name))
