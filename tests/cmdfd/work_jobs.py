"""Jobs for the tests of `cmdfd.work`; a module of its own, since workers import it by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cmdfd.errors import MediaError


def double(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    if "log" in context:
        with Path(context["log"]).open("a") as stream:
            stream.write(f"{payload['n']}\n")
    return {"n": 2 * payload["n"], "pid": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS")}


def troubled(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    trouble = payload.get("trouble")
    if trouble == "hang":
        time.sleep(600)
    elif trouble == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif trouble == "eat":
        return {"n": len(bytearray(64 << 30))}
    elif trouble == "refuse":
        raise MediaError("no_face", payload["file"], "nobody is there")
    elif trouble == "boom":
        raise ZeroDivisionError("by design")
    elif trouble == "not json":
        return {"n": float("nan")}
    return {"n": payload["n"]}


def sleep_and_tell(payload: Mapping[str, Any], context: Mapping[str, Any]) -> int:
    Path(context["folder"], f"pid-{os.getpid()}").touch()
    time.sleep(payload["seconds"])
    return 1
