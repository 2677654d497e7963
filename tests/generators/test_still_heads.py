from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mesh_takes import SIZE, blue, centroid, darkness, drawn, forge, job_for, shams, with_track

from cmdfd.clip import REAL, Labels
from cmdfd.errors import JobError
from generators.audio.dsp import speech_level
from generators.generator import Outcome, Take
from generators.video.drive import loudness
from generators.video.lips import opening
from generators.video.mesh_face import FaceState
from generators.video.still_bank import MouthBank
from generators.video.still_take import Stage, choose_still

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = slice(5, 31)
KINDS = ["video/still_warp", "video/still_bank"]


@pytest.fixture(scope="module")
def take() -> Take:
    return drawn("one", noise=2.0)


@pytest.fixture(scope="module")
def donor() -> Take:
    """Another sound: bursts at other moments than the take's, and four times as loud."""
    plain = drawn("two")
    t = np.arange(len(plain.audio)) / plain.sample_rate
    bursts = np.interp(t, np.arange(0, 2.4, 0.12), np.random.default_rng(6).random(20) ** 2)
    audio = 0.5 * bursts * np.sin(2 * np.pi * 900 * t) + 0.001 * np.random.default_rng(7).normal(size=len(t))
    return Take(plain.frames, plain.fps, audio.astype(np.float32), plain.sample_rate, plain.track)


@pytest.fixture(scope="module")
def made(take: Take, donor: Take) -> dict[str, Outcome]:
    return {f"{kind} {relation}": forge(kind, take, lender, relation=relation)
            for kind in KINDS for relation, lender in (("self", take), ("partner", donor))}  # fmt: skip


def corr(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_of_the_mouth_follow_the_sound_that_is_heard(made: dict[str, Outcome], kind: str, donor: Take) -> None:
    mouths = {}
    for relation in ("self", "partner"):
        out = made[f"{kind} {relation}"].take
        heard = loudness(out.audio, out.sample_rate, out.fps, len(out.frames))[INSIDE]
        mouths[relation] = darkness(out.frames)[INSIDE]
        assert corr(mouths[relation], heard) > 0.6
    own = loudness(made[f"{kind} self"].take.audio, 16000, 25.0, 40)[INSIDE]
    assert corr(mouths["partner"], own) < corr(mouths["self"], own) - 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_the_track_agrees_with_the_pixels(made: dict[str, Outcome], kind: str) -> None:
    out = made[f"{kind} partner"].take
    assert out.track is not None
    assert corr(darkness(out.frames)[INSIDE], opening(out.track, 1.0)[INSIDE]) > 0.9
    for index in range(5, 31):
        points = out.track.points[index] * SIZE
        weight = blue(out.frames[index : index + 1])[0]
        eyes = points[36:48]
        weight[: int(eyes[:, 1].min()) - 4] = 0
        if FaceState.of(points[None]).eyes[0] < 0.09:  # in a blink
            continue
        np.testing.assert_allclose(centroid(weight), eyes.mean(axis=0), atol=1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_sound_labels_masks_and_segments(made: dict[str, Outcome], kind: str, take: Take, donor: Take) -> None:
    own, cross = made[f"{kind} self"], made[f"{kind} partner"]
    for out in (own, cross):
        assert out.labels == Labels(1, 0, 1, 0, None) and out.face_id is None
        assert out.take.frames.shape == take.frames.shape and out.take.audio.shape == take.audio.shape
        assert out.masks is not None and (out.masks[INSIDE] == 255).all() and not out.masks[:5].any()
        assert [(one.start, one.end, str(one.modality)) for one in out.segments] == [(0.0, take.duration, "video")]
    assert np.array_equal(own.take.audio, take.audio) and own.voice_id is None
    assert cross.voice_id == "donor-voice"
    assert speech_level(cross.take.audio, 16000) == pytest.approx(speech_level(take.audio, 16000), rel=0.1)
    assert corr(cross.take.audio, donor.audio[: len(take.audio)]) > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_the_head_moves_like_the_take_and_noise_is_fresh(made: dict[str, Outcome], kind: str, take: Take) -> None:
    out = made[f"{kind} partner"].take
    assert out.track is not None and take.track is not None
    origin, own = (FaceState.of(one.points[INSIDE] * SIZE).origin for one in (out.track, take.track))
    assert 0.3 < origin.std(axis=0).mean() / own.std(axis=0).mean() < 1.7
    assert not np.allclose(origin, own, atol=0.5)
    corner = np.s_[5:31, :20, :20]  # nothing moves there but noise
    levels = [np.diff(frames[corner].astype(float), axis=0).std() for frames in (take.frames, out.frames)]
    assert levels[1] == pytest.approx(levels[0], rel=0.15)
    edges = np.concatenate(
        [out.frames[INSIDE][:, [0, -1]].reshape(-1, 3), out.frames[INSIDE][:, :, [0, -1]].reshape(-1, 3)]
    )
    assert edges.min() > 60  # no black border


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_job_gives_the_same_and_another_seed_another(kind: str, made: dict[str, Outcome], take: Take,
                                                              donor: Take) -> None:  # fmt: skip
    again = forge(kind, take, donor)
    assert np.array_equal(again.take.frames, made[f"{kind} partner"].take.frames)
    other = forge(kind, take, donor, seed=1)
    assert other.take.track is not None and again.take.track is not None
    assert np.abs(other.take.track.points - again.take.track.points)[INSIDE].max() * SIZE > 1


def test_the_still_is_closed_open_eyed_and_inside_the_clip(take: Take) -> None:
    assert take.track is not None
    pixels = take.track.points * SIZE
    state = FaceState.of(pixels)
    shut = pixels.copy()
    calm = choose_still(pixels, take.track.found, range(5, 31))
    assert 5 <= calm <= 30 and state.opening[calm] < np.percentile(state.opening[INSIDE], 40)
    for up, low in ((37, 41), (38, 40), (43, 47), (44, 46)):
        shut[calm, up] = shut[calm, low]
    assert choose_still(shut, take.track.found, range(5, 31)) != calm
    lost = take.track.found.copy()
    lost[calm] = False
    assert choose_still(pixels, lost, range(5, 31)) != calm


def test_stored_mouths_come_from_other_moments(take: Take, donor: Take) -> None:
    assert take.track is not None
    for lender, relation in ((take, "self"), (donor, "partner")):
        stage = Stage.of(job_for("video/still_bank", take, lender, relation), "video/still_bank")
        bank = MouthBank(stage)
        path = bank.path()[INSIDE]
        assert np.abs(path - np.arange(5, 31)).min() >= 3 and len(set(path.tolist())) > 8
        own = FaceState.of(stage.pixels).opening
        assert corr(own[path], stage.openings[INSIDE]) > 0.9
        # what is laid on the still is that frame's mouth, and nothing above the nose
        chosen = int(path[own[path].argmax()])
        picture, points = bank.laid(chosen)
        assert FaceState.of(points[None]).opening[0] == pytest.approx(own[chosen], abs=0.01)
        assert darkness(picture[None])[0] == pytest.approx(darkness(take.frames[chosen][None])[0], rel=0.25)
        upper = slice(0, int(points[30, 1]))
        assert np.array_equal(picture[upper], stage.picture[upper])


@pytest.mark.parametrize("kind", KINDS)
def test_the_sham_looks_like_the_take_and_was_resampled(kind: str, take: Take, donor: Take) -> None:
    out = shams(kind, take, donor)
    assert out.labels == REAL and out.masks is None and not out.segments and take.track is not None
    assert out.take.audio is take.audio and out.take.track is not None
    assert np.abs(out.take.track.points - take.track.points).max() * SIZE < 0.8
    assert (out.take.frames[INSIDE] != take.frames[INSIDE]).mean() > 0.3
    assert corr(darkness(out.take.frames)[INSIDE], darkness(take.frames)[INSIDE]) > 0.98
    corner = np.s_[5:31, :20, :20]
    levels = [np.diff(frames[corner].astype(float), axis=0).std() for frames in (take.frames, out.take.frames)]
    assert levels[1] == pytest.approx(levels[0], rel=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused(kind: str, take: Take, donor: Take) -> None:
    def sounding(audio: np.ndarray) -> Take:
        return Take(donor.frames, donor.fps, audio.astype(np.float32), donor.sample_rate, donor.track)

    assert take.track is not None
    still = with_track(take, np.repeat(take.track.points[:1], len(take.track.points), axis=0))
    broken = donor.audio.copy()
    broken[5000] = np.nan
    cases: list[tuple[Any, Any, set[str]]] = [
        (with_track(take, None), donor, {"face_not_found"}), (take, None, {"input_unsupported"}),
        (still, donor, {"input_unsupported"}), (take, sounding(np.zeros(40000)), {"audio_invalid"}),
        (take, sounding(donor.audio[:9000]), {"input_unsupported"}), (take, sounding(broken), {"audio_invalid"}),
    ]  # fmt: skip
    for target, lender, codes in cases:
        with pytest.raises(JobError) as caught:
            forge(kind, target, lender)
        assert caught.value.code in codes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shift", [(-0.45, 0.1), (0.3, 0.35)])
def test_faces_that_leave_the_picture_do_no_harm(
    kind: str, take: Take, donor: Take, shift: tuple[float, float]
) -> None:
    assert take.track is not None
    cut = with_track(take, take.track.points + np.array(shift, np.float32))
    assert forge(kind, cut, donor).take.frames.shape == take.frames.shape


@pytest.mark.slow
def test_lips_of_talkers_follow_the_driver() -> None:
    """On embedded talkers, whose voices and faces are known: the heard sound drives, the old one does not."""
    from generators.sources.talkers.source import TalkerSource, render_take

    source = TalkerSource({"cast": "a", "difficulty": 0.7, "seconds": 2.4})
    items = source.plan({"test": {"identities": 4, "clips": 1}}, seed=1).items
    takes = [render_take(item) for item in items]
    for kind in KINDS:
        heard, old = [], []
        for index, each in enumerate(takes):
            other = takes[(index + 1) % len(takes)]
            out = forge(kind, each, other).take
            assert out.track is not None
            lips = opening(out.track, 1.0)[INSIDE]
            heard.append(corr(lips, loudness(out.audio, 16000, 25.0, len(out.frames))[INSIDE]))
            old.append(corr(lips, loudness(each.audio, 16000, 25.0, len(out.frames))[INSIDE]))
        assert min(heard) > 0.5 and np.mean(heard) > np.mean(old) + 0.4


@pytest.mark.slow
@pytest.mark.face
@pytest.mark.parametrize("kind", [*KINDS, "video/face_swap"])
def test_a_face_tracker_finds_forged_real_faces_where_their_track_says(
    kind: str, tmp_path: Path, shared_clips: Path
) -> None:
    """On encoded pictures of two people: every frame has a face, and its points lie where the sidecar has them."""
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    from cmdfd.faces.backends import get_backend
    from cmdfd.media.decode import read_video
    from cmdfd.media.encode import EncoderSettings, encode_video, write_clip
    from generators.sources.ingest import IngestSettings, Span, ingest

    backend = get_backend()
    take, donor = (
        ingest(shared_clips / "video" / name, Span(0.0, 2.6), backend, IngestSettings(size=224))
        for name in ("grid_s1_01.mp4", "grid_c_01.mpg")
    )
    out = forge(kind, take, donor).take
    assert out.track is not None
    settings = EncoderSettings(crf=27)
    path = tmp_path / "clip.mp4"
    sound = out.audio[round(0.2 * 16000) : round(1.24 * 16000)]
    write_clip(path, encode_video(out.frames[INSIDE], 25.0, settings), 25.0, sound, 16000, settings)
    (seen,) = backend.track(read_video(path))
    assert seen.found.all() and len(seen.times) == 26
    apart = np.hypot(*np.moveaxis(seen.points - out.track.points[INSIDE], -1, 0))
    unit = np.hypot(*(out.track.points[INSIDE, 45] - out.track.points[INSIDE, 36]).T)
    assert (apart / unit[:, None]).mean() < 0.035
    assert corr(opening(seen, 1.0), opening(out.track, 1.0)[INSIDE]) > 0.7
