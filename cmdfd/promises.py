"""Contracts that are tried promise by promise, in the spirit of scikit-learn's `check_estimator`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One promise: "ok", "failed" or "skipped", and what was seen."""

    name: str
    status: str
    detail: str


def try_promises(checker: object, promises: Iterable[str]) -> list[CheckResult]:
    """Call methods that return what they saw, begin it with "skipped", or raise AssertionError with the reason.

    Args:
        checker: Has a method for each promise.
        promises: Names of methods; in results their underscores are spaces.
    """
    results = []
    for promise in promises:
        try:
            detail = str(getattr(checker, promise)())
            status = "skipped" if detail.startswith("skipped") else "ok"
        except AssertionError as error:
            status, detail = "failed", str(error)
        except Exception as error:
            status, detail = "failed", f"raised {type(error).__name__}: {error}"
        results.append(CheckResult(promise.replace("_", " "), status, detail))
    return results
