"""What a generator still needs on this machine: `python -m generators.doctor [NAME]`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError, nearest
from generators.external.check import Problem, check, runtime_of, weight_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from generators.external.installed import Installed
    from generators.external.spec import ExternalSpec

_READY, _NOT_USABLE, _UNKNOWN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found out about one generator.

    Args:
        name: As recipes name it.
        summary: What it is.
        problems: What keeps it from running, in the order in which it should be put right; none means usable.
        spec: Of an external generator, None for one that runs inside this program.
        installed: The user's table for an external generator, None where there is none.
        wants: What an in-process generator wants of a take.
    """

    name: str
    summary: str
    problems: tuple[Problem, ...]
    spec: ExternalSpec | None = None
    installed: Installed | None = None
    wants: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether nothing is missing."""
        return not self.problems


class UnknownGeneratorError(CmdfdError):
    """A name that stands for no generator."""


def diagnose(name: str) -> Diagnosis:
    """Look at one generator.

    Args:
        name: "external/ID", "ID", a .toml file, or an in-process generator as recipes name it.

    Raises:
        UnknownGeneratorError: For an unknown name, with the nearest right one.
        CmdfdError: For a spec or a generators.toml with mistakes.
    """
    from generators.external.catalogue import PREFIX, is_external, spec_paths
    from generators.registry import GENERATORS

    if is_external(name) or name in spec_paths():
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in spec_paths():
            raise UnknownGeneratorError(_unknown(name))
        return _external(name)
    if name in GENERATORS.names() or ":" in name:
        return _in_process(name)
    raise UnknownGeneratorError(_unknown(name))


def _unknown(name: str) -> str:
    from generators.external.catalogue import spec_paths
    from generators.registry import GENERATORS

    return f"unknown generator {name!r}: {nearest(name, [*GENERATORS.names(), *spec_paths()])}; or name a .toml file"


def _external(name: str) -> Diagnosis:
    from generators.external.catalogue import find_spec
    from generators.external.installed import find_installed

    spec = find_spec(name)
    installed = find_installed(spec.id)
    shown = name if name.endswith(".toml") else spec.name
    return Diagnosis(shown, spec.summary, check(spec, installed), spec, installed)


def _in_process(name: str) -> Diagnosis:
    from generators.registry import make_generator

    generator = make_generator(name)
    spec = generator.spec
    asked = getattr(generator, "problems", None)
    told = [str(one) for one in asked()] if callable(asked) else []
    wants = [
        text
        for wanted, text in (
            (spec.needs_face, "a face track: on real video the extra 'face'"),
            (spec.needs_speech, "the words of the take and their times"),
            (spec.needs_donor, "another take: of the same person, or of a partner"),
        )
        if wanted
    ]
    # an in-process generator says what it lacks, and how to get it, in one sentence
    problems = tuple(Problem("env_missing", one, "") for one in told)
    return Diagnosis(name, spec.summary, problems, wants=tuple(wants))


def diagnose_all() -> list[Diagnosis]:
    """Look at every generator: in-process ones first, then external ones by name."""
    from generators.external.catalogue import spec_paths
    from generators.registry import GENERATORS

    return [*(_in_process(name) for name, _ in GENERATORS.load_all()), *(_external(word) for word in spec_paths())]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0 usable, 1 something is missing, 2 unknown name or broken file."""
    parser = argparse.ArgumentParser(
        prog="python -m generators.doctor",
        description="Say what is installed, what is missing, and how to get it. Nothing is installed or downloaded.",
        epilog="Exit codes: 0 usable (without NAME: the table was printed), 1 something is missing, 2 unknown name, or "
        "a spec or generators.toml with mistakes.",
    )
    parser.add_argument("name", nargs="?", help="a generator (see python -m generators.list), or a .toml file")
    named = parser.parse_args(arguments)
    try:
        if named.name is None:
            show_all(diagnose_all())
            return _READY
        found = diagnose(named.name)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return _UNKNOWN
    show(found)
    return _READY if found.usable else _NOT_USABLE


def show_all(found: Sequence[Diagnosis]) -> None:
    """Print one line for each generator, and the state of the machine."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table(title="generators on this machine", title_justify="left")
    for column in ("name", "state", "first thing that is missing"):
        table.add_column(column, overflow="fold")
    for one in found:
        state = "usable" if one.usable else _codes(one)
        table.add_row(escape(one.name), state, escape(one.problems[0].what) if one.problems else "")
    console.print(table)
    _say(console, _machine())
    _say(console, "python -m generators.doctor NAME says what to do.")


def _codes(found: Diagnosis) -> str:
    return ", ".join(dict.fromkeys(problem.code for problem in found.problems))


def _machine() -> str:
    from generators.external.contain import probe
    from generators.external.installed import config_path

    path, contained = config_path(), probe()
    there = "" if path.is_file() else " (not there yet)"
    why = f": {contained.reason}" if contained.reason else ""
    return f"Your file: {path}{there}\nContainment of external generators: {contained.label}{why}"


def show(found: Diagnosis) -> None:
    """Print everything about one generator."""
    from rich.console import Console

    console = Console()
    state = "usable" if found.usable else f"not usable: {_codes(found)}"
    _say(console, f"{found.name}: {state}\n{found.summary}")
    _show_problems(console, found)
    for text in found.wants:
        _say(console, f"Wants {text}.")
    if found.spec is not None:
        _show_external(console, found.spec, found.installed, usable=found.usable)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)


def _show_problems(console: Console, found: Diagnosis) -> None:
    if not found.problems:
        return
    _say(console, "\nMissing")
    for number, problem in enumerate(found.problems, 1):
        _hang(console, f"{number:2}. ", f"{problem.code}: {problem.what}")
        if problem.fix:
            _hang(console, "    -> ", problem.fix)


def _hang(console: Console, head: str, text: str) -> None:
    """A line whose continuation stands under its text; long paths are not broken."""
    import textwrap

    width = max(40, console.width)
    lines = textwrap.wrap(text, width - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    for index, line in enumerate(lines):
        console.print((head if index == 0 else " " * len(head)) + line, markup=False, highlight=False, soft_wrap=True)


def _show_external(console: Console, spec: ExternalSpec, installed: Installed | None, *, usable: bool) -> None:
    if not usable:
        _show_install(console, spec)
    _show_weights(console, spec, installed)
    _show_terms(console, spec, installed)
    _say(console, f"\n{_machine()}")
    if spec.verified == "argv":
        _say(console, "Its command line was checked against its code, but never run by us (verified: argv).")
    if not usable:
        _show_snippet(console, spec, installed)


def _show_install(console: Console, spec: ExternalSpec) -> None:
    version = f" (Python {spec.runtimes.python_version})" if spec.runtimes.python_version else ""
    _say(console, f"\nInstall it yourself{version}; nothing of this is done for you")
    for line in spec.install:
        console.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)


def _show_weights(console: Console, spec: ExternalSpec, installed: Installed | None) -> None:
    if not spec.weights:
        return
    _say(console, "\nWeights")
    for weight in spec.weights:
        path = None if installed is None else weight_path(weight, installed)
        state = "there" if path is not None and path.exists() else "optional" if weight.optional else "missing"
        where = str(path) if path is not None else f"{weight.path} in the checkout"
        if path is None and not spec.run.checkout:
            where = "wherever you keep it"
        _hang(console, f"    {state:8} {weight.name}: ", where)
        if state != "there":
            _hang(console, "             ", weight.get)


def _show_terms(console: Console, spec: ExternalSpec, installed: Installed | None) -> None:
    terms = spec.licences
    accepted = installed is not None and installed.accept_licence
    _say(console, f"\nTerms (reading notes, no legal advice): {'accepted by you' if accepted else 'not accepted yet'}")
    allowed = "allowed" if terms.commercial else "not allowed"
    passed = "allowed" if terms.redistribution else "not allowed"
    rows = [
        ("code", terms.code), ("weights", terms.weights), ("data", terms.data),
        ("clips", terms.output or "no terms of its own"),
        ("use", f"commercial {allowed}; passing code and weights on {passed}"),
        ("marks", spec.marks.watermark), ("filter", spec.marks.filter),
    ]  # fmt: skip
    for name, text in rows:
        if text:
            _hang(console, f"    {name:8} ", text)


def _show_snippet(console: Console, spec: ExternalSpec, installed: Installed | None) -> None:
    from generators.external.installed import config_path

    action = "Change your table in" if installed is not None else "Paste into"
    _say(console, f"\n{action} {config_path()}")
    console.print(snippet(spec, installed), markup=False, highlight=False, soft_wrap=True)


def snippet(spec: ExternalSpec, installed: Installed | None = None) -> str:
    """A table for generators.toml: what the user has said already, and places to fill in.

    Args:
        spec: The generator.
        installed: The user's table, or None.

    Returns:
        TOML text that `installed.read_installed` reads.
    """
    runtime = spec.runtimes.default if installed is None else runtime_of(spec, installed)
    lines = [f"[{spec.id}]"]
    if spec.run.checkout and runtime not in {"cog", "http"}:
        known = installed.checkout if installed is not None else None
        folder = spec.homepage.rsplit("/", 1)[-1] or spec.id
        lines.append(f"checkout = {_quoted(known or f'/path/to/{folder}')}")
    if runtime != spec.runtimes.default:
        lines.append(f"runtime = {_quoted(runtime)}")
    lines += _runtime_lines(runtime, installed)
    accepted = installed is not None and installed.accept_licence
    note = "" if accepted else "   # true, when you have read the terms above and keep them"
    lines.append(f"accept_licence = {'true' if accepted else 'false'}{note}")
    device = "cuda" if spec.run.gpu == "required" else "cpu" if installed is None else installed.device
    note = "   # it runs on a GPU only" if spec.run.gpu == "required" else '   # or "cuda"'
    lines.append(f"device = {_quoted(device)}{note if spec.run.gpu != 'unused' else ''}")
    return "\n".join([*lines, *_weight_lines(spec, installed)])


def _runtime_lines(runtime: str, installed: Installed | None) -> list[str]:
    if runtime == "python":
        known = installed.python if installed is not None else None
        return [f"python = {_quoted(known or '/path/to/its/environment/bin/python')}"]
    values = {
        "conda": ("conda_env", installed.conda_env if installed else "", "NAME"),
        "container": ("image", installed.image if installed else "", "image:tag"),
        "cog": ("image", installed.image if installed else "", "image:tag"),
        "http": ("url", installed.url if installed else "", "http://127.0.0.1:5000"),
    }
    if runtime not in values:
        return []
    key, known_text, example = values[runtime]
    return [f"{key} = {_quoted(known_text or example)}"]


def _weight_lines(spec: ExternalSpec, installed: Installed | None) -> list[str]:
    named = {name: str(path) for name, path in installed.weights.items()} if installed is not None else {}
    if not spec.run.checkout:
        named = {one.name: named.get(one.name, f"/path/to/{one.name}") for one in spec.weights if not one.optional}
    if named:
        return [f"weights = {{ {', '.join(f'{name} = {_quoted(path)}' for name, path in named.items())} }}"]
    if spec.weights:
        return [
            f'# weights = {{ {spec.weights[0].name} = "/elsewhere/file" }}   # those that do not lie in the checkout'
        ]
    return []


def _quoted(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)  # a JSON string is a TOML basic string


if __name__ == "__main__":
    sys.exit(main())
