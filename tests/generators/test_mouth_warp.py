from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from tiny_source import make_take

from cmdfd.clip import Labels
from cmdfd.errors import MediaError
from cmdfd.faces.tracks import RIGID, FaceTrack
from generators.generator import Job, Outcome, Take
from generators.registry import make_generator, resolve_params
from generators.video.lips import MouthMover, opening


def big(name: str, turn: float = 0.0) -> Take:
    """The tiny talker at 192 pixels, with a dark mouth drawn from its track, turned by `turn` degrees."""
    small = make_take(name)
    assert small.track is not None
    size = 192
    frames = np.stack([cv2.resize(frame, (size, size)) for frame in make_plain(len(small.frames))])
    points = small.track.points.astype(np.float64)
    affine = cv2.getRotationMatrix2D((0.5, 0.5), turn, 1.0)
    points = points @ affine[:, :2].T + affine[:, 2]
    for frame, shape in zip(frames, points, strict=True):
        inner = shape[[60, 61, 62, 63, 64, 65, 66, 67]] * size
        cv2.fillPoly(frame, [np.rint(shape[48:60] * size).astype(np.int32)], (190, 80, 80))
        cv2.fillPoly(frame, [np.rint(inner).astype(np.int32)], (25, 15, 15))
    track = FaceTrack(small.track.times, points.astype(np.float32), small.track.found, "test")
    return Take(frames, small.fps, small.audio, small.sample_rate, track)


def make_plain(n: int) -> np.ndarray:
    ys, xs = np.mgrid[:64, :64] / 64
    skin = np.stack([200 + 20 * np.sin(30 * xs), 160 + 20 * np.cos(25 * ys), 140 + 10 * np.sin(20 * (xs + ys))], -1)
    return np.repeat(skin[None], n, axis=0).astype(np.uint8)


def forge(name: str, take: Take, donor: Take | None = None, **params: Any) -> Outcome:
    job = Job(take, donor, 0.2, 1.0, resolve_params(name, params), np.random.default_rng(0))
    return make_generator(name).generate(job)


def darkness(take: Take) -> np.ndarray:
    """Opening as the pixels tell it: dark pixels of the mouth, without any landmark of lips."""
    assert take.track is not None
    dark = (take.frames.max(axis=-1) < 90).sum(axis=(1, 2)).astype(float)
    eyes = take.track.points[:, 45] - take.track.points[:, 36]
    return np.asarray(dark / (np.hypot(*eyes.T) * take.frames.shape[1]) ** 2)


INSIDE = slice(5, 30)


@pytest.mark.parametrize("turn", [0.0, 17.0])
def test_pixels_follow_the_donors_mouth(turn: float) -> None:
    take, donor = big("one", turn), big("two")
    made = forge("video/mouth_warp", take, donor)
    wanted, own, got = darkness(donor)[INSIDE], darkness(take)[INSIDE], darkness(made.take)[INSIDE]
    assert np.corrcoef(got, wanted)[0, 1] > 0.9
    assert np.corrcoef(got, wanted)[0, 1] > np.corrcoef(own, wanted)[0, 1] + 0.3
    # the track says the same as the pixels
    assert made.take.track is not None
    assert np.corrcoef(got, opening(made.take.track, 1.0)[INSIDE])[0, 1] > 0.9


def test_the_range_of_openings_is_kept() -> None:
    take, donor = big("one"), big("two")
    made = forge("video/mouth_warp", take, donor)
    assert take.track is not None and made.take.track is not None
    before, after = opening(take.track, 1.0)[INSIDE], opening(made.take.track, 1.0)[INSIDE]
    assert after.max() <= before.max() + 0.15 * np.ptp(before) and after.min() >= before.min() - 1e-6


def test_only_the_lower_face_and_only_masked_pixels_change() -> None:
    take, donor = big("one"), big("two")
    made = forge("video/mouth_warp", take, donor)
    assert made.masks is not None and set(np.unique(made.masks)) == {0, 255}
    difference = np.abs(made.take.frames.astype(int) - take.frames).max(axis=-1)
    assert difference[made.masks == 0].max() <= 6
    changed_rows = np.flatnonzero(difference.max(axis=(0, 2)))
    assert changed_rows.min() > 0.54 * 192  # below the nose
    outside = [index for index in range(len(take.frames)) if not 5 <= index <= 30]
    assert not difference[outside].any() and not made.masks[outside].any()
    assert 0.01 < (made.masks[INSIDE] > 0).mean() < 0.2


def test_sound_rigid_points_and_labels_stay() -> None:
    take, donor = big("one"), big("two")
    made = forge("video/mouth_warp", take, donor)
    assert made.take.audio is take.audio and made.labels == Labels(1, 0, 1, 1, 0)
    assert made.take.track is not None and take.track is not None
    before, after = take.track.points[:, RIGID], made.take.track.points[:, RIGID]
    np.testing.assert_allclose(before, after, atol=1e-5)  # so that crops are placed alike
    again = forge("video/mouth_warp", take, donor)
    assert np.array_equal(made.take.frames, again.take.frames)


def test_a_muted_mouth_hardly_moves() -> None:
    take = big("one")
    muted = forge("video/mouth_mute", take, keep=0.0)
    assert muted.take.track is not None and take.track is not None
    assert np.std(opening(muted.take.track, 1.0)[INSIDE]) < 0.1 * np.std(opening(take.track, 1.0)[INSIDE])
    assert np.std(darkness(muted.take)[INSIDE]) < 0.4 * np.std(darkness(take)[INSIDE])
    half = forge("video/mouth_mute", take, keep=0.5)
    assert half.take.track is not None
    ratio = np.std(opening(half.take.track, 1.0)[INSIDE]) / np.std(opening(take.track, 1.0)[INSIDE])
    assert ratio == pytest.approx(0.5, abs=0.1)


def test_a_mouth_moved_to_where_it_is_stays_the_same() -> None:
    take = big("one")
    assert take.track is not None
    mover = MouthMover(take.frames, take.track, range(len(take.frames)))
    picture, points = mover.move(9, float(mover.openings[9]))
    assert np.abs(picture.astype(int) - take.frames[9]).max() <= 1
    np.testing.assert_allclose(points, take.track.points[9] * 192, atol=0.01)


@pytest.mark.parametrize("shift", [(-0.45, 0.0), (0.4, 0.3), (0.0, 0.35)])
def test_faces_that_leave_the_picture_do_no_harm(shift: tuple[float, float]) -> None:
    take, donor = big("one"), big("two")
    assert take.track is not None
    points = take.track.points + np.array(shift, np.float32)
    cut = Take(take.frames, take.fps, take.audio, take.sample_rate,
               FaceTrack(take.track.times, points, take.track.found, "test"))  # fmt: skip
    made = forge("video/mouth_warp", cut, donor)
    assert made.take.frames.shape == take.frames.shape


def test_what_is_refused() -> None:
    take, donor = big("one"), big("two")
    assert donor.track is not None
    still_points = np.repeat(donor.track.points[:1], len(donor.track.times), axis=0)
    still = Take(donor.frames, donor.fps, donor.audio, donor.sample_rate,
                 FaceTrack(donor.track.times, still_points, donor.track.found, "test"))  # fmt: skip
    faceless = Take(take.frames, take.fps, take.audio, take.sample_rate)
    for target, lender, code in (
        (faceless, donor, "no_face"), (take, None, "unsupported"), (take, faceless, "unsupported"),
        (take, still, "unsupported"), (still, take, "unsupported"),
    ):  # fmt: skip
        with pytest.raises(MediaError) as caught:
            forge("video/mouth_warp", target, lender)
        assert caught.value.code == code
    with pytest.raises(MediaError, match="keep must be in"):
        forge("video/mouth_mute", take, keep=1.0)
