"""A small set with true media, tracks, masks and tables, and copies of it with one thing spoiled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment, content_id, sha256_file
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, BuildFile, Dataset, clip_paths
from cmdfd.faces.tracks import FaceTrack, save_track
from cmdfd.media.encode import write_clip
from cmdfd.media.masks import write_mask
from cmdfd.media.settings import EncoderSettings
from cmdfd.splits import Identity, components
from cmdfd.tables import (
    PROVENANCE,
    REFUSED,
    STAGES,
    cue_schema,
    read_table,
    schema,
    write_table,
    write_tables,
)

FPS, RATE, SIZE, FRAMES = 25.0, 16000, 64, 16
SETTINGS = EncoderSettings(preset="ultrafast", crf=20)
FAKE = Labels(1, 0, 1, 1, 0)
PROVENANCE_COLUMNS = {
    "id": "string", "job": "string", "split": "string", "sha256": "string", "kind": "string", "generator": "string",
    "output_licence": "string", "params": "string", "seed": "int64", "take": "string", "parents": "parents",
    "operations": "strings", "details": "string", "transcript": "string", "rights_override": "string",
    "recipe_hash": "string",
}  # fmt: skip
#: Where the publisher's recordings are.
SOURCES = "/srv/recordings/anna maier/interviews"
RECIPE: dict[str, Any] = {
    "name": "toy",
    "seed": 1234567890,
    "source": {"kind": "folder", "options": {"folder": SOURCES, "csv": f"{SOURCES}/sources.csv"}},
}


def write_public_set(folder: Path, splits: Sequence[str] = ("train", "test"), people: int = 8) -> Dataset:
    """One real and one fake of everybody; fakes have mask and segment, and their track is their own."""
    clips, rows, stages = [], [], []
    for split in splits:
        for person in range(people):
            for fake in (False, True):
                clip = _clip(folder, split, person, fake=fake)
                clips.append(clip)
                rows.append(_row(clip))
                stages += [
                    {"id": clip.id, "split": split, "stage": stage, "time.fps": FPS} for stage in ("raw", "harmonised")
                ]
    groups = components([Identity(one.face_id, one.voice_id, one.source_ids) for one in clips])
    clips = [replace(clip, component=group) for clip, group in zip(clips, groups, strict=True)]
    write_tables(folder, clips)
    write_table(folder / PROVENANCE, sorted(rows, key=lambda row: str(row["id"])), schema(PROVENANCE_COLUMNS))
    write_table(folder / STAGES, stages, cue_schema(stages, {"id": "string", "split": "string", "stage": "string"}))
    refused = [{"source": f"{SOURCES}/bad.mp4", "kind": "lips", "code": "no_face", "reason": "nobody"}]
    write_table(folder / REFUSED, refused, schema(dict.fromkeys(("source", "kind", "code", "reason"), "string")))
    (folder / "journal.jsonl").write_text('{"host": "annas-computer"}\n')
    (folder / "sheets").mkdir()
    (folder / "sheets" / "datasheet.md").write_text("made at home\n")
    counts: dict[str, dict[str, int]] = {split: {"lips": people, "real": people} for split in splits}
    build = BuildFile(
        format_version=FORMAT_VERSION, name="toy", recipe=RECIPE, recipe_hash="0123", versions={"av": "1"},
        encoder={"crf": 20}, counts=counts, refused={"no_face": 1},
        audit={"status": "passed", "sentences": ["Nothing was shown."], "findings": [{"median in fakes": 3}]},
        notes=[f"made of {SOURCES}"],
    )  # fmt: skip
    (folder / BUILD_FILE).write_text(build.to_json())
    return Dataset.open(folder)


def _clip(folder: Path, split: str, person: int, *, fake: bool) -> Clip:
    key = f"{split}-{person}"
    clip_id = content_id("public", key, fake)
    paths = clip_paths(split, clip_id, 0)
    for name in (paths.file, paths.mask, paths.tracks):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(key.encode()))
    base = rng.integers(60, 190, (8, 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    frames = (base[None] + rng.integers(-6, 7, (FRAMES, SIZE, SIZE, 1))).astype(np.uint8)
    masks = np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    if fake:
        masks[4:12, 40:56, 16:48] = 255
        frames[masks > 0] += np.uint8(20) if person % 2 else np.uint8(236)  # brighter or darker
    times = np.arange(round(FRAMES / FPS * RATE)) / RATE
    audio = (0.3 * np.sin(2 * np.pi * rng.uniform(200, 900) * times)).astype(np.float32)
    write_clip(folder / paths.file, frames, FPS, audio, RATE, SETTINGS)
    if fake:
        write_mask(folder / paths.mask, masks, FPS)
    points = rng.random((FRAMES, 68, 2)).astype(np.float32)
    save_track(folder / paths.tracks, FaceTrack(np.arange(FRAMES) / FPS, points, np.ones(FRAMES, bool), "test"))
    return Clip(
        id=clip_id, split=split, file=paths.file, sha256=sha256_file(folder / paths.file),
        labels=FAKE if fake else REAL, kind="lips" if fake else "real", variant="",
        generator="lips" if fake else "sham",
        face_id=f"person-{key}", voice_id=f"voice-{key}", source_ids=(f"take-{key}",), component="",
        segments=(Segment(0.16, 0.48, Modality.VIDEO),) if fake else (), mask=paths.mask if fake else None,
        tracks=paths.tracks, fps=FPS, n_frames=FRAMES, width=SIZE, height=SIZE, sample_rate=RATE,
        n_samples=len(times), rights=Rights("CC-BY-4.0", "given"),
        mask_sha256=sha256_file(folder / paths.mask) if fake else "",
        tracks_sha256=sha256_file(folder / paths.tracks),
    )  # fmt: skip


def _row(clip: Clip) -> dict[str, Any]:
    return {
        "id": clip.id, "job": content_id("job", clip.id), "split": clip.split, "sha256": clip.sha256,
        "kind": clip.kind, "generator": clip.generator, "output_licence": "", "params": "{}",
        "seed": RECIPE["seed"], "take": clip.source_ids[0],
        "parents": [{"role": "target", "key": clip.source_ids[0], "sha256": "00", "start": 0.0, "end": 0.64}],
        "operations": ["decode", clip.generator, "encode"], "transcript": "the cat sat",
        "details": json.dumps({"edit_list": {"edits": []}, "argv": ["python", f"{SOURCES}/a.mp4"]}),
        "rights_override": "", "recipe_hash": "0123",
    }  # fmt: skip


def copy_of(data: Dataset, folder: Path) -> Path:
    """A copy whose media are links; tables and texts may be changed."""

    def link(source: str, target: str) -> None:
        if Path(source).suffix in (".mp4", ".mkv", ".npz"):
            os.link(source, target)
        else:
            shutil.copyfile(source, target)

    shutil.copytree(data.folder, folder, copy_function=link)
    return folder


def change_clips(folder: Path, change: Callable[[Clip], Clip], withheld: Sequence[str] = ()) -> Dataset:
    """Write the tables of a copy again, with clips changed; `withheld` also goes into build.json."""
    write_tables(folder, [change(clip) for clip in Dataset.open(folder).rows], withheld)
    change_build(folder, withheld=list(withheld))
    return Dataset.open(folder)


def change_build(folder: Path, **fields: Any) -> None:
    """Change fields of build.json."""
    text = json.loads((folder / BUILD_FILE).read_text()) | fields
    (folder / BUILD_FILE).write_text(json.dumps(text))


def change_provenance(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the rows of provenance.parquet."""
    rows = [change(row) for row in read_table(folder / PROVENANCE)]
    write_table(folder / PROVENANCE, rows, schema(PROVENANCE_COLUMNS))


def renamed(folder: Path, clip: Clip, name: str) -> Clip:
    """A clip under another id, its files moved along."""
    paths = clip_paths(clip.split, name, 0)
    moves = ((clip.file, paths.file), (clip.mask, paths.mask), (clip.tracks, paths.tracks))
    for old, new in moves:
        if old is not None:
            (folder / new).parent.mkdir(parents=True, exist_ok=True)
            (folder / old).rename(folder / new)
    return replace(
        clip, id=name, file=paths.file, mask=paths.mask if clip.mask else None,
        tracks=paths.tracks if clip.tracks else None,
    )  # fmt: skip
