"""Sets on the Hugging Face Hub as targets: fetched at one commit, unpacked where packed, opened as a folder."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.words import split_word
from cmdfd.clip import SPLITS
from cmdfd.errors import CmdfdError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cmdfd.audit.targets.options import TargetOptions
    from cmdfd.audit.targets.target import Target

_PREFIX = "hf://datasets/"
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?P<repo>{_WORD}/{_WORD})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/%-]{{0,200}}))?")
#: Never fetched: programs, and files of git.
_IGNORED = ("*.py", ".*")
#: 1 January 2000, seconds since 1970.
_DATE = 946_684_800


@dataclass(frozen=True, slots=True)
class HubName:
    """A set on the Hub, as a user names it.

    Args:
        text: What was typed.
        repo: "ORG/NAME".
        revision: Branch, tag or commit; None for the newest.
        certain: Whether nothing else can be meant (`hf://`).
    """

    text: str
    repo: str
    revision: str | None
    certain: bool


def hub_name(text: str) -> HubName | None:
    """What `ORG/NAME[@REV]` or `hf://datasets/ORG/NAME[@REV]` names; None for a path, and for what exists here.

    Raises:
        CmdfdError: For an `hf://` address that is none of a data set.
    """
    from cmdfd.audit.targets.rawtable import looks_like_table

    certain = text.startswith("hf://")
    found = _NAME.fullmatch(text.removeprefix(_PREFIX).removesuffix("/") if certain else text)
    if certain:
        if found is None or not text.startswith(_PREFIX):
            raise CmdfdError(f"{text!r} is no address of a data set; write {_PREFIX}ORG/NAME or {_PREFIX}ORG/NAME@REV")
    elif found is None or looks_like_table(Path(text)) or Path(text).exists():
        return None
    revision = found["revision"]
    return HubName(text, found["repo"], revision and revision.replace("%2F", "/"), certain)


def open_hub(name: HubName | str, options: TargetOptions) -> Target:
    """Fetch a set at the commit that its revision stands for now, and open it.

    Files are kept in the cache, `hub/ORG--NAME/COMMIT`, so a second audit fetches nothing.

    Args:
        name: "ORG/NAME[@REV]" or what `hub_name` made of it.
        options: What the user said; with `split`, files of other splits are not fetched.

    Raises:
        CmdfdError: If there is no such set, it asks for access, it does not fit on the disk, its shards are hostile, or
            it cannot be opened as a folder.
    """
    from cmdfd.cache import cache_dir
    from cmdfd.publish.unpack import unpack

    named = hub_name(name) if isinstance(name, str) else name
    if named is None:
        raise CmdfdError(f"{str(name)!r} is not ORG/NAME or ORG/NAME@REV, or it is a path here")
    commit, files = _look_up(named)
    base = cache_dir() / "hub" / named.repo.replace("/", "--") / commit[:16]
    skipped = [*_IGNORED, *_other_splits(list(files), options.split)]
    kept = {file: size for file, size in files.items() if not any(fnmatch.fnmatch(file, one) for one in skipped)}
    _check(named, kept, base)
    folder = _fetch(named, commit, base / "files", skipped)
    words = re.sub(r"\W", "_", options.split) if options.split else "all"
    opened = unpack(folder, base / f"unpacked-{words}")
    _same_date(opened)
    target = _open(opened, options)
    note = f"{named.repo} on the Hugging Face Hub at commit {commit}"
    return replace(target, name=f"{named.repo}@{commit[:12]}", notes=(note, *target.notes))


def _open(folder: Path, options: TargetOptions) -> Target:
    from cmdfd.audit.targets.builtset import is_built_set, open_built_set
    from cmdfd.audit.targets.folders import open_folder

    return open_built_set(folder, options) if is_built_set(folder) else open_folder(folder, options)


def _client(named: HubName) -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        missing = MissingExtraError("hub", "auditing a set on the Hugging Face Hub")
        if named.certain:
            raise missing from error
        raise CmdfdError(
            f"{named.text!r}: there is no such file or folder; if a set on the Hub is meant: {missing}"
        ) from error
    return huggingface_hub


def _look_up(named: HubName) -> tuple[str, dict[str, int]]:
    """Commit of the revision, and its files with their sizes in bytes."""
    client = _client(named)
    with _told(named):
        info = client.HfApi().dataset_info(named.repo, revision=named.revision, files_metadata=True)
    return str(info.sha), {one.rfilename: one.size or 0 for one in info.siblings or ()}


def _fetch(named: HubName, commit: str, folder: Path, skipped: Sequence[str]) -> Path:
    client = _client(named)
    with _told(named):
        # not the client's own cache: its links lead out of the folder, where no set may lead
        client.snapshot_download(
            named.repo, repo_type="dataset", revision=commit, local_dir=folder, ignore_patterns=list(skipped)
        )
    return folder


@contextmanager
def _told(named: HubName) -> Iterator[None]:
    """Turn what the client raises into words for the user."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, (OSError, ValueError)) and not type(error).__module__.startswith("httpx"):
            raise
        raise CmdfdError(_words(named, error)) from error


def _words(named: HubName, error: Exception) -> str:
    from huggingface_hub import constants, errors

    here = "" if named.certain else "there is no such file or folder, and "
    hub = f"the Hub ({constants.ENDPOINT})"
    if isinstance(error, errors.GatedRepoError):
        page = f"{constants.ENDPOINT}/datasets/{named.repo}"
        return f"{named.text!r}: {hub} gives its files to those with access alone: ask at {page}, then hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{named.text!r}: {named.repo} is on {hub}, but has no revision {named.revision!r}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{named.text!r}: {here}{hub} has no data set {named.repo!r} that you may see; if it is private: "
            f"hf auth login"
        )
    said = f"{type(error).__name__}: {str(error)[:300]}"
    return f"{named.text!r}: {here}{hub} could not be asked for a data set of that name: {said}"


def _same_date(folder: Path) -> None:
    """Give all files one date: the Hub keeps none, and that of the download would be taken for a cue of the set."""
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mtime != _DATE:
            os.utime(path, (_DATE, _DATE))


def _check(named: HubName, files: dict[str, int], base: Path) -> None:
    """Refuse names that leave the folder, and sets that do not fit on the disk."""
    for file in files:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "\\" in file or not file.isprintable():
            raise CmdfdError(f"{named.repo}: {file[:200]!r} is no plain relative name; nothing is fetched")
    place = base
    while not place.exists():
        place = place.parent
    size = sum(files.values())
    packed = sum(bytes_ for file, bytes_ in files.items() if file.endswith((".tar", ".parquet")))
    free = shutil.disk_usage(place).free
    if size + packed > free:
        raise CmdfdError(
            f"{named.repo}: needs {(size + packed) / 1e9:.1f} GB in {place}, {free / 1e9:.1f} GB are free; name one "
            f"split by --split, or another place by $CMDFD_CACHE"
        )


def _other_splits(files: Sequence[str], split: str | None) -> list[str]:
    """Patterns of the files of all other splits; none where no file is of the wanted one."""
    if split is None:
        return []
    wanted = split_word(split) or split.casefold()
    found = {file: told for file in files if (told := next(_told_splits(file), None)) is not None}
    if wanted not in {word for word, _ in found.values()}:
        return []
    return sorted({pattern for word, pattern in found.values() if word != wanted})


def _told_splits(file: str) -> Iterator[tuple[str, str]]:
    """Splits that the parts of a path tell, outermost first, each with the pattern of everything like it."""
    parts = file.split("/")
    for depth, part in enumerate(parts[:-1]):
        if word := split_word(part):
            yield word, _escaped("/".join(parts[: depth + 1])) + "/*"
    first, dash, _ = parts[-1].partition("-")
    if dash and first in SPLITS:
        yield first, _escaped("/".join([*parts[:-1], first])) + "-*"


def _escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)
