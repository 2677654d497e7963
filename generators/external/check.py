"""The doctor's engine: what is missing before an external generator can run."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.errors import JOB_CODES, CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.external.installed import Installed
    from generators.external.spec import ExternalSpec, Weight

#: Programs that start a runtime.
PROGRAMS = {
    "uv": ("uv",),
    "conda": ("conda", "mamba", "micromamba"),
    "container": ("docker", "podman"),
    "cog": ("cog",),
}
#: Asking an interpreter for its modules loads none of them.
_FIND = "import importlib.util, sys; print('\\n'.join(m for m in sys.argv[1:] if importlib.util.find_spec(m) is None))"
_FIND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps a generator from running.

    Args:
        code: One of `cmdfd.errors.JOB_CODES`.
        what: What was found, in one sentence.
        fix: What to do.
    """

    code: str
    what: str
    fix: str

    def __post_init__(self) -> None:
        if self.code not in JOB_CODES:
            raise ValueError(f"unknown job code {self.code!r}")


def runtime_of(spec: ExternalSpec, installed: Installed) -> str:
    """The runtime that is used: the user's choice, else the spec's default."""
    return installed.runtime or spec.runtimes.default


def check(spec: ExternalSpec, installed: Installed | None) -> tuple[Problem, ...]:
    """Everything that is missing, in the order in which it should be put right.

    Args:
        spec: The generator.
        installed: The user's table for it, or None where there is none.

    Returns:
        Problems; none means that it can be tried.
    """
    if installed is None:
        what = f"{spec.id} is not in your generators.toml"
        return (
            Problem("env_missing", what, f"add a table [{spec.id}]; python -m generators.doctor {spec.id} shows it"),
        )
    return (
        *_licence(spec, installed),
        *_checkout(spec, installed),
        *_runtime(spec, installed),
        *_programs(spec, installed),
        *_device(spec, installed),
        *(problem for weight in spec.weights for problem in _weight(weight, installed)),
    )


def _licence(spec: ExternalSpec, installed: Installed) -> Iterator[Problem]:
    if not installed.accept_licence:
        terms = f"code: {spec.licences.code}; weights: {spec.licences.weights}; data: {spec.licences.data}"
        fix = f"read them, and set accept_licence = true in [{spec.id}] if you keep them"
        yield Problem("licence_refused", f"the terms were not accepted ({terms})", fix)


def script_of(spec: ExternalSpec) -> str:
    """Path of the script or module of the checkout that `run.argv` starts, "" where it starts none."""
    argv = spec.run.argv
    if "-m" in argv[:-1]:
        module = argv[argv.index("-m") + 1]
        return module.replace(".", "/")
    script = next((one for one in argv if one.endswith(".py")), "")
    return os.path.normpath(f"{spec.run.cwd}/{script}") if script else ""


def _checkout(spec: ExternalSpec, installed: Installed) -> Iterator[Problem]:
    if not spec.run.checkout or runtime_of(spec, installed) in {"cog", "http"}:
        return
    root = installed.checkout
    if root is None or not root.is_dir():
        fix = f"clone {spec.homepage or 'its repository'} and set checkout in [{spec.id}]"
        yield Problem("env_missing", f"checkout = {str(root) if root else None!r} is no folder", fix)
        return
    script = script_of(spec)
    wanted = [*spec.run.files_needed, *([script] if script else [])]
    for name in wanted:
        place = root / name
        if not (place.exists() or place.with_suffix(".py").is_file()):
            fix = f"check that this is {spec.homepage or spec.title}, at the version of the spec"
            yield Problem("env_missing", f"the checkout has no {name}", fix)


def _runtime(spec: ExternalSpec, installed: Installed) -> Iterator[Problem]:
    runtime = runtime_of(spec, installed)
    if runtime == "python":
        yield from _interpreter(spec, installed)
    elif runtime == "http" or (runtime == "cog" and installed.url):
        if not installed.url:
            yield Problem("env_missing", "no url of a server is set", f"set url in [{spec.id}]")
    elif find_program(runtime) is None:
        names = " or ".join(PROGRAMS[runtime])
        yield Problem("env_missing", f"the runtime {runtime!r} needs {names} on PATH", f"install {names}")
    if runtime == "conda" and not installed.conda_env:
        yield Problem("env_missing", "no conda environment is named", f"set conda_env in [{spec.id}]")
    if runtime in {"container", "cog"} and not (image_of(spec, installed) or installed.url):
        yield Problem("env_missing", "no image is named", f"set image in [{spec.id}]")
    if runtime in {"cog", "http"} and getattr(spec.runtimes, runtime) is None:
        fix = f"use another runtime, or add the table [runtimes.{runtime}] to the spec"
        yield Problem("env_missing", f"the spec does not say how {runtime} takes the inputs", fix)


def image_of(spec: ExternalSpec, installed: Installed) -> str:
    """The image of the runtimes container and cog, "" where none is named."""
    known = spec.runtimes.cog.image if spec.runtimes.cog and runtime_of(spec, installed) == "cog" else ""
    return installed.image or known or spec.runtimes.container


def find_program(runtime: str) -> str | None:
    """Path of the program that starts a runtime, or None."""
    return next((found for name in PROGRAMS[runtime] if (found := shutil.which(name))), None)


def _interpreter(spec: ExternalSpec, installed: Installed) -> Iterator[Problem]:
    python = installed.python
    if python is None or not python.is_file() or not os.access(python, os.X_OK):
        wanted = f"Python {spec.runtimes.python_version}" if spec.runtimes.python_version else "its environment"
        what = f"python = {str(python) if python else None!r} is no program"
        yield Problem("env_missing", what, f"make {wanted} and set python in [{spec.id}]")
        return
    missing = missing_modules(python, tuple(spec.run.modules))
    if missing:
        fix = f"install the generator's requirements into {python}"
        yield Problem("env_missing", f"its interpreter finds no module {', '.join(missing)}", fix)


@functools.lru_cache(maxsize=64)
def missing_modules(python: Path, modules: tuple[str, ...]) -> tuple[str, ...]:
    """Which top-level modules an interpreter cannot find; asked once for each interpreter and list."""
    if not modules:
        return ()
    command = [str(python), "-c", _FIND, *modules]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_FIND_SECONDS, check=False, env=environment, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return modules
    if done.returncode:
        return modules
    return tuple(word for word in done.stdout.decode("utf-8", "replace").split() if word in modules)


def _programs(spec: ExternalSpec, installed: Installed) -> Iterator[Problem]:
    from cmdfd.media.ffmpeg import find_ffmpeg

    if runtime_of(spec, installed) in {"container", "cog", "http"}:
        return
    for name in spec.run.needs:
        if shutil.which(name) is not None:
            continue
        if name == "ffmpeg":
            try:
                find_ffmpeg()
                continue
            except CmdfdError as error:
                yield Problem("env_missing", str(error), "pip install imageio-ffmpeg")
        else:
            yield Problem("env_missing", f"the program {name!r} is not on PATH", f"install {name}")


def _device(spec: ExternalSpec, installed: Installed) -> Iterator[Problem]:
    if spec.run.gpu == "required" and installed.device == "cpu":
        yield Problem("env_missing", f"{spec.title} runs on a GPU only", f'set device = "cuda" in [{spec.id}]')
    if installed.device == "cuda" and runtime_of(spec, installed) != "http" and not gpu_nodes():
        yield Problem(
            "env_missing", 'device = "cuda", but this machine has no GPU', f'set device = "cpu" in [{spec.id}]'
        )


def gpu_nodes() -> tuple[Path, ...]:
    """Device files of GPUs, as far as there are any."""
    found = [*Path("/dev").glob("nvidia*"), Path("/dev/kfd"), Path("/dev/dri")]
    return tuple(sorted(path for path in found if path.exists()))


def weight_path(weight: Weight, installed: Installed) -> Path | None:
    """Where a weight lies on this machine, whether it is there or not; None where nobody says."""
    named = installed.weights.get(weight.name)
    if named is not None:
        return named
    return None if installed.checkout is None else installed.checkout / weight.path


def _weight(weight: Weight, installed: Installed) -> Iterator[Problem]:
    path = weight_path(weight, installed)
    if path is None or not path.exists():
        if not weight.optional and (path is not None or installed.runtime not in {"cog", "http"}):
            place = path or weight.path
            yield Problem("weights_missing", f"there is no {place} ({weight.name})", weight.get)
    elif weight.sha256 and hash_of(path) != weight.sha256:
        what = f"{path} ({weight.name}) has SHA-256 {hash_of(path)}, the spec names {weight.sha256}"
        yield Problem("hash_mismatch", what, weight.get)


_HASHES: dict[tuple[str, int, int, int, int], str] = {}


def hash_of(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of all files below a folder.

    A file is read again only when its size, inode or one of its times changed.
    """
    if path.is_dir():
        whole = hashlib.sha256()
        for one in sorted(path.rglob("*")):
            if one.is_file():
                whole.update(f"{one.relative_to(path).as_posix()}\0{hash_of(one)}\n".encode())
        return whole.hexdigest()
    from cmdfd.clip import sha256_file

    state = path.stat()
    key = (str(path), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    if key not in _HASHES:
        _HASHES[key] = sha256_file(path)
    return _HASHES[key]
