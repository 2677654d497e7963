"""Framing and steadiness of faces, from tracks that are made point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.audit.cues import face
from cmdfd.faces.tracks import FaceTrack, load_track, save_track

NAMES = {cue.name for cue in face.CUES}
FPS = 25


def shape() -> np.ndarray:
    """[68, 2] a face in the unit square: it touches all four sides, with level eyes."""
    points = np.random.default_rng(0).uniform(0.2, 0.8, (68, 2))
    points[0], points[16], points[8], points[19] = (0, 0.4), (1, 0.4), (0.5, 1), (0.3, 0)
    points[36], points[45] = (0.25, 0.3), (0.75, 0.3)
    return points


def track(
    n: int = 50, size: tuple[float, float] = (0.4, 0.5), at: object = (0.5, 0.5), found: np.ndarray | None = None
) -> FaceTrack:
    """A face of this size whose box has this centre, or a centre for each time [n, 2]."""
    centre = np.broadcast_to(np.asarray(at, float), (n, 2))
    points = centre[:, None] + (shape() - 0.5) * np.asarray(size)
    there = np.ones(n, bool) if found is None else found
    return FaceTrack(np.arange(n) / FPS, points.astype(np.float32), there, "test")


def measured(one: FaceTrack | None, **more: float) -> dict[str, float | None]:
    return {name.split(".")[1]: value for name, value in face.measure(one, **more).items()}


def test_catalogue_is_well_formed() -> None:
    assert len(NAMES) == len(face.CUES)
    assert all(cue.family == "face" and cue.rule and cue.remedy and cue.source for cue in face.CUES)


def test_box_and_eyes_are_where_they_were_put() -> None:
    found = measured(track(size=(0.4, 0.5), at=(0.6, 0.3)), picture_aspect=16 / 9, n_faces=2)
    expected = {
        "width": 0.4,
        "height": 0.5,
        "area": 0.2,
        "aspect": 0.4 * 16 / (0.5 * 9),
        "x": 0.6,
        "y": 0.3,
        "off_centre": np.hypot(0.1, 0.2),
        "eye_x": 0.6,
        "eye_y": 0.3 - 0.2 * 0.5,
        "eye_distance": 0.2,
        "cut": 0.0,
        "travel": 0.0,
        "missing": 0.0,
        "missing_lead": 0.0,
        "count": 2.0,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5), name
    for name in ("jitter", "size_jitter", "turning"):
        assert found[name] < 1e-4, name


def test_a_face_over_the_edge_is_cut() -> None:
    one = track(at=(0.1, 0.5))
    outside = np.mean((one.points[0] < 0).any(axis=1))
    assert outside > 0
    assert measured(one)["cut"] == pytest.approx(outside, rel=1e-5)


@pytest.mark.parametrize("aspect", [1.0, 2.0])
def test_jitter_is_told_from_travel(aspect: float) -> None:
    steps = np.arange(50)[:, None]
    gliding = measured(track(at=0.4 + 0.004 * steps * [1, 0]), picture_aspect=aspect)
    trembling = measured(track(at=0.5 + 0.004 * (-1.0) ** steps * [0, 1]), picture_aspect=aspect)
    assert gliding["jitter"] < 1e-5
    assert gliding["travel"] == pytest.approx(np.std(0.004 * steps), rel=1e-3)
    # the second difference of +-a is 4a; down the picture it counts in widths
    assert trembling["jitter"] == pytest.approx(0.016 / aspect, rel=1e-2)
    assert trembling["travel"] == pytest.approx(0.004 / aspect, rel=1e-2)


def test_turning_and_size_are_in_degrees_and_ratios() -> None:
    angles = np.radians(10 * np.sin(np.arange(100)))
    one = track(100)
    turn = np.stack([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    aspect = 1.5
    square = (one.points - 0.5) * [1, 1 / aspect]
    turned = np.einsum("tij,tpj->tpi", turn, square) * [1, aspect] + 0.5
    found = measured(FaceTrack(one.times, turned.astype(np.float32), one.found, "test"), picture_aspect=aspect)
    assert found["turning"] == pytest.approx(np.degrees(angles).std(), rel=1e-3)
    grown = 0.5 + (one.points - 0.5) * (1 + 0.01 * (-1.0) ** np.arange(100))[:, None, None]
    found = measured(FaceTrack(one.times, grown.astype(np.float32), one.found, "test"))
    assert found["size_jitter"] == pytest.approx(2 * np.log(1.01 / 0.99), rel=1e-2)


def test_missing_faces_are_counted_and_not_measured() -> None:
    there = np.ones(50, bool)
    there[:5] = there[20:25] = False
    at = np.where(there[:, None], 0.5, 5.0)  # what was interpolated must not count
    found = measured(track(at=at, found=there))
    assert found["missing"] == pytest.approx(0.2)
    assert found["missing_lead"] == pytest.approx(5 / FPS)
    assert (found["x"], found["cut"]) == (0.5, 0)
    assert found["jitter"] < 1e-5


def test_without_a_face_only_its_absence_is_known() -> None:
    absent = measured(track(found=np.zeros(50, bool)), n_faces=0)
    assert {name: value for name, value in absent.items() if value is not None} == {"missing": 1.0, "count": 0.0}
    assert face.measure(None) == dict.fromkeys(NAMES)
    assert face.measure(track(0)) == dict.fromkeys(NAMES)


def test_shape_in_pixels_needs_the_pictures_shape() -> None:
    found = measured(track())
    assert found["aspect"] is found["turning"] is None
    assert found["width"] == pytest.approx(0.4)


def test_a_stored_track_measures_the_same(tmp_path) -> None:
    one = track(at=(0.37, 0.61))
    save_track(tmp_path / "track.npz", one)
    assert face.measure(load_track(tmp_path / "track.npz"), 1.25) == face.measure(one, 1.25)


@given(n=st.integers(0, 6), seed=st.integers(0, 99), spread=st.sampled_from([0.0, 1e-30, 1.0, 1e30]), data=st.data())
def test_any_track_gives_numbers_or_none(n: int, seed: int, spread: float, data: st.DataObject) -> None:
    there = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    points = (np.random.default_rng(seed).normal(0, 1, (n, 68, 2)) * spread).astype(np.float32)
    found = face.measure(FaceTrack(np.arange(n) / FPS, points, there, "test"), data.draw(st.sampled_from([None, 1.5])))
    assert set(found) == NAMES
    assert all(value is None or (isinstance(value, float) and math.isfinite(value)) for value in found.values())


@given(x=st.floats(0.2, 0.8), y=st.floats(0.2, 0.8))
def test_a_mirror_moves_the_place_only(x: float, y: float) -> None:
    one = track(10, at=(x, y))
    points = one.points.copy()
    points[..., 0] = 1 - points[..., 0]
    points[:, [36, 45]] = points[:, [45, 36]]  # the left of the image is its left again
    before, after = (
        measured(one, picture_aspect=1.5),
        measured(FaceTrack(one.times, points, one.found, "test"), picture_aspect=1.5),
    )
    for name, value in before.items():
        expected = 1 - value if name in ("x", "eye_x") else value
        assert after[name] is expected is None or after[name] == pytest.approx(expected, abs=1e-4), name
