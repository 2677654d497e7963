"""The parts of the splices against known answers."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_takes import SIZE
from splice_takes import SPLICES, busy, shares, splice, splice_job

from cmdfd.errors import JobError
from cmdfd.media.masks import FORGED_ABOVE
from generators.generator import Take
from generators.registry import make_generator
from generators.splice.copy_move import pairs, transform
from generators.splice.drawings import HEIGHTS, drawing
from generators.splice.layers import Box, Canvas, drift, moved_picture, poisson
from generators.splice.motion import follow
from generators.splice.mouth import _evened
from generators.splice.placed import grain_of, through
from generators.splice.places import Search, blob, face_mask, filled, people_map, ring_of
from generators.splice.remove import inpainted
from generators.splice.visible import Mesh, covered
from generators.video.mesh_face import pixels_of
from generators.video.mesh_swap import face_colours, hull


@pytest.fixture(scope="module")
def take() -> Take:
    return busy("one")


def textured(seed: int, shape: tuple[int, int] = (120, 150)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wild = cv2.GaussianBlur(rng.integers(0, 256, (*shape, 3)).astype(np.float32), (0, 0), 2.5)
    return np.asarray(np.rint(128 + 6 * (wild - wild.mean())).clip(0, 255), np.uint8)


@settings(max_examples=25)
@given(st.integers(0, 999), st.floats(0.5, 20), st.floats(4, 30))
def test_a_layer_changes_what_its_mask_says_and_by_its_weight(seed: int, edge: float, radius: float) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (2, 60, 70, 3), dtype=np.uint8)
    canvas = Canvas(frames.copy(), np.zeros((2, 60, 70), np.uint8))
    outline = blob(rng, radius) + rng.uniform(0, 60, 2).astype(np.float32)
    box = Box.around(outline, 4, frames.shape[1:])
    alpha = (
        cv2.GaussianBlur(filled(outline - box.corner, box.shape).astype(np.float32) / 255, (0, 0), edge)
        if min(box.shape) > 0
        else np.zeros(box.shape, np.float32)
    )
    over = rng.integers(0, 256, (*box.shape, 3), dtype=np.uint8)
    canvas.lay(1, box, over, alpha)
    mask = canvas.masks[1].astype(float)
    whole = np.zeros_like(frames[1])
    whole[box.slices] = over
    wanted = frames[1] + mask[..., None] / 255 * (whole.astype(float) - frames[1])
    assert np.abs(canvas.frames[1] - wanted).max() <= 0.51
    assert not ((mask > 0) & (mask <= FORGED_ABOVE)).any()
    assert np.array_equal(canvas.frames[0], frames[0]) and not canvas.masks[0].any()


def test_poisson_keeps_a_picture_that_differs_by_a_shift_of_light_only() -> None:
    image = textured(1)
    inside = filled(np.array([[40, 30], [110, 40], [90, 95], [35, 80]], np.float32), image.shape[:2])
    clear = (image < 210).all(axis=-1)
    calm = image.copy()
    calm[~clear] = 200  # nothing is clipped
    made = poisson(calm, np.asarray(calm + np.uint8(40), np.uint8), inside)
    assert np.abs(made.astype(int) - calm).max() <= 3
    # at the picture's border, too
    corner = np.zeros(image.shape[:2], np.uint8)
    corner[:50, :60] = 255
    made = poisson(calm, np.asarray(calm + np.uint8(40), np.uint8), corner)
    assert np.abs(made.astype(int) - calm).max() <= 45 and np.abs(made.astype(int) - calm)[60:, 70:].max() == 0
    # gradients are those of the picture above, and threads do not matter
    other, before = textured(2), cv2.getNumThreads()
    made = poisson(calm, other, inside)
    core = cv2.erode(inside, np.ones((9, 9))) > 0
    slopes = [np.diff(each.astype(int), axis=1)[core[:, 1:]] for each in (made, other, calm)]
    assert np.corrcoef(slopes[0].ravel(), slopes[1].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(slopes[0].ravel(), slopes[2].ravel())[0, 1]) < 0.3
    try:
        cv2.setNumThreads(1)
        assert np.array_equal(poisson(calm, other, inside), made)
    finally:
        cv2.setNumThreads(before)


@settings(max_examples=12)
@given(st.floats(-0.05, 0.05), st.floats(0.95, 1.05), st.floats(-6, 6), st.floats(-6, 6))
def test_flow_finds_a_known_movement(turn: float, scale: float, dx: float, dy: float) -> None:
    image, centre = textured(3, (160, 160)), np.array([80.0, 78.0], np.float32)
    frames, truth = [], []
    for k in range(7):
        share = k / 6
        linear = np.array([
            [np.cos(share * turn), -np.sin(share * turn)], [np.sin(share * turn), np.cos(share * turn)],
        ]) * scale**share  # fmt: skip
        affine = np.column_stack([linear, centre - linear @ centre + share * np.array([dx, dy])])
        frames.append(moved_picture(image, affine, Box(0, 0, 160, 160)))
        truth.append(affine)
    motion = follow(np.stack(frames), range(7), 3, centre, 25)
    corners = np.array([[60, 60], [100, 60], [100, 100], [60, 100]], np.float32)
    home = cv2.invertAffineTransform(truth[3])
    assert motion.points > 12
    for rank in range(1, 6):  # the ends are smoothed towards their neighbours
        wanted = (corners @ home[:, :2].T + home[:, 2]) @ truth[rank][:, :2].T + truth[rank][:, 2]
        assert np.abs(motion.at(rank, corners) - wanted).max() < 0.6


def test_a_flat_wall_stands_still_and_noise_is_measured() -> None:
    rng = np.random.default_rng(0)
    frames = np.rint(rng.normal(120, 2.0, (12, 100, 100, 3))).clip(0, 255).astype(np.uint8)
    motion = follow(frames, range(12), 6, np.array([50.0, 50.0], np.float32), 20)
    corners = np.array([[40, 40], [60, 60]], np.float32)
    assert max(np.abs(motion.at(rank, corners) - corners).max() for rank in range(12)) < 0.3
    np.testing.assert_allclose(grain_of(frames, range(12), Box(20, 20, 80, 80)), 2.0, atol=0.6)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(5, 15))
def test_places_lie_in_the_picture_and_off_the_face(seed: int, radius: float) -> None:
    taken = _TAKE
    rng = np.random.default_rng(seed)
    search = Search(taken, range(5, 31), 18, blob(rng, radius), "test")
    face = face_mask(taken, range(5, 31))
    assert face is not None
    for centre in search.centres(rng)[:20]:
        outline = centre + search.outline
        assert (outline > 2).all() and (outline < SIZE - 3).all()
        whole = filled(outline, (SIZE, SIZE))
        assert not ((whole > 0) & (face > 0)).any()


_TAKE = busy("property")


def test_places_off_people_come_first() -> None:
    """A still wall of the colour of skin, a grey one, and before it a second person whom nobody tracks."""
    rng = np.random.default_rng(1)
    frames = np.full((42, 120, 240, 3), (205, 160, 140), np.uint8)
    frames[:, :, 100:] = (90, 95, 100)
    for k in range(42):
        cv2.ellipse(frames[k], (190, 60 + round(3 * np.sin(k / 3))), (24, 34), 0, 0, 360, (190, 140, 120), -1)
    frames = np.rint(frames + rng.normal(0, 1.0, frames.shape)).clip(0, 255).astype(np.uint8)
    people = people_map(frames, range(5, 31)) > 0
    head = np.zeros((120, 240), np.uint8)
    cv2.ellipse(head, (190, 60), (24, 34), 0, 0, 360, (255,), -1)
    assert people[head > 0].mean() > 0.95 and people[cv2.dilate(head, np.ones((41, 41))) == 0].mean() < 0.02
    search = Search(replace(_TAKE, frames=frames, track=None), range(5, 31), 18, blob(rng, 12), "test")
    places = search.centres(rng)
    off = search.off_people(places)
    assert 60 < off.sum() < len(off) and off[: off.sum()].all()  # all that are off come first, and none is lost
    assert len(places) == 256 and not off[np.hypot(*(places - (190, 60)).T) < 15].any()
    for op in ("object", "copy_move"):  # the picture has no other movement, so the whole mask is off the head
        made = splice(op, replace(_TAKE, frames=textured_wall(frames), track=None), seed=1)
        assert made.masks is not None and not (made.masks[:, head > 0] > 0).any()


def textured_wall(frames: np.ndarray) -> np.ndarray:
    """The same with some things on its walls, so that there is something to copy."""
    wall = frames.copy()
    for x, y in ((30, 30), (70, 90), (115, 40), (130, 100)):
        for frame in wall:
            cv2.circle(frame, (x, y), 9, (40, 90, 30), -1)
    return wall


def test_a_beard_leaves_no_patch_and_lips_stay_lips() -> None:
    """A dark half and very red lips on light skin: the half is gone, lips are as red as lips can be there."""
    lab = np.zeros((80, 120, 3), np.float32)
    lab[:] = (70, 12, 18)
    below = lab.copy()
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 1.5, lab.shape[:2]).astype(np.float32)
    lab[..., 0] += grain
    lab[:, 60:, 0] -= 35
    lab[36:44, 50:70] = (50, 60, -20)
    skin = np.ones(lab.shape[:2], np.float32)
    skin[34:46, 48:72] = 0
    made = _evened(lab, below, skin)
    assert np.abs(made[:, :30, 0].mean() - 70) < 7 and np.abs(made[:, 90:, 0].mean() - 70) < 7
    assert np.corrcoef(made[:, 5:30, 0].ravel(), grain[:, 5:30].ravel())[0, 1] > 0.95  # pores and stubble stay
    lips = made[38:42, 52:68]
    assert 20 < lips[..., 1].mean() < 45 and lips[..., 2].mean() > 5
    alike = np.asarray(below + np.float32(3), np.float32)
    assert np.abs(_evened(alike, below, skin) - alike).max() < 0.5  # skin that is only another's stays so


def test_too_large_a_region_is_refused(take: Take) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(JobError, match="beside the face; lower size"):
        Search(take, range(5, 31), 18, blob(rng, 60), "test").centres(rng)
    with pytest.raises(JobError, match="does not fit"):
        Search(take, range(5, 31), 18, blob(rng, 120), "test").centres(rng)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(-0.7, 0.7), st.floats(0.6, 1.6), st.booleans())
def test_original_and_copy_never_overlap(seed: int, turn: float, scale: float, flip: bool) -> None:
    rng = np.random.default_rng(seed)
    image, outline = textured(seed % 7), blob(rng, 12)
    affine = transform(np.zeros(2, np.float32), np.zeros(2, np.float32), turn, scale, flip)
    centres = rng.uniform(25, 95, (6, 2)).astype(np.float32)
    far = pairs(image, outline, centres[:1] * 0 + 30, centres[:1] * 0 + 90, affine[:, :2], same_rim=0.0)
    assert len(far) == 1  # what lies far apart is a pair
    for pair in far + pairs(image, outline, centres, centres[::-1], affine[:, :2], same_rim=0.0):
        back = np.linalg.inv(pair.affine[:, :2])
        copy = filled(np.asarray(pair.target + outline, np.float32), image.shape[:2])
        original = filled(np.asarray(pair.source + outline @ back.T, np.float32), image.shape[:2])
        assert not ((copy > 0) & (original > 0)).any()
        np.testing.assert_allclose(pair.affine[:, :2] @ pair.source + pair.affine[:, 2], pair.target, atol=1e-3)


def test_the_copy_is_the_original_of_the_same_frame(take: Take) -> None:
    made = splice("copy_move", take, seed=4, blend="feather", turn=0.0, scale=[1.0, 1.0])
    assert made.masks is not None
    affine = np.array(made.details["affine"])
    shift = affine[:, 2]
    for index in (6, 18, 29):
        solid = cv2.erode((made.masks[index] == 255).astype(np.uint8), np.ones((3, 3))) > 0
        copy = made.take.frames[index].astype(float)
        moved = cv2.warpAffine(take.frames[index], np.array([[1.0, 0, shift[0]], [0, 1.0, shift[1]]]), (SIZE, SIZE))
        apart = copy[solid] - moved[solid]
        assert solid.sum() > 30 and apart.std(axis=0).max() < 6  # one tone, the rest is how pixels are resampled


def test_a_spot_on_a_wall_is_removed_and_stays_removed() -> None:
    rng = np.random.default_rng(2)
    still = textured(5, (120, 120)).astype(float) * 0.05 + 110
    cv2.circle(still, (60, 60), 9, (20, 160, 30), -1)
    frames = np.rint(still + rng.normal(0, 1.5, (42, 120, 120, 3))).clip(0, 255).astype(np.uint8)
    take = replace(_TAKE, frames=frames, track=None)
    found = []
    for seed in range(8):
        try:
            made = splice("remove", take, seed=seed, size=[0.26, 0.3])
        except JobError as error:
            assert error.code == "output_identical"
            continue
        assert made.masks is not None
        spot = np.zeros((120, 120), np.uint8)
        cv2.circle(spot, (60, 60), 6, (255,), -1)
        gone = (spot > 0) & (made.masks[18] == 255)
        if gone.sum() > 60:
            stretch = made.take.frames[8:28, gone].astype(float)
            found.append(np.abs(stretch.mean(axis=(0, 1)) - 116).max())
            assert stretch.mean(axis=1).std(axis=0).max() < 1.0  # no flicker
            assert 0.7 < stretch.std(axis=0).mean() / 1.5 < 1.6  # grain like that around it
    assert found and max(found) < 25


def test_inpainting_reads_the_rim_alone() -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    image[15:25, 15:25] = 255
    inside = np.zeros((40, 40), np.uint8)
    inside[14:26, 14:26] = 255
    for method in ("telea", "ns"):
        assert np.abs(inpainted(image, inside, method).astype(int) - 90).max() <= 4


def test_things_stay_where_the_camera_sees_them() -> None:
    """A swaying camera: what is put in sways with it, to a fraction of a pixel."""
    take = busy("sway", shake=4.0)
    made = splice("object", take, seed=1, draw=["badge"])
    assert made.masks is not None and made.details["followed_points"] > 5
    ys, xs = np.indices(made.masks.shape[1:])
    centres = np.array([[(xs * m).sum() / m.sum(), (ys * m).sum() / m.sum()] for m in made.masks[6:30].astype(float)])
    moves = 4.0 * np.sin(np.arange(6, 30) / 6)
    wanted = np.stack([moves, moves / 2], axis=1)
    apart = centres - wanted
    assert np.ptp(centres[:, 0]) > 3 and np.abs(apart - apart.mean(axis=0)).max() < 0.6
    judged = shares(take.frames, made)
    assert judged.inside >= 0.99 and judged.differs >= 0.8


def test_splices_without_a_face_work_on_any_picture() -> None:
    """A wide scene without a track."""
    wide = np.concatenate([busy("left").frames, busy("right").frames], axis=2)
    take, donor = replace(busy("left"), frames=wide, track=None), replace(busy("two"), track=None)
    for op in ("object", "remove", "copy_move", "region"):
        made = splice(op, take, donor, seed=2)
        judged = shares(take.frames, made)
        assert judged.inside >= 0.99 and judged.differs >= 0.8
    with pytest.raises(JobError) as caught:
        splice("face", take, donor)
    assert caught.value.code == "face_not_found"


def test_a_grey_wall_has_nothing_to_copy_or_remove() -> None:
    take = replace(_TAKE, frames=np.full((42, 100, 100, 3), 128, np.uint8), track=None)
    for op in ("remove", "copy_move", "region"):
        with pytest.raises(JobError) as caught:
            splice(op, take, take if op != "region" else replace(take), relation="partner")
        assert caught.value.code == "output_identical"


def test_a_camera_that_pans_away_is_refused() -> None:
    wide = textured(8, (100, 400))
    frames = np.stack([wide[:, 7 * k : 7 * k + 100] for k in range(42)])
    take = replace(_TAKE, frames=frames, track=None)
    with pytest.raises(JobError, match="leave the picture") as caught:
        splice("object", take, seed=0)
    assert caught.value.code == "input_unsupported"


def test_a_fringe_is_left_before_the_face_and_skin_is_not(take: Take) -> None:
    assert take.track is not None
    points = pixels_of(take.track, SIZE, SIZE)[10]
    image = take.frames[10].copy()
    clear = covered(image, points, face_colours(image, points), hull(points, image.shape))
    assert clear.max() < 0.05
    # a strand at the temple, between the outline and the eye, down to the nose's base
    left, right = int(points[0, 0]) + 1, int(points[36, 0]) - 5
    top, bottom = int(points[36, 1]) - 4, int(points[30, 1])
    cv2.rectangle(image, (left - 4, top), (right, bottom), (25, 18, 12), -1)
    inside = hull(points, image.shape)
    found = covered(image, points, face_colours(image, points), inside)
    strand = np.zeros((SIZE, SIZE), np.uint8)
    strand[top : bottom + 1, left - 4 : right + 1] = 1
    assert found[(strand > 0) & (inside > 0)].mean() > 0.6
    assert found[cv2.dilate(strand, np.ones((9, 9))) == 0].max() < 0.05


def test_a_folded_side_of_a_face_is_dropped(take: Take) -> None:
    assert take.track is not None
    pixels = pixels_of(take.track, SIZE, SIZE)
    mesh, box = Mesh.of(pixels), Box(0, 0, SIZE, SIZE)
    front = mesh.facing(pixels[10], box)
    folded = pixels[10].copy()
    folded[13:17, 0] = folded[45, 0] - 12  # the far jaw before the far eye, as behind a turned cheek
    assert (front > 0).sum() > 1.2 * (mesh.facing(folded, box) > 0).sum() > 0


@pytest.mark.parametrize("name", sorted(HEIGHTS))
def test_drawings_are_functions_of_their_seed(name: str) -> None:
    one, other = drawing(name, 1), drawing(name, 2)
    drawing.cache_clear()
    assert np.array_equal(drawing(name, 1).picture, one.picture) and not np.array_equal(one.picture, other.picture)
    assert one.opacity.max() == 255 and not one.opacity[[0, -1]].any() and not one.opacity[:, [0, -1]].any()
    assert np.hypot(*one.outline.T).max() < 1.25


def test_null_splices_drift_by_less_than_half_a_pixel_and_maps_chain() -> None:
    path = drift(np.random.default_rng(3), 60)
    assert 0.2 < np.abs(path).max() <= 0.5
    motion = np.array([[1.0, 0.0, 5.0], [0.0, 1.0, -2.0]])
    inner = transform(np.array([10.0, 10.0], np.float32), np.array([30.0, 12.0], np.float32), 0.3, 1.2, False)
    there = through(motion, inner)
    np.testing.assert_allclose(there[:, :2] @ [15, 8] + there[:, 2], [35, 10], atol=1e-5)
    ring = ring_of(filled(np.array([[5, 5], [15, 5], [15, 15], [5, 15]], np.float32), (20, 20)))
    assert ring[10, 10] == 0 and ring[3, 10] > 0


def test_shares_catch_a_mask_that_is_wrong(take: Take) -> None:
    """The judge of these tests: a mask elsewhere, and one too large, are found out."""
    made = make_generator(SPLICES["object"]).generate(splice_job("object", take))
    assert made.masks is not None
    assert shares(take.frames, replace(made, masks=np.roll(made.masks, 12, axis=2))).inside < 0.9
    grown = np.stack([cv2.dilate(mask, np.ones((25, 25))) for mask in made.masks])
    assert shares(take.frames, replace(made, masks=grown)).differs < 0.7
