"""The page "add a platform profile" is executed: a YAML file, tried on a clip, in a recipe, and as a plug-in."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cmdfd.media.encode import write_clip
from cmdfd.media.masks import read_mask, write_mask
from cmdfd.media.settings import EncoderSettings
from generators.recipe_scenes import SocialRecipe
from generators.social.profile import load_profile
from generators.social.schema import Profile, Sources
from generators.social.transmit import resolve_chain

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add_a_platform_profile.md"


def files_of_the_page() -> dict[str, str]:
    """What stands under a heading that is a file's name."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^### `([\w./]+)`\n(.*?)^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {name: body for name, _, body in found}


def commands_of_the_page() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files, a clip of 30 fps and its mask."""
    folder = tmp_path_factory.mktemp("desk")
    for name, text in files_of_the_page().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "campus_profiles" / "campus.yaml").write_text(files_of_the_page()["campus.yaml"], encoding="utf-8")
    frames = np.random.default_rng(1).integers(0, 255, (30, 400, 720, 1), np.uint8).repeat(3, axis=3)
    frames[:, :, :360] = 90
    sound = np.sin(np.arange(16000) * 0.1, dtype=np.float32) * 0.3
    write_clip(folder / "clip.mp4", frames, 30, sound, 16000, EncoderSettings(crf=30, preset="ultrafast"))
    masks = np.zeros((30, 400, 720), np.uint8)
    masks[:, :, 360:] = 255
    write_mask(folder / "clip.mask.mkv", masks, 30)
    return folder


def run(folder: Path, words: list[str], path: str = "") -> str:
    """Run Python as a reader would; its output."""
    paths = os.pathsep.join(filter(None, [path, str(ROOT), os.environ.get("PYTHONPATH", "")]))
    env = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "160", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, *words], check=False, capture_output=True, text=True, timeout=200, cwd=folder, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_command_of_the_page_runs(desk: Path) -> None:
    shown = {}
    for command in commands_of_the_page():
        words = command.split()
        assert words[0] == "python"
        shown[command] = run(desk, words[1:])
    listed, profile, alone, forwarded, checked = shown.values()
    assert "wechat_pc" in listed and "keyint" not in profile and "inferred:" in profile
    for text in (alone, forwarded):
        assert "deviations from the profile: none" in text and "Main@3.0" in text and "at 25 fps" in text
    lines = checked.splitlines()
    assert lines[0] == "clip__campus.mp4 meets the profile" and lines[1] == "forwarded.mp4 meets the profile"
    assert "size: 720x400 instead of at most 640 by 360" in lines[2] and "fps: 30" in lines[2]
    masks = read_mask(desk / "forwarded.mask.mkv")
    with av.open(str(desk / "forwarded.mp4")) as clip:
        times = [float(frame.pts * frame.time_base) for frame in clip.decode(video=0)]
    assert len(times) == 25 and np.abs(masks.times - times).max() <= 1e-3
    assert masks.frames.shape[1:] == (356, 640)
    assert (masks.frames[:, :, :319] == 0).all() and (masks.frames[:, :, 321:] == 255).all()


def test_the_profile_says_what_the_page_says(desk: Path) -> None:
    found = load_profile(desk / "campus.yaml")
    assert found.video.gop.at(Fraction(25)) == 50 and found.audio.mono == "keep" and found.name == "campus"
    text = PAGE.read_text(encoding="utf-8")
    missing = [name for name in (*Profile.model_fields, *Sources.model_fields) if f"{name}:" not in text]
    assert missing == []


def test_the_line_of_the_recipe_names_chains_that_exist(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ruamel.yaml import YAML

    block = re.search(r"^```text\n(social: .*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    recipe = SocialRecipe.model_validate(YAML(typ="safe").load(block[1])["social"])
    monkeypatch.chdir(desk)
    assert [resolve_chain(text).name for text in recipe.chains] == ["facebook_hd", "campus", "whatsapp+campus"]


def test_the_plug_in_is_found_by_name(desk: Path, tmp_path: Path) -> None:
    for needed in ("pip", "setuptools"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    place = tmp_path / "site"
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--target", str(place)]
    run(desk, ["-m", "pip", "install", *options, str(desk)])
    shown = run(tmp_path, ["-m", "generators.social", "--list"], str(place))
    assert "campus" in shown and "lecture" in shown
    assert "14 downloads" in run(tmp_path, ["-m", "generators.social", "--show", "campus"], str(place))
