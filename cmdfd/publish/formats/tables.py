"""What all layouts share: the rows of a split in an order that tells nothing, shards by size, and all other files."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.clip import SPLITS
from cmdfd.errors import CmdfdError, MissingExtraError
from cmdfd.publish.records import Problem
from cmdfd.tables import LABELS, METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from cmdfd.dataset import Dataset

#: Where shards lie.
DATA = "data"
#: Columns with the files beside a clip, and the folder of each.
SIDES = {"mask": "masks", "tracks": "tracks"}


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One clip on its way into a shard.

    Args:
        row: Its row of `metadata.parquet`, withheld labels null.
        path: Its media file.
        size: Bytes of it.
    """

    row: dict[str, Any]
    path: Path
    size: int

    @property
    def id(self) -> str:
        """Id of the clip."""
        return str(self.row["id"])

    @property
    def suffix(self) -> str:
        """Extension of the media file, with the dot, in small letters."""
        return self.path.suffix.lower()


def features_of(schema: pa.Schema) -> Any:
    """`datasets.Features` of a table's columns, null ones and nested ones as the table types them."""
    return hub_datasets().Features.from_arrow_schema(schema.remove_metadata())


def hub_datasets() -> Any:
    """The package `datasets`.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("hub", "sets on the Hugging Face Hub") from error
    return datasets


def split_schema(public: Dataset) -> pa.Schema:
    """Columns of the set's `metadata.parquet`.

    Raises:
        CmdfdError: If splits have different ones.
    """
    import pyarrow.parquet as pq

    found = {split: pq.read_schema(public.folder / split / METADATA).remove_metadata() for split in public.splits}
    if not found:
        raise CmdfdError(f"{public.folder}: the set holds no clips")
    first, *others = found
    for split in others:
        if not found[split].equals(found[first]):
            raise CmdfdError(f"{public.folder}: {first} and {split} have different columns; build the set anew")
    return found[first]


def samples_of(public: Dataset, split: str) -> list[Sample]:
    """All clips of a split, in the order of a hash of their ids: shards and rows come in no order of class or person.

    Raises:
        CmdfdError: If a file is missing, or an id cannot be a name in a shard.
    """
    from cmdfd.tables import read_table

    refuse_labels(public)
    samples = []
    for row in read_table(public.folder / split / METADATA):
        name = str(row["id"])
        if not name or any(sign in name for sign in "./\\\0"):
            raise CmdfdError(f"{split}: the id {name!r} cannot name a member of a shard: no dots and slashes in ids")
        path = public.path_of(public.clip(name))
        if not path.is_file():
            raise CmdfdError(f"{split}/{row['file_name']}: missing")
        samples.append(Sample(row, path, path.stat().st_size))
    return sorted(samples, key=lambda one: hashlib.sha256(one.id.encode()).digest())


def refuse_labels(public: Dataset) -> None:
    """Stop where labels of a withheld split lie in what is to go public.

    Raises:
        CmdfdError: Naming the file.
    """
    for split in public.build.withheld:
        if (public.folder / split / LABELS).exists():
            fix = "publish the scrubbed copy, not the set itself"
            raise CmdfdError(Problem("withheld_label", f"{split}/{LABELS}", "its split is withheld", fix).text)


def shards(sizes: Sequence[int], limit: int) -> list[range]:
    """Cut a row of sizes into runs of at most `limit` in sum; a larger one stands alone."""
    runs: list[range] = []
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > limit:
            runs.append(range(start, index))
            start, total = index, 0
        total += size
    return [*runs, range(start, len(sizes))] if len(sizes) else []


def copy_rest(public: Dataset, out: Path) -> None:
    """Copy what no layout changes: labels, `build.json`, provenance and the like."""
    refuse_labels(public)
    for path in sorted(public.folder.rglob("*")):
        name = path.relative_to(public.folder)
        if path.is_file() and not _is_media(name) and not any(part.startswith(".") for part in name.parts):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out / name)


def _is_media(name: PurePosixPath | Path) -> bool:
    top = name.parts[0]
    return top in SIDES.values() or (top in SPLITS and (name.parts[1] == "videos" or name.name == METADATA))


def side_files(public: Dataset, samples: Iterable[Sample], column: str) -> list[tuple[str, Path]]:
    """(member, file) of the masks or tracks of a split that came along.

    Args:
        public: The set.
        samples: Clips of the split.
        column: "mask" or "tracks".
    """
    found = []
    for one in samples:
        if (relative := one.row.get(column)) is None:
            continue
        clip = public.clip(one.id)
        path = public.mask_of(clip) if column == "mask" else public.track_of(clip)
        if path is not None and path.is_file():
            found.append((one.id + PurePosixPath(relative).suffix, path))
    return found


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, which gets its name when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
