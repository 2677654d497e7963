from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audit_reports import clean_set, few_components, finding, hostile, long_list, nothing, planted, wide

from cmdfd.audit.report import read_report, to_json
from cmdfd.errors import CmdfdError


def saved(folder: Path, report: Any) -> Path:
    path = folder / "audit.json"
    path.write_text(to_json(report), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "report",
    [planted(), clean_set(), few_components(), nothing(), long_list(), wide()[0], hostile()[0]],
    ids=lambda one: one.name[:8],
)
def test_an_audit_comes_back_as_it_was(tmp_path: Path, report: Any) -> None:
    found = read_report(saved(tmp_path, report))
    assert found == report
    assert found.status == report.status and found.flagged == report.flagged
    assert to_json(found) == to_json(report)


def test_the_file_holds_what_others_want_to_read(tmp_path: Path) -> None:
    data = json.loads(to_json(planted()))
    assert data["schema_version"] == 1 and data["status"] == "failed" and data["severity"] == "critical"
    first = data["findings"][0]
    assert first["sentence"] and first["shown"] is True and first["auc"] == 0.985


def test_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    odd = finding("x.y", rank=replace(finding("x.y").rank, low=math.nan, high=math.inf))
    report = replace(planted(), findings=(odd,), settings={"x": math.nan, "path": Path("a"), "y": (1, {2: "b"})})
    data = json.loads(to_json(report), parse_constant=pytest.fail)
    assert data["findings"][0]["rank"]["low"] is None and data["settings"] == {
        "x": None,
        "path": "a",
        "y": [1, {"2": "b"}],
    }
    found = read_report(saved(tmp_path, report))
    assert found.findings[0].rank.low is None


def test_file_names_that_are_no_text_are_written(tmp_path: Path) -> None:
    report = replace(planted(), unread=(("bad\udcff.mp4", "x"),))
    assert read_report(saved(tmp_path, report)).unread == (("bad?.mp4", "x"),)


def changed(folder: Path, change: Any) -> Path:
    data = json.loads(to_json(planted()))
    change(data)
    path = folder / "audit.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.update(schema_version=2), "schema_version 2.*reads 1.*make the audit again"),
        (lambda data: data.pop("schema_version"), "schema_version None"),
        (lambda data: data.pop("n_real"), "n_real.*required"),
        (lambda data: data.update(n_real="80"), "n_real.*integer"),
        (lambda data: data.update(n_real=True), "n_real.*integer"),
        (lambda data: data.update(evil=1), "evil.*not permitted"),
        (lambda data: data["findings"][0].update(severity="awful"), "findings.0.severity.*critical"),
        (lambda data: data["findings"][0].update(__class__="os"), "findings.0.__class__.*not permitted"),
        (lambda data: data["findings"][0]["rank"].pop("auc"), "findings.0.rank.auc.*required"),
        (lambda data: data.update(findings={}), "findings"),
        (lambda data: data.update(unread=[["a"]]), "unread.0"),
        (lambda data: data["controls"].update(curve=[[0.5, "x"]]), "controls.curve.0.1"),
        (lambda data: data.update(settings=[1]), "settings"),
    ],
)
def test_strange_files_are_refused_with_the_place(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(CmdfdError, match=words):
        read_report(changed(tmp_path, change))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": NaN}', b"[" * 100_000, b'"x"']
)
def test_what_is_no_audit_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit.json"
    path.write_bytes(content)
    with pytest.raises(CmdfdError, match=r"audit\.json"):
        read_report(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CmdfdError, match="nowhere"):
        read_report(tmp_path / "nowhere.json")
    with pytest.raises(CmdfdError, match="not an audit"):
        read_report(tmp_path)
