"""A set that was built here, with everything that its tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.target import Target
from cmdfd.audit.targets.values import text_type
from cmdfd.dataset import BUILD_FILE, Dataset
from cmdfd.errors import CmdfdError, nearest
from cmdfd.tables import PROVENANCE, STAGES

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from cmdfd.audit.targets.options import TargetOptions
    from cmdfd.clip import Clip

_LABELS = ("label", "audio_label", "video_label", "sync_mismatch", "identity_mismatch")


def is_built_set(folder: Path) -> bool:
    """Whether a folder is a set built here, or one whose build is not finished."""
    return (folder / BUILD_FILE).is_file() or (folder / ".work").is_dir()


def open_built_set(folder: Path, options: TargetOptions) -> Target:
    """Open a built set.

    Raises:
        CmdfdError: If it is not finished or broken, or an option is given that only tables have.
    """
    import pandas as pd

    if options.named or options.fake_values:
        said = ", ".join(options.named) or "--fake-values"
        raise CmdfdError(f"{str(folder)!r} is a built set and says its labels itself; leave out {said}")
    dataset = Dataset.open(folder)
    if options.split is not None and options.split not in dataset.splits:
        raise CmdfdError(f"--split: there is no split {options.split!r}: {nearest(options.split, dataset.splits)}")
    notes: list[str] = []
    chosen = dataset.clips(options.split)
    if not chosen:
        raise CmdfdError(f"{str(folder)!r}: the set holds no clips")
    takes = _takes(folder, notes)
    clips = pd.DataFrame([_row(dataset, clip, takes) for clip in chosen])
    for name in clips.columns:
        if name in _LABELS:
            clips[name] = clips[name].astype("float64")
        elif name not in ("source_ids", "segments", "seconds"):
            clips[name] = clips[name].fillna("").astype(text_type())
    lonely = (clips["component"] == "").to_numpy(dtype=bool)
    clips["component"] = clips["component"].where(~lonely, "clip:" + clips["id"])
    stages = _stages(folder, notes)
    notes += _notes(dataset, chosen, clips, int(lonely.sum()))
    return Target(dataset.name, "built set", clips, folder, tuple(notes), (), {}, stages)


def _row(dataset: Dataset, clip: Clip, takes: dict[str, str]) -> dict[str, Any]:
    mask, track = dataset.mask_of(clip), dataset.track_of(clip)
    labels = clip.labels
    return {
        "id": clip.id,
        "label": labels.label,
        "component": clip.component,
        "generator": clip.generator if labels.label == 1 else "",
        "split": clip.split,
        "modality": _modality(clip),
        "platform": clip.platform,
        "file": clip.file,
        "path": str(dataset.path_of(clip).resolve()),
        "original": clip.original,
        "face_id": clip.face_id,
        "voice_id": clip.voice_id,
        "source_ids": clip.source_ids,
        "audio_label": labels.audio_label,
        "video_label": labels.video_label,
        "sync_mismatch": labels.sync_mismatch,
        "identity_mismatch": labels.identity_mismatch,
        "segments": tuple((one.start, one.end, str(one.modality)) for one in clip.segments),
        "seconds": clip.duration,
        "kind": clip.kind,
        "variant": clip.variant,
        "scene": clip.scene,
        "take": takes.get(clip.original or clip.id, ""),
        "mask_path": "" if mask is None or dataset.lacks_masks else str(mask.resolve()),
        "tracks_path": "" if track is None else str(track.resolve()),
    }


def _modality(clip: Clip) -> str:
    """Which streams were changed: by the forged stretches, which also know moved or swapped genuine sound."""
    if clip.labels.label != 1:
        return ""
    streams = {str(one.modality) for one in clip.segments}
    if not streams:
        streams = {name for name in ("audio", "video") if getattr(clip.labels, f"{name}_label") == 1}
    return "audiovisual" if len(streams) > 1 else next(iter(streams), "")


def _takes(folder: Path, notes: list[str]) -> dict[str, str]:
    """Take of every clip: a fake and its real share one, so they are a pair."""
    import pyarrow.parquet as pq

    path = folder / PROVENANCE
    if not path.is_file():
        notes.append("there is no provenance table, so pairs of a fake and its real are not known")
        return {}
    try:
        table = pq.read_table(path, columns=["id", "take"], partitioning=None)
    except (OSError, ValueError, KeyError) as error:
        notes.append(f"{PROVENANCE} cannot be read, so pairs of a fake and its real are not known: {error}")
        return {}
    return dict(zip(table.column("id").to_pylist(), table.column("take").to_pylist(), strict=True))


def _stages(folder: Path, notes: list[str]) -> pd.DataFrame | None:
    import pandas as pd

    path = folder / STAGES
    if not path.is_file():
        return None
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        notes.append(f"{STAGES} cannot be read, so there is no lineage of cues: {error}")
        return None


def _notes(dataset: Dataset, chosen: tuple[Clip, ...], clips: pd.DataFrame, lonely: int) -> list[str]:
    notes = [f"a set built here: {len(chosen)} clips, {clips['component'].nunique()} components"]
    if lonely:
        notes.append(f"{lonely} clips have no component (it is withheld) and count as components of their own")
    hidden = int(clips["label"].isna().sum())
    if hidden:
        notes.append(
            f"{hidden} clips have no label: the set withholds {', '.join(dataset.build.withheld) or 'them'}; put "
            f"labels.parquet beside metadata.parquet to audit them"
        )
    versions = sorted({clip.platform for clip in chosen if clip.platform})
    if versions:
        notes.append(f"clips as platforms leave them are kept apart: {', '.join(versions)}")
    return notes
