"""The feature cache: content addresses, atomic writes, damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cmdfd.cache import ENVIRONMENT_VARIABLE, FeatureCache, cache_dir, write_atomic


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    arrays = {"mouth": np.arange(12, dtype=np.uint8).reshape(3, 4), "mel": np.linspace(0, 1, 5, dtype=np.float16)}
    cache.put("ab" * 20, arrays)
    found = cache.get("ab" * 20)
    assert found is not None
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert "ab" * 20 in cache
    assert cache.get("cd" * 20) is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"not an archive", None])
def test_damaged_file_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    cache = FeatureCache(tmp_path)
    cache.put("ab" * 20, {"x": np.zeros(1000)})
    path = cache.path("ab" * 20)
    path.write_bytes(path.read_bytes()[:300] if damage is None else damage)
    assert cache.get("ab" * 20) is None
    assert "ab" * 20 not in cache


def test_objects_are_never_pickled(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="holds objects"):
        FeatureCache(tmp_path).put("ab" * 20, {"x": np.array([{}], dtype=object)})
    assert not list(tmp_path.rglob("*.npz"))


def test_key_depends_on_content_and_every_setting() -> None:
    keys = {
        FeatureCache.key(sha, {"size": size, "code": code})
        for sha in ("a" * 64, "b" * 64)
        for size in (48, 64)
        for code in ("1", "2")
    }
    assert len(keys) == 8
    assert FeatureCache.key("a", {"x": 1, "y": 2}) == FeatureCache.key("a", {"y": 2, "x": 1})


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError):
        write_atomic(target, b"x")  # a folder stands where the file should go
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_cache_folder_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "variable"))
    assert cache_dir(tmp_path / "named") == tmp_path / "named"
    assert cache_dir() == tmp_path / "variable"
    monkeypatch.delenv(ENVIRONMENT_VARIABLE)
    assert cache_dir().name == "cmdfd"
