"""A set on the Hub is audited as the folder at home is; what is no set is told with both of its meanings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hub_client import ROOT, checked, client_environment, run_client
from loopback_hub import OWNER, STRANGER, LoopbackHub

sys.path += [str(ROOT / "tests" / "cmdfd" / "publish"), str(ROOT / "tests" / "generators")]
from format_sets import lay_out
from toy_set import HEAD_SELF, LIPSYNC_CROSS, write_toy_set

from cmdfd.audit.__main__ import main
from cmdfd.audit.targets.hub import hub_name
from cmdfd.cache import ENVIRONMENT_VARIABLE
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.records import FORMATS, Format

pytest.importorskip("datasets", reason="needs the extra 'hub'")
CLIENT = str(Path(__file__).with_name("audit_client.py"))
UPLOAD = """
import sys
from huggingface_hub import HfApi
api, words = HfApi(), sys.argv[1:]
for repo, folder in zip(words[::2], words[1::2]):
    api.create_repo(repo, repo_type="dataset", exist_ok=True)
    print(api.upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset").oid)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A set whose files have one date, as those of the Hub have: a date is a cue of its own."""
    made = write_toy_set(tmp_path_factory.mktemp("toy") / "toy", (LIPSYNC_CROSS, HEAD_SELF), splits=("train", "test"))
    for path in made.folder.rglob("*"):
        os.utime(path, (1e9, 1e9))
    return made


def upload(hub: LoopbackHub, *words: object) -> list[str]:
    """Repository and folder in turn; gives the commits."""
    return checked(run_client(hub, ["-c", UPLOAD, *map(str, words)])).split()


def audits(hub: LoopbackHub, cache: Path, *words: object, code: int = 0) -> list[Any]:
    environment = {**client_environment(hub.url, cache / "hf"), ENVIRONMENT_VARIABLE: str(cache / "cmdfd")}
    done = subprocess.run(
        [sys.executable, CLIENT, *map(str, words)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def findings(report: dict[str, Any]) -> dict[str, Any]:
    """Everything that the audit found, without what the set is called and where it lies."""
    return {key: value for key, value in report.items() if key not in ("name", "notes", "seconds", "root", "started")}


def check_same(hub: LoopbackHub, home: Dataset, folder: Path, layouts: Sequence[Format], *others: object) -> list[str]:
    """Audit a set at home and on the Hub in some layouts; gives what was said of the other targets."""
    words = [word for layout in layouts for word in (f"lab/{layout}", lay_out(home, folder / layout, layout))]
    commits = dict(zip(layouts, upload(hub, *words, *others), strict=False))
    names = {
        "videofolder": "lab/videofolder",
        "webdataset": f"lab/webdataset@{commits.get('webdataset')}",
        "parquet": "hf://datasets/lab/parquet@main",
    }
    targets = [home.folder, *(names[layout] for layout in layouts), *(NOT_SETS if others else ())]
    at_home, *found = audits(hub, folder / "cache", *targets)
    for one, (repo, commit) in zip(found, commits.items(), strict=False):
        assert findings(one["report"]) == findings(at_home["report"])
        assert one["report"]["name"] == f"lab/{repo}@{commit[:12]}"
        assert one["report"]["notes"][0] == f"lab/{repo} on the Hugging Face Hub at commit {commit}"
        assert Path(one["root"]).is_relative_to(folder / "cache" / "cmdfd" / "hub")
    return found[len(layouts) :]


NOT_SETS = ("lab/none", "lab/tar@v9", "lab/tar")


def test_the_hub_and_home_give_the_same_findings_and_what_is_no_set_is_told(
    home: Dataset, tmp_path: Path, hub: LoopbackHub
) -> None:
    (tmp_path / "tar" / "data").mkdir(parents=True)
    (tmp_path / "tar" / "data" / "test-000000.tar").write_bytes(b"no tar" * 200)
    none, revision, tar = check_same(hub, home, tmp_path, ["webdataset"], "lab/tar", tmp_path / "tar")
    assert "'lab/none': there is no such file or folder, and the Hub" in none and "no data set 'lab/none'" in none
    assert "has no revision 'v9'" in revision
    assert "data/test-000000.tar: not a tar that can be read" in tar


@pytest.mark.slow
def test_every_layout_gives_the_same_findings(home: Dataset, tmp_path: Path, hub: LoopbackHub) -> None:
    assert check_same(hub, home, tmp_path, FORMATS) == []


@pytest.mark.slow
def test_one_split_fetches_no_media_of_another(home: Dataset, tmp_path: Path, hub: LoopbackHub) -> None:
    names = ["lab/videofolder", "lab/parquet"]
    upload(hub, *(word for name in names for word in (name, lay_out(home, tmp_path / name, name[4:]))))  # type: ignore[arg-type]
    hub.calls.clear()
    at_home, *on_hub = audits(hub, tmp_path / "cache", "--split=test", home.folder, *names)
    for one in on_hub:  # its checks know of fewer files, those of the other split being elsewhere
        assert one["report"]["findings"] == at_home["report"]["findings"]
    fetched = [call.path for call in hub.calls if "/resolve/" in call.path]
    assert [path for path in fetched if "test" in path] and not [path for path in fetched if "train" in path]


def command_line(hub: LoopbackHub, target: str, folder: Path, token: str) -> subprocess.CompletedProcess[str]:
    environment = {**client_environment(hub.url, folder / "hf", token), ENVIRONMENT_VARIABLE: str(folder / "cache")}
    options = ["--quick", "--no-deeper", "--trees", "none", "--draws", "99", "-o", str(folder / "audits")]
    command = [sys.executable, "-m", "cmdfd.audit", target, *options]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.slow
def test_the_command_line_takes_a_set_on_the_hub(home: Dataset, tmp_path: Path, hub: LoopbackHub) -> None:
    upload(hub, "lab/toy", lay_out(home, tmp_path / "set", "webdataset"))
    done = command_line(hub, "hf://datasets/lab/toy", tmp_path, OWNER)
    assert done.returncode == 0, done.stderr
    (page,) = (tmp_path / "audits").glob("lab_toy_*/audit.html")
    assert f"lab/toy on the Hugging Face Hub at commit {hub.repo('lab/toy').find('main')}" in page.read_text()
    done = command_line(hub, "lab/none", tmp_path, OWNER)
    assert done.returncode == 2 and "error: 'lab/none': there is no such file or folder" in done.stderr
    hub.repo("lab/toy").gated = "manual"
    done = command_line(hub, "lab/toy", tmp_path / "stranger", STRANGER)
    assert done.returncode == 2 and "gives its files to those with access alone: ask at" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("lab/set", "lab/set", None),
        ("lab/set@v1.0.0", "lab/set", "v1.0.0"),
        ("hf://datasets/lab/set.v2", "lab/set.v2", None),
        ("hf://datasets/lab/set@refs%2Fpr%2F1", "lab/set", "refs/pr/1"),
        ("hf://datasets/lab/set@refs/pr/1/", "lab/set", "refs/pr/1"),
    ],
)
def test_names_of_sets_on_the_hub(text: str, repo: str, revision: str | None) -> None:
    named = hub_name(text)
    assert named is not None and (named.repo, named.revision) == (repo, revision)


@pytest.mark.parametrize(
    "text",
    ["set", "/lab/set", "./lab/set", "../set", "a/b/c", "lists/real.csv", "lab/set@", "lab/../set", "~/set", "a b/c"],
)
def test_paths_are_no_names(text: str) -> None:
    assert hub_name(text) is None


def test_what_exists_here_wins_and_other_addresses_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub_name("lab/set") is not None
    (tmp_path / "lab" / "set").mkdir(parents=True)
    assert hub_name("lab/set") is None
    for text in ("hf://lab/set", "hf://datasets/set", "hf://spaces/lab/set", "hf://datasets/lab/set/train"):
        with pytest.raises(CmdfdError, match="no address of a data set"):
            hub_name(text)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("hf://datasets/lab/set", "error: the extra 'hub' is needed"),
        ("lab/set", "error: 'lab/set': there is no such file or folder; if a set on the Hub is meant: the extra 'hub'"),
    ],
)
def test_without_the_extra_the_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], target: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main([target, "-o", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert said in told and "pip install -c constraints.txt" in told
