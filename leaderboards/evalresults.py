"""A board's numbers in the two forms that the Hub reads from a model's repository.

`.eval_results/<board>.yaml` (Hub documentation, "eval results", 2026) and the older `model-index` of the model card.
Both are a view of `Standing`: nothing is rounded or typed by hand, and each entry points to the page with its proof.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from huggingface_hub import EvalResult, EvalResultEntry

    from leaderboards.standings import SetScore, Standing, Standings

#: Task that the Hub files detection of forged clips under; it has no category of its own.
TASK = "video-classification"


@dataclass(frozen=True, slots=True)
class HubResults:
    """What one system may put into its repository.

    Args:
        eval_results: Entries of `.eval_results/<board>.yaml`; only for sets that have a place on the Hub.
        model_index: Value of the card's `model-index`.
        left_out: Set -> why it has no entry in `eval_results`.
    """

    eval_results: list[dict[str, Any]]
    model_index: list[dict[str, Any]]
    left_out: dict[str, str]


def hub_results(standings: Standings, standing: Standing, page: str | None = None) -> HubResults:
    """Describe one system's AUCs.

    Args:
        standings: The board.
        standing: A row of it.
        page: Public address of the system's page on the board, or None.

    Raises:
        MissingExtraError: Without the extra `hub`.
    """
    try:
        from huggingface_hub import eval_result_entries_to_yaml
        from huggingface_hub.repocard_data import eval_results_to_model_index
    except ImportError as error:
        raise MissingExtraError("hub", "results for the Hub") from error
    places = {str(one["name"]): _Place.of(one.get("hub")) for one in standings.board["sets"]}
    title, date = str(standings.board["title"]), str(standing.submission["submitted_at"])
    source = {"source_name": title, "source_url": page} if page else {}
    scores = [one for one in standing.sets if one.auc.value is not None]
    told = f"{100 * standings.rules['level']:g} %", "; withdrawn" if standing.state == "withdrawn" else ""
    entries = [_entry(one, places[one.set], date, source, *told) for one in scores if places[one.set].name]
    left_out = {one.set: "the board names no place on the Hub for it" for one in scores if not places[one.set].name}
    index = [_indexed(one, places[one.set], source) for one in scores]
    named = eval_results_to_model_index(standing.name, index) if index else []
    return HubResults(eval_result_entries_to_yaml(entries), named, left_out)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a set lies on the Hub; both parts are "" where it is not there."""

    name: str
    revision: str

    @classmethod
    def of(cls, hub: str | None) -> _Place:
        name, _, revision = (hub or "").partition("@")
        return cls(name, revision)


def _entry(
    score: SetScore, place: _Place, date: str, source: dict[str, str], level: str, state: str
) -> EvalResultEntry:
    from huggingface_hub import EvalResultEntry

    return EvalResultEntry(
        dataset_id=place.name,
        task_id=score.set.rpartition("/")[2],
        value=score.auc.value,
        dataset_revision=place.revision or None,
        date=date,
        notes=_note(score, level) + state,
        **source,
    )


def _indexed(score: SetScore, place: _Place, source: dict[str, str]) -> EvalResult:
    from huggingface_hub import EvalResult

    name, _, split = score.set.rpartition("/")
    return EvalResult(
        task_type=TASK,
        dataset_type=place.name or name,
        dataset_name=score.set,
        dataset_split=split,
        dataset_revision=place.revision or None,
        metric_type="roc_auc",
        metric_name="AUC (fake = 1)",
        metric_value=score.auc.value,
        **source,  # type: ignore[arg-type]
    )


def _note(score: SetScore, level: str) -> str:
    interval = ""
    if score.auc.low is not None and score.auc.high is not None:
        interval = f", {level} interval [{score.auc.low:.3f}, {score.auc.high:.3f}]"
    domain = {"cross": "cross-set", "in": "in-set: trained on this set", "unknown": "training data not declared"}
    failed = f"; {score.n_failed} clips failed and count as worst" if score.n_failed else ""
    return f"AUC, fake = 1{interval} over {score.n_components} components; {domain[score.domain]}{failed}"


def write_results(results: HubResults, board: str, folder: Path) -> tuple[Path, ...]:
    """Write `.eval_results/<board>.yaml` and `model-index.yaml`.

    Args:
        results: What `hub_results` gave.
        board: Name of the board.
        folder: Stands for the root of the model's repository.

    Returns:
        The files, in that order; a file without entries is not written.
    """
    from cmdfd.cache import write_atomic

    wanted: dict[Path, Any] = {}
    if results.eval_results:
        wanted[folder / ".eval_results" / f"{board}.yaml"] = results.eval_results
    if results.model_index:
        wanted[folder / "model-index.yaml"] = {"model-index": results.model_index}
    for path, data in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, _yaml(data).encode())
    return tuple(wanted)


def _yaml(data: Any) -> str:
    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    stream = io.StringIO()
    writer.dump(data, stream)
    return stream.getvalue()
