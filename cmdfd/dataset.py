"""A data set on disk: open, choose from, write and verify. The layout is that of a Hugging Face VideoFolder.

```
DIR/build.json                    what it was made from and how; written last, so its presence means finished
DIR/<split>/videos/000/<id>.mp4   clips, at most 1000 in a folder
DIR/<split>/metadata.parquet      one row for each clip: file_name, technical facts, labels unless withheld
DIR/<split>/labels.parquet        labels, identities, segments
DIR/masks/000/<id>.mkv            changed pixels, lossless grey, only of clips that have some
DIR/tracks/000/<id>.npz           face points
DIR/provenance.parquet, stages.parquet, refused.parquet, journal.jsonl
```
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from cmdfd.clip import SPLITS, Clip
from cmdfd.errors import CmdfdError, nearest
from cmdfd.tables import (
    LABEL_COLUMNS,
    LABELS,
    METADATA,
    clip_of,
    content_hash,
    manifest_row,
    read_table,
    write_tables,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = [
    "BUILD_FILE",
    "FILES_PER_FOLDER",
    "FORMAT_VERSION",
    "BuildFile",
    "Dataset",
    "DatasetError",
    "clip_paths",
    "write_tables",
]

#: 2: provenance names the job of every clip. 3: scene, platform and original of a clip, hashes of
#: masks and tracks; masks have soft edges. 4: `build.json` tells a limit that left people out; repairs stand in the
#: provenance; clips that were withdrawn have tombstones.
FORMAT_VERSION = 4
_READABLE = (1, 2, 3, 4)
BUILD_FILE = "build.json"
#: The Hub refuses folders of more than 10 000 entries; its advice is fewer.
FILES_PER_FOLDER = 1000
_MAX_PROBLEMS = 10


class DatasetError(CmdfdError):
    """A data set that cannot be opened, or does not hold what its tables say."""


class BuildFile(BaseModel):
    """`build.json`: what a data set was made from. Holds no times and no hosts; those are in `journal.jsonl`.

    Args:
        format_version: Version of the layout.
        name: Name of the set.
        recipe: The resolved recipe.
        recipe_hash: Content address of everything that decides the bytes of the set.
        versions: Package and codec versions that took part.
        encoder: Encoder settings of the clips.
        counts: split -> kind -> clips.
        refused: Reason code -> planned clips or files that were not made.
        withheld: Splits whose labels stay at home.
        audit: Summary of the audit gate, or None where it was switched off.
        notes: Anything a reader must know.
        limit: `--limit` of the build, where it left people out; the recipe alone would plan more clips. Not written
            where it is None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int
    name: str
    recipe: dict[str, Any]
    recipe_hash: str
    versions: dict[str, str]
    encoder: dict[str, Any]
    counts: dict[str, dict[str, int]]
    refused: dict[str, int]
    withheld: list[str] = []
    audit: dict[str, Any] | None = None
    notes: list[str] = []
    limit: int | None = None

    def to_json(self) -> str:
        """Text of the file: sorted keys, no NaN."""
        fields = self.model_dump(exclude={"limit"} if self.limit is None else None)
        return json.dumps(fields, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True, slots=True)
class ClipPaths:
    """Where the files of a clip lie, relative to the data set's folder."""

    file: str
    mask: str
    tracks: str


def clip_paths(split: str, clip_id: str, index: int, suffix: str = ".mp4") -> ClipPaths:
    """Places of a clip's files.

    Args:
        split: Its split.
        clip_id: Its id.
        index: Its rank among the ids of its split; decides the sub-folder.
        suffix: Of the container.
    """
    shard = f"{index // FILES_PER_FOLDER:03d}"
    return ClipPaths(
        file=f"{split}/videos/{shard}/{clip_id}{suffix}",
        mask=f"masks/{shard}/{clip_id}.mkv",
        tracks=f"tracks/{shard}/{clip_id}.npz",
    )


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `Dataset.verify` looked at, and what a reader must know of it."""

    n_clips: int
    n_files: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set on disk; open it with `Dataset.open`.

    Args:
        folder: Where it lies.
        build: Its `build.json`.
        rows: All clips, by split in the Hub's order, then by id.
    """

    folder: Path
    build: BuildFile
    rows: tuple[Clip, ...]
    _by_id: Mapping[str, Clip] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path | str) -> Dataset:
        """Open a finished data set.

        Raises:
            DatasetError: If there is none, it is not finished, or its tables are not those of this format.
        """
        folder = Path(folder)
        build = _read_build(folder)
        clips: list[Clip] = []
        for split in SPLITS:
            clips.extend(_read_split(folder, split, withheld=split in build.withheld))
        by_id = {clip.id: clip for clip in clips}
        if len(by_id) != len(clips):
            seen: set[str] = set()
            twice = sorted({clip.id for clip in clips if clip.id in seen or seen.add(clip.id)})  # type: ignore[func-returns-value]
            raise DatasetError(f"{folder}: clip ids stand for several clips: {', '.join(twice[:3])}")
        return cls(folder, build, tuple(clips), by_id)

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.build.name

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that have clips, in the Hub's order."""
        present = {clip.split for clip in self.rows}
        return tuple(split for split in SPLITS if split in present)

    @property
    def manifest_sha256(self) -> str:
        """Hash of everything that the metadata and label tables say, file hashes included."""
        return content_hash(manifest_row(clip) for clip in self.rows)

    def clips(self, split: str | None = None) -> tuple[Clip, ...]:
        """Clips of one split, or all, sorted by id inside a split.

        Raises:
            DatasetError: For a split that the set does not have.
        """
        if split is None:
            return self.rows
        if split not in self.splits:
            raise DatasetError(f"{self.name!r} has no split {split!r}: {nearest(split, self.splits)}")
        return tuple(clip for clip in self.rows if clip.split == split)

    def clip(self, clip_id: str) -> Clip:
        """One clip by id.

        Raises:
            DatasetError: If there is none.
        """
        try:
            return self._by_id[clip_id]
        except KeyError:
            raise DatasetError(f"{self.name!r} has no clip {clip_id!r}") from None

    def select(
        self,
        split: str | None = None,
        *,
        kinds: Collection[str] | None = None,
        components: Collection[str] | None = None,
        ids: Collection[str] | None = None,
    ) -> tuple[Clip, ...]:
        """Clips that meet every condition that is given."""
        return tuple(
            clip
            for clip in self.clips(split)
            if (kinds is None or clip.kind in kinds)
            and (components is None or clip.component in components)
            and (ids is None or clip.id in ids)
        )

    def path_of(self, clip: Clip) -> Path:
        """Media file of a clip.

        Raises:
            DatasetError: If its path leaves the data set's folder.
        """
        return self._inside(clip.file)

    @property
    def lacks_masks(self) -> bool:
        """Whether clips have masks, but the folder of masks did not come along."""
        return not (self.folder / "masks").is_dir() and any(clip.mask for clip in self.rows)

    def mask_of(self, clip: Clip) -> Path | None:
        """Mask of a clip, or None where no pixels were changed or masks are withheld."""
        return None if clip.mask is None else self._inside(clip.mask)

    def track_of(self, clip: Clip) -> Path | None:
        """Face track of a clip, or None where no face was found."""
        return None if clip.tracks is None else self._inside(clip.tracks)

    def _inside(self, relative: str) -> Path:
        parts = PurePosixPath(relative)
        path = self.folder / relative
        if parts.is_absolute() or ".." in parts.parts or not path.resolve().is_relative_to(self.folder.resolve()):
            raise DatasetError(f"{self.folder}: path {relative!r} leaves the data set's folder")
        return path

    def verify(self) -> VerifyReport:
        """Check that the set holds what its tables say.

        Every file's SHA-256, existence of masks and tracks, files that no table names, counts, labels against
        kinds and segments, and that no person, recording or file is in two splits. A set with withheld splits may
        come without any masks, which would tell their labels; the report then says so in `notes`.

        Raises:
            DatasetError: Naming up to ten problems.
        """
        from cmdfd.soundness import problems_of

        found = problems_of(self)
        if found.problems:
            texts = [one.text for one in found.problems]
            more = f"\n... and {len(texts) - _MAX_PROBLEMS} more" if len(texts) > _MAX_PROBLEMS else ""
            lines = "\n".join(texts[:_MAX_PROBLEMS])
            raise DatasetError(f"{self.folder}: {len(texts)} problems\n{lines}{more}")
        return VerifyReport(len(self.rows), found.n_files, found.notes)


def media_files(folder: Path) -> list[str]:
    """Media, masks and tracks that lie in a data set's folder, sorted, relative to it."""
    roots = [*(folder / split / "videos" for split in SPLITS), folder / "masks", folder / "tracks"]
    return sorted(
        path.relative_to(folder).as_posix() for root in roots for path in root.rglob("*") if not path.is_dir()
    )


def _read_build(folder: Path) -> BuildFile:
    path = folder / BUILD_FILE
    if not path.is_file():
        if (folder / ".takedown").is_dir():
            raise DatasetError(f"{folder}: a takedown was stopped here; give the same command again to finish it")
        if (folder / ".work").is_dir():
            raise DatasetError(f"{folder}: the build is not finished; give the same build command again to go on")
        raise DatasetError(f"{folder}: no data set here (there is no {BUILD_FILE}); see python -m generators.build")
    try:
        data = json.loads(path.read_text("utf-8"))
        if isinstance(data, dict) and data.get("format_version") not in _READABLE:
            raise DatasetError(
                f"{path}: format version {data.get('format_version')!r}; this program reads "
                f"{' and '.join(map(str, _READABLE))}"
            )
        return BuildFile.model_validate(data)
    except (ValueError, ValidationError) as error:
        raise DatasetError(f"{path}: not a build file: {error}") from error


def _read_split(folder: Path, split: str, *, withheld: bool) -> Iterable[Clip]:
    path = folder / split / METADATA
    if not path.is_file():
        return []
    try:
        rows = read_table(path)
        labels_path = folder / split / LABELS
        if withheld and labels_path.is_file():
            labels = {row["id"]: row for row in read_table(labels_path)}
            rows = [{**row, **{name: labels[row["id"]][name] for name in LABEL_COLUMNS}} for row in rows]
        clips = [clip_of(split, row) for row in rows]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DatasetError(f"{path}: not a table of this format: {type(error).__name__}: {error}") from error
    hidden = [replace(clip, mask=None) for clip in clips] if withheld and not (folder / "masks").is_dir() else clips
    return sorted(hidden, key=lambda clip: clip.id)
