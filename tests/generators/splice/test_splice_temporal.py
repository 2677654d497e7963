"""The temporal splice: what lies in the stretch, what lies outside, and how the joints sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_takes import forge
from splice_takes import SPLICES, busy, null, shares, splice

from cmdfd.clip import Labels, Modality
from cmdfd.errors import JobError
from generators.generator import Take

TAKE, DONOR = busy("one"), busy("two", skin=(165, 120, 100))


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.floats(0.2, 0.5), st.integers(0, 3))
def test_outside_of_the_stretch_everything_is_the_takes(seed: int, seconds: float, fade: int) -> None:
    how = {"seed": seed, "seconds": [seconds, seconds], "fade_frames": fade, "generator": "splice_takes:Inverted"}
    made = splice("temporal", TAKE, DONOR, **how)
    first, end = made.details["frames"]
    sight, sound = sorted(made.segments, key=lambda one: one.modality, reverse=True)
    assert (sight.start, sight.end, sight.modality) == (first / TAKE.fps, end / TAKE.fps, Modality.VIDEO)
    assert 0.4 <= sight.start < sight.end <= 1.0 + 1e-9  # inside the clip's margins
    assert abs((end - first) / TAKE.fps - seconds) <= 0.5 / TAKE.fps + 1e-9 or end - first == 2 * fade + 1
    assert sound.modality == Modality.AUDIO and abs(sound.start - sight.start) < 0.03 > abs(sound.end - sight.end)
    # the known answer: a weight for each frame, the same at both ends
    ramp = [(step + 1) / (fade + 1) for step in range(fade)]
    weights = np.zeros(len(TAKE.frames))
    weights[first:end] = [*ramp, *[1.0] * (end - first - 2 * fade), *ramp[::-1]]
    wanted = TAKE.frames + weights[:, None, None, None] * (255.0 - 2.0 * TAKE.frames)
    assert np.abs(made.take.frames - wanted).max() <= 1.01
    assert made.masks is not None
    assert np.array_equal(made.masks.max(axis=(1, 2)), np.rint(255 * weights).astype(np.uint8))
    assert shares(TAKE.frames, made).inside == 1.0
    head, tail = made.details["samples"]
    assert np.array_equal(made.take.audio[:head], TAKE.audio[:head])
    assert np.array_equal(made.take.audio[tail:], TAKE.audio[tail:])
    assert np.array_equal(made.take.audio[head + 240 : tail - 240], -TAKE.audio[head + 240 : tail - 240])


def test_sound_is_joined_at_quiet_places_without_a_step() -> None:
    found = []
    for seed in range(6):
        made = splice("temporal", TAKE, DONOR, seed=seed, generator="audio/swap", seconds=[0.3, 0.5])
        (segment,) = made.segments
        assert segment.modality == Modality.AUDIO and made.masks is None and made.take.frames is TAKE.frames
        head, tail = made.details["samples"]
        assert (segment.start, segment.end) == (head / 16000, tail / 16000)
        assert np.array_equal(made.take.audio[:head], TAKE.audio[:head])
        assert np.array_equal(made.take.audio[tail:], TAKE.audio[tail:])
        assert not np.array_equal(made.take.audio[head:tail], TAKE.audio[head:tail])
        whole = np.asarray(forge("audio/swap", TAKE, DONOR).take.audio)
        core = slice(head + 240, tail - 240)  # behind the cross-fades of 15 ms
        np.testing.assert_array_equal(made.take.audio[core], whole[core])
        steps = np.abs(np.diff(made.take.audio))
        joints = max(steps[head - 8 : head + 8].max(), steps[tail - 9 : tail + 8].max())
        assert joints <= 1.2 * max(np.abs(np.diff(TAKE.audio)).max(), np.abs(np.diff(whole)).max())
        found += [level(head + 120), level(tail - 120)]
    places = [level(at) for at in range(6400, 16000, 160)]
    assert np.mean(found) < np.mean(places)


def level(sample: int) -> float:
    return float(np.sqrt(np.square(TAKE.audio[sample - 160 : sample + 160]).mean()))


def test_two_streams_have_two_segments() -> None:
    made = splice("temporal", TAKE, DONOR, generator="video/lip_warp", seconds=[0.4, 0.5])
    assert {segment.modality for segment in made.segments} == {Modality.AUDIO, Modality.VIDEO}
    assert made.variant == "video/lip_warp" and made.face_id is None and made.voice_id is None
    assert abs(made.segments[0].start - made.segments[1].start) < 0.04
    assert made.labels == Labels(1, 1, 1, 0, 1)  # the inner generator's sound and lips fit, the voice is a partner's


@pytest.mark.parametrize(
    ("inner", "relation", "labels", "streams"),
    [
        ("audio/swap", "partner", Labels(1, 1, 0, 1, 1), {Modality.AUDIO}),
        ("audio/swap", "same", Labels(1, 1, 0, 1, 0), {Modality.AUDIO}),
        ("audio/swap", "", Labels(1, 1, 0, 1, None), {Modality.AUDIO}),  # nobody says who the donor is
        ("audio/desync", "partner", Labels(1, 1, 0, 1, 0), {Modality.AUDIO}),
        ("splice_takes:Inverted", "partner", Labels(1, 1, 1, 0, 0), {Modality.AUDIO, Modality.VIDEO}),
        ("splice_takes:HeardOnly", "partner", Labels(1, 1, 0, 0, 0), {Modality.AUDIO}),
        ("video/mouth_warp", "partner", Labels(1, 0, 1, 1, 0), {Modality.VIDEO}),
        ("video/face_swap", "partner", Labels(1, 0, 1, 0, 1), {Modality.VIDEO}),
        (SPLICES["face"], "same", Labels(1, 0, 1, 1, 0), {Modality.VIDEO}),
    ],
)
def test_labels_tell_which_streams_were_joined(
    inner: str, relation: str, labels: Labels, streams: set[Modality]
) -> None:
    made = splice("temporal", TAKE, DONOR, relation=relation, generator=inner, seconds=[0.4, 0.5])
    assert made.labels == labels and {one.modality for one in made.segments} == streams
    # a voice or a face that is there for a moment does not replace the clip's
    assert made.voice_id is None and made.face_id is None


def test_any_splice_can_be_spliced_in_time() -> None:
    for inner in ("mouth", "copy_move"):
        made = splice("temporal", TAKE, DONOR, generator=SPLICES[inner], seconds=[0.4, 0.5])
        judged = shares(TAKE.frames, made)
        assert judged.inside >= 0.99 and judged.differs >= 0.8


def test_the_null_splice_lies_in_the_same_place() -> None:
    how = {"seed": 11, "seconds": [0.3, 0.5]}
    made, bare = splice("temporal", TAKE, DONOR, **how), null("temporal", TAKE, DONOR, **how)
    assert bare.details["null_frames"] == made.details["frames"]
    first, end = made.details["frames"]
    same = (bare.take.frames == TAKE.frames).all(axis=(1, 2, 3))
    assert same[:first].all() and same[end:].all() and not same[first + 2 : end - 2].any()


def test_what_the_inner_generator_refuses_is_refused() -> None:
    faceless = Take(TAKE.frames, TAKE.fps, TAKE.audio, TAKE.sample_rate)
    for take, params, code in (
        (faceless, {}, "face_not_found"),
        (TAKE, {"generator": "audio/revoice"}, "input_unsupported"),  # nobody knows the words
        (TAKE, {"generator": "video/freeze", "generator_params": {"span": [3.0, 4.0]}}, "input_unsupported"),
    ):
        with pytest.raises(JobError) as caught:
            splice("temporal", take, DONOR, seconds=[0.3, 0.4], **params)
        assert caught.value.code == code and caught.value.generator == "splice/temporal"
    with pytest.raises(JobError, match="name a donor"):
        splice("temporal", TAKE, None, seconds=[0.3, 0.4])
