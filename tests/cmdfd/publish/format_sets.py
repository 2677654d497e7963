"""Tiny sets for the layouts: true tables, media of random bytes; and what `load_dataset` makes of a folder."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment, sha256_file
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, BuildFile, Dataset, clip_paths, write_tables
from cmdfd.publish.formats import MEDIA_COLUMN, data_files, dataset_info, parquet, webdataset
from cmdfd.publish.records import Format
from cmdfd.tables import METADATA, read_table

FAKE = Labels(1, None, 1, 0, None)
SPANS = (Segment(0.1, 0.30000000000000004, Modality.VIDEO), Segment(0.5, 0.7, Modality.BOTH))


def clip(number: int, split: str = "test", **changes: Any) -> Clip:
    """A clip without files; every third is fake with a mask, every second has a track."""
    fake = number % 3 == 0
    known = Clip(
        id=f"{number:04x}{hashlib.sha256(f'{split}{number}'.encode()).hexdigest()[:8]}", split=split, file="",
        sha256="",
        labels=FAKE if fake else REAL, kind="lips/ünï·字" if fake else "real", variant="a 'b' \"c\"\n" if fake else "",
        generator="gen" if fake else "", face_id=f"{split}-p{number}", voice_id=f"{split}-v{number}",
        source_ids=(f"{split}-s{number}",), component=f"{split}-c{number}", segments=SPANS if fake else (),
        mask="yes" if fake else None, tracks="yes" if number % 2 else None, fps=25.0, n_frames=50, width=64, height=48,
        sample_rate=16000, n_samples=32000, rights=Rights("CC0-1.0", "given"),
    )  # fmt: skip
    return replace(known, **changes)


def write_set(folder: Path, clips: Sequence[Clip], withheld: Sequence[str] = (), suffix: str = ".mp4") -> Dataset:
    """Write a public set: media, masks and tracks of random bytes; withheld splits have no masks and no label table."""
    placed = []
    for index, one in enumerate(sorted(clips, key=lambda c: c.id)):
        paths = clip_paths(one.split, one.id, index, suffix)
        chance = random.Random(one.id)
        mask = paths.mask if one.mask and one.split not in withheld else None
        tracks = paths.tracks if one.tracks else None
        for name in filter(None, (paths.file, mask, tracks)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(chance.randbytes(chance.randint(300, 3000)))
        placed.append(replace(one, file=paths.file, sha256=sha256_file(folder / paths.file), mask=mask, tracks=tracks))
    write_tables(folder, placed, withheld)
    for split in withheld:
        (folder / split / "labels.parquet").unlink(missing_ok=True)
    counts: dict[str, dict[str, int]] = {}
    for one in placed:
        of_split = counts.setdefault(one.split, {})
        of_split[one.kind] = of_split.get(one.kind, 0) + 1
    build = BuildFile(
        format_version=FORMAT_VERSION, name="tiny", recipe={}, recipe_hash="0", versions={}, encoder={}, counts=counts,
        refused={}, withheld=list(withheld),
    )  # fmt: skip
    (folder / BUILD_FILE).write_text(build.to_json())
    return Dataset.open(folder)


def lay_out(public: Dataset, out: Path, layout: Format, **sizes: int) -> Path:
    """The set in a layout, with a card that holds nothing but what loading needs."""
    if layout == "videofolder":
        shutil.copytree(public.folder, out, dirs_exist_ok=True)
    else:
        (webdataset if layout == "webdataset" else parquet).write(public, out, **sizes)
    return with_card(public, out, layout)


def with_card(public: Dataset, out: Path, layout: Format) -> Path:
    """The folder with a card that holds nothing but what loading needs."""
    files = [{"split": split, "path": paths} for split, paths in data_files(layout, public.splits).items()]
    front: dict[str, Any] = {"configs": [{"config_name": "default", "default": True, "data_files": files}]}
    if info := dataset_info(layout, public):
        front["dataset_info"] = info
    with (out / "README.md").open("w", encoding="utf-8") as stream:
        stream.write("---\n")
        YAML().dump(front, stream)
        stream.write("---\n")
    return out


def loaded(folder: Path, layout: Format, cache: Path, *, streaming: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(split, SHA-256 of the media, columns of the table) of every row that `load_dataset` gives."""
    import datasets

    datasets.disable_progress_bars()
    found = datasets.load_dataset(str(folder), streaming=streaming, cache_dir=str(cache))
    column = MEDIA_COLUMN[layout]
    for split in found:
        for row in found[split].cast_column(column, datasets.Video(decode=False)):
            media = row.pop(column)
            data = Path(media["path"]).read_bytes() if media["bytes"] is None else media["bytes"]
            columns = row["json"] if layout == "webdataset" else row
            if layout == "videofolder":
                columns["file_name"] = Path(media["path"]).relative_to(folder / split).as_posix()
            yield split, hashlib.sha256(data).hexdigest(), columns


def at_home(public: Dataset) -> Mapping[tuple[str, str], tuple[str, dict[str, Any]]]:
    """(split, id) -> (SHA-256 of its file's bytes, row of its table)."""
    return {
        (split, row["id"]): (hashlib.sha256((public.folder / split / row["file_name"]).read_bytes()).hexdigest(), row)
        for split in public.splits
        for row in read_table(public.folder / split / METADATA)
    }
