"""The predictions table and the store behind it: round trips, refusals, torn lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.detector import Prediction, ScoredSegment
from benchmarks.predicting import PredictionStore
from benchmarks.predictions import SINCE_2, answer, read_predictions, schema, write_predictions
from cmdfd.clip import Modality, Segment
from cmdfd.errors import CmdfdError

NAMES = ("detector", "dataset", "split", "condition", "id", "kind", "component")
TEXTS = ("sha256", "variant", "platform", "scene", "original", "proposal_rule")
LISTS = ("segments", "true_segments", "proposals")


def span(**changes: Any) -> dict[str, Any]:
    return {"start": 1.0, "end": 2.0, "modality": "audio", "confidence": 0.9, **changes}


def row(clip: str = "a", score: float | None = 0.5, **changes: Any) -> dict[str, Any]:
    prediction = Prediction(
        clip,
        score,
        np.array([0.5, 1.5]),
        np.array([0.1, 0.9]),
        (ScoredSegment(Segment(1.0, 2.0, Modality.AUDIO), 0.9),),
        None if score is not None else "no_audio: there is no audio stream",
    )
    return {
        **{"detector": "mds:mini", "dataset": "mini-a", "split": "test", "condition": "untrimmed", "id": clip},
        **{"sha256": "0" * 64, "label": 1, "kind": "audio/swap", "variant": "", "component": "c1"},
        **{"true_segments": [{"start": 0.0, "end": 2.0, "modality": "audio"}], "duration": 3.0},
        **{"platform": "", "scene": "", "original": "", "proposals": [], "proposal_rule": ""},
        **answer(prediction),
        **changes,
    }  # changes may be impossible ones, which no Prediction could hold


def test_round_trip_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, [row("a"), row("b", None)])
    table = read_predictions(path)
    assert table["score"].tolist()[0] == 0.5
    assert np.isnan(table["score"][1])
    assert table["error"][1].startswith("no_audio")
    assert table["segments"][0] == [{"start": 1.0, "end": 2.0, "modality": "audio", "confidence": 0.9}]
    assert list(table["times"][0]) == [0.5, 1.5]


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_predictions(tmp_path / name, [row("a"), row("b")])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row("a"), row("a")], "row 1: clip 'a' stands twice"),
        ([row("a", label=2)], "row 0: label must be 0 or 1"),
        ([row("a") | {"score": float("nan")}], "row 0: score is not finite"),
        ([row("a") | {"score": float("inf")}], "row 0: score is not finite"),
        ([row("a"), row("b", None, error=None)], "row 1: needs either a score or an error"),
        ([row("a", error="x")], "row 0: needs either a score or an error"),
        ([], "there are no predictions in it"),
        *[([row("a"), row("b", **{name: None})], f"row 1: {name} must be a name, got None") for name in NAMES],
        *[([row("a"), row("b", **{name: ""})], f"row 1: {name} must be a name, got ''") for name in NAMES],
        *[([row("a", **{name: None})], f"row 0: {name} must be text, which may be empty, got None") for name in TEXTS],
        ([row("a", condition="cut")], "row 0: condition must be untrimmed or trimmed, got 'cut'"),
        ([row("a", duration=None)], "row 0: duration must be finite and above 0 s, got None"),
        ([row("a", duration=float("nan"))], "row 0: duration must be finite"),
        ([row("a", duration=float("inf"))], "row 0: duration must be finite"),
        ([row("a", duration=0.0)], "row 0: duration must be finite and above 0 s, got 0.0"),
        ([row("a", times=None)], "row 0: needs times and frame_scores together"),
        ([row("a", frame_scores=[0.1])], "row 0: has 2 times and 1 frame_scores"),
        ([row("a", times=[0.5, float("nan")])], r"row 0: times\[1\] is nan; it must be finite"),
        ([row("a", frame_scores=[float("-inf"), 0.5])], r"row 0: frame_scores\[0\] is -inf"),
        ([row("a", frame_scores=[float("inf"), float("-inf")])], r"row 0: frame_scores\[0\] is inf"),
        ([row("a", frame_scores=[0.5, None])], r"row 0: frame_scores\[1\] is None"),
        *[([row("a", **{name: None})], f"row 0: {name} is null; an empty list") for name in LISTS],
        *[([row("a", **{name: [span(end=0.5)]})], rf"row 0: {name}\[0\] needs 0 <= start < end") for name in LISTS],
        *[([row("a", **{name: [span(start=float("nan"))]})], rf"{name}\[0\] needs 0 <= start < end") for name in LISTS],
        *[([row("a", **{name: [span(end=float("inf"))]})], rf"{name}\[0\] needs 0 <= start < end") for name in LISTS],
        *[([row("a", **{name: [span(), span(end=None)]})], rf"{name}\[1\] has a null") for name in LISTS],
        *[([row("a", **{name: [None]})], rf"{name}\[0\] has a null") for name in LISTS],
        *[([row("a", **{name: [span(modality="smell")]})], rf"{name}\[0\]: modality must be one") for name in LISTS],
        ([row("a", segments=[span(confidence=float("nan"))])], r"segments\[0\]: confidence is nan"),
        ([row("a", proposals=[span(confidence=float("inf"))])], r"proposals\[0\]: confidence is inf"),
        ([row("a", proposals=[span(confidence=None)])], r"proposals\[0\] has a null"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, rows: list[dict[str, Any]], reason: str) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, rows)
    with pytest.raises(CmdfdError, match=reason) as caught:
        read_predictions(path)
    assert "predictions.parquet" in str(caught.value)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(CmdfdError, match="not a Parquet file"):
        read_predictions(path)
    write_predictions(path, [row("a")])
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"schema_version": "99"}), path)
    with pytest.raises(CmdfdError, match="schema version 99"):
        read_predictions(path)
    pq.write_table(table.drop_columns(["component"]).replace_schema_metadata(schema().metadata), path)
    with pytest.raises(CmdfdError, match="'component' is missing"):
        read_predictions(path)
    for name, column in (("score", ["much"]), ("label", [0.5]), ("times", [["now"]]), ("segments", [1])):
        other = table.set_column(table.column_names.index(name), name, pa.array(column))
        pq.write_table(other.replace_schema_metadata(schema().metadata), path)
        with pytest.raises(CmdfdError, match="a column is of another type than in this version"):
            read_predictions(path)


def test_scores_whose_sum_is_infinite_are_finite(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, [row("a", frame_scores=[1.7e308, 1.7e308], times=[0.5, 1e308])])
    assert list(read_predictions(path)["frame_scores"][0]) == [1.7e308, 1.7e308]


def test_tables_of_version_1_are_refused_before_stretches_are_made(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    for changes, words in (({"duration": None}, "duration"), ({"times": [0.5, None]}, r"times\[1\] is None")):
        write_predictions(path, [row("a", segments=[], **changes)])
        old = pq.read_table(path).drop_columns(list(SINCE_2)).replace_schema_metadata({"schema_version": "1"})
        pq.write_table(old, path)
        with pytest.raises(CmdfdError, match=rf"predictions\.parquet: row 0: {words}"):
            read_predictions(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": None},
        {"score": 1.0, "error": "x"},
        {"score": float("nan")},
        {"score": float("inf")},
        {"score": 1.0, "times": np.zeros(2)},
        {"score": 1.0, "times": np.zeros(2), "frame_scores": np.zeros(3)},
        {"score": 1.0, "times": np.zeros(2), "frame_scores": np.array([0.0, np.nan])},
        {"score": 1.0, "times": np.array([0.0, np.inf]), "frame_scores": np.zeros(2)},
    ],
)
def test_impossible_predictions_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="prediction 'x'"):
        Prediction("x", **wrong)


def test_store_survives_a_torn_line(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path, "rev")
    store.append("k1", {"score": 1.0})
    whole = store.path.read_bytes()
    store.append("k2", {"score": 2.0})
    for length in range(len(whole), store.path.stat().st_size):
        store.path.write_bytes((whole + b'\n{"key": "k2", "answer": {"score": 2.0}}')[:length])
        assert set(store.read()) == {"k1"}
        store.append("k3", {"score": 3.0})
        assert store.read() == {"k1": {"score": 1.0}, "k3": {"score": 3.0}}
        store.path.write_bytes(whole)


def test_store_of_another_revision_is_empty(tmp_path: Path) -> None:
    PredictionStore(tmp_path, "one").append("k", {"score": 1.0})
    assert PredictionStore(tmp_path, "two").read() == {}
