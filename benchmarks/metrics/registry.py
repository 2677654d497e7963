"""Further metrics of a whole clip's score: by name, from a package of one's own, or from one file.

A metric is a pure function of two arrays, `f(labels, scores) -> float`: labels [n], 1 = fake; scores [n], finite, with
higher = more fake. It may raise ValueError or return NaN where it has no value. What it says of itself (direction,
bounds) is put on it by the decorator `metric`; a bare function works as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from benchmarks.metrics.detection import LEVEL
from benchmarks.metrics.detection import METRICS as USUAL
from benchmarks.results import Estimate
from cmdfd.errors import CmdfdError
from cmdfd.registry import Registry
from cmdfd.statistics.arrays import as_labels
from cmdfd.statistics.bootstrap import bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

METRICS = Registry(
    "metric",
    group="cmdfd.metrics",
    entries={
        "eer:deepfakebench": "benchmarks.metrics.eer:deepfakebench",
        "eer:asvspoof": "benchmarks.metrics.eer:asvspoof",
    },
    thing="function",
    beside=USUAL,
)

MetricFunction = Callable[["NDArray[np.int64]", "NDArray[np.float64]"], float]
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """What a metric says of itself.

    Args:
        summary: One line for `--list metrics`.
        higher_is_better: False for error rates.
        low: Smallest possible value, None where there is none.
        high: Largest possible value, None where there is none.
        reference: Citation or definition.
    """

    summary: str = ""
    higher_is_better: bool = True
    low: float | None = None
    high: float | None = None
    reference: str = ""

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"a metric's bounds need low < high, got {self.low} and {self.high}")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that was found.

    Args:
        name: As the user typed it; the key in results.
        function: The function.
        spec: What it says of itself.
    """

    name: str
    function: MetricFunction
    spec: MetricSpec


def metric(
    summary: str = "",
    *,
    higher_is_better: bool = True,
    low: float | None = None,
    high: float | None = None,
    reference: str = "",
) -> Callable[[_F], _F]:
    """Decorator that puts a `MetricSpec` on a function; the arguments are those of `MetricSpec`.

    Without a summary the first line of the function's docstring is taken.
    """

    def put(function: _F) -> _F:
        line = summary or _first_line(function)
        function.spec = MetricSpec(line, higher_is_better, low, high, reference)  # type: ignore[attr-defined]
        return function

    return put


def load_metric(name: str) -> Metric:
    """Find a metric by its name, as "pkg.mod:function" or as "path/to/file.py:function".

    Raises:
        CmdfdError: For an unknown name, with the nearest right one, or for something that cannot take two arrays.
    """
    function = METRICS.load(name)
    if not callable(function) or not _takes_two(function):
        raise CmdfdError(f"metric {name!r} must be a function of two arrays, f(labels, scores) -> float")
    spec = getattr(function, "spec", None)
    return Metric(name, function, spec if isinstance(spec, MetricSpec) else MetricSpec(_first_line(function)))


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # a compiled function without a signature
        return True
    return True


def finite_scores(labels: ArrayLike, scores: Sequence[float | None] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores with every failed clip beyond the worst end of its class, by a full range of the scores and one more.

    Args:
        labels: [n], 1 = fake.
        scores: [n]; None or NaN = failed; others finite.

    Raises:
        ValueError: Where lengths differ or a score is infinite.
    """
    y = as_labels(labels)
    given = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
    if given.shape != y.shape:
        raise ValueError(f"{len(y)} labels need {len(y)} scores, got {len(given)}")
    if np.isinf(given).any():
        raise ValueError(f"score {int(np.argmax(np.isinf(given)))} is infinite; a failed clip has the score None")
    known = given[~np.isnan(given)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    beyond = high - low + 1.0
    return np.where(np.isnan(given), np.where(y, low - beyond, high + beyond), given)


def bootstrap_metric(
    function: MetricFunction,
    labels: ArrayLike,
    scores: Sequence[float | None] | NDArray[np.float64],
    components: ArrayLike,
    n_draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Any metric with its component interval; the draws are those of the built-in metrics for an equal seed.

    The function is called once for each draw, so it should take under a millisecond or two.

    Args:
        function: The metric.
        labels: [n], 1 = fake.
        scores: [n]; None (or NaN) = the clip failed, which counts as the worst of its class (`finite_scores`).
        components: [n] unit of the bootstrap.
        n_draws: Draws.
        seed: Seed.

    Returns:
        `value` None with a reason where a class is missing or the metric has no value.

    Raises:
        ValueError: Where lengths differ, a label is not 0 or 1, or the function gives something that is no number.
    """
    y = as_labels(labels)
    worst = finite_scores(y, scores)
    if y.all() or not y.any():
        lacking = "no clips" if len(y) == 0 else "no reals" if y.all() else "no fakes"
        return _undefined(f"there are {lacking} among the {len(y)} clips")
    try:
        value = function(y.astype(np.int64), worst.copy())
    except ValueError as error:
        return _undefined(str(error))
    if np.ndim(value) != 0 or not isinstance(value, int | float | np.number):
        raise ValueError(f"a metric must return one number, got {type(value).__name__}")
    if not np.isfinite(value):
        return _undefined(f"the metric gives {float(value)}")
    interval = bootstrap(function, y, worst, components, n_draws, LEVEL, seed)
    return Estimate(
        value=float(value), low=interval.low, high=interval.high, level=LEVEL, unreliable=interval.unreliable
    )


def _undefined(reason: str) -> Estimate:
    return Estimate(value=None, level=LEVEL, unreliable=f"undefined: {reason}")
