from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cmdfd.media.ffmpeg import FfmpegError, find_ffmpeg, local, run_graph

ffmpeg = pytest.importorskip("ffmpeg")


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_order_of_search(tmp_path, monkeypatch):
    monkeypatch.delenv("CMDFD_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", "")
    wheel = find_ffmpeg()
    assert wheel.is_file() and "imageio" in str(wheel)
    (tmp_path / "bin").mkdir()
    on_path = program(tmp_path / "bin" / "ffmpeg", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_ffmpeg() == on_path
    named = program(tmp_path / "mine", "exit 0")
    monkeypatch.setenv("CMDFD_FFMPEG", str(named))
    assert find_ffmpeg() == named
    monkeypatch.setenv("CMDFD_FFMPEG", str(tmp_path / "absent"))
    with pytest.raises(FfmpegError, match="CMDFD_FFMPEG"):
        find_ffmpeg()


def test_none_at_all(monkeypatch):
    monkeypatch.delenv("CMDFD_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(FfmpegError, match="pip install imageio-ffmpeg"):
        find_ffmpeg()


def test_a_graph_runs_on_files_of_any_name(tmp_path):
    path = tmp_path / "a:b 'c'.mkv"
    made = ffmpeg.input("color=red:s=16x16:d=0.2", f="lavfi").output(local(path), vcodec="ffv1")
    run_graph(made)
    raw = run_graph(ffmpeg.input(local(path)).output("-", format="rawvideo", pix_fmt="rgb24"))
    assert len(raw) == 5 * 16 * 16 * 3


def test_failures_are_told(tmp_path, monkeypatch):
    with pytest.raises(FfmpegError, match="No such file"):
        run_graph(ffmpeg.input(local(tmp_path / "absent")).output("-", format="null"))
    monkeypatch.setenv("CMDFD_FFMPEG", str(program(tmp_path / "slow", "exec sleep 30")))
    with pytest.raises(FfmpegError, match=r"within 0\.2 s"):
        run_graph(ffmpeg.input("x").output("-", format="null"), timeout=0.2)
