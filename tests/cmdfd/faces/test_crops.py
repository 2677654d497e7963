from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from cmdfd.errors import MediaError
from cmdfd.faces.crops import (
    EYE_LEFT,
    EYE_RIGHT,
    MDS_MARGIN,
    TAKE_MARGIN,
    CropSettings,
    eye_frame,
    face_crop,
    face_squares,
    mouth_crop,
    placement,
)
from cmdfd.faces.tracks import RIGID, FaceTrack

FREE = [point for point in range(68) if point not in EYE_LEFT + EYE_RIGHT]


def track_of(eyes: np.ndarray | list, n: int = 10, fps: float = 25.0, points: np.ndarray | None = None) -> FaceTrack:
    """A track from the four eye corners [4, 2] or [T, 4, 2] in fractions; the other points are `points` or .5."""
    corners = np.broadcast_to(np.asarray(eyes, np.float32), (n, 4, 2))
    all_points = np.full((n, 68, 2), 0.5, np.float32) if points is None else points.astype(np.float32).copy()
    all_points[:, [36, 39, 42, 45]] = corners
    return FaceTrack(np.arange(n) / fps, all_points, np.ones(n, bool), "test")


#: Level eyes: middle at (.5, .4), outer corners .2 apart.
LEVEL = np.array([[0.4, 0.4], [0.47, 0.4], [0.53, 0.4], [0.6, 0.4]])


def turned(angle: float, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    return (LEVEL - (0.5, 0.4)) @ np.array([[c, s], [-s, c]]) + (0.5, 0.4) + shift


def blob(width: int, height: int, x: float, y: float, sigma: float) -> np.ndarray:
    """A grey spot whose middle is at continuous coordinates (the first pixel spans 0 to 1)."""
    gx = np.exp(-0.5 * ((np.arange(width) + 0.5 - x) / sigma) ** 2)
    gy = np.exp(-0.5 * ((np.arange(height) + 0.5 - y) / sigma) ** 2)
    return np.round(250 * gy[:, None] * gx[None]).astype(np.uint8)


def middle(image: np.ndarray) -> tuple[float, float]:
    weight = image.astype(float)
    rows, columns = np.indices(image.shape) + 0.5
    return float((columns * weight).sum() / weight.sum()), float((rows * weight).sum() / weight.sum())


# --- the rule: rigid points only ---------------------------------------------------------------------------------


def test_the_eye_corners_are_rigid_points() -> None:
    assert set(EYE_LEFT + EYE_RIGHT) <= set(RIGID)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.floats(0.001, 5.0), n=st.integers(1, 12))
def test_moving_lips_or_jaw_leaves_every_crop_unchanged_bit_by_bit(seed: int, reach: float, n: int) -> None:
    rng = np.random.default_rng(seed)
    eyes = turned(rng.uniform(-0.5, 0.5), rng.uniform(0.5, 1.5)) + rng.normal(0, 0.005, (n, 4, 2))
    still = track_of(eyes, n)
    moved_points = still.points.copy()
    moved_points[:, FREE] += rng.normal(0, reach, (n, len(FREE), 2)).astype(np.float32)
    moved = FaceTrack(still.times, moved_points, still.found, "test")
    frames = rng.integers(0, 256, (n, 40, 56, 3), dtype=np.uint8)
    for where in (lambda t: placement(t, width=56, height=40), lambda t: face_squares(t, 56, 40)):
        assert where(still).tobytes() == where(moved).tobytes()
    assert mouth_crop(frames, still).tobytes() == mouth_crop(frames, moved).tobytes()
    assert face_crop(frames, still, 32).tobytes() == face_crop(frames, moved, 32).tobytes()


def test_moving_an_eye_does_move_the_crop() -> None:
    still, moved = track_of(LEVEL), track_of(LEVEL + np.array([0.01, 0.0]))
    assert not np.array_equal(placement(still), placement(moved))


# --- where the mouth crop is ---------------------------------------------------------------------------------------


def test_level_eyes_give_the_crop_that_the_constants_say() -> None:
    maps = placement(track_of(LEVEL), CropSettings(64, 48, scale=1.0, drop=0.78), width=200, height=200)
    # eyes 40 pixels apart around (100, 80): the crop is 40 x 30 around (100, 80 + .78 * 40)
    expected = np.array([[40 / 64, 0, 100 - 20], [0, 40 / 64, 80 + 31.2 - 15]])
    np.testing.assert_allclose(maps, np.broadcast_to(expected, (10, 2, 3)), atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    angle=st.floats(-1.5, 1.5),
    scale=st.floats(0.3, 2.0),
    x=st.floats(-0.2, 0.2),
    y=st.floats(-0.2, 0.2),
    drop=st.floats(0, 1.2),
)
def test_placement_follows_turn_size_and_place_of_the_face(
    angle: float, scale: float, x: float, y: float, drop: float
) -> None:
    rule = CropSettings(drop=drop)
    base = placement(track_of(LEVEL), rule)
    found = placement(track_of(turned(angle, scale, (x, y))), rule)
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[c, -s], [s, c]])
    np.testing.assert_allclose(found[..., :2], turn @ base[..., :2], atol=1e-5)
    corner = (base[..., 2] - (0.5, 0.4)) @ turn.T + (0.5 + x, 0.4 + y)
    np.testing.assert_allclose(found[..., 2], corner, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.7])
@pytest.mark.parametrize("scale", [0.6, 1.0, 2.0])
def test_a_spot_on_the_mouth_comes_to_the_middle_of_the_crop(angle: float, scale: float) -> None:
    width, height = 320, 240
    eyes = turned(angle, scale)
    pixels = eyes * (width, height)
    axis = (pixels[2:] - pixels[:2]).mean(0)
    down = np.array([-axis[1], axis[0]]) / np.linalg.norm(axis)
    distance = np.linalg.norm(pixels[3] - pixels[0])
    x, y = pixels.mean(0) + down * 0.78 * distance
    frames = np.broadcast_to(blob(width, height, x, y, 0.06 * distance), (5, height, width))
    for image in mouth_crop(np.ascontiguousarray(frames), track_of(eyes, 5)):
        assert middle(image) == pytest.approx((32, 24), abs=0.15)


def test_crop_equals_an_independent_bilinear_sampler() -> None:
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0, 255, (5, 12, 16))
    grid = np.indices((96, 128))[:, None] / 8.2
    frames = np.concatenate([map_coordinates(image, grid[:, 0], order=1)[None] for image in coarse])
    frames = np.round(frames).astype(np.uint8)
    track = track_of(turned(0.2), 5)
    maps = placement(track, width=128, height=96)
    u, v = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    for image, matrix, crop in zip(frames, maps, mouth_crop(frames, track), strict=True):
        x = matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2] - 0.5
        y = matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2] - 0.5
        reference = map_coordinates(image.astype(float), [y, x], order=1, mode="nearest")
        # cv2 rounds source coordinates to 1/32 pixel; the picture changes by at most ~32 levels per pixel
        assert np.abs(crop - reference).max() <= 2.5
        assert np.abs(crop - reference).mean() < 0.6


def test_colour_frames_are_turned_to_grey_by_the_standard_weights() -> None:
    frames = np.empty((2, 60, 60, 3), np.uint8)
    frames[:] = (200, 100, 50)
    crop = mouth_crop(frames, track_of(LEVEL, 2))
    assert crop.shape == (2, 48, 64)
    assert np.all(np.abs(crop.astype(float) - (0.299 * 200 + 0.587 * 100 + 0.114 * 50)) <= 1)


def test_outside_the_picture_the_border_is_repeated() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    low = track_of(LEVEL + np.array([0.3, 0.5]), 3)  # eyes at the lower right: the mouth lies outside
    padded = np.pad(frames, ((0, 0), (64, 64), (64, 64)), mode="edge")
    inner = (low.points * 64 + 64) / 192
    same = FaceTrack(low.times, inner.astype(np.float32), low.found, "test")
    difference = np.abs(mouth_crop(frames, low).astype(int) - mouth_crop(padded, same))
    assert difference.max() <= 4
    assert mouth_crop(frames, low)[0].std() > 0


def test_a_much_larger_picture_is_averaged_and_not_aliased() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 2, (2, 600, 600), dtype=np.uint8) * 255  # noise: averaging shows in its spread
    crop = mouth_crop(frames, track_of(turned(0, 2.6), 2), CropSettings(32, 24))
    # each crop pixel covers about 9.75 x 9.75 source pixels; a single bilinear sample would keep a spread of ~80
    assert crop.std() < 30
    assert abs(crop.mean() - 127.5) < 5


# --- the face crop ---------------------------------------------------------------------------------------------------


def test_mds_layout_reaches_one_up_and_one_point_eight_down() -> None:
    half_box = 0.97 * 40  # eyes 40 pixels apart
    x, y, side = face_squares(track_of(LEVEL), 200, 200, MDS_MARGIN)[0]
    box_middle = 80 + 0.35 * 40
    assert side == pytest.approx(2.8 * half_box, rel=1e-5)
    assert x == pytest.approx(100, abs=1e-3)
    assert y - side / 2 == pytest.approx(box_middle - 1.0 * half_box, abs=1e-3)
    assert y + side / 2 == pytest.approx(box_middle + 1.8 * half_box, abs=1e-3)


def test_take_layout_is_seventeen_tenths_of_the_face_and_a_little_up() -> None:
    extent = 2 * 0.97 * 40
    _, y, side = face_squares(track_of(LEVEL), 200, 200, TAKE_MARGIN)[0]
    assert side == pytest.approx(1.7 * extent, rel=1e-5)
    assert y == pytest.approx(80 + 0.35 * 40 - 0.05 * side / 2, abs=1e-3)


@pytest.mark.parametrize("size", [64, 224, 31])
def test_a_spot_in_the_face_keeps_its_place_in_the_face_crop(size: int) -> None:
    track = track_of(LEVEL, 3)
    x, y, side = face_squares(track, 200, 160)[0]
    frames = np.repeat(blob(200, 160, x + 0.2 * side, y - 0.1 * side, 5)[None], 3, axis=0)
    colour = np.repeat(frames[..., None], 3, axis=3)
    crop = face_crop(colour, track, size)
    assert crop.shape == (3, size, size, 3)
    assert middle(crop[0, :, :, 1]) == pytest.approx((0.7 * size, 0.4 * size), abs=0.01 * size)
    assert face_crop(frames, track, size).shape == (3, size, size)


def test_the_border_may_be_a_grey_level_as_in_the_release() -> None:
    frames = np.full((2, 40, 40, 3), 200, np.uint8)
    track = track_of(turned(0, 3.0), 2)
    grey, repeated = face_crop(frames, track, 32, border=110), face_crop(frames, track, 32)
    assert (grey[:, :, :4] == 110).all()
    assert (grey[:, 6:12, 12:20] == 200).all()
    assert (repeated == 200).all()


# --- over time -------------------------------------------------------------------------------------------------------


def test_one_jumping_frame_does_not_move_the_crop() -> None:
    eyes = np.repeat(LEVEL[None], 15, axis=0)
    eyes[7] += (0.1, -0.05)
    np.testing.assert_allclose(placement(track_of(eyes, 15)), placement(track_of(LEVEL, 15)), atol=1e-7)


def test_even_motion_is_followed_without_lag() -> None:
    drift = np.linspace(0, 0.2, 41)[:, None, None] * (1.0, 0.5)
    found = eye_frame(track_of(LEVEL[None] + drift, 41)).centre[10:-10]
    np.testing.assert_allclose(found, (0.5, 0.4) + drift[10:-10, 0], atol=1e-6)


def test_jitter_becomes_less() -> None:
    noise = np.random.default_rng(0).normal(0, 0.004, (200, 4, 2))
    found = eye_frame(track_of(LEVEL + noise, 200)).centre
    raw = (LEVEL + noise).mean(axis=1)
    assert found.std(axis=0).max() < 0.6 * raw.std(axis=0).min()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("fps", [5.0, 25.0, 240.0])
def test_short_tracks_work_at_any_rate(n: int, fps: float) -> None:
    maps = placement(track_of(LEVEL, n, fps))
    np.testing.assert_allclose(maps, np.broadcast_to(placement(track_of(LEVEL, 1))[0], (n, 2, 3)), atol=1e-9)


def test_frames_whose_eyes_coincide_are_bridged() -> None:
    eyes = np.repeat(LEVEL[None], 9, axis=0)
    eyes[3:6] = 0.5
    eyes[8] = 0.2
    np.testing.assert_allclose(placement(track_of(eyes, 9)), placement(track_of(LEVEL, 9)), atol=1e-7)


def test_a_face_without_eyes_places_nothing() -> None:
    with pytest.raises(MediaError) as caught:
        placement(track_of(np.full((4, 2), 0.3)))
    assert caught.value.code == "no_face"
    with pytest.raises(MediaError):
        placement(FaceTrack(np.zeros(0), np.zeros((0, 68, 2), np.float32), np.zeros(0, bool), "test"))


def test_a_face_that_turns_upside_down_still_gives_finite_crops() -> None:
    # bridging the middle frame gives no direction at all there, and the smoothing is antisymmetric around it
    eyes = np.stack([turned(0.0)] * 4 + [np.full((4, 2), 0.5)] + [turned(np.pi)] * 4)
    eyes[:, :, 1] = np.where(np.arange(9)[:, None] == 4, 0.4, eyes[:, :, 1])
    maps = placement(track_of(eyes, len(eyes)))
    assert np.isfinite(maps).all()
    assert (np.linalg.det(maps[:, :, :2]) > 0).all()
    np.testing.assert_allclose(maps[4], placement(track_of(LEVEL, 1))[0], atol=1e-6)  # the clip's first direction


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20), spread=st.floats(0.0, 3.0))
def test_any_track_gives_finite_crops_or_a_clear_refusal(seed: int, n: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    track = track_of(0.5 + rng.normal(0, spread, (n, 4, 2)), n)
    frames = rng.integers(0, 256, (n, 24, 32, 3), dtype=np.uint8)
    try:
        mouths, faces = mouth_crop(frames, track), face_crop(frames, track, 16)
    except MediaError as error:
        assert error.code == "no_face"
    else:
        assert mouths.shape == (n, 48, 64)
        assert faces.shape == (n, 16, 16, 3)


def test_frames_and_track_must_be_equally_long() -> None:
    with pytest.raises(ValueError, match=r"3 frames.*10 times"):
        mouth_crop(np.zeros((3, 8, 8, 3), np.uint8), track_of(LEVEL))
    with pytest.raises(ValueError, match=r"3 frames.*10 times"):
        face_crop(np.zeros((3, 8, 8, 3), np.uint8), track_of(LEVEL))


@pytest.mark.parametrize("wrong", [{"size_w": 0}, {"size_h": -1}, {"scale": 0.0}, {"drop": float("nan")}])
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="positive size"):
        CropSettings(**wrong)


# --- cost and real shapes --------------------------------------------------------------------------------------------


def test_a_mouth_crop_costs_less_than_a_sixth_of_a_millisecond() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (75, 224, 224, 3), dtype=np.uint8)
    track = track_of(LEVEL, 75)
    mouth_crop(frames, track)
    spent = []
    for _ in range(5):
        start = time.process_time()
        mouth_crop(frames, track)
        spent.append(time.process_time() - start)
    assert min(spent) / 75 * 1e3 <= 0.15  # measured: .03


def test_lips_of_talkers_stay_inside_the_mouth_crop() -> None:
    pytest.importorskip("espeakng_loader")
    from generators.sources.talkers.source import TalkerSource, render_take

    source = TalkerSource({"size": 128, "seconds": 1.2})
    for item in source.plan({"train": {"identities": 2, "clips": 1}}, 11).items:
        track = render_take(item).track
        assert track is not None
        maps = placement(track, width=128, height=128)
        lips = track.points[:, 48:].astype(float) * 128
        inside = np.linalg.solve(maps[:, None, :, :2], (lips - maps[:, None, :, 2])[..., None])[..., 0]
        assert inside.min() > 2
        assert inside[..., 0].max() < 62
        assert inside[..., 1].max() < 46
