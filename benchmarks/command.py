"""The command that repeats a run: as it was typed, for the one who typed it, and without folders of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.protocol import parse_split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.runner import RunConfig

#: Stands for a folder whose place is nobody's business, before its own name.
SOMEWHERE = "path/to"


def command(config: RunConfig, *, typed: bool = False) -> list[str]:
    """Words of the command that repeats a run.

    Args:
        config: Of the run.
        typed: Name folders of sets as they were typed. Only for what is printed to the one who typed them, and for the
            report of the same run; a result says "path/to/NAME".
    """
    default = type(config)(detector=config.detector)
    words = ["python", "-m", "benchmarks.run", "--detector", config.detector]
    if config.preset:
        words += ["--preset", config.preset]
    if config.options:
        words += ["--detector-args", *(f"{name}={_value(value)}" for name, value in config.options.items())]
    how: Callable[[str], str] = str if typed else portable
    for flag, value, usual in (
        ("--train-on", config.train_on, default.train_on),
        ("--select-on", config.select_on, default.select_on),
        ("--report-on", config.report_on, default.report_on),
    ):
        if value != usual:
            words += [flag, *(how(text) for text in value)]
    words += ["--platforms", *config.platforms] if config.platforms else []
    words += [word for name in config.metrics for word in ("--metric", name)]
    if config.limit is not None:
        words += ["--limit", f"{config.limit:g}"]
    if config.fit_seeds != 1:
        words += ["--fit-seeds", str(config.fit_seeds)]
    return [*words, "--seed", str(config.seed)]


def _value(value: Any) -> str:
    """As `--detector-args` reads it: JSON, and text as it is unless it would be read as something else."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value)


def portable(text: str) -> str:
    """A split reference without the place of its folder; names of embedded sets stay.

    >>> portable("mini-a/test")
    'mini-a/test'
    """
    ref = parse_split(text, "")
    if not Path(ref.dataset).is_dir():
        return text
    name = Path(ref.dataset).resolve().name
    return f"{SOMEWHERE}/{name}" + (f":{ref.split}" if ref.split else "")


def portable_config(config: RunConfig) -> dict[str, Any]:
    """The resolved configuration as a result holds it: without places of folders."""
    parts = ("train_on", "select_on", "report_on")
    return {
        name: [portable(text) for text in value] if name in parts else value
        for name, value in config.resolved().items()
    }


def flags(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Some options of a command with their values, in the order of `names`.

    Args:
        words: A command.
        names: Options, with their hyphens.
    """
    found: list[str] = []
    for name in names:
        if name not in words:
            continue
        at = list(words).index(name)
        end = next((k for k in range(at + 1, len(words)) if words[k].startswith("--")), len(words))
        found += words[at:end]
    return found
