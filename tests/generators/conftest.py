"""Fixtures of the build's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_source import HARMONISE, KINDS, SERIAL

from generators.recipe import Recipe


def _tiny(options: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    fields: dict[str, Any] = {
        "schema_version": 1,
        "name": "tiny",
        "seed": 3,
        "source": {"kind": "tiny_source:TinySource", "options": options or {}},
        "splits": {"train": {"identities": 2, "clips": 2}, "test": {"identities": 2, "clips": 1}},
        "kinds": KINDS,
        "harmonise": HARMONISE,
    }
    return Recipe.model_validate(fields | changes)


@pytest.fixture(scope="session")
def tiny_recipe() -> Callable[..., Recipe]:
    """Makes a recipe over the tiny source; keywords replace its fields, `options` those of the source."""
    return _tiny


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny set, built once; tests copy it before they change it."""
    from generators.build import build

    out = tmp_path_factory.mktemp("made") / "tiny"
    report = build(_tiny(), out, options=SERIAL)
    assert not report.refused and not report.remaining and report.passed
    return out
