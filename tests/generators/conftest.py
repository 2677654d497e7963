"""Fixtures of the build's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tiny_source import HARMONISE, KINDS

from generators.recipe import Recipe


@pytest.fixture
def tiny_recipe() -> Callable[..., Recipe]:
    """Makes a recipe over the tiny source; keywords replace its fields, `options` those of the source."""

    def make(options: dict[str, Any] | None = None, **changes: Any) -> Recipe:
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

    return make
