"""The folder of an export for ManualFake's readers: whose it is, what of it was written by an export, what may go.

Nothing is removed but what a manifest or the ledger of a stopped export names, and nothing is written through a link:
other files in the folder are somebody else's.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from cmdfd.cache import write_atomic
from cmdfd.clip import sha256_file
from cmdfd.errors import CmdfdError
from generators.export.manualfake_text import claim_text
from generators.folders import WORK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cmdfd.dataset import Dataset
    from generators.export.manualfake import ManualfakeOptions
    from generators.export.manualfake_text import Exported

MANIFEST, CLAIM = "manifest.csv", "manualfake.json"
#: While an export is being written: all its files, and the hashes of the masks that are there. Goes at the end.
_LEDGER = "export.files"
#: Where files of an export can lie; names as `manualfake._name` makes them.
_FILE = re.compile(r"data/(?:train|val|test)/(?:real|fake)/(?:videos|masks)/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*\.mp4")
#: As `cmdfd.media.encode.atomic_path` calls its files.
_TEMPORARY = re.compile(r"\.tmp-\d+-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: A ledger has two paths and two hashes a clip; more than this is no ledger.
_MAX_BYTES = 1 << 28


def refuse_foreign(dataset: Dataset, out: Path, options: ManualfakeOptions) -> None:
    """Refuse a folder with anything else in it, and links in the place of folders.

    Raises:
        CmdfdError: Naming the fix.
    """
    for folder in _folders(out):
        if folder.is_symlink():
            raise CmdfdError(
                f"{folder}: is a link, and nothing is written through one; remove it, or name another --out"
            )
    if not out.exists() or (out.is_dir() and not [path for path in out.iterdir() if path.name != WORK]):
        return
    if not (out / CLAIM).is_file():
        raise CmdfdError(f"{out}: holds something else than an export of this kind; name another folder with --out")
    if _claimed(out) != claim_text(dataset, options) and not options.overwrite:
        raise CmdfdError(f"{out}: holds an export of another set, or with other options; --overwrite replaces it")


def _folders(out: Path) -> Iterator[Path]:
    """Every folder of the layout."""
    yield from (out / WORK, out / "data")
    for split in ("train", "val", "test"):
        yield out / "data" / split
        for label in ("real", "fake"):
            yield out / "data" / split / label
            yield from (out / "data" / split / label / kind for kind in ("videos", "masks"))


def _claimed(out: Path) -> str:
    return (out / CLAIM).read_text("utf-8", "replace") if (out / CLAIM).is_file() else ""


class Ledger:
    """What an export has written and will write, kept on disk until its manifest is there.

    Args:
        dataset: The set.
        out: Folder of the export, not foreign; its lock is held.
        options: Of the export.
    """

    def __init__(self, dataset: Dataset, out: Path, options: ManualfakeOptions) -> None:
        self._out, self._path = out, out / WORK / _LEDGER
        self._claim = claim_text(dataset, options)
        #: Hash of every mask that is known to be right, by its place.
        self.masks: dict[str, str] = {}

    def begin(self, entries: Sequence[Exported]) -> None:
        """Say whose folder this is, and remove what another export or a stopped one left."""
        out = self._out
        before = {**_of_manifest(out / MANIFEST), **_of_ledger(self._path)}
        planned = [path for entry in entries for path in (entry.video, entry.mask) if path is not None]
        same = _claimed(out) == self._claim
        self._write([*before, *planned], before)  # first: whatever happens next, all of ours is known
        (out / MANIFEST).unlink(missing_ok=True)
        kept = set(planned) if same else set()
        for path in before:
            if path not in kept:
                (out / path).unlink(missing_ok=True)
        write_atomic(out / CLAIM, self._claim.encode())
        self.masks = {path: digest for path, digest in before.items() if digest and path in kept}
        self._write(planned, self.masks)
        self._tidy()

    def add(self, path: str) -> None:
        """Note a mask that was just written."""
        self.masks[path] = sha256_file(self._out / path)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"{self.masks[path]} {path}\n")

    def holds(self, path: str) -> bool:
        """Whether a mask is there as an export wrote it."""
        mask = self._out / path
        known = self.masks.get(path)
        return known is not None and not mask.is_symlink() and mask.is_file() and sha256_file(mask) == known

    def _write(self, paths: Sequence[str], hashes: Mapping[str, str]) -> None:
        lines = [f"{hashes.get(path) or '-'} {path}\n" for path in dict.fromkeys(paths)]
        write_atomic(self._path, "".join(lines).encode())

    def _tidy(self) -> None:
        """Remove half-written files, and folders that are empty now."""
        for folder in sorted(_folders(self._out), key=lambda one: -len(one.parts)):
            if folder.name == WORK or not folder.is_dir():
                continue
            for left in folder.iterdir():
                if _TEMPORARY.fullmatch(left.name) and not left.is_dir():
                    left.unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def _of_manifest(path: Path) -> dict[str, str]:
    """Files that a manifest names, with the hashes of masks; "" where it has none."""
    found: dict[str, str] = {}
    for row in csv.DictReader(io.StringIO(_text(path))):
        for column, digest in (("video", ""), ("mask", row.get("mask_sha256") or "")):
            place = row.get(column) or ""
            if _FILE.fullmatch(place):
                found[place] = digest if _DIGEST.fullmatch(digest) else ""
    return found


def _of_ledger(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        digest, _, place = line.partition(" ")
        if _FILE.fullmatch(place):
            found[place] = digest if _DIGEST.fullmatch(digest) else ""
    return found


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_BYTES:
        return ""
    return path.read_text("utf-8", "replace").replace("\0", "")
