from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_face import forge, job_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_source import make_take

from cmdfd.clip import REAL, Labels, Modality
from cmdfd.errors import JobError
from generators.registry import make_generator
from generators.video.hold import _again

TAKE = make_take("hold", 3.6)
#: `forge` leaves half a second behind the clip, and 0.2 s before it.
CLIP = (0.2, 3.1)


@pytest.mark.parametrize("name", ["video/freeze", "video/loop"])
@given(seed=st.integers(0, 10_000), low=st.floats(0.1, 1.0), extra=st.floats(0.0, 1.0))
@settings(max_examples=20)
def test_the_segment_is_what_changed_to_the_frame(name: str, seed: int, low: float, extra: float) -> None:
    made = forge(name, TAKE, seed=seed, span=(low, low + extra))
    (segment,) = made.segments
    first, last = round(segment.start * 25), round(segment.end * 25)
    assert segment.modality == Modality.VIDEO and first / 25 == segment.start and last / 25 == segment.end
    differs = (made.take.frames != TAKE.frames).any(axis=(1, 2, 3))
    assert not differs[:first].any() and not differs[last:].any() and differs[first:last].all()
    assert CLIP[0] + 0.2 - 1e-9 <= segment.start and segment.end <= CLIP[1] - 0.2 + 1e-9
    assert low - 0.03 <= segment.end - segment.start <= low + extra + 0.03
    assert made.masks is not None
    assert (made.masks[first:last] == 255).all() and not made.masks[:first].any() and not made.masks[last:].any()
    sources = made.details["source_frames"]
    assert len(sources) == last - first and made.details["first_frame"] == first and max(sources) < first
    assert made.take.track is not None and TAKE.track is not None
    for index, other in zip(range(first, last), sources, strict=True):
        assert np.array_equal(made.take.frames[index], TAKE.frames[other])
        assert np.array_equal(made.take.track.points[index], TAKE.track.points[other])
    assert np.array_equal(made.take.track.points[:first], TAKE.track.points[:first])


@pytest.mark.parametrize("name", ["video/freeze", "video/loop"])
def test_sound_labels_and_chance(name: str) -> None:
    made = forge(name, TAKE, seed=1)
    assert made.take.audio is TAKE.audio and made.labels == Labels(1, 0, 1, 1, 0)
    assert np.array_equal(made.take.frames, forge(name, TAKE, seed=1).take.frames)
    starts = {forge(name, TAKE, seed=seed).segments[0].start for seed in range(12)}
    assert len(starts) > 4


def test_a_frozen_picture_is_one_picture() -> None:
    made = forge("video/freeze", TAKE)
    first, sources = made.details["first_frame"], made.details["source_frames"]
    assert set(sources) == {first - 1}
    still = made.take.frames[first - 1 : first + len(sources)]
    assert (still == still[0]).all() and (made.take.frames[first - 2] != still[0]).any()


def test_the_orders_of_a_loop() -> None:
    assert _again(10, 9, 4, True).tolist() == [8, 7, 6, 7, 8, 9, 8, 7, 6]
    assert _again(10, 9, 4, False).tolist() == [6, 7, 8, 9, 6, 7, 8, 9, 6]
    assert _again(10, 3, 2, True).tolist() == [8, 9, 8]


@given(st.integers(1, 60), st.integers(2, 20))
def test_a_loop_to_and_fro_never_jumps(n: int, period: int) -> None:
    shown = np.concatenate([[99], _again(100, n, period, True)])
    assert (np.abs(np.diff(shown)) == 1).all() and shown.min() >= 100 - period and shown.max() <= 99


def test_a_stretch_lies_over_speech_where_there_is_any() -> None:
    quiet = TAKE.audio.copy()
    quiet[: round(1.8 * 16000)] *= 0.001
    take = replace(TAKE, audio=quiet)
    ends = [forge("video/freeze", take, seed=seed, span=(0.4, 0.4)).segments[0].end for seed in range(20)]
    assert np.mean([end > 1.8 for end in ends]) >= 0.95


def test_a_sham_is_the_take() -> None:
    for name in ("video/freeze", "video/loop"):
        sham = make_generator(name).sham(job_of(name, TAKE))
        assert sham.take is TAKE and sham.labels == REAL and not sham.segments and sham.masks is None


def test_what_is_refused() -> None:
    still = replace(TAKE, frames=np.repeat(TAKE.frames[:1], len(TAKE.frames), axis=0))
    for name in ("video/freeze", "video/loop"):
        with pytest.raises(JobError) as caught:
            forge(name, still)
        assert caught.value.code == "output_identical"
        for span in ((0.0, 1.0), (1.0, 0.5), (2.7, 3.0), (-1.0, 1.0)):
            with pytest.raises(JobError, match="a span of") as caught:
                forge(name, TAKE, span=span)
            assert caught.value.code == "input_unsupported"
    with pytest.raises(JobError, match="two frames or longer"):
        forge("video/loop", TAKE, period=0.03)
    with pytest.raises(JobError, match="a span of"):  # the part that is played again must fit before it
        forge("video/loop", TAKE, period=2.5)


def test_a_take_without_a_face_can_be_held() -> None:
    made = forge("video/freeze", replace(TAKE, track=None))
    assert made.take.track is None and made.labels.label == 1
