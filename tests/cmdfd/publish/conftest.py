"""The set that the tests of publishing copy and spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from public_set import write_public_set

if TYPE_CHECKING:
    from cmdfd.dataset import Dataset


@pytest.fixture(scope="session")
def public_set(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A sound set of two splits with eight people each."""
    return write_public_set(tmp_path_factory.mktemp("public") / "toy")
