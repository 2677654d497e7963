"""Audits targets in a process with the real clients; prints their reports as JSON.

Arguments: targets, each audited alone; `--split=NAME` goes before those that it is for.
"""

from __future__ import annotations

import json
import sys

from cmdfd.audit.analysis import Settings
from cmdfd.audit.report import to_json
from cmdfd.audit.run import AuditOptions, audit
from cmdfd.audit.targets.opening import open_target
from cmdfd.audit.targets.options import TargetOptions
from cmdfd.errors import CmdfdError


def main() -> int:
    options = AuditOptions(quick=True, settings=Settings(n_draws=99, trees="none"), deeper=False, workers=1)
    split = None
    found: list[object] = []
    for word in sys.argv[1:]:
        if word.startswith("--split="):
            split = word.removeprefix("--split=") or None
            continue
        try:
            target = open_target([word], TargetOptions(split=split))
            report = json.loads(to_json(audit(target, options, lambda _: None).report))
            found.append({"report": report, "root": str(target.root)})
        except CmdfdError as error:
            found.append(str(error))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
