"""Publishing with the real clients against a loopback Hub: order, closed doors, troubles, kills, versions."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub_client import client, run_client
from loopback_hub import OWNER, READER, STRANGER, Call, LoopbackHub

if TYPE_CHECKING:
    from subprocess import CompletedProcess

REPO = "lab/mini"
SCRIPT = str(Path(__file__).with_name("publish_client.py"))
API = f"/api/datasets/{REPO}"


def publish(hub: LoopbackHub, folder: Path, *more: str, token: str | None = OWNER) -> CompletedProcess[str]:
    return run_client(hub, [SCRIPT, str(folder), *more], token=token, timeout=60)


def published(hub: LoopbackHub, folder: Path, *more: str) -> dict[str, Any]:
    done = publish(hub, folder, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def refused(hub: LoopbackHub, folder: Path, *more: str, token: str | None = OWNER) -> str:
    done = publish(hub, folder, *more, token=token)
    assert done.returncode == 2, done.stdout + done.stderr
    for secret in (OWNER, READER, STRANGER):
        assert secret not in done.stdout + done.stderr
    return str(json.loads(done.stdout)["error"])


def local(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def remote(hub: LoopbackHub, revision: str = "main") -> dict[str, bytes]:
    return {path: data for path, data in hub.files(REPO, revision).items() if path != ".gitattributes"}


def readable(hub: LoopbackHub, token: str | None, revision: str = "main") -> set[str]:
    """Files that somebody can read, by plain HTTP."""
    found = set()
    for path in hub.repo(REPO).tree(revision):
        request = urllib.request.Request(f"{hub.url}/datasets/{REPO}/resolve/{revision}/{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request) as answer:
                found |= {path} if answer.read() == hub.files(REPO, revision)[path] else set()
        except urllib.error.HTTPError as error:
            assert error.code in (401, 403, 404)
    return found


def uploads(hub: LoopbackHub) -> list[Call]:
    """Calls that carry a file's bytes."""
    return hub.find(r"^PUT /lfs/upload|^POST .*/commit/")


def position(calls: list[str], *wanted: str) -> list[int]:
    """Where calls stand, each after the one before."""
    found, start = [], 0
    for text in wanted:
        start = next(n for n in range(start, len(calls)) if calls[n].startswith(text)) + 1
        found.append(start - 1)
    return found


def test_order_of_calls_and_no_open_door(hub: LoopbackHub, tiny: Path) -> None:
    seen: list[tuple[str, set[str]]] = []

    def look(call: Call) -> None:
        if call.repo:
            seen.append((call.text, readable(hub, STRANGER) | readable(hub, None)))

    writes = ("settings", "preupload/", "/lfs/upload/", "commit/", "/tag/", "refs", "tree/")
    for match in writes:
        for nth in (1, 2, 3):
            hub.when(match, look, nth=nth)
    outcome = published(hub, tiny)
    assert len({text for text, _ in seen}) >= 6
    assert not set().union(*(files for _, files in seen))

    repo = hub.repo(REPO)
    assert (repo.private, repo.gated, repo.tags) == (False, "manual", {"v1.0.0": outcome["commit"]})
    assert remote(hub) == remote(hub, "v1.0.0") == local(tiny)
    assert outcome["n_files"] == outcome["n_rows"] == len(local(tiny))
    # afterwards: a stranger knows of it and reads nothing, the owner reads all
    assert readable(hub, STRANGER) == readable(hub, None) == set()
    assert readable(hub, OWNER) == set(hub.files(REPO))
    repo.granted.add("stranger")
    assert readable(hub, STRANGER) == set(hub.files(REPO))

    owners = [call for call in hub.calls if call.user == "owner" or call.path.startswith("/lfs/")]
    texts = [call.text for call in owners]
    upload = f"PUT /lfs/upload/datasets/{REPO}"
    create, gate, read_back, first, commit, compared, tag, read_again, expose, last = position(
        texts, "POST /api/repos/create", f"PUT {API}/settings", f"GET {API}", upload, f"POST {API}/commit",
        f"GET {API}/tree", f"POST {API}/tag", f"GET {API}", f"PUT {API}/settings", f"GET {API}",
    )  # fmt: skip
    assert [create, gate] == sorted([create, gate])
    assert texts[read_back] == f"GET {API}"  # the gate is read, not assumed, before any file goes up
    assert owners[read_back].gated == "manual"
    assert {(c.private, c.gated) for c in owners[first : expose + 1] if c.repo} == {(True, "manual")}
    downloads = [n for n, text in enumerate(texts) if text.startswith(f"HEAD /datasets/{REPO}/resolve/")]
    assert compared < min(downloads) < max(downloads) < tag < read_again < expose < last
    assert texts.count(f"PUT {API}/settings") == 2
    assert commit < compared
    assert not [call for call in hub.calls if call.status >= 500]


def test_a_second_run_changes_nothing(hub: LoopbackHub, tiny: Path) -> None:
    first = published(hub, tiny)
    before = dict(hub.repo(REPO).commits)
    hub.calls.clear()
    second = published(hub, tiny)
    assert hub.repo(REPO).commits == before
    assert (first["commit"], first["n_rows"]) == (second["commit"], second["n_rows"])
    assert not uploads(hub)
    assert not [call for call in hub.calls if call.method != "GET" and call.user and "settings" in call.path]


def test_new_version_deletes_what_is_gone_and_keeps_the_old_tag(hub: LoopbackHub, tiny: Path) -> None:
    published(hub, tiny)
    old = local(tiny)
    (tiny / "test/videos/000/c1.mp4").unlink()
    (tiny / "credits.csv").write_text("id,credit\nc0,somebody\n")
    (tiny / "test/[odd] *.json").write_text("{}")
    assert "already with other files" in refused(hub, tiny)
    assert remote(hub) == old
    hub.calls.clear()
    published(hub, tiny, "--tag", "v1.1.0")
    assert remote(hub) == remote(hub, "v1.1.0") == local(tiny)
    assert remote(hub, "v1.0.0") == old
    assert ".gitattributes" in hub.files(REPO)
    assert len(uploads(hub)) == 1  # a commit; no large file was sent again
    assert {call.gated for call in hub.calls if call.repo} == {"manual"}


@pytest.mark.slow
def test_keep_private(hub: LoopbackHub, tiny: Path) -> None:
    published(hub, tiny, "--keep-private")
    assert hub.repo(REPO).private
    assert hub.repo(REPO).gated == "manual"
    published(hub, tiny)
    assert not hub.repo(REPO).private


SLOWLY = [pytest.param(match, marks=pytest.mark.slow) for match in ("preupload", "PUT /lfs/upload", "objects/batch")]


@pytest.mark.parametrize("match", ["commit/", *SLOWLY])
def test_busy_hub(hub: LoopbackHub, tiny: Path, match: str) -> None:
    hub.fail_next(1, match=match)
    published(hub, tiny)
    assert remote(hub) == local(tiny)
    assert hub.find(match)[0].status == 503


@pytest.mark.slow
@pytest.mark.parametrize("match", ["repos/create", "settings", "commit/", "/tag/", "refs", f"GET {API}$"])
@pytest.mark.parametrize("mode", ["refuse", "lose_reply", "cut"])
def test_trouble_anywhere(hub: LoopbackHub, tiny: Path, match: str, mode: Any) -> None:
    """Each kind of call fails twice, or is done and its answer is lost: the end is the same."""
    hub.fail_next(2, match=match, mode=mode)
    published(hub, tiny)
    repo = hub.repo(REPO)
    assert remote(hub) == remote(hub, "v1.0.0") == local(tiny)
    assert (repo.private, repo.gated) == (False, "manual")
    assert len(repo.commits) == 2


KILLS = [
    ("repos/create", 1), ("settings", 1), ("preupload", 1), ("PUT /lfs/upload", 1), ("PUT /lfs/upload", 3),
    ("POST /lfs/verify", 2), ("commit/", 1), ("tree/", 2), (r"HEAD .*/resolve", 3), ("/tag/", 1), ("settings", 2),
]  # fmt: skip

#: Calls that change something: the Hub does what the killed client asked.
DONE_KILLS = [("repos/create", 1, False), ("PUT /lfs/upload", 4, False), ("commit/", 1, False), ("settings", 2, False)]


def kill_and_resume(hub: LoopbackHub, folder: Path, match: str, nth: int, *, drop: bool) -> None:
    with client(hub.url, [SCRIPT, str(folder)]) as process:
        hub.when(match, lambda call: os.kill(process.pid, 9), nth=nth, drop=drop)
        assert process.wait(timeout=60) == -9, f"not killed at {match}"
    assert readable(hub, STRANGER) | readable(hub, None) == set() if hub.repos else True
    hub.heal()
    sent = {call.path for call in hub.find("^PUT /lfs/upload") if call.status == 200}
    mark = len(hub.calls)
    published(hub, folder)
    again = {call.path for call in hub.calls[mark:] if call.method == "PUT" and "/lfs/upload" in call.path}
    repo = hub.repo(REPO)
    assert remote(hub) == remote(hub, "v1.0.0") == local(folder)
    assert (repo.private, repo.gated, list(repo.tags)) == (False, "manual", ["v1.0.0"])
    assert len(repo.commits) == 2
    assert not sent & again, "a file that was there was sent again"
    assert len(sent | again) == 4


def test_killed_in_the_middle_of_the_upload(hub: LoopbackHub, tiny: Path) -> None:
    kill_and_resume(hub, tiny, "PUT /lfs/upload", 3, drop=True)


@pytest.mark.slow
@pytest.mark.parametrize(("match", "nth", "drop"), [*((*kill, True) for kill in KILLS), *DONE_KILLS])
def test_killed_anywhere(hub: LoopbackHub, tiny: Path, match: str, nth: int, drop: bool) -> None:
    kill_and_resume(hub, tiny, match, nth, drop=drop)


@pytest.mark.slow
def test_failed_verification_leaves_it_private_and_untagged(hub: LoopbackHub, tiny: Path) -> None:
    assert "a row is not what was built" in refused(hub, tiny, "--spoil")
    assert hub.repo(REPO).private
    assert not hub.repo(REPO).tags
    published(hub, tiny)
    assert len(hub.repo(REPO).commits) == 2


@pytest.mark.slow
def test_many_files_over_several_pages_and_batches(tmp_path: Path, tiny: Path) -> None:
    for index in range(3, 300):
        (tiny / f"test/videos/000/c{index}.mp4").write_bytes(b"%d" % index * 50)
    with LoopbackHub(tmp_path / "store", page=40) as hub:
        published(hub, tiny)
        assert remote(hub) == local(tiny)
        assert len(hub.find("preupload")) >= 2
