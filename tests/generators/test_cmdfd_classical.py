"""CMDFD's shape on talkers, small in pixels but whole in people: pairs, labels, lips that follow, and floors."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmdfd.clip import Clip
from cmdfd.dataset import Dataset
from cmdfd.errors import JOB_CODES, MEDIA_CODES
from cmdfd.faces.tracks import load_track
from cmdfd.media.decode import read_audio
from cmdfd.tables import read_table
from generators.builder import build
from generators.options import BuildOptions
from generators.plan import make_plan
from generators.recipe import Recipe, load_recipe
from generators.video.lips import opening

pytest.importorskip("espeakng_loader", reason="talkers need the extra `talkers`")

METHODS = ("lip_warp", "rewrite", "still_warp", "still_bank")
#: The published vectors E, A, V, I, S with their I and S turned round: 1 = mismatch.
VECTORS = {
    "real": (0, 0, 0, 0, 0), "lipsync/cross": (1, 0, 1, 1, 0), "lipsync/self": (1, 0, 1, 0, 0),
    "still/cross": (1, 0, 1, 1, 1), "still/self": (1, 0, 1, 0, 1),
}  # fmt: skip


def small(recipe: Recipe, side: int = 96) -> Recipe:
    """The recipe with smaller pictures; nothing else changes."""
    data = recipe.model_dump()
    data["source"]["options"]["size"] = side
    data["harmonise"] |= {"width": side, "height": side}
    return Recipe.model_validate(data)


@pytest.mark.parametrize("name", ["cmdfd-classical", "cmdfd"])
def test_both_recipes_have_cmdfds_shape(name: str) -> None:
    plan = make_plan(load_recipe(name))
    assert len(plan.takes) == 48 and {take.item.split for take in plan.takes} == {"test"}
    pairs = set()
    for take in plan.takes:
        kinds = Counter(clip.slot.kind.rsplit("/", 1)[-1] for clip in take.clips)
        assert kinds == {"real": 1, "self": 4, "cross": 4}
        donors = {clip.donor.item.key for clip in take.clips if clip.donor and clip.slot.kind.endswith("cross")}
        assert len(donors) == 1  # the same pairs for every method
        pairs.add((take.item.key, donors.pop()))
        selves = {clip.donor.item.key for clip in take.clips if clip.donor and clip.slot.kind.endswith("self")}
        assert selves == {take.item.key}
    assert {(b, a) for a, b in pairs} == pairs  # mutual swaps
    order = [take.item.key for take in plan.takes]
    assert {abs(order.index(a) - order.index(b)) for a, b in pairs} == {1}  # between neighbours


def vector(clip: Clip) -> tuple[Any, ...]:
    one = clip.labels
    return one.label, one.audio_label, one.video_label, one.identity_mismatch, one.sync_mismatch


def expected(kind: str) -> tuple[Any, ...]:
    if kind == "real":
        return VECTORS["real"]
    method, driver = kind.split("/")
    return VECTORS[f"{'still' if method.startswith('still') else 'lipsync'}/{driver}"]


def loudness(audio: np.ndarray, n: int) -> np.ndarray:
    """Square root of the RMS over two frames around each: another formula than the generators'."""
    power = np.concatenate([[0.0], np.cumsum(np.square(audio.astype(np.float64)))])
    middle = np.arange(n) * 640
    first, last = np.clip(middle - 640, 0, len(audio)), np.clip(middle + 640, 0, len(audio))
    return ((power[last] - power[first]) / np.maximum(last - first, 1)) ** 0.25


def interval(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over components."""
    rng = np.random.default_rng(0)
    names = np.unique(groups)
    draws = [np.concatenate([values[groups == g] for g in rng.choice(names, len(names))]).mean() for _ in range(500)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("classical") / "set"
    report = build(small(load_recipe("cmdfd-classical")), out, options=BuildOptions(workers=2))
    assert report.passed and report.audit is not None and report.audit["status"] == "passed"
    assert {one.code for one in report.refused} <= {*JOB_CODES, *MEDIA_CODES}
    return out


@pytest.mark.slow
def test_every_planned_clip_is_there_with_cmdfds_labels(made: Path) -> None:
    data = Dataset.open(made)
    assert data.verify().n_clips == 48 * 9 and len({clip.component for clip in data.clips()}) == 24
    assert {clip.kind for clip in data.clips()} == {"real", *(f"{m}/{d}" for m in METHODS for d in ("self", "cross"))}
    assert [clip.id for clip in data.clips() if vector(clip) != expected(clip.kind)] == []
    assert all((clip.mask is None) == (clip.kind == "real") for clip in data.clips())
    for clip in data.clips():
        if clip.kind.endswith("cross"):
            assert clip.voice_id.removesuffix("-voice") != clip.face_id
    assert (made / "sheets" / "contact_sheet-1.png").is_file()


@pytest.mark.slow
def test_lips_follow_the_sound_that_drives_them(made: Path) -> None:
    data = Dataset.open(made)
    takes: dict[str, dict[str, Clip]] = {}
    for row in read_table(made / "provenance.parquet"):
        takes.setdefault(row["take"], {})[row["kind"]] = data.clip(row["id"])
    gains: dict[str, list[tuple[float, str]]] = {}
    for clips in takes.values():
        sounds = {k: read_audio(data.path_of(c), sample_rate=16000).samples for k, c in clips.items()}
        levels = {kind: loudness(sound, 75) for kind, sound in sounds.items()}
        for kind, clip in clips.items():
            if kind == "real":
                continue
            lips = opening(load_track(data.track_of(clip)), 1.0)  # type: ignore[arg-type]
            cross = kind.endswith("cross")
            # a cross-driven mouth against its own old sound, a self-driven one against the partner's
            other = levels["real"] if cross else levels["lip_warp/cross"]
            follows, ignores = np.corrcoef(lips, levels[kind])[0, 1], np.corrcoef(lips, other)[0, 1]
            gains.setdefault(kind, []).append((follows - ignores, clip.component))
    for kind, found in gains.items():
        values, groups = np.array([gain for gain, _ in found]), np.array([group for _, group in found])
        low, _ = interval(values, groups)
        assert low > 0.25, f"{kind}: {values.mean():.2f}, from {low:.2f}"


@pytest.mark.slow
def test_container_and_gap_tell_nothing(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.method_floors.__main__ import main

    assert main([str(made), "--json"]) == 0
    methods = json.loads(capsys.readouterr().out)["methods"]
    assert len(methods) == 8 and {one["n_components"] for one in methods} == {24}
    for one in methods:
        for what in ("floor", "gap"):
            low, high = one[what]["low"], one[what]["high"]
            assert 0.35 < low <= high < 0.65, f"{one['kind']}: {what} [{low:.3f}, {high:.3f}]"
        assert one["verdict"] == "at chance"
