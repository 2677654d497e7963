"""Jobs by name, and the lines that a build appends to its journal: times, hosts and memory stand there alone."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cmdfd.work import OK
from generators.jobs import job_id
from generators.registry import make_generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmdfd.work import WorkResult
    from generators.plan import BuildPlan


def job_ids(plan: BuildPlan, versions: Mapping[str, str]) -> dict[str, str]:
    """Job id by clip id; an external generator's own files count (its `state`, where it has one)."""
    states: dict[str, str] = {}
    for take in plan.takes:
        for clip in take.clips:
            name = clip.slot.generator
            if name not in states:
                state = getattr(make_generator(name), "state", None)
                states[name] = str(state()) if callable(state) else ""
    return {
        clip.id: job_id(clip.address, versions, states[clip.slot.generator])
        for take in plan.takes
        for clip in take.clips
    }


def _now() -> dict[str, Any]:
    return {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "host": platform.node()}


def item_entry(step: str, result: WorkResult) -> dict[str, Any]:
    """Line of a work item."""
    return {
        **_now(),
        "step": step,
        "key": result.key,
        "status": result.status,
        "detail": result.detail,
        "seconds": round(result.seconds, 4),
        "cpu_seconds": round(result.cpu_seconds, 4),
        "peak_bytes": result.peak_bytes,
    }


def job_entry(take: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """Line of one job: its state is "ok" or a code of `cmdfd.errors.JOB_CODES`."""
    refused = job["refused"]
    return {
        **_now(),
        "step": "job",
        "key": job["job"],
        "take": take,
        "kind": job["kind"],
        "status": OK if refused is None else refused["code"],
        "detail": "" if refused is None else refused["reason"],
        "seconds": job["seconds"],
    }
