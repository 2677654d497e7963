"""Tiny sets to be documented: true tables, stand-ins for media, and an audit whose numbers are known."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cmdfd.audit.check import Check
from cmdfd.audit.finding import Finding, Probe, Rule
from cmdfd.audit.records import AuditReport, Comparison, Controls, Floor
from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment, content_id, sha256_file
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, BuildFile, Dataset, clip_paths
from cmdfd.publish.records import Checked, Staged, StagedFile
from cmdfd.splits import Identity, components
from cmdfd.tables import PROVENANCE, schema, write_table, write_tables

FPS, RATE, FRAMES = 25.0, 16000, 75
_PROVENANCE = {
    "id": "string", "generator": "string", "generator_version": "int32", "generator_licence": "string",
    "output_licence": "string", "operations": "strings", "known_cues": "strings", "watermark": "string",
    "transcript": "string", "rights_override": "string",
}  # fmt: skip


@dataclass(frozen=True)
class Fake:
    """One kind of fake."""

    kind: str
    labels: Labels
    generator: str
    segments: tuple[Segment, ...]
    variants: tuple[str, ...] = ("",)
    mask: bool = False
    licence: str = "MIT"
    watermark: str = ""


WHOLE = (Segment(0.0, 3.0, Modality.AUDIO),)
SWAP = Fake("audio/swap", Labels(1, 0, 0, 1, 0), "audio/swap", WHOLE, ("80 ms", "160 ms", "40 ms"))
PART = Fake("face/part", Labels(1, 0, 1, 0, 1), "face_part", (Segment(0.5, 1.5, Modality.VIDEO),), mask=True)
#: Everything that breaks tables, front matter, HTML, links or templates.
HOSTILE = (
    "{{ 7*7 }}{% raw %}|a|<script>alert(1)</script>[x](http://e.vil)\n---\n"
    "# b: *c* \u202e`d` @me \x1b[31m${HOME} '\"!!python"
)


def write_set(
    folder: Path,
    *,
    name: str = "toy-set",
    fakes: Sequence[Fake] = (SWAP, PART),
    splits: Sequence[str] = ("train", "test"),
    people: int = 3,
    withheld: Sequence[str] = (),
    rights: Sequence[Rights] = (Rights("CC-BY-4.0", "given"), Rights("CC0-1.0", "given")),
    sham: bool = True,
    override: str = "",
    talkers: bool = False,
    only: dict[str, str] | None = None,
    notes: Sequence[str] = (),
    versions: Sequence[str] = (),
    sent: int | None = None,
) -> Dataset:
    """A set with three variants at most of each kind for every person; `only` gives the one split of a kind.

    The first `sent` clips, or all, have a version for each platform of `versions`.
    """
    clips: list[Clip] = []
    rows: list[dict[str, Any]] = []
    for split in splits:
        for person in range(people):
            made: list[tuple[Fake | None, str]] = [(None, ""), *([(None, "sham")] if sham else [])]
            made += [
                (fake, one) for fake in fakes for one in fake.variants if (only or {}).get(fake.kind, split) == split
            ]
            for fake, variant in made:
                clips.append(_clip(folder, split, person, fake, variant, rights[person % len(rights)]))
                rows.append(_row(clips[-1], fake, variant, override))
    for clip in clips[: len(clips) if sent is None else sent] if versions else ():
        for platform in versions:
            clips.append(_version(folder, clip, platform))
            rows.append(next(row for row in rows if row["id"] == clip.id) | {"id": clips[-1].id})
    groups = components([Identity(one.face_id, one.voice_id, one.source_ids) for one in clips])
    clips = [replace(clip, component=group) for clip, group in zip(clips, groups, strict=True)]
    counts: dict[str, dict[str, int]] = {}
    for clip in clips:
        of_split = counts.setdefault(clip.split, {})
        of_split[clip.kind] = of_split.get(clip.kind, 0) + 1
    build = BuildFile(
        format_version=FORMAT_VERSION, name=name,
        recipe={"name": name, "seed": 4242, "source": {"kind": "talkers" if talkers else "folder"}},
        recipe_hash="c0ffee00c0ffee00c0ffee00c0ffee00", versions={"cmdfd": "0.1.0"},
        encoder={"container": "mp4", "crf": [18, 23], "gop": 25}, counts=counts, refused={"no_face": 2},
        withheld=list(withheld), audit=None, notes=list(notes),
    )  # fmt: skip
    write_tables(folder, clips, withheld)
    write_table(folder / PROVENANCE, rows, schema(_PROVENANCE))
    (folder / BUILD_FILE).write_text(build.to_json(), "utf-8")
    return Dataset.open(folder)


def _clip(folder: Path, split: str, person: int, fake: Fake | None, variant: str, rights: Rights) -> Clip:
    clip_id = content_id(split, person, fake.kind if fake else "real", variant)
    paths = clip_paths(split, clip_id, 0)
    mask = paths.mask if fake is not None and fake.mask else None
    for path in (paths.file, *([mask] if mask else [])):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(f"{path} stands in for media".encode())
    return Clip(
        id=clip_id, split=split, file=paths.file, sha256=sha256_file(folder / paths.file),
        labels=fake.labels if fake else REAL, kind=fake.kind if fake else "real", variant=variant if fake else "",
        generator=fake.generator if fake else "sham", face_id=f"{split}-p{person}", voice_id=f"{split}-v{person}",
        source_ids=(f"{split}-rec{person}",), component="", segments=fake.segments if fake else (), mask=mask,
        tracks=None, fps=FPS, n_frames=FRAMES, width=224, height=224, sample_rate=RATE, n_samples=3 * RATE,
        rights=rights, mask_sha256=sha256_file(folder / mask) if mask else "",
    )  # fmt: skip


def _version(folder: Path, clip: Clip, platform: str) -> Clip:
    clip_id = content_id("version", clip.id, platform)
    paths = clip_paths(clip.split, clip_id, 0)
    (folder / paths.file).write_bytes(f"{platform} of {clip.file}".encode())
    return replace(
        clip, id=clip_id, file=paths.file, sha256=sha256_file(folder / paths.file), platform=platform, original=clip.id,
        mask=None, mask_sha256="",
    )  # fmt: skip


def _row(clip: Clip, fake: Fake | None, variant: str, override: str) -> dict[str, Any]:
    step = clip.generator if fake else ("face_part (sham)" if variant == "sham" else "sham")
    return {
        "id": clip.id, "generator": clip.generator, "generator_version": 3,
        "generator_licence": fake.licence if fake else "Apache-2.0", "output_licence": "",
        "operations": ["decode", step, "harmonise", "encode"], "known_cues": ["blurred | mouth"] if fake else [],
        "watermark": fake.watermark if fake else "", "transcript": f"Said by {clip.face_id}.",
        "rights_override": override,
    }  # fmt: skip


def staged_of(dataset: Dataset, folder: Path, layout: Any = "videofolder") -> Staged:
    """A stand-in for the public copy: no labels, masks and provenance of withheld splits."""
    hidden = set(dataset.build.withheld)
    public = folder if layout == "videofolder" else folder.with_name(f"{folder.name}-files")
    shutil.copytree(dataset.folder, public)
    for clip in dataset.rows:
        if clip.split in hidden and clip.mask:
            (public / clip.mask).unlink(missing_ok=True)
    for split in hidden:
        (public / split / "labels.parquet").unlink()
        (public / PROVENANCE).unlink(missing_ok=True)
    if layout != "videofolder":
        from importlib import import_module

        import_module(f"cmdfd.publish.formats.{layout}").write(Dataset.open(public), folder)
    return Staged(folder, dataset.name, layout, files_of(folder), (), tuple(dataset.build.withheld))


def files_of(folder: Path) -> tuple[StagedFile, ...]:
    """What `staged_files` gives."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    read = [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths]
    return tuple(StagedFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in read)


def finding(cue: str, auc: float, analysis: str = "all", **changes: Any) -> Finding:
    """A finding with a known number; flagged from .6 on."""
    shown = auc >= 0.6
    fields: dict[str, Any] = {
        "cue": cue, "title": f"the {cue.split('.')[1]}", "unit": "s", "cue_kind": "nuisance", "analysis": analysis,
        "view": "value", "rank": Probe("rank", auc, auc - 0.0371, auc + 0.0412, 0.31), "tree": None,
        "p": 0.0042 if shown else 0.371, "p_single": 0.01, "p_holm": 0.1, "p_bh": 0.1,
        "severity": "low" if shown else "none", "higher_in_fakes": True,
        "rule": Rule("above 0.0313 s", 0.0313, True, 0.9, 0.1) if shown else None, "marker": None,
        "typical": "median 0.04 s in fakes", "n": 30, "n_missing": 0, "remedy": "crop", "fix": "crop",
    }  # fmt: skip
    return Finding(**{**fields, **changes})


def report_of(dataset: Dataset, **changes: Any) -> AuditReport:
    """An audit with numbers that nothing else on the card has."""
    labels = [clip.labels.label for clip in dataset.rows]
    n_real, n_fake = labels.count(0), labels.count(1)
    kinds = sorted({clip.generator for clip in dataset.rows if clip.labels.label == 1})
    by = [("", ""), *[("generator", kind) for kind in kinds], *[("split", split) for split in dataset.splits]]
    names = ["all" if not one else f"{one}: {level}" for one, level in by]
    fields: dict[str, Any] = {
        "name": dataset.name, "kind": "built set", "notes": (f"read from {dataset.folder}",),
        "checks": (Check("split.duplicate", "low", "2 clips are alike.", 2, ("clip-x", "clip-y"), "look"),),
        "findings": (
            finding("silence.lead_5e-4", 0.6131), finding("rate.file_size", 0.5567, cue_kind="debatable"),
            finding("level.lufs", 0.5219), *(finding("rate.video", 0.5, name) for name in names[1:]),
        ),
        "comparisons": tuple(
            Comparison(name, one, level, n_real, n_fake, 6, 999, True, "paired")
            for name, (one, level) in zip(names, by, strict=True)
        ),
        "constant": ("time.fps",), "not_measured": (), "unread": (), "n_real": n_real, "n_fake": n_fake,
        "n_components": 6, "n_unlabelled": 0,
        "floor": Floor(("silence.lead_5e-4",), Probe("tree", 0.5873, 0.5111, 0.6622), 0.0042, ()),
        "conditional": (), "splits": (), "controls": Controls(5, 0, 0.7321, 4, ((0.7, 0.8),)), "lineage": (),
        "depth": "full", "settings": {"seed": 3, "plugins": [str(dataset.folder / "own.py")]},
        "versions": {"cmdfd": "0.1.0"},
    }  # fmt: skip
    return AuditReport(**{**fields, **changes})


def checked_of(dataset: Dataset, **changes: Any) -> Checked:
    """Checks that found nothing."""
    return replace(Checked((), report_of(dataset), ("only 6 components",)), **changes)
