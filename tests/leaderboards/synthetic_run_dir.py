"""A run directory as `benchmarks.run` leaves it, made for the clips of a toy board without any media."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toy_board import answer_rows, pixel_rows, read_truth

from benchmarks.assemble import write_result
from benchmarks.pixels import write_pixels
from benchmarks.predictions import write_predictions
from benchmarks.proposing import propose
from benchmarks.results import DetectorInfo, RunResult
from cmdfd.clip import sha256_file

SECRET = "somebody"
FILE_DETECTOR = f"/home/{SECRET}/secret-project/my_model.py:Net"
ERROR = f"no_face: '/home/{SECRET}/sets/clip.mp4' has none"


def write_run(
    folder: Path,
    board: Path,
    detectors: tuple[str, ...] = ("mds:mini", "random"),
    *,
    trained_on: tuple[str, ...] = ("other/train",),
    names_stretches: bool = False,
    maps: bool = False,
    failed: int = 1,
    shift: float = 0.0,
    extra_set: bool = True,
) -> Path:
    """Write the directory.

    Args:
        folder: Where.
        board: Whose clips were judged.
        detectors: Of the run; the first gives scores over time.
        trained_on: What the first was trained on.
        names_stretches: Whether the first names stretches of its own.
        maps: Whether the first gives maps.
        failed: Clips of each set that fail.
        shift: Added to the scores of the first.
        extra_set: Whether a set was judged that the board does not have.
    """
    rows: list[dict[str, Any]] = []
    for number, detector in enumerate(detectors):
        found = answer_rows(board, 1.0, seed=number, failed=failed, over_time=number == 0, trimmed=number == 0)
        rows += _rows(board, detector, found, names_stretches, shift if number == 0 else 0.0)
    if extra_set:
        rows += [{**row, "dataset": "not-on-the-board"} for row in rows[:5]]
    folder.mkdir(parents=True)
    write_predictions(folder / "predictions.parquet", propose(rows))
    if maps:
        write_pixels(folder / "pixels.parquet", _pixels(board, detectors[0], failed))
    write_result(_result(folder, detectors, trained_on, maps), folder)
    return folder


def _rows(
    board: Path, detector: str, found: list[dict[str, Any]], names_stretches: bool, shift: float
) -> list[dict[str, Any]]:
    truths = {(name, row["id"]): row for name, rows in read_truth(board).items() for row in rows}
    rows = []
    for row in found:
        dataset, _, split = row["set"].rpartition("/")
        truth = truths[row["set"], row["id"]]
        facts = ("label", "kind", "variant", "component", "true_segments", "duration", "platform", "scene", "original")
        fails = row["score"] is None
        rows.append(
            {
                "detector": detector,
                "dataset": dataset,
                "split": split,
                "condition": row["condition"],
                "id": row["id"],
                "sha256": row["sha256"],
                **{name: truth[name] for name in facts},
                "score": None if fails else row["score"] + shift,
                "error": ERROR if fails else None,
                "times": row["times"],
                "frame_scores": row["frame_scores"],
                "segments": row["proposals"] if names_stretches else [],
                "proposals": [],
                "proposal_rule": "",
            }
        )
    return rows


def _pixels(board: Path, detector: str, failed: int) -> list[dict[str, Any]]:
    rows = []
    for row in pixel_rows(board, 1.0, failed=failed):
        dataset, _, split = row.pop("set").rpartition("/")
        truth = "mask" if row["no_twin"] else "empty"
        place = {"detector": detector, "dataset": dataset, "split": split, "condition": "untrimmed", "truth": truth}
        rows.append({**place, **row})
    return rows


def _result(folder: Path, detectors: tuple[str, ...], trained_on: tuple[str, ...], maps: bool) -> RunResult:
    infos = [
        DetectorInfo(
            name=name,
            preset="default",
            revision=f"{number:024x}",
            n_parameters=0 if name == "random" else 1000,
            trained_on=list(trained_on) if number == 0 else [],
            selected_on=["other/validation"] if number == 0 and trained_on else [],
            reference="A paper",
            licence="Apache-2.0",
            fit_seconds=1.0,
        )
        for number, name in enumerate(detectors)
    ]
    return RunResult(
        status="success",
        run_id="0123456789ab",
        created="2026-11-27T00:00:00+00:00",
        command=["python", "-m", "benchmarks.run", "--detector", detectors[0]],
        detectors=infos,
        datasets=[],
        tasks=[],
        comparisons=[],
        config={},
        environment={"cmdfd": "0.1.0", "git": {"commit": "ab" * 20, "dirty": False}},
        timing={},
        predictions_sha256=sha256_file(folder / "predictions.parquet"),
        pixels_sha256=sha256_file(folder / "pixels.parquet") if maps else None,
    )
