"""A Hub on 127.0.0.1 that speaks the Hub's HTTP interface to the real `huggingface_hub` and `datasets` clients.

It refuses what the Hub refuses: files of a private repository to anybody outside, files of a gated one to anybody
without a grant, bytes that are not what their sha256 says, a second tag of the same name, a commit that names a
large file nobody uploaded. Every call is recorded with the state of its repository at that moment, calls can be made
to fail, to do nothing or to lose their answer, and a test can act when a call arrives (kill the client, look around).

What a test against it cannot prove: the Xet upload path (the clients are told not to use it), the real Hub's
permissions and organisations' rules, its rate limits, its checks of card metadata, and what the Dataset Viewer shows.

In a test:           with LoopbackHub() as hub: run_client(hub, "...")      (see hub_client.py)
As its own process:  python tests/hub/loopback_hub.py --port-file PORT --store DIR
                     GET /-/calls lists the calls; POST /-/fail {"times": 2, "status": 503, "match": "..."} breaks some.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import threading
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from loopback_http import Reply, Request, denied, repo_key
from loopback_routes import answer
from loopback_store import Blobs, HubRepo, RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER, STRANGER, READER = "token-of-the-owner", "token-of-a-stranger", "token-that-only-reads"


@dataclass(slots=True)
class Call:
    """One request, with the state of its repository when it arrived (None: no such repository)."""

    number: int
    method: str
    path: str
    user: str | None
    repo: str | None = None
    private: bool | None = None
    gated: str | bool | None = None
    sent: int = 0
    status: int = 0

    @property
    def text(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(slots=True)
class _Trouble:
    times: int
    status: int
    match: re.Pattern[str]
    mode: str
    says: str


@dataclass(slots=True)
class _Watch:
    match: re.Pattern[str]
    nth: int
    act: Callable[[Call], object]
    drop: bool


class LoopbackHub:
    """The Hub; a context manager.

    Args:
        store: Folder for blobs; a temporary one by default.
        orgs: Organisations in which the owner may create repositories, beside "owner" itself.
        delay: Seconds that each call takes.
        page: Entries on a page of a tree or commit list.
    """

    def __init__(
        self, store: Path | None = None, *, orgs: tuple[str, ...] = ("lab", "org"), delay: float = 0.0, page: int = 1000
    ) -> None:
        self._temporary = None if store else tempfile.TemporaryDirectory(prefix="loopback-hub-")
        self.blobs = Blobs((store or Path(self._temporary.name if self._temporary else "")) / "blobs")
        self.orgs, self.delay, self.page = orgs, delay, page
        self.users = {OWNER: ("owner", "write"), READER: ("owner", "read"), STRANGER: ("stranger", "write")}
        self.repos: dict[str, HubRepo] = {}
        self.calls: list[Call] = []
        self.lock = threading.RLock()
        self._troubles: list[_Trouble] = []
        self._watches: list[_Watch] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._temporary:
            self._temporary.cleanup()

    # What tests ask and order

    def repo(self, repo_id: str, kind: str = "dataset") -> HubRepo:
        """State of a repository; KeyError where there is none."""
        return self.repos[repo_key(kind, repo_id)]

    def files(self, repo_id: str, revision: str = "main", kind: str = "dataset") -> dict[str, bytes]:
        """Every file of a revision with its bytes, .gitattributes too."""
        repo = self.repo(repo_id, kind)
        return {path: repo.read(revision, path) for path in repo.tree(revision)}

    def fail_next(
        self, times: int, status: int = 503, match: str = "",
        mode: Literal["refuse", "lose_reply", "ignore", "cut"] = "refuse", says: str = "trouble was ordered",
    ) -> None:  # fmt: skip
        """Spoil the next calls whose "METHOD /path" matches.

        refuse: answer `status` with the message `says` and do nothing.
        lose_reply: do it, then close the connection without an answer.
        ignore: answer 200 and do nothing. cut: close the connection and do nothing.
        """
        with self.lock:
            self._troubles.append(_Trouble(times, status, re.compile(match), mode, says))

    def heal(self) -> None:
        """Forget what `fail_next` and `when` ordered."""
        with self.lock:
            self._troubles.clear()
            self._watches.clear()

    def when(self, match: str, act: Callable[[Call], object], nth: int = 1, drop: bool = False) -> None:
        """Run `act(call)` when the nth call whose "METHOD /path" matches arrives, before it is answered.

        A client that `act` kills has sent its whole request by then, so the Hub still does what it asked;
        with `drop` it does not, as if the kill had cut the request.
        """
        with self.lock:
            self._watches.append(_Watch(re.compile(match), nth, act, drop))

    def find(self, match: str) -> list[Call]:
        """Calls whose "METHOD /path" matches, in order."""
        return [call for call in self.calls if re.search(match, call.text)]

    # What the server asks

    def record(self, request: Request) -> Call:
        repo = self.repos.get(request.repo_key or "")
        name, private, gated = (repo.id, repo.private, repo.gated) if repo else (None, None, None)
        with self.lock:
            number, sent = len(self.calls), len(request.body)
            call = Call(number, request.method, request.path, request.user, name, private, gated, sent)
            self.calls.append(call)
        return call

    def watched(self, call: Call) -> list[_Watch]:
        due = []
        with self.lock:
            for watch in self._watches:
                if re.search(watch.match, call.text):
                    watch.nth -= 1
                    if watch.nth == 0:
                        due.append(watch)
        return due

    def trouble(self, call: Call) -> _Trouble | None:
        with self.lock:
            for trouble in self._troubles:
                if trouble.times > 0 and trouble.match.search(call.text):
                    trouble.times -= 1
                    return trouble
        return None


class _Server(ThreadingHTTPServer):
    hub: LoopbackHub
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of the Hub."""
        import sys
        import traceback

        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        hub, body = self.server.hub, self._body()
        if body is None:
            self.close_connection = True
            return
        if self.path.startswith("/-/"):
            self._send(self._ordered(body))
            return
        request = self._request(body)
        call = hub.record(request)
        due = hub.watched(call)
        for watch in due:
            watch.act(call)
        sleep(hub.delay)
        if any(watch.drop for watch in due):
            self.close_connection = True
            return
        trouble = hub.trouble(call)
        if trouble and trouble.mode == "cut":
            self.close_connection = True
            return
        reply = self._reply(request, trouble)
        call.status = reply.status
        if trouble and trouble.mode == "lose_reply":
            self.close_connection = True
            return
        self._send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (http.server's names)

    def _reply(self, request: Request, trouble: _Trouble | None) -> Reply:
        if trouble and trouble.mode == "refuse":
            return denied(RefusalError(trouble.status, trouble.says))
        if trouble and trouble.mode == "ignore":
            return Reply.json({})
        try:
            with self.server.hub.lock:
                return answer(self.server.hub, request)
        except RefusalError as refusal:
            return denied(refusal)

    def _request(self, body: bytes) -> Request:
        hub, parts = self.server.hub, urlsplit(self.path)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        known = hub.users.get(token) if scheme == "Bearer" else None
        return Request(
            method=self.command,
            path=parts.path,
            query={key: values[-1] for key, values in parse_qs(parts.query).items()},
            headers={key.lower(): value for key, value in self.headers.items()},
            body=body,
            user=known[0] if known else None,
            role=known[1] if known else "",
            bad_token=bool(token) and known is None,
        )

    def _body(self) -> bytes | None:
        """The request's body; None where the client broke off."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = bytearray()
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return bytes(data)
        length = int(self.headers.get("Content-Length") or 0)
        got = self.rfile.read(length)
        return got if len(got) == length else None

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for key, value in reply.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(reply.length if reply.length is not None else len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def _ordered(self, body: bytes) -> Reply:
        """Orders from a test in another process."""
        hub, what = self.server.hub, unquote(self.path.removeprefix("/-/"))
        if what == "calls":
            return Reply.json([asdict(call) for call in hub.calls])
        if what == "fail":
            hub.fail_next(**json.loads(body))
            return Reply.json({})
        return denied(RefusalError(404, f"no order {what!r}; known: calls, fail"))


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A Hub on 127.0.0.1 for tests.")
    parser.add_argument("--port-file", type=Path, required=True, help="the port is written here once it serves")
    parser.add_argument("--store", type=Path, required=True, help="folder for blobs")
    parser.add_argument("--org", action="append", default=[], help="organisation of the owner (default: lab, org)")
    parsed = parser.parse_args()
    with LoopbackHub(parsed.store, orgs=tuple(parsed.org) or ("lab", "org")) as hub:
        part = parsed.port_file.with_suffix(".part")
        part.write_text(str(hub.port))
        part.replace(parsed.port_file)
        threading.Event().wait()


if __name__ == "__main__":
    main()
