"""Edit lists and their time map: properties, a worked example, hostile files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.clip import Modality, Segment
from generators.edits.edit_list import Change, Edit, EditList, EditListError

SECONDS = st.floats(0.01, 3.0, allow_nan=False)


@st.composite
def edit_lists(draw: st.DrawFn) -> EditList:
    changes, at = [], 0.0
    for _ in range(draw(st.integers(0, 5))):
        at += draw(SECONDS)
        op = draw(st.sampled_from(["replace", "insert", "delete"]))
        old = 0.0 if op == "insert" else draw(SECONDS)
        new = 0.0 if op == "delete" else draw(SECONDS)
        modality = draw(st.sampled_from(list(Modality))) if op == "replace" and draw(st.booleans()) else Modality.BOTH
        new = old if modality is not Modality.BOTH else new
        changes.append(Change(op, at, at + old, new, "old", "new", modality))
        at += old
    order = draw(st.permutations(changes))
    return EditList.lay_out(at + draw(SECONDS), order, draw(st.floats(0.001, 0.2)))


def outside(edits: EditList, times: np.ndarray) -> np.ndarray:
    """Output times that are clear of every edit, found without the time map."""
    clear = np.ones(len(times), bool)
    for edit in edits.edits:
        clear &= (times < edit.start - 1e-9) | (times > edit.end + 1e-9)
    return clear


@given(edit_lists())
def test_length_is_source_plus_new_minus_old(edits: EditList) -> None:
    new = sum(edit.end - edit.start for edit in edits.edits)
    old = sum(edit.source_end - edit.source_start for edit in edits.edits)
    assert edits.seconds == pytest.approx(edits.source_seconds + new - old)


@given(edit_lists(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_there_and_back_is_the_same_moment_outside_edits(edits: EditList, shares: list[float]) -> None:
    there = np.array(shares) * edits.seconds
    back = edits.time_map.forward(edits.time_map.inverse(there))
    clear = outside(edits, there)
    np.testing.assert_allclose(back[clear], there[clear], atol=1e-9)


@given(edit_lists())
def test_the_map_never_runs_backwards_and_stays_inside(edits: EditList) -> None:
    there = np.linspace(0, edits.seconds, 200)
    source = edits.time_map.inverse(there)
    assert (np.diff(source) >= -1e-9).all() and source.min() >= -1e-9 and source.max() <= edits.source_seconds + 1e-9
    output = edits.time_map.forward(np.linspace(0, edits.source_seconds, 200))
    assert (np.diff(output) >= -1e-9).all() and output.min() >= -1e-9 and output.max() <= edits.seconds + 1e-9


@given(edit_lists(), st.integers(0, 2**32 - 1))
def test_outside_edits_the_map_is_what_cutting_an_array_does(edits: EditList, seed: int) -> None:
    """Reference: really cut and join an array of source moments, by slicing."""
    rate = 1000
    moments = np.arange(round(edits.source_seconds * rate)) / rate
    parts, at = [], 0
    for edit in edits.edits:
        first, last = round(edit.source_start * rate), round(edit.source_end * rate)
        parts += [moments[at:first], np.full(round((edit.end - edit.start) * rate), np.nan)]
        at = last
    joined = np.concatenate([*parts, moments[at:]])
    at_output = np.random.default_rng(seed).integers(0, len(joined), 20)
    found = edits.time_map.inverse(at_output / rate)
    known = ~np.isnan(joined[at_output])
    near_edges = np.array(
        [any(abs(k / rate - t) < 0.01 for e in edits.edits for t in (e.start, e.end)) for k in at_output]
    )
    known &= ~near_edges
    np.testing.assert_allclose(found[known], joined[at_output][known], atol=0.006)  # rounding of five edits


@given(edit_lists())
def test_segments_are_ordered_inside_and_cover_the_new_material(edits: EditList) -> None:
    segments = edits.segments()
    assert len(segments) == len(edits.edits)
    assert [one.start for one in segments] == sorted(one.start for one in segments)
    for edit, segment in zip(edits.edits, segments, strict=True):
        assert isinstance(segment, Segment) and segment.modality is edit.modality
        if edit.op == "delete":
            assert segment.end - edit.end == pytest.approx(edits.tolerance)
            assert segment.start == pytest.approx(max(edit.start - edits.tolerance, 0))
        else:
            assert (segment.start, segment.end) == (edit.start, edit.end)
        assert segment.end <= edits.seconds + edits.tolerance + 1e-9


@given(edit_lists())
def test_json_round_trip(edits: EditList) -> None:
    assert EditList.from_json(json.loads(json.dumps(edits.to_json()))) == edits


def test_a_worked_example() -> None:
    """ "the big red boat": 'big' becomes 'small', 'very' comes before 'red', 'boat' goes."""
    edits = EditList.lay_out(
        4.0,
        [
            Change("replace", 1.0, 1.4, 0.6, "big", "small", Modality.BOTH),
            Change("insert", 2.0, 2.0, 0.5, "", "very", Modality.BOTH),
            Change("delete", 3.0, 3.5, 0.0, "boat", "", Modality.BOTH),
        ],
    )
    assert [(round(e.start, 6), round(e.end, 6)) for e in edits.edits] == [(1.0, 1.6), (2.2, 2.7), (3.7, 3.7)]
    assert edits.seconds == pytest.approx(4.2)
    np.testing.assert_allclose(
        edits.time_map.inverse([0.5, 1.3, 1.9, 2.4, 3.0, 3.7, 4.0]), [0.5, 1.2, 1.7, 2.0, 2.3, 3.5, 3.8]
    )
    np.testing.assert_allclose(edits.time_map.forward([0.5, 1.2, 1.7, 2.0, 3.2, 3.8]), [0.5, 1.3, 1.9, 2.7, 3.7, 4.0])
    assert edits.time_map.edited([0.9, 1.0, 1.59, 1.6, 2.3, 3.7]).tolist() == [False, True, True, False, True, False]


GOOD = Edit("replace", 1.0, 1.5, 1.0, 1.5, "a", "b", Modality.AUDIO)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (replace(GOOD, source_end=0.5), "covers 1 to 0.5 s"),
        (replace(GOOD, source_end=9.0, end=9.0), "ends by 4 s"),
        (replace(GOOD, start=1.2, end=1.7), "the edits before it move that moment to 1 s"),
        (replace(GOOD, end=1.8), "sound and picture would part"),
        (replace(GOOD, op="insert"), "is no insert"),
        (replace(GOOD, op="delete"), "is no delete"),
        (replace(GOOD, op="swap"), "unknown operation 'swap'"),
        (replace(GOOD, start=float("nan")), "must be finite"),
        (replace(GOOD, source_start=-0.5, start=-0.5), "ends by 4 s"),
    ],
)
def test_contradictions_are_refused(edit: Edit, told: str) -> None:
    with pytest.raises(EditListError, match=told):
        EditList((edit,), 4.0)


def test_overlaps_are_refused() -> None:
    second = replace(GOOD, source_start=1.3, source_end=1.8, start=1.3, end=1.8)
    with pytest.raises(EditListError, match=r"edit 1 .* begins at 1.5 s"):
        EditList((GOOD, second), 4.0)
    with pytest.raises(EditListError, match="tolerance must be a positive number"):
        EditList((GOOD,), 4.0, 0.0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"source_seconds": -1}, "source_seconds"),
        ({"source_seconds": None}, "source_seconds"),
        ({"colour": "red"}, "colour"),
        ({"edits": [{"op": "replace"}]}, r"edits\.0\.source_start"),
        ({"edits": {}}, "edits"),
        ({"tolerance": float("inf")}, "tolerance"),
    ],
)
def test_hostile_json_names_the_field(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    data = EditList((GOOD,), 4.0).to_json() | change
    with pytest.raises(EditListError, match=told):
        EditList.from_json(data)
    path = tmp_path / "edits.json"
    path.write_text(json.dumps(data))
    with pytest.raises(EditListError, match=f"edits.json.*{told}"):
        EditList.load(path)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "edits.json"
    with pytest.raises(EditListError, match="no such file"):
        EditList.load(path)
    path.write_text("[" * 100_000)
    with pytest.raises(EditListError, match="not JSON"):
        EditList.load(path)
    path.write_text(json.dumps(EditList((GOOD,), 4.0).to_json()))
    assert EditList.load(path) == EditList((GOOD,), 4.0)
