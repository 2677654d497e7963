"""The life of an external job: doctor, stage, execute, collect, validate by decoding, normalise."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.clip import content_id
from cmdfd.errors import RETRY_CODES, CmdfdError, JobError
from generators.external import collect, judge, server
from generators.external.attempt import Attempt, set_up
from generators.external.check import check, runtime_of
from generators.external.contain import ENVIRONMENT, NOT_CONTAINED, Containment, contained, probe
from generators.external.logs import find_in_files, scrubbed
from generators.external.normalise import Normaliser
from generators.external.origin import origin_of
from generators.external.place import BOXES, KEPT, PREFIX, job_folder, scratch_prefix, scratch_root
from generators.external.process import GRACE, Limits, run_program
from generators.external.runtimes import Call, Site, make_call, single_output
from generators.external.stage import prepare
from generators.external.template import published
from generators.external.watch import Places, changes, refused_writes, take_picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generators.external.collect import Raw
    from generators.external.installed import Installed
    from generators.external.spec import ExternalSpec
    from generators.generator import Job

#: Goes up when the runner itself would make other results of the same files.
RUNNER_VERSION = 1
#: Files of a shadow that are searched for secrets are at most this large.
_SEARCHED_BYTES = 16 << 20


def job_address(
    spec: ExternalSpec, inputs: Mapping[str, str], params: Mapping[str, Any], seed: int, version: int = RUNNER_VERSION
) -> str:
    """Content address of a job.

    Args:
        spec: The generator; all of its content counts, its version included.
        inputs: SHA-256 of every input by name.
        params: The recipe's parameters, defaults included.
        seed: What `{seed}` stands for.
        version: Of the runner.

    Returns:
        32 hexadecimal digits; others for any change.
    """
    return content_id("external", spec.as_data(), dict(inputs), dict(params), seed, version, length=32)


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """A job that ended well.

    Args:
        raw: The decoded result.
        normaliser: Brings it to the take.
        details: JSON-able facts for the provenance.
    """

    raw: Raw
    normaliser: Normaliser
    details: dict[str, Any]


class Runner:
    """Runs jobs of one generator.

    Args:
        spec: The generator.
        installed: The user's table for it, None where there is none.
        journal: File to which one JSON line is appended for every attempt, with times, host and memory.
        contain: True demands bubblewrap, False does without; None uses it where it works.
    """

    def __init__(
        self,
        spec: ExternalSpec,
        installed: Installed | None,
        *,
        journal: Path | None = None,
        contain: bool | None = None,
    ) -> None:
        self.spec, self._installed, self.journal = spec, installed, journal
        self._contain = contain

    def run(self, job: Job) -> Ran:
        """Run a job.

        Args:
            job: The job; `job.rng` gives one number, the seed.

        Raises:
            JobError: With any code of `cmdfd.errors.JOB_CODES` that says why it did not end well. After "oom",
                "timeout" and "crashed" it is tried again, as often as the spec says.
        """
        installed = self._ready()
        weights = origin_of(self.spec, installed)["weights"]
        containment = self._containment()
        seed = int(job.rng.integers(1 << 31))
        root = scratch_root()
        with tempfile.TemporaryDirectory(prefix=scratch_prefix("stage"), dir=root) as scratch:
            inputs = prepare(self.spec, job, Path(scratch))
        params = {**self.spec.params, **job.params}
        address = job_address(self.spec, inputs.hashes, params, seed)
        for left in range(self.spec.run.retries, -1, -1):
            begun, code, attempt = time.monotonic(), "crashed", None
            try:
                with job_folder(address, root) as folder:
                    attempt = set_up(
                        self.spec, installed, inputs, folder, params=params, seed=seed, containment=containment
                    )
                    ran = self._attempt(attempt, job, installed, params)
                    self._check_weights(installed, weights)
                code = "ok"
                return ran
            except JobError as error:
                code = error.code
                if code not in RETRY_CODES or not left:
                    known = attempt.secrets if attempt is not None else ()
                    raise JobError(code, error.generator, scrubbed(error.detail, known)) from error
            finally:
                self._write_journal(address, code, time.monotonic() - begun, attempt)
        raise AssertionError("unreachable")

    # ---- before

    def _ready(self) -> Installed:
        problems = check(self.spec, self._installed)
        if problems:
            first = problems[0]
            raise JobError(first.code, self.spec.name, f"{first.what}: {first.fix}")
        assert self._installed is not None  # noqa: S101 - its absence is a problem
        return self._installed

    def _containment(self) -> Containment:
        wanted = os.environ.get(ENVIRONMENT, "")
        if self._contain is False or (self._contain is None and wanted == "off"):
            return Containment("", NOT_CONTAINED, "switched off")
        found = probe()
        if not found.program and (self._contain or wanted == "require"):
            raise CmdfdError(f"containment is required, and {found.reason}")
        return found

    def _check_weights(self, installed: Installed, before: Mapping[str, str]) -> None:
        """Raise "hash_mismatch" where weights are not those any more that were checked and will be recorded."""
        after = origin_of(self.spec, installed)["weights"]
        changed = sorted(name for name in before if after.get(name) != before[name])
        if changed:
            detail = f"weights changed while it ran: {', '.join(changed)}; put the right files back"
            raise JobError("hash_mismatch", self.spec.name, detail)

    # ---- the attempt

    def _attempt(self, attempt: Attempt, job: Job, installed: Installed, params: Mapping[str, Any]) -> Ran:
        if runtime_of(self.spec, installed) in {"http", "cog"} and installed.url:
            self._ask(attempt, installed)
            text = ""
        else:
            self._execute(attempt, installed, params)
            text = judge.read_logs(attempt.folder.logs)
            self._check_secrets(attempt)
            assert attempt.ended is not None  # noqa: S101 - it was executed
            judge.check_ended(self.spec, attempt.ended, text, installed.timeout or self.spec.run.timeout)
        try:
            raw = self._collected(attempt, job)
        except JobError as error:
            told = judge.told_reason(self.spec, text) if error.code in {"output_missing", "output_corrupt"} else None
            raise (told or error) from error
        normaliser = Normaliser(self.spec, job, attempt.staged)
        return Ran(raw, normaliser, self._details(attempt, installed, raw))

    def _ask(self, attempt: Attempt, installed: Installed) -> None:
        target = attempt.folder.root / single_output(self.spec)
        seconds = installed.timeout or self.spec.run.timeout
        cwd = attempt.folder.root / self.spec.run.cwd
        attempt.http_status = server.ask(
            self.spec, installed.url, attempt.values, folder=cwd, target=target, seconds=seconds
        )

    def _execute(self, attempt: Attempt, installed: Installed, params: Mapping[str, Any]) -> None:
        folder, run = attempt.folder, self.spec.run
        cwd = folder.root / run.cwd
        site = Site(folder.box, cwd, folder.top.name, attempt.environment)
        call = attempt.call = make_call(self.spec, installed, attempt.values, params, site)
        if any("\0" in one for one in (*call.command, *attempt.environment.values())):
            raise JobError("input_unsupported", self.spec.name, "a parameter or the words hold a character U+0000")
        inside = bool(call.contain and attempt.containment.program)
        command = list(call.command)
        if inside:
            readable = [*call.readable, *attempt.links, folder.programs]
            readable += [path.resolve() for path in folder.root.rglob("*") if path.is_symlink()]
            readable += [installed.checkout] if installed.checkout is not None else []
            command = contained(
                command, attempt.containment, folder=cwd, writable=folder.box, jobs=folder.top.parent, readable=readable
            )
        places = None if inside or not call.contain else self._places(attempt, installed)
        before = take_picture(places) if places is not None else None
        limits = Limits(
            seconds=installed.timeout or run.timeout,
            address_space=None if run.memory_gb is None or not call.contain else round(run.memory_gb * (1 << 30)),
            file_bytes=round(run.max_output_gb * (1 << 30)),
            grace=GRACE,
        )
        try:
            attempt.ended = run_program(
                command,
                folder=cwd,
                environment=attempt.environment,
                logs=folder.logs,
                limits=limits,
                secrets=attempt.secrets,
            )
        finally:
            self._stop(call, attempt)
        changed = changes(before, take_picture(places)) if places is not None and before is not None else ()
        self._check_writes(attempt, changed, inside=inside)

    def _stop(self, call: Call, attempt: Attempt) -> None:
        """End what does not end with its client, i.e. a container."""
        if call.stop and (attempt.ended is None or attempt.ended.timed_out):
            try:
                subprocess.run(
                    call.stop, capture_output=True, timeout=60, check=False, env=attempt.environment
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired):
                return

    def _places(self, attempt: Attempt, installed: Installed) -> Places:
        top = attempt.folder.top
        checkout = [installed.checkout] if installed.checkout is not None else []
        trees = [*checkout, *(path for path in attempt.links if path.is_dir())]
        inner = frozenset({*(f"box/{name}" for name in BOXES), "logs"})
        home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none
        return Places(tuple(trees), ((top, inner),), tuple({top.parent, home}), (PREFIX, KEPT))

    def _check_writes(self, attempt: Attempt, changed: tuple[str, ...], *, inside: bool) -> None:
        """Raise "wrote_outside" on evidence; secrets that were printed go first, so that they are reported."""
        evidence = list(changed)
        if inside:
            evidence = list(refused_writes([attempt.folder.logs / "stdout", attempt.folder.logs / "stderr"]))
            evidence += sorted(str(path) for path in attempt.folder.box.iterdir() if path.name not in BOXES)
        if evidence:
            self._check_secrets(attempt)
            shown = published(evidence[:3], {"job": str(attempt.folder.top)})
            raise JobError("wrote_outside", self.spec.name, f"{len(evidence)} traces: {'; '.join(shown)}"[:600])

    def _check_secrets(self, attempt: Attempt) -> None:
        """Raise "secret_printed" where a secret of the environment was found; logs are clean already."""
        found = find_in_files(attempt.new_files(), attempt.secrets, _SEARCHED_BYTES)
        for path in found:
            path.unlink(missing_ok=True)
        times = attempt.ended.secrets if attempt.ended is not None else 0
        if times or found:
            where = [f"{times} times in what it printed"] if times else []
            where += [f"in its file {path.name}" for path in found[:3]]
            raise JobError("secret_printed", self.spec.name, f"a secret of the environment was {' and '.join(where)}")

    def _collected(self, attempt: Attempt, job: Job) -> Raw:
        path = collect.find_output(self.spec, attempt.folder.root, attempt.before)
        return collect.decode_output(self.spec, path, job.take.sample_rate)

    # ---- afterwards

    def _details(self, attempt: Attempt, installed: Installed, raw: Raw) -> dict[str, Any]:
        call = attempt.call
        places = {
            "root": str(attempt.folder.root), "job": str(attempt.folder.top),
            "checkout": str(installed.checkout or ""), "python": str(installed.python or ""),
            "text": attempt.values.words.get("text", ""),
            "reference_text": attempt.values.words.get("reference_text", ""),
        }  # fmt: skip
        label = call.label or attempt.containment.label if call is not None else NOT_CONTAINED
        return {
            "runtime": runtime_of(self.spec, installed),
            "containment": label,
            "verified": self.spec.verified,
            "adapter_version": self.spec.version,
            **origin_of(self.spec, installed),
            "argv": published(call.inner, places) if call is not None else [],
            "inputs": dict(attempt.staged.hashes),
            "staging": list(attempt.staged.notes),
            "exit_code": attempt.ended.exit_code if attempt.ended is not None else None,
            "http_status": attempt.http_status,
            "determinism": self.spec.run.determinism,
            "raw_sha256": raw.sha256,
            "watermark": self.spec.marks.watermark,
        }

    def _write_journal(self, address: str, code: str, seconds: float, attempt: Attempt | None) -> None:
        if self.journal is None:
            return
        ended = attempt.ended if attempt is not None else None
        line = {
            "address": address, "generator": self.spec.name, "code": code, "wall_s": round(seconds, 3),
            "host": platform.node(), "time": round(time.time(), 3),
            "program_s": round(ended.seconds, 3) if ended else None,
            "cpu_s": round(ended.cpu_seconds, 3) if ended else None, "peak_kb": ended.peak_kb if ended else None,
            "left_behind": list(ended.left_behind) if ended else [],
        }  # fmt: skip
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with self.journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")
