from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.faces.tracks import FaceTrack, load_track, save_track


def moving(n: int = 11, fps: float = 10.0) -> FaceTrack:
    """All points go from 0 to 1 in equal steps."""
    points = np.repeat(np.linspace(0, 1, n, dtype=np.float32)[:, None, None], 68, axis=1).repeat(2, axis=2)
    return FaceTrack(np.arange(n) / fps, points, np.arange(n) % 3 != 1, "test 1")


def test_a_track_comes_back_as_it_was_and_byte_for_byte(tmp_path: Path) -> None:
    track = moving()
    save_track(tmp_path / "a.npz", track)
    save_track(tmp_path / "b.npz", load_track(tmp_path / "a.npz"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = load_track(tmp_path / "b.npz")
    np.testing.assert_array_equal(back.times, track.times)
    np.testing.assert_array_equal(back.points, track.points)
    np.testing.assert_array_equal(back.found, track.found)
    assert back.backend == "test 1"


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path(tmp_path / "sprung").touch, ())

    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    np.savez(
        tmp_path / "object.npz", schema_version=1, times=np.array([Trap()], object), points=0, found=0, backend="x"
    )
    for name in ("pickle.npz", "object.npz"):
        with pytest.raises(ValueError):
            load_track(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_other_versions_and_missing_parts_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", schema_version=99)
    np.savez(tmp_path / "part.npz", schema_version=1, times=np.zeros(1))
    for name, why in (("new.npz", "version 99"), ("part.npz", "not a face track"), ("none.npz", "not a face track")):
        with pytest.raises(ValueError, match=why):
            load_track(tmp_path / name)


@pytest.mark.parametrize(
    ("times", "points", "found"),
    [(3, (2, 68, 2), 3), (2, (2, 67, 2), 2), (2, (2, 68, 3), 2), (2, (2, 68, 2), 1)],
)
def test_shapes_must_agree(times: int, points: tuple[int, ...], found: int) -> None:
    with pytest.raises(ValueError, match="face track of"):
        FaceTrack(np.arange(times) / 25, np.zeros(points, np.float32), np.ones(found, bool), "x")


def test_points_must_be_finite() -> None:
    points = np.zeros((1, 68, 2), np.float32)
    points[0, 3, 1] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        FaceTrack(np.zeros(1), points, np.ones(1, bool), "x")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-2, 3), min_size=1, max_size=30))
def test_resampling_is_linear_inside_and_held_outside(times: list[float]) -> None:
    wanted = np.sort(np.array(times))
    found = moving().at(wanted)
    np.testing.assert_allclose(found.points[:, 5, 1], np.clip(wanted, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(found.times, wanted)


def test_a_window_starts_its_own_clock() -> None:
    cut = moving().window(0.3, np.arange(4) / 10)
    np.testing.assert_allclose(cut.times, np.arange(4) / 10)
    np.testing.assert_allclose(cut.points[:, 0, 0], [0.3, 0.4, 0.5, 0.6], atol=1e-6)
    assert cut.found.tolist() == [True, False, True, True]


def test_an_empty_track_cannot_be_resampled() -> None:
    empty = FaceTrack(np.zeros(0), np.zeros((0, 68, 2), np.float32), np.zeros(0, bool), "x")
    with pytest.raises(ValueError, match="empty"):
        empty.at(np.zeros(2))
