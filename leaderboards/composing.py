"""A submission out of a run directory: what the run knows is filled in, what only people know is left as a blank."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.predictions import read_predictions
from benchmarks.registry import DETECTORS, resolve, spec_of
from cmdfd.clip import sha256_file
from cmdfd.errors import MEDIA_CODES, CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from benchmarks.results import DetectorInfo, RunResult
    from leaderboards.entries import OpenBoard

_FAILED = "failed: the run's own report says why"
#: Columns of `pixels.parquet` that the board does not know.
_COUNTS = (
    *("id", "pixels", "patches", "tp", "fp", "fn", "frame_pixels"),
    *("unreached", "failed", "twin", "twin_pixels", "no_twin"),
)


class Meta(BaseModel):
    """`--meta meta.yaml`: what only people know of a system. Every field may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    slug: str | None = None
    description: str | None = None
    modalities: list[Literal["audio", "video"]] | None = None
    code: str | None = None
    code_commit: str | None = None
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    paper: str | None = None
    reference: str | None = None
    licence: str | None = None
    trained_on: list[str] | None = None
    selected_on: list[str] | None = None
    submitter: str | None = None
    contact: str | None = None
    notes: str | None = None
    submitted_at: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenRun:
    """One detector of a run.

    Args:
        folder: The run directory.
        result: Its `result.json`.
        info: The detector.
        rows: Its rows of `predictions.parquet`.
    """

    folder: Path
    result: RunResult
    info: DetectorInfo
    rows: pd.DataFrame

    @property
    def harness(self) -> str:
        """What ran it, e.g. "cmdfd 0.1.0"."""
        return f"cmdfd {self.result.environment.get('cmdfd', 'unknown')}"

    @property
    def registered(self) -> bool:
        """Whether the detector comes with this package, so that its facts are known."""
        name = self.info.name
        return name in DETECTORS.names() or name.rpartition(":")[0] in DETECTORS.names()


def open_run(folder: Path, detector: str | None = None) -> OpenRun:
    """Open a run directory.

    Args:
        folder: As `benchmarks.run` writes it.
        detector: Name of a detector of the run; None = its first.

    Raises:
        CmdfdError: If it is no finished run, its predictions were changed, or it has no such detector.
    """
    from benchmarks.assemble import read_result

    result = read_result(folder)
    table = folder / "predictions.parquet"
    if result.status != "success":
        raise CmdfdError(f"{folder}: the run ended with an error: {result.error}")
    for path, known in ((table, result.predictions_sha256), (folder / "pixels.parquet", result.pixels_sha256)):
        if known is not None and (not path.is_file() or sha256_file(path) != known):
            raise CmdfdError(f"{path}: not the file that result.json names; run it again, predictions are never edited")
    names = [one.name for one in result.detectors]
    wanted = detector or names[0]
    info = next((one for one in result.detectors if wanted in (one.name, public_name(one.name))), None)
    if info is None:
        raise CmdfdError(f"the run has no detector {wanted!r}: {nearest(wanted, names)}")
    frame = read_predictions(table)
    return OpenRun(folder, result, info, frame[frame["detector"] == info.name])


def public_name(detector: str) -> str:
    """Name of a detector without the place of its file.

    >>> public_name("/home/a/my_model.py:Net")
    'my_model:Net'
    """
    head, colon, tail = detector.rpartition(".py:")
    bare = head.replace("\\", "/").rpartition("/")[2]
    return f"{bare}:{tail}" if colon else detector


def slug_of(name: str) -> str:
    """A name as lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].strip("-") or "system"


def scores_of(run: OpenRun, board: OpenBoard) -> dict[str, dict[str, float]]:
    """Untrimmed scores of a run by set and clip, NaN where a clip failed; only of the board's sets."""
    rows = run.rows[run.rows["condition"] == "untrimmed"]
    found: dict[str, dict[str, float]] = {}
    for dataset, split, one, score in rows[["dataset", "split", "id", "score"]].itertuples(index=False, name=None):
        if f"{dataset}/{split}" in board.truths:
            found.setdefault(f"{dataset}/{split}", {})[str(one)] = float(score)
    return found


def submitted_rows(run: OpenRun, board: OpenBoard) -> list[dict[str, Any]]:
    """Rows of the predictions file of a submission.

    Raises:
        CmdfdError: If the run lacks a set of the board.
    """
    rows: list[Any] = run.rows.to_dict("records")
    found = [_row(row, name) for row in rows if (name := f"{row['dataset']}/{row['split']}") in board.truths]
    lacking = [name for name in board.truths if name not in {row["set"] for row in found}]
    if lacking:
        sets = " ".join(board.truths)
        raise CmdfdError(f"the run has no predictions for {', '.join(lacking)}: run it with --report-on {sets}")
    return found


def _row(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    failed = math.isnan(row["score"])
    over_time = not failed and row["condition"] == "untrimmed"
    own = row["segments"] if over_time and not row["proposal_rule"] else []
    units = _units(row) if over_time else (None, None)
    return {
        "set": name,
        "condition": row["condition"],
        "id": row["id"],
        "sha256": row["sha256"],
        "score": None if failed else float(row["score"]),
        "error": _error(str(row["error"])) if failed else None,
        "times": units[0],
        "frame_scores": units[1],
        "proposals": [dict(one) for one in own],
        "proposal_rule": row["proposal_rule"],
    }


def _units(row: Mapping[str, Any]) -> tuple[list[float] | None, list[float] | None]:
    """Times and scores, by time."""
    if row["times"] is None or not len(row["times"]):
        return None, None
    pairs = sorted(zip(map(float, row["times"]), map(float, row["frame_scores"]), strict=True))
    return [time for time, _ in pairs], [score for _, score in pairs]


def _error(text: str) -> str:
    """The reason by its code only: the rest may name files and folders of this machine."""
    code = text.partition(":")[0].strip()
    return f"{code}: {MEDIA_CODES[code]}" if code in MEDIA_CODES else _FAILED


def submitted_pixels(run: OpenRun, board: OpenBoard) -> list[dict[str, Any]]:
    """Rows of the pixel counts of a submission; empty where there are no maps, or the board keeps its labels."""
    from benchmarks.pixels import read_pixels

    path = run.folder / "pixels.parquet"
    if run.result.pixels_sha256 is None or board.private:
        return []
    known = {
        (name, str(one))
        for name, truth in board.truths.items()
        for one in truth.table.loc[truth.table["pixels"] >= 0, "id"]
    }
    return [
        {"set": name, **{column: row[column] for column in _COUNTS}}
        for row in read_pixels(path)
        if row["detector"] == run.info.name and row["condition"] == "untrimmed"
        if (name := f"{row['dataset']}/{row['split']}") in board.truths and (name, row["id"]) in known
    ]


def submission_text(
    run: OpenRun, board: OpenBoard, meta: Meta, slug: str, files: Mapping[str, Mapping[str, Any]]
) -> tuple[str, tuple[str, ...]]:
    """The YAML of a submission.

    Args:
        run: The run.
        board: The board.
        meta: What people said.
        slug: Of the system.
        files: "predictions" and, where there are any, "pixels" -> file, sha256 and size.

    Returns:
        Its text, with comments at the blanks, and the blanks.
    """
    system, blanks = _system(run, meta, slug)
    trained, selected = _trained(run, meta)
    if trained is None:
        blanks["trained_on"] = "all data that weights were learnt from, e.g. [mini-a/train, FaceForensics++]; [] = none"
    submitter = {"name": meta.submitter or "", "contact": meta.contact or ""}
    if not submitter["name"]:
        blanks["submitter"] = "name: who answers for this submission; contact: how to reach them"
    data = {
        "schema_version": 1,
        "board": board.board.name,
        "submitted_at": meta.submitted_at or _today(),
        "system": system,
        "trained_on": trained,
        "selected_on": selected,
        "score_direction": "higher_is_fake",
        **{name: dict(one) for name, one in files.items()},
        "harness": run.harness,
        "submitter": submitter,
        "notes": meta.notes or "",
    }
    return _yaml(data, blanks), tuple(blanks)


def _yaml(data: Mapping[str, Any], blanks: Mapping[str, str]) -> str:
    """YAML with a comment above each blank, wherever it stands: in the block `system` or outside it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.representer import RoundTripRepresenter

    tree = CommentedMap({**data, "system": CommentedMap(data["system"])})
    for key, said in blanks.items():
        place, indent = (tree["system"], 2) if key in tree["system"] else (tree, 0)
        place.yaml_set_comment_before_after_key(key, before=f"FILL IN: {said}", indent=indent)

    class Plain(RoundTripRepresenter):  # of its own, since a representer is added to the class, for everybody
        """Writes null where ruamel writes nothing."""

    null = "tag:yaml.org,2002:null"
    Plain.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(null, "null"))
    yaml = YAML(typ="rt")
    yaml.Representer = Plain
    yaml.width = 1000
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def _system(run: OpenRun, meta: Meta, slug: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Block `system`, and the blanks in it with what belongs there."""
    info = run.info
    spec = spec_of(resolve(info.name).name) if run.registered else None
    git = run.result.environment.get("git") or {}
    own_commit = git.get("commit") if run.registered and meta.code is None else None
    system: dict[str, Any] = {
        "name": meta.name or public_name(info.name),
        "slug": slug,
        "description": meta.description or (spec.summary if spec else ""),
        "modalities": list(meta.modalities or (spec.modalities if spec else ())),
        "code": meta.code,
        "code_commit": meta.code_commit or own_commit,
        "checkpoint": meta.checkpoint,
        "checkpoint_sha256": meta.checkpoint_sha256,
        "paper": meta.paper,
        "reference": meta.reference if meta.reference is not None else info.reference,
        "licence": meta.licence or info.licence,
        "n_parameters": info.n_parameters or (0 if spec else None),
    }
    blanks = {}
    if not system["description"]:
        blanks["description"] = "two sentences: what it looks at, and how"
    if not system["modalities"]:
        blanks["modalities"] = "what it looks at: [audio], [video] or [audio, video]"
    if system["code"] is None and system["checkpoint"] is None and not run.registered:
        blanks["code"] = "https address and code_commit, or checkpoint and checkpoint_sha256"
    if own_commit is not None and meta.code_commit is None and git.get("dirty"):
        blanks["code_commit"] = "the checkout had changes that this commit does not hold: commit them and run again"
    return system, blanks


def _trained(run: OpenRun, meta: Meta) -> tuple[list[str] | None, list[str]]:
    """What it was trained and selected on; None where nobody knows.

    A run records what it fitted itself. A detector that came with weights was trained somewhere else, of which the run
    knows nothing, so its empty list is believed only of detectors of this package and of those without parameters.
    """
    info = run.info
    selected = meta.selected_on if meta.selected_on is not None else list(info.selected_on)
    if meta.trained_on is not None:
        return sorted({*meta.trained_on, *info.trained_on}), sorted({*selected, *info.selected_on})
    if info.trained_on or (run.registered and info.n_parameters == 0):
        return list(info.trained_on), list(selected)
    return None, list(selected)


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()


def other_detectors(result: RunResult, floors: Sequence[str]) -> list[str]:
    """Names of the floors of a run."""
    return [one.name for one in result.detectors[1:] if one.name in floors]
