"""`python -m benchmarks.score RUN_DIR`: recompute every number of a run from its predictions, without any media."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.assemble import PIXELS, read_result, write_result
from benchmarks.evaluate import compare_sets, evaluate_tasks
from benchmarks.localize import pixel_table
from benchmarks.pixels import check_against, read_pixels
from benchmarks.predictions import read_predictions
from cmdfd.clip import sha256_file
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.results import RunResult


#: Why a report that is written without media has none, and how to get them.
PICTURES = "they need the media; the command under `How to get this again` draws them"


def rescore(folder: Path, *, accept_changed: bool = False) -> RunResult:
    """Recompute the metrics of a run directory.

    Args:
        folder: Holds `result.json` and `predictions.parquet`.
        accept_changed: Take predictions whose hash differs from the recorded one.

    Returns:
        The old result with new tasks and comparisons; thresholds stay those that were chosen on validation.

    Raises:
        CmdfdError: If a file is missing, malformed, or the predictions are not those of the result.
    """
    old = read_result(folder)
    path = folder / "predictions.parquet"
    if not path.is_file():
        raise CmdfdError(f"{path}: the predictions are missing")
    digest = sha256_file(path)
    if digest != old.predictions_sha256 and not accept_changed:
        raise CmdfdError(
            f"{path}: sha256 {digest[:12]} is not the recorded {str(old.predictions_sha256)[:12]}; "
            "--accept-changed scores them nevertheless"
        )
    pixels = _pixels(old, folder / PIXELS, accept_changed=accept_changed)
    table = read_predictions(path)
    check_against(pixels, table, str(folder / PIXELS))
    thresholds = {task.detector: task.threshold for task in old.tasks if task.threshold is not None}
    domains: dict[tuple[str, str], str] = {(task.detector, task.dataset): task.domain for task in old.tasks}
    seed = int(old.config.get("seed", 0))
    extra = [str(name) for name in old.config.get("metrics") or ()]
    tasks = evaluate_tasks(table, thresholds, domains, seed, pixels=pixel_table(pixels), extra=extra)
    return old.model_copy(
        update={
            "tasks": tasks,
            "comparisons": compare_sets(table, tasks, seed),
            "predictions_sha256": digest,
            "pixels_sha256": sha256_file(folder / PIXELS) if pixels else None,
        }
    )


def _pixels(old: RunResult, path: Path, *, accept_changed: bool) -> list[dict[str, Any]]:
    """Rows of `pixels.parquet`; none where the run had no maps."""
    digest = sha256_file(path) if path.is_file() else None
    if digest != old.pixels_sha256 and not accept_changed:
        raise CmdfdError(
            f"{path}: sha256 {str(digest)[:12]} is not the recorded {str(old.pixels_sha256)[:12]}; "
            "--accept-changed scores what is there nevertheless"
        )
    return read_pixels(path) if digest is not None else []


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.score", description=__doc__)
    parser.add_argument("run_dir", type=Path, help="a folder with result.json and predictions.parquet")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write result.json and report.html anew, the page without pictures of clips",
    )
    parser.add_argument("--accept-changed", action="store_true", help="score predictions of another hash")
    args = parser.parse_args(argv)
    try:
        result = rescore(args.run_dir, accept_changed=args.accept_changed)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    from benchmarks.progress import console
    from benchmarks.report.terminal import print_closing

    report = None
    if args.write:
        from benchmarks.report.report import write_report

        write_result(result, args.run_dir)
        report = args.run_dir / "report.html"
        write_report(result, read_predictions(args.run_dir / "predictions.parquet"), [], report)
        sys.stderr.write(f"note: {report} has no pictures of clips (timelines, maps): {PICTURES}\n")
    print_closing(result, console(), report=report, folder=args.run_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
