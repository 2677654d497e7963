"""One attempt at a job: its folder filled with shadow, inputs, files and programs, and what the placeholders mean."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.errors import JobError
from generators.external import collect
from generators.external.check import runtime_of, weight_path
from generators.external.logs import secrets_of, with_codes
from generators.external.place import environment_of, supply_ffmpeg
from generators.external.runtimes import Call, python_word
from generators.external.shadow import ShadowError, files_below, make_shadow, private_folders, real_folder
from generators.external.template import Values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from generators.external.contain import Containment
    from generators.external.installed import Installed
    from generators.external.place import JobFolder
    from generators.external.process import Ended
    from generators.external.spec import ExternalSpec
    from generators.external.stage import Inputs, Staged


@dataclass(eq=False, slots=True)
class Attempt:
    """What one attempt knows.

    Args:
        folder: Its folders.
        staged: The inputs.
        values: What the placeholders stand for.
        environment: All that the program sees.
        containment: Whether bubblewrap works.
        secrets: Values that must not be printed.
        links: Places outside that can be reached through the shadow.
        before: Leftovers that the output's pattern matches.
        times: Time of every file of the box before the start.
        call: How it was started; None for a server.
        http_status: A server's answer.
        ended: How it ended; None before, and for a server.
    """

    folder: JobFolder
    staged: Staged
    values: Values
    environment: dict[str, str]
    containment: Containment
    secrets: tuple[bytes, ...]
    links: tuple[Path, ...] = ()
    before: dict[Path, tuple[int, int]] = field(default_factory=dict)
    times: dict[Path, int] = field(default_factory=dict)
    call: Call | None = None
    http_status: int | None = None
    ended: Ended | None = None

    def new_files(self) -> list[Path]:
        """Files of the box that were written since the start."""
        found = files_below(self.folder.box)
        return [path for path in found if self.times.get(path) != path.lstat().st_mtime_ns]


def set_up(
    spec: ExternalSpec,
    installed: Installed,
    inputs: Inputs,
    folder: JobFolder,
    *,
    params: Mapping[str, Any],
    seed: int,
    containment: Containment,
) -> Attempt:
    """Fill a job's folder.

    Args:
        spec: The generator.
        installed: The user's table.
        inputs: Of `stage.prepare`.
        folder: Fresh folders.
        params: The recipe's parameters, defaults included.
        seed: What `{seed}` stands for.
        containment: Of `contain.probe`.

    Raises:
        JobError: "env_missing" where the checkout cannot be copied.
    """
    links = _shadow(spec, installed, folder.root)
    staged = inputs.write(folder.root)
    values = Values(_words(spec, installed, folder.root, seed) | dict(staged.words), params)
    _write_files(spec, folder.root, values)
    programs = supply_ffmpeg(spec, folder)
    fixed = {name: values.fill(text) for name, text in spec.run.env.items()}
    attempt = Attempt(
        folder=folder,
        staged=staged,
        values=values,
        environment=environment_of(spec, installed, folder, fixed),
        containment=containment,
        secrets=with_codes(secrets_of(os.environ, installed.env_allow)),
        links=(*links, *programs),
    )
    attempt.before = collect.present(folder.root, spec.output.path)
    attempt.times = {path: path.lstat().st_mtime_ns for path in files_below(folder.box)}
    return attempt


def _shadow(spec: ExternalSpec, installed: Installed, root: Path) -> tuple[Path, ...]:
    run = spec.run
    remote = runtime_of(spec, installed) in {"cog", "http"}
    weights = {PurePosixPath(one.path): weight_path(one, installed) for one in spec.weights}
    try:
        return make_shadow(
            installed.checkout if run.checkout and not remote else None,
            root,
            private=private_folders(spec),
            keep=[PurePosixPath(one) for one in run.keep],
            leave_out=[PurePosixPath(one) for one in run.leave_out],
            weights={} if remote else {at: path for at, path in weights.items() if path is not None and path.exists()},
        )
    except ShadowError as error:
        raise JobError("env_missing", spec.name, str(error)) from error


def output_folder(pattern: str) -> PurePosixPath:
    """The folder of an output's pattern: the part before the first wildcard."""
    fixed: list[str] = []
    for part in PurePosixPath(pattern).parts[:-1]:
        if set("*?[") & set(part):
            break
        fixed.append(part)
    return PurePosixPath(*fixed)


def _words(spec: ExternalSpec, installed: Installed, root: Path, seed: int) -> dict[str, str]:
    run, output = spec.run, spec.output.path

    def here(path: str) -> str:
        return os.path.relpath(path, run.cwd)

    folder = output_folder(output)
    real_folder(root, folder)
    words = {f"weights.{one.name}": here(one.path) for one in spec.weights}
    return words | {
        "seed": str(seed),
        "python": python_word(spec, installed),
        "driver": f"cmdfd_{run.driver}" if run.driver else "",
        "device": installed.device,
        "out": here(output),
        "out_dir": here(str(folder)),
        "root": str(root),
    }


def _write_files(spec: ExternalSpec, root: Path, values: Values) -> None:
    run = spec.run
    cwd = real_folder(root, PurePosixPath(run.cwd))
    if run.driver is not None:
        source = files("generators.external") / "drivers" / run.driver
        (cwd / f"cmdfd_{run.driver}").write_bytes(source.read_bytes())
    for one in run.files:
        place = PurePosixPath(one.path)
        target = real_folder(root, place.parent) / place.name
        target.unlink(missing_ok=True)
        target.write_text(values.fill(one.text), "utf-8")
