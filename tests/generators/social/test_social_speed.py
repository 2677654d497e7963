"""Sending a clip costs what a bare ffmpeg with the same settings costs, and a little for its checks: side by side."""

from __future__ import annotations

import resource
import subprocess

import numpy as np
import pytest
from media_tools import ffmpeg

from cmdfd.media.ffmpeg import find_ffmpeg
from generators.social.graph import build_graph, target_of
from generators.social.profile import find_profile
from generators.social.source import read_source
from generators.social.transmit import resolve_chain, transmit


def spent() -> float:
    """Processor seconds of this process and the programs that it ran: a busy machine does not add to them."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def medians(folder, source, name: str, rounds: int = 3) -> tuple[float, float]:
    """Processor seconds of `transmit`, and of the bare program with the very same arguments, taken by turns."""
    profile = find_profile(name)
    look = read_source(source)
    graph = build_graph(profile, look, target_of(profile, look), folder / "bare.mp4")
    command = graph.compile(cmd=str(find_ffmpeg()))
    ours, bare = [], []
    for _ in range(rounds):
        start = spent()
        transmit(resolve_chain(name), source, folder / "ours.mp4")
        middle = spent()
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        ours.append(middle - start)
        bare.append(spent() - middle)
    assert (folder / "ours.mp4").read_bytes() == (folder / "bare.mp4").read_bytes()
    return float(np.median(ours)), float(np.median(bare))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whatsapp", "youtube_360"])
def test_sending_costs_little_more_than_the_bare_program(tmp_path, name):
    source = tmp_path / "a.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=848x480:rate=30,noise=alls=20:allf=t", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.1", "-t", 3, "-c:v", "libx264", "-preset", "ultrafast", "-crf", 20, source,
    )  # fmt: skip
    transmit(resolve_chain(name), source, tmp_path / "warm.mp4")  # modules are loaded once
    ours, bare = medians(tmp_path, source, name)
    assert ours <= 1.15 * bare
