"""A whole run: the steps of `benchmarks.runner`, then the result and its files."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.command import command, portable_config
from benchmarks.environment import environment, now
from benchmarks.evaluate import compare_sets, evaluate_tasks
from benchmarks.localize import pixel_table
from benchmarks.pixels import write_pixels
from benchmarks.predictions import check_rows, write_predictions
from benchmarks.proposing import propose
from benchmarks.registry import FLOORS, DetectorRef, resolve, spec_of
from benchmarks.results import READABLE_RESULTS, RESULT_SCHEMA_VERSION, DatasetInfo, DetectorInfo, RunResult
from benchmarks.runner import Judged, RunConfig, Runner
from benchmarks.shown_maps import write_shown_maps
from cmdfd.clip import content_id, sha256_file
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from benchmarks.progress import Reporter
    from benchmarks.protocol import Protocol
    from benchmarks.results import Comparison, TaskResult

#: File of the pixel counts in a run directory.
PIXELS = "pixels.parquet"


@dataclass(frozen=True, slots=True, eq=False)
class RunOutcome:
    """What a run leaves behind.

    Args:
        result: As written to `result.json`.
        folder: The run directory.
        predictions: The table.
        protocol: Opened sets, None where the result was read back.
        typed: The command with folders as they were typed, for what is printed by this run; empty where not known.
    """

    result: RunResult
    folder: Path
    predictions: pd.DataFrame
    protocol: Protocol | None
    typed: tuple[str, ...] = ()


def run(config: RunConfig, reporter: Reporter) -> RunOutcome:
    """Build, fit, predict and judge.

    Args:
        config: What to run.
        reporter: Told about progress.

    Raises:
        CmdfdError: For wrong names, overlap between the parts, missing extras; with the fix.
    """
    asked = resolve(config.detector, config.preset)
    check_metrics(config.metrics)
    runner = Runner(config, reporter)
    try:
        return _run(runner, asked)
    finally:
        runner.pool.close()


def _run(runner: Runner, asked: DetectorRef) -> RunOutcome:
    config, reporter = runner.config, runner.reporter
    protocol = runner.protocol()
    judged = [
        _judge(runner, ref, protocol, trim=ref == asked) for ref in _lineup(asked, protocol, floors=config.floors)
    ]
    started = time.perf_counter()
    reporter.say("computing intervals")
    rows = propose([row for item in judged for row in item.rows])
    pixels = [row for item in judged for row in item.pixels]
    table = check_rows(rows, "predictions")
    spread = _seed_spread(runner, asked, protocol, judged[0])
    tasks = evaluate_tasks(
        table,
        {j.fitted.ref.label: j.threshold for j in judged if j.threshold is not None},
        _domains(judged, protocol),
        config.seed,
        pixels=pixel_table(pixels),
        extra=config.metrics,
    )
    result = _result(config, runner, protocol, judged, (tasks, compare_sets(table, tasks, config.seed)), spread)
    folder = config.output / asked.label.replace(":", "-").replace("/", "_") / result.run_id
    runner.timing["judge"] = time.perf_counter() - started
    final = write_run(result, rows, folder, config, pixels)
    write_shown_maps(folder, table, judged[0], runner, protocol)
    return RunOutcome(final, folder, table, protocol, tuple(command(config, typed=True)))


def check_metrics(names: Sequence[str]) -> None:
    """Refuse unknown plug-in metrics before anything is built or fitted.

    Args:
        names: As after `--metric`.

    Raises:
        CmdfdError: For an unknown name, and for one of a metric that every run has.
    """
    if not names:
        return
    from benchmarks.metrics.detection import METRICS
    from benchmarks.metrics.registry import load_metric

    for name in names:
        if name in METRICS:
            raise CmdfdError(f"--metric {name}: every run has this metric; leave the option out")
        load_metric(name)


def _lineup(asked: DetectorRef, protocol: Protocol, *, floors: bool) -> list[DetectorRef]:
    """The detector, then the floors; without training splits those floors that learn cannot stand beside it."""
    others = [resolve(name) for name in FLOORS] if floors else []
    able = [ref for ref in others if protocol.train or not spec_of(ref.name).needs_training]
    return [asked, *(ref for ref in able if ref != asked)]


def _judge(runner: Runner, ref: DetectorRef, protocol: Protocol, *, trim: bool) -> Judged:
    spec = spec_of(ref.name)
    if spec.needs_training and not protocol.train:
        raise CmdfdError(f"detector {ref.label!r} needs training: name splits with --train-on")
    fitted = runner.fit(ref, runner.config.seed, protocol)
    return runner.judge(fitted, protocol, trim=trim and not spec.needs_headers)


def _domain(trained_on: Sequence[str], dataset: str) -> str:
    """Computed from what the detector was trained on, never typed."""
    if not trained_on:
        return "unknown"
    return "in" if dataset in {label.rpartition("/")[0] for label in trained_on} else "cross"


def _result(
    config: RunConfig,
    runner: Runner,
    protocol: Protocol,
    judged: Sequence[Judged],
    found: tuple[list[TaskResult], list[Comparison]],
    spread: dict[str, Any] | None,
) -> RunResult:
    tasks, comparisons = found
    return RunResult(
        status="success",
        run_id=_run_id(config, judged, protocol),
        created=now(),
        command=command(config),
        detectors=[_detector_info(j) for j in judged],
        datasets=_dataset_infos(protocol),
        tasks=tasks,
        comparisons=comparisons,
        seed_spread=spread,
        config=portable_config(config),
        environment=environment(),
        timing={name: round(seconds, 3) for name, seconds in runner.timing.items()},
        predictions_sha256=None,
    )


def _domains(judged: Sequence[Judged], protocol: Protocol) -> dict[tuple[str, str], str]:
    return {
        (j.fitted.ref.label, part.data.name): _domain(
            j.fitted.record.trained_on if spec_of(j.fitted.ref.name).needs_training else (), part.data.name
        )
        for j in judged
        for part in protocol.report
    }


def _run_id(config: RunConfig, judged: Sequence[Judged], protocol: Protocol) -> str:
    """Content address of a run: the same fits on the same clips, judged alike, write to the same folder."""
    asked = {"platforms": sorted(set(config.platforms)), "metrics": sorted(set(config.metrics))}
    return content_id(
        [j.fitted.revision for j in judged],
        [[part.ref.label, part.data.manifest_sha256, len(part.clips)] for part in protocol.report],
        config.fit_seeds,
        config.seed,
        *([asked] if any(asked.values()) else []),
        length=12,
    )


def _detector_info(judged: Judged) -> DetectorInfo:
    fitted = judged.fitted
    spec = fitted.detector.spec
    count = getattr(fitted.detector, "n_parameters", 0)
    trained = spec.needs_training
    return DetectorInfo(
        name=fitted.ref.label,
        preset=fitted.ref.preset,
        revision=fitted.revision,
        n_parameters=int(count() if callable(count) else count),
        trained_on=list(fitted.record.trained_on) if trained else [],
        selected_on=list(fitted.record.selected_on) if trained else [],
        reference=spec.reference,
        licence=spec.licence,
        fit_seconds=None if fitted.seconds is None else round(fitted.seconds, 1),
    )


def _dataset_infos(protocol: Protocol) -> list[DatasetInfo]:
    infos: dict[str, DatasetInfo] = {}
    for part in (*protocol.train, *protocol.select, *protocol.report):
        data = part.data
        if data.name in infos:
            continue
        counts: dict[str, dict[str, int]] = {}
        components: dict[str, set[str]] = {}
        for clip in data.clips():
            of_split = counts.setdefault(clip.split, {})
            of_split[clip.kind] = of_split.get(clip.kind, 0) + 1
            components.setdefault(clip.split, set()).add(clip.component)
        infos[data.name] = DatasetInfo(
            name=data.name,
            path=data.folder.name,
            manifest_sha256=data.manifest_sha256,
            counts=counts,
            skipped=dict(data.build.refused),
            components={split: len(names) for split, names in components.items()},
        )
    return list(infos.values())


def _seed_spread(runner: Runner, ref: DetectorRef, protocol: Protocol, first: Judged) -> dict[str, Any] | None:
    """AUC of every report split over training seeds; None where one seed was asked for."""
    from benchmarks.evaluate import plain_auc

    config = runner.config
    if config.fit_seeds < 2 or not spec_of(ref.name).needs_training:
        return None
    values: dict[str, list[float]] = {}
    for offset in range(config.fit_seeds):
        judged = first if offset == 0 else None
        if judged is None:
            fitted = runner.fit(ref, config.seed + offset, protocol)
            judged = runner.judge(fitted, protocol, trim=False, pixels=False)
        for part in protocol.report:
            rows = [
                row
                for row in judged.rows
                if (row["dataset"], row["split"], row["condition"]) == (part.data.name, part.ref.split, "untrimmed")
            ]
            values.setdefault(f"{part.data.name}/{part.ref.split}", []).append(plain_auc(rows))
    return {
        name: {
            "auc": [round(value, 6) for value in aucs],
            "mean": float(np.mean(aucs)),
            "std": float(np.std(aucs, ddof=1)),
            "seeds": [config.seed + offset for offset in range(config.fit_seeds)],
        }
        for name, aucs in values.items()
    }


def write_run(
    result: RunResult,
    rows: Sequence[dict[str, Any]],
    folder: Path,
    config: RunConfig,
    pixels: Sequence[dict[str, Any]] = (),
) -> RunResult:
    """Write `predictions.parquet`, `pixels.parquet` where there are maps, `config.resolved.yaml` and, last, the result.

    Args:
        result: What was found.
        rows: Of the predictions table.
        folder: The run directory.
        config: Of the run.
        pixels: Rows of the table of pixel counts.
    """
    from ruamel.yaml import YAML

    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(folder / "predictions.parquet", rows)
    (folder / PIXELS).unlink(missing_ok=True)
    if pixels:
        write_pixels(folder / PIXELS, pixels)
    with (folder / "config.resolved.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(config.resolved(), stream)
    final = result.model_copy(
        update={
            "predictions_sha256": sha256_file(folder / "predictions.parquet"),
            "pixels_sha256": sha256_file(folder / PIXELS) if pixels else None,
        }
    )
    write_result(final, folder)
    return final


def write_result(result: RunResult, folder: Path) -> None:
    """Write `result.json` whole or not at all."""
    temporary = folder / ".result.json.part"
    temporary.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / "result.json")


def read_result(folder: Path) -> RunResult:
    """Read `result.json` back.

    Raises:
        CmdfdError: With the file and the field that is wrong.
    """
    from pydantic import ValidationError

    path = folder / "result.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data.get("schema_version") if isinstance(data, dict) else None
        if version not in READABLE_RESULTS:
            known = " and ".join(map(str, READABLE_RESULTS))
            raise CmdfdError(f"{path}: schema version {version!r}, this version reads {known}")
        # what version 1 knows, version 2 says in the same words
        return RunResult.model_validate({**data, "schema_version": RESULT_SCHEMA_VERSION})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CmdfdError(f"{path}: there is no result; is {folder} a run directory?") from error
    except (ValueError, ValidationError) as error:
        raise CmdfdError(f"{path}: {error}") from error


def finish(outcome: RunOutcome, reporter: Reporter) -> Path:
    """Draw the HTML report of a run.

    Returns:
        Path of `report.html`.
    """
    from benchmarks.marking import collect_marks
    from benchmarks.report.report import write_report
    from benchmarks.timelines import collect

    first = outcome.result.detectors[0].name
    items, marks = [], []
    if outcome.protocol:
        items = collect(outcome.predictions, outcome.protocol, outcome.result.tasks, first)
        marks = collect_marks(outcome.predictions, outcome.protocol, outcome.folder, first)
    path = outcome.folder / "report.html"
    write_report(outcome.result, outcome.predictions, items, path, marks, outcome.typed)
    reporter.say(f"report: {path}")
    return path
