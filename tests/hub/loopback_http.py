"""Requests and answers of a loopback Hub, and who may ask for what."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from loopback_store import HubRepo, RefusalError

if TYPE_CHECKING:
    from loopback_hub import LoopbackHub

API_PATH = re.compile(r"/api/(dataset|model|space)s/([^/]+)/([^/]+?)(?:/([^/]+))?(?:/(.*))?")
LFS_PATH = re.compile(r"/(?:(dataset|space)s/)?([^/]+)/([^/]+)\.git/info/lfs/objects/batch")
FILE_PATH = re.compile(r"/(?:(dataset|space)s/)?([^/]+)/([^/]+)/(?:resolve|raw)/([^/]+)/(.+)")
STORE_PATH = re.compile(r"/lfs/(upload|verify|get)/([^/]+)/([^/]+)/([^/]+)/([0-9a-f]{64})")


def repo_key(kind: str, repo_id: str) -> str:
    """Key of `LoopbackHub.repos`."""
    return f"{kind}s/{repo_id}"


@dataclass
class Request:
    """A request, parsed."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    user: str | None
    role: str
    bad_token: bool

    @cached_property
    def json(self) -> Any:
        if "x-www-form-urlencoded" in self.headers.get("content-type", ""):
            return parse_qs(self.body.decode())
        return json.loads(self.body or b"{}")

    @property
    def repo_key(self) -> str | None:
        for pattern in (API_PATH, LFS_PATH, FILE_PATH):
            if (found := pattern.fullmatch(self.path)) and found[2] != "repos":
                return repo_key(found[1] or "model", f"{found[2]}/{found[3]}")
        if found := STORE_PATH.fullmatch(self.path):
            return repo_key(found[2].removesuffix("s"), f"{found[3]}/{found[4]}")
        if self.path in ("/api/repos/create", "/api/repos/delete"):
            return named(self)
        return None


@dataclass
class Reply:
    """An answer; `length` is what HEAD announces."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def denied(refusal: RefusalError) -> Reply:
    """The answer for a refusal."""
    headers = {"X-Error-Message": refusal.message} | ({"X-Error-Code": refusal.code} if refusal.code else {})
    return Reply.json({"error": refusal.message}, refusal.status, headers)


def named(request: Request) -> str:
    owner = request.json.get("organization") or request.user
    return repo_key(request.json.get("type") or "model", f"{owner}/{request.json['name']}")


def page(hub: LoopbackHub, request: Request, items: list[Any], headers: dict[str, str] | None = None) -> Reply:
    start = int(request.query.get("cursor", "0"))
    reply = Reply.json(items[start : start + hub.page], headers=headers)
    if start + hub.page < len(items):
        query = urlencode(request.query | {"cursor": str(start + hub.page)})
        reply.headers["Link"] = f'<{hub.url}{request.path}?{query}>; rel="next"'
    return reply


# Who may do what


def member(hub: LoopbackHub, request: Request, repo_id: str) -> bool:
    space = repo_id.split("/")[0]
    return request.user is not None and (space == request.user or (request.user == "owner" and space in hub.orgs))


def readable(hub: LoopbackHub, request: Request, key: str | None) -> HubRepo:
    """A repository whose existence and metadata the user may know."""
    repo = hub.repos.get(key or "")
    if repo is None or (repo.private and not member(hub, request, repo.id)):
        raise RefusalError(404 if request.user else 401, "Repository not found", "RepoNotFound")
    return repo


def opened(hub: LoopbackHub, request: Request, key: str | None) -> HubRepo:
    """A repository whose files the user may read."""
    repo = readable(hub, request, key)
    if repo.gated and not member(hub, request, repo.id) and request.user not in repo.granted:
        status, do = (403, "ask for access") if request.user else (401, "log in")
        raise RefusalError(status, f"Access to {repo.kind} {repo.id} is restricted: {do}", "GatedRepo")
    return repo


def writable(hub: LoopbackHub, request: Request, key: str | None) -> tuple[HubRepo, str]:
    repo = readable(hub, request, key)
    if not member(hub, request, repo.id) or request.role != "write":
        raise RefusalError(403 if request.user else 401, f"You have no right to write to {repo.id}")
    return repo, str(key)
