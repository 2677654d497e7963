"""Recipes of the sets that people are taken out of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "generators"))

from tiny_source import HARMONISE

from generators.recipe import Recipe


def people_recipe(**changes: Any) -> Recipe:
    """Several people with two takes each, who swap, lend and, with scenes, stand beside each other."""
    fields: dict[str, Any] = {
        "schema_version": 3,
        "name": "people",
        "seed": 2**62 + 5,  # as large as those of sets with a secret one
        "source": {"kind": "tiny_source:TinySource", "options": {}},
        "splits": {"train": {"identities": 2, "clips": 1}, "test": {"identities": 4, "clips": 1}},
        "kinds": [
            {"kind": "audio/swap", "driver": "cross", "shams": 1},
            {"kind": "audio/desync", "params": {"milliseconds": [80, 160]}},
            {"kind": "video/mouth_warp", "driver": "cross"},
        ],
        "harmonise": HARMONISE,
        "audit": {"gate": True, "draws": 99},
    }
    return Recipe.model_validate(fields | changes)


def scenes_recipe() -> Recipe:
    """The same in scenes of two, sent through a platform."""
    pytest.importorskip("moviepy")
    return people_recipe(
        name="people-scenes",
        scenes={"layouts": ["interview", "portrait"], "long_edge": 160},
        social={"chains": ["whatsapp"]},
        splits={"test": {"identities": 4, "clips": 1}},
    )
