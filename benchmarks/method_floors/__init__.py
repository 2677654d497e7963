"""Does a fake kind give itself away by its container, its lengths or its clock? Every method against the reals."""

from benchmarks.method_floors.judge import MethodRows, judge_methods
from benchmarks.method_floors.records import FloorsReport, MethodFloor

__all__ = ["FloorsReport", "MethodFloor", "MethodRows", "judge_methods"]
