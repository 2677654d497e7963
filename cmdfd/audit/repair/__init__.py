"""Repair of a set by symmetric steps, and the comparison of two audits.

`plan_repair` derives a recipe from an audit, `apply` writes a new set by it, `compare` tells what was cleared and what
moved, `export_subsets` lists the clips without shortcuts and those that shortcuts do not solve. No step takes a class:
what is done to one clip is done to all.
"""

from cmdfd.audit.repair.applying import Applied, apply
from cmdfd.audit.repair.comparing import Move, Moves, compare
from cmdfd.audit.repair.planning import plan_repair
from cmdfd.audit.repair.recipe import REPAIR_FILE, Repair, RepairError
from cmdfd.audit.repair.subsets import Subsets, export_subsets

__all__ = [
    "REPAIR_FILE",
    "Applied",
    "Move",
    "Moves",
    "Repair",
    "RepairError",
    "Subsets",
    "apply",
    "compare",
    "export_subsets",
    "plan_repair",
]
