"""The three floors. See `benchmarks.detector` for the contract.

`floor:container` learns from timing, container, geometry, level and silence: a set built by this project must hold it
at chance. `floor:rate` learns from file size and bit rates, which follow the content, so it is reported as debatable.
`random` shows what chance looks like on the same clips.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.detector import DetectorSpec, Prediction, silent
from benchmarks.detectors.floors.encoding import EncodedCue, encode, learn_encoding
from benchmarks.detectors.floors.trees import Trees, grow
from cmdfd.errors import CmdfdError, MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from benchmarks.detector import ClipView, LabelledView, Progress

FACTS_FILE, WEIGHTS_FILE = "detector.json", "model.safetensors"
_REFERENCE = "Güera et al., 'We need no pixels', ICML workshop 2019, arXiv 1906.08743"


class _FloorFacts(BaseModel):
    """`detector.json` of a fitted floor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    detector: str
    preset: str
    seed: int
    n_train: int
    n_unreadable: int
    cues: tuple[EncodedCue, ...]


class _RandomFacts(BaseModel):
    """`detector.json` of the random floor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    detector: Literal["random"] = "random"
    preset: str
    seed: int


_Facts = TypeVar("_Facts", bound=BaseModel)


def _read_facts(kind: type[_Facts], folder: Path) -> _Facts:
    path = folder / FACTS_FILE
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise CmdfdError(f"{path}: not the facts of a fitted floor: {error}") from error


class _HeaderFloor(ABC):
    """Boosted trees over container facts; subclasses say which cues."""

    spec: DetectorSpec

    def __init__(self, preset: str = "default", seed: int = 0) -> None:
        self.preset = preset
        self.seed = seed
        self._cues: tuple[EncodedCue, ...] = ()
        self._trees: Trees | None = None
        self._counts = (0, 0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(preset={self.preset!r}, seed={self.seed})"

    @staticmethod
    @abstractmethod
    def cue_names() -> tuple[str, ...]:
        """Cues that the floor may use."""

    @property
    def n_parameters(self) -> int:
        """Numbers that were learnt."""
        return 0 if self._trees is None else self._trees.n_parameters

    def fit(self, train: Sequence[LabelledView], select: Sequence[LabelledView], progress: Progress = silent) -> Self:
        """Learn from the headers of `train`; there is nothing to choose, so `select` is not used.

        Clips whose headers cannot be read are left out; `detector.json` tells how many.

        Raises:
            CmdfdError: Where a class is missing.
        """
        rows: list[Mapping[str, float | str | None]] = []
        labels: list[bool] = []
        unreadable = 0
        for done, example in enumerate(train, start=1):
            progress(done, len(train), "headers")
            if example.labels.label is None:
                continue
            try:
                rows.append(example.view.headers())
            except MediaError:
                unreadable += 1
                continue
            labels.append(example.labels.label == 1)
        y = np.array(labels, dtype=bool)
        if y.all() or not y.any():
            raise CmdfdError(
                f"{self.spec.name} needs real and fake clips to learn from, got {int((~y).sum())} and {int(y.sum())}"
            )
        self._cues = tuple(learn_encoding(rows, self.cue_names()))
        self._trees = grow(_with_width(encode(self._cues, rows)), y, self.seed)
        self._counts = (len(rows), unreadable)
        return self

    def predict(self, views: Iterable[ClipView]) -> Iterator[Prediction]:
        """Score clips in order: the chance of being fake where both classes were equally common, 0 to 1.

        Raises:
            CmdfdError: Where nothing was fitted.
        """
        trees = self._ready()
        for view in views:
            try:
                headers = view.headers()
            except MediaError as error:
                yield Prediction(view.id, None, error=f"{error.code}: {error.detail}")
                continue
            odds = float(trees.log_odds(_with_width(encode(self._cues, [headers])))[0])
            yield Prediction(view.id, 1 / (1 + float(np.exp(-odds))))

    def _ready(self) -> Trees:
        if self._trees is None:
            raise CmdfdError(f"{self.spec.name} has not been fitted; call fit() or load()")
        return self._trees

    def save(self, folder: Path) -> None:
        """Write `detector.json` and `model.safetensors`.

        Raises:
            CmdfdError: Where nothing was fitted.
        """
        trees = self._ready()
        facts = _FloorFacts(
            detector=self.spec.name,
            preset=self.preset,
            seed=self.seed,
            n_train=self._counts[0],
            n_unreadable=self._counts[1],
            cues=self._cues,
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS_FILE).write_text(facts.model_dump_json(indent=1), encoding="utf-8")
        trees.write(folder / WEIGHTS_FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            CmdfdError: With the file and what is wrong in it.
        """
        facts = _read_facts(_FloorFacts, folder)
        if facts.detector != cls.spec.name:
            raise CmdfdError(f"{folder / FACTS_FILE}: holds {facts.detector!r}, not {cls.spec.name!r}")
        floor = cls(facts.preset, facts.seed)
        floor._cues = facts.cues
        floor._counts = (facts.n_train, facts.n_unreadable)
        floor._trees = Trees.read(folder / WEIGHTS_FILE, max(sum(cue.width for cue in facts.cues), 1))
        return floor


def _with_width(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give a table without columns (no cue was measurable) a constant one, for trees need a table."""
    return table if table.shape[1] else np.zeros((len(table), 1), np.float32)


class ContainerFloor(_HeaderFloor):
    """`floor:container`: timing, container, geometry, level and silence."""

    spec = DetectorSpec(
        name="floor:container",
        summary="boosted trees on container, timing, geometry, level and silence; no picture, no speech",
        modalities=("audio", "video"),
        reference=_REFERENCE,
        needs_headers=True,
    )

    @staticmethod
    def cue_names() -> tuple[str, ...]:
        """All cues of the auditor but sizes and bit rates."""
        from cmdfd.audit.measure import CONTAINER_CUES

        return CONTAINER_CUES


class RateFloor(_HeaderFloor):
    """`floor:rate`: file size and bit rates."""

    spec = DetectorSpec(
        name="floor:rate",
        summary="boosted trees on file size and bit rates; debatable, since they follow the content",
        modalities=("audio", "video"),
        reference=_REFERENCE,
        needs_headers=True,
    )

    @staticmethod
    def cue_names() -> tuple[str, ...]:
        """Sizes and bit rates."""
        from cmdfd.audit.measure import RATE_CUES

        return RATE_CUES


class RandomFloor:
    """`random`: a score from a hash of the seed and the clip's id."""

    spec = DetectorSpec(
        name="random",
        summary="a hash of the clip's id; what chance looks like on the same clips",
        modalities=("audio", "video"),
        needs_training=False,
    )

    def __init__(self, preset: str = "default", seed: int = 0) -> None:
        self.preset = preset
        self.seed = seed

    def __repr__(self) -> str:
        return f"RandomFloor(preset={self.preset!r}, seed={self.seed})"

    def fit(self, train: Sequence[LabelledView], select: Sequence[LabelledView], progress: Progress = silent) -> Self:
        """Nothing to learn."""
        return self

    def predict(self, views: Iterable[ClipView]) -> Iterator[Prediction]:
        """Scores in [0, 1), uniform over ids."""
        for view in views:
            digest = hashlib.sha256(f"{self.seed}/{view.id}".encode()).digest()
            yield Prediction(view.id, (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53))

    def save(self, folder: Path) -> None:
        """Write `detector.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = _RandomFacts(preset=self.preset, seed=self.seed)
        (folder / FACTS_FILE).write_text(facts.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `CmdfdError` for anything else."""
        facts = _read_facts(_RandomFacts, folder)
        return cls(facts.preset, facts.seed)
