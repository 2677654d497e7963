"""The command line and the files that are there, or cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from moving_square import Pattern, make

from generators.social.__main__ import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make(Pattern(seconds=0.4), tmp_path / "a.mp4", tmp_path / "a.mkv")
    return tmp_path


def test_nothing_is_replaced_unless_it_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["a.mp4", "--profile", "whatsapp", "--mask", "a.mkv"]
    for name in ("a__whatsapp.mp4", "a__whatsapp.mask.mkv"):
        path = folder / name
        path.write_bytes(b"mine")
        assert main(words) == 2
        assert f"error: {name}: is there already; name another file with --out, or replace it with --overwrite" in (
            capsys.readouterr().err
        )
        assert path.read_bytes() == b"mine" and len(list(folder.iterdir())) == 3
        path.unlink()
    (folder / "a__whatsapp.mp4").symlink_to("nowhere")
    assert main(words) == 2
    (folder / "a__whatsapp.mp4").unlink()
    (folder / "b.mp4").write_bytes(b"mine")
    assert main([*words, "--out", "b.mp4"]) == 2 and (folder / "b.mp4").read_bytes() == b"mine"
    assert main([*words, "--out", "b.mp4", "--overwrite"]) == 0 and (folder / "b.mp4").stat().st_size > 1000


def test_long_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name may have 255 bytes, and that of the platform is joined to it."""
    name = f"{'n' * 245}.mp4"
    (folder / "a.mp4").rename(folder / name)
    assert main([name, "--profile", "whatsapp"]) == 2
    told = capsys.readouterr().err
    assert "cannot be written: " in told and "name another file with --out" in told and len(told) < 200
    assert main([name, "--profile", "whatsapp", "--out", f"{'o' * 251}.mp4"]) == 0
    assert main(["x" * 300, "--profile", "whatsapp"]) == 2
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".mp4") == [name, f"{'o' * 251}.mp4"]
