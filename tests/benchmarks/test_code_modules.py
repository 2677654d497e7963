"""Kept fits and answers hang on all code that decides them, also where it lies outside of the detector's package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import benchmarks.code_version as versions
from benchmarks.detectors.noise_residual import NoiseResidual
from benchmarks.fits import detector_code_version
from benchmarks.registry import resolve
from cmdfd.errors import CmdfdError

DETECTOR = """
from benchmarks.detector import DetectorSpec


class Plain:
    spec = DetectorSpec(name="plain", summary="for tests", modalities=("audio",))


class Named(Plain):
    code_modules = ("a_rule_of_this_test",)


class Word(Plain):
    code_modules = "a_rule_of_this_test"


class Missing(Plain):
    code_modules = ("no_such_rule",)
"""


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    versions.code_version.cache_clear()
    yield
    versions.code_version.cache_clear()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a_rule_of_this_test.py").write_text("LIMIT = 1\n")
    (tmp_path / "named.py").write_text(DETECTOR)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def version(place: Path, name: str) -> str:
    versions.code_version.cache_clear()  # one program does not change while it runs
    return detector_code_version(resolve(f"{place / 'named.py'}:{name}"))


def test_a_change_in_a_named_module_is_seen(place: Path) -> None:
    named, plain = version(place, "Named"), version(place, "Plain")
    assert version(place, "Named") == named != plain
    (place / "a_rule_of_this_test.py").write_text("LIMIT = 2\n")
    assert version(place, "Named") != named
    assert version(place, "Plain") == plain


def test_wrong_names_are_refused(place: Path) -> None:
    with pytest.raises(CmdfdError, match=r"code_modules must be a tuple of names.*got 'a_rule_of_this_test'"):
        version(place, "Word")
    with pytest.raises(CmdfdError, match="code_modules names 'no_such_rule': No module"):
        version(place, "Missing")


@pytest.mark.parametrize("module", NoiseResidual.code_modules)
def test_noise_residual_sees_what_decides_its_answers(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = resolve("noise_residual")
    before, files = detector_code_version(ref), versions._files

    def changed(name: str) -> list[Path]:
        (path,) = files(name)
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes() + b"\n# another rule\n")
        return [copy]

    monkeypatch.setattr(versions, "_files", lambda name: changed(name) if name == module else files(name))
    versions.code_version.cache_clear()
    assert detector_code_version(ref) != before
    monkeypatch.setattr(versions, "_files", lambda name: changed(name) if name == "benchmarks.twins" else files(name))
    versions.code_version.cache_clear()
    assert detector_code_version(ref) == before
