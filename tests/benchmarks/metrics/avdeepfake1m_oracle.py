"""Runs avdeepfake1m's own evaluation in its own environment: python avdeepfake1m_oracle.py CASES.json RESULTS.json.

Only its compiled module is loaded: the package's init imports torch and torchaudio, which evaluation does not use.
Each case is {"truth": [[[start, end], ...], ...], "proposals": [[[confidence, start, end], ...], ...]}, one entry for
each video, or {"truth_file": ..., "proposals_file": ..., "repeat": n} to time the two calls on files.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

AP = [0.5, 0.75, 0.9, 0.95]
NUMBERS = [50, 30, 20, 10, 5]
AR = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


def load():
    [path] = (Path(sysconfig.get_paths()["purelib"]) / "avdeepfake1m").glob("_evaluation*.so")
    loader = importlib.machinery.ExtensionFileLoader("_evaluation", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("_evaluation", loader))
    loader.exec_module(module)
    return module


def judge(module, case, folder):
    truth, proposals = folder / "truth.json", folder / "proposals.json"
    rows = [{"file": f"v{i}.mp4", "fake_segments": part} for i, part in enumerate(case["truth"])]
    truth.write_text(json.dumps(rows), encoding="utf-8")
    given = {f"v{i}.mp4": part for i, part in enumerate(case["proposals"])}
    proposals.write_text(json.dumps(given), encoding="utf-8")
    return values(module.ap_ar_1d(str(proposals), str(truth), "file", "fake_segments", 1.0, AP, NUMBERS, AR))


def values(found):
    # its keys are single-precision thresholds, in the order in which they were asked for or not: round them back
    by_threshold = {round(key, 4): value for key, value in found["ap"].items()}
    return [*(by_threshold[t] for t in AP), *(found["ar"][n] for n in NUMBERS)]


def measure(module, case):
    """Seconds of the whole call and of the call that does little but parse."""
    words = (case["proposals_file"], case["truth_file"], "file", "fake_segments", 1.0)
    seconds = []
    for _ in range(case["repeat"]):
        start = time.perf_counter()
        found = module.ap_ar_1d(*words, AP, NUMBERS, AR)
        middle = time.perf_counter()
        module.ar_1d(*words, [5], [0.5])
        seconds.append([middle - start, time.perf_counter() - middle])
    return {"values": values(found), "seconds": seconds}


def main():
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    module = load()
    with tempfile.TemporaryDirectory() as name:
        results = [measure(module, c) if "repeat" in c else judge(module, c, Path(name)) for c in cases]
    Path(sys.argv[2]).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
