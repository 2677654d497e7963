"""Tables for `--list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.registry import DETECTORS, spec_of
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from rich.table import Table


def detectors_table() -> Table:
    """All detectors, built in and from plug-ins; a broken plug-in is listed with its error."""
    from rich.table import Table

    table = Table(title="detectors")
    for column in ("name", "presets", "modalities", "what", "from"):
        table.add_column(column, overflow="fold")
    for name in DETECTORS.names():
        try:
            spec = spec_of(name)
        except (CmdfdError, ImportError) as error:
            table.add_row(name, "", "", f"cannot be loaded: {error}", DETECTORS.reference(name))
            continue
        table.add_row(name, ", ".join(spec.presets), "+".join(spec.modalities), spec.summary, DETECTORS.reference(name))
    return table


def sets_table() -> Table:
    """Embedded recipes."""
    from rich.table import Table

    from generators.recipe import builtin_recipes, load_recipe

    table = Table(title="embedded sets (built on first use)")
    for column in ("name", "splits", "kinds", "what"):
        table.add_column(column, overflow="fold")
    for name, summary in builtin_recipes().items():
        recipe = load_recipe(name)
        table.add_row(name, ", ".join(recipe.splits), ", ".join(kind.kind for kind in recipe.kinds), summary)
    return table


def metrics_table() -> Table:
    """Metrics of a clip's score: the usual ones, then those for `--metric`, built in and from plug-ins."""
    from rich.table import Table

    from benchmarks.metrics.detection import METRICS as USUAL
    from benchmarks.metrics.registry import METRICS, load_metric

    table = Table(title="metrics (also pkg.mod:function or file.py:function)")
    for column in ("name", "better", "what", "from"):
        table.add_column(column, overflow="fold")
    for name in USUAL:
        table.add_row(name, "lower" if name == "eer" else "higher", "always computed", "benchmarks.metrics.detection")
    for name in METRICS.names():
        try:
            spec = load_metric(name).spec
        except (CmdfdError, ImportError) as error:
            table.add_row(name, "", f"cannot be loaded: {error}", METRICS.reference(name))
            continue
        better = "higher" if spec.higher_is_better else "lower"
        table.add_row(name, better, spec.summary, METRICS.reference(name))
    return table
