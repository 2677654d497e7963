"""What an export for ManualFake's readers may remove, write through and trust in its folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from toy_set import LIPSYNC_CROSS, write_toy_set

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from generators.export.manualfake import ManualfakeOptions, export_manualfake

OTHER = ManualfakeOptions(empty_masks=True, overwrite=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_toy_set(tmp_path_factory.mktemp("folder") / "set", (LIPSYNC_CROSS,), splits=("train", "test"))


def files_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_links_in_the_place_of_folders_are_refused(data: Dataset, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "train" / "fake" / "videos").mkdir(parents=True)
    (victim / "precious.txt").write_text("x")
    (victim / ".tmp-1-0123456789ab").write_text("x")
    (victim / "train" / "fake" / "videos" / ".tmp-1-0123456789ab").write_text("x")
    before = files_of(victim)
    done = export_manualfake(data, tmp_path / "done").folder
    for number, place in enumerate(("data", "data/train", "data/train/fake", "data/train/fake/videos", ".work")):
        out = tmp_path / f"out{number}"
        (out / place).parent.mkdir(parents=True)
        shutil.copy(done / "manualfake.json", out)
        (out / place).symlink_to(victim / place.partition("/")[2])
        for options in (None, OTHER):
            with pytest.raises(CmdfdError, match="a link, and nothing is written through one"):
                export_manualfake(data, out, options)
    assert files_of(victim) == before


def test_overwriting_removes_only_what_the_manifest_names(data: Dataset, tmp_path: Path) -> None:
    out = export_manualfake(data, tmp_path / "out").folder
    mine = ["mine.txt", "data/notes.txt", "data/train/fake/masks/readme.md", "data/train/.tmp-mine", "data/own/a.mp4"]
    for name in mine:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    named = [
        "data/notes.txt", "../outside.mp4", "/etc/hostname", "data/train/fake/videos/../../../../mine.txt",
        "data/own/a.mp4",
    ]  # fmt: skip
    (tmp_path / "outside.mp4").write_text("mine")
    with (out / "manifest.csv").open("a") as stream:
        stream.writelines(f"x{',' * 13}{name},{name}\n" for name in named)
    video = next((out / "data" / "test" / "fake" / "videos").iterdir())
    made = export_manualfake(data, out, ManualfakeOptions(splits=("train",), overwrite=True))
    assert made.kept == 0 and not video.exists() and not (out / "data" / "test").exists()
    assert all((out / name).read_text() == "mine" for name in mine)
    assert (tmp_path / "outside.mp4").exists()
    fresh = files_of(export_manualfake(data, tmp_path / "fresh", ManualfakeOptions(splits=("train",))).folder)
    assert {name: digest for name, digest in files_of(out).items() if name not in mine} == fresh


def test_a_stopped_export_is_replaced_as_a_whole(data: Dataset, tmp_path: Path) -> None:
    """Its manifest was not written yet."""
    out = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_manualfake(data, out, progress=stop)
    assert not (out / "manifest.csv").exists()
    (out / "data" / "notes.txt").write_text("mine")
    export_manualfake(data, out, ManualfakeOptions(splits=("test",), overwrite=True))
    assert sorted(path.name for path in (out / "data").iterdir()) == ["notes.txt", "test"]


def test_damaged_masks_and_videos_are_written_again(data: Dataset, tmp_path: Path) -> None:
    out = export_manualfake(data, tmp_path / "out").folder
    good = files_of(out)
    mask = next((out / "data" / "train" / "fake" / "masks").iterdir())
    video = next((out / "data" / "train" / "fake" / "videos").iterdir())
    other = next((out / "data" / "test" / "fake" / "masks").iterdir())
    mask.write_bytes(b"garbage")
    video.write_bytes(b"garbage")
    content = other.read_bytes()
    other.unlink()
    (tmp_path / "elsewhere.mp4").write_bytes(content)
    other.symlink_to(tmp_path / "elsewhere.mp4")
    again = export_manualfake(data, out)
    assert files_of(out) == good and not other.is_symlink()
    assert again.kept == again.n_real + again.n_fake + again.n_masks - 3
    assert (tmp_path / "elsewhere.mp4").read_bytes() == content
    assert not (out / ".work").exists()


def test_a_mask_of_another_set_is_not_kept(data: Dataset, tmp_path: Path) -> None:
    """Same name, right hash in the manifest, but the claim is another's."""
    out = export_manualfake(data, tmp_path / "out").folder
    (out / "manualfake.json").write_text(json.dumps({"set": "another"}))
    with pytest.raises(CmdfdError, match="holds an export of another set"):
        export_manualfake(data, out)
    assert export_manualfake(data, out, ManualfakeOptions(overwrite=True)).kept == 0
