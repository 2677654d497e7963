"""Loads a published set back as any reader would, and compares it with the one at home: bytes, labels, segments."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError, MissingExtraError
from cmdfd.publish.formats import MEDIA_COLUMN
from cmdfd.publish.records import Problem
from cmdfd.tables import LABELS, METADATA, labels_schema, metadata_schema, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cmdfd.dataset import Dataset
    from cmdfd.publish.records import Format

#: Differences that are told one by one.
_MAX_SHOWN = 5
_CHUNK = 1 << 20
_FIX = "run the same command again; where it stays, delete the repository's files and publish anew"


@dataclass(slots=True)
class _Differences:
    """What is not equal: the first by name, the others counted."""

    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, text: str) -> None:
        self.count += 1
        if len(self.shown) < _MAX_SHOWN:
            self.shown.append(text)


def load_back(repo_id: str, revision: str, dataset: Dataset, layout: Format, *, streaming: bool) -> int:
    """Load a set at a commit by `datasets.load_dataset` and compare every row with the set at home.

    Media are compared by SHA-256 of their bytes and every column of `metadata.parquet` by value, so labels are null
    where they are withheld; `labels.parquet` of the open splits is loaded as a table of its own. One row is held at a
    time, and what is downloaded goes into a folder that is deleted again.

    Args:
        repo_id: "ORG/NAME", on the Hub that `HF_ENDPOINT` names.
        revision: Commit; a branch could move while it is read.
        dataset: The set at home.
        layout: How it lies on the Hub.
        streaming: Read over the network row by row instead of downloading first.

    Returns:
        Rows that were found equal, over all splits.

    Raises:
        CmdfdError: `not_loadable` with the first differences, or with what `load_dataset` said.
        MissingExtraError: Without the extra `hub`.
    """
    where = f"{repo_id}@{revision[:12]}{', streaming' if streaming else ''}"
    with own_cache() as cache:
        try:
            return _compare(repo_id, revision, dataset, layout, cache, streaming=streaming)
        except CmdfdError as error:
            if isinstance(error, MissingExtraError):
                raise
            raise CmdfdError(Problem("not_loadable", where, str(error), _FIX).text) from error
        except Exception as error:  # whatever the reader's library raises, the set is not loadable for readers
            said = f"load_dataset fails: {type(error).__name__}: {str(error)[:500]}"
            raise CmdfdError(Problem("not_loadable", where, said, _FIX).text) from error


@contextmanager
def own_cache() -> Iterator[Path]:
    """A folder that `datasets` and the Hub's client keep their files in, deleted at the end.

    So nothing is compared with an earlier download, and gigabytes do not stay in the user's cache.
    """
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise MissingExtraError("hub", "loading a published set back") from error

    before = constants.HF_HUB_CACHE
    with tempfile.TemporaryDirectory(prefix="cmdfd-loadback-", ignore_cleanup_errors=True) as name:
        constants.HF_HUB_CACHE = str(Path(name) / "hub")  # `datasets` has no argument for the client's own cache
        try:
            yield Path(name)
        finally:
            constants.HF_HUB_CACHE = before


def _compare(repo_id: str, revision: str, dataset: Dataset, layout: Format, cache: Path, *, streaming: bool) -> int:
    import datasets
    from huggingface_hub import utils

    from cmdfd.publish.remote import quiet

    with quiet(datasets, utils):
        return _compared(repo_id, revision, dataset, layout, cache, streaming=streaming)


def _compared(repo_id: str, revision: str, dataset: Dataset, layout: Format, cache: Path, *, streaming: bool) -> int:
    import datasets

    loaded = datasets.load_dataset(repo_id, revision=revision, streaming=streaming, cache_dir=str(cache / "rows"))
    if (found := set(loaded)) != (wanted := set(dataset.splits)):
        raise CmdfdError(f"the splits are {', '.join(sorted(found))}, at home they are {', '.join(sorted(wanted))}")
    differences = _Differences()
    column = MEDIA_COLUMN[layout]
    rows = 0
    public = _public_rows(dataset)
    for split in dataset.splits:
        expected = dict(public[split])
        for row in _undecoded(loaded[split], column, streaming=streaming):
            _compare_row(split, row, layout, expected, differences)
            rows += 1
        for name in sorted(expected):
            differences.add(f"{split}: {name} did not come back")
    del loaded
    _compare_labels(repo_id, revision, dataset, public, cache, differences)
    if differences.count:
        more = f"; and {differences.count - _MAX_SHOWN} more" if differences.count > _MAX_SHOWN else ""
        raise CmdfdError("; ".join(differences.shown) + more)
    return rows


def _public_rows(dataset: Dataset) -> dict[str, dict[str, dict[str, Any]]]:
    """Split -> id -> the row that must come back.

    Texts are those that go public, without places and names of the publisher. Numbers, labels, segments and hashes are
    read from the tables at home, so that nothing between them and the Hub is trusted.
    """
    import pyarrow as pa

    from cmdfd.publish.public_tables import public_clip, public_rows
    from cmdfd.publish.scrub import private_of
    from cmdfd.publish.staging import private_records

    private = private_of(dataset.folder, private_records(dataset))
    public = public_rows([public_clip(dataset, clip) for clip in dataset.rows], dataset.build.withheld, private)
    texts = (pa.string(), pa.list_(pa.string()))
    strict = {one.name for one in metadata_schema() if one.type not in texts} | {"sha256", "file_name"}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for split, rows in public.items():
        home = {row["id"]: row for row in read_table(dataset.folder / split / METADATA)}
        found[split] = {
            row["id"]: row | {name: value for name, value in home[row["id"]].items() if name in strict} for row in rows
        }
    return found


def _undecoded(rows: Any, column: str, *, streaming: bool) -> Any:
    """The rows with media as {bytes, path}: torchcodec, which would decode them, need not be there."""
    if streaming:
        return rows.decode(False)  # a cast alone does not undo the decoding threads of a remote folder
    import datasets

    return rows.cast_column(column, datasets.Video(decode=False))


def _compare_row(
    split: str, row: Mapping[str, Any], layout: Format, expected: dict[str, dict[str, Any]], differences: _Differences
) -> None:
    """Take the row of the same id out of `expected` and compare: so each id comes back once."""
    media = row[MEDIA_COLUMN[layout]]
    columns = dict(row["json"]) if layout == "webdataset" else {k: v for k, v in row.items() if k != "video"}
    name = columns.get("id")
    known = expected.pop(str(name), None)
    if known is None:
        differences.add(f"{split}: {name!r} is twice there, or is not in the set at home")
        return
    where = f"{split}/{name}"
    if layout == "videofolder":  # the reader's library turns the column with the path into the media
        columns["file_name"] = known["file_name"]
        if not str(media["path"]).endswith(f"{split}/{known['file_name']}"):
            differences.add(f"{where}: the media come from {str(media['path'])[-80:]!r}")
    elif media["path"] != f"{name}{Path(known['file_name']).suffix.lower()}":
        differences.add(f"{where}: the media are called {media['path']!r}")
    if (found := _sha256(media)) != known["sha256"]:
        differences.add(f"{where}: the bytes differ: SHA-256 {found}, at home {known['sha256']}")
    _compare_columns(where, columns, known, differences)


def _compare_columns(
    where: str, columns: Mapping[str, Any], known: Mapping[str, Any], differences: _Differences
) -> None:
    for column in sorted({*columns, *known}):
        if column not in columns or column not in known:
            differences.add(f"{where}: the column {column!r} is {'new' if column in columns else 'missing'}")
        elif columns[column] != known[column] or type(columns[column]) is not type(known[column]):
            differences.add(f"{where}: {column} is {columns[column]!r}, at home {known[column]!r}")


def _sha256(media: Mapping[str, Any]) -> str:
    """SHA-256 of media: of the bytes in the row, or of the file that it names, read in pieces."""
    if media["bytes"] is not None:
        return hashlib.sha256(media["bytes"]).hexdigest()
    from huggingface_hub import HfFileSystem

    digest, path = hashlib.sha256(), str(media["path"])
    remote: Any = HfFileSystem()
    with remote.open(path, "rb") if path.startswith("hf://") else Path(path).open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _compare_labels(
    repo_id: str,
    revision: str,
    dataset: Dataset,
    public: Mapping[str, Mapping[str, Mapping[str, Any]]],
    cache: Path,
    differences: _Differences,
) -> None:
    """`labels.parquet` of open splits loads as a table of its own; that of withheld splits is not there."""
    import datasets
    from huggingface_hub import HfApi

    for split in dataset.splits:
        address = f"hf://datasets/{repo_id}@{revision}/{split}/{LABELS}"
        if split in dataset.build.withheld:
            if HfApi().file_exists(repo_id, f"{split}/{LABELS}", repo_type="dataset", revision=revision):
                differences.add(f"{split}/{LABELS} is on the Hub, and its split is withheld")
            continue
        home = dataset.folder / split / LABELS
        if not home.is_file():
            continue
        table = datasets.load_dataset(
            "parquet", data_files={split: address}, split=split, cache_dir=str(cache / "labels")
        )
        names = labels_schema().names
        expected = {key: {name: row[name] for name in names} for key, row in public[split].items()}
        for row in table:
            known = expected.pop(row["id"], None)
            if known is None:
                differences.add(f"{split}/{LABELS}: {row['id']!r} is twice there, or is not in the set at home")
            else:
                _compare_columns(f"{split}/{LABELS}: {row['id']}", row, known, differences)
        for name in sorted(expected):
            differences.add(f"{split}/{LABELS}: {name} did not come back")
