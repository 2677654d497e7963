"""The command line refuses at once what cannot work, and lets no sign of a list's author reach the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmdfd.audit.__main__ import main

EVIL = "\x1b[2Jevil"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    rows = [
        {
            "speaker": f"p{k // 2}",
            "label": ("real", "fake")[k % 2],
            "method": (EVIL, "<script>")[k % 4 // 2] if k % 2 else "",
            "gain": k % 2 * 4 + rng.normal(),
        }
        for k in range(80)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "list.csv", index=False)
    return tmp_path / "list.csv"


def run(listed: Path, *words: str) -> int:
    quick = ["--draws", "199", "--no-deeper", "--trees", "none"]
    return main([str(listed), "-o", str(listed.parent / "audits"), *quick, *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--draws", "0"], "--draws must be at least 1"),
        (["--plugin", "no_such_module:X"], "no_such_module"),
        (["--remedies", "magic", "--fix", "OUT"], "'magic' is none: known: deduplicate"),
        (["--recipe", "OUT/repair.yaml", "--fix", "OUT"], "repair.yaml"),
        (["--fix", "FULL"], "is not empty and holds no repair"),
        (["--fix", "FULL/a.txt"], "is a file"),
        (["-o", "FULL/a.txt/deep"], "nothing can be written to"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_tested(
    listed: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    full = listed.parent / "full"
    full.mkdir()
    (full / "a.txt").write_text("mine")
    typed = [word.replace("FULL", str(full)).replace("OUT", str(listed.parent / "out")) for word in words]
    assert run(listed, *typed) == 2
    told = capsys.readouterr().err
    assert said in told and "testing" not in told
    assert [one.name for one in full.iterdir()] == ["a.txt"]


def test_names_from_outside_send_no_escape_sequences(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(listed) == 0
    earlier = listed.parent / "audits" / "list.csv" / "audit.json"
    report = json.loads(earlier.read_text())
    report["findings"][0] |= {"cue": f"{EVIL}.x", "shown": True}
    (listed.parent / "before.json").write_text(json.dumps(report))
    assert run(listed, "--before", str(listed.parent / "before.json")) == 0
    out = capsys.readouterr()
    assert "testing generator" in out.err and "Against the earlier audit" in out.out
    assert "\x1b" not in out.err and "\x1b[2J" not in out.out


def test_a_repaired_set_of_the_same_name_leaves_the_first_audit_alone(tmp_path: Path) -> None:
    from cmdfd.audit.__main__ import _write
    from cmdfd.audit.run import AuditOptions, audit
    from cmdfd.audit.targets.opening import open_target

    table = tmp_path / "set.csv"
    table.write_text("label,speaker,size\n" + "".join(f"{k % 2},p{k // 2},{k}\n" for k in range(8)), encoding="utf-8")
    found = audit(open_target([table]), AuditOptions(deeper=False))
    first = _write(found, tmp_path / "audits", ())
    before = {path.name: path.read_bytes() for path in first.parent.iterdir()}
    second = _write(found, tmp_path / "audits", (), first.parent)
    assert second.parent != first.parent and second.is_file()
    assert {path.name: path.read_bytes() for path in first.parent.iterdir()} == before
