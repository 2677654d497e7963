"""Programs that do not end, and everything that belongs to them: nobody lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from external_bench import Bench, spec_of

from cmdfd.errors import JobError
from generators.external.logs import secrets_of
from generators.external.place import scratch_prefix, sweep
from generators.external.process import Limits, run_program

#: Starts a child, a grandchild in a session of its own, and one that ignores TERM and has lost its parent.
FAMILY = """
import subprocess, sys, time
quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
sleep = "import time; time.sleep(300) # MARK"
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300) # MARK"
orphan = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True) # MARK"
subprocess.Popen([sys.executable, "-c", sleep])
subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True, **quiet)
subprocess.Popen([sys.executable, "-c", orphan, deaf], **quiet).wait()
"""


def alive(mark: str) -> list[int]:
    """Processes whose command line holds a mark."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(mark in one for one in process.info["cmdline"] or []):
            found.append(process.pid)
    return found


def wait_for(condition: object, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    "ending", ["time.sleep(300)", "print('done')", pytest.param("raise SystemExit(1)", marks=pytest.mark.slow)]
)
def test_nobody_lives_on(
    bench: Bench, contain: bool, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    bench.program(FAMILY.replace("MARK", mark) + ending)
    spec = spec_of(("timeout = 20", "timeout = 1.2" if "300" in ending else "timeout = 20"))
    generator = bench.generator(spec, contain=contain)
    monkeypatch.setattr("generators.external.runner.GRACE", 0.6)
    begun = time.monotonic()
    with pytest.raises(JobError) as caught:
        generator.generate(bench.job())
    wanted = {"time.sleep(300)": "timeout", "print('done')": "output_missing"}.get(ending, "crashed")
    assert caught.value.code == wanted
    assert time.monotonic() - begun < 15
    assert alive(mark) == []


@pytest.mark.slow
def test_term_comes_before_kill(bench: Bench, contain: bool) -> None:
    bench.program(
        "import signal, time\n"
        "def end(*_):\n    print('Face not detected: said goodbye', flush=True); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\ntime.sleep(300)"
    )
    os.environ["CMDFD_KEEP_SCRATCH"] = "1"
    try:
        with pytest.raises(JobError) as caught:
            bench.generator(spec_of(("timeout = 20", "timeout = 1.5")), contain=contain).generate(bench.job())
    finally:
        del os.environ["CMDFD_KEEP_SCRATCH"]
    assert caught.value.code == "timeout"
    log = next(Path(os.environ["CMDFD_SCRATCH"]).glob("cmdfd-kept-*/logs/stdout")).read_text()
    assert "said goodbye" in log


RUNNER = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {here!r}]
from external_bench import Bench, spec_of
from tiny_source import make_take
bench = Bench(Path({checkout!r}), make_take("external", 1.6), make_take("donor", 1.8))
bench.generator(spec_of(("timeout = 20", "timeout = 200")), contain={contain}).generate(bench.job())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_when_the_runner_dies_so_do_they(bench: Bench, contain: bool, number: int, tmp_path: Path) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    bench.program(FAMILY.replace("MARK", mark) + "time.sleep(300)")
    here = Path(__file__).parent
    text = RUNNER.format(tests=str(here.parent), here=str(here), checkout=str(bench.checkout), contain=contain)
    runner = subprocess.Popen(
        [sys.executable, "-c", text], cwd=here.parents[2], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert wait_for(lambda: len(alive(mark)) >= 3, 30.0)
        runner.send_signal(number)
        runner.wait(20)
        assert wait_for(lambda: not alive(mark))
    finally:
        runner.kill()
        runner.wait()
    # what a killed runner leaves is removed by the next one; a living one's is not
    root = Path(os.environ["CMDFD_SCRATCH"])
    mine = root / f"{scratch_prefix('0123456789abcdef')}x"
    mine.mkdir()
    sweep.cache_clear()
    sweep(root)
    assert list(root.iterdir()) == [mine]


def test_limits_hold(tmp_path: Path) -> None:
    text = ("import resource as r\nprint(r.getrlimit(r.RLIMIT_CORE), r.getrlimit(r.RLIMIT_NOFILE)[0])\n"
            "f = open('big', 'wb')\ntry:\n    f.write(b'x' * 3_000_000); f.flush()\n"
            "except OSError as error: print(error.errno)\n"
            "try: bytearray(1 << 31)\nexcept MemoryError: print('memory')\n")  # fmt: skip
    logs = tmp_path / "logs"
    logs.mkdir()
    limits = Limits(20.0, address_space=1 << 30, file_bytes=1 << 20, open_files=99)
    environment = {"PATH": os.environ["PATH"]}
    ended = run_program(
        [sys.executable, "-c", text], folder=tmp_path, environment=environment, logs=logs, limits=limits
    )
    assert (ended.exit_code, ended.timed_out) == (0, False)
    assert (logs / "stdout").read_text().split("\n")[:3] == ["(0, 0) 99", "27", "memory"]
    assert (tmp_path / "big").stat().st_size == 1 << 20
    assert ended.peak_kb > 1000


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    ended = run_program(
        ["/no/such/program"], folder=tmp_path, environment={}, logs=tmp_path / "logs", limits=Limits(5.0)
    )
    assert ended.exit_code == 127
    assert "cannot be started" in (tmp_path / "logs" / "stderr").read_text()


def test_which_variables_are_secrets(tmp_path: Path) -> None:
    environment = {
        "HF_TOKEN": "hf_1234567890", "AWS_SECRET_ACCESS_KEY": "aws-aws-aws", "DB_PASSWORD": "short",
        "PATH": "/usr/bin:/bin",
        "MONKEY": "not-a-secret-1", "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path), "SHOWN": "visible-value",
        "PWD": str(tmp_path), "openai_apikey": "open-open-open", "HOME": str(tmp_path),
    }  # fmt: skip
    found = secrets_of(environment, ["SHOWN"])
    assert set(found) == {b"hf_1234567890", b"aws-aws-aws", b"visible-value", b"open-open-open"}
