from __future__ import annotations

import numpy as np
import pytest
from drawn_face import INSIDE, big, darkness, forge, job_of
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.clip import REAL, Labels
from cmdfd.errors import JobError, MediaError
from cmdfd.faces.tracks import RIGID, FaceTrack
from generators.generator import Take
from generators.registry import make_generator
from generators.video.inner_mouth import MIN_INNER, MouthBank
from generators.video.lip_lines import HALF_GRID, Spread
from generators.video.lips import MouthMover, mouth_width, opening


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


def lips_extent(frame: np.ndarray) -> float:
    """Width of the red lips in pixels; skin is less red than that."""
    columns = np.flatnonzero((frame[..., 0].astype(int) - frame[..., 1] > 95).any(axis=0))
    return float(columns[-1] - columns[0] + 1)


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_a_mouth_becomes_as_wide_as_asked(factor: float) -> None:
    take = big("one")
    assert take.track is not None
    mover = MouthMover(take.frames, take.track, range(len(take.frames)))
    index = int(np.argmax(mover.openings))
    picture, points = mover.move(index, float(mover.openings[index]), factor)
    assert lips_extent(picture) / lips_extent(take.frames[index]) == pytest.approx(factor, abs=0.05)
    after = FaceTrack(take.track.times[:1], (points / 192).astype(np.float32)[None], take.track.found[:1], "test")
    assert mouth_width(after, 1.0)[0] / mouth_width(take.track, 1.0)[index] == pytest.approx(factor, abs=0.01)
    assert opening(after, 1.0)[0] == pytest.approx(mover.openings[index], abs=1e-3)
    # nose and above stay, and so do the cheeks' outer parts
    face = take.track.points[index] * 192
    changed = np.abs(picture.astype(int) - take.frames[index]).max(axis=-1) > 2
    assert np.flatnonzero(changed.any(axis=1)).min() > face[33, 1] - 2


@given(st.floats(0.8, 1.25), st.floats(-0.7, 0.7), st.floats(0.2, 1.6))
def test_a_stretch_undone_is_where_it_was(factor: float, u: float, v: float) -> None:
    spread = Spread(0.02, 0.3, factor, (0.5, 0.8, 1.0, 1.4))
    height = np.array([v], np.float32)
    after = spread.after(np.array([u], np.float32), height)
    assert float(spread.before(after, height)[0]) == pytest.approx(u, abs=1e-5)
    there = float(after[0])
    if abs(u - 0.02) >= HALF_GRID or not 0.5 < v < 1.4:
        assert there == pytest.approx(u, abs=1e-6)
    if 0.8 <= v <= 1.0 and abs(u - 0.02) <= 0.3:
        assert there - 0.02 == pytest.approx(factor * (u - 0.02), abs=1e-5)


def test_a_bank_of_mouths_gives_back_what_it_stored_and_mixes_between() -> None:
    take = big("one")
    assert take.track is not None
    pixels, openings = take.track.points * np.float32(192), opening(take.track, 1.0)
    bank = MouthBank(take.frames, pixels, openings, range(len(openings)), 4)
    assert len(bank.mouths) >= 2 and (np.diff(bank.openings) > 0).all() and bank.openings[0] >= MIN_INNER
    assert bank.openings[-1] == openings.max()
    for mouth, width in zip(bank.mouths, bank.openings, strict=True):
        np.testing.assert_allclose(bank.at(float(width)).image, mouth.image, atol=1e-2)
    halfway = bank.at(float(bank.openings[:2].mean()))
    np.testing.assert_allclose(halfway.image, (bank.mouths[0].image + bank.mouths[1].image) / 2, atol=0.1)
    assert bank.at(9.0).image is not None and np.array_equal(bank.at(9.0).image, bank.mouths[-1].image)


@pytest.mark.parametrize("name", ["video/mouth_warp", "video/mouth_mute"])
def test_a_sham_resamples_and_says_nothing_new(name: str) -> None:
    take = big("one")
    donor = big("two") if name == "video/mouth_warp" else None
    sham = make_generator(name).sham(job_of(name, take, donor))
    assert sham.labels == REAL and not sham.segments and sham.masks is None and sham.take.track is take.track
    assert sham.take.audio is take.audio
    different = (sham.take.frames != take.frames).any(axis=(1, 2, 3))
    assert different[INSIDE].mean() > 0.8 and not different[35:].any()
    before, after = darkness(take)[INSIDE], darkness(sham.take)[INSIDE]
    assert np.corrcoef(before, after)[0, 1] > 0.97 and np.abs(after - before).max() < 0.15 * np.ptp(before)
    with pytest.raises(JobError) as caught:
        make_generator(name).sham(job_of(name, Take(take.frames, 25.0, take.audio, 16000), donor))
    assert caught.value.code == "face_not_found"


def test_a_closing_mouth_does_not_frown() -> None:
    take = big("one")
    assert take.track is not None
    mover = MouthMover(take.frames, take.track, range(len(take.frames)))
    index = int(np.argmax(mover.openings))
    points = mover.move(index, 0.0)[1]
    line, corners = points[[62, 66], 1].mean(), points[[48, 54], 1].mean()
    was = take.track.points[index] * 192
    # the corners rise along with the closing lips, so the line of the mouth bends less than they left it
    assert corners < was[[48, 54], 1].mean() - 0.1 * float(mover.openings[index]) * (was[45, 0] - was[36, 0])
    assert abs(corners - line) < 6
