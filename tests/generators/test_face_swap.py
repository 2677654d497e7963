from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from mesh_takes import SIZE, blue, centroid, darkness, drawn, forge, shams, with_track

from cmdfd.clip import REAL, Labels
from cmdfd.errors import JobError
from generators.generator import Take
from generators.video.mesh_swap import hull

INSIDE = slice(5, 31)


@pytest.fixture(scope="module")
def take() -> Take:
    return drawn("one")


@pytest.fixture(scope="module")
def donor() -> Take:
    return marked(drawn("two", skin=(150, 110, 90)))


def marked(take: Take) -> Take:
    """With a green dot below the eye on the image's left, drawn where no landmark lies."""
    frames = take.frames.copy()
    for frame, spot in zip(frames, spots(take), strict=True):
        cv2.circle(frame, tuple(np.rint(spot * 16).astype(int).tolist()), 28, (20, 220, 20), -1, cv2.LINE_AA, 4)
    return Take(frames, take.fps, take.audio, take.sample_rate, take.track)


def spots(take: Take) -> np.ndarray:
    assert take.track is not None
    points = take.track.points.astype(float) * SIZE
    return np.asarray((points[:, 41] + points[:, 31]) / 2)


def green(frames: np.ndarray) -> np.ndarray:
    wide = frames.astype(float)
    return np.asarray(np.clip((wide[..., 1] - np.maximum(wide[..., 0], wide[..., 2]) - 15) / 60, 0, 1))


def test_the_donors_marks_lie_where_the_takes_face_is(take: Take, donor: Take) -> None:
    made = forge("video/face_swap", take, donor)
    upper = green(made.take.frames)[INSIDE, : SIZE // 2 + 5]
    found = np.array([centroid(weight) for weight in upper])
    np.testing.assert_allclose(found, spots(take)[INSIDE], atol=1.0)  # the two faces have the same proportions
    # the take moved by more than that, so a mark at the donor's place would have failed
    assert np.abs(spots(take)[INSIDE] - spots(donor)[INSIDE]).max() > 2.5


def test_lips_go_on_following_the_take(take: Take, donor: Take) -> None:
    made = forge("video/face_swap", take, donor)
    own, other, got = (darkness(frames)[INSIDE] for frames in (take.frames, donor.frames, made.take.frames))
    assert np.corrcoef(own, got)[0, 1] > 0.95 and np.corrcoef(other, got)[0, 1] < 0.6
    assert np.ptp(got) > 0.7 * np.ptp(own)
    assert made.take.track is take.track and made.take.audio is take.audio


def test_only_the_face_changes_and_the_mask_says_where(take: Take, donor: Take) -> None:
    made = forge("video/face_swap", take, donor)
    assert made.masks is not None and set(np.unique(made.masks)) == {0, 255} and take.track is not None
    for index in range(len(take.frames)):
        changed = (made.take.frames[index] != take.frames[index]).any(axis=-1)
        if not 5 <= index <= 30:
            assert not changed.any() and not made.masks[index].any()
            continue
        whole = cv2.dilate(hull(take.track.points[index] * SIZE, (SIZE, SIZE)), np.ones((5, 5))) > 0
        assert not (changed & ~whole).any()
        masked = made.masks[index] > 0
        assert (changed | ~masked).all() and masked.sum() > 0.5 * changed.sum() > 200


def test_skin_takes_the_colour_of_the_take(take: Take, donor: Take) -> None:
    made = forge("video/face_swap", take, donor)
    nose = (take.track.points[10, 28] * SIZE).round().astype(int)  # type: ignore[union-attr]
    patch = np.s_[10, nose[1] - 2 : nose[1] + 3, nose[0] - 2 : nose[0] + 3]
    before, after = (frames[patch].mean(axis=(0, 1)) for frames in (take.frames, made.take.frames))
    assert np.abs(before - after).max() < 16 < np.abs(before - (150, 110, 90)).max()


@pytest.mark.parametrize(("relation", "mismatch"), [("partner", 1), ("same", 0)])
def test_labels_and_face(take: Take, donor: Take, relation: str, mismatch: int) -> None:
    made = forge("video/face_swap", take, donor, relation=relation)
    assert made.labels == Labels(1, 0, 1, 0, mismatch)
    assert made.face_id == "donor-face" and made.voice_id is None
    assert [(one.start, one.end, str(one.modality)) for one in made.segments] == [(0.0, take.duration, "video")]
    again = forge("video/face_swap", take, donor, relation=relation)
    assert np.array_equal(made.take.frames, again.take.frames)


def test_the_donor_frame_of_the_nearest_pose_is_taken(take: Take) -> None:
    plain, turned = drawn("two"), drawn("two", turn=0.04)
    assert plain.track is not None and turned.track is not None
    half = len(plain.frames) // 2
    both = with_track(
        Take(np.concatenate([turned.frames[:half], green_skin(plain.frames[half:])]), 25.0, plain.audio, 16000,
             plain.track),
        np.concatenate([turned.track.points[:half], plain.track.points[half:]]),
    )  # fmt: skip
    made = forge("video/face_swap", take, both)
    straight = forge("video/face_swap", drawn("one", turn=0.04), both)
    # the half with the green film is the one that looks straight ahead
    assert hue(made.take.frames) > hue(straight.take.frames) + 3


def green_skin(frames: np.ndarray) -> np.ndarray:
    out = frames.astype(float)
    out[:, 60:80, 50:110, 1] += 25  # a band over cheeks and nose; colours of the whole face are matched
    return out.clip(0, 255).astype(np.uint8)


def hue(frames: np.ndarray) -> float:
    face = frames[INSIDE, 62:78, 65:95].astype(float).mean(axis=(0, 1, 2))
    return float(face[1] - face[0])


def test_the_sham_looks_like_the_take_and_was_resampled(take: Take, donor: Take) -> None:
    made = shams("video/face_swap", take, donor)
    assert made.labels == REAL and made.masks is None and not made.segments
    difference = np.abs(made.take.frames.astype(int) - take.frames)[INSIDE]
    assert difference.any() and difference.mean() < 0.6
    assert made.take.track is take.track and made.take.audio is take.audio
    own, got = darkness(take.frames)[INSIDE], darkness(made.take.frames)[INSIDE]
    assert np.corrcoef(own, got)[0, 1] > 0.99
    assert np.abs(blue(made.take.frames[INSIDE]).sum((1, 2)) - blue(take.frames[INSIDE]).sum((1, 2))).max() < 12


def test_what_is_refused(take: Take, donor: Take) -> None:
    faceless, profile = with_track(take, None), drawn("two", turn=0.17)
    quarter = drawn("two", turn=0.09)
    cases: list[tuple[Any, ...]] = [
        (faceless, donor, "partner", "face_not_found"), (take, with_track(donor, None), "partner", "face_not_found"),
        (take, None, "", "input_unsupported"), (take, take, "self", "input_unsupported"),
        (take, profile, "partner", "input_unsupported"), (profile, take, "partner", "input_unsupported"),
        (take, quarter, "partner", "input_unsupported"),
    ]  # fmt: skip
    for target, lender, relation, code in cases:
        with pytest.raises(JobError) as caught:
            forge("video/face_swap", target, lender, relation=relation)
        assert caught.value.code == code
    with pytest.raises(JobError, match="turned too differently"):
        forge("video/face_swap", take, quarter)


@pytest.mark.parametrize("shift", [(-0.4, 0.0), (0.3, 0.3), (0.0, -0.5)])
def test_faces_that_leave_the_picture_do_no_harm(take: Take, donor: Take, shift: tuple[float, float]) -> None:
    assert take.track is not None and donor.track is not None
    cut = with_track(take, take.track.points + np.array(shift, np.float32))
    assert forge("video/face_swap", cut, donor).take.frames.shape == take.frames.shape
    lost = with_track(donor, donor.track.points + np.array(shift, np.float32))
    assert forge("video/face_swap", take, lost).take.frames.shape == take.frames.shape
