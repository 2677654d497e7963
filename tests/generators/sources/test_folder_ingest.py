from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from folder_media import DotBackend, clip, tone
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.errors import MediaError
from cmdfd.media.encode import write_clip
from cmdfd.media.probe import AudioInfo, MediaInfo, VideoInfo
from cmdfd.media.settings import EncoderSettings
from generators.generator import Word
from generators.sources.ingest import IngestSettings, Span, cut, ingest, usable_span

FAST = EncoderSettings(preset="ultrafast", crf=16)


def written(path: Path, frames: np.ndarray, fps: float = 25.0, sound: np.ndarray | None = None) -> Path:
    write_clip(path, frames, fps, tone(len(frames) / fps) if sound is None else sound, 48000, FAST)
    return path


def video_info(start: float = 0.0, duration: float | None = 5.0) -> VideoInfo:
    return VideoInfo("h264", None, 320, 240, 0, 25.0, "yuv420p", duration, start, None, 1 / 12800, None, None)


def audio_info(start: float = 0.0, duration: float | None = 5.0) -> AudioInfo:
    return AudioInfo("aac", 48000, 2, duration, start, 1 / 48000, None, None)


def media(video: VideoInfo | None, audio: AudioInfo | None, duration: float | None = 5.0) -> MediaInfo:
    return MediaInfo("x.mp4", "mp4", None, duration, 1000, video, audio, {}, int(video is not None), 1)


# --- spans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("video", "audio", "duration", "start", "end"),
    [
        (video_info(), audio_info(), 5.0, 0.0, 5.0),
        (video_info(0.5, 4.0), audio_info(0.0, 4.2), 4.5, 0.5, 4.2),
        (video_info(0.0, None), audio_info(0.1, 3.0), 3.1, 0.1, 3.1),
        (video_info(1.0, None), audio_info(1.2, None), 3.0, 1.2, 4.0),
    ],
)
def test_usable_is_where_picture_and_sound_overlap(
    video: VideoInfo, audio: AudioInfo, duration: float, start: float, end: float
) -> None:
    span = usable_span(media(video, audio, duration))
    assert (span.start, span.end) == pytest.approx((start, end))


@pytest.mark.parametrize(
    ("video", "audio", "duration", "code"),
    [
        (None, audio_info(), 5.0, "no_video"),
        (video_info(), None, 5.0, "no_audio"),
        (video_info(0, 2.0), audio_info(3.0, 2.0), 5.0, "too_short"),
        (video_info(0, None), audio_info(0, None), None, "too_short"),
    ],
)
def test_what_has_no_overlap_is_refused(
    video: VideoInfo | None, audio: AudioInfo | None, duration: float | None, code: str
) -> None:
    with pytest.raises(MediaError) as caught:
        usable_span(media(video, audio, duration))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("usable", "lengths"),
    [
        (2.5, []),
        (2.6, [2.6]),
        (3.0, [3.0]),
        (3.79, [3.76]),
        (3.8, [3.8]),
        (7.59, [3.8]),
        (7.6, [3.8] * 2),
        (60, [3.8] * 4),
    ],
)
def test_takes_of_known_lengths(usable: float, lengths: list[float]) -> None:
    spans = cut(Span(1.5, usable), 3.8, 2.6, 4)
    assert [span.seconds for span in spans] == pytest.approx(lengths)
    assert [span.start for span in spans] == pytest.approx([1.5 + 3.8 * k for k in range(len(lengths))])


@given(
    start=st.floats(0, 100),
    usable=st.floats(0, 200),
    seconds=st.floats(0.4, 20),
    share=st.floats(0.1, 1),
    most=st.integers(1, 9),
)
def test_takes_never_overlap_nor_leave_the_stretch(
    start: float, usable: float, seconds: float, share: float, most: int
) -> None:
    spans = cut(Span(start, usable), seconds, seconds * share, most)
    assert len(spans) <= most
    for left, right in pairwise(spans):
        assert left.end == pytest.approx(right.start)
    for span in spans:
        assert span.seconds * 25 == pytest.approx(round(span.seconds * 25))
        assert start - 1e-6 <= span.start
        assert span.end <= start + usable + 2e-5
        assert span.seconds <= seconds + 1e-6


# --- one take --------------------------------------------------------------------------------------------------------


def eyes_of(take: object) -> np.ndarray:
    """[T, 2, 2] of the spots in the take's own picture, in pixels, found anew."""
    video = type("V", (), {"frames": take.frames, "times": np.arange(len(take.frames)) / 25})  # type: ignore[attr-defined]
    (track,) = DotBackend().track(video)
    return track.points[:, [36, 45]] * take.frames.shape[2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("fps", [15.0, 22.131, 25.0, 29.97, 60.0])
def test_any_rate_becomes_25_and_the_track_belongs_to_the_picture(tmp_path: Path, fps: float) -> None:
    path = written(tmp_path / "a.mp4", clip(3.2, fps, drift=12), fps)
    take = ingest(path, Span(0.0, 3.0), DotBackend(), IngestSettings(size=128))
    assert take.frames.shape == (75, 128, 128, 3)
    assert (take.fps, take.sample_rate, len(take.audio)) == (25.0, 16000, 48000)
    assert take.track is not None
    assert take.track.found.all()
    np.testing.assert_allclose(take.track.times, np.arange(75) / 25)
    np.testing.assert_allclose(take.track.points[:, [36, 45]] * 128, eyes_of(take), atol=1.2)


def test_the_face_stands_where_the_rule_says(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", clip(3.0))
    take = ingest(path, Span(0.0, 3.0), DotBackend(), IngestSettings(size=256))
    left, right = np.median(eyes_of(take), axis=0)
    # side = 1.7 * 1.94 d; middle of the eyes above the centre by (.35 - .05 * 1.7 * .97) d
    assert right[0] - left[0] == pytest.approx(256 / (1.7 * 1.94), rel=0.03)
    assert (left[0] + right[0]) / 2 == pytest.approx(128, abs=1.5)
    assert 128 - left[1] == pytest.approx((0.35 - 0.05 * 1.7 * 0.97) * 256 / (1.7 * 1.94), abs=1.5)


def test_the_camera_stands_still_inside_a_take(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", clip(3.0, drift=20))
    take = ingest(path, Span(0.0, 3.0), DotBackend(), IngestSettings())
    moved = eyes_of(take).mean(axis=1)[:, 0]
    scale = 256 / (1.7 * 1.94 * 0.4 * 110)
    assert moved[-1] - moved[0] == pytest.approx(20 * 2.96 * scale, rel=0.1)


def test_later_takes_show_the_later_part(tmp_path: Path) -> None:
    sound = tone(6.0)
    sound[: 3 * 48000] *= 0.1
    path = written(tmp_path / "a.mp4", clip(6.0, drift=10), sound=sound)
    backend = DotBackend()
    first = ingest(path, Span(0.0, 2.8), backend, IngestSettings())
    second = ingest(path, Span(3.2, 2.8), backend, IngestSettings())
    assert np.abs(first.audio).max() < 0.05 < 0.2 < np.abs(second.audio).max()
    assert not np.array_equal(first.frames[0], second.frames[0])
    assert len(backend.seen) == 2  # once for each take


def test_faces_are_sought_in_a_small_copy_of_a_large_picture(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", clip(1.0, width=720, height=1280, size=300))
    backend = DotBackend()
    take = ingest(path, Span(0.0, 1.0), backend, IngestSettings(min_seconds=1.0))
    assert backend.seen == [(25, 640, 360, 3)]
    assert take.track is not None
    np.testing.assert_allclose(take.track.points[:, [36, 45]] * 256, eyes_of(take), atol=1.5)


def test_a_face_at_the_edge_is_cut_with_a_repeated_border(tmp_path: Path) -> None:
    frames = clip(1.0, width=200, height=160, size=110)
    path = written(tmp_path / "a.mp4", frames)
    take = ingest(path, Span(0.0, 1.0), DotBackend(), IngestSettings(min_seconds=1.0))
    # the square is 145 pixels high and begins about 9 pixels above the picture
    assert np.abs(take.frames[:, 0].astype(int) - take.frames[:, 8]).max() <= 12
    np.testing.assert_allclose(take.track.points[:, [36, 45]] * 256, eyes_of(take), atol=1.5)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"faces": 0}, "no_face"),
        ({"hidden": 0.3}, "no_face"),
        ({"faces": 2, "size": 90}, "many_faces"),
        ({"size": 35}, "no_face"),
    ],
)
def test_unfit_pictures_are_refused(tmp_path: Path, options: dict, code: str) -> None:
    path = written(tmp_path / "secret name.mp4", clip(1.0, **options))
    with pytest.raises(MediaError) as caught:
        ingest(path, Span(0.0, 1.0), DotBackend(), IngestSettings(min_seconds=1.0))
    assert caught.value.code == code
    assert str(tmp_path) not in str(caught.value)


def test_the_largest_of_two_is_kept_on_request(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", clip(1.0, faces=2, size=90))
    take = ingest(path, Span(0.0, 1.0), DotBackend(), IngestSettings(min_seconds=1.0, rule="largest"))
    assert len(take.frames) == 25


def test_a_header_that_promises_too_much_gives_a_shorter_take_or_a_refusal(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", clip(3.0), sound=tone(2.7))
    take = ingest(path, Span(0.0, 3.0), DotBackend(), IngestSettings())
    assert len(take.frames) == 67  # 2.7 s of sound, in whole frames
    assert len(take.audio) == 42880
    assert np.abs(take.audio[-1600:]).max() > 0.1  # nothing was padded
    with pytest.raises(MediaError, match="too_short"):
        ingest(path, Span(0.0, 3.0), DotBackend(), replace(IngestSettings(), min_seconds=2.8))
    with pytest.raises(MediaError, match="too_short"):
        ingest(path, Span(30.0, 3.0), DotBackend(), IngestSettings())


def test_a_sound_that_begins_late_makes_the_take_begin_late(tmp_path: Path) -> None:
    from cmdfd.media import decode

    path = written(tmp_path / "a.mp4", clip(3.0, drift=30))
    read = decode.read_audio

    def late(*args: object, **options: object) -> decode.Audio:
        whole = read(*args, **options)  # type: ignore[arg-type]
        return decode.Audio(whole.samples[: 2 * 16000], 16000, 0.5)

    early = ingest(path, Span(0.0, 3.0), DotBackend(), IngestSettings(min_seconds=1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "read_audio", late)
        words = (Word("one", 0.1, 0.4), Word("two", 1.8, 2.4))
        take = ingest(path, Span(0.0, 3.0), DotBackend(), IngestSettings(min_seconds=1.0), words)
    assert early.speech is None and take.speech is not None
    assert take.speech.words == (Word("one", 0.1, 0.4), Word("two", 1.8, 2.0))  # words count from the sound's start
    assert len(take.frames) == 50  # from .5 to 2.5 s
    assert np.abs(take.audio[:800]).max() > 0.2  # no silence in front
    moved = np.diff(eyes_of(take).mean(axis=(1, 2)))
    assert moved.mean() == pytest.approx(np.diff(eyes_of(early).mean(axis=(1, 2))).mean(), rel=0.2)


def test_sound_stays_in_step_with_the_picture(tmp_path: Path) -> None:
    frames, sound = clip(3.0, 30.0), tone(3.0) * 0.01
    flash = 45  # 1.5 s: eyes jump down and a click sounds
    frames[flash:] = np.roll(frames[flash:], 12, axis=1)
    sound[round(1.5 * 48000) : round(1.5 * 48000) + 480] = 0.9
    path = written(tmp_path / "a.mp4", frames, 30.0, sound)
    take = ingest(path, Span(0.4, 2.6), DotBackend(), IngestSettings())
    y = take.track.points[:, 36, 1]  # type: ignore[union-attr]
    seen = np.argmax(np.diff(y)) + 1
    heard = np.argmax(np.abs(take.audio) > 0.3) / 16000
    assert heard == pytest.approx(1.1, abs=0.01)
    assert seen / 25 == pytest.approx(1.1, abs=0.021)


def test_a_take_is_a_pure_function_of_its_input(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", clip(1.2, 29.97), 29.97)
    one, two = (ingest(path, Span(0.1, 1.0), DotBackend(), IngestSettings(min_seconds=1.0)) for _ in range(2))
    assert one.frames.tobytes() == two.frames.tobytes()
    assert one.audio.tobytes() == two.audio.tobytes()
    assert one.track.points.tobytes() == two.track.points.tobytes()  # type: ignore[union-attr]


def test_files_from_other_muxers_work(tmp_path: Path) -> None:
    """MPEG-1 with MP2 in a program stream: times begin at half a second and no header tells the length."""
    path = tmp_path / "a.mpg"
    frames = clip(3.0)
    with av.open(str(path), "w", format="mpeg") as out:
        picture = out.add_stream("mpeg1video", rate=25, width=320, height=240, pix_fmt="yuv420p", bit_rate=3_000_000)
        sound = out.add_stream("mp2", rate=48000, layout="mono")
        for image in frames:
            out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(picture.encode(None))
        block = av.AudioFrame.from_ndarray((tone(3.0) * 32767).astype(np.int16)[None], format="s16", layout="mono")
        block.sample_rate = 48000
        out.mux(sound.encode(block))
        out.mux(sound.encode(None))
    from cmdfd.media.probe import probe

    usable = usable_span(probe(path))
    assert usable.start > 0.1
    (span,) = cut(usable, 3.8, 2.6, 4)
    take = ingest(path, span, DotBackend(), IngestSettings())
    assert 68 <= len(take.frames) <= 75
    assert np.abs(take.audio).max() > 0.2
