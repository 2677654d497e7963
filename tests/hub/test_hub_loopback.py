"""The loopback Hub itself: it refuses what a Hub refuses, and runs as a process of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hub_client import checked, client, run_client
from loopback_hub import LoopbackHub

CODE = """
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
api = HfApi()
api.create_repo("lab/set", repo_type="dataset", private=True)
first = api.create_commit("lab/set", [CommitOperationAdd("a/b.mp4", b"old" * 99), CommitOperationAdd("c.txt", b"c")],
                          commit_message="one", repo_type="dataset")
api.create_tag("lab/set", tag="v1", repo_type="dataset")
api.create_commit("lab/set", [CommitOperationAdd("a/b.mp4", b"new" * 99), CommitOperationDelete("c.txt")],
                  commit_message="two", repo_type="dataset")
"""


def test_tags_keep_their_tree_and_history_can_be_purged(hub: LoopbackHub) -> None:
    checked(run_client(hub, CODE))
    repo, old = hub.repo("lab/set"), hashlib.sha256(b"old" * 99).hexdigest()
    assert hub.files("lab/set", "v1")["a/b.mp4"] == b"old" * 99
    assert set(hub.files("lab/set")) == {".gitattributes", "a/b.mp4"}
    purge = """
from huggingface_hub import HfApi
api = HfApi()
files = [f for f in api.list_lfs_files("lab/set", repo_type="dataset") if f.file_oid == OLD]
api.permanently_delete_lfs_files("lab/set", files, repo_type="dataset")
api.super_squash_history("lab/set", repo_type="dataset")
"""
    checked(run_client(hub, f"OLD = {old!r}\n{purge}"))
    assert old not in repo.lfs
    assert "a/b.mp4" not in hub.files("lab/set", "v1")
    assert hub.files("lab/set")["a/b.mp4"] == b"new" * 99
    assert len(repo.history("main")) == 1


def test_large_files_need_their_bytes_and_a_signature(hub: LoopbackHub) -> None:
    checked(run_client(hub, CODE))
    address = next(call.path for call in hub.calls if call.path.startswith("/lfs/upload"))
    for method in ("PUT", "GET"):
        request = urllib.request.Request(hub.url + address, method=method, data=b"x" if method == "PUT" else None)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 403
    swap = """
import huggingface_hub.lfs as lfs
def one(operation, upload_url):
    lfs.hf_raise_for_status(lfs.http_backoff("PUT", upload_url, content=b"other bytes"))
lfs._upload_single_part = one
"""
    code = CODE.replace("lab/set", "lab/other")
    done = run_client(hub, swap + code)
    assert done.returncode != 0
    assert "bytes that are not the object" in done.stderr
    assert list(hub.files("lab/other")) == [".gitattributes"]


def test_own_process_outlives_its_client(tmp_path: Path) -> None:
    script, port = Path(__file__).with_name("loopback_hub.py"), tmp_path / "port"
    arguments = [sys.executable, str(script), "--port-file", str(port), "--store", str(tmp_path / "store")]
    with subprocess.Popen(arguments) as process:
        try:
            for _ in range(200):
                if port.exists():
                    break
                time.sleep(0.05)
            url = f"http://127.0.0.1:{port.read_text()}"
            with client(url, CODE + "import os; os.kill(os.getpid(), 9)") as killed:
                assert killed.wait(timeout=60) == -9
            say = "from huggingface_hub import HfApi; print(HfApi().list_repo_files('lab/set', repo_type='dataset'))"
            assert "a/b.mp4" in checked(run_client(url, say))
            with urllib.request.urlopen(f"{url}/-/calls") as answer:
                calls = json.load(answer)
            assert [call["number"] for call in calls] == list(range(len(calls)))
            assert calls[0]["path"] == "/api/repos/create"
        finally:
            process.kill()
