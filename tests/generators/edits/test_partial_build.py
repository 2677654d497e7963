"""Partial fakes through the whole build: files on disk against their metadata, and null edits counted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cmdfd.media.decode import read_clip
from generators.builder import build
from generators.recipe import Recipe, load_recipe

pytest.importorskip("espeakng_loader")

RATE, FPS = 16000, 25.0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in recipe, but small: two people, small pictures, little lost in coding."""
    recipe = load_recipe("lavdf-style").model_dump()
    recipe["source"]["options"] |= {"seconds": 4.4, "size": 112}
    recipe["splits"] = {"test": {"identities": 2, "clips": 2}}
    recipe["harmonise"] |= {"width": 112, "height": 112, "seconds": 3.0, "crf": (12, 12), "audio_bit_rate": 128000}
    recipe["audit"] = {"gate": False}
    out = tmp_path_factory.mktemp("built") / "set"
    report = build(Recipe.model_validate(recipe), out)
    assert not report.refused
    return out


def tables(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    clips = pd.read_parquet(out / "test" / "metadata.parquet").set_index("id")
    provenance = pd.read_parquet(out / "provenance.parquet").set_index("id")
    return clips, provenance


@pytest.mark.slow
def test_there_are_as_many_null_edits_as_fakes_of_every_kind(built: Path) -> None:
    clips, provenance = tables(built)
    fakes = Counter(clips[clips.label == 1].kind)
    nulls = clips[(clips.kind == "real") & (clips.variant != "")]
    by_kind: Counter[Any] = Counter()
    for name, row in nulls.iterrows():
        plan = json.loads(provenance.loc[name].details)["null_edit_list"]["edits"]
        assert len(plan) == 1 and len(row.segments) == 0 and not isinstance(row["mask"], str)
        assert (row.label, row.audio_label, row.video_label, row.sync_mismatch, row.identity_mismatch) == (0,) * 5
        by_kind[row.generator, plan[0]["op"], plan[0]["modality"], provenance.loc[name].params] += 1
    of_fakes = Counter()
    for name, row in clips[clips.label == 1].iterrows():
        plan = json.loads(provenance.loc[name].details)["edit_list"]["edits"]
        of_fakes[row.generator, plan[0]["op"], plan[0]["modality"], provenance.loc[name].params] += 1
    assert by_kind == of_fakes and len(fakes) == 6 and set(fakes.values()) == {4}
    assert clips.sha256.is_unique  # a null edit is no copy of its real clip


def windows(values: np.ndarray, n: int) -> np.ndarray:
    return np.asarray(values[: len(values) // n * n].reshape(-1, n))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["audio/replace", "voice/replace", "both/replace", "both/insert", "both/delete"])
def test_what_is_heard_in_the_files_agrees_with_the_segments(built: Path, kind: str) -> None:
    """The files are coded and levelled apart; still the sound leaves the real clip's where the segment says."""
    clips, provenance = tables(built)
    hop = 160
    for name, row in clips[clips.kind == kind].iterrows():
        made, real, edit = _pair(built, clips, provenance, str(name))
        (segment,) = [one for one in row.segments if one["modality"] == "audio"]
        start = provenance.loc[name]["start"]
        grown = (edit["end"] - edit["start"]) - (edit["source_end"] - edit["source_start"])
        n = np.arange(min(len(made.audio.samples), len(real.audio.samples)))
        at = n - np.where(n / RATE >= edit["end"] - start, round(grown * RATE), 0)
        known = (at >= 0) & (at < len(real.audio.samples))
        genuine = np.where(known, real.audio.samples[np.clip(at, 0, len(real.audio.samples) - 1)], 0)
        sound = made.audio.samples[: len(n)]
        outside = known & ((n / RATE < segment["start"] - 0.04) | (n / RATE > segment["end"] + 0.04))
        gain = (sound @ (genuine * outside)) / (genuine @ (genuine * outside))  # loudness is levelled clip by clip
        assert 0.5 < gain < 2
        error = np.sqrt((windows(sound - gain * genuine, hop) ** 2).mean(axis=1)) / np.std(sound)
        quiet = windows(outside.astype(float), hop).mean(axis=1) == 1
        coding = error[quiet]
        assert np.median(coding) < 0.03 and coding.max() < 0.3  # the same sound, coded twice
        if kind == "both/delete":  # behind the cut it is the same sound moved, and at the cut there is a joint
            continue
        changed = np.flatnonzero(error > 1.1 * coding.max()) * hop / RATE
        assert abs(changed[0] - segment["start"]) < 0.1 and abs(segment["end"] - changed[-1]) < 0.12  # soft sounds
        inside = error[round(segment["start"] * RATE / hop) : round(segment["end"] * RATE / hop)]
        assert np.median(inside) > 10 * np.median(coding)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["video/replace", "both/replace", "both/insert", "both/delete"])
def test_what_is_seen_in_the_files_agrees_with_the_segments(built: Path, kind: str) -> None:
    clips, provenance = tables(built)
    for name, row in clips[clips.kind == kind].iterrows():
        made, real, edit = _pair(built, clips, provenance, str(name))
        (segment,) = [one for one in row.segments if one["modality"] == "video"]
        grown = (edit["end"] - edit["start"]) - (edit["source_end"] - edit["source_start"])
        total = len(real.video.frames)
        at = np.arange(total) - np.where(
            (np.arange(total) + 0.5) / FPS >= edit["end"] - provenance.loc[name]["start"], round(grown * FPS), 0
        )
        known = (at >= 0) & (at < total)
        difference = np.abs(made.video.frames[known].astype(int) - real.video.frames[at[known]])
        error = np.percentile(difference, 99.8, axis=(1, 2, 3))
        times = np.flatnonzero(known) / FPS
        outside = (times + 1 / FPS <= segment["start"] + 1e-6) | (times >= segment["end"] - 1e-6)
        assert outside.sum() > 30
        coding = float(error[outside].max())
        assert coding < 25, (kind, coding)
        if kind == "both/delete":
            continue
        inside = error[~outside]
        assert np.median(inside) > 2 * np.median(error[outside])
        if kind != "both/insert":
            continue
        assert inside.min() > np.median(error[outside])


def _pair(out: Path, clips: pd.DataFrame, provenance: pd.DataFrame, name: str) -> tuple[Any, Any, dict[str, Any]]:
    """A fake, the plain real clip of the same take, and the one edit between them."""
    take = provenance.loc[name]["take"]
    same = provenance[(provenance["take"] == take) & (provenance["kind"] == "real")].index
    real = next(one for one in same if clips.loc[one].variant == "")
    (edit,) = json.loads(provenance.loc[name].details)["edit_list"]["edits"]
    first = read_clip(out / "test" / clips.loc[name].file_name, sample_rate=RATE)
    second = read_clip(out / "test" / clips.loc[real].file_name, sample_rate=RATE)
    assert first.audio is not None and second.audio is not None
    assert provenance.loc[name]["start"] == provenance.loc[real]["start"]
    return first, second, edit
