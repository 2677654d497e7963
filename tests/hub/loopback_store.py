"""What a loopback Hub remembers: repositories with commits, trees, refs, settings, and blobs in a folder.

Every commit keeps its own tree, so a tag is a fixed revision whatever happens to the branch later.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: What `create_repo` puts into a new repository, in short; these endings are large files on the Hub too.
LFS_ENDINGS = (
    ".7z", ".arrow", ".avi", ".bin", ".flac", ".gz", ".jpg", ".mkv", ".mov", ".mp3", ".mp4", ".npy", ".npz", ".ogg",
    ".parquet", ".png", ".safetensors", ".tar", ".wav", ".webp", ".zip",
)  # fmt: skip
GITATTRIBUTES = "".join(f"*{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in LFS_ENDINGS).encode()
#: Files above this are large files whatever their name (bytes; the Hub's own rule).
LFS_THRESHOLD = 10 * 2**20
#: Entries that one folder may hold (the Hub's hard limit).
MAX_ENTRIES = 10_000


class RefusalError(Exception):
    """An answer other than 200.

    Args:
        status: HTTP status.
        message: Goes into the body and X-Error-Message.
        code: X-Error-Code, e.g. "RepoNotFound"; empty for none.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(status, message, code)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a tree: `sha256` is set where it is a large file, `oid` is git's name of the blob or pointer."""

    size: int
    oid: str
    blob: str
    sha256: str | None = None

    def listing(self, path: str) -> dict[str, Any]:
        known: dict[str, Any] = {"type": "file", "path": path, "size": self.size, "oid": self.oid}
        if self.sha256:
            known["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": len(pointer(self.sha256, self.size))}
        return known


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and its whole tree."""

    sha: str
    parent: str | None
    title: str
    description: str
    author: str
    tree: dict[str, Entry]
    date: str


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def git_oid(data: bytes) -> str:
    """Git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """The text that git keeps in place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


class Blobs:
    """Bytes by sha256, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        if not self.path(name).exists():
            part = self.folder / f"{name}.part"
            part.write_bytes(data)
            part.replace(self.path(name))
        return name

    def get(self, sha256: str) -> bytes:
        return self.path(sha256).read_bytes()


@dataclass
class HubRepo:
    """One repository with all that the clients can ask about it."""

    kind: str
    id: str
    owner: str
    blobs: Blobs
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    created: str = field(default_factory=now)
    granted: set[str] = field(default_factory=set)
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    lfs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start(self) -> None:
        """Make the first commit, as the Hub does for a new repository."""
        entry = Entry(len(GITATTRIBUTES), git_oid(GITATTRIBUTES), self.blobs.put(GITATTRIBUTES))
        self.branches["main"] = self._add(None, "initial commit", "", self.owner, {".gitattributes": entry})

    @property
    def head(self) -> str:
        return self.branches["main"]

    def find(self, revision: str) -> str:
        """The commit that a branch, a tag, or at least seven digits of a commit name."""
        revision = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for names in (self.branches, self.tags):
            if revision in names:
                return names[revision]
        found = [sha for sha in self.commits if len(revision) >= 7 and sha.startswith(revision)]
        if len(found) != 1:
            raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found[0]

    def tree(self, revision: str = "main") -> dict[str, Entry]:
        return self.commits[self.find(revision)].tree

    def entry(self, revision: str, path: str) -> Entry:
        found = self.tree(revision).get(path)
        if found is None:
            raise RefusalError(404, f"Entry not found: {path}", "EntryNotFound")
        return found

    def read(self, revision: str, path: str) -> bytes:
        found = self.entry(revision, path)
        if found.sha256 and found.sha256 not in self.lfs:
            raise RefusalError(404, f"the bytes of {path} were deleted", "EntryNotFound")
        return self.blobs.get(found.blob)

    def upload_mode(self, path: str, size: int) -> str:
        return "lfs" if size > LFS_THRESHOLD or path.lower().endswith(LFS_ENDINGS) else "regular"

    def put_lfs(self, sha256: str, size: int, data: bytes) -> None:
        """Take a large file; one whose bytes are not what its name says is refused, as by the Hub's storage."""
        if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
            raise RefusalError(400, f"{len(data)} bytes that are not the object {sha256}")
        self.blobs.put(data)
        self.lfs[sha256] = {"size": size, "pushedAt": now()}

    def commit(self, branch: str, header: dict[str, Any], changes: list[tuple[str, dict[str, Any]]], who: str) -> str:
        """Apply the lines of a commit request to a branch, whole or not at all."""
        if branch not in self.branches:
            raise RefusalError(404, f"{branch!r} is no branch", "RevisionNotFound")
        parent = header.get("parentCommit")
        if parent and parent != self.branches[branch]:
            raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(self.tree(branch))
        for key, value in changes:
            self._apply(tree, key, value)
        _check_folders(tree)
        sha = self._add(self.branches[branch], header["summary"], header.get("description", ""), who, tree)
        self.branches[branch] = sha
        return sha

    def _apply(self, tree: dict[str, Entry], key: str, value: dict[str, Any]) -> None:
        import base64

        path = value["path"]
        if path.startswith("/") or {"..", ".", "", ".git"} & set(path.rstrip("/").split("/")):
            raise RefusalError(400, f"invalid path {path!r}")
        if key == "file":
            data = base64.b64decode(value["content"], validate=True)
            if self.upload_mode(path, len(data)) == "lfs" and data:
                raise RefusalError(400, f"{path} must go through LFS")
            tree[path] = Entry(len(data), git_oid(data), self.blobs.put(data))
        elif key == "lfsFile":
            known = self.lfs.get(value["oid"])
            if known is None or value.get("size", known["size"]) != known["size"]:
                raise RefusalError(400, f"LFS pointer of {path} names an object that was not uploaded")
            oid = git_oid(pointer(value["oid"], known["size"]))
            tree[path] = Entry(known["size"], oid, value["oid"], value["oid"])
        elif key == "deletedFile":
            if tree.pop(path, None) is None:
                raise RefusalError(404, f"cannot delete {path}: it is not there", "EntryNotFound")
        elif key == "deletedFolder":
            for inside in [name for name in tree if name.startswith(path.rstrip("/") + "/")]:
                del tree[inside]
        else:
            raise RefusalError(400, f"unknown commit line {key!r}")

    def squash(self, branch: str, message: str, who: str) -> None:
        """One commit with the branch's tree takes the place of its history; what tags hold stays."""
        if branch not in self.branches:
            raise RefusalError(404, f"{branch!r} is no branch", "RevisionNotFound")
        self.branches[branch] = self._add(None, message, "", who, self.tree(branch))
        self._forget_unreachable()

    def delete_lfs(self, shas: list[str], rewrite: bool) -> None:
        """Forget large files for ever; with `rewrite` every commit that names them is written anew without them."""
        if unknown := [sha for sha in shas if sha not in self.lfs]:
            raise RefusalError(404, f"no large file {unknown[0]} in this repository")
        for sha in shas:
            del self.lfs[sha]
        if rewrite:
            renamed: dict[str, str] = {}
            for old in list(self.commits.values()):  # parents come before children
                tree = {path: entry for path, entry in old.tree.items() if entry.sha256 not in shas}
                parent = renamed.get(old.parent or "", old.parent)
                if len(tree) == len(old.tree) and parent == old.parent:
                    renamed[old.sha] = old.sha
                else:
                    renamed[old.sha] = self._add(parent, old.title, old.description, old.author, tree)
            for names in (self.branches, self.tags):
                names.update({name: renamed[sha] for name, sha in names.items()})
            self._forget_unreachable()

    def lfs_files(self) -> list[dict[str, Any]]:
        names = {e.sha256: path for commit in self.commits.values() for path, e in commit.tree.items() if e.sha256}
        return [
            {"fileOid": sha, "oid": sha, "filename": names.get(sha, sha), "ref": "main", **known}
            for sha, known in self.lfs.items()
        ]

    def history(self, revision: str) -> list[Commit]:
        found, sha = [], self.find(revision)
        while sha in self.commits:
            found.append(self.commits[sha])
            sha = found[-1].parent or ""
        return found

    def _forget_unreachable(self) -> None:
        kept = {c.sha for ref in (*self.branches.values(), *self.tags.values()) for c in self.history(ref)}
        self.commits = {sha: commit for sha, commit in self.commits.items() if sha in kept}

    def _add(self, parent: str | None, title: str, description: str, author: str, tree: dict[str, Entry]) -> str:
        content = "".join(f"{path}\0{tree[path].oid}\n" for path in sorted(tree))
        text = f"{parent}\0{title}\0{len(self.commits)}\0{self.id}\0{content}"
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = Commit(sha, parent, title, description, author, dict(sorted(tree.items())), now())
        return sha


def folders(tree: dict[str, Entry]) -> set[str]:
    """Every folder of a tree."""
    return {"/".join(parts[:n]) for path in tree for parts in [path.split("/")] for n in range(1, len(parts))}


def _check_folders(tree: dict[str, Entry]) -> None:
    counts: dict[str, int] = {}
    for path in [*tree, *folders(tree)]:
        parent = path.rpartition("/")[0]
        counts[parent] = counts.get(parent, 0) + 1
    for parent, count in counts.items():
        if count > MAX_ENTRIES:
            raise RefusalError(400, f"the folder {parent!r} has {count} entries; at most {MAX_ENTRIES} are allowed")
