"""`read_facts` at its three depths: they agree, and the pictures are those that a plain loop over decode() gives."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import HEIGHT, WAYS, WIDTH, ffmpeg, film, moving, written

from cmdfd.audit import reading
from cmdfd.audit.bitstream import first_kind, signature
from cmdfd.audit.measure import HEADER_CUES, SOUND_CUES, measure_file
from cmdfd.audit.pictures import MAX_PICTURES, THUMB_SIDE
from cmdfd.audit.reading import read_facts
from cmdfd.audit.seeing import _MOST_HELD, _Held, _Sampler
from cmdfd.errors import MediaError
from cmdfd.media.limits import DEFAULT_LIMITS
from cmdfd.media.orient import UPRIGHT


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {way: written(folder, way) for way in WAYS}


def plain_frames(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"export_side_data": "venc_params"}
        return list(container.decode(stream))


def rows_of(plane: Any) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


@pytest.mark.parametrize("way", WAYS)
def test_the_depths_agree_on_what_they_share(films: dict[str, Path], way: str) -> None:
    headers, sound, full = (measure_file(films[way], depth=depth) for depth in ("headers", "sound", "full"))
    assert set(headers) == set(HEADER_CUES) and set(sound) == set(SOUND_CUES)
    iso = films[way].suffix in (".mp4", ".mov")
    for name, value in headers.items():
        if name == "geometry.turn" and not iso:  # only a frame tells there
            assert value is None and full[name] == "0"
        else:
            assert value == full[name], name
            assert name not in sound or value == sound[name], name
    assert all(full[name] == value for name, value in sound.items())


def test_headers_decode_nothing(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Viewer", "SoundReader", "_FirstPicture"):
        monkeypatch.setattr(reading, name, None)
    facts = read_facts(films["x264"], depth="headers")
    assert facts.pictures is None and facts.audio is not None and facts.audio.decoded is None
    assert facts.video is not None and facts.video.signature.startswith("x264 - core")
    with pytest.raises(ValueError, match="not decoded"):
        _ = facts.audio.sound
    with pytest.raises(ValueError, match="depth must be one of headers, sound, full"):
        read_facts(films["x264"], depth="all")  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["x264", "x264-mkv", "x264-ts", "x265", "x265-mkv"])
def test_the_signature_is_found_in_the_bytes(films: dict[str, Path], way: str) -> None:
    texts = []
    for depth in ("headers", "sound"):
        video = read_facts(films[way], depth=depth).video  # type: ignore[arg-type]
        assert video is not None
        texts.append(video.signature)
    assert texts[0] == texts[1]
    assert texts[0].startswith(way[:4]) and "crf" not in texts[0]


@pytest.mark.parametrize("way", ["x264", "x264-mkv", "x265", "mpeg4", "mpeg2", "mjpeg", "vp9"])
def test_pictures_are_those_of_a_plain_loop(films: dict[str, Path], way: str) -> None:
    frames = plain_frames(films[way])
    facts = read_facts(films[way], depth="full")
    pictures = facts.pictures
    assert pictures is not None and len(pictures.thumbs) == len(pictures.types) == len(pictures.qp) == len(frames) == 30
    n = MAX_PICTURES - (way == "mpeg4")  # whose header counts an empty packet, too
    assert pictures.luma.shape == (n, HEIGHT, WIDTH) and max(pictures.thumbs.shape[1:]) == THUMB_SIDE
    for place, luma, chroma in zip(pictures.indices, pictures.luma, pictures.chroma, strict=True):
        planes = [rows_of(plane) for plane in frames[place].planes]
        assert np.array_equal(luma, planes[0])
        assert chroma == pytest.approx([planes[1].mean(), planes[2].mean()], abs=1e-9)
        assert np.array_equal(pictures.thumbs[place], planes[0][::3, ::3])
    assert pictures.types == "".join("?IPB"[frame.pict_type] for frame in frames)
    if films[way].suffix != ".avi":  # AVI stores no times of presentation
        assert pictures.times == pytest.approx([frame.time for frame in frames])
    assert (np.diff(pictures.times) > 0).all()


@pytest.mark.parametrize("way", ["x264", "x264-mkv", "mpeg2"])
def test_quantisers_are_those_of_the_blocks(films: dict[str, Path], way: str) -> None:
    frames = plain_frames(films[way])
    pictures = read_facts(films[way], depth="full").pictures
    assert pictures is not None
    name = "VIDEO_ENC_PARAMS"
    told = [name in {data.type.name for data in frame.side_data} for frame in frames]
    assert sum(told) >= 29  # the last one of MPEG-2 comes without
    maps = [frame.side_data[name].qp_map() if t else np.nan for frame, t in zip(frames, told, strict=True)]
    types = [frame.pict_type for frame in frames]
    expected = [np.mean(one) if k % 3 == 0 or types[k] == 1 else np.nan for k, one in enumerate(maps)]
    assert pictures.qp == pytest.approx(expected, nan_ok=True)
    assert np.isnan(read_facts(films["x265"], depth="full").pictures.qp).all()  # type: ignore[union-attr]


def test_ten_bits_grey_and_rgb(tmp_path: Path) -> None:
    steps = np.zeros((4, 40, 56, 3), np.uint8)
    steps[:, :20], steps[:, 20:] = 255, 0
    for way, white, black in (
        ("x264", 235, 16),
        ("x264-10", 235, 16),
        ("x264-fields", 235, 16),
        ("nv12", 235, 16),
        ("mjpeg", 255, 0),
        ("ffv1-rgb", 255, 0),
        ("rgb24", 255, 0),
        ("palette", 255, 0),
        ("ffv1-grey", 255, 0),
        ("ffv1-grey16", 255, 0),
    ):
        pictures = read_facts(written(tmp_path, way, steps), depth="full").pictures
        assert pictures is not None, way
        assert np.abs(pictures.luma[:, 4:16].astype(int) - white).max() <= 2, way
        assert np.abs(pictures.luma[:, 24:36].astype(int) - black).max() <= 2, way
        assert np.abs(pictures.chroma - 128).max() <= 1, way


@pytest.mark.parametrize("shape", [(33, 17), (2, 2), (16, 130), (31, 33)])
def test_odd_and_tiny_sizes(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = film(tmp_path / "odd.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv444p", frames=moving(5, *shape), sound=False)
    pictures = read_facts(path, depth="full").pictures
    assert pictures is not None and pictures.luma.shape == (5, *shape)
    assert max(pictures.thumbs.shape[1:]) <= THUMB_SIDE and min(pictures.thumbs.shape[1:]) >= 1
    assert all(name in measure_file(path, depth="full") for name in HEADER_CUES)


def test_a_size_that_changes_inside_the_stream(tmp_path: Path) -> None:
    raw = b""
    for size in ((64, 96), (48, 64)):
        options = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
        part = film(tmp_path / "part.h264", *options, frames=moving(12, *size), sound=False)
        raw += part.read_bytes()
    path = tmp_path / "changing.h264"
    path.write_bytes(raw)
    sizes = {(frame.height, frame.width) for frame in plain_frames(path)}
    assert sizes == {(64, 96), (48, 64)}
    pictures = read_facts(path, depth="full").pictures
    assert pictures is not None and pictures.luma.shape[1:] == (64, 96) and len(pictures.thumbs) == 24


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turns_are_read_from_the_boxes(tmp_path: Path, films: dict[str, Path], turn: int, mirrored: bool) -> None:
    path = tmp_path / "turned.mp4"
    flip = ["-display_hflip"] if mirrored else []
    ffmpeg("-display_rotation", turn, *flip, "-i", films["x264"], "-c", "copy", path)
    headers, full = read_facts(path, depth="headers").video, read_facts(path, depth="full").video
    assert headers is not None and full is not None
    assert headers.orientation == full.orientation
    assert (full.orientation == UPRIGHT) == (turn == 0 and not mirrored)


@settings(max_examples=200)
@given(n=st.integers(1, 5000), expected=st.one_of(st.just(0), st.integers(0, 6000)), wrong=st.booleans())
def test_pictures_are_evenly_spaced_in_bounded_memory(n: int, expected: int, wrong: bool) -> None:
    sampler = _Sampler(expected if wrong else n)
    most = 0
    for index in range(n):
        if sampler.wants(index):
            sampler.add(_Held(index, np.zeros((1, 1), np.uint8), (0.0, 0.0)))
        most = max(most, len(sampler._held))
    indices = np.array([held.index for held in sampler.close()])
    assert most <= _MOST_HELD and len(indices) <= MAX_PICTURES
    if not wrong:
        assert len(indices) == min(n, MAX_PICTURES)
        steps = np.diff([-1, *indices, n])
        assert steps.max() <= n / MAX_PICTURES + 2
    elif expected <= n and n >= MAX_PICTURES:  # a length that is not known or understated
        assert len(indices) == MAX_PICTURES
        steps = np.diff(indices)
        assert steps.max() <= 3 * max(steps.min(), 1) and n - indices[-1] <= 3 * steps.max()


def test_the_limits_hold_for_what_comes_out_of_the_decoder(films: dict[str, Path]) -> None:
    for limits, code in (
        (replace(DEFAULT_LIMITS, max_frames=20), "too_long"),
        (replace(DEFAULT_LIMITS, max_pixels=100), "too_large"),
        (replace(DEFAULT_LIMITS, max_seconds=0.5), "too_long"),
    ):
        for way in ("x264", "x264-ts"):
            with pytest.raises(MediaError) as caught:
                read_facts(films[way], limits, "full")
            assert caught.value.code == code


def test_a_film_that_breaks_off_is_told(films: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    data = films["x264-late"].read_bytes()  # its index comes first
    broken.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(MediaError) as caught:
        read_facts(broken, depth="full")
    assert caught.value.code == "decode_failed"


def test_a_font_is_no_sound(tmp_path: Path, films: dict[str, Path]) -> None:
    path, font = tmp_path / "font.mkv", tmp_path / "font.ttf"
    font.write_bytes(bytes(100))
    ffmpeg("-i", films["x265-mkv"], "-c", "copy", "-attach", font, "-metadata:s:t", "mimetype=font/ttf", path)
    for depth in ("headers", "sound", "full"):
        facts = read_facts(path, depth=depth)  # type: ignore[arg-type]
        assert facts.streams == "vt" and facts.audio is None


@pytest.mark.parametrize("way", ["x264", "x264-mkv", "x264-ts", "x265", "mpeg4", "vp9", "mpeg2", "ffv1-rgb"])
def test_hostile_bytes_end_as_media_errors(films: dict[str, Path], tmp_path: Path, way: str) -> None:
    good = films[way].read_bytes()
    rng = random.Random(way)
    ended: set[str] = set()
    for trial in range(9):
        bad = bytearray(good if trial % 3 else good[: rng.randrange(1, len(good))])
        for _ in range(rng.choice((1, 8, 60)) if trial else 0):
            place = rng.randrange(min(len(bad), 1200) if trial % 2 else len(bad))  # every other time in the headers
            bad[place] = rng.randrange(256)
        path = tmp_path / "bad"
        path.write_bytes(bytes(bad))
        for depth in ("headers", "sound", "full"):
            try:
                found = measure_file(path, depth=depth)  # type: ignore[arg-type]
                ended.add("read")
                assert all(value is None or isinstance(value, str) or np.isfinite(value) for value in found.values())
            except MediaError as error:
                ended.add(error.code)
    assert ended


@settings(max_examples=300)
@given(codec=st.sampled_from(["h264", "hevc", "vp9"]), extra=st.binary(max_size=60), data=st.binary(max_size=200))
def test_random_bit_streams_never_raise(codec: str, extra: bytes, data: bytes) -> None:
    for head in (b"", b"\0\0\1\x06\x05", b"\0\0\1\x4e\x01\x05", b"\0\0\1\x41", b"\x01" + bytes(21)):
        assert isinstance(signature(codec, head + extra, head + data), bytes)
        assert first_kind(codec, head + extra, head + data, True)


@pytest.mark.parametrize(
    ("first_mb", "slice_type", "kind"), [(0, 7, "I"), (0, 2, "I"), (0, 5, "P"), (3, 0, "P"), (0, 6, "B"), (17, 1, "B")]
)
def test_kinds_of_slices_by_hand(first_mb: int, slice_type: int, kind: str) -> None:
    def golomb(value: int) -> str:  # H.264, 9.1
        bits = f"{value + 1:b}"
        return "0" * (len(bits) - 1) + bits

    bits = (golomb(first_mb) + golomb(slice_type)).ljust(64, "0")
    unit = b"\0\0\1\x41" + int(bits, 2).to_bytes(8, "big")
    assert first_kind("h264", b"", unit, True) == kind
    assert first_kind("h264", b"", b"\0\0\1\x65" + bytes(4), False) == "IDR"
    assert first_kind("hevc", b"", b"\0\0\1\x2a\x01\0", False) == "CRA"
    assert first_kind("vp9", b"", b"abc", False) == "not key"


def test_a_signature_by_hand() -> None:
    text = b"maker 1.0 - options: q=3"
    body = bytes(range(1, 17)) + text + b"\0"
    message = bytes([5, len(body)]) + body + b"\x80"
    other = bytes([4, 2, 9, 9])  # a message of another kind before it
    unit = b"\x06" + other + message
    assert signature("h264", b"", b"\0\0\1" + unit + b"\0\0\1\x65abc") == text + b"\0"
    prefixed = len(unit).to_bytes(4, "big") + unit
    assert signature("h264", b"\x01\x64\0\x0a\xff\xe1", prefixed) == text + b"\0"
    assert signature("hevc", b"", b"\0\0\1\x4e\x01" + message) == text + b"\0"
    assert signature("vp9", b"", b"\0\0\1" + unit) == b""
