"""The Hub's client for one dataset repository: tries calls again; errors say what to do, never the token."""

from __future__ import annotations

import hashlib
import re
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from cmdfd.errors import CmdfdError, MissingExtraError
from cmdfd.publish.records import Problem
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cmdfd.publish.records import Repo, StagedFile

Answer = TypeVar("Answer")

#: How the title of every commit of this suite begins; files of a repository without one are never deleted.
COMMIT_PREFIX = "cmdfd: "
#: The Hub's own file of a repository; it is neither staged, compared nor deleted.
GITATTRIBUTES = ".gitattributes"
#: Tries of one call, and the wait before the second (seconds), doubled each time up to the longest.
TRIES = 6
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
#: Answers after which the same call may do better: conflicts with a commit in progress, limits, the Hub's troubles.
_AGAIN = frozenset({408, 412, 429, 500, 502, 503, 504})
_NETWORK = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3"})
#: Owner or name, as the Hub allows them: ASCII letters, digits, "-", "_", "."; neither sign but "_" at an end.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPO_ID = re.compile(f"{_PART}/{_PART}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{7,40}")
_RIGHT = "ask the organisation for the right to write, or use a token that has it (write, or fine-grained for it)"
_LOGIN = "log in with `hf auth login`, or set HF_TOKEN, to a token that may write"


def bad_repo(where: str, reason: str, fix: str) -> CmdfdError:
    """The refusal `bad_repo`, to be raised."""
    return CmdfdError(Problem("bad_repo", clean(where), reason, fix).text)


def check_repo(repo: Repo) -> None:
    """Refuse a name or tag that cannot be one, before anything is made or asked.

    Args:
        repo: Where a set shall go.

    Raises:
        CmdfdError: `bad_repo`, with what is wrong.
    """
    name = repo.id
    if not _REPO_ID.fullmatch(name) or any(bad in name for bad in ("..", "--")) or name.endswith(".git"):
        raise bad_repo(
            repr(name),
            "a repository is ORG/NAME: ASCII letters, digits, '-', '_' and '.', no '--' or '..', no '.git' last",
            "give it as in --repo my-lab/my-set",
        )
    tag = repo.tag
    if not _TAG.fullmatch(tag) or ".." in tag or tag.endswith((".lock", ".")) or tag in ("main", "master", "HEAD"):
        raise bad_repo(repr(tag), "this cannot be a version tag", "give it as in --tag v1.0.0")
    if _HEX.fullmatch(tag):
        raise bad_repo(repr(tag), "a tag like this reads as a commit", "give it as in --tag v1.0.0")


@dataclass(frozen=True, slots=True)
class State:
    """What a repository lets strangers do.

    Args:
        private: Whether only its owners know it.
        gated: "manual", "auto" or False.
        commit: Of its main branch.
    """

    private: bool
    gated: str | bool
    commit: str

    @property
    def text(self) -> str:
        """For people."""
        return f"{'private' if self.private else 'visible'}, gate {self.gated or 'off'}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the Hub.

    Args:
        size: Bytes.
        sha256: Of a large file's bytes; None for files that git itself keeps.
        oid: Git's name of the blob, or of the pointer to a large file.
    """

    size: int
    sha256: str | None
    oid: str


class Remote:
    """One dataset repository on the Hub that `HF_ENDPOINT` names, with the token of `hf auth login` or `HF_TOKEN`.

    Args:
        repo_id: "ORG/NAME".
        say: Told about calls that are tried again.

    Raises:
        CmdfdError: Without a token.
        MissingExtraError: Without the extra `hub`.
    """

    def __init__(self, repo_id: str, say: Callable[[str], None] = lambda _: None) -> None:
        try:
            from huggingface_hub import HfApi, get_token
        except ImportError as error:
            raise MissingExtraError("hub", "publishing to the Hub") from error
        self.id, self.say = repo_id, say
        self._token = get_token()
        if not self._token:
            raise CmdfdError(f"there is no token for the Hub; fix: {_LOGIN}")
        self.api = HfApi(library_name="cmdfd")
        self.url = f"{self.api.endpoint}/datasets/{repo_id}"

    def call(self, what: str, ask: Callable[[], Answer]) -> Answer:
        """Do something on the Hub, again where it was busy or the line broke.

        Args:
            what: For messages, as the object of "cannot".
            ask: Does it; must be safe to repeat.

        Returns:
            What `ask` returned.

        Raises:
            CmdfdError: With the reason and what to do.
        """
        wait = FIRST_WAIT
        for left in range(TRIES - 1, -1, -1):
            try:
                return ask()
            except CmdfdError:
                raise
            except Exception as error:
                if not left or not _may_pass(error):
                    raise CmdfdError(self._explain(what, error)) from None  # the cause may hold headers
                pause = max(wait, _told_to_wait(error))
                self.say(f"cannot {what} yet ({_short(error)}); again in {pause:.0f} s")
                time.sleep(pause)
                wait = min(2 * wait, LONGEST_WAIT)
        raise AssertionError("not reached")

    def user(self) -> str:
        """Name of the token's user; asks the Hub, so that a bad token is known at once."""
        return str(self.call("log in", self.api.whoami)["name"])

    def may_write(self) -> None:
        """Ask who the token belongs to, and refuse one that cannot write here as far as the Hub tells.

        What a fine-grained token may do is left for the first call that needs it: the Hub does not tell all of it.

        Raises:
            CmdfdError: For a token that is none, one that only reads, or a user of another organisation.
        """
        told: Any = self.call("log in", self.api.whoami)
        name, owner = str(told["name"]), self.id.partition("/")[0]
        role = ((told.get("auth") or {}).get("accessToken") or {}).get("role")
        if role == "read":
            raise CmdfdError(f"the token of {clean(name)} may only read ({self.id}); fix: {_LOGIN}")
        orgs = {str(org["name"]).lower(): org.get("roleInOrg") for org in told.get("orgs") or ()}
        if role != "write" or owner.lower() == name.lower():
            return
        if owner.lower() not in orgs:
            raise CmdfdError(f"the user {clean(name)} is not in the organisation {owner} ({self.id}); fix: {_RIGHT}")
        if orgs[owner.lower()] == "read":
            raise CmdfdError(f"the user {clean(name)} may only read in {owner} ({self.id}); fix: {_RIGHT}")

    def state(self) -> State:
        """Read what the repository lets strangers do."""
        return self._state(self.call("read the repository's settings", lambda: self.api.dataset_info(self.id)))

    def find(self) -> State | None:
        """The same, but None where there is no such repository, or none that the token may see."""
        from huggingface_hub.errors import RepositoryNotFoundError

        def ask() -> Any:
            try:
                return self.api.dataset_info(self.id)
            except RepositoryNotFoundError:
                return None

        info = self.call("read the repository's settings", ask)
        return None if info is None else self._state(info)

    def _state(self, info: Any) -> State:
        if info.id != self.id:  # a repository that was renamed answers to its old name too
            raise bad_repo(self.id, f"the Hub calls it {info.id!r}", f"publish with --repo {info.id}")
        return State(info.private is True, info.gated or False, str(info.sha))

    def tags(self) -> dict[str, str]:
        """Tag -> commit."""
        refs = self.call("list the tags", lambda: self.api.list_repo_refs(self.id, repo_type="dataset"))
        return {ref.name: ref.target_commit for ref in refs.tags}

    def files(self, commit: str) -> dict[str, RemoteFile]:
        """Every file of a commit but the Hub's own `.gitattributes`."""

        def listed() -> dict[str, RemoteFile]:
            entries: Any = self.api.list_repo_tree(self.id, recursive=True, revision=commit, repo_type="dataset")
            return {
                entry.path: RemoteFile(entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id)
                for entry in entries
                if hasattr(entry, "blob_id") and entry.path != GITATTRIBUTES
            }

        return self.call("list the files", listed)

    def open_to_strangers(self, path: str, commit: str) -> bool:
        """Whether somebody without any token can read a file.

        Args:
            path: Of the file.
            commit: In which it is.
        """
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url = hf_hub_url(self.id, path, repo_type="dataset", revision=commit, endpoint=self.api.endpoint)

        def tried() -> bool:
            try:
                get_hf_file_metadata(url, token=False)
            except Exception as error:
                if _status(error) in (401, 403, 404):
                    return False
                raise
            return True

        return self.call("try to read a file without a token", tried)

    def _explain(self, what: str, error: Exception) -> str:
        text = f"cannot {what} ({self.id}): {_short(error)}; fix: {_fix(error, self.api.endpoint)}"
        return clean(text.replace(str(self._token), "[token]"))


@contextmanager
def quiet(*libraries: Any) -> Iterator[None]:
    """Switch the progress bars of `huggingface_hub.utils` or `datasets` off where nobody sits at a terminal.

    Args:
        libraries: Modules with `disable_progress_bars` and its kin.
    """
    shown = [] if sys.stderr.isatty() else [one for one in libraries if not one.are_progress_bars_disabled()]
    with warnings.catch_warnings(action="ignore"):  # the user's own variable has priority, and may stay so
        for one in shown:
            one.disable_progress_bars()
    try:
        yield
    finally:
        for one in shown:
            one.enable_progress_bars()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, from the outside in."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _status(error: BaseException) -> int | None:
    for cause in _chain(error):
        response = getattr(cause, "response", None)
        if response is not None and isinstance(getattr(response, "status_code", None), int):
            return int(response.status_code)
    return None


def _is_network(error: BaseException) -> bool:
    if _status(error) is not None:
        return False
    return any(
        isinstance(cause, ConnectionError | TimeoutError) or type(cause).__module__.split(".")[0] in _NETWORK
        for cause in _chain(error)
    )


def _is_offline(error: BaseException) -> bool:
    return any(type(cause).__name__ == "OfflineModeIsEnabled" for cause in _chain(error))


def _may_pass(error: BaseException) -> bool:
    return not _is_offline(error) and (_status(error) in _AGAIN or _is_network(error))


def _told_to_wait(error: BaseException) -> float:
    """Seconds that the Hub asks to wait, at most five minutes."""
    for cause in _chain(error):
        told = getattr(getattr(cause, "response", None), "headers", {}).get("Retry-After", "")
        if str(told).isdigit():
            return min(300.0, float(told))
    return 0.0


def _short(error: BaseException) -> str:
    """What happened, in one line: the Hub's own words where it gave some; no address's query, for it can sign."""
    status = _status(error)
    said = next((s for cause in _chain(error) if (s := getattr(cause, "server_message", None))), None)
    text = f"HTTP {status}: {said}" if status and said else str(error) or type(error).__name__
    text = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", text)
    text = re.sub(r"\bhf_\w{8,}|Bearer \S+", "[token]", text)
    return " ".join(text.split())[:400]


def _fix(error: BaseException, endpoint: str) -> str:
    if _is_offline(error):
        return "unset HF_HUB_OFFLINE"
    if _is_network(error):
        return f"see whether {endpoint} can be reached, then run the same command again; it goes on where it stopped"
    status = _status(error) or 0
    if status >= 500:
        return "the Hub has troubles; run the same command again later; it goes on where it stopped"
    return {
        400: "what the Hub names must be changed; for the card, in the file given with --card",
        401: _LOGIN,
        402: "the account's plan or storage does not allow it; see the organisation's billing page",
        403: _RIGHT,
        404: f"see whether the name is right and the token may see it, or {_LOGIN}",
        412: "somebody else commits to this repository; wait until that ends, then run the same command again",
        429: "the Hub limits the number of calls; wait an hour, then run the same command again; it goes on",
    }.get(status, "run the same command again; where it stays, report it with this message")


def differences(folder: Path, staged: tuple[StagedFile, ...], remote: dict[str, RemoteFile]) -> list[str]:
    """How the files of a commit differ from the staged ones; empty where every byte is the same.

    Large files are compared by SHA-256, those that git keeps by git's name of the bytes at home, whose SHA-256 must be
    the staged one.

    Args:
        folder: Where the staged files lie.
        staged: What should be there.
        remote: What is there.
    """
    found = [f"{path} is there and was not staged" for path in sorted(remote.keys() - {file.path for file in staged})]
    for file in staged:
        there = remote.get(file.path)
        if there is None:
            found.append(f"{file.path} is not there")
        elif there.size != file.size:
            found.append(f"{file.path} has {there.size} bytes, at home {file.size}")
        elif (there.sha256 or _sha256_of_git(folder / file.path, there.oid)) != file.sha256:
            found.append(f"{file.path} has other bytes than at home")
    return found


def _sha256_of_git(path: Path, oid: str) -> str | None:
    """SHA-256 of a file at home if git names its bytes `oid`, else None."""
    data = path.read_bytes()
    named = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return hashlib.sha256(data).hexdigest() if named == oid else None
