"""Splices in a real build: what fails halfway leaves no file and a named reason; what works carries its mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mesh_takes import drawn
from splice_takes import SPLICES
from tiny_source import HARMONISE, SERIAL, TinySource

from cmdfd.clip import Labels, Modality
from cmdfd.dataset import Dataset
from cmdfd.media.masks import forged, read_mask
from generators.build import build
from generators.generator import Take
from generators.recipe import Recipe
from generators.sources.contract import SourceItem
from generators.sources.store import save_take

KINDS: list[Any] = [
    {"kind": "splice/face", "generator": SPLICES["face"]},
    {"kind": "splice/object", "generator": SPLICES["object"], "params": {"draw": ["ball"]}},
]


class DrawnSource(TinySource):
    """The tiny source with drawn faces; takes of `faceless` people have no track."""

    def materialise(self, item: SourceItem, folder: Path) -> None:
        take = drawn(item.key, noise=1.5)
        if item.key in self.options.faceless:
            take = Take(take.frames, take.fps, take.audio, take.sample_rate)
        save_take(folder, take)


def test_a_refused_splice_leaves_no_file(tmp_path: Path, tiny_recipe: Callable[..., Recipe]) -> None:
    out = tmp_path / "set"
    recipe = tiny_recipe(
        {"faceless": ["test-0-0"]},
        source={"kind": "test_splice_build:DrawnSource", "options": {"faceless": ["test-0-0"]}},
        kinds=KINDS,
        harmonise=HARMONISE | {"width": 96, "height": 96},
        splits={"test": {"identities": 2, "clips": 2}},
    )
    report = build(recipe, out, options=SERIAL)
    data = Dataset.open(out)
    clips = list(data.clips())
    refused = [(one.kind, one.code) for one in report.refused]
    # the faceless take can have no face, and lends none
    assert refused and {code for _, code in refused} == {"face_not_found"}
    assert {kind for kind, _ in refused} == {"splice/face"}
    assert all(one.reason for one in report.refused)
    data.verify()
    rows = {clip.file for clip in clips} | {clip.mask for clip in clips if clip.mask}
    media = {path.relative_to(out).as_posix() for path in out.rglob("*.mp4")}
    masks = {path.relative_to(out).as_posix() for path in out.rglob("*.mkv")}
    assert media | masks == rows and not (out / ".work").exists()
    told = {clip.kind for clip in clips}
    assert told == {"real", "splice/face", "splice/object"}
    for clip in clips:
        if clip.kind == "real":
            assert clip.mask is None and not clip.segments
            continue
        assert clip.segments and clip.labels.video_label == 1
        frames = read_mask(out / str(clip.mask)).frames
        assert forged(frames).any() and np.unique(frames).size > 5


def test_a_voice_that_is_there_for_a_moment_is_not_the_clips(
    tmp_path: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    """A whole swap names the partner's voice, a stretch of one does not; both tell that voice and face do not fit."""
    stretch = {"generator": "audio/swap", "seconds": [0.3, 0.5]}
    kinds = [{"kind": "audio/swap"}, {"kind": "splice/temporal", "params": stretch}]
    build(tiny_recipe(kinds=kinds, splits={"test": {"identities": 2, "clips": 1}}), tmp_path / "set", options=SERIAL)
    clips = list(Dataset.open(tmp_path / "set").clips())
    own = {clip.face_id: clip.voice_id for clip in clips if clip.kind == "real"}
    assert len(own) == 2 and len(set(own.values())) == 2
    told = {kind: [clip for clip in clips if clip.kind == kind] for kind in ("audio/swap", "splice/temporal")}
    assert [len(each) for each in told.values()] == [2, 2]
    assert all(clip.voice_id != own[clip.face_id] for clip in told["audio/swap"])
    for clip in told["splice/temporal"]:
        assert clip.voice_id == own[clip.face_id]
        assert clip.labels == Labels(1, 1, 0, 1, 1) and clip.mask is None
        assert [segment.modality for segment in clip.segments] == [Modality.AUDIO]
