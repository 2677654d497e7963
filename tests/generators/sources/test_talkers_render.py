"""The picture: points where the renderer says they are, lips that follow, no holes, one result everywhere."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from generators.sources.talkers import lips  # noqa: E402
from generators.sources.talkers.albedo import build_albedo, lip_mask  # noqa: E402
from generators.sources.talkers.camera import Camera, Pose, draw_camera  # noqa: E402
from generators.sources.talkers.fields import to_column, to_row  # noqa: E402
from generators.sources.talkers.head import Head, build_head  # noqa: E402
from generators.sources.talkers.identity import draw_identity  # noqa: E402
from generators.sources.talkers.landmarks import Frame  # noqa: E402
from generators.sources.talkers.mouth import MouthPose, mouth_width  # noqa: E402
from generators.sources.talkers.render import Renderer  # noqa: E402

STRAIGHT = Camera(224, 56.0, 112.0, 105.0, 1.0, (1.0, 1.0, 1.0), 0.0, 0.0, 0.0)
POSES = [
    Pose(),
    Pose(yaw=0.18, pitch=0.05, roll=0.05, dx=0.1),
    Pose(yaw=-0.18, pitch=-0.1, roll=-0.06, dy=0.05, brow=1.0),
]
MOUTHS = [
    MouthPose(),
    MouthPose(open=0.9, wide=0.2),
    MouthPose(open=0.25, wide=-0.95),
    MouthPose(open=0.3, wide=0.75),
    MouthPose(open=0.1, press=0.8),
]


@pytest.fixture(scope="module")
def head() -> Head:
    return build_head(draw_identity(1001))


def renderer(head: Head, camera: Camera = STRAIGHT) -> Renderer:
    return Renderer(head, camera, np.random.default_rng(0))


def with_layer(head: Head, layer: np.ndarray) -> Head:
    still = dataclasses.replace(head.relight, yaw=head.relight.yaw * 0, pitch=head.relight.pitch * 0)
    return dataclasses.replace(head, layer=layer, back=None, relight=still)


@pytest.mark.parametrize("pose", POSES)
def test_still_points_lie_where_paint_on_the_head_is_seen(head: Head, pose: Pose) -> None:
    """Second formula: dots painted on the head and found again in the picture, against the closed inverse."""
    places = np.array([(0.0, 0.05), (0.0, 0.30), (-0.40, -0.36), (0.45, -0.34), (-0.6, 0.3), (0.62, 0.35)])
    layer = np.zeros_like(head.layer)
    layer[..., 3] = 255
    for x, y in places:
        column, row = to_column(x), to_row(y)
        ys, xs = np.mgrid[: layer.shape[0], : layer.shape[1]]
        dot = 255 * np.exp(-((xs - column) ** 2 + (ys - row) ** 2) / (2 * 2.0**2))
        layer[..., 0] = np.maximum(layer[..., 0], dot.astype(np.uint8))
    drawer = renderer(with_layer(head, layer))
    picture = drawer.frame(Frame(pose, MouthPose(), 0.0))[..., 0].astype(float)
    expected = drawer.landmarks.project(places[None], [pose])[0]
    for column, row in expected:
        x0, y0 = round(column) - 6, round(row) - 6
        patch = picture[y0 : y0 + 13, x0 : x0 + 13]
        patch = np.clip(patch - patch.min() - 8, 0, None)
        ys, xs = np.mgrid[:13, :13]
        found = np.array([(patch * xs).sum(), (patch * ys).sum()]) / patch.sum() + (x0, y0)
        assert np.hypot(*(found - (column, row))) < 0.6


@pytest.mark.parametrize("mouth", MOUTHS)
@pytest.mark.parametrize("pose", POSES[:2])
def test_lip_points_enclose_the_painted_lips(head: Head, pose: Pose, mouth: MouthPose) -> None:
    """Lips painted pure red: what is seen of them must fill the polygon of points 48-59 less that of 60-67."""
    layer = np.zeros_like(head.layer)
    layer[..., 3] = 255
    layer[..., 0] = np.rint(255 * lip_mask(head.person))
    drawer = renderer(with_layer(head, layer))
    picture = drawer.frame(Frame(pose, mouth, 0.0)).astype(int)
    points = drawer.landmarks.at([Frame(pose, mouth, 0.0)])[0]
    polygon = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(polygon, [np.rint(points[48:60] * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    x0, y0 = np.floor(points[48:60].min(axis=0) - 12).astype(int)
    x1, y1 = np.ceil(points[48:60].max(axis=0) + 12).astype(int)
    seen = np.zeros_like(polygon)
    red = (picture[..., 0] > 110) & (picture[..., 1] < 60)
    seen[y0:y1, x0:x1] = red[y0:y1, x0:x1]
    rim, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros_like(polygon)
    cv2.fillPoly(whole, [np.vstack([cv2.convexHull(np.vstack(rim))])], 1)
    hull = np.zeros_like(polygon)
    cv2.fillPoly(hull, [cv2.convexHull(np.rint(points[48:60]).astype(np.int32))], 1)
    assert (whole & hull).sum() / (whole | hull).sum() > 0.80
    # the inner points lie on the border between red and the dark of the mouth
    for index in (62, 66) if mouth.open > 0.5 else ():
        column, row = np.rint(points[index]).astype(int)
        outwards = -2 if index == 62 else 2
        assert picture[row + outwards, column, 0] > picture[row - outwards, column, 0] + 20


def test_points_keep_the_order_of_ibug(head: Head) -> None:
    points = renderer(head).landmarks.at([Frame(Pose(), MouthPose(open=0.5), 0.0)])[0]
    assert (np.diff(points[:17, 0]) > 0).all()  # jaw from the image's left to its right
    assert points[8, 1] == points[:, 1].max()
    assert (np.diff(points[17:27, 0]) > 0).all() and (np.diff(points[27:31, 1]) > 0).all()
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
    assert points[37, 1] < points[41, 1] and points[44, 1] < points[46, 1]
    assert points[48, 0] < points[51, 0] < points[54, 0] and points[51, 1] < points[57, 1]
    assert points[51, 1] < points[62, 1] < points[66, 1] < points[57, 1]
    mirrored = points[[16 - i for i in range(17)]] * [-1, 1] + [2 * 112.0, 0]
    np.testing.assert_allclose(points[:17], mirrored, atol=1e-6)


def test_opening_of_the_points_is_the_opening_of_the_picture(head: Head) -> None:
    drawer = renderer(head)
    dark, gaps = [], []
    for value in np.linspace(0, 1, 9):
        frame = Frame(Pose(), MouthPose(open=float(value), tongue=0.0), 0.0)
        points = drawer.landmarks.at([frame])[0]
        column = round(points[62, 0])
        strip = drawer.frame(frame)[round(points[33, 1]) + 3 : round(points[8, 1]) - 8, column - 1 : column + 2]
        dark.append((strip.mean(axis=(1, 2)) < 75).sum())
        gaps.append(points[66, 1] - points[62, 1])
    assert gaps[0] < 0.3 and gaps[-1] > 12
    assert np.corrcoef(dark, gaps)[0, 1] > 0.9


def test_blink_closes_points_and_picture(head: Head) -> None:
    drawer = renderer(head)
    open_eye, closed = (Frame(Pose(), MouthPose(), b) for b in (0.0, 1.0))
    before, after = drawer.landmarks.at([open_eye, closed])
    assert before[41, 1] - before[37, 1] > 5 and after[41, 1] - after[37, 1] < 1.5
    x, y = np.rint(before[36:42].mean(axis=0)).astype(int)
    darkest = [drawer.frame(f)[y - 4 : y + 1, x - 3 : x + 4].max(axis=2).min() for f in (open_eye, closed)]
    assert darkest[0] < 70 and darkest[1] > 110  # the pupil, and the lid in its place


@pytest.mark.parametrize("mouth", MOUTHS)
@pytest.mark.parametrize("pose", POSES)
def test_no_holes(head: Head, pose: Pose, mouth: MouthPose) -> None:
    """Over a loud green room nothing of the room may shine through inside the face."""
    drawer = renderer(head)
    drawer.backdrop = dataclasses.replace(
        drawer.backdrop,
        room=np.full_like(drawer.backdrop.room, (0, 255, 0)),
        body=np.zeros_like(drawer.backdrop.body),
    )
    drawer.head = dataclasses.replace(head, back=None)
    frame = Frame(pose, mouth, 0.3)
    picture = drawer.frame(frame).astype(int)
    points = drawer.landmarks.at([frame])[0]
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint(points[:17]).astype(np.int32)], 1)
    inside = cv2.erode(inside, np.ones((7, 7), np.uint8))
    green = (picture[..., 1] > 200) & (picture[..., 0] < 120) & (picture[..., 2] < 120)
    assert inside.sum() > 3000
    assert not (green & (inside > 0)).any()


def test_pucker_narrows_and_spreading_widens(head: Head) -> None:
    shape = head.person.shape
    assert mouth_width(shape, MouthPose(wide=-0.95)) < 0.7 * mouth_width(shape, MouthPose(wide=0.8))
    drawer = renderer(head)
    narrow, wide = drawer.landmarks.at([Frame(Pose(), MouthPose(wide=w, open=0.2), 0.0) for w in (-0.95, 0.8)])
    assert narrow[54, 0] - narrow[48, 0] < 0.75 * (wide[54, 0] - wide[48, 0])


def test_pressed_lips_stay_shut_while_the_jaw_hangs(head: Head) -> None:
    shut, parted = renderer(head).landmarks.at([Frame(Pose(), MouthPose(open=0.3, press=p), 0.0) for p in (1.0, 0.0)])
    assert shut[66, 1] - shut[62, 1] < 0.2 and parted[66, 1] - parted[62, 1] > 3


def test_light_stays_when_the_head_turns(head: Head) -> None:
    """The cheek away from the lamp turns towards it with the head and must get brighter, and the other way round."""
    side = 1.0 if head.person.light.x > 0 else -1.0
    lit, flat = renderer(head), renderer(with_layer(head, head.layer))
    changes = []
    for yaw in (-0.2, 0.2):
        frame = Frame(Pose(yaw=yaw * side), MouthPose(), 0.0)
        points = lit.landmarks.at([frame])[0]
        far = points[[3, 31]] if side > 0 else points[[13, 35]]
        x, y = np.rint(far.mean(axis=0)).astype(int)
        patch = (slice(y - 5, y + 6), slice(x - 5, x + 6))
        changes.append(lit.frame(frame)[patch].astype(float).mean() - flat.frame(frame)[patch].mean())
    assert changes[0] < -1.0 and changes[1] > 1.0


def test_lips_stand_out_on_every_skin() -> None:
    """Lip contrast must not fade with skin tone: a face tool would do worse for some people."""
    contrasts: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(400):
        person = draw_identity(seed)
        dark = person.look.tone >= 4
        if person.look.beard or person.look.lipstick or len(contrasts[dark]) >= 8:
            continue
        albedo, mask = build_albedo(person), lip_mask(person)
        red = albedo[mask > 0.9].mean(axis=0)
        around = albedo[
            round(to_row(person.shape.mouth_y + 0.18)) - 3 : round(to_row(person.shape.mouth_y + 0.18)) + 3, 120:180
        ].mean(axis=(0, 1))
        ratio = np.log((red / around) / np.mean(red / around))
        contrasts[dark].append(float(np.abs(ratio).max()))
    assert min(contrasts[True]) > 0.05 and min(contrasts[False]) > 0.05
    assert np.mean(contrasts[True]) > 0.5 * np.mean(contrasts[False])


def test_people_differ_and_equal_seeds_do_not() -> None:
    assert draw_identity(5) == draw_identity(5)
    people = [draw_identity(seed) for seed in range(60)]
    assert len({person.shape for person in people}) == 60
    assert {person.male for person in people} == {True, False}
    assert len({person.look.style for person in people}) >= 6
    tones = [person.look.tone for person in people]
    assert min(tones) < 1 and max(tones) > 6


def test_curves_are_monotone_for_extreme_people() -> None:
    """The vertical warp must never fold, whoever speaks and whatever is said."""
    from generators.sources.talkers.mouth import REACH, knots

    x = np.linspace(-REACH, REACH, 161)
    rng = np.random.default_rng(0)
    for seed in range(150):
        shape = draw_identity(seed).shape
        for _ in range(6):
            mouth = MouthPose(
                float(rng.uniform(0, 1.15)), float(rng.uniform(-1, 1)), float(rng.uniform(0, 1)),
                float(rng.uniform(0, 1)), float(rng.uniform(0, 1)),
            )  # fmt: skip
            source, target = knots(shape, mouth, x)
            assert (np.diff(target, axis=0) > -1e-9).all(), (seed, mouth)
            assert (np.diff(source, axis=0) > -1e-9).all()
        assert (
            lips.upper_lid(shape, np.linspace(-0.2, 0.2, 9)) < lips.lower_lid(shape, np.linspace(-0.2, 0.2, 9)) + 1e-3
        ).all()


def test_camera_noise_has_the_declared_size(head: Head) -> None:
    camera = dataclasses.replace(STRAIGHT, noise=0.012)
    drawer = renderer(head, camera)
    drawer.sensor.vignette[:] = 255
    flat = np.full((224, 224, 3), 128, np.uint8)
    shots = np.stack([drawer.sensor.expose(flat, np.random.default_rng(i)) for i in range(4)]).astype(float)
    measured = shots.std() / 255
    level = shots.mean() / 255
    assert abs(level - (128 / 255 - 0.12 * (128 / 255) ** 4)) < 0.01
    assert measured == pytest.approx(0.012 * (0.5 + 0.8 * level), rel=0.15)


@pytest.mark.parametrize("size", [96, 130, 320])
def test_other_sizes(head: Head, size: int) -> None:
    drawer = renderer(head, draw_camera(size, np.random.default_rng(1)))
    frame = Frame(Pose(yaw=0.1), MouthPose(open=0.5), 0.0)
    assert drawer.frame(frame).shape == (size, size, 3)
    points = drawer.landmarks.at([frame])[0]
    assert points.min() > 0 and points.max() < size
