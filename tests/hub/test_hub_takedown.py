"""A takedown with the real clients against a loopback Hub: afterwards no revision gives a withdrawn file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub_client import client, run_client
from loopback_hub import OWNER, LoopbackHub

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "generators"))

from toy_set import LIPSYNC_CROSS, Platform, write_toy_set

from cmdfd.dataset import Dataset
from cmdfd.takedown.applying import withdraw
from cmdfd.takedown.closure import Asked, close

if TYPE_CHECKING:
    from collections.abc import Iterable

REPO = "lab/people"
API = f"/api/datasets/{REPO}"
SCRIPT = str(Path(__file__).with_name("takedown_client.py"))
LAYOUTS = ("videofolder", "webdataset", "parquet")


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Dataset, Dataset]:
    """A set of two people in each of two splits, and the same without one of them."""
    chat = (Platform("chat", 0.5),)
    old = write_toy_set(tmp_path / "old", (LIPSYNC_CROSS,), splits=("train", "test"), people=2, platforms=chat)
    withdraw(old, close(old, Asked(("test-p1",))), tmp_path / "new", "v1.1.0")
    return old, Dataset.open(tmp_path / "new")


def run(hub: LoopbackHub, what: str, dataset: Dataset, layout: str, tag: str) -> dict[str, Any]:
    stage = dataset.folder.with_name(f"{dataset.folder.name}-staged")
    done = run_client(hub, [SCRIPT, what, str(dataset.folder), str(stage), layout, tag])
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def secrets(old: Dataset, new: Dataset) -> list[bytes]:
    """Bytes of every withdrawn clip; what lies in a staged copy or on the Hub must not hold one of them."""
    kept = {clip.id for clip in new.rows}
    gone = [clip for clip in old.rows if clip.id not in kept]
    found = [old.path_of(clip).read_bytes() for clip in gone]  # its masks are boxes that others have, too
    known = {new.path_of(clip).read_bytes() for clip in new.rows}
    assert found and not known & set(found)
    return found


def holds(data: bytes, wanted: Iterable[bytes]) -> bool:
    """Whether a file has one of them in it, as it is, in a tar or in a Parquet table."""
    blobs = [data]
    if data[:4] == b"PAR1":
        import pyarrow.parquet as pq

        table = pq.read_table(io.BytesIO(data))
        blobs += [row["bytes"] for row in table.column("video").to_pylist()] if "video" in table.column_names else []
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            blobs += [stream.read() for member in tar if (stream := tar.extractfile(member)) is not None]
    return any(one in blob for one in wanted for blob in blobs)


def fetched(hub: LoopbackHub, path: str, revision: str) -> bytes | None:
    """A file as its owner gets it by plain HTTP, or None."""
    request = urllib.request.Request(f"{hub.url}/datasets/{REPO}/resolve/{revision}/{path}")
    request.add_header("Authorization", f"Bearer {OWNER}")
    try:
        with urllib.request.urlopen(request) as answer:
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return None


def check_forgotten(hub: LoopbackHub, old: Dataset, new: Dataset, before: dict[str, Any]) -> None:
    """No revision, tag or stored object gives a withdrawn file, and everything else is as it was."""
    repo, wanted = hub.repo(REPO), secrets(old, new)
    assert any(holds(data, wanted) for data in before["files"].values())  # the test can see them
    staged = new.folder.with_name("new-staged")
    local = {path.relative_to(staged).as_posix(): path.read_bytes() for path in staged.rglob("*") if path.is_file()}
    there = {path: data for path, data in hub.files(REPO).items() if path != ".gitattributes"}
    assert there == local
    for commit in repo.commits:
        for path, data in hub.files(REPO, commit).items():
            assert not holds(data, wanted), path
    for revision in before["revisions"]:
        for path, data in before["files"].items():
            got = fetched(hub, path, revision)
            assert got is None or not holds(got, wanted), path
            assert got is None or (path in local and got == local[path]) or got == data
    assert set(repo.lfs) <= {hashlib.sha256(data).hexdigest() for data in local.values()}
    same = [path for path in local if before["files"].get(path) == local[path]]
    assert same and all(fetched(hub, path, "v1.1.0") == local[path] for path in same)
    assert list(repo.tags) == ["v1.1.0"] and (repo.private, repo.gated) == (False, "manual")


def published(hub: LoopbackHub, old: Dataset, layout: str) -> dict[str, Any]:
    run(hub, "publish", old, layout, "v1.0.0")
    repo = hub.repo(REPO)
    return {"files": dict(hub.files(REPO)), "revisions": [*repo.commits, *repo.tags], "lfs": set(repo.lfs)}


def order_of(hub: LoopbackHub, start: int) -> list[str]:
    """What was changed, in order, each kind of call once."""
    words = {
        f"PUT {API}/settings": "settings", f"DELETE {API}/tag": "untag", f"POST {API}/commit": "commit",
        f"POST {API}/super-squash": "squash", f"POST {API}/lfs-files": "purge", "PUT /lfs/upload": "upload",
        f"POST {API}/tag": "tag",
    }  # fmt: skip
    found: list[str] = []
    for call in hub.calls[start:]:
        word = next((word for text, word in words.items() if call.text.startswith(text)), "")
        if word and found[-1:] != [word]:
            found.append(word)
    return found


def takedown(hub: LoopbackHub, sets: tuple[Dataset, Dataset], layout: str) -> dict[str, Any]:
    old, new = sets
    before = published(hub, old, layout)
    start = len(hub.calls)
    told = run(hub, "takedown", new, layout, "v1.1.0")
    steps = order_of(hub, start)
    assert steps == ["settings", "untag", "commit", "squash", "purge", "upload", "commit", "tag", "settings"]
    changing = [call for call in hub.calls[start:] if call.repo and call.method not in ("GET", "HEAD")]
    assert all(call.private and call.gated == "manual" for call in changing[1:])  # closed from the first call on
    assert told["rows"] == len(new.rows) and told["tags"] == ["v1.0.0"]
    assert set(told["objects"]) == before["lfs"] - set(hub.repo(REPO).lfs)
    assert set(told["removed"]) == before["files"].keys() - hub.files(REPO).keys()
    assert told["look"] == []
    check_forgotten(hub, old, new, before)
    return told


def test_no_revision_gives_a_withdrawn_file(hub: LoopbackHub, sets: tuple[Dataset, Dataset]) -> None:
    old, new = sets
    told = takedown(hub, sets, "videofolder")
    gone = {clip.id for clip in old.rows} - {clip.id for clip in new.rows}
    media = {path for path in told["removed"] if not path.endswith(".parquet")}
    assert {Path(path).stem for path in media} == gone
    text = "\n".join(told["lines"])
    assert "v1.0.0" in text and "2 commits of main become one" in text and "delete every copy" in text
    assert "test-p1" not in text


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS[1:])
def test_shards_are_written_anew(hub: LoopbackHub, sets: tuple[Dataset, Dataset], layout: str) -> None:
    told = takedown(hub, sets, layout)
    shards = {path for path in told["changed"] if path.startswith("data/")}
    assert shards and all("test" in path for path in shards)  # the train split's shards are the same bytes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("match", "drop"),
    [(f"PUT {API}/settings", False), (f"POST {API}/commit", True), ("super-squash", False), ("PUT /lfs/upload", True)],
)
def test_a_kill_is_gone_on_from(hub: LoopbackHub, sets: tuple[Dataset, Dataset], match: str, drop: bool) -> None:
    old, new = sets
    before = published(hub, old, "videofolder")
    stage = new.folder.with_name("new-staged")
    arguments = [SCRIPT, "takedown", str(new.folder), str(stage), "videofolder", "v1.1.0"]
    with client(hub.url, arguments) as process:
        hub.when(match, lambda call: os.kill(process.pid, 9), drop=drop)
        assert process.wait(timeout=120) == -9, f"not killed at {match}"
    hub.heal()
    assert hub.repo(REPO).private  # nobody outside sees the half of it
    run(hub, "takedown", new, "videofolder", "v1.1.0")
    check_forgotten(hub, old, new, before)


@pytest.mark.slow
def test_a_version_that_was_published_over_it_keeps_no_history(hub: LoopbackHub, sets: tuple[Dataset, Dataset]) -> None:
    old, new = sets
    before = published(hub, old, "videofolder")
    run(hub, "publish", new, "videofolder", "v1.1.0")  # the old tag and commit still give everything
    assert any(holds(data, secrets(old, new)) for data in hub.files(REPO, "v1.0.0").values())
    told = run(hub, "takedown", new, "videofolder", "v1.1.0")
    assert told["removed"] == [] and told["tags"] == ["v1.0.0", "v1.1.0"] and told["objects"]
    check_forgotten(hub, old, new, before)
    start = len(hub.calls)
    run(hub, "takedown", new, "videofolder", "v1.1.0")  # a second time there is nothing to do
    assert order_of(hub, start) == []


@pytest.mark.slow
def test_somebody_elses_repository_is_left_alone(hub: LoopbackHub, sets: tuple[Dataset, Dataset]) -> None:
    _, new = sets
    made = (
        "from huggingface_hub import HfApi; a = HfApi(); a.create_repo('lab/people', repo_type='dataset');"
        "a.upload_file(repo_id='lab/people', path_or_fileobj=b'mine', path_in_repo='x.bin', repo_type='dataset')"
    )
    assert run_client(hub, made).returncode == 0
    start = len(hub.calls)
    stage = new.folder.with_name("new-staged")
    done = run_client(hub, [SCRIPT, "takedown", str(new.folder), str(stage), "videofolder", "v1.1.0"])
    assert done.returncode == 2 and "no commit of it was made by cmdfd" in json.loads(done.stdout)["error"]
    assert order_of(hub, start) == []
