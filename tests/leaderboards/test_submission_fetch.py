"""Predictions at an address: what is never asked for, and what is cut off."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from toy_board import make_board, make_submission, reference, write_yaml

from leaderboards.fetch import AddressError, Fetcher, check_address, fetcher
from leaderboards.problems import SubmissionError
from leaderboards.verify import verify

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD = f"https://huggingface.co/org/name/resolve/{COMMIT}/folder/x.parquet"
PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://huggingface.co/o/n/resolve/{c}/x.parquet", "only https"),
        ("file:///etc/passwd", "only https"),
        ("ftp://huggingface.co/o/n/resolve/{c}/x.parquet", "only https"),
        ("https://user:word@huggingface.co/o/n/resolve/{c}/x.parquet", "user name or password"),
        ("https://huggingface.co@evil.example/o/n/resolve/{c}/x.parquet", "user name or password"),
        ("https://huggingface.co:8443/o/n/resolve/{c}/x.parquet", "port 8443"),
        ("https://huggingface.co:99999999/o/n/resolve/{c}/x.parquet", "no address"),
        ("https://evil.example/o/n/resolve/{c}/x.parquet", "lies at 'evil.example'"),
        ("https://huggingface.co.evil.example/o/n/resolve/{c}/x.parquet", "lies at"),
        ("https://evilhuggingface.co/o/n/resolve/{c}/x.parquet", "lies at"),
        ("https://localhost/o/n/resolve/{c}/x.parquet", "lies at"),
        ("https://127.0.0.1/o/n/resolve/{c}/x.parquet", "lies at"),
        ("https://2130706433/o/n/resolve/{c}/x.parquet", "lies at"),
        ("https://[::1]/o/n/resolve/{c}/x.parquet", "lies at"),
        ("https://[::1/o", "no address"),
        ("https://huggingface.co/o/n/resolve/main/x.parquet", "could change"),
        ("https://huggingface.co/o/n/resolve/{c}0/x.parquet", "could change"),
        ("https://huggingface.co/o/n/blob/{c}/x.parquet", "could change"),
        ("https://huggingface.co/o/n/resolve/{c}/x.pkl", "could change"),
        ("https://huggingface.co/o/n/resolve/{c}/x.parquet?next=//evil.example", "query"),
        ("https://huggingface.co/o/n/resolve/{c}/x.parquet#y", "fragment"),
        ("https://huggingface.co/o/n/resolve/{c}/../../main/x.parquet", "step upwards"),
        ("https://huggingface.co/o/n/resolve/{c}/%2e%2e/x.parquet", "escape"),
        ("https://huggingface.co//evil.example/resolve/{c}/x.parquet", "step upwards"),
        ("https://huggingface.co/o/n/resolve/{c}/x.parquet\n.evil", "could change"),
    ],
)
def test_addresses_that_are_never_asked_for(url: str, reason: str) -> None:
    check_address(GOOD)
    with pytest.raises(AddressError, match=reason):
        check_address(url.replace("{c}", COMMIT))


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.8",
            "172.16.3.4",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"),
    ],
)
def test_names_that_lead_into_a_private_network_are_not_connected_to(address: str) -> None:
    def never(*_: object) -> Any:
        raise AssertionError("connected")

    fetch = Fetcher(resolver=lambda *_: [(0, 0, 0, "", (PUBLIC, 443)), (0, 0, 0, "", (address, 443))], opener=never)
    with pytest.raises(AddressError, match="no public address"):
        fetch(GOOD, 100)


@dataclass
class Site:
    """A server on this machine that stands for the Hub; the fetcher believes that it lies at a public address."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def fetcher(self, **more: Any) -> Fetcher:
        def opener(host: str, address: str) -> Any:
            assert address == PUBLIC, "not the address that was checked"
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            self.asked.append((host, address))
            return connection

        return Fetcher(resolver=lambda *_: [(0, 0, 0, "", (PUBLIC, 443))], opener=opener, **more)


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = found.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # the fetcher hung up
                return

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


PATH = GOOD.removeprefix("https://huggingface.co")


def test_fetched_and_redirected_to_the_hubs_store(site: Site) -> None:
    site.answers[PATH] = (302, {"Location": "https://cas-bridge.xethub.hf.co/store/abc?sign=1"}, b"")
    site.answers["/store/abc?sign=1"] = (200, {"Content-Length": "5"}, b"bytes")
    assert site.fetcher()(GOOD, 5) == b"bytes"
    assert [host for host, _ in site.asked] == ["huggingface.co", "cas-bridge.xethub.hf.co"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((302, {"Location": "https://evil.example/x"}, b""), "lies at 'evil.example'"),
        ((302, {"Location": "http://huggingface.co/x"}, b""), "only https"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "only https"),
        ((302, {"Location": "https://127.0.0.1/x"}, b""), "lies at '127.0.0.1'"),
        ((302, {"Location": PATH}, b""), "redirects more than"),
        ((404, {}, b""), "answers 404"),
        ((200, {"Content-Length": "99999"}, b"x" * 99_999), "has 99999 bytes"),
        ((200, {}, b"x" * 99_999), "more bytes than the 100"),
        ((200, {"Content-Encoding": "gzip"}, b"x"), "packed"),
    ],
)
def test_answers_that_are_not_taken(site: Site, answer: tuple[int, dict[str, str], bytes], reason: str) -> None:
    site.answers[PATH] = answer
    with pytest.raises(AddressError, match=reason):
        site.fetcher()(GOOD, 100)


def test_a_file_that_never_ends_is_given_up(site: Site) -> None:
    ticks = iter(range(0, 10**6, 400))
    site.answers[PATH] = (200, {}, b"x" * 200_000)
    with pytest.raises(AddressError, match="longer than 600 s"):
        site.fetcher(clock=lambda: float(next(ticks)))(GOOD, 10**6)


def test_an_allowed_host_is_asked_only_where_a_maintainer_says_so() -> None:
    other = GOOD.replace("huggingface.co", "hub.example")
    with pytest.raises(AddressError, match="add --allow-host"):
        fetcher()(other, 5)
    check_address(other, fetcher(["hub.example"]).hosts)


def test_a_submission_by_address_is_verified_like_a_file(site: Site, tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    board = make_board(tmp_path, clips=12, components=4)
    path = make_submission(board, "far")
    table = path.with_suffix(".parquet")
    site.answers[PATH] = (200, {}, table.read_bytes())
    data = YAML(typ="safe").load(path.read_text("utf-8"))
    data["predictions"] = {**reference(table), "url": GOOD}
    del data["predictions"]["file"]
    write_yaml(path, data)
    near = verify(board, make_submission(board, "near")).answers["toy-a/test"].scores
    assert (verify(board, path, fetch=site.fetcher()).answers["toy-a/test"].scores == near).all()
    with pytest.raises(SubmissionError, match=r"far\.yaml: predictions\.url: .*--fetch"):
        verify(board, path)
    site.answers[PATH] = (200, {}, table.read_bytes()[:-1] + b"X")
    with pytest.raises(SubmissionError, match=r"x.parquet: predictions.sha256"):
        verify(board, path, fetch=site.fetcher())
    site.answers[PATH] = (500, {}, b"")
    with pytest.raises(SubmissionError, match=r"far\.yaml: predictions\.url: .* answers 500"):
        verify(board, path, fetch=site.fetcher())
