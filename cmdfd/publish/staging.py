"""Makes the folder that goes public: exactly its content, with the same bytes every time, and nothing private in it.

Media, masks and tracks are hard links to the set's own files (copies where the file system has none), never encoded
anew; tables and texts are written from what may be told. Nothing must be changed inside that folder, since the set
would change with it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.clip import sha256_file
from cmdfd.dataset import BUILD_FILE, Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.public_tables import home_of, public_build, public_clip, public_rows, write_public_tables
from cmdfd.publish.records import FORMATS, Problem, RefusedError, Staged, StagedFile
from cmdfd.publish.scrub import private_of
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from cmdfd.publish.records import Format

Say = Callable[[str], None]
#: Beside a staged folder: says that this program made it and may replace it.
_MARK = "This folder's neighbour was made by python -m cmdfd.publish and is replaced by the next run.\n"


def stage(
    dataset: Dataset, out: Path, layout: Format = "videofolder", *, recipe_only: bool = False, say: Say = lambda _: None
) -> Staged:
    """Make the public copy of a set.

    Args:
        dataset: The set at home; it passed `cmdfd.publish.checks.check`.
        out: The folder to make; what an earlier run made there is replaced.
        layout: How the media lie in it.
        recipe_only: Tables, hashes, edit lists and recipe, but no media, masks and tracks.
        say: Told what is being done.

    Returns:
        What is in it, and what stayed at home and why.

    Raises:
        RefusedError: With every reason why the copy must not go out: a changed file, something private left in it.
        CmdfdError: For an unknown layout, or a folder that holds something else.
    """
    if layout not in FORMATS:
        raise CmdfdError(f"--format {layout!r}: there is none; known: {', '.join(FORMATS)}")
    out = Path(out)
    check_place(dataset.folder, out)
    _make(dataset, out, layout, recipe_only=recipe_only, say=say)
    return Staged(
        folder=out,
        name=dataset.name,
        layout=layout,
        files=staged_files(out),
        kept_home=home_of(dataset, recipe_only=recipe_only),
        withheld=tuple(dataset.build.withheld),
        recipe_only=recipe_only,
    )


def _make(dataset: Dataset, out: Path, layout: Format, *, recipe_only: bool, say: Say) -> None:
    """Make the folder beside its place, look at it, and put it there whole."""
    from cmdfd.publish.sweep import sweep

    private = private_of(dataset.folder, private_records(dataset))
    part = _fresh(out)
    try:
        public = _public_folder(dataset, part / "public", recipe_only=recipe_only, say=say)
        made = part / "public"
        if layout != "videofolder" and not recipe_only:
            say(f"writing it as {layout}")
            made = part / "made"
            _write_layout(layout, public, made)
        say("reading once more what goes public")
        problems = [*sweep(made, private, public), *_changed(public, recipe_only=recipe_only)]
        if problems:
            raise RefusedError(tuple(problems))
        if out.exists():
            shutil.rmtree(out)
        made.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def staged_files(folder: Path) -> tuple[StagedFile, ...]:
    """Every file of a staged folder with size and SHA-256, sorted by path.

    Raises:
        CmdfdError: For a link, which could lead anywhere.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise CmdfdError(f"{path.relative_to(folder).as_posix()}: a link in the public copy; make the copy again")
        if path.is_file():
            found.append(StagedFile(path.relative_to(folder).as_posix(), path.stat().st_size, sha256_file(path)))
    return tuple(sorted(found, key=lambda one: one.path))


def private_records(dataset: Dataset) -> list[object]:
    """Records of a set that name places on the publisher's machine."""
    return [dataset.build.recipe, dataset.build.encoder]


def _mark(out: Path) -> Path:
    return out.parent / f".{out.name}.staged"


def check_place(folder: Path, out: Path) -> None:
    """Refuse a place for the public copy that is another's.

    Args:
        folder: The set at home.
        out: Where the copy shall lie.

    Raises:
        CmdfdError: With the place and what is in the way.
    """
    above = next((one for one in out.absolute().parents if one.exists() and not one.is_dir()), None)
    if above is not None:
        raise CmdfdError(f"{above}: a file lies there; name another folder by -o")
    home, place = folder.resolve(), out.resolve()
    if place == home or place.is_relative_to(home) or home.is_relative_to(place):
        raise CmdfdError(f"{out}: the public copy must lie outside the set's folder {folder}; name another by -o")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise CmdfdError(f"{out}: a file or link is there; name another folder by -o")
    if out.is_dir() and any(out.iterdir()) and not _mark(out).is_file():
        raise CmdfdError(f"{out}: holds something that this program did not make; name another folder by -o")


def _fresh(out: Path) -> Path:
    """An empty working folder beside `out`, on the same file system."""
    part = out.parent / f".{out.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _mark(out).write_text(_MARK, "utf-8")
    return part


def _public_folder(dataset: Dataset, folder: Path, *, recipe_only: bool, say: Say) -> Dataset:
    """The public set as a VideoFolder."""
    private = private_of(dataset.folder, private_records(dataset))
    clips = [public_clip(dataset, clip, recipe_only=recipe_only) for clip in dataset.rows]
    if not recipe_only:
        say(f"linking the media of {plural(len(clips), 'clip')}")
        for clip in clips:
            for name in (clip.file, clip.mask, clip.tracks):
                if name is not None:
                    _link(_inside(dataset, name), folder / name)
    write_public_tables(dataset, clips, folder, private)
    if recipe_only:
        from cmdfd.publish.recipe_only import write_recipe

        write_recipe(dataset, clips, folder, private)
    (folder / BUILD_FILE).write_text(public_build(dataset, private).to_json(), "utf-8")
    return Dataset.open(folder)


def _inside(dataset: Dataset, name: str) -> Path:
    """The real file behind a name of the set; links inside the set are followed, others refused."""
    path = (dataset.folder / name).resolve()
    if not path.is_relative_to(dataset.folder.resolve()) or not path.is_file():
        fix = "build the set again, which makes only what is missing"
        raise RefusedError((Problem("changed_file", name, "missing, or it leads out of the set's folder", fix),))
    return path


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _write_layout(layout: Format, public: Dataset, out: Path) -> None:
    from importlib import import_module

    import_module(f"cmdfd.publish.formats.{layout}").write(public, out)


def _changed(public: Dataset, *, recipe_only: bool) -> list[Problem]:
    """Whether the copy holds what its tables say; catches a file that changed since the checks."""
    from cmdfd.soundness import problems_of

    if recipe_only:
        return []
    fix = "build the set again, and publish when nothing writes into its folder"
    return [Problem("changed_file", one.where, one.reason, fix) for one in problems_of(public).problems]


__all__ = ["private_records", "public_rows", "stage", "staged_files"]
