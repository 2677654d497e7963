"""The runtime http against a real server on the loopback."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from external_bench import Bench, spec_of

from cmdfd.errors import JobError

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


class Server:
    """Answers every POST as the test says."""

    def __init__(self) -> None:
        self.answer: Answer = lambda handler, body: None
        self.seen: list[tuple[str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.path, body))
                outer.answer(self, body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


HTTP = '[runtimes.http]\npath = "/make"\nfields = { video = "@{face}", audio = "@{audio}", seed = "{seed}" }\n'
COG = '[runtimes.cog]\ninputs = { face = "@{face}", seed = "{seed}" }\n'


def reply(handler: BaseHTTPRequestHandler, status: int, data: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def test_a_form_goes_out_and_the_file_comes_back(bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    media = (bench.checkout / "media" / "forged.mp4").read_bytes()
    server.answer = lambda handler, _: reply(handler, 200, media)
    generator = bench.generator(spec_of(extra=HTTP), runtime="http", url=server.url, checkout=None, python=None)
    outcome = generator.generate(bench.job())
    assert outcome.details["runtime"] == "http"
    assert outcome.details["http_status"] == 200
    path, body = server.seen[-1]
    assert path == "/make"
    assert re.findall(rb'name="(\w+)"', body) == [b"video", b"audio", b"seed"]
    assert b"ftypisom" in body
    assert b"RIFF" in body
    assert bench.checkout.name.encode() not in body


def test_cogs_json_goes_out_and_the_file_comes_back(bench: Bench, server: Server) -> None:
    media = (bench.checkout / "media" / "forged.mp4").read_bytes()
    answer = json.dumps({"status": "succeeded", "output": "data:video/mp4;base64," + base64.b64encode(media).decode()})
    server.answer = lambda handler, _: reply(handler, 201, answer.encode())
    generator = bench.generator(spec_of(extra=COG), runtime="cog", url=server.url, image="x", checkout=None)
    assert generator.generate(bench.job()).labels.label == 1
    path, body = server.seen[-1]
    assert path == "/predictions"
    assert json.loads(body)["input"]["face"].startswith("data:video/mp4;base64,")


def test_what_servers_do_wrong(bench: Bench, server: Server) -> None:
    def slow(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        time.sleep(1.5)

    def endless(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(400):
                handler.wfile.write(bytes(1 << 14))
        except OSError:
            return

    small = spec_of(("timeout = 20", "timeout = 1\nmax_output_gb = 0.001"), extra=HTTP)
    linked = json.dumps({"status": "succeeded", "output": f"{server.url}/file.mp4"}).encode()
    failed = json.dumps({"status": "failed", "error": "no face"}).encode()
    cases: list[tuple[str, Answer, str]] = [
        (HTTP, lambda h, _: reply(h, 500, b"broken"), "crashed"),
        (HTTP, lambda h, _: reply(h, 302, b"", Location=f"{server.url}/elsewhere"), "crashed"),
        (HTTP, lambda h, _: reply(h, 200, b""), "output_corrupt"),
        (HTTP, lambda h, _: reply(h, 200, b"<html>"), "output_corrupt"),
        (HTTP, slow, "timeout"),
        (HTTP, endless, "crashed"),
        (COG, lambda h, _: reply(h, 200, linked), "output_missing"),
        (COG, lambda h, _: reply(h, 200, failed), "crashed"),
        (COG, lambda h, _: reply(h, 200, b"<html>"), "crashed"),
    ]
    for extra, answer, code in cases:
        server.answer = answer
        spec = small if extra == HTTP else spec_of(extra=COG)
        runtime = "http" if extra == HTTP else "cog"
        before = len(server.seen)
        with pytest.raises(JobError) as caught:
            bench.generator(spec, runtime=runtime, url=server.url, image="x", checkout=None).generate(bench.job())
        assert caught.value.code == code, (extra, caught.value)
        assert len(server.seen) == before + 1  # no redirect was followed, no link fetched


def test_nobody_answers(bench: Bench) -> None:
    generator = bench.generator(spec_of(extra=HTTP), runtime="http", url="http://127.0.0.1:9", checkout=None)
    with pytest.raises(JobError) as caught:
        generator.generate(bench.job())
    assert caught.value.code == "env_missing"
