"""`measure_file` on media written here, with planted traits, and `measure_take` beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from cmdfd.audit.cue import Cue
from cmdfd.audit.measure import (
    CATALOGUE,
    CONTAINER_CUES,
    FULL_CUES,
    HEADER_CUES,
    RATE_CUES,
    SOUND_CUES,
    measure_file,
    measure_take,
)
from cmdfd.audit.reading import Depth
from cmdfd.errors import MediaError
from cmdfd.media.encode import write_clip
from cmdfd.media.settings import EncoderSettings

SR, FPS = 16000, 25.0
SETTINGS = EncoderSettings()
FLAC = replace(SETTINGS, container="matroska", audio_codec="flac", audio_bit_rate=None)
PCM = replace(SETTINGS, container="matroska", audio_codec="pcm_s16le", audio_bit_rate=None)


def picture(n: int = 30, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 255, (1, 64, 96, 3), dtype=np.uint8)
    return np.concatenate([np.roll(base, k, axis=2) for k in range(n)])


def sound(seconds: float = 1.2, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).normal(size=round(seconds * SR))).astype(np.float32)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("measure") / "plain.mp4"
    write_clip(path, picture(), FPS, sound(), SR, SETTINGS)
    return path


@pytest.mark.parametrize("depth", ["headers", "sound", "full"])
def test_every_cue_of_a_depth_is_there_and_of_its_type(plain: Path, depth: Depth) -> None:
    found = measure_file(plain, depth=depth)
    assert tuple(found) == {"headers": HEADER_CUES, "sound": SOUND_CUES, "full": FULL_CUES}[depth]
    for name, value in found.items():
        if value is None:  # e.g. no bandwidth over 8 kHz, and no face
            assert name not in HEADER_CUES and name not in SOUND_CUES, name
            continue
        assert isinstance(value, str) == (CATALOGUE[name].categorical or CATALOGUE[name].tokenised), name
        assert isinstance(value, str) or math.isfinite(value), name
    for family in {name.split(".")[0] for name in found} - {"face"}:
        values = [value for name, value in found.items() if name.startswith(f"{family}.")]
        assert sum(value is not None for value in values) > 0.7 * len(values), family


def test_the_cues_that_published_figures_hang_on_stay() -> None:
    """README's figures of `floor:container` and `floor:rate`, and every built set, rest on exactly these."""
    assert " ".join(CONTAINER_CUES) == (
        "container.format container.brands container.boxes container.edits container.streams container.video_codec "
        "container.audio_codec container.pix_fmt container.colour container.sample_rate container.channels "
        "container.tag_names container.encoder container.signature container.time_bases container.gop "
        "container.reordered container.priming time.video_duration time.audio_duration time.av_gap time.video_span "
        "time.audio_span time.start_difference time.n_frames time.n_samples time.fps time.frame_jitter "
        "time.samples_mod_1024_at_16000 time.samples_mod_1024_at_22050 time.samples_mod_1024_at_44100 "
        "time.samples_mod_1024_at_48000 time.samples_mod_960_at_48000 geometry.width geometry.height "
        "geometry.sample_aspect geometry.turn level.rms level.peak level.crest level.lufs level.dc level.clipped "
        "silence.lead_5e-4 silence.lead_60dbfs silence.lead_40db_speech silence.trail_5e-4 silence.trail_60dbfs "
        "silence.trail_40db_speech silence.avh_lead silence.avh_trim silence.onset_10ms silence.onset_20ms "
        "silence.onset_30ms silence.onset_50ms silence.zero_lead silence.zero_trail silence.zero_share "
        "silence.pause_share"
    )
    assert " ".join(RATE_CUES) == (
        "rate.file_size rate.bytes_per_second rate.video rate.audio rate.key_frame rate.frame rate.frame_spread"
    )


def test_the_catalogue_is_complete_in_words() -> None:
    for name, cue in CATALOGUE.items():
        assert isinstance(cue, Cue)
        assert name.count(".") == 1
        assert cue.kind in ("leak", "nuisance", "debatable")
        assert all((cue.title, cue.unit, cue.rule, cue.remedy, cue.source))
        assert not cue.remedy.endswith(".")
    assert set(RATE_CUES) | set(CONTAINER_CUES) == set(SOUND_CUES)
    assert set(HEADER_CUES) | set(SOUND_CUES) < set(FULL_CUES) == set(CATALOGUE)
    assert not set(RATE_CUES) & set(CONTAINER_CUES)
    assert all(CATALOGUE[name].kind == "debatable" for name in RATE_CUES)


def test_facts_of_a_harmonised_file(plain: Path) -> None:
    found = measure_file(plain)
    assert found["time.n_frames"] == 30.0
    assert found["time.n_samples"] == 19200.0
    assert found["time.av_gap"] == 0.0
    assert found["time.start_difference"] == 0.0
    assert found["time.fps"] == 25.0
    assert found["time.frame_jitter"] == 0.0
    assert found["time.samples_mod_1024_at_16000"] == 19200 % 1024
    assert found["time.samples_mod_1024_at_44100"] == 52920 % 1024
    assert found["container.format"] == "mov,mp4,m4a,3gp,3g2,mj2"
    assert found["container.streams"] == "va"
    assert found["container.gop"] == 25.0
    assert found["container.priming"] == -1024.0
    assert found["container.signature"] == "none"
    assert (found["geometry.width"], found["geometry.height"]) == (96.0, 64.0)
    assert found["rate.file_size"] == plain.stat().st_size


def test_measuring_twice_and_under_another_name_gives_the_same(plain: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another name: 100%.mp4"
    copy.write_bytes(plain.read_bytes())
    assert measure_file(copy) == measure_file(plain)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_picture_that_ends_early_shows_in_the_gap(tmp_path: Path, missing: int) -> None:
    # Wav2Lip leaves out one or two frames at the end
    path = tmp_path / "short.mp4"
    write_clip(path, picture(30 - missing), FPS, sound(), SR, SETTINGS)
    found = measure_file(path)
    assert found["time.av_gap"] == pytest.approx(40.0 * missing, abs=0.1)
    assert found["time.n_frames"] == 30 - missing


def test_planted_silence_is_found_through_the_codec(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    samples = sound()
    samples[:4000] = 0
    write_clip(path, picture(), FPS, samples, SR, SETTINGS)
    found = measure_file(path)
    assert found["silence.avh_lead"] == pytest.approx(0.25, abs=0.07)  # the codec smears by up to a frame of 64 ms
    assert found["silence.avh_trim"] in (5.0, 6.0, 7.0)
    path = tmp_path / "exact.mkv"
    write_clip(
        path,
        picture(),
        FPS,
        samples,
        SR,
        replace(SETTINGS, container="matroska", audio_codec="flac", audio_bit_rate=None),
    )
    assert measure_file(path)["silence.avh_lead"] == pytest.approx(0.25, abs=2 / SR)


def test_quality_moves_rate_cues_and_nothing_else(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "coarse.mp4"
    write_clip(path, picture(), FPS, sound(), SR, replace(SETTINGS, crf=40))
    fine, coarse = measure_file(plain), measure_file(path)
    assert coarse["rate.video"] < 0.7 * fine["rate.video"]  # type: ignore[operator]
    assert {name for name in SOUND_CUES if fine[name] != coarse[name]} <= set(RATE_CUES)


def test_another_encoder_shows_in_container_cues(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "other.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as output:
        audio = output.add_stream("aac", rate=44100, layout="stereo")
        video = output.add_stream("mpeg4", rate=30)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        output.metadata["title"] = "made by a generator"
        for image in picture(12):
            output.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(video.encode(None))
        for k in range(18):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44100, 1024 * k
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    found, usual = measure_file(path), measure_file(plain)
    assert found["container.streams"] == "av"
    assert str(found["container.video_codec"]).startswith("mpeg4/")
    assert found["container.channels"] == "stereo"
    assert "title" in str(found["container.tag_names"])
    assert "Lav" in str(found["container.encoder"])
    assert "Lav" not in str(usual["container.encoder"])
    for name in ("container.tag_names", "container.encoder", "container.time_bases", "time.fps"):
        assert found[name] != usual[name], name


def test_x264_signature_is_read_without_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "signed.mp4"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for image in picture(5):
            output.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(video.encode(None))
    signature = str(measure_file(path)["container.signature"])
    assert signature.startswith("x264 - core")
    assert "crf" not in signature


def test_missing_streams_are_none(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    write_clip(silent, picture(), FPS, None, SR, SETTINGS)
    found = measure_file(silent)
    for name in ("time.av_gap", "time.n_samples", "level.rms", "silence.avh_lead", "container.audio_codec"):
        assert found[name] is None
    assert found["time.n_frames"] == 30.0
    assert found["container.streams"] == "v"


def test_unreadable_files_name_their_reason(tmp_path: Path, plain: Path) -> None:
    with pytest.raises(MediaError, match="missing"):
        measure_file(tmp_path / "nowhere.mp4")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no media at all" * 50)
    with pytest.raises(MediaError, match="not_media"):
        measure_file(broken)


def test_a_take_in_memory_has_the_names_of_a_file(tmp_path: Path) -> None:
    frames, samples = picture(), sound()
    take = measure_take(frames.shape, FPS, samples, SR)
    assert set(take) <= set(CATALOGUE)
    path = tmp_path / "exact.mkv"
    write_clip(
        path,
        frames,
        FPS,
        samples,
        SR,
        replace(SETTINGS, container="matroska", audio_codec="pcm_s16le", audio_bit_rate=None),
    )
    written = measure_file(path)
    for name in (
        "time.video_duration",
        "time.n_frames",
        "time.n_samples",
        "time.av_gap",
        "geometry.width",
        "geometry.height",
    ):
        assert take[name] == written[name], name
    for name in ("level.rms", "level.lufs", "level.peak", "silence.pause_share"):
        assert take[name] == pytest.approx(written[name], abs=0.01), name


def test_a_take_without_sound_and_bad_shapes() -> None:
    take = measure_take((30, 64, 96), FPS, None, SR)
    assert "level.rms" not in take
    assert take["geometry.width"] == 96.0
    with pytest.raises(ValueError, match="rates"):
        measure_take((64, 96), FPS, None, SR)
    with pytest.raises(ValueError, match="rates"):
        measure_take((30, 64, 96), 0.0, None, SR)


def test_real_clips_are_measured(shared_clips: Path) -> None:
    paths = [
        path for path in sorted(shared_clips.rglob("*")) if path.suffix in (".mp4", ".mov", ".mpg", ".wav", ".mp3")
    ]
    assert len(paths) >= 10
    gaps = {}
    for path in paths[:16]:
        found = measure_file(path)
        headers = measure_file(path, depth="headers")
        assert {name for name in headers if name in found and headers[name] != found[name]} <= {"geometry.turn"}
        assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in found.values())
        assert found["container.streams"]
        gaps[path.stem] = found["time.av_gap"]
    # GRID as published: 75 frames of 40 ms and 114 MPEG audio frames of 1152 samples at 44.1 kHz
    grid = [gap for name, gap in gaps.items() if name.startswith("grid_") and gap is not None]
    assert grid
    assert grid == pytest.approx([114 * 1152 / 44.1 - 3000] * len(grid), abs=0.1)
