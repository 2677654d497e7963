"""Puts a staged set on the Hub so that at no moment a file of it can be read by somebody who was not let in.

The order is fixed: private -> manual gate -> the gate is read back -> files -> every file compared -> loaded back ->
tag -> the gate is read back -> visible -> the gate is read back and tried without a token. Each step looks first at
what is already there, so the same command goes on after a kill at any point and ends in the same state.

The tests run this against a Hub on the same machine with the real clients. That cannot prove: the Xet upload path (it
is switched off there), the real Hub's permissions and the rules of organisations, its rate limits, its checks of card
metadata, and what the Dataset Viewer shows of a gated set. Look at these by hand at the first real publication, or
run the test marked `network` against a repository of your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError
from cmdfd.publish.records import Problem, Published, RefusedError
from cmdfd.publish.remote import (
    COMMIT_PREFIX,
    GITATTRIBUTES,
    Remote,
    State,
    bad_repo,
    check_repo,
    differences,
    quiet,
)
from cmdfd.publish.withdrawn import Gone, gone_on_hub, staged_problems
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmdfd.publish.records import Repo, Staged

__all__ = ["COMMIT_PREFIX", "ask", "check_repo", "plan", "publish"]

#: Folders and files that the clients leave out or read as orders, so they cannot be staged.
_NEVER_STAGED = frozenset({".git", ".cache", GITATTRIBUTES, ".gitignore"})
_SHOWN = 5
_AGAIN = "run the same command again; it goes on where it stopped"


def plan(repo: Repo, *, media: bool = True) -> list[str]:
    """The calls that `publish` makes, in order, for a dry run.

    Args:
        repo: Where a set shall go.
        media: Whether clips go there, which can be loaded back.

    Raises:
        CmdfdError: `bad_repo` for a name or tag that cannot be one.
    """
    check_repo(repo)
    last = (
        [
            "make it visible (private=False); people ask for access and are let in one by one",
            "read the gate back again, and try to read a file without a token; hide it again where either fails",
        ]
        if repo.visible
        else ["leave it private"]
    )
    steps = [
        f"create the dataset {repo.id} private, or take it where it is there, private or manually gated",
        "set the gate to manual",
        "read gate and privacy back; nothing is uploaded where they are otherwise",
        "read the tombstones that are there; nobody who was taken out comes back",
        f"see that the tag {repo.tag} is free, or holds the same files",
        "upload the folder; delete files of an earlier version that are not staged any more",
        "compare every file: path, bytes, SHA-256",
        *(["load it back with datasets.load_dataset, whole and streaming; compare every row"] if media else []),
        f"tag that commit {repo.tag}",
        "read gate and privacy back",
        *last,
    ]
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)]


def publish(staged: Staged, repo: Repo, say: Callable[[str], None], *, verify: Callable[[str], int]) -> Published:
    """Put a staged set on the Hub, or go on with what an earlier run began.

    Args:
        staged: What goes there; the folder must hold exactly its files.
        repo: Where to.
        say: Told each step.
        verify: Loads a commit back, given as 40 hexadecimal digits, and returns the rows that are equal; raises where
            they are not.

    Returns:
        The set on the Hub.

    Raises:
        CmdfdError: `bad_repo` where the repository's name, tag or state does not allow it; `not_loadable` where the
            Hub gives back something else; for a missing token or right, a limit, a broken line: what to do.
        RefusedError: Where clips would come back that were withdrawn there.
        MissingExtraError: Without the extra `hub`.
    """
    check_repo(repo)
    check_folder(staged)
    remote = Remote(repo.id, say)
    from huggingface_hub import utils

    with quiet(utils):
        return _published(remote, staged, repo, say, verify)


def ask(repo: Repo, say: Callable[[str], None]) -> Gone:
    """Ask all that can be known before hours of checks: who may write, what is there, who was taken out.

    Args:
        repo: Where a set shall go.
        say: Told what was found.

    Returns:
        What was withdrawn there.

    Raises:
        CmdfdError: For what `publish` would refuse at its start: a token, a right, a repository that is open.
        MissingExtraError: Without the extra `hub`.
    """
    check_repo(repo)
    remote = Remote(repo.id, say)
    remote.may_write()
    state = remote.find()
    if state is None:
        say(f"{remote.url} is not there yet")
        return Gone()
    _refuse_open(remote, state)
    there = repo.tag in remote.tags()
    said = f", and has the tag {repo.tag}: it is kept, and its files must be those of this set" if there else ""
    say(f"{remote.url} is {state.text}{said}")
    return gone_on_hub(remote, state.commit)


def _published(
    remote: Remote, staged: Staged, repo: Repo, say: Callable[[str], None], verify: Callable[[str], int]
) -> Published:
    steps: list[str] = []

    def done(step: str) -> None:
        steps.append(step)
        say(step)

    remote.user()
    state = _prepared(remote, done)
    if problems := staged_problems(gone_on_hub(remote, state.commit), repo, staged):
        raise RefusedError(problems)
    commit = _tagged(remote, repo, staged)
    if commit:
        done(f"the tag {repo.tag} holds these files already")
    else:
        commit = _uploaded(remote, repo, staged, state, done)
        _compare(remote, staged, commit)
        done(f"{plural(len(staged.files), 'file')} of commit {commit[:12]} are equal to those at home")
    rows = verify(commit)
    done(f"{plural(rows, 'row')} loaded back" if rows else "there are no media to load back")
    _tag(remote, repo, commit, done)
    _exposed(remote, repo, staged, commit, done)
    return Published(repo, commit, remote.url, len(staged.files), rows, tuple(steps))


def check_folder(staged: Staged) -> None:
    """Refuse a folder that holds more, less or other files than were staged.

    Raises:
        CmdfdError: With the first differences.
    """
    found = {path.relative_to(staged.folder).as_posix(): path for path in staged.folder.rglob("*") if not path.is_dir()}
    wanted = {file.path: file.size for file in staged.files}
    wrong = [f"{path} is in the folder and was not staged" for path in sorted(found.keys() - wanted.keys())]
    wrong += [f"{path} is gone" for path in sorted(wanted.keys() - found.keys())]
    for path in sorted(found.keys() & wanted.keys()):
        if found[path].is_symlink():
            wrong.append(f"{path} is a link")
        elif found[path].stat().st_size != wanted[path]:
            wrong.append(f"{path} has changed")
        elif bad := _NEVER_STAGED.intersection(path.split("/")):
            wrong.append(f"{path}: the Hub's clients do not take {min(bad)!r} as a file of a set")
    if not wanted:
        wrong.append("nothing is staged")
    if wrong:
        raise CmdfdError(
            f"{staged.folder}: {_first(wrong)}; fix: delete this folder and publish again, so that it is made anew"
        )


def _first(found: list[str]) -> str:
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _prepared(remote: Remote, done: Callable[[str], None]) -> State:
    """Make or take the repository and shut its gate; returns its state once it is safe to upload."""
    remote.call(
        "create the repository",
        lambda: remote.api.create_repo(remote.id, repo_type="dataset", private=True, exist_ok=True),
    )
    state = remote.state()
    _refuse_open(remote, state)
    done(f"{remote.url} is {state.text}")
    was = state
    if was.gated != "manual":
        remote.call(
            "set the gate", lambda: remote.api.update_repo_settings(remote.id, gated="manual", repo_type="dataset")
        )
        state = remote.state()
        if state.private != was.private:
            raise bad_repo(remote.id, f"it became {state.text} meanwhile", f"make it private at {remote.url}/settings")
    if state.gated != "manual":
        raise bad_repo(
            remote.id,
            f"the Hub took the order for a manual gate, but reads {state.text}; nothing was uploaded",
            f"set 'gated' to manual approval at {remote.url}/settings, then {_AGAIN}",
        )
    done("manual gate read, set before" if was.gated == "manual" else "manual gate set and read back")
    return state


def _refuse_open(remote: Remote, state: State) -> None:
    if not state.private and state.gated != "manual":
        raise bad_repo(
            remote.id,
            f"it is on the Hub already: {state.text}; files uploaded there could be read by anybody",
            f"make it private at {remote.url}/settings, or choose another name",
        )


def _tagged(remote: Remote, repo: Repo, staged: Staged) -> str | None:
    """Commit of the tag if it is there with the same files; None if it is free."""
    commit = remote.tags().get(repo.tag)
    if commit and (found := differences(staged.folder, staged.files, remote.files(commit))):
        raise bad_repo(
            f"{remote.id}@{repo.tag}",
            f"this version is there already with other files: {_first(found)}; a published tag does not change",
            "give the new version a new tag with --tag",
        )
    return commit


def _uploaded(remote: Remote, repo: Repo, staged: Staged, state: State, done: Callable[[str], None]) -> str:
    """Upload what is not there yet; returns the commit that holds it all."""
    wanted = {file.path for file in staged.files}

    def upload() -> str:
        head = remote.state().commit  # anew at each try: the one before may have committed a part
        there = remote.files(head)
        if not differences(staged.folder, staged.files, there):
            return head
        extra = sorted(there.keys() - wanted)
        if extra:
            _may_delete(remote, head, extra)
        info = remote.api.upload_folder(
            repo_id=remote.id,
            repo_type="dataset",
            folder_path=staged.folder,
            commit_message=f"{COMMIT_PREFIX}{staged.name} {repo.tag}",
            delete_patterns="*" if extra else None,  # everything that is not uploaded, but .gitattributes
            parent_commit=head,
        )
        return str(info.oid)

    before = state.commit
    commit = remote.call("upload", upload)
    done("every file was there already" if commit == before else f"uploaded: commit {commit[:12]}")
    return commit


def _may_delete(remote: Remote, head: str, extra: list[str]) -> None:
    """Refuse to delete files of a repository that this suite never wrote to."""
    commits = remote.api.list_repo_commits(remote.id, repo_type="dataset", revision=head)
    if not any(commit.title.startswith(COMMIT_PREFIX) for commit in commits):
        raise bad_repo(
            remote.id,
            f"publishing would delete files that are there, and none of its commits was made by cmdfd: {_first(extra)}",
            "choose another name, or delete these files yourself",
        )


def _compare(remote: Remote, staged: Staged, commit: str) -> None:
    if found := differences(staged.folder, staged.files, remote.files(commit)):
        reason = f"the files on the Hub are not those at home: {_first(found)}"
        raise CmdfdError(Problem("not_loadable", f"{remote.id}@{commit[:12]}", reason, _AGAIN).text)


def _tag(remote: Remote, repo: Repo, commit: str, done: Callable[[str], None]) -> None:
    if remote.tags().get(repo.tag) == commit:
        return
    remote.call(
        "set the tag",
        lambda: remote.api.create_tag(remote.id, tag=repo.tag, revision=commit, repo_type="dataset", exist_ok=True),
    )
    if (there := remote.tags().get(repo.tag)) != commit:
        reason = f"it points to {there and there[:12]}, not to the commit that was verified, {commit[:12]}"
        raise bad_repo(f"{remote.id}@{repo.tag}", reason, "somebody else publishes too; choose another --tag")
    done(f"tagged {repo.tag}")


def _exposed(remote: Remote, repo: Repo, staged: Staged, commit: str, done: Callable[[str], None]) -> None:
    """Make it visible behind its gate, where that is wanted, and prove that the gate holds."""
    state = remote.state()
    if state.gated != "manual":
        raise bad_repo(
            remote.id,
            f"its gate was changed meanwhile: {state.text}; it was not made visible",
            f"set 'gated' to manual approval at {remote.url}/settings, then {_AGAIN}",
        )
    if state.private and not repo.visible:
        done("it stays private")
        return
    if state.private:
        remote.call(
            "make it visible", lambda: remote.api.update_repo_settings(remote.id, private=False, repo_type="dataset")
        )
    _prove_gate(remote, staged, commit)
    done("visible behind its manual gate; a stranger was refused" if repo.visible else "it was visible, and stays so")


def _prove_gate(remote: Remote, staged: Staged, commit: str) -> None:
    """Read the gate back and try it without a token; hide the repository where it does not hold."""
    state = remote.state()
    if state.private:
        raise bad_repo(
            remote.id,
            "the Hub took the order to make it visible, but reads private; all else is done",
            f"make it public at {remote.url}/settings; the gate is set",
        )
    # Cards are shown to everybody on some Hubs, so a file of the set itself is tried.
    path = next((file.path for file in staged.files if not file.path.endswith(".md")), staged.files[0].path)
    if state.gated == "manual" and not remote.open_to_strangers(path, commit):
        return
    remote.call("hide it", lambda: remote.api.update_repo_settings(remote.id, private=True, repo_type="dataset"))
    raise bad_repo(
        remote.id,
        f"once visible it read {state.text}, and the gate did not hold for {path}; it was made private again",
        f"look at {remote.url}/settings; report this to the Hub",
    )
