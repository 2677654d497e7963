"""What a loopback Hub answers to each call."""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from loopback_http import (
    API_PATH,
    FILE_PATH,
    LFS_PATH,
    STORE_PATH,
    Reply,
    Request,
    denied,
    member,
    named,
    opened,
    page,
    readable,
    writable,
)
from loopback_store import Commit, HubRepo, RefusalError, folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback_hub import LoopbackHub

#: Signs the addresses of large files, so that nobody reaches one by guessing.
_SIGNATURE = secrets.token_hex(16)


def answer(hub: LoopbackHub, request: Request) -> Reply:
    """Answer a request, or raise `RefusalError`."""
    path = request.path
    if found := STORE_PATH.fullmatch(path):  # large-file storage checks signatures, not tokens
        return _storage(hub, request, found[1], found[5])
    if request.bad_token:
        raise RefusalError(401, "Invalid credentials in Authorization header")
    if path == "/api/whoami-v2":
        return _whoami(hub, request)
    if path == "/api/validate-yaml":
        return _validate_yaml(request)
    if path == "/api/repos/create":
        return _create(hub, request)
    if path == "/api/repos/delete":
        del hub.repos[writable(hub, request, named(request))[1]]
        return Reply.json({})
    if found := LFS_PATH.fullmatch(path):
        return _lfs_batch(hub, request)
    if found := FILE_PATH.fullmatch(path):
        return _resolve(hub, request, unquote(found[4]), unquote(found[5]))
    if found := API_PATH.fullmatch(path):
        return _api(hub, request, found[4] or "", unquote(found[5] or ""))
    raise RefusalError(404, f"this Hub does not know {path}")


# Users and repositories


def _whoami(hub: LoopbackHub, request: Request) -> Reply:
    if request.user is None:
        raise RefusalError(401, "Invalid username or password.")
    orgs = [{"name": name, "type": "org", "roleInOrg": "admin"} for name in hub.orgs] if request.user == "owner" else []
    token = {"displayName": "test", "role": request.role}
    return Reply.json(
        {"type": "user", "name": request.user, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}}
    )


def _create(hub: LoopbackHub, request: Request) -> Reply:
    wanted, key = request.json, named(request)
    kind, repo_id = wanted.get("type") or "model", key.partition("/")[2]
    url = f"{hub.url}/{'' if kind == 'model' else kind + 's/'}{repo_id}"
    if request.user is None:
        raise RefusalError(401, "Invalid username or password.")
    if not member(hub, request, repo_id) or request.role != "write":
        raise RefusalError(
            403, f"You don't have the rights to create a {kind} under the namespace {repo_id.split('/')[0]!r}"
        )
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}", wanted["name"]):
        raise RefusalError(400, f"invalid name {wanted['name']!r}")
    if key in hub.repos:
        return Reply.json({"error": f"You already created this {kind} repo", "url": url}, 409)
    private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
    repo = hub.repos[key] = HubRepo(kind, repo_id, request.user, hub.blobs, private=private, sdk=wanted.get("sdk"))
    repo.start()
    return Reply.json({"url": url, "name": repo_id, "id": repo_id})


def _settings(repo: HubRepo, request: Request) -> Reply:
    wanted = request.json
    if "gated" in wanted:
        if wanted["gated"] not in ("auto", "manual", False):
            raise RefusalError(400, f"gated cannot be {wanted['gated']!r}")
        repo.gated = wanted["gated"]
    if "visibility" in wanted or "private" in wanted:
        repo.private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
    return Reply.json({"gated": repo.gated, "private": repo.private})


def _info(repo: HubRepo, request: Request, revision: str) -> Reply:
    sha = repo.find(revision)
    tree = repo.tree(sha)
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in tree]
    if request.query.get("blobs"):
        for known, (path, entry) in zip(siblings, tree.items(), strict=True):
            listing = entry.listing(path)
            known.update(size=entry.size, blobId=entry.oid)
            if lfs := listing.get("lfs"):
                known["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    meta = _front_matter(repo.read(sha, "README.md").decode()) if "README.md" in tree else None
    body = {
        "_id": repo.id, "id": repo.id, "author": repo.id.split("/")[0], "sha": sha, "private": repo.private,
        "gated": repo.gated, "disabled": False, "downloads": 0, "likes": 0, "tags": (meta or {}).get("tags", []),
        "lastModified": repo.commits[sha].date, "createdAt": repo.created, "siblings": siblings, "cardData": meta,
        "usedStorage": sum(known["size"] for known in repo.lfs.values()),
    }  # fmt: skip
    if repo.kind == "space":
        body |= {"sdk": repo.sdk, "runtime": {"stage": "RUNNING", "hardware": None, "storage": None}}
    return Reply(200, json.dumps(body, default=str).encode(), _commit_headers(sha))


def _front_matter(text: str) -> dict[str, Any] | None:
    import yaml

    found = re.match(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE)
    meta = yaml.safe_load(found[1]) if found else None
    return meta if isinstance(meta, dict) else None


def _validate_yaml(request: Request) -> Reply:
    import yaml

    try:
        meta = _front_matter(request.json["content"])
    except yaml.YAMLError as error:
        return Reply.json({"errors": [{"message": f"invalid YAML: {error}"}], "warnings": []}, 400)
    warnings = [] if meta else [{"message": "empty or missing yaml metadata in repo card"}]
    return Reply.json({"errors": [], "warnings": warnings})


# The interface of one repository

_READS: dict[str, Callable[[LoopbackHub, HubRepo, Request, str], Reply]] = {
    "": lambda hub, repo, request, rest: _info(repo, request, "main"),
    "revision": lambda hub, repo, request, rest: _info(repo, request, rest),
    "tree": lambda hub, repo, request, rest: _tree(hub, repo, request),
    "refs": lambda hub, repo, request, rest: _refs(repo),
    "commits": lambda hub, repo, request, rest: _commits(hub, request, repo.history(rest)),
    "lfs-files": lambda hub, repo, request, rest: page(hub, request, repo.lfs_files()),
    "auth-check": lambda hub, repo, request, rest: Reply.json({"id": opened(hub, request, request.repo_key).id}),
    "user-access-request": lambda hub, repo, request, rest: Reply.json([]),
}

_WRITES: dict[tuple[str, str], Callable[[LoopbackHub, HubRepo, Request, str], Reply]] = {
    ("PUT", "settings"): lambda hub, repo, request, rest: _settings(repo, request),
    ("POST", "preupload"): lambda hub, repo, request, rest: _preupload(repo, request, rest),
    ("POST", "commit"): lambda hub, repo, request, rest: _commit(hub, repo, request, rest),  # noqa: PLW0108 (_commit comes later)
    ("POST", "tag"): lambda hub, repo, request, rest: _name(repo, request, "tag", rest),
    ("DELETE", "tag"): lambda hub, repo, request, rest: _name(repo, request, "tag", rest),
    ("POST", "branch"): lambda hub, repo, request, rest: _name(repo, request, "branch", rest),
    ("DELETE", "branch"): lambda hub, repo, request, rest: _name(repo, request, "branch", rest),
    ("POST", "super-squash"): lambda hub, repo, request, rest: _squash(repo, request, rest),
    ("POST", "lfs-files"): lambda hub, repo, request, rest: _delete_lfs(repo, request),
    ("POST", "user-access-request"): lambda hub, repo, request, rest: _grant(repo, request),
}


def _api(hub: LoopbackHub, request: Request, what: str, rest: str) -> Reply:
    if what == "paths-info":
        return _paths_info(readable(hub, request, request.repo_key), request, rest)
    if request.method in ("GET", "HEAD") and what in _READS:
        return _READS[what](hub, readable(hub, request, request.repo_key), request, rest)
    if what.startswith("xet-"):
        raise RefusalError(404, "this Hub has no Xet storage")
    repo, _ = writable(hub, request, request.repo_key)
    if (request.method, what) not in _WRITES:
        raise RefusalError(404, f"this Hub does not know {request.method} {request.path}")
    return _WRITES[request.method, what](hub, repo, request, rest)


def _squash(repo: HubRepo, request: Request, branch: str) -> Reply:
    repo.squash(branch, request.json.get("message", "squashed"), str(request.user))
    return Reply.json({})


def _delete_lfs(repo: HubRepo, request: Request) -> Reply:
    wanted = request.json["deletions"]
    repo.delete_lfs(wanted["sha"], bool(wanted.get("rewriteHistory")))
    return Reply.json({})


def _grant(repo: HubRepo, request: Request) -> Reply:
    repo.granted.add(request.json["user"])
    return Reply.json({})


def _commit_headers(sha: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "X-Repo-Commit": sha}


def _last_commit(repo: HubRepo, sha: str) -> dict[str, str]:
    commit = repo.commits[sha]
    return {"id": commit.sha, "title": commit.title, "date": commit.date}


def _tree(hub: LoopbackHub, repo: HubRepo, request: Request) -> Reply:
    revision, _, below = request.path.partition("/tree/")[2].partition("/")
    sha, below = repo.find(unquote(revision)), unquote(below).strip("/")
    tree = repo.tree(sha)
    known = folders(tree)
    if below and below not in known:
        raise RefusalError(404, f"{below} does not exist on {sha}", "EntryNotFound")
    start = f"{below}/" if below else ""
    deep = request.query.get("recursive", "").lower() in ("true", "1")
    listed: list[dict[str, Any]] = [
        {"type": "directory", "path": name, "oid": sha, "size": 0} for name in sorted(known)
    ]
    listed += [entry.listing(path) for path, entry in tree.items()]
    listed = [e for e in listed if e["path"].startswith(start) and (deep or "/" not in e["path"][len(start) :])]
    if request.query.get("expand", "").lower() in ("true", "1"):
        listed = [e | {"lastCommit": _last_commit(repo, sha)} for e in listed]
    return page(hub, request, listed, {"X-Repo-Commit": sha})


def _paths_info(repo: HubRepo, request: Request, revision: str) -> Reply:
    sha = repo.find(revision)
    tree, known, found = repo.tree(sha), folders(repo.tree(sha)), []
    paths = request.json.get("paths", [])
    for path in [paths] if isinstance(paths, str) else paths:
        if path in tree:
            found.append(tree[path].listing(path))
        elif path in known:
            found.append({"type": "directory", "path": path, "oid": sha, "size": 0})
    if str(request.json.get("expand", "")).lower() in ("true", "1", "['true']"):
        found = [e | {"lastCommit": _last_commit(repo, sha)} for e in found]
    return Reply.json(found, headers={"X-Repo-Commit": sha})


def _refs(repo: HubRepo) -> Reply:
    def listed(names: dict[str, str], prefix: str) -> list[dict[str, str]]:
        return [{"name": name, "ref": prefix + name, "targetCommit": sha} for name, sha in names.items()]

    heads, tags = listed(repo.branches, "refs/heads/"), listed(repo.tags, "refs/tags/")
    return Reply.json({"branches": heads, "converts": [], "tags": tags, "pullRequests": []})


def _commits(hub: LoopbackHub, request: Request, history: list[Commit]) -> Reply:
    listed = [
        {"id": c.sha, "title": c.title, "message": c.description, "date": c.date, "authors": [{"user": c.author}]}
        for c in history
    ]
    return page(hub, request, listed)


def _name(repo: HubRepo, request: Request, what: str, rest: str) -> Reply:
    """Make or delete a tag (at a revision) or a branch (from a starting point)."""
    names = repo.tags if what == "tag" else repo.branches
    if request.method == "DELETE":
        if names.pop(rest, None) is None:
            raise RefusalError(404, f"no {what} {rest!r}", "RevisionNotFound")
        return Reply.json({})
    name = request.json["tag"] if what == "tag" else rest
    start = rest if what == "tag" else request.json.get("startingPoint", "main")
    if name in repo.tags or name in repo.branches:
        raise RefusalError(409, f"Reference {name!r} already exists")
    if not re.fullmatch(r"(?!.*(\.\.|//|@\{|\.lock$))[^\s~^:?*\[\\/-][^\s~^:?*\[\\]*", name):
        raise RefusalError(400, f"invalid name of a {what}: {name!r}")
    names[name] = repo.find(start)
    return Reply.json({})


def _preupload(repo: HubRepo, request: Request, revision: str) -> Reply:
    sha = repo.find(revision)
    tree, asked = repo.tree(sha), []
    if len(request.json["files"]) > 256:
        raise RefusalError(413, "at most 256 files at a time")
    for wanted in request.json["files"]:
        path, known = wanted["path"], tree.get(wanted["path"])
        asked.append({
            "path": path, "uploadMode": repo.upload_mode(path, wanted["size"]), "shouldIgnore": False,
            "oid": (known.sha256 or known.oid) if known else None,
        })  # fmt: skip
    return Reply.json({"files": asked, "commitOid": sha})


def _commit(hub: LoopbackHub, repo: HubRepo, request: Request, branch: str) -> Reply:
    if request.query.get("create_pr"):
        raise RefusalError(400, "this Hub has no pull requests")
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    if not lines or lines[0]["key"] != "header":
        raise RefusalError(400, "the first line must be the header")
    changes = [(line["key"], line["value"]) for line in lines[1:]]
    sha = repo.commit(branch, lines[0]["value"], changes, str(request.user))
    prefix = "" if repo.kind == "model" else f"{repo.kind}s/"
    url = f"{hub.url}/{prefix}{repo.id}/commit/{sha}"
    return Reply.json({"success": True, "commitOid": sha, "commitUrl": url, "pullRequestUrl": None, "hookOutput": ""})


# Large files, and reading files


def _lfs_batch(hub: LoopbackHub, request: Request) -> Reply:
    repo, key = writable(hub, request, request.repo_key)
    objects = []
    for wanted in request.json["objects"]:
        known: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in repo.lfs:
            known["actions"] = {
                action: {"href": f"{hub.url}/lfs/{action}/{key}/{wanted['oid']}?size={wanted['size']}&sig={_SIGNATURE}"}
                for action in ("upload", "verify")
            }
        objects.append(known)
    return Reply.json({"transfer": "basic", "objects": objects})


def _storage(hub: LoopbackHub, request: Request, action: str, sha256: str) -> Reply:
    repo = hub.repos.get(str(request.repo_key))
    if repo is None or request.query.get("sig") != _SIGNATURE:
        raise RefusalError(403, "the signature of this address is not valid")
    if action == "upload" and request.method == "PUT":
        repo.put_lfs(sha256, int(request.query["size"]), request.body)
        return Reply.json({})
    known = repo.lfs.get(sha256)
    if known is None or (action == "verify" and known["size"] != request.json["size"]):
        raise RefusalError(404, f"no object {sha256} of that size")
    return Reply.json({}) if action == "verify" else _bytes(request, hub.blobs.get(sha256), {"ETag": f'"{sha256}"'})


def _resolve(hub: LoopbackHub, request: Request, revision: str, path: str) -> Reply:
    repo = opened(hub, request, request.repo_key)
    sha = repo.find(revision)
    try:
        entry = repo.entry(sha, path)
        data = repo.read(sha, path)
    except RefusalError as refusal:
        reply = denied(refusal)
        reply.headers["X-Repo-Commit"] = sha
        return reply
    headers = {"X-Repo-Commit": sha, "ETag": f'"{entry.sha256 or entry.oid}"', "Accept-Ranges": "bytes"}
    if entry.sha256 is None:
        return _bytes(request, data, headers)
    store = f"http://localhost:{hub.port}"  # another host than the Hub's, as for the real one: tokens must not go there
    address = f"{store}/lfs/get/{quote(str(request.repo_key))}/{entry.sha256}?sig={_SIGNATURE}"
    headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(entry.size), "Location": address}
    return Reply(302, b"", headers)


def _bytes(request: Request, data: bytes, headers: dict[str, str]) -> Reply:
    headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **headers}
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if wanted is None or not (wanted[1] or wanted[2]):
        return Reply(200, data, headers)
    first = int(wanted[1]) if wanted[1] else max(0, len(data) - int(wanted[2]))
    last = min(len(data) - 1, int(wanted[2])) if wanted[1] and wanted[2] else len(data) - 1
    if first > last:
        return Reply(416, b"", headers | {"Content-Range": f"bytes */{len(data)}"})
    return Reply(206, data[first : last + 1], headers | {"Content-Range": f"bytes {first}-{last}/{len(data)}"})
