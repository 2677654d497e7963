"""Scoring clips, clip by clip, with an append-only store so that a killed run loses at most the clip in flight."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from benchmarks.predictions import answer
from cmdfd.clip import content_id
from cmdfd.errors import CmdfdError
from cmdfd.work import TRANSIENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.detector import ClipView, Detector, Prediction
    from benchmarks.features import PreparedClip
    from benchmarks.pixels import MapStore
    from benchmarks.progress import Bar

#: Says in a stored answer that maps belong to it; they lie in the `MapStore` under the same key.
HAS_MAPS = "has_maps"


class Overwrite(StrEnum):
    """What to do with predictions that exist already (mteb's four words)."""

    ALWAYS = "always"
    NEVER = "never"
    ONLY_MISSING = "only-missing"
    ONLY_CACHE = "only-cache"


@dataclass(frozen=True, slots=True)
class PredictionStore:
    """Predictions of one fitted detector, one JSON line each, by the address of the clip's content.

    Args:
        folder: Where the files lie.
        revision: Hash of the fitted detector; another revision never meets these lines.
    """

    folder: Path
    revision: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.revision}.jsonl"

    def read(self) -> dict[str, dict[str, Any]]:
        """All whole lines; a line that a kill tore apart is passed over."""
        if not self.path.is_file():
            return {}
        found = {}
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
                found[row["key"]] = row["answer"]
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def append(self, key: str, row: Mapping[str, Any]) -> None:
        """Add one line; each starts on a line of its own even after a torn one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write("\n" + json.dumps({"key": key, "answer": row}, allow_nan=False))

    def clear(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One clip to score.

    Args:
        prepared: The clip.
        skip: Frames trimmed off its start.
    """

    prepared: PreparedClip
    skip: int

    @property
    def key(self) -> str:
        """Address of the answer: content and trim (the revision stands in the store's name)."""
        return content_id(self.prepared.content, self.skip, self.prepared.clip.id, length=40)


def unanswered(wanted: Sequence[Wanted], known: Mapping[str, Mapping[str, Any]], maps: MapStore | None) -> list[Wanted]:
    """Clips without an answer, and those whose answer had maps that are gone."""
    return [
        item
        for item in wanted
        if item.key not in known or (known[item.key].get(HAS_MAPS) and (maps is None or item.key not in maps))
    ]


def predict_all(
    detector: Detector,
    wanted: Sequence[Wanted],
    store: PredictionStore,
    view: Callable[[Wanted], ClipView],
    overwrite: Overwrite,
    bar: Bar,
    maps: MapStore | None = None,
) -> list[dict[str, Any]]:
    """Answers for clips in order, from the store where they are and from the detector where not.

    Args:
        detector: Who is asked.
        wanted: About which clips.
        store: Answers so far.
        view: Makes what the detector sees.
        overwrite: Whether anything may be computed.
        bar: Told how far it is.
        maps: Where predicted maps are kept; those of trimmed clips are not, since nothing is judged by them.

    Raises:
        CmdfdError: With `only-cache` where an answer is missing, or where the detector answers out of order.
    """
    known = store.read()
    missing = unanswered(wanted, known, maps)
    if missing and overwrite is Overwrite.ONLY_CACHE:
        raise CmdfdError(
            f"{len(missing)} of {len(wanted)} predictions are not cached; "
            "run with --overwrite-strategy only-missing to compute them"
        )
    bar(len(wanted) - len(missing), len(wanted))
    for done, (item, prediction) in enumerate(_paired(detector, missing, view), start=1):
        row = answer(prediction)
        if prediction.masks is not None and maps is not None and not item.skip:
            maps.put(item.key, prediction.masks)  # before the answer, which says that they are there
            row[HAS_MAPS] = True
        known[item.key] = row
        if not _may_pass(prediction):
            store.append(item.key, row)
        bar(len(wanted) - len(missing) + done, len(wanted))
    return [{name: value for name, value in known[item.key].items() if name != HAS_MAPS} for item in wanted]


def _may_pass(prediction: Prediction) -> bool:
    """Whether an error may go away by itself (a timeout, a killed worker): such answers are not kept."""
    return prediction.error is not None and prediction.error.partition(":")[0] in TRANSIENT


def _paired(
    detector: Detector, missing: Sequence[Wanted], view: Callable[[Wanted], ClipView]
) -> Iterator[tuple[Wanted, Prediction]]:
    answers = detector.predict(view(item) for item in missing)
    for item in missing:
        prediction = next(answers, None)
        if prediction is None or prediction.id != item.prepared.clip.id:
            got = "nothing" if prediction is None else repr(prediction.id)
            raise CmdfdError(
                f"detector {detector.spec.name!r} answered {got} where clip {item.prepared.clip.id!r} was due: "
                "predict() must yield one prediction for each view, in order"
            )
        yield item, prediction
