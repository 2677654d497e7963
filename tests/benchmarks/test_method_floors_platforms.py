"""Floors of a set with platforms: every version by itself, all kinds together first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from versioned_set import PLATFORM, write_versioned_set

from benchmarks.method_floors import FloorsReport, MethodRows, judge_methods
from benchmarks.method_floors.__main__ import main
from benchmarks.method_floors.load import load_set
from benchmarks.method_floors.text import print_report
from cmdfd.errors import CmdfdError


def rows(leaky: str = "") -> MethodRows:
    """16 people with a real clip and two kinds of fakes, as originals and on two platforms; one leaks a gap."""
    rng = np.random.default_rng(0)
    cues, labels, kinds, components, platforms = [], [], [], [], []
    for person in range(16):
        length = float(rng.integers(99, 962))
        for platform in ("", "a", "b"):
            for kind in ("real", "k1", "k2"):
                fake = kind != "real"
                gap = 80.0 if fake and platform == leaky and leaky else 0.0
                cues.append({"time.av_gap": gap, "time.n_frames": length})
                labels.append(int(fake))
                kinds.append(kind)
                components.append(f"c{person}")
                platforms.append(platform)
    return MethodRows(cues, labels, kinds, components, platforms)


def test_each_version_is_judged_with_its_own_reals() -> None:
    report = judge_methods(rows("b"), n_repeats=1, name="set", judged="test")
    order = [(one.platform, one.kind) for one in report.methods]
    assert order == [(platform, kind) for platform in ("", "a", "b") for kind in ("", "k1", "k2")]
    assert all((one.n_real, one.n_fake) == (16, 16 if one.kind else 32) for one in report.methods)
    assert {one.verdict for one in report.methods if one.platform == "b"} == {"tells"}
    assert "tells" not in {one.verdict for one in report.methods if one.platform != "b"}
    console = Console(record=True, width=110)
    print_report(report, console)
    text = console.export_text()
    assert "original" in text and text.count("all kinds") == 4  # three rows and one strongest cue
    assert "all kinds on b: strongest single cue" in text


def test_sets_of_originals_print_as_before() -> None:
    plain = replace(rows(), platforms=())
    report = judge_methods(plain, n_repeats=1)
    assert [(one.platform, one.kind) for one in report.methods] == [("", "k1"), ("", "k2")]
    console = Console(record=True, width=110)
    print_report(report, console)
    assert "all kinds" not in console.export_text() and "original" not in console.export_text()


def test_versions_teach_versions() -> None:
    train = replace(rows("a"), components=[f"t-{name}" for name in rows().components])
    report = judge_methods(rows("a"), train, n_repeats=1)
    held = {(one.platform, one.kind): one.held_out for one in report.methods}
    assert all(found is not None for found in held.values())
    assert {found.verdict for (platform, _), found in held.items() if platform == "a" and found} == {"tells"}
    with pytest.raises(ValueError, match="platforms must be of one length"):
        replace(rows(), platforms=("a",))
    lone = rows()
    lone = replace(
        lone, platforms=["c" if label else name for label, name in zip(lone.labels, lone.platforms, strict=True)]
    )
    with pytest.raises(CmdfdError, match="cannot be compared on"):
        judge_methods(lone)


def test_the_command_takes_platforms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_versioned_set(tmp_path / "set")
    assert main([str(data.folder), "--json", "--repeats", "1"]) == 0
    report = FloorsReport.model_validate_json(capsys.readouterr().out)
    assert {one.platform for one in report.methods} == {"", PLATFORM} and len(report.methods) == 6
    assert all(one.verdict == "at chance" for one in report.methods)
    main([str(data.folder), "--platform", PLATFORM, "--repeats", "1"])
    shown = capsys.readouterr().out
    assert "chat <app>" in shown and "original" not in shown
    assert len(load_set(data.folder, None, cross_validate=True, platforms=["original"]).judged) == 36
    assert main([str(data.folder), "--platform", "chat"]) == 2
    assert "has no clips of platform 'chat'" in capsys.readouterr().err
