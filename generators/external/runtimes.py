"""Command lines of the runtimes: an interpreter, uv, conda, a container, Cog. HTTP has no command, see `server`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from generators.external.check import find_program, image_of, runtime_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generators.external.installed import Installed
    from generators.external.spec import ExternalSpec
    from generators.external.template import Values

#: Name of the interpreter inside uv, conda environments and containers.
_PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Call:
    """How a job is started.

    Args:
        command: Argument list of the program that is started.
        inner: The generator's own arguments, as they are recorded.
        contain: Whether it runs inside bubblewrap; containers bring their own walls.
        label: Containment for the record where it is not bubblewrap's.
        readable: Files and folders that it needs.
        stop: Command that ends what does not end with the program, e.g. a container.
    """

    command: tuple[str, ...]
    inner: tuple[str, ...]
    contain: bool = True
    label: str = ""
    readable: tuple[Path, ...] = ()
    stop: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Site:
    """Where a job runs.

    Args:
        box: The only folder that it may write.
        folder: Working folder.
        name: Unique name, for containers.
        environment: Variables.
    """

    box: Path
    folder: Path
    name: str
    environment: Mapping[str, str]


def python_word(spec: ExternalSpec, installed: Installed) -> str:
    """What `{python}` stands for."""
    if runtime_of(spec, installed) == "python" and installed.python is not None:
        return str(installed.python)
    return _PYTHON


def make_call(
    spec: ExternalSpec, installed: Installed, values: Values, params: Mapping[str, object], site: Site
) -> Call:
    """The command line of a job.

    Args:
        spec: The generator.
        installed: The user's table.
        values: What the placeholders stand for.
        params: The recipe's parameters, for flags.
        site: Where it runs.
    """
    runtime = runtime_of(spec, installed)
    if runtime == "cog":
        return _cog(spec, installed, values)
    inner = generator_arguments(spec, installed, values, params)
    if runtime == "uv":
        return _uv(installed, inner)
    if runtime == "conda":
        return _conda(installed, inner)
    if runtime == "container":
        return _container(spec, installed, inner, site)
    python = installed.python
    homes = [] if python is None else [python.parent, *_prefixes(python)]
    return Call(tuple(inner), tuple(inner), readable=tuple(homes))


def _prefixes(python: Path) -> list[Path]:
    """Folders of an interpreter: its own environment's, and that of the one it is a link to."""
    found = [python.parent.parent, python.resolve().parent.parent]
    return [one for one in found if one != Path(one.anchor)]


def generator_arguments(
    spec: ExternalSpec, installed: Installed, values: Values, params: Mapping[str, object]
) -> list[str]:
    """The generator's own arguments."""
    run = spec.run
    texts = [*run.argv, *run.seed_arg]
    for name, arguments in run.flags.items():
        texts += arguments if params.get(name) is True else []
    texts += run.cpu_args if installed.device == "cpu" else []
    return values.arguments(texts)


def _uv(installed: Installed, inner: list[str]) -> Call:
    program = find_program("uv") or "uv"
    project = ["--project", str(installed.checkout)] if installed.checkout is not None else []
    return Call((program, "run", "--no-sync", "--offline", *project, *inner), tuple(inner), readable=(Path(program),))


def _conda(installed: Installed, inner: list[str]) -> Call:
    program, env = find_program("conda") or "conda", installed.conda_env
    by_path = os.sep in env
    which = ("-p" if by_path else "-n", str(Path(env).expanduser()) if by_path else env)
    # micromamba and mamba 2 stream by themselves and know no such option
    stream = ("--no-capture-output",) if Path(program).name == "conda" else ()
    readable = [Path(program), *([Path(env).expanduser()] if by_path else [])]
    return Call((program, "run", *stream, *which, *inner), tuple(inner), readable=tuple(readable))


def _container(spec: ExternalSpec, installed: Installed, inner: list[str], site: Site) -> Call:
    program = find_program("container") or "docker"
    command = [program, "run", "--rm", "--name", site.name, "--network", "none", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108
    command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{os.getuid()}:{os.getgid()}"]
    command += ["--volume", f"{site.box}:{site.box}", "--workdir", str(site.folder)]
    for path in _mounts(spec, installed):
        command += ["--volume", f"{path}:{path}:ro"]
    if installed.device == "cuda":
        command += ["--gpus", "all"]
    if spec.run.memory_gb is not None:
        command += ["--memory", f"{round(spec.run.memory_gb * 1024)}m"]
    for name, value in sorted(site.environment.items()):
        if name not in {"PATH", "HOSTNAME"}:
            command += ["--env", f"{name}={value}"]
    command += [image_of(spec, installed), *inner]
    return Call(tuple(command), tuple(inner), False, Path(program).name, stop=(program, "kill", site.name))


def _mounts(spec: ExternalSpec, installed: Installed) -> list[Path]:
    """What the shadow links to must be found inside at the same place."""
    found = [installed.checkout] if installed.checkout is not None else []
    found += [installed.weights[one.name].resolve() for one in spec.weights if one.name in installed.weights]
    return list(dict.fromkeys(path.resolve() for path in found))


def _cog(spec: ExternalSpec, installed: Installed, values: Values) -> Call:
    cog = spec.runtimes.cog
    assert cog is not None  # noqa: S101 - the doctor has looked
    program = find_program("cog") or "cog"
    inner = ["predict", image_of(spec, installed)]
    for name, text in cog.inputs.items():
        inner += ["-i", f"{name}={values.fill(text)}"]
    inner += ["-o", os.path.relpath(single_output(spec), spec.run.cwd)]
    return Call((program, *inner), ("cog", *inner), False, "cog")


def single_output(spec: ExternalSpec) -> str:
    """A path that the output's pattern matches, for runtimes that write one file whose name the caller chooses."""
    return re.sub(r"[*?]+|\[[^]]*\]", "0", spec.output.path)
