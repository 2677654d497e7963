"""What the Hub gives to `datasets.load_dataset` equals what was built, in all layouts; and what does not is told."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub_client import checked, run_client
from loopback_hub import LoopbackHub

sys.path += [str(Path(__file__).resolve().parents[1] / part) for part in ("cmdfd/publish", "generators")]
from format_sets import clip, lay_out, with_card, write_set
from toy_set import HEAD_CROSS, PARTIAL, write_toy_set

from cmdfd.clip import SPLITS
from cmdfd.publish.records import FORMATS, Format
from cmdfd.publish.staging import stage
from cmdfd.tables import metadata_schema, read_table, write_table

if TYPE_CHECKING:
    from cmdfd.dataset import Dataset

pytest.importorskip("datasets", reason="needs the extra 'hub'")
CLIENT = str(Path(__file__).with_name("loadback_client.py"))


def outcomes(hub: LoopbackHub, *words: object) -> dict[str, Any]:
    return json.loads(checked(run_client(hub, [CLIENT, *map(str, words)])).splitlines()[-1])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A built set, with the labels and masks of its withheld split."""
    folder = tmp_path_factory.mktemp("built") / "toy"
    kinds, splits = (PARTIAL, HEAD_CROSS), ("train", "test")
    return write_toy_set(folder, kinds, splits=splits, withheld=["test"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same as it would lie in public: nothing of it is private."""
    clips = [clip(number, split, tracks=None) for split in SPLITS for number in range(7)]
    return write_set(tmp_path_factory.mktemp("home"), clips, withheld=["test"])


def spoiled(home: Dataset, folder: Path, what: str) -> Path:
    """A copy of a folder that is not what was built."""
    shutil.copytree(home.folder, folder)
    lay_out(home, folder, "videofolder")
    table = folder / "train" / "metadata.parquet"
    rows = read_table(table)
    if what == "label":
        rows[3]["label"] = 1 - rows[3]["label"]
    elif what == "null":
        rows[3]["label"] = 0 if rows[3]["label"] is None else None
    elif what == "segment":
        next(row for row in rows if row["segments"])["segments"][0]["end"] += 1e-9
    elif what == "row":
        del rows[3]
    elif what == "bytes":
        path = folder / "train" / rows[3]["file_name"]
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    elif what == "swapped":
        rows[3]["file_name"], rows[4]["file_name"] = rows[4]["file_name"], rows[3]["file_name"]
    elif what == "labels":
        labels = folder / "train" / "labels.parquet"
        labels.write_bytes((folder / "validation" / "labels.parquet").read_bytes())
    elif what == "withheld":
        shutil.copy(folder / "train" / "labels.parquet", folder / "test" / "labels.parquet")
    elif what == "table":
        table.write_bytes(b"PAR1 nothing PAR1")
        return folder
    write_table(table, rows, metadata_schema())
    return folder


SPOILED = {
    "label": "label is",
    "null": "label is None, at home",
    "segment": "segments is",
    "row": "did not come back",
    "bytes": "the bytes differ: SHA-256",
    "swapped": "the media come from",
    "labels": "train/labels.parquet: ",
    "withheld": "test/labels.parquet is on the Hub, and its split is withheld",
    "table": "load_dataset fails: ",
}


ALL_WAYS = tuple((layout, how) for layout in FORMATS for how in ("whole", "streaming"))


# each starts a process that imports `datasets`; on this disk, all ways are looked at in test_publish_formats.py
@pytest.mark.parametrize(
    "ways", [(("webdataset", "streaming"),), pytest.param(ALL_WAYS, marks=pytest.mark.slow)], ids=["one", "all"]
)
def test_every_layout_loads_back_whole_and_streaming(
    built: Dataset, home: Dataset, tmp_path: Path, hub: LoopbackHub, ways: tuple[tuple[Format, str], ...]
) -> None:
    uploads: list[object] = []
    loads: list[object] = []
    for layout in dict(ways):
        staged = stage(built, tmp_path / layout, layout, say=lambda _: None)
        uploads += [f"lab/{layout}", with_card(built, staged.folder, layout)]
    for layout, how in ways:
        loads += ["--load", f"lab/{layout}", built.folder, layout, how]
    uploads += ["lab/label", spoiled(home, tmp_path / "label", "label")]
    loads += ["--load", "lab/label", home.folder, "videofolder", "streaming"]
    found = outcomes(hub, *uploads, *loads)
    *rows, told = found["rows"]
    assert rows == [len(built.rows)] * len(ways)
    assert told.startswith("not_loadable: lab/label@") and SPOILED["label"] in told
    assert found["left"] == []  # nothing stays in the user's cache
    assert not hub.find("^GET .*/resolve/main/"), "the files are read at the commit, not at the branch"


@pytest.mark.slow
def test_what_is_not_as_built_is_refused_with_the_difference(home: Dataset, tmp_path: Path, hub: LoopbackHub) -> None:
    uploads: list[object] = []
    loads: list[object] = []
    for index, what in enumerate(SPOILED):
        uploads += [f"lab/{what}", spoiled(home, tmp_path / what, what)]
        loads += ["--load", f"lab/{what}", home.folder, "videofolder", ("whole", "streaming")[index % 2]]
    found = outcomes(hub, *uploads, *loads, "--load", "lab/label", home.folder, "parquet", "whole")
    for (what, said), told in zip(SPOILED.items(), found["rows"], strict=False):
        assert str(told).startswith(f"not_loadable: lab/{what}@") and said in told, (what, told)
        assert "; fix: run the same command again" in told
    assert str(found["rows"][-1]).startswith("not_loadable: ")  # a layout that it is not
