"""How commands end: a line that names the place, and an exit code; never a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cmdfd.command import NOT_DONE, STOPPED, ended, teller
from cmdfd.errors import CmdfdError


def raising(error: BaseException) -> int:
    raise error


def test_a_command_that_works_gives_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda: 3) == 3
    assert capsys.readouterr() == ("", "")


def test_every_trouble_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert ended(lambda: raising(CmdfdError("a.yaml: no"))) == NOT_DONE
    assert capsys.readouterr().err == "error: a.yaml: no\n"
    assert ended(lambda: (tmp_path / "file" / "x").write_text("")) == NOT_DONE
    said = capsys.readouterr().err
    assert str(tmp_path / "file" / "x") in said and "Not a directory" in said and "not full" in said
    assert ended(lambda: raising(OSError(28, "No space left on device", "out/\x1b[2Ja"))) == NOT_DONE
    assert "error: out/a: No space left on device" in capsys.readouterr().err
    assert ended(lambda: raising(OSError(28, "No space left on device", "from", None, "to"))) == NOT_DONE
    assert "error: to: No space left on device" in capsys.readouterr().err
    assert ended(lambda: raising(KeyboardInterrupt()), "stopped; go on") == STOPPED
    assert capsys.readouterr().err == "stopped; go on\n"
    with pytest.raises(ZeroDivisionError):  # a defect is not hidden
        ended(lambda: raising(ZeroDivisionError()))


def test_progress_has_the_time_and_harmless_words(capsys: pytest.CaptureFixture[str]) -> None:
    teller()("reading a\nb")
    assert re.fullmatch(r"\[0:0\d\] reading a b\n", capsys.readouterr().err)
