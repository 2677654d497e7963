"""The conformance check passes an honest detector and catches each kind of broken one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.check import Checker, check_detector, main

HONEST = '''
from __future__ import annotations
import json
from pathlib import Path
import numpy as np
from benchmarks.detector import DetectorSpec, Prediction, silent
from cmdfd.errors import MediaError


class Hiss:
    """Zero crossings of the sound against a line learned from training clips."""

    spec = DetectorSpec(name="hiss", summary="counts zero crossings", modalities=("audio",))

    def __init__(self, preset="default", seed=0):
        self.preset, self.seed, self.sign_ = preset, seed, 1.0

    def measure(self, view):
        sound = view.audio()
        if len(sound) < 1000:
            raise MediaError("too_short", view.id)
        return float(np.mean(np.diff(np.sign(sound)) != 0))

    def fit(self, train, select, progress=silent):
        fake = np.mean([self.measure(e.view) for e in train if e.labels.label == 1])
        real = np.mean([self.measure(e.view) for e in train if e.labels.label == 0])
        self.sign_ = float(np.sign(fake - real))
        return self

    def predict(self, views):
        for view in views:
            try:
                yield Prediction(view.id, self.sign_ * self.measure(view))
            except MediaError as error:
                yield Prediction(view.id, None, error=f"{error.code}: {error.detail}")

    def save(self, folder):
        (Path(folder) / "hiss.json").write_text(json.dumps({"sign": self.sign_}))

    @classmethod
    def load(cls, folder):
        new = cls()
        new.sign_ = json.loads((Path(folder) / "hiss.json").read_text())["sign"]
        return new
'''

BROKEN = {
    "higher is fake": (
        "class Broken(Hiss):\n    def measure(self, view):\n        return -self.sign_ * super().measure(view)\n"
    ),
    "independent of company": (
        "class Broken(Hiss):\n    def predict(self, views):\n"
        "        for n, p in enumerate(super().predict(views)):\n"
        "            yield p if p.error else Prediction(p.id, p.score + n)\n"
    ),
    "same seed same scores": (
        "import itertools\nCALLS = itertools.count()\nclass Broken(Hiss):\n"
        "    def fit(self, train, select, progress=silent):\n"
        "        super().fit(train, select)\n        self.sign_ += next(CALLS)\n        return self\n"
    ),
    "saves and loads": (
        "import pickle\nclass Broken(Hiss):\n    def save(self, folder):\n        super().save(folder)\n"
        "        (Path(folder) / 'x.bin').write_bytes(pickle.dumps(self.sign_, 4))\n"
    ),
    "hostile clips get errors": (
        "class Broken(Hiss):\n    def predict(self, views):\n        for p in super().predict(views):\n"
        "            yield Prediction(p.id, 0.5) if p.error else p\n"
    ),
    "one answer each in order": (
        "class Broken(Hiss):\n    def predict(self, views):\n        yield from list(super().predict(views))[::-1]\n"
    ),
    "scores are finite": (
        "class Broken(Hiss):\n    def predict(self, views):\n        for view in views:\n"
        "            yield Prediction(view.id, None, error='internal: no')\n"
    ),
    "localization inside clip": (
        "class Broken(Hiss):\n    def predict(self, views):\n        for p in super().predict(views):\n"
        "            yield p if p.error else Prediction(p.id, p.score, np.array([99.0]), np.array([1.0]))\n"
    ),
}

MAPS = """

import itertools
from benchmarks.detector import PixelMaps
TURN = itertools.count()


class Mapper(Hiss):
    def predict(self, views):
        for view, p in ((view, next(super(Mapper, self).predict([view]))) for view in views):
            yield p if p.error else Prediction(p.id, p.score, masks=self.maps(view))

    def maps(self, view):
        n = len(view.frames())
        return PixelMaps(np.arange(n) / view.fps, np.full((n, 7, 7), 9, np.uint8))
"""
BROKEN_MAPS = {
    "has maps from 0.00 to 9.00 s": "return PixelMaps(np.array([0.0, 9.0]), np.zeros((2, 7, 7), np.uint8))",
    "must be finite and rise": "return PixelMaps(np.array([1.0, 0.5]), np.zeros((2, 7, 7), np.uint8))",
    "maps of 14 x 7 have not the shape": "return PixelMaps(np.array([0.5]), np.zeros((1, 7, 14), np.uint8))",
    "gets other maps": "return PixelMaps(np.array([0.5]), np.full((1, 7, 7), next(TURN) % 200, np.uint8))",
    "has a score and no maps": "return super().maps(view) if view.id.endswith('0') else None",
}


def test_maps_are_tried(tmp_path: Path) -> None:
    path = tmp_path / "mapper.py"
    path.write_text(HONEST + MAPS)
    found = {result.name: result for result in check_detector(f"{path}:Mapper")}
    assert found["maps fit the clip"].status == "ok" and "clips with maps" in found["maps fit the clip"].detail


@pytest.mark.parametrize("reason", sorted(BROKEN_MAPS))
def test_broken_maps_are_caught(tmp_path: Path, reason: str) -> None:
    path = tmp_path / "broken_maps.py"
    broken = f"class Broken(Mapper):\n    def maps(self, view):\n        {BROKEN_MAPS[reason]}\n"
    path.write_text(HONEST + MAPS + "\n\n" + broken)
    found = {result.name: result for result in check_detector(f"{path}:Broken")}
    assert found["maps fit the clip"].status == "failed" and reason in found["maps fit the clip"].detail


def test_honest_detector_keeps_every_promise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hiss.py"
    path.write_text(HONEST)
    assert main(["--detector", f"{path}:Hiss"]) == 0
    shown = capsys.readouterr().out
    assert "bit-identical" in shown
    assert "no sound: no_audio" in " ".join(shown.split())
    wanted = {what.replace("_", " "): "ok" for what in Checker.PROMISES}
    assert {one.name: one.status for one in check_detector(f"{path}:Hiss")} == wanted


@pytest.mark.parametrize("promise", sorted(BROKEN))
def test_broken_promise_is_caught(tmp_path: Path, promise: str) -> None:
    path = tmp_path / f"broken_{promise.replace(' ', '_')}.py"
    path.write_text(HONEST + "\n\n" + BROKEN[promise])
    failed = [result.name for result in check_detector(f"{path}:Broken") if result.status == "failed"]
    assert promise in failed


def test_wrong_names_say_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--detector", "msd"]) == 2
    assert "did you mean 'mds'" in capsys.readouterr().err
