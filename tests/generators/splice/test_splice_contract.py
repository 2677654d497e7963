"""What holds for every splice: the mask, the null splice, determinism, labels, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from splice_takes import SPLICES, busy, null, shares, splice, splice_job

from cmdfd.clip import REAL, Labels, Modality
from cmdfd.errors import JOB_CODES, JobError
from cmdfd.faces.tracks import FaceTrack
from generators.check import Checker, check_generator
from generators.generator import Take
from generators.registry import make_generator

WAYS: list[tuple[str, dict[str, Any]]] = [
    ("face", {}),
    ("face", {"blend": "poisson"}),
    ("face", {"region": "inner"}),
    ("mouth", {}),
    ("mouth", {"blend": "feather"}),
    ("object", {}),
    ("region", {}),
    ("region", {"blend": "feather"}),
    ("remove", {}),
    ("remove", {"method": "ns"}),
    ("remove", {"method": "clone"}),
    ("copy_move", {}),
    ("copy_move", {"blend": "feather", "flip": True}),
    ("temporal", {}),
    ("temporal", {"generator": "video/mouth_warp"}),
]
LABELS = {
    "face": Labels(1, 0, 1, 1, None), "mouth": Labels(1, 0, 1, 1, 0), "object": Labels(1, 0, 1, 0, 0),
    "region": Labels(1, 0, 1, 0, 0), "remove": Labels(1, 0, 1, 0, 0), "copy_move": Labels(1, 0, 1, 0, 0),
    "temporal": Labels(1, 0, 1, 0, 1),
}  # fmt: skip
TIMES: dict[str, Any] = {"seconds": (0.3, 0.5)}


@pytest.fixture(scope="module")
def take() -> Take:
    return busy("one")


@pytest.fixture(scope="module")
def donor() -> Take:
    return busy("two", skin=(165, 120, 100))


def short(op: str, params: dict[str, Any]) -> dict[str, Any]:
    """The clips of these tests have room for short stretches only."""
    return params | TIMES if op == "temporal" else params


@pytest.mark.parametrize(("op", "params"), WAYS, ids=[f"{op}-{'-'.join(map(str, p.values()))}" for op, p in WAYS])
def test_masks_hold_what_changed_and_null_splices_do_not(
    take: Take, donor: Take, op: str, params: dict[str, Any]
) -> None:
    params = short(op, params)
    made = splice(op, take, donor, **params)
    judged = shares(take.frames, made)
    assert judged.inside >= 0.99 and judged.differs >= 0.8 and judged.changed > 200
    assert made.masks is not None and made.take.audio is take.audio
    frames = np.flatnonzero(made.masks.any(axis=(1, 2)))
    (segment,) = made.segments
    assert segment.modality == Modality.VIDEO
    around = (frames[0] - round(segment.start * take.fps), round(segment.end * take.fps) - frames[-1] - 1)
    # the first and last step of a dissolve may be too faint to show
    assert set(around) <= ({0, 1} if op == "temporal" else {0})
    assert made.labels == (Labels(1, 0, 1, 1, 0) if params.get("generator") == "video/mouth_warp" else LABELS[op])
    if op != "temporal":  # which has a place of its own in time, and hard edges where the inner generator has them
        assert (frames[0], frames[-1]) == (5, 30) and np.unique(made.masks).size > 20
    # the null splice: the same place, but next to nothing of it
    bare = null(op, take, donor, **params)
    assert bare.labels == REAL and not bare.segments and bare.masks is None and bare.face_id is None
    changed = np.abs(bare.take.frames.astype(int) - take.frames)
    assert 0 < changed.sum() < 0.7 * np.abs(made.take.frames.astype(int) - take.frames).sum()
    assert bare.take.audio is take.audio and bare.take.track is take.track
    where = (changed > 0).any(axis=-1)
    if op == "temporal":  # the inner sham has its own region, in the same stretch
        first, end = made.details["frames"]
        assert not where[:first].any() and not where[end:].any() and where[first:end].any()
    else:
        assert not (where & (made.masks == 0)).any()


@pytest.mark.parametrize("op", sorted(SPLICES))
def test_the_same_job_gives_the_same_bytes_and_another_seed_another_place(take: Take, donor: Take, op: str) -> None:
    params = short(op, {})
    one, again = (splice(op, take, donor, seed=3, **params) for _ in range(2))
    assert np.array_equal(one.take.frames, again.take.frames) and np.array_equal(one.masks, again.masks)  # type: ignore[arg-type]
    assert one.segments == again.segments and one.details == again.details
    if op not in ("face", "mouth"):  # those lie where the face is
        assert not np.array_equal(one.take.frames, splice(op, take, donor, seed=5, **params).take.frames)


def test_the_face_is_the_donors_and_goes_on_with_its_own_movements(take: Take, donor: Take) -> None:
    made = splice("face", take, donor)
    assert made.face_id == "donor-face" and made.take.track is not None and take.track is not None
    start = round(made.details["donor_start"] * donor.fps)

    def gap(points: np.ndarray) -> np.ndarray:
        return np.asarray(points[:, 66, 1] - points[:, 62, 1])

    new, old = gap(made.take.track.points)[5:31], gap(take.track.points)[5:31]
    lent = gap(donor.track.points)[start : start + 26]  # type: ignore[union-attr]
    assert np.corrcoef(new, lent)[0, 1] > 0.95 > np.corrcoef(old, lent)[0, 1]
    assert np.array_equal(made.take.track.points[:, :17], take.track.points[:, :17])


@pytest.mark.slow
def test_contract_of_the_checker(take: Take, donor: Take) -> None:
    """The project's own checker, on takes of its own shape; the reach of the jobs is the checker's."""
    takes = [[take, busy("three")], [donor, busy("four")]]
    for op in SPLICES:
        results = check_generator(SPLICES[op], {}, [[longer(each) for each in person] for person in takes])
        # everything was tried and held; some need neither a face nor a donor, so nothing can be lacking
        skipped = {"what lacks is refused"} if op in ("object", "remove", "copy_move") else set()
        wanted = {name.replace("_", " "): "ok" for name in Checker.PROMISES} | dict.fromkeys(skipped, "skipped")
        assert {result.name: result.status for result in results} == wanted, (op, results)


def longer(take: Take) -> Take:
    """The take and the take backwards, long enough for the checker's clips."""
    assert take.track is not None
    frames = np.concatenate([take.frames, take.frames[::-1]])
    points = np.concatenate([take.track.points, take.track.points[::-1]])
    track = FaceTrack(np.arange(len(frames)) / take.fps, points, np.ones(len(frames), bool), "test")
    audio = np.concatenate([take.audio, take.audio[::-1]])
    return Take(frames, take.fps, audio, take.sample_rate, track)


def lost(take: Take, first: int, n: int) -> Take:
    """The take with a track that was lost for some frames."""
    assert take.track is not None
    found = take.track.found.copy()
    found[first : first + n] = False
    return replace(take, track=replace(take.track, found=found))


def cut(take: Take, n: int) -> Take:
    """The first frames of a take."""
    assert take.track is not None
    track = FaceTrack(take.track.times[:n], take.track.points[:n], take.track.found[:n], "test")
    return replace(take, frames=take.frames[:n], track=track)


def far(take: Take) -> Take:
    """The same recording with a face of a third of the size."""
    assert take.track is not None
    points = np.asarray(0.5 + (take.track.points - 0.5) / 3, np.float32)
    return replace(take, track=replace(take.track, points=points))


def turned(take: Take) -> Take:
    """The take with the tip of its nose beside its face."""
    assert take.track is not None
    points = take.track.points.copy()
    points[:, 27:36, 0] += 0.19
    return replace(take, track=replace(take.track, points=points))


@pytest.mark.parametrize("op", ["face", "mouth"])
def test_pastes_are_refused_by_name(take: Take, donor: Take, op: str) -> None:
    bad: list[tuple[Take, Take | None, str, str]] = [
        (replace(take, track=None), donor, "face_not_found", "take"),
        (take, replace(donor, track=None), "face_not_found", "donor"),
        (lost(take, 10, 9), donor, "face_not_found", "9 pictures"),
        (take, lost(donor, 15, 9), "face_not_found", "donor"),
        (take, None, "input_unsupported", "name a donor"),
        (take, take, "input_unsupported", "take itself"),
        (take, cut(donor, 12), "input_unsupported", "0.48 s"),
        (take, far(donor), "input_unsupported", "enlarged"),
        (turned(take), donor, "input_unsupported", "turned too"),
    ]
    for one, other, code, told in bad:
        for call in (splice, null):
            with pytest.raises(JobError, match=told) as caught:
                call(op, one, other)
            assert caught.value.code == code and caught.value.code in JOB_CODES
    made = splice(op, lost(take, 10, 4), donor)  # a blink of the tracker is bridged
    assert made.masks is not None and made.masks[11].any()


def test_a_clip_outside_the_take_and_wrong_parameters_are_refused(take: Take, donor: Take) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("face", {"blend": "soft"}, "blend: .*'feather'.*'soft'"),
        ("face", {"feather": 3.0}, "feather: .*0.4.*3.0"),
        ("object", {"size": [0.3, 0.2]}, "size: .*least to its greatest"),
        ("object", {"size": [0.01, 0.2]}, "size.*0.05"),
        ("object", {"draw": ["elephant"]}, "draw.*'badge'.*elephant"),
        ("object", {"cutout": "no/such/cup.png"}, "no file or folder 'cup.png'"),
        ("remove", {"method": "wish"}, "method: .*'telea'"),
        ("copy_move", {"scale": [0.1, 1.0]}, "scale.*0.5"),
        ("temporal", {"fade_frames": 40}, "fade_frames: .*12.*40"),
        ("temporal", {"generator": "video/face_swop"}, "did you mean 'video/face_swap'"),
        ("temporal", {"generator": "external/wav2lip"}, "in it"),
        ("temporal", {"generator": "sham", "seconds": [0.3, 0.4]}, "forges nothing"),
        ("temporal", {"generator": SPLICES["temporal"]}, "splice in itself"),
        ("temporal", {"generator_params": {"span": 1}}, "no parameter 'span'"),
        ("temporal", {"seconds": [5.0, 6.0]}, "room for"),
    ]
    for op, params, told in wrong:
        with pytest.raises(JobError, match=told) as caught:
            splice(op, take, donor, **params)
        assert caught.value.code == "input_unsupported"
    for op in SPLICES:
        job = replace(splice_job(op, take, donor, **short(op, {})), start=60.0)
        with pytest.raises(JobError):
            make_generator(SPLICES[op]).generate(job)
