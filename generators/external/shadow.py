"""A private copy of a checkout for every job, made of copies and links.

Generators write into fixed places beside their code. Each job therefore gets a checkout of its own: real folders,
copies of small files (so that a script's own place is the shadow), links to large ones (weights), and real empty
folders where the generator keeps its scratch.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from generators.external.spec import ExternalSpec

#: Files from this size on are linked. Scripts and settings are smaller, weights larger.
COPY_BELOW = 1 << 20
#: Never carried over.
_LEFT_OUT = frozenset({".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".idea", ".vscode"})
#: A folder with so many entries holds data, not code: it is linked as a whole.
_MANY = 4000
#: Most files that are copied or linked one by one.
_MOST = 40_000


class ShadowError(Exception):
    """The checkout cannot be copied; the text says why."""


def private_folders(spec: ExternalSpec) -> tuple[PurePosixPath, ...]:
    """Folders that are real and empty in every shadow: the spec's, and those of the inputs."""
    cwd = PurePosixPath(spec.run.cwd)
    names = type(spec.inputs).model_fields
    inputs = [cwd / one.folder for name in names if (one := getattr(spec.inputs, name)) is not None]
    return tuple(dict.fromkeys([*(PurePosixPath(one) for one in spec.run.private), *inputs]))


def make_shadow(
    checkout: Path | None,
    root: Path,
    *,
    private: Iterable[PurePosixPath] = (),
    keep: Iterable[PurePosixPath] = (),
    leave_out: Iterable[PurePosixPath] = (),
    weights: Mapping[PurePosixPath, Path] | None = None,
) -> tuple[Path, ...]:
    """Make a shadow.

    Args:
        checkout: The user's checkout, or None for an empty shadow.
        root: Folder to make; its parent exists.
        private: Folders that shall be real and empty.
        keep: Paths inside them that are carried over all the same.
        leave_out: Paths that are not carried over: a large file would be a link, and be written through.
        weights: Files or folders by the place where they belong; they are linked there.

    Returns:
        Folders outside that can be reached through a link of the shadow.

    Raises:
        ShadowError: If the checkout holds too many files.
        OSError: If something cannot be read or written.
    """
    root.mkdir()
    emptied, links = frozenset(private), []
    if checkout is not None:
        maker = _Maker(checkout.resolve(), root, emptied | frozenset(leave_out))
        maker.folder(PurePosixPath("."))
        for one in keep:
            if (maker.checkout / one).exists():
                real_folder(root, one.parent)
                maker.entry(one)
        links = maker.links
    for one in emptied:
        real_folder(root, one)
    for place, source in (weights or {}).items():
        _link_weight(root, place, source)
        if source.is_dir():
            links.append(source.resolve())
    return tuple(links)


def real_folder(root: Path, place: PurePosixPath) -> Path:
    """Make sure that a folder of the shadow, and every one above it, is real.

    A linked folder on the way is replaced by a real one with a link for each of its entries; otherwise writing here
    would write into the user's own folder.

    Args:
        root: The shadow.
        place: Relative path without "..".

    Returns:
        The folder's path.
    """
    here = root
    for part in place.parts:
        here /= part
        if here.is_symlink() or here.is_file():
            target = here.resolve()
            here.unlink()
            here.mkdir()
            if target.is_dir():
                for entry in target.iterdir():
                    (here / entry.name).symlink_to(entry)
        here.mkdir(exist_ok=True)
    return here


def _link_weight(root: Path, place: PurePosixPath, source: Path) -> None:
    target = real_folder(root, place.parent) / place.name
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.symlink_to(source.resolve())


class _Maker:
    def __init__(self, checkout: Path, root: Path, private: frozenset[PurePosixPath]) -> None:
        self.checkout, self._root, self._private = checkout, root, private
        self.links: list[Path] = []
        self._count = 0

    def folder(self, place: PurePosixPath) -> None:
        """Fill a folder that exists in the shadow."""
        for entry in sorted((self.checkout / place).iterdir(), key=lambda one: one.name):
            one = place / entry.name
            if entry.name not in _LEFT_OUT and one not in self._private:
                self.entry(one)

    def entry(self, place: PurePosixPath) -> None:
        """Carry one file or folder over."""
        source, target = self.checkout / place, self._root / place
        self._count += 1
        if self._count > _MOST:
            raise ShadowError(f"the checkout has more than {_MOST} files: move data sets and environments out of it")
        if source.is_dir():
            if source.is_symlink() or _is_data(source):
                self.links.append(source.resolve())
                target.symlink_to(source.resolve())
            else:
                target.mkdir(exist_ok=True)
                self.folder(place)
        elif source.is_file():
            if source.stat().st_size < COPY_BELOW:
                shutil.copy2(source, target)
                target.chmod(target.stat().st_mode | 0o600)
            else:
                target.symlink_to(source.resolve())


def _is_data(folder: Path) -> bool:
    """Whether a folder is an environment, or holds so much that it is data."""
    if (folder / "pyvenv.cfg").is_file() or (folder / "conda-meta").is_dir():
        return True
    with os.scandir(folder) as entries:
        return any(number >= _MANY for number, _ in enumerate(entries))


def files_below(folder: Path) -> Iterator[Path]:
    """Every entry below a folder that is no folder, links unfollowed; unreadable folders are passed over."""
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            yield Path(place) / name
