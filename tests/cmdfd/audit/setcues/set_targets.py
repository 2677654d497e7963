"""Targets made of a few columns, for the tests of set-level cues and checks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cmdfd.audit.check import Check
from cmdfd.audit.setcues import set_checks
from cmdfd.audit.targets.target import Target, TargetKind


def target(kind: TargetKind = "list", root: Any = None, **columns: Any) -> Target:
    """A target whose clips have these columns; "__" in a name stands for a dot."""
    made = {k.replace("__", "."): pd.Series(v, dtype=object) if isinstance(v, list) else v for k, v in columns.items()}
    return Target("trial", kind, pd.DataFrame(made), root)


def checks(kind: TargetKind = "list", root: Any = None, **columns: Any) -> dict[str, Check]:
    """Checks of such a target by name; columns with a dot are in the measured table only."""
    whole = target(kind, root, **columns)
    names = [name for name in whole.clips.columns if "." not in name or name.startswith("demog.")]
    known = Target(whole.name, kind, whole.clips[names], root)
    found = set_checks(
        known, whole.clips[[n for n in whole.clips.columns if "." in n or n.startswith(("print", "hash"))]]
    )
    return {one.name: one for one in found}
