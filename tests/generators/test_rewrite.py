from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from drawn_face import SIZE, big, darkness, envelope, forge, job_of, with_sound
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.clip import REAL, Labels, Modality
from cmdfd.errors import JobError
from cmdfd.faces.tracks import RIGID, FaceTrack
from generators.generator import Outcome, Take
from generators.registry import make_generator
from generators.video.mouth_choice import Mouths, choose
from generators.video.mouth_paste import moved, paste, similarity

LONG = slice(5, 48)


@cache
def pair() -> tuple[Take, Take]:
    return with_sound(big("one", seconds=2.4), 21), with_sound(big("two", seconds=2.4), 22)


@cache
def made(own: bool = False) -> Outcome:
    take, donor = pair()
    return forge("video/rewrite", take, take if own else donor)


def against(seed: int, what: np.ndarray) -> float:
    """Correlation of a mouth with the loudness that the sound of a seed was made from."""
    loud = envelope(seed, len(what) + 5)[: len(what)]
    return float(np.corrcoef(what[LONG], np.sqrt(loud[LONG]))[0, 1])


def test_pixels_follow_the_driving_sound() -> None:
    take, _ = pair()
    cross, own = darkness(made().take), darkness(made(own=True).take)
    assert against(22, cross) > 0.6 and against(22, cross) > against(21, cross) + 0.35
    assert against(21, own) > 0.6 and against(21, own) > against(21, darkness(take)) + 0.3


def test_every_mouth_is_that_of_the_named_frame() -> None:
    take, _ = pair()
    outcome = made()
    sources = outcome.details["source_frames"]
    assert len(sources) == len(take.frames) and all(isinstance(index, int) for index in sources)
    seen, genuine = darkness(outcome.take), darkness(take)
    np.testing.assert_allclose(seen[LONG], genuine[np.array(sources)][LONG], atol=0.16 * np.ptp(genuine))
    assert outcome.masks is not None
    for index, other in enumerate(sources):
        same = np.array_equal(outcome.take.frames[index], take.frames[index])
        assert same == (index == other) and outcome.masks[index].any() == (index != other)
    assert sources[:5] == [0, 1, 2, 3, 4] and sources[50:] == list(range(50, 60))


def test_a_self_driven_clip_differs_from_the_real_one() -> None:
    take, _ = pair()
    outcome = made(own=True)
    different = (outcome.take.frames[LONG] != take.frames[LONG]).any(axis=(1, 2, 3))
    assert different.mean() > 0.7 and outcome.take.audio is take.audio


def test_labels_masks_and_track() -> None:
    take, donor = pair()
    outcome = made()
    assert outcome.labels == Labels(1, 0, 1, 0, None) and outcome.details["driver"] == "partner"
    assert [(one.start, one.end, one.modality) for one in outcome.segments] == [(0.0, take.duration, Modality.VIDEO)]
    assert np.corrcoef(outcome.take.audio, donor.audio)[0, 1] > 0.9999
    assert outcome.masks is not None and outcome.take.track is not None and take.track is not None
    difference = np.abs(outcome.take.frames.astype(int) - take.frames).max(axis=-1)
    wide = np.stack([cv2.dilate(mask, np.ones((15, 15), np.uint8)) for mask in outcome.masks])
    assert difference[wide == 0].max() <= 2  # beyond the soft rim nothing changed
    rows = np.flatnonzero(difference.max(axis=(0, 2)) > 2)
    assert rows.min() > float((take.track.points[:, 33, 1] * SIZE).min())  # below the nose
    np.testing.assert_allclose(take.track.points[:, RIGID], outcome.take.track.points[:, RIGID], atol=1e-6)
    again = forge("video/rewrite", *pair(), seed=3)
    assert np.array_equal(again.take.frames, outcome.take.frames)


def cost(path: tuple[int, ...], mouths: Mouths, openings: np.ndarray, widths: np.ndarray, wanted: range) -> float:
    """The path's cost, added up frame by frame in plain Python."""
    total, pose = 0.0, mouths.pose / np.maximum(mouths.pose.std(axis=0), 0.02)
    for step, (frame, chosen) in enumerate(zip(wanted, path, strict=True)):
        total += abs(mouths.openings[chosen] - openings[frame]) / mouths.openings.std()
        total += 0.25 * abs(mouths.widths[chosen] - widths[frame]) / mouths.widths.std()
        total += 0.35 * sum(abs(pose[chosen] - pose[frame]))
        total += 0.5 if chosen == frame else 0.0
        if step:
            total += 0.04 * min(abs(chosen - path[step - 1] - 1), 12)
    return float(total)


@given(st.integers(0, 10_000), st.integers(0, 2))
@settings(max_examples=15)
def test_the_path_is_the_best_of_all(seed: int, first: int) -> None:
    rng = np.random.default_rng(seed)
    n, wanted = 6, range(first, first + 4)
    mouths = Mouths(rng.random(n), rng.random(n), 0.05 * rng.random((n, 2)))
    openings, widths = rng.random(n), rng.random(n)
    path = choose(mouths, openings, widths, wanted)
    best = min(itertools.product(range(n), repeat=4), key=lambda one: cost(one, mouths, openings, widths, wanted))
    assert cost(tuple(path.tolist()), mouths, openings, widths, wanted) == pytest.approx(
        cost(best, mouths, openings, widths, wanted)
    )


@given(st.floats(-0.4, 0.4), st.floats(0.7, 1.4), st.floats(-20, 20), st.floats(-20, 20))
def test_a_similarity_is_found_again(turn: float, scale: float, dx: float, dy: float) -> None:
    points = np.random.default_rng(1).uniform(0, 100, (11, 2)).astype(np.float32)
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    affine = np.array([[c, -s, dx], [s, c, dy]])
    found = similarity(points, moved(points, affine))
    np.testing.assert_allclose(found, affine, atol=1e-3)


def test_a_similarity_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(2)
    here, there = rng.uniform(0, 100, (11, 2)), rng.uniform(0, 100, (11, 2))
    rows = np.concatenate([np.stack([here[:, 0], -here[:, 1], np.ones(11), np.zeros(11)], 1),
                           np.stack([here[:, 1], here[:, 0], np.zeros(11), np.ones(11)], 1)])  # fmt: skip
    a, b, x, y = np.linalg.lstsq(rows, np.concatenate([there[:, 0], there[:, 1]]), rcond=None)[0]
    np.testing.assert_allclose(
        similarity(here.astype(np.float32), there.astype(np.float32)), [[a, -b, x], [b, a, y]], atol=1e-3
    )


def test_a_face_pasted_on_itself_stays_and_a_darker_one_is_lifted() -> None:
    take, _ = pair()
    assert take.track is not None
    points, still = take.track.points * np.float32(SIZE), np.array([[1.0, 0, 0], [0, 1, 0]])
    frame = take.frames[9]
    same = paste(frame, points[9], frame, points[9], still)
    assert np.abs(same.picture.astype(int) - frame).max() <= 1
    np.testing.assert_allclose(same.points, points[9], atol=1e-3)
    darker = np.maximum(frame.astype(int) - 6, 0).astype(np.uint8)
    lifted = paste(frame, points[9], darker, points[9], still)
    assert np.abs(lifted.picture.astype(int) - frame)[20:].mean() < 0.2


def test_its_sham_blends_and_says_nothing_new() -> None:
    take, donor = pair()
    sham = make_generator("video/rewrite").sham(job_of("video/rewrite", take, donor))
    assert sham.labels == REAL and sham.masks is None and not sham.segments and sham.take.audio is take.audio
    assert (sham.take.frames[LONG] != take.frames[LONG]).any(axis=(1, 2, 3)).all()
    assert np.corrcoef(darkness(sham.take)[LONG], darkness(take)[LONG])[0, 1] > 0.97


def test_what_is_refused() -> None:
    take, donor = pair()
    assert take.track is not None
    points = take.track.points.copy()
    middle = points.mean(axis=0)
    points[:, 48:] = middle[48:] + 0.1 * (points[:, 48:] - middle[48:])
    small = replace(take, track=FaceTrack(take.track.times, points, take.track.found, "test"))
    for target, lender, code in (
        (replace(take, track=None), donor, "face_not_found"), (take, None, "input_unsupported"),
        (small, donor, "input_unsupported"), (take, replace(donor, audio=0 * donor.audio), "audio_invalid"),
    ):  # fmt: skip
        with pytest.raises(JobError) as caught:
            forge("video/rewrite", target, lender)
        assert caught.value.code == code
    with pytest.raises(JobError, match=r"moves over 0\.0\d+ eye distances.*0\.035 are needed"):
        forge("video/rewrite", small, donor)


@pytest.mark.parametrize("shift", [(-0.45, 0.0), (0.4, 0.3), (0.0, 0.35)])
def test_faces_that_leave_the_picture_do_no_harm(shift: tuple[float, float]) -> None:
    take, donor = pair()
    assert take.track is not None
    points = take.track.points + np.array(shift, np.float32)
    cut = replace(take, track=FaceTrack(take.track.times, points, take.track.found, "test"))
    assert forge("video/rewrite", cut, donor).take.frames.shape == take.frames.shape
