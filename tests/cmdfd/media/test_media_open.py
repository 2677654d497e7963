from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from media_helpers import coded_frames, ffmpeg, frame_numbers, noise

from cmdfd.errors import MediaError
from cmdfd.media.decode import read_audio, read_clip, read_video
from cmdfd.media.encode import EncoderSettings, write_clip
from cmdfd.media.limits import Limits
from cmdfd.media.open import _Reader, _Runaway, open_media
from cmdfd.media.probe import probe


def code_of(action, *arguments, **options) -> str:
    with pytest.raises(MediaError) as caught:
        action(*arguments, **options)
    return caught.value.code


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("open") / "clip.mp4"
    write_clip(path, coded_frames(10), 25, noise(6400), 16000, EncoderSettings())
    return path


@pytest.fixture
def server():
    """A loopback server that counts who knocks."""
    knocks: list[object] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    done = threading.Event()

    def listen() -> None:
        while not done.is_set():
            try:
                connection, address = listener.accept()
            except TimeoutError:
                continue
            knocks.append(address)
            connection.close()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield listener.getsockname()[1], knocks
    done.set()
    thread.join()
    listener.close()


def references(port: int, secret: Path) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}/x"
    return {
        "hls_url": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}.ts\n#EXT-X-ENDLIST\n",
        "hls_file": f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nconcat:{secret}|{url}\n#EXT-X-ENDLIST\n",
        "hls_bom": f"\ufeff \n#EXTM3U\n#EXTINF:1,\n{secret}\n",
        "concat": f"ffconcat version 1.0\nfile '{secret}'\nfile '{url}'\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "dash": '<?xml version="1.0"?>\n<!-- x -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        f"<Period><AdaptationSet><Representation><BaseURL>{url}</BaseURL></Representation></AdaptationSet>"
        "</Period></MPD>",
        "smooth": f'<SmoothStreamingMedia><StreamIndex Url="{url}"/></SmoothStreamingMedia>',
        "asx": f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
        "pls": f"[playlist]\nFile1={url}\n",
        "imf": f"<AssetMap><Path>{secret}</Path></AssetMap>",
    }


NAMES = list(references(1, Path("x")))


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8"])
@pytest.mark.parametrize("kind", NAMES)
def test_playlists_are_refused_and_nothing_is_opened(tmp_path, server, kind, suffix):
    port, knocks = server
    # A pipe with bytes in it tells whether somebody read it; opening it for reading never blocks here.
    secret = tmp_path / "secret"
    os.mkfifo(secret)
    pipe = os.open(secret, os.O_RDWR | os.O_NONBLOCK)
    os.write(pipe, b"password")
    playlist = tmp_path / f"list{suffix}"
    playlist.write_text(references(port, secret)[kind], encoding="utf-8")
    for action in (probe, read_video, read_audio):
        assert code_of(action, playlist) == "unsafe_reference"
    assert os.read(pipe, 100) == b"password"
    os.close(pipe)
    assert not knocks


def test_the_server_of_this_test_would_notice(server, tmp_path):
    """The test above can fail: a library that follows playlists does knock."""
    port, knocks = server
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(references(port, tmp_path)["hls_url"])
    with pytest.raises((av.error.FFmpegError, ValueError)):
        av.open(str(playlist), options={"protocol_whitelist": "file,http,tcp"})
    assert knocks


def test_a_playlist_behind_junk_is_not_followed(tmp_path, server):
    port, knocks = server
    for head in ("x" * 100 + "\n", "\n" * 5000):
        playlist = tmp_path / "list.mp4"
        playlist.write_text(head + references(port, tmp_path)["hls_url"])
        assert code_of(read_video, playlist) in {"not_media", "unsafe_reference"}
    assert not knocks


def test_data_references_of_quicktime_are_not_followed(clip, tmp_path, server):
    port, knocks = server
    secret = tmp_path / "secret.mov"
    os.mkfifo(secret)
    pipe = os.open(secret, os.O_RDWR | os.O_NONBLOCK)
    os.write(pipe, b"password")
    data = clip.read_bytes()
    for kind, target in ((b"url ", f"http://127.0.0.1:{port}/x".encode()), (b"alis", str(secret).encode())):
        # The same length is kept: the entry says "elsewhere" (flags 0) instead of "in this file" (flags 1).
        entry = b"\0\0\0\x0curl \0\0\0\x01"
        assert entry in data
        patched = tmp_path / "dref.mp4"
        patched.write_bytes(data.replace(entry, b"\0\0\0\x0c" + kind + b"\0\0\0\0") + target)
        try:
            video = read_video(patched)
        except MediaError:
            continue
        assert frame_numbers(video.frames) == list(range(10))
    assert os.read(pipe, 100) == b"password"
    os.close(pipe)
    assert not knocks


@pytest.mark.parametrize(
    "name",
    [
        "plain.mp4", "with space.mp4", "quote'\".mp4", "new\nline.mp4", "-i.mp4", "http:colon.mp4", "concat:a|b.mp4",
        "%03d.mp4", "file:x.mp4", "ünï✓.mp4", "[x].mp4", "clip.m3u8", "clip.txt", "noending",
    ],
)  # fmt: skip
def test_any_name_works(clip, tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    for named in (path, Path(name)):
        assert frame_numbers(read_video(named).frames) == list(range(10))
        assert probe(named).path == str(named)
    write_clip(Path(name), coded_frames(3), 25, None, 0, EncoderSettings())
    assert len(read_video(path).frames) == 3


def test_names_with_bytes_that_are_no_text(clip, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4"))
    path.write_bytes(clip.read_bytes())
    assert len(read_video(path).frames) == 10


def test_symbolic_links_are_resolved(clip, tmp_path):
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    assert len(read_video(link).frames) == 10
    (tmp_path / "dead.mp4").symlink_to(tmp_path / "nowhere")
    assert code_of(read_video, tmp_path / "dead.mp4") == "missing"
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    assert code_of(read_video, tmp_path / "loop.mp4") == "missing"


@pytest.mark.timeout(20)
def test_only_regular_files(tmp_path):
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        for path in (pipe, tmp_path, Path("/dev/zero"), tmp_path / "s", tmp_path / "absent", Path("a\0b"), Path()):
            for action in (probe, read_video, read_audio, read_clip):
                assert code_of(action, path) == "missing", path


def test_not_media(tmp_path):
    cases = {
        b"": "empty",
        b"just some words\n" * 300: "not_media",
        b"\0" * 100_000: "not_media",
        b"\x89PNG\r\n\x1a\n" + b"0" * 5000: "not_media",
        np.random.default_rng(0).bytes(200_000): "not_media",
        b"#!/bin/sh\nrm -rf /\n": "not_media",
        b"x": "not_media",
    }
    for data, code in cases.items():
        path = tmp_path / "x.mp4"
        path.write_bytes(data)
        for action in (probe, read_video, read_audio, read_clip):
            assert code_of(action, path) == code, data[:20]


def test_pictures_and_devices_are_not_containers(tmp_path):
    picture = tmp_path / "x.png"
    ffmpeg("-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1", "-update", "1", picture)
    assert code_of(read_video, picture) == "not_media"
    graph = tmp_path / "graph.mp4"
    graph.write_text("color=red\n")
    assert code_of(read_video, graph) == "not_media"


def test_limits_of_the_file(clip, tmp_path):
    size = clip.stat().st_size
    assert code_of(read_video, clip, limits=Limits(max_file_bytes=size - 1)) == "too_large"
    assert code_of(read_video, clip, limits=Limits(max_pixels=64 * 64 - 1)) == "too_large"
    assert code_of(read_video, clip, limits=Limits(max_seconds=0.39)) == "too_long"
    assert code_of(read_video, clip, limits=Limits(max_frames=9)) == "too_long"
    assert code_of(read_video, clip, limits=Limits(max_bytes=10 * 64 * 64 * 3 - 1)) == "too_large"
    exact = Limits(max_file_bytes=size, max_pixels=4096, max_seconds=0.4, max_frames=10, max_bytes=122880)
    assert len(read_clip(clip, limits=exact).video.frames) == 10
    with pytest.raises(ValueError, match="max_frames"):
        Limits(max_frames=0)


def test_limits_hold_where_the_header_tells_nothing(tmp_path):
    """A bare H.264 stream has no length; the frames themselves are counted."""
    path = tmp_path / "x.h264"
    ffmpeg("-f", "lavfi", "-i", "color=s=32x32:r=25:d=2", "-c:v", "libx264", path)
    assert len(read_video(path).frames) == 50
    assert code_of(read_video, path, limits=Limits(max_frames=49)) == "too_long"
    assert code_of(read_video, path, limits=Limits(max_seconds=1.9)) == "too_long"
    assert code_of(read_video, path, limits=Limits(max_bytes=49 * 32 * 32 * 3)) == "too_large"


def test_a_sparse_terabyte_is_refused_at_once(tmp_path):
    path = tmp_path / "x.mpg"
    path.touch()
    os.truncate(path, 1 << 40)
    assert code_of(read_video, path) == "too_large"


def test_many_streams_are_refused(tmp_path):
    path = tmp_path / "many.mkv"
    maps = [word for _ in range(40) for word in ("-map", "0")]
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000", *maps, "-t", "0.1", "-c:a", "pcm_s16le", path)
    assert code_of(read_audio, path) in {"too_large", "not_media"}
    assert len(read_audio(path, limits=Limits(max_streams=40)).samples) == 1600


def test_a_demuxer_that_runs_in_circles_is_stopped(clip, monkeypatch):
    size = clip.stat().st_size
    with clip.open("rb", buffering=0) as file:
        reader = _Reader(file, size, Limits(max_reads=2))
        with pytest.raises(_Runaway):
            for _ in range(100_000):  # at the end of the file, where every read is empty
                reader.read(4096)
    monkeypatch.setattr("cmdfd.media.open._FREE_BYTES", -size)
    assert code_of(read_video, clip, limits=Limits(max_reads=1)) == "decode_failed"


def test_the_container_is_closed_after_errors(clip):
    with pytest.raises(ZeroDivisionError), open_media(clip) as container:
        1 / 0  # noqa: B018
    with pytest.raises(AssertionError):
        container.demux().__next__()


def test_a_shortage_says_nothing_about_the_file():
    import errno

    from cmdfd.media.open import media_errors

    for number, code in (
        (errno.EAGAIN, "out_of_memory"),
        (errno.ENOMEM, "out_of_memory"),
        (errno.EIO, "decode_failed"),
    ):
        with pytest.raises(MediaError) as caught, media_errors(Path("x.mp4"), "decode_failed"):
            raise OSError(number, "from the codec")
        assert caught.value.code == code
