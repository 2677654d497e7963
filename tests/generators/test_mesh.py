from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from generators.video.mesh_face import FaceState, best_path, mean_colour, smoothed
from generators.video.mesh_swap import Colours, hull, opacity, recoloured, to_lab, to_rgb
from generators.video.mesh_warp import (
    affines,
    carried,
    convex_mask,
    fetch,
    mixed,
    nodes,
    similarity,
    soft,
    spread,
    triangle_map,
    triangulate,
)

RNG = np.random.default_rng(4)
SHAPE = (90, 120)


def mesh(seed: int, n: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corners = np.array([[10, 10], [110, 10], [110, 80], [10, 80]], np.float32)
    target = np.concatenate([corners, rng.uniform((15, 15), (105, 75), (n, 2))]).astype(np.float32)
    source = (target + rng.uniform(-3, 3, target.shape)).astype(np.float32)
    return source, target, triangulate(target)


def test_a_mesh_agrees_with_scipys_interpolation() -> None:
    source, target, triangles = mesh(1)
    place, inside = triangle_map(source, target, triangles, SHAPE)
    reference = LinearNDInterpolator(target.astype(float), source.astype(float))
    ys, xs = np.indices(SHAPE)
    grid = np.stack([xs, ys], axis=-1).astype(float)
    delaunay = Delaunay(target.astype(float))
    around = [delaunay.find_simplex(grid + shift) for shift in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    well = np.all([each == around[0] for each in around], axis=0) & (around[0] >= 0)  # not on the edge of a triangle
    assert well.sum() > 0.6 * 70 * 100 and (inside[well] == 255).all()
    np.testing.assert_allclose(place[well], reference(grid[well]), atol=0.01)


def test_outside_of_a_mesh_nothing_moves() -> None:
    source, target, triangles = mesh(2)
    place, inside = triangle_map(source, target, triangles, SHAPE)
    ys, xs = np.indices(SHAPE)
    assert (inside[:9] == 0).all() and (inside[20:70, 20:100] == 255).all()
    np.testing.assert_array_equal(place[inside == 0], np.stack([xs, ys], -1)[inside == 0])
    image = RNG.integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    assert np.array_equal(fetch(image, place)[inside == 0], image[inside == 0])


def test_flat_triangles_have_no_map() -> None:
    target = np.array([[0, 0], [10, 0], [20, 0], [10, 10]], np.float32)
    maps, fit = affines(target + 1, target, np.array([[0, 1, 2], [0, 1, 3]], np.int32))
    assert fit.tolist() == [False, True] and not maps[0].any()
    np.testing.assert_allclose(maps[1] @ (3, 2, 1), (4, 3), atol=1e-5)


numbers = st.floats(-40, 40)


@given(angle=st.floats(-3, 3), scale=st.floats(0.2, 5), x=numbers, y=numbers)
def test_a_similarity_is_found_again(angle: float, scale: float, x: float, y: float) -> None:
    source = np.random.default_rng(0).uniform(-20, 20, (9, 2)).astype(np.float32)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = (source @ turn.T + (x, y)).astype(np.float32)
    fit = similarity(source, target)
    np.testing.assert_allclose(fit(source), target, atol=2e-3)
    np.testing.assert_allclose(fit.matrix, np.column_stack([turn, (x, y)]), atol=2e-3)


def smooth_field(seed: int, slope: float) -> np.ndarray:
    grid = nodes(SHAPE, 4)
    raw = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, grid.shape).astype(np.float32), (0, 0), 3)
    steep = max(np.abs(np.diff(raw, axis=axis)).max() for axis in (0, 1)) / 4
    return np.asarray(raw * (slope / steep), np.float32)


@given(seed=st.integers(0, 50))
def test_carried_points_look_back_to_where_they_came_from(seed: int) -> None:
    field = smooth_field(seed, 0.4)
    points = np.random.default_rng(seed).uniform((20, 20), (100, 70), (12, 2)).astype(np.float32)
    there = carried(points, field, 4)
    at = (there / 4).astype(np.float32)[:, None]
    back = there + cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR).reshape(-1, 2)
    np.testing.assert_allclose(back, points, atol=0.05)


def test_a_dot_is_carried_along_with_its_point() -> None:
    field = smooth_field(3, 0.3)
    image = np.zeros((*SHAPE, 3), np.uint8)
    cv2.circle(image, (60, 45), 3, (255, 255, 255), -1)
    moved = fetch(image, spread(field, 4, SHAPE)).astype(float)[..., 0]
    ys, xs = np.indices(SHAPE)
    middle = np.array([(xs * moved).sum(), (ys * moved).sum()]) / moved.sum()
    there = carried(np.array([[60, 45]], np.float32), field, 4)[0]
    assert np.hypot(*(there - (60, 45))) > 0.5
    np.testing.assert_allclose(there, middle, atol=0.35)


@pytest.mark.parametrize("seed", range(6))
def test_a_path_is_the_cheapest_of_all(seed: int) -> None:
    unary = np.random.default_rng(seed).uniform(0, 1, (5, 4))

    def price(path: tuple[int, ...]) -> float:
        steps = sum(min(abs(b - a - 1), 2) * 0.3 for a, b in itertools.pairwise(path))
        return float(sum(unary[t, n] for t, n in enumerate(path))) + steps

    best = min(itertools.product(range(4), repeat=5), key=price)
    assert price(tuple(best_path(unary, 0.3, 2).tolist())) == pytest.approx(price(best))


def test_a_soft_edge_lies_inside_and_mixing_is_linear() -> None:
    square = np.array([[20, 20], [60, 20], [60, 60], [20, 60]], np.float32)
    mask = convex_mask(square, SHAPE)
    assert mask.sum() / 255 == pytest.approx(1640, rel=0.06)
    alpha = soft(mask, 5.0)
    assert (
        alpha[40, 40] == pytest.approx(1)
        and alpha[40, 19] == 0
        and 0.02 < alpha[40, 22] < 0.5
        and 0 <= alpha.min() <= alpha.max() <= 1
    )
    under, over = np.full((*SHAPE, 3), 40, np.uint8), np.full((*SHAPE, 3), 200, np.uint8)
    np.testing.assert_allclose(mixed(under, over, alpha)[..., 0], 40 + 160 * alpha, atol=0.51)
    image = RNG.integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    np.testing.assert_allclose(mean_colour(image, mask), image[mask > 0].mean(axis=0))


def face(turn: float = 0.0) -> np.ndarray:
    from tiny_source import BROWS, EYES, JAW, NOSE, mouth

    points = np.array(JAW + BROWS + NOSE + EYES + mouth(0.03), np.float32) * 100
    points[27:36, 0] += turn
    return points


@given(angle=st.floats(-0.7, 0.7), scale=st.floats(0.5, 3), x=numbers, y=numbers)
def test_pose_and_expression_do_not_depend_on_place_size_and_roll(
    angle: float, scale: float, x: float, y: float
) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plain = FaceState.of(face(4.0)[None])
    moved = FaceState.of((face(4.0) @ turn.T + (x, y)).astype(np.float32)[None])
    for name in ("yaw", "pitch", "opening", "eyes", "width", "inside"):
        np.testing.assert_allclose(getattr(moved, name), getattr(plain, name), atol=2e-3)
    assert moved.roll[0] == pytest.approx(angle, abs=1e-3) and moved.unit[0] == pytest.approx(40 * scale, rel=1e-3)


def test_a_face_that_turns_right_has_a_positive_yaw() -> None:
    yaw = [float(FaceState.of(face(turn)[None]).yaw[0]) for turn in (-15, 0, 15)]
    assert yaw[0] < -0.4 and abs(yaw[1]) < 0.01 and yaw[2] > 0.4
    assert yaw[0] == pytest.approx(-yaw[2], abs=1e-4)


def test_smoothing_keeps_constants_and_calms_steps() -> None:
    assert np.allclose(smoothed(np.full((9, 2), 3.0), 2.0), 3.0)
    step = np.r_[np.zeros(10), np.ones(10)]
    calm = smoothed(step, 2.0)
    assert np.abs(np.diff(calm)).max() < 0.25 and calm[0] < 0.01 and calm[-1] > 0.99
    assert np.array_equal(smoothed(step, 0), step.astype(np.float32))


def colours(lab: np.ndarray) -> Colours:
    return Colours(lab.reshape(-1, 3).mean(axis=0).astype(float), lab.reshape(-1, 3).std(axis=0).astype(float))


def test_colours_meet_the_targets_mean_and_spreads_stay_in_bounds() -> None:
    source = RNG.normal((50, 20, 15), (8, 4, 4), (50, 50, 3)).astype(np.float32)
    for mean, width in (((70, 10, 20), (30, 2, 9)), ((30, 12, 8), (1, 1, 1)), ((55, 21, 14), (9, 4, 4))):
        target = Colours(np.array(mean, float), np.array(width, float))
        made = colours(recoloured(source, colours(source), target))
        np.testing.assert_allclose(made.mean, mean, atol=0.05)
        ratio = made.spread / colours(source).spread
        assert 0.79 < ratio[0] < 1.26 and ratio[1] < 1.01 and ratio[2] < 1.01


def test_a_grey_film_stays_grey_and_neutral_colours_stay_neutral() -> None:
    source = RNG.normal((50, 20, 15), (8, 4, 4), (50, 50, 3)).astype(np.float32)
    grey = Colours(np.array([60.0, 0, 0]), np.array([9.0, 0, 0]))
    rgb = to_rgb(recoloured(source, colours(source), grey)).astype(int)
    assert np.ptp(rgb, axis=-1).max() <= 1
    pale = Colours(np.array([70.0, 10, 7.5]), np.array([8.0, 1, 1]))
    neutral = np.array([[[80.0, 0, 0]]], np.float32)
    assert np.abs(recoloured(neutral, colours(source), pale)[0, 0, 1:]).max() < 0.5


def test_lab_and_back() -> None:
    image = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    assert np.abs(to_rgb(to_lab(image)).astype(int) - image).max() <= 1
    white = to_lab(np.full((1, 1, 3), 255, np.uint8))[0, 0]
    np.testing.assert_allclose(white, (100, 0, 0), atol=0.1)


def test_the_exchanged_part_holds_brows_and_not_the_mouth() -> None:
    points = face() * 1.5
    shape = (160, 160)
    alpha, whole = opacity(points, shape), hull(points, shape)
    brow, lips, middle = (points[list(part)].mean(axis=0).round().astype(int) for part in
                          (range(17, 22), range(60, 68), range(27, 31)))  # fmt: skip
    assert alpha[brow[1], brow[0]] > 0.9 and alpha[middle[1], middle[0]] > 0.99
    assert alpha[lips[1], lips[0]] < 0.3 and alpha[whole == 0].max() == 0
    assert alpha[0].max() == 0 and alpha[:, 0].max() == 0
