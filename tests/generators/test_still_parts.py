from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mesh_takes import SIZE, blue, centroid, drawn

from generators.video.mesh_face import FaceState
from generators.video.still_eyes import Lids
from generators.video.still_head import MAX_SLOPE, STEP, HeadField
from generators.video.still_motion import LIMITS, blinks, brow_lift, limited, measured, surrogate
from generators.video.still_noise import QUIET, SensorNoise

RNG = np.random.default_rng(8)


@pytest.fixture(scope="module")
def still() -> tuple[np.ndarray, np.ndarray]:
    """A picture with open eyes, and its landmarks in pixels."""
    take = drawn("one")
    assert take.track is not None
    return take.frames[0], take.track.points[0] * SIZE


def motion(**values: float) -> np.ndarray:
    return np.array([values.get(key, 0.0) for key in ("right", "down", "roll", "size", "turn", "nod")], np.float32)


# ------------------------------------------------------------------------------------------------------- the head
@pytest.mark.parametrize("what", [{"right": 0.1, "down": -0.07}, {"roll": 0.12}, {"size": 0.05}, {"turn": 0.08}])
def test_pixels_and_landmarks_move_alike(still: tuple[np.ndarray, np.ndarray], what: dict[str, float]) -> None:
    image, points = still
    head = HeadField.of(points, (SIZE, SIZE))
    picture, moved = head.drawn(image, points, head.displacement(motion(**what)))
    for half in (np.s_[:, : SIZE // 2], np.s_[:, SIZE // 2 :]):
        before, after = (centroid(blue(each[None])[0][half]) for each in (image, picture))
        eye = list(range(36, 42)) if half[1].start is None else list(range(42, 48))
        np.testing.assert_allclose(after - before, (moved - points)[eye].mean(axis=0), atol=0.25)


def test_the_head_moves_as_far_as_it_is_told(still: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = still
    head = HeadField.of(points, (SIZE, SIZE))
    before = FaceState.of(points[None])

    def after(**what: float) -> FaceState:
        return FaceState.of(head.drawn(image, points, head.displacement(motion(**what)))[1][None])

    shift = (after(right=0.1, down=0.05).origin - before.origin)[0] / head.unit
    np.testing.assert_allclose(shift, (0.1, 0.05), atol=0.003)
    assert (after(roll=0.1).roll - before.roll)[0] == pytest.approx(0.1, abs=0.003)
    assert float(np.log(after(size=0.05).unit / before.unit)[0]) == pytest.approx(0.05, abs=0.003)
    turned = after(turn=0.08)
    assert float((turned.inside - before.inside)[0, 30, 0]) == pytest.approx(0.08, abs=0.03)
    assert (turned.yaw - before.yaw)[0] > 0.03
    assert float((after(nod=0.06).inside - before.inside)[0, 30, 1]) == pytest.approx(0.06, abs=0.03)


def test_the_border_stays_and_nothing_folds(still: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = still
    head = HeadField.of(points, (SIZE, SIZE))
    wild = RNG.normal(0, 1, (6, 6)).astype(np.float32) * LIMITS * 3
    bounded = head.bounded(wild)
    assert max(head.slope(row) for row in wild) > MAX_SLOPE >= max(head.slope(row) for row in bounded) - 1e-4
    ratio = bounded / wild
    assert np.ptp(ratio) < 1e-5 and 0 < ratio.flat[0] < 1
    small = 0.01 * wild
    np.testing.assert_array_equal(head.bounded(small), small)
    for row in bounded:
        field = head.displacement(row, 0.02)
        assert not field[0].any() and not field[:, 0].any()
        picture, _ = head.drawn(image, points, field)
        edge = np.abs(picture.astype(int) - image)[np.r_[0, -1]]
        assert edge.max() <= 2
        assert np.diff(field[..., 0], axis=1).min() > -STEP and np.diff(field[..., 1], axis=0).min() > -STEP


def test_brows_alone_are_lifted(still: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = still
    head = HeadField.of(points, (SIZE, SIZE))
    _, moved = head.drawn(image, points, head.displacement(motion(), 0.03))
    lift = (points - moved)[:, 1] / head.unit
    assert lift[17:27].mean() == pytest.approx(0.03, rel=0.35) and np.abs(lift[:17]).max() < 0.004
    assert np.abs(lift[48:]).max() < 1e-3


# ------------------------------------------------------------------------------------------------------- the lids
def test_lids_hide_the_iris_and_nothing_else_changes(still: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = still
    lids = Lids(points)
    seen = []
    for share in (0.0, 0.5, 1.0):
        picture, moved = lids.closed(image, points, share)
        seen.append(blue(picture[None]).sum())
        gap = FaceState.of(moved[None]).eyes[0] / FaceState.of(points[None]).eyes[0]
        assert gap == pytest.approx(1 - share, abs=0.02)
        away = np.ones((SIZE, SIZE), bool)
        away[int(points[17:27, 1].min()) - 2 : int(points[[41, 40, 46, 47], 1].max()) + 4] = False
        assert np.array_equal(picture[away], image[away])
    assert seen[1] < 0.8 * seen[0] and seen[2] < 0.1 * seen[0]
    assert lids.closed(image, points, 0.01)[0] is image


def test_closed_or_half_lost_eyes_do_not_blink(still: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = still
    shut = points.copy()
    shut[[37, 38]] = shut[[41, 40]]
    assert Lids(shut).closed(image, shut, 1.0)[0] is image
    outside = points + np.float32(2 * SIZE)
    assert np.array_equal(Lids(outside).closed(image, outside, 1.0)[0], image)


def test_a_tilted_face_blinks_like_an_upright_one(still: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = still
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 25.0, 1.0)
    tilted = cv2.warpAffine(image, turn, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = (points @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    closed = Lids(moved).closed(np.asarray(tilted, np.uint8), moved, 1.0)[0]
    assert blue(closed[None]).sum() < 0.12 * blue(tilted[None]).sum()


# ------------------------------------------------------------------------------------------------------ the motion
def test_a_surrogate_keeps_spectrum_spread_and_ties() -> None:
    own = np.cumsum(RNG.normal(0, 1, (64, 2)), axis=0).astype(np.float32)
    own = np.concatenate([own, own[:, :1] * 0.5 + own[:, 1:]], axis=1)
    own -= own.mean(axis=0)
    own += -np.linspace(0, 1, 64, dtype=np.float32)[:, None] * (own[-1] - own[0])  # ends meet: no line is taken out
    own -= own.mean(axis=0)
    other = surrogate(own, np.random.default_rng(1))
    np.testing.assert_allclose(other.std(axis=0), own.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(np.abs(np.fft.rfft(other, axis=0))[1:], np.abs(np.fft.rfft(own, axis=0))[1:], rtol=0.02)
    np.testing.assert_allclose(np.corrcoef(other.T), np.corrcoef(own.T), atol=0.02)
    assert abs(np.corrcoef(own[:, 0], other[:, 0])[0, 1]) < 0.9
    assert not np.allclose(other, surrogate(own, np.random.default_rng(2)))


@given(n=st.integers(0, 9))
def test_short_and_still_motions_give_no_trouble(n: int) -> None:
    own = np.zeros((n, 6), np.float32)
    assert np.isfinite(surrogate(own, np.random.default_rng(0))).all()
    assert np.abs(limited(np.full((n, 6), 9.0, np.float32))).max(initial=0) <= LIMITS.max()


def test_a_measured_motion_is_the_one_that_was_made() -> None:
    take = drawn("one", sway=0.03)
    assert take.track is not None
    pixels = take.track.points * SIZE
    own = measured(FaceState.of(pixels))
    unit = float(np.median(FaceState.of(pixels).unit))
    centre = pixels[:, [36, 45]].mean(axis=1)
    assert np.corrcoef(own[:, 0], centre[:, 0])[0, 1] > 0.99
    assert np.ptp(own[:, 0]) == pytest.approx(np.ptp(centre[:, 0]) / unit, rel=0.12)
    assert np.abs(own[:, 2:5]).max() < 1e-3  # the drawn head neither rolls nor turns


def test_blinks_come_as_often_as_they_shall() -> None:
    rng = np.random.default_rng(3)
    closed = np.stack([blinks(500, 25.0, rng) for _ in range(40)])
    assert closed.min() == 0 and 0.95 < closed.max() <= 1
    starts = ((closed[:, 1:] > 0.2) & (closed[:, :-1] <= 0.2)).sum(axis=1)
    assert starts.min() >= 60 / 5.5 / 3 and starts.max() <= 60 / 1.6 / 3  # in 20 seconds
    assert 0.03 < (closed > 0.5).mean() < 0.08


def test_brows_follow_slow_loudness() -> None:
    level = np.repeat(RNG.random(8), 40)
    lifts = [brow_lift(level, np.random.default_rng(seed)) for seed in range(20)]
    mean = np.mean(lifts, axis=0)
    assert np.corrcoef(mean, level)[0, 1] > 0.8 and max(np.abs(lift).max() for lift in lifts) <= 0.035


# ------------------------------------------------------------------------------------------------------- the noise
def noisy(sigma: float, grain: float = 0.0, mixing: np.ndarray | None = None) -> np.ndarray:
    rng = np.random.default_rng(5)
    ys, xs = np.mgrid[:96, :96]
    frames = []
    for index in range(14):
        base = np.stack([100 + 0.3 * xs, 120 + 0.2 * ys, 110 + 0.1 * (xs + ys)], axis=-1)
        base[20:50, 20 + index : 40 + index] += 60  # something moves
        noise = rng.standard_normal((96, 96, 3)).astype(np.float32)
        if grain:
            noise = cv2.GaussianBlur(noise, (0, 0), grain)
            noise /= noise.std()
        frames.append(base + sigma * (noise if mixing is None else noise @ mixing.T))
    return np.rint(frames).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.8, 2.0, 5.0])
def test_noise_is_measured_beside_movement(sigma: float) -> None:
    found = SensorNoise.of(noisy(sigma))
    # rounding to whole levels adds the variance 1/12
    assert found.level == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.12) and found.grain < 0.25


def test_colour_and_grain_of_noise_are_found() -> None:
    mixing = np.array([[1.0, 0, 0], [0.8, 0.6, 0], [0.2, 0.1, 0.5]])
    found = SensorNoise.of(noisy(3.0, mixing=mixing))
    wanted = 9 * mixing @ mixing.T
    np.testing.assert_allclose(found.mixing @ found.mixing.T, wanted, atol=0.15 * wanted.max())
    assert SensorNoise.of(noisy(3.0, grain=0.8)).grain == pytest.approx(0.8, abs=0.2)


@pytest.mark.parametrize("grain", [0.0, 0.7])
def test_drawn_noise_measures_like_the_original(grain: float) -> None:
    frames = noisy(2.5, grain)
    own = SensorNoise.of(frames)
    rng = np.random.default_rng(0)
    clean = own.removed(frames[3])
    again = SensorNoise.of(np.stack([own.added(clean, rng) for _ in range(10)]))
    assert again.level == pytest.approx(own.level, rel=0.1) and again.grain == pytest.approx(own.grain, abs=0.25)
    renewed = SensorNoise.of(np.stack([own.renewed(own.removed(frame), rng) for frame in frames]))
    assert renewed.level == pytest.approx(own.level, rel=0.2)


def test_clean_pictures_stay_clean() -> None:
    frames = noisy(0.0)
    own = SensorNoise.of(frames)
    assert own.level < QUIET
    first = frames[0]
    assert own.removed(first) is first and own.added(first, RNG) is first
    assert SensorNoise.of(frames[:1]).level == 0
