"""What no loopback Hub can prove: one publication on the real Hub, with the Xet path and real permissions.

Log in with `hf auth login`, then:
    CMDFD_HUB_TEST_REPO=YOU/scratch-name python -m pytest tests/hub/test_hub_network.py -m network
The repository is made private and stays so; it holds a card, two tables and three files of noise. Delete it afterwards.
Rate limits and the Dataset Viewer stay unproved.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_client import ROOT

REPO = os.environ.get("CMDFD_HUB_TEST_REPO", "")

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(not REPO, reason="set CMDFD_HUB_TEST_REPO to a repository of your own on the real Hub"),
]


def run(folder: Path) -> dict[str, object]:
    script = str(Path(__file__).with_name("publish_client.py"))
    done = subprocess.run(
        [sys.executable, script, str(folder), "--repo", REPO, "--tag", "v0.0.1", "--keep-private", "--wait", "1"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_real_hub(tiny: Path) -> None:
    first, second = run(tiny), run(tiny)
    assert first["commit"] == second["commit"]

    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    info = api.dataset_info(REPO, revision="v0.0.1")
    assert (info.sha, info.private, info.gated) == (first["commit"], True, "manual")
    with pytest.raises(HfHubHTTPError):
        hf_hub_download(
            REPO, "credits.csv", repo_type="dataset", revision="v0.0.1", token=False, local_dir=tiny / "got"
        )
