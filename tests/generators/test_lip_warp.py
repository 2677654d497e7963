from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from drawn_face import INSIDE, big, darkness, envelope, forge, job_of, with_sound

from cmdfd.clip import REAL, Labels, Modality
from cmdfd.errors import JobError
from cmdfd.faces.tracks import RIGID, FaceTrack
from generators.generator import Take
from generators.registry import make_generator
from generators.video.lips import mouth_width, opening


@cache
def pair() -> tuple[Take, Take]:
    return with_sound(big("one", seconds=2.4), 11), with_sound(big("two", seconds=2.4), 12)


LONG = slice(5, 48)


def against(take: Take, seed: int, what: np.ndarray) -> float:
    """Correlation of a mouth with the loudness that the sound of a seed was made from."""
    loud = envelope(seed, len(take.frames) + 5)[: len(take.frames)]
    return float(np.corrcoef(what[LONG], np.sqrt(loud[LONG]))[0, 1])


def test_pixels_and_track_follow_the_driving_sound() -> None:
    take, donor = pair()
    made = forge("video/lip_warp", take, donor)
    assert made.take.track is not None
    for seen in (darkness(made.take), opening(made.take.track, 1.0)):
        assert against(take, 12, seen) > 0.6
        assert against(take, 12, seen) > against(take, 11, seen) + 0.4
    own = forge("video/lip_warp", take, take)
    assert against(take, 11, darkness(own.take)) > 0.6
    assert against(take, 11, darkness(own.take)) > against(take, 11, darkness(take)) + 0.3
    assert (own.take.frames[LONG] != take.frames[LONG]).any(axis=(1, 2, 3)).mean() > 0.8


def test_range_and_closures_are_those_of_the_take() -> None:
    take, donor = pair()
    made = forge("video/lip_warp", take, donor)
    assert take.track is not None and made.take.track is not None
    before, after = opening(take.track, 1.0)[LONG], opening(made.take.track, 1.0)[LONG]
    np.testing.assert_allclose(np.sort(before), np.sort(after), atol=0.01)
    ratio = mouth_width(made.take.track, 1.0) / mouth_width(take.track, 1.0)
    assert np.abs(ratio - 1).max() < 0.13


def test_sound_labels_and_segments() -> None:
    take, donor = pair()
    made = forge("video/lip_warp", take, donor)
    assert made.labels == Labels(1, 0, 1, 0, None) and made.details == {"driver": "partner"}
    assert [(one.start, one.end, one.modality) for one in made.segments] == [(0.0, take.duration, Modality.VIDEO)]
    assert made.take.audio.shape == take.audio.shape
    assert np.corrcoef(made.take.audio, donor.audio)[0, 1] > 0.9999
    assert forge("video/lip_warp", take, take).take.audio is take.audio
    again = forge("video/lip_warp", take, donor, seed=5)
    assert np.array_equal(made.take.frames, again.take.frames)  # nothing in it is drawn by chance


def test_masks_and_rigid_points() -> None:
    take, donor = pair()
    made = forge("video/lip_warp", take, donor)
    assert made.masks is not None and made.take.track is not None and take.track is not None
    difference = np.abs(made.take.frames.astype(int) - take.frames).max(axis=-1)
    assert difference[made.masks == 0].max() <= 6 and made.masks[LONG].any(axis=(1, 2)).mean() > 0.8
    assert not difference[:5].any() and not difference[50:].any()
    np.testing.assert_allclose(take.track.points[:, RIGID], made.take.track.points[:, RIGID], atol=1e-5)


def test_its_sham_is_real() -> None:
    take, donor = pair()
    sham = make_generator("video/lip_warp").sham(job_of("video/lip_warp", take, donor))
    assert sham.labels == REAL and sham.masks is None and not sham.segments and sham.take.audio is take.audio
    assert (sham.take.frames != take.frames).any(axis=(1, 2, 3))[INSIDE].mean() > 0.8
    assert np.corrcoef(darkness(sham.take)[LONG], darkness(take)[LONG])[0, 1] > 0.97


def test_what_is_refused() -> None:
    take, donor = pair()
    assert take.track is not None
    points = np.repeat(take.track.points[:1], len(take.track.times), axis=0)
    still = replace(take, track=FaceTrack(take.track.times, points, take.track.found, "test"))
    silent = replace(take, audio=np.zeros_like(take.audio))
    for target, lender, code in (
        (replace(take, track=None), donor, "face_not_found"), (take, None, "input_unsupported"),
        (still, donor, "input_unsupported"), (silent, donor, "audio_invalid"), (take, silent, "audio_invalid"),
        (take, replace(donor, audio=donor.audio[:8000]), "input_unsupported"),
    ):  # fmt: skip
        with pytest.raises(JobError) as caught:
            forge("video/lip_warp", target, lender)
        assert caught.value.code == code
    with pytest.raises(JobError):
        make_generator("video/lip_warp").sham(job_of("video/lip_warp", replace(take, track=None), donor))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["video/lip_warp", "video/rewrite"])
def test_talkers_follow_their_driver(name: str) -> None:
    """Over a few talkers: cross-driven mouths follow the driving sound, self-driven ones their own."""
    pytest.importorskip("espeakng_loader")
    from generators.sources.talkers.source import TalkerSource, render_take
    from generators.video.drive import loudness

    options = {"cast": "a", "difficulty": 0.7, "seconds": 3.0}
    plan = TalkerSource(options).plan({"test": {"identities": 5, "clips": 1}}, seed=4)
    takes = [render_take(item) for item in plan.items]
    found = []
    for take, donor in zip(takes, [*takes[1:], takes[0]], strict=True):
        row = []
        for driver in (donor, take):
            made = forge(name, take, driver).take
            assert made.track is not None
            inside = slice(5, 60)
            mouth = opening(made.track, 1.0)[inside]
            levels = [loudness(sound, 16000, 25.0, len(take.frames))[inside] for sound in (made.audio, take.audio)]
            row += [float(np.corrcoef(mouth, level)[0, 1]) for level in levels]
        found.append(row)
    cross, cross_own, own, _ = np.mean(found, axis=0)
    assert cross > 0.8 and own > 0.8 and abs(cross_own) < 0.35
    assert min(row[0] - row[1] for row in found) > 0.2
