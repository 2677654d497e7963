"""Wav2Lip itself, where somebody has it: `CMDFD_WAV2LIP_CHECKOUT` names the checkout, with weights in their places, and
`CMDFD_WAV2LIP_PYTHON` its interpreter.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cmdfd.errors import JobError
from generators.external.adapter import external
from generators.generator import Job, Take
from generators.sources.talkers.source import TalkerSource, render_take

_BITS, _BLOCK, _HEIGHT = 8, 28, 24


def with_numbers(take: Take) -> Take:
    """Write every frame's number above the head, as black and white blocks."""
    frames = take.frames.copy()
    for index in range(len(frames)):
        for bit in range(_BITS):
            frames[index, :_HEIGHT, bit * _BLOCK : (bit + 1) * _BLOCK] = 230 if (index >> bit) & 1 else 20
    return replace(take, frames=frames)


def numbers_in(frames: np.ndarray) -> list[int]:
    blocks = [slice(bit * _BLOCK + 8, (bit + 1) * _BLOCK - 8) for bit in range(_BITS)]
    bits = np.stack([frames[:, 4 : _HEIGHT - 4, block].mean((1, 2, 3)) > 125 for block in blocks], axis=1)
    return [int(one) for one in bits @ (1 << np.arange(_BITS))]


@pytest.mark.slow
def test_wav2lip_keeps_place_and_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout, python = os.environ.get("CMDFD_WAV2LIP_CHECKOUT"), os.environ.get("CMDFD_WAV2LIP_PYTHON")
    if not checkout or not python:
        pytest.skip("set CMDFD_WAV2LIP_CHECKOUT and CMDFD_WAV2LIP_PYTHON to try the real program")
    table = {"checkout": checkout, "python": python, "accept_licence": True}
    config = tmp_path / "generators.toml"
    config.write_text("[wav2lip]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()))
    monkeypatch.setenv("CMDFD_GENERATORS", str(config))
    plan = TalkerSource({"cast": "a", "seconds": 1.6}).plan({"test": {"identities": 2, "clips": 1}}, seed=3)
    take, donor = with_numbers(render_take(plan.items[0])), render_take(plan.items[1])
    before = {path: path.stat().st_mtime_ns for path in Path(checkout).rglob("*")}
    generator = external("external/wav2lip")
    job = Job(take, donor, 0.2, 1.2, generator.spec.params, np.random.default_rng(0), relation="partner")
    try:
        made = generator.generate(job)
    except JobError as error:
        if error.code == "face_not_found":
            pytest.skip("its face detector does not take drawn faces for faces")
        raise
    assert {path: path.stat().st_mtime_ns for path in Path(checkout).rglob("*")} == before
    assert made.take.frames.shape == take.frames.shape
    assert numbers_in(made.take.frames) == list(range(len(take.frames)))
    shared = min(len(donor.audio), len(take.audio))
    np.testing.assert_allclose(made.take.audio[:shared], donor.audio[:shared], atol=1e-6)
    assert made.masks is not None
    assert made.masks.any((1, 2)).mean() > 0.9, "the mouth is forged to the end: nothing of the tail is lost"
    assert not made.masks[:, : _HEIGHT // 2].any()
