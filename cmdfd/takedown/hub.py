"""Taking a published set's withdrawn files off the Hub, out of its history too, and putting the new version there.

The order is fixed: private -> tags and branches gone -> files gone -> history squashed -> large files deleted for ever
-> the new version uploaded, compared, loaded back, tagged -> visible behind its gate -> every revision looked through.
So from the first step on nobody outside can read anything, and no later revision ever holds a withdrawn file. Each
step looks at what is there, so the same command goes on after a kill at any point.

The tests run this against a Hub on the same machine with the real clients. That cannot prove that the real Hub forgets
a squashed commit at once: there the bytes of large files (media, tables, shards) are gone, while small texts of an old
commit may be served to those who know its 40 digits until the Hub collects its garbage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError
from cmdfd.publish.hub import publish
from cmdfd.publish.remote import Remote, bad_repo, differences
from cmdfd.publish.withdrawn import deletion_title, gone_on_hub, problems_of, squash_title
from cmdfd.report.text import plural
from cmdfd.takedown.hub_plan import look, plan, plan_lines, seen_by, words_for_people
from cmdfd.takedown.tombstones import read_tombstones

__all__ = ["Done", "carry_out", "comes_back", "done_lines", "look", "plan", "plan_lines", "prove"]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cmdfd.dataset import Dataset
    from cmdfd.publish.records import Problem, Published, Repo, Staged
    from cmdfd.takedown.hub_plan import HubPlan, Seen

#: Deletions in one commit; the Hub advises 50 to 100 files, and deletions are lighter than uploads.
_PER_COMMIT = 500
#: So many old files are tried one by one at every old revision, at the end.
_TRIED = 20


@dataclass(frozen=True, slots=True)
class Done:
    """A repository after a takedown.

    Args:
        published: The new version.
        warnings: What still has to be looked at by hand.
    """

    published: Published
    warnings: tuple[str, ...] = ()


def comes_back(seen: Seen, dataset: Dataset, repo: Repo) -> tuple[Problem, ...]:
    """Why the new version may not go there: clips of it were withdrawn there by an earlier takedown.

    Args:
        seen: The repository.
        dataset: The new set at home.
        repo: Where, with the new tag.
    """
    gone = gone_on_hub(Remote(repo.id), seen.head)
    return problems_of(gone, repo, {clip.id for clip in dataset.rows}, read_tombstones(dataset.folder))


def carry_out(
    found: HubPlan, dataset: Dataset, staged: Staged, repo: Repo, say: Callable[[str], None], *, visible: bool
) -> Done:
    """Do it; can be killed and called again with a new plan.

    Args:
        found: What goes.
        dataset: The new set at home, for loading back.
        staged: Its public copy.
        repo: Where, with the new tag.
        say: Told each step.
        visible: Whether it is made visible at the end.

    Raises:
        CmdfdError: With what to do; the repository is left private then.
    """
    remote = Remote(repo.id, say)
    if not found.done:
        _close(remote, say)
        _forget(remote, found, repo, say)
    published = publish(staged, replace(repo, visible=visible), say, verify=_verify(dataset, staged, repo, say))
    warnings = prove(remote, found, staged)
    say("no revision of the repository gives a withdrawn file")
    return Done(published, warnings)


def _close(remote: Remote, say: Callable[[str], None]) -> None:
    api: Any = remote.api
    remote.call(
        "make it private",
        lambda: api.update_repo_settings(remote.id, private=True, gated="manual", repo_type="dataset"),
    )
    state = remote.state()
    if not state.private:
        raise bad_repo(
            remote.id,
            f"the Hub took the order to make it private, but reads {state.text}; nothing was deleted",
            f"make it private at {remote.url}/settings, then run the same command again",
        )
    say(f"{remote.url} is {state.text}: closed to new requests")


def _forget(remote: Remote, found: HubPlan, repo: Repo, say: Callable[[str], None]) -> None:
    """Delete tags, branches, files, history and large files, in this order."""
    api: Any = remote.api
    for name in found.tags:
        remote.call("delete a tag", partial(api.delete_tag, remote.id, tag=name, repo_type="dataset"))
    for name in found.seen.branches:
        remote.call("delete a branch", partial(api.delete_branch, remote.id, branch=name, repo_type="dataset"))
    if found.tags or found.seen.branches:
        say(f"{plural(len(found.tags) + len(found.seen.branches), 'tag and branch', 'tags and branches')} deleted")
    gone = sorted({*found.removed, *found.changed})
    for first in range(0, len(gone), _PER_COMMIT):
        _delete_files(remote, gone[first : first + _PER_COMMIT], repo)
    if gone:
        say(f"{plural(len(gone), 'file')} deleted")
    if found.squash or gone:
        remote.call(
            "squash the history",
            lambda: api.super_squash_history(
                remote.id, branch="main", commit_message=squash_title(repo.tag), repo_type="dataset"
            ),
        )
        say("history squashed")
    _purge(remote, found, say)


def _delete_files(remote: Remote, paths: Sequence[str], repo: Repo) -> None:
    from huggingface_hub import CommitOperationDelete

    def delete() -> None:
        there = remote.files(remote.state().commit)  # anew at each try: the one before may have done it
        operations = [CommitOperationDelete(path) for path in paths if path in there]
        if operations:
            remote.api.create_commit(
                remote.id,
                operations,
                commit_message=deletion_title(repo.tag),
                repo_type="dataset",
            )

    remote.call("delete files", delete)


def _purge(remote: Remote, found: HubPlan, say: Callable[[str], None]) -> None:
    """Delete large files for ever. They are listed anew: only what the Hub still has can be deleted."""
    api: Any = remote.api

    def purge() -> int:
        stored = [one for one in api.list_lfs_files(remote.id, repo_type="dataset") if one.oid in found.objects]
        if stored:
            api.permanently_delete_lfs_files(remote.id, stored, rewrite_history=True, repo_type="dataset")
        return len(stored)

    if found.objects:
        n = remote.call("delete large files for ever", purge)
        say(f"{plural(n, 'large file')} deleted for ever")


def _verify(dataset: Dataset, staged: Staged, repo: Repo, say: Callable[[str], None]) -> Callable[[str], int]:
    from cmdfd.publish.loadback import load_back

    def verify(commit: str) -> int:
        if staged.recipe_only:
            return 0  # there are no media to load; the files were compared
        say("loading it back with datasets.load_dataset")
        return load_back(repo.id, commit, dataset, staged.layout, streaming=False)

    return verify


def prove(remote: Remote, found: HubPlan, staged: Staged) -> tuple[str, ...]:
    """Look through every revision, old ones too, for a file that is not of the new version.

    Returns:
        What is left that has to be looked at by hand.

    Raises:
        CmdfdError: If one of them can still be read.
    """
    now = seen_by(remote)
    known = {file.sha256 for file in staged.files}
    left = [f"large file {sha[:12]} ({name})" for sha, name in now.objects.items() if sha not in known]
    for commit in sorted({now.head, *now.tags.values(), *(one for one, _ in now.commits)}):
        left += _foreign(remote, staged, commit)
    old = {found.seen.head, *found.seen.tags.values(), *(one for one, _ in found.seen.commits)}
    old -= {commit for commit, _ in now.commits}
    gone = sorted({*found.removed, *found.changed})[:_TRIED]
    told = []
    for commit in sorted(old)[:_TRIED]:
        readable = [path for path in gone if _readable(remote, path, commit)]
        large = [path for path in readable if found.seen.files.get(path) in found.objects]
        left += [f"{path} at the old commit {commit[:12]}" for path in large]
        if len(readable) > len(large):
            told.append(f"small texts of the old commit {commit} can still be read; ask the Hub to collect its garbage")
    if left:
        raise CmdfdError(f"{remote.id}: can still be read: {'; '.join(left[:5])}; run the same command again")
    kept = [f"{ref}: cannot be deleted by a program; look at it on the page" for ref in now.kept_refs]
    return (*told, *kept)


def _foreign(remote: Remote, staged: Staged, commit: str) -> list[str]:
    """Files of a revision that are not of the new version; that some are missing is no harm."""
    there = remote.files(commit)
    wrong = differences(staged.folder, tuple(file for file in staged.files if file.path in there), there)
    return [f"{line} (commit {commit[:12]})" for line in wrong]


def _readable(remote: Remote, path: str, commit: str) -> bool:
    """Whether the owner can still read a file of a revision."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    url = hf_hub_url(remote.id, path, repo_type="dataset", revision=commit, endpoint=remote.api.endpoint)

    def tried() -> bool:
        try:
            get_hf_file_metadata(url, token=True)
        except (EntryNotFoundError, RevisionNotFoundError, RepositoryNotFoundError):
            return False
        return True

    return remote.call("look for an old file", tried)


def done_lines(done: Done, repo: Repo) -> list[str]:
    """How it ended."""
    made = done.published
    state = "visible behind its gate" if made.repo.visible else "private, as it was before"
    return [
        f"{made.url}: {repo.tag} at commit {made.commit[:12]}, {plural(made.n_files, 'file')}, {state}",
        "no revision, tag or large file of it gives a withdrawn clip",
        *(f"  look: {line}" for line in done.warnings),
        *words_for_people(repo),
    ]
