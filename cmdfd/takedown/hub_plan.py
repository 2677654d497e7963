"""What of a published set has to be deleted on the Hub, compared with the new version; nothing is changed here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.publish.remote import COMMIT_PREFIX, Remote, bad_repo, check_repo
from cmdfd.publish.withdrawn import squash_title
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cmdfd.publish.records import Format, Repo, Staged

#: Lines of a list that are printed.
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """A repository as it was found.

    Args:
        id: "ORG/NAME".
        private: Whether only its owners know it.
        head: Commit of the main branch.
        files: Path -> SHA-256 of large files, git's name of others.
        tags: Name -> commit.
        branches: Other branches than main.
        kept_refs: Refs that no client can delete: pull requests and the Hub's own conversions.
        commits: (commit, title) of the main branch, newest first.
        objects: Large file's SHA-256 -> name, of all revisions.
        layout: How the set lies there.
        recipe_only: Whether there are no media.
    """

    id: str
    private: bool
    head: str
    files: dict[str, str]
    tags: dict[str, str]
    branches: tuple[str, ...]
    kept_refs: tuple[str, ...]
    commits: tuple[tuple[str, str], ...]
    objects: dict[str, str]
    layout: Format
    recipe_only: bool


@dataclass(frozen=True, slots=True)
class HubPlan:
    """What has to be deleted on the Hub.

    Args:
        seen: The repository.
        removed: Files that the new version does not have.
        changed: Files that it has with other bytes: tables, and shards that held a withdrawn clip.
        tags: Tags to be deleted; the new one is set anew.
        objects: SHA-256 -> name of large files, of any revision, that are not in the new version.
        squash: Whether the history has to go.
    """

    seen: Seen
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    tags: tuple[str, ...]
    objects: dict[str, str]
    squash: bool

    @property
    def done(self) -> bool:
        """Whether nothing of an old version is left."""
        return not (self.removed or self.changed or self.tags or self.seen.branches or self.objects or self.squash)


def look(repo: Repo, say: Callable[[str], None] = lambda _: None) -> Seen:
    """Read all that a takedown must know of a repository; changes nothing.

    Raises:
        CmdfdError: If there is none, or it cannot be read.
    """
    check_repo(repo)
    remote = Remote(repo.id, say)
    return seen_by(remote)


def seen_by(remote: Remote) -> Seen:
    """The same for a client that is there already; see `look`."""
    state = remote.state()
    api: Any = remote.api
    refs = remote.call(
        "list the branches",
        lambda: api.list_repo_refs(remote.id, repo_type="dataset", include_pull_requests=True),
    )
    commits = remote.call("list the commits", lambda: list(api.list_repo_commits(remote.id, repo_type="dataset")))
    stored = remote.call("list the large files", lambda: list(api.list_lfs_files(remote.id, repo_type="dataset")))
    files = {path: one.sha256 or one.oid for path, one in remote.files(state.commit).items()}
    every = {*files, *(one.filename for one in stored)}
    kept = [ref.ref for ref in (*(refs.converts or ()), *(refs.pull_requests or ()))]
    return Seen(
        remote.id,
        state.private,
        state.commit,
        files,
        {ref.name: ref.target_commit for ref in refs.tags},
        tuple(sorted(ref.name for ref in refs.branches if ref.name != "main")),
        tuple(sorted(kept)),
        tuple((one.commit_id, one.title) for one in commits),
        {one.oid: one.filename for one in stored},
        layout_of(every),
        not any(_is_media(path) for path in every),
    )


def layout_of(paths: set[str]) -> Format:
    """How a set lies in a repository, from the names of its files."""
    inside = {PurePosixPath(path).suffix for path in paths if path.startswith("data/")}
    if ".tar" in inside:
        return "webdataset"
    return "parquet" if ".parquet" in inside else "videofolder"


def _is_media(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return path.startswith("data/") or "videos" in parts


def plan(seen: Seen, staged: Staged, repo: Repo) -> HubPlan:
    """What has to go, from what is there and what shall be there.

    Raises:
        CmdfdError: `bad_repo` where the repository was not written by this suite.
    """
    if seen.files and not any(title.startswith(COMMIT_PREFIX) for _, title in seen.commits):
        raise bad_repo(
            seen.id,
            "no commit of it was made by cmdfd, so what lies there may be something else",
            "name the repository that python -m cmdfd.publish made, or delete the files there by hand",
        )
    wanted = {file.path: file.sha256 for file in staged.files}
    known = set(wanted.values())
    small = {file.path: _git_name(staged, file.path) for file in staged.files}
    removed = sorted(seen.files.keys() - wanted.keys())
    changed = sorted(
        path for path, name in seen.files.items() if path in wanted and name not in (wanted[path], small[path])
    )
    complete = not removed and not changed and seen.files.keys() == wanted.keys()
    squashed = bool(seen.commits) and seen.commits[-1][1] == squash_title(repo.tag)
    final = squashed and complete  # else the new tag would hold on to the history
    tags = [name for name, commit in seen.tags.items() if not (final and name == repo.tag and commit == seen.head)]
    objects = {sha: name for sha, name in sorted(seen.objects.items()) if sha not in known}
    return HubPlan(
        seen, tuple(removed), tuple(changed), tuple(sorted(tags)), objects, not squashed and bool(seen.files)
    )


def _git_name(staged: Staged, path: str) -> str:
    data = (staged.folder / path).read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def plan_lines(found: HubPlan, repo: Repo, staged: Staged) -> list[str]:
    """The plan for people: files, tags, history, large files, and the words for those who have access."""
    seen = found.seen
    lines = [f"on the Hub, {seen.id} ({'private' if seen.private else 'visible'}, {seen.layout}):"]
    if found.done:
        lines.append("  nothing of an earlier version is left there")
        return [*lines, f"  then load it back, and show it as {repo.tag}"]
    lines.append("  make it private and set its gate to manual, until all is done")
    lines += _listed("tags to delete", [f"{name} ({found.seen.tags[name][:12]})" for name in found.tags])
    lines += _listed("branches to delete", seen.branches)
    lines += _listed("files to delete", found.removed)
    lines += _listed("files to replace (their rows or members name what goes)", found.changed)
    if found.squash:
        lines.append(f"  history to squash: {plural(len(seen.commits), 'commit')} of main become one")
    lines += _listed("large files to delete for ever", [f"{sha}  {name}" for sha, name in found.objects.items()])
    lines += _listed("refs that no client can delete; look at them on the page of the repository", seen.kept_refs)
    what = f"{plural(len(staged.files), 'file')}, {staged.size / 1e6:.1f} MB"
    lines.append(f"  then upload the new version ({what}), load it back, tag it {repo.tag}, show it as it was before")
    return [*lines, *words_for_people(repo)]


def words_for_people(repo: Repo) -> list[str]:
    """What to write to those who were granted access."""
    return [
        "write to everybody who was granted access (the list is under Settings, access requests):",
        f'  "Some clips of {repo.id} were withdrawn. Please delete every copy of earlier versions, with features and',
        f"  caches made of them, and use {repo.tag}. The ids are in tombstones.parquet. Results that were computed",
        '  with these clips may stay; say which version they are of."',
        "what others have copied already cannot be called back; tell the person who asked so",
    ]


def _listed(title: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = [f"      and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return [f"  {title}: {len(names)}", *(f"      {name}" for name in names[:_SHOWN]), *more]
