"""Sets to take people out of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "generators"))

from takedown_recipes import people_recipe, scenes_recipe
from tiny_source import SERIAL

from cmdfd.dataset import Dataset
from generators.build import build
from generators.recipe import Recipe


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return _built(tmp_path_factory, people_recipe())


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return _built(tmp_path_factory, scenes_recipe())


def _built(factory: pytest.TempPathFactory, recipe: Recipe) -> Dataset:
    out = factory.mktemp("built") / recipe.name
    report = build(recipe, out, options=SERIAL)
    assert not report.refused and not report.remaining
    return Dataset.open(out)


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Dataset], Dataset]:
    """Copies a set, so that a test may change it."""
    import shutil

    def copied(dataset: Dataset) -> Dataset:
        shutil.copytree(dataset.folder, tmp_path / dataset.folder.name)
        return Dataset.open(tmp_path / dataset.folder.name)

    return copied
