"""Whoever was taken out of a published set does not come back with an older folder: the Hub's tombstones are asked.

A set is published again and again, by several people and from several folders. The repository itself remembers what
was withdrawn: `tombstones.parquet` of its main branch and of its tags and, while a takedown is under way and these are
gone, the titles of its commits.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError
from cmdfd.publish.records import Problem
from cmdfd.publish.remote import COMMIT_PREFIX, bad_repo
from cmdfd.publish.versions import release
from cmdfd.report.text import clean, listing, plural
from cmdfd.takedown.tombstones import TOMBSTONES, read_tombstones

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cmdfd.publish.records import Repo, Staged
    from cmdfd.publish.remote import Remote

#: Tags whose tombstones are read, the newest; those of a version hold those of all before it.
_MOST_TAGS = 20
_BEGUN = re.compile(re.escape(COMMIT_PREFIX) + r"(?:the history before (\S+) was removed|files withdrawn before (\S+))")
#: Versions that a takedown without a tag gives itself.
_UNNAMED = "takedown-"
_FIX = "take it from the folder that cmdfd.takedown wrote, or take them out of this one with python -m cmdfd.takedown"


@dataclass(frozen=True, slots=True)
class Gone:
    """What a repository says was withdrawn.

    Args:
        ids: Withdrawn clip -> version since which it is gone.
        begun: Tags of the takedowns that its commits tell of.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    begun: tuple[str, ...] = ()


def squash_title(tag: str) -> str:
    """Title of the one commit that takes the place of the history; `gone_on_hub` reads it."""
    return f"{COMMIT_PREFIX}the history before {tag} was removed"


def deletion_title(tag: str) -> str:
    """Title of a commit that deletes withdrawn files; `gone_on_hub` reads it."""
    return f"{COMMIT_PREFIX}files withdrawn before {tag}"


def gone_on_hub(remote: Remote, head: str) -> Gone:
    """Read the tombstones of the main branch and of the newest tags, and which takedowns the commits tell of.

    Args:
        remote: The repository; it must be there.
        head: Commit of its main branch.

    Raises:
        CmdfdError: `bad_repo` for tombstones that cannot be read: taken for none, people would come back.
    """
    api: Any = remote.api
    tags = remote.tags()
    newest = sorted(tags, key=lambda tag: (release(tag) or (0, 0, 0), tag), reverse=True)[:_MOST_TAGS]
    ids: dict[str, str] = {}
    read: set[str] = set()
    for commit in dict.fromkeys([head, *(tags[tag] for tag in newest)]):
        found = remote.call(
            "look for tombstones",
            lambda commit=commit: api.get_paths_info(  # type: ignore[misc]
                remote.id, [TOMBSTONES], revision=commit, repo_type="dataset"
            ),
        )
        for blob in {one.blob_id for one in found} - read:
            read.add(blob)
            ids = {**_tombstones(remote, commit), **ids}
    commits = remote.call("list the commits", lambda: list(api.list_repo_commits(remote.id, repo_type="dataset")))
    matches = [_BEGUN.fullmatch(one.title.strip()) for one in commits]
    begun = dict.fromkeys(match[1] or match[2] for match in matches if match)
    return Gone(ids, tuple(begun))


def _tombstones(remote: Remote, commit: str) -> dict[str, str]:
    api: Any = remote.api
    with tempfile.TemporaryDirectory(prefix="cmdfd-tombstones-", ignore_cleanup_errors=True) as name:
        remote.call(
            "read the tombstones",
            lambda: api.hf_hub_download(remote.id, TOMBSTONES, repo_type="dataset", revision=commit, local_dir=name),
        )
        try:
            return read_tombstones(Path(name))
        except CmdfdError as error:
            reason = f"{TOMBSTONES} cannot be read ({str(error).rpartition(': ')[2]}): nobody knows who was taken out"
            raise bad_repo(f"{remote.id}@{commit[:12]}", reason, "put the table of the last version there") from error


def problems_of(gone: Gone, repo: Repo, ids: Collection[str], tombstones: Mapping[str, str]) -> tuple[Problem, ...]:
    """Why a set may not go there: it has clips that were withdrawn, or does not know that they were.

    Args:
        gone: What the repository says.
        repo: Where the set goes, with its tag.
        ids: Clips of the set.
        tombstones: Its own tombstones, id -> version.
    """
    where, told = f"{repo.id}: {TOMBSTONES}", []
    back = sorted(gone.ids.keys() & set(ids))
    unknown = sorted(gone.ids.keys() - tombstones.keys() - set(back))
    if back:
        since = listing(sorted({gone.ids[name] for name in back}), 3)
        reason = f"{plural(len(back), 'clip')} of this set, e.g. {back[0]}, went from the repository with {since}"
        told.append(Problem("withdrawn_clip", where, clean(reason), _FIX))
    if unknown:
        reason = (
            f"the tombstones of this folder lack {plural(len(unknown), 'clip')} that went from the repository, "
            f"e.g. {unknown[0]}: later builds into it could make them again"
        )
        told.append(Problem("withdrawn_clip", where, clean(reason), _FIX))
    known = set(tombstones.values())
    begun = [tag for tag in gone.begun if tag not in known]
    if begun and not gone.ids and not any(version.startswith(_UNNAMED) for version in known):
        reason = f"a takedown to {begun[0]} was begun there, and this folder knows of no such takedown"
        told.append(Problem("withdrawn_clip", f"{repo.id}: its commits", clean(reason), _FIX))
    return (*told, *_old_tag(gone, repo))


def _old_tag(gone: Gone, repo: Repo) -> list[Problem]:
    """A tag before the version since which clips are gone; the same tag is that version itself, made once more."""
    mine = release(repo.tag)
    latest = max(((order, version) for version in gone.ids.values() if (order := release(version))), default=None)
    if mine is None or latest is None or mine >= latest[0]:
        return []
    reason = f"clips were withdrawn there with {clean(latest[1])}, so a new version must have a later tag"
    fix = f"give a tag after {clean(latest[1])} with --tag"
    return [Problem("bad_repo", f"{repo.id}@{repo.tag}", reason, fix)]


def staged_problems(gone: Gone, repo: Repo, staged: Staged) -> tuple[Problem, ...]:
    """The same for a public copy, by its own tombstones and the names of its files; see `problems_of`."""
    names = {PurePosixPath(file.path).stem for file in staged.files}
    return problems_of(gone, repo, names, read_tombstones(staged.folder))
