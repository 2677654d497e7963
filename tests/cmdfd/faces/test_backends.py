from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.errors import CmdfdError, MissingExtraError
from cmdfd.faces import backends, mediapipe_solutions, mediapipe_tasks
from cmdfd.faces.backends import MODEL_VARIABLE, NoFaceBackendError, get_backend
from cmdfd.faces.mediapipe_solutions import SolutionsBackend
from cmdfd.faces.mediapipe_tasks import TasksBackend, _milliseconds
from cmdfd.faces.native_log import held_back


class OwnBackend:
    """A third party's backend."""

    name = label = "own"

    def __init__(self, model: Path | None = None) -> None:
        self.model = model

    def track(self, video: object) -> list:
        return []


OWN = f"{__file__}:OwnBackend"


@pytest.fixture
def no_mediapipe(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mediapipe_solutions, mediapipe_tasks):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)


@pytest.fixture
def new_mediapipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wheel without solutions and models, as from 0.10.30 on."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    for module in (mediapipe_solutions, mediapipe_tasks):
        monkeypatch.setattr(module, "find_spec", lambda name: spec)
        monkeypatch.setattr(module, "version", lambda name: "1.2.2")
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)


@pytest.mark.usefixtures("no_mediapipe")
def test_without_a_backend_the_error_tells_file_command_and_environment() -> None:
    with pytest.raises(NoFaceBackendError) as caught:
        get_backend(purpose="finding faces in real video (anna.mp4)")
    text = str(caught.value)
    assert isinstance(caught.value, MissingExtraError)
    assert caught.value.extra == "face"
    for part in ("anna.mp4", "pip install", "[face]", "numpy < 2", "python < 3.13", "environment of its own"):
        assert part in text
    assert "face-tasks" in text
    assert MODEL_VARIABLE in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(CmdfdError, match="did you mean 'mediapipe-solutions'"):
        get_backend("mediapipe-solution")


def test_a_backend_of_ones_own_is_loaded_and_given_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "from_environment"))
    assert get_backend(OWN).model == tmp_path / "from_environment"  # type: ignore[attr-defined]
    assert get_backend(OWN, tmp_path / "named").model == tmp_path / "named"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("new_mediapipe")
def test_a_wheel_without_models_needs_a_model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoFaceBackendError, match=r"1\.2\.2 has no solutions and no models.*no model file named"):
        get_backend()
    with pytest.raises(NoFaceBackendError, match="does not exist"):
        get_backend(model=tmp_path / "missing.task")
    (tmp_path / "text.task").write_text("not a bundle")
    with pytest.raises(NoFaceBackendError, match=r"no \.task bundle"):
        get_backend(model=tmp_path / "text.task")
    (tmp_path / "face.task").write_bytes(b"PK\x03\x04 a zip archive by its head")
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "face.task"))
    assert isinstance(get_backend(), TasksBackend)
    with pytest.raises(NoFaceBackendError, match="no solutions"):
        get_backend("mediapipe-solutions")


@pytest.mark.usefixtures("new_mediapipe")
def test_solutions_are_preferred_where_the_wheel_has_them(tmp_path: Path) -> None:
    for part in mediapipe_solutions._NEEDED:
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).write_bytes(b"")
    assert isinstance(get_backend(), SolutionsBackend)


def test_the_table_names_what_exists_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cmdfd.faces import backends; from cmdfd.registry import load_object\n"
        "classes = [load_object(target) for target in backends.BACKENDS.values()]\n"
        "assert [each.name for each in classes] == list(backends.BACKENDS)\n"
        "heavy = {'mediapipe', 'cv2', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert next(iter(backends.BACKENDS)) == "mediapipe-solutions"


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=50))
def test_time_stamps_for_the_tasks_api_increase_strictly_and_stay_near(times: list[float]) -> None:
    ordered = np.sort(np.array(times))
    stamps = _milliseconds(ordered)
    assert (np.diff(stamps) > 0).all()
    if len(ordered) > 1 and np.diff(ordered).min() > 0.002:
        assert np.abs(stamps - ordered * 1000).max() <= 1


def test_native_chatter_is_held_back_and_let_out_on_errors(tmp_path: Path) -> None:
    code = (
        "import os\nfrom cmdfd.faces.native_log import held_back\n"
        "with held_back(): os.write(2, b'chatter')\n"
        "os.write(2, b'|between|')\n"
        "try:\n  with held_back():\n    os.write(2, b'reason'); raise ValueError\n"
        "except ValueError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
    assert done.stderr == b"|between|reason"
    with held_back():
        pass


@pytest.mark.face
def test_solutions_find_nobody_in_noise() -> None:
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    frames = np.random.default_rng(0).integers(0, 256, (6, 120, 160, 3), dtype=np.uint8)
    assert SolutionsBackend().track(SimpleNamespace(frames=frames, times=np.arange(6) / 25 + 3)) == []


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .task bundle made of the models in the wheel. It runs, but is not the model that users will name."""
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    import zipfile

    import mediapipe
    from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter

    modules = Path(mediapipe.__file__).parent / "modules"
    parts = {
        "face_detector.tflite": ("face_detection/face_detection_short_range.tflite", 127.5, 127.5),
        "face_landmarks_detector.tflite": ("face_landmark/face_landmark.tflite", 0.0, 255.0),
    }
    path = tmp_path_factory.mktemp("model") / "face.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, (file, mean, spread) in parts.items():
            writer = MetadataWriter.create(bytearray((modules / file).read_bytes()))
            content, _ = writer.add_general_info(name, "").add_image_input([mean], [spread]).populate()
            archive.writestr(name, bytes(content))
    return path


@pytest.mark.face
def test_the_tasks_api_is_called_as_it_wants_to_be(bundle: Path) -> None:
    pytest.importorskip("espeakng_loader")
    from generators.sources.talkers.source import TalkerSource, render_take

    items = TalkerSource({"size": 256, "seconds": 1.0}).plan({"train": {"identities": 1, "clips": 1}}, 3).items
    frames = render_take(items[0]).frames
    tracks = get_backend("mediapipe-tasks", bundle).track(
        SimpleNamespace(frames=frames, times=5 + np.arange(len(frames)) / 25)
    )
    assert tracks
    assert tracks[0].times[0] == 0
    assert tracks[0].found.mean() > 0.8
    assert tracks[0].backend.startswith("mediapipe-tasks")
    assert "model" in tracks[0].backend
    assert tracks[0].backend == get_backend("mediapipe-tasks", bundle).label


@pytest.mark.face
def test_a_bundle_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    (tmp_path / "broken.task").write_bytes(b"PK\x03\x04 nothing")
    video = SimpleNamespace(frames=np.zeros((1, 64, 64, 3), np.uint8), times=np.zeros(1))
    with pytest.raises(CmdfdError, match=r"broken\.task.*cannot be used"):
        get_backend("mediapipe-tasks", tmp_path / "broken.task").track(video)
