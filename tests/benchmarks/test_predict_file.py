"""Single files: scored where they can be, named with a reason where not; nothing is built without a face backend."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import predict_file
from benchmarks.detector import ClipView, DetectorSpec, FitRecord, Prediction
from benchmarks.fits import Fitted
from benchmarks.mock import mock_points, mock_view
from benchmarks.registry import make, resolve
from benchmarks.results import Threshold
from benchmarks.run import main
from cmdfd.errors import MediaError, MissingExtraError
from cmdfd.faces.tracks import FaceTrack
from cmdfd.media.decode import Video
from cmdfd.media.encode import EncoderSettings, write_clip

NAMES = ["good.mp4", "-dash.mp4", "two words.mp4", "a'quote\".mp4", "line\nbreak.mp4", "üñí.mp4"]


class StillFace:
    """A backend that sees one face, always at the same place."""

    name = label = "still"

    def track(self, video: Video) -> list[FaceTrack]:
        n = len(video.times)
        points = np.repeat(mock_points(0.3)[None], n, axis=0).astype(np.float32)
        return [FaceTrack(np.asarray(video.times, np.float64), points, np.ones(n, bool), "still")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    view = mock_view("x", 1, fake=False)
    for name in NAMES:
        write_clip(folder / name, view.frames(), 25.0, view.audio(), 16000, EncoderSettings())
    write_clip(folder / "mute.mp4", view.frames(), 25.0, None, 16000, EncoderSettings())
    write_clip(folder / "short.mp4", view.frames()[:5], 25.0, view.audio()[:3200], 16000, EncoderSettings())
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("not a film")
    (folder / "list.mp4").write_text("#EXTM3U\nfile:///etc/passwd\n")
    return {path.name: path for path in folder.iterdir()} | {"gone.mp4": folder / "gone.mp4"}


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    ref = resolve("random")
    return Fitted(ref, make(ref), "revision", FitRecord("random", "default", 0, (), (), ()), None)


@pytest.mark.parametrize(
    "name", ["good.mp4", "-dash.mp4", "two words.mp4", "a'quote\".mp4", "line\nbreak.mp4", "üñí.mp4"]
)
def test_any_name_is_scored_and_drawn(name: str, files: dict[str, Path], fitted: Fitted, tmp_path: Path) -> None:
    score = predict_file._one(fitted, files[name], tmp_path, Threshold(value=0.5, chosen_on="v"), StillFace)
    assert score.prediction.score is not None
    assert score.timeline is not None
    assert score.timeline.read_bytes().startswith(b"\x89PNG")
    assert score.timeline.parent == tmp_path


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("mute.mp4", "no_audio"),
        ("short.mp4", "too_short"),
        ("empty.mp4", "empty"),
        ("text.mp4", "not_media"),
        ("list.mp4", "unsafe_reference"),
        ("gone.mp4", "missing"),
    ],
)
def test_unusable_files_get_a_named_reason(
    name: str, code: str, files: dict[str, Path], fitted: Fitted, tmp_path: Path
) -> None:
    score = predict_file._one(fitted, files[name], tmp_path, None, StillFace)
    assert score.timeline is None
    assert (score.prediction.error or "").partition(":")[0] == code


def test_two_files_of_one_name_get_two_pictures(files: dict[str, Path], tmp_path: Path) -> None:
    one, two = (predict_file._timeline_path(tmp_path, folder / "clip.mp4") for folder in (Path("a"), Path("b")))
    assert one != two


def test_without_a_backend_the_command_to_type_is_named(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("mediapipe") is not None:
        pytest.skip("a face backend is installed here")
    assert main(["--predict", str(files["good.mp4"]), "--cache-dir", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr().err
    assert "pip install" in said
    assert "[face" in said
    assert not (tmp_path / "cache").exists()


def no_backend() -> StillFace:
    raise AssertionError("nobody asked for a face")


def test_a_detector_that_looks_at_no_face_needs_no_backend(files: dict[str, Path], fitted: Fitted) -> None:
    found = predict_file.score_file(fitted, files["good.mp4"], no_backend)
    assert found.prediction.score is not None
    assert found.view is not None
    assert found.view.frames().shape[1:] == mock_view("x", 1, fake=False).frames().shape[1:]  # not cut, not scaled
    with pytest.raises(MediaError, match="no_face"):
        found.view.track()


class Looker:
    """Scores a clip by its face track; says nothing of that beforehand."""

    spec = DetectorSpec("looker", "", ("video",), needs_training=False)

    def predict(self, views: Iterable[ClipView]) -> Iterator[Prediction]:
        for view in views:
            try:
                yield Prediction(view.id, float(view.track().points.mean()))
            except MediaError as error:
                yield Prediction(view.id, None, error=f"{error.code}: {error.detail}")


def test_the_track_is_found_for_who_asks_and_the_backend_is_missed_only_then(files: dict[str, Path]) -> None:
    asking = Fitted(resolve("random"), Looker(), "revision", FitRecord("x", "default", 0, (), (), ()), None)
    found = predict_file.score_file(asking, files["good.mp4"], StillFace)
    assert found.prediction.score is not None
    assert found.view is not None and found.view.frames().shape[1:] == (256, 256, 3)  # cut to the face

    def missing() -> StillFace:
        raise MissingExtraError("face", "faces")

    with pytest.raises(MissingExtraError, match="face"):
        predict_file.score_file(asking, files["good.mp4"], missing)


@pytest.mark.parametrize(("name", "wants"), [("mds", True), ("noise_residual", False), ("random", False)])
def test_which_detector_looks_at_faces_is_known_before_a_fit(name: str, wants: bool) -> None:
    assert predict_file.wants_track(make(resolve(name))) is wants
    assert predict_file.wants_track(Looker())
