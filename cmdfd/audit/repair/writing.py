"""The tables of a repaired set."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cmdfd.audit.repair.carried import Carried, carry
from cmdfd.audit.repair.fates import split_folder
from cmdfd.audit.repair.measured import missing, numbers, texts
from cmdfd.audit.repair.recipe import Crop, Harmonise
from cmdfd.clip import SPLITS, Clip, content_id
from cmdfd.report.text import clean
from cmdfd.tables import METADATA, schema, write_table, write_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from cmdfd.audit.repair.fates import Fate
    from cmdfd.audit.repair.recipe import Repair
    from cmdfd.audit.targets.target import Target

FATES_FILE = "repair.parquet"
FATE_COLUMNS = {
    "row": "int64", "id": "string", "file": "string", "label": "int8", "kept": "bool", "step": "string",
    "reason": "string", "split_before": "string", "split": "string", "start": "double", "seconds": "double",
    "new_id": "string", "source_sha256": "string", "file_name": "string", "sha256": "string",
}  # fmt: skip
_ALWAYS = {
    "file_name": "string", "id": "string", "label": "int8", "split": "string", "component": "string",
    "generator": "string", "modality": "string", "segments": "segments",
}  # fmt: skip
_TEXTS = ("platform", "original", "face_id", "voice_id", "text", "language")
_NUMBERS = ("audio_label", "video_label")


@dataclass(frozen=True, slots=True)
class Made:
    """A clip that was written: what was asked, and what came of it."""

    asked: Mapping[str, Any]
    came: Mapping[str, Any]

    @property
    def files(self) -> list[str]:
        """Files of the clip, relative to the new set."""
        sides = [self.asked[f"{name}_out"] for name in ("mask", "tracks") if f"{name}_sha256" in self.came]
        return [self.asked["out"], *sides]


def write_set(
    out: Path,
    repair: Repair,
    target: Target,
    frame: pd.DataFrame,
    found: Sequence[Fate],
    made: Mapping[int, Made],
    built: Mapping[str, Clip],
) -> None:
    """Write the tables of a set with media; `repair.parquet` comes last.

    Args:
        out: Folder of the new set.
        repair: The recipe.
        target: The old set.
        frame: Its clips.
        found: Their fates.
        made: Row -> what was written.
        built: Clips of a set that was built here, by old id.
    """
    kept = [fate for fate in found if fate.kept]
    _remove_old_tables(out, {split_folder(fate.split) for fate in kept})
    names = {fate.id: fate.new_id for fate in kept}
    if built and all(fate.id in built for fate in kept):
        _write_built(out, repair, target, kept, made, built, names)
    else:
        _write_folder(out, frame, kept, made, names)
    write_fates(out, found, made)


def _remove_old_tables(out: Path, folders: set[str]) -> None:
    for path in sorted(out.iterdir()):
        if path.is_dir() and path.name not in folders and (path / METADATA).is_file():
            shutil.rmtree(path)


def _write_folder(
    out: Path, frame: pd.DataFrame, kept: Sequence[Fate], made: Mapping[int, Made], names: Mapping[str, str]
) -> None:
    columns = _columns(frame)
    by_folder: dict[str, list[dict[str, Any]]] = {}
    labels = {name: numbers(frame, name) for name in _NUMBERS}
    words = {name: texts(frame, name) for name in ("component", "generator", "modality", *_TEXTS)}
    sources = frame["source_ids"].tolist() if "source_ids" in frame.columns else []
    for fate in sorted(kept, key=lambda one: one.new_id):
        one, row = made[fate.row], fate.row
        folder = split_folder(fate.split)
        values: dict[str, Any] = {name: encodable(cells[row]) for name, cells in words.items()}
        values["original"] = names.get(words["original"][row], "")
        values |= {name: None if cells[row] != cells[row] else int(cells[row]) for name, cells in labels.items()}
        values |= {"id": fate.new_id, "label": fate.label, "split": encodable(fate.split)}
        values["file_name"] = one.asked["out"].removeprefix(f"{folder}/")
        values["segments"], values["seconds"] = one.came["segments"], one.came.get("seconds")
        values["source_ids"] = _sources(sources[row]) if sources else []
        by_folder.setdefault(folder, []).append({name: values.get(name) for name in columns})
    for folder, rows in by_folder.items():
        write_table(out / folder / METADATA, rows, schema(columns))


def _columns(frame: pd.DataFrame) -> dict[str, str]:
    """The columns that are always there, and those that the set has besides."""
    found = dict(_ALWAYS)
    found |= {name: "int8" for name in _NUMBERS if name in frame.columns}
    found |= {name: "string" for name in _TEXTS if any(texts(frame, name))}
    if "source_ids" in frame.columns:
        found["source_ids"] = "strings"
    return {**found, "seconds": "double"}


def _sources(value: Any) -> list[str]:
    if isinstance(value, str):
        return [encodable(value)] if value else []
    if isinstance(value, Iterable):
        return [encodable(str(one)) for one in value]
    return [] if missing(value) else [encodable(str(value))]


def encodable(text: str) -> str:
    """Text that UTF-8 can hold: names of files may have bytes that are none."""
    return text.encode("utf-8", "replace").decode()


def _write_built(
    out: Path,
    repair: Repair,
    target: Target,
    kept: Sequence[Fate],
    made: Mapping[int, Made],
    built: Mapping[str, Clip],
    names: Mapping[str, str],
) -> None:
    """Write a set that `Dataset.open` reads: the old one's rows with new files, windows and counts."""
    from cmdfd.cache import write_atomic
    from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, Dataset

    if target.root is None:
        raise ValueError("a built set has a folder")
    source = Dataset.open(target.root)
    old = source.build
    clips = [_clip(fate, built[fate.id], made[fate.row], names) for fate in kept]
    counts: dict[str, dict[str, int]] = {}
    for clip in sorted(clips, key=lambda one: (SPLITS.index(one.split), one.kind)):
        kinds = counts.setdefault(clip.split, {})
        kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
    write_tables(out, clips, withheld=old.withheld)
    recipe_hash = content_id(old.recipe_hash, repair.to_dict(), length=64)
    origins = [
        Carried(fate.id, clip, fate.source_sha256, fate.start or 0.0) for fate, clip in zip(kept, clips, strict=True)
    ]
    carry(out, repair, source, origins, recipe_hash)
    build = old.model_copy(
        update={
            "format_version": FORMAT_VERSION,
            "name": f"{old.name}-repaired",
            "recipe": {**old.recipe, "repair": repair.to_dict()},
            "recipe_hash": recipe_hash,
            "encoder": _encoder(old.encoder, repair),
            "counts": counts,
            "audit": None,
            "notes": [*old.notes, f"repaired: {', '.join(repair.names) or 'nothing'}", *repair.notes],
        }
    )
    write_atomic(out / BUILD_FILE, build.to_json().encode())


def _encoder(old: Mapping[str, Any], repair: Repair) -> dict[str, Any]:
    """What the set says of its common stage, which is the repair's where that wrote the files anew."""
    step, crop = repair.get(Harmonise), repair.get(Crop)
    if step is None:
        return dict(old)
    told = {**step.model_dump(mode="json", exclude={"step"}), "crf": [step.crf, step.crf]}
    return {**old, **told, **({"seconds": crop.seconds} if crop else {})}


def _clip(fate: Fate, old: Clip, one: Made, names: Mapping[str, str]) -> Clip:
    from cmdfd.audit.repair.segments import segments_of

    came, asked = one.came, one.asked
    shape = {
        name: came[name] for name in ("fps", "n_frames", "width", "height", "sample_rate", "n_samples") if name in came
    }
    return replace(
        old,
        id=fate.new_id,
        split=fate.split,
        file=asked["out"],
        sha256=came["sha256"],
        segments=segments_of(came["segments"]),
        mask=asked["mask_out"] if "mask_sha256" in came else None,
        mask_sha256=came.get("mask_sha256", ""),
        tracks=asked["tracks_out"] if "tracks_sha256" in came else None,
        tracks_sha256=came.get("tracks_sha256", ""),
        original=names.get(old.original, ""),
        **shape,
    )


def write_fates(out: Path, found: Sequence[Fate], made: Mapping[int, Made]) -> None:
    """Write `repair.parquet`: one row for each clip of the old set."""
    rows = []
    for fate in found:
        row = {**asdict(fate), "id": encodable(fate.id), "file": encodable(fate.file), "reason": clean(fate.reason)}
        row |= {"split": encodable(fate.split), "split_before": encodable(fate.split_before)}
        one = made.get(fate.row)
        row |= {"file_name": one.asked["out"] if one else None, "sha256": one.came["sha256"] if one else None}
        rows.append(row)
    write_table(out / FATES_FILE, rows, schema(FATE_COLUMNS))
