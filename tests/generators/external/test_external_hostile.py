"""Programs and specs that mean harm, or might as well."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from external_bench import Bench, spec_of

from cmdfd.errors import JobError
from generators.external import place
from generators.external.contain import _hidden_ones
from generators.external.logs import scrubbed, with_codes
from generators.external.spec import SpecError
from generators.external.watch import refused_writes

SECRET = "s3cr3t/value+of the tests?"
#: A file of weights with a hash that a test fills in.
WEIGHTS = '\n[[weights]]\nname = "net"\npath = "weights/net.bin"\nget = "x"\nsha256 = "{}"\n'


def test_a_line_without_end_is_searched_in_no_time(tmp_path: Path) -> None:
    log = tmp_path / "stderr"
    log.write_bytes(b"x" * (4 << 20) + b" open: Read-only file system " + b"y" * (1 << 20) + b"\n[Errno 30] z\n")
    begun = time.monotonic()
    long, short = refused_writes([log])
    assert time.monotonic() - begun < 2
    assert "open: Read-only file system y" in long and len(long) <= 300
    assert short == "[Errno 30] z"


@pytest.mark.parametrize(
    "end", ["os.kill(os.getppid(), 9); time.sleep(99)", "os.kill(os.getppid(), 19); time.sleep(99)"]
)
def test_nobody_outlives_a_supervisor_that_was_killed_or_stopped(bench: Bench, end: str, tmp_path: Path) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    sleeper = f"[sys.executable, '-c', 'import time; time.sleep(99) # {mark}']"
    bench.program(f"import subprocess, time\nsubprocess.Popen({sleeper}, start_new_session=True)\n{end}")
    begun = time.monotonic()
    with pytest.raises(JobError) as caught:
        bench.generator(spec_of(("timeout = 20", "timeout = 1.5"))).generate(bench.job())
    assert caught.value.code == ("crashed" if ", 9)" in end else "timeout")
    assert time.monotonic() - begun < 12
    left = [one for one in psutil.process_iter(["cmdline"]) if any(mark in word for word in one.info["cmdline"] or [])]
    assert left == []


CHAIN = """
import time
end = time.monotonic() + 6
if not os.fork():
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        open(TOLD, 'a').write('x')
    os._exit(0)
time.sleep(0.3)
give('forged.mp4')
"""


def test_a_chain_of_forks_is_ended(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "told"
    bench.program(CHAIN.replace("TOLD", repr(str(told))))
    bench.generator().generate(bench.job())
    grown = told.stat().st_size
    assert grown > 0
    time.sleep(0.3)
    assert told.stat().st_size == grown


@pytest.mark.parametrize(
    "form", ["base64.b64encode({})", "base64.urlsafe_b64encode(b'user:' + {})", "{}.hex().encode()"]
)
def test_a_secret_in_another_form_is_one(bench: Bench, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", SECRET)
    told = form.format("os.environ['SERVICE_API_KEY'].encode()")
    bench.program(f"import base64\ngive('forged.mp4')\nprint({told}.decode())")
    with pytest.raises(JobError) as caught:
        bench.generator(env_allow=["SERVICE_API_KEY"]).generate(bench.job())
    assert caught.value.code == "secret_printed"


def test_a_secret_in_a_name_is_found_and_not_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", "s3cr3t-name")
    bench.program("give('forged.mp4')\nopen('results/' + os.environ['SERVICE_API_KEY'], 'w')")
    with pytest.raises(JobError) as caught:
        bench.generator(env_allow=["SERVICE_API_KEY"]).generate(bench.job())
    assert caught.value.code == "secret_printed"
    assert "s3cr3t-name" not in str(caught.value) and "[scrubbed]" in str(caught.value)


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"user:"])
def test_base64_is_known_wherever_the_secret_stands(before: bytes) -> None:
    known = with_codes([SECRET.encode()])
    for code in (base64.b64encode, base64.urlsafe_b64encode):
        text = code(before + SECRET.encode() + b"behind")
        assert any(one in text for one in known)
        assert not any(one in code(before + b"harmless and long enough") for one in known)
    assert scrubbed(f"<{SECRET}>", known) == "<[scrubbed]>"


def test_weights_that_change_while_it_runs(bench: Bench, contain: bool, tmp_path: Path) -> None:
    net = tmp_path / "net.bin"
    net.write_bytes(b"a" * 100)
    spec = spec_of(extra=WEIGHTS.format(hashlib.sha256(net.read_bytes()).hexdigest()))
    generator = bench.generator(spec, contain=contain, weights={"net": net})
    bench.program("import time\nopen('results/ready', 'w')\ntime.sleep(0.8)\ngive('forged.mp4')")
    swap = subprocess.Popen(
        ["sh", "-c", f"sleep 0.4; cp -p {bench.checkout.name!r}/program.py '{net}'"], cwd=bench.checkout.parent
    )
    with pytest.raises(JobError) as caught:
        generator.generate(bench.job())
    swap.wait()
    assert caught.value.code == "hash_mismatch"
    assert "net" in caught.value.detail


def test_a_program_that_writes_through_the_link_to_its_weights(bench: Bench, tmp_path: Path) -> None:
    net = tmp_path / "net.bin"
    net.write_bytes(b"a" * 100)
    bench.program("give('forged.mp4')\nopen('weights/net.bin', 'ab').write(b'x')")
    with pytest.raises(JobError) as caught:
        bench.generator(spec_of(extra=WEIGHTS.format("")), weights={"net": net}).generate(bench.job())
    assert caught.value.code == "hash_mismatch"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('path = "results/out.mp4"', 'path = "."'),
        ('path = "results/out.mp4"', 'path = "a**b/out.mp4"'),
        ('"program.py"', '"program.py", "a\\u0000b"'),
        ("retries = 0", 'retries = 0\nenv = {A = "a\\u0000b"}'),
        ("retries = 0", "retries = 0\nmemory_gb = inf"),
        ("retries = 0", "retries = 0\nmemory_gb = 1e300"),
        ("retries = 0", "retries = 0\nmax_output_gb = inf"),
        ("retries = 0", "retries = 0\nmax_seconds = inf"),
        ("[licences]", "[params]\nx = nan\n[licences]"),
        ("[licences]", '[[run.files]]\npath = "."\ntext = "x"\n[licences]'),
        ("[licences]", '[[weights]]\nname = "w"\npath = "./"\nget = "x"\n[licences]'),
        ("[licences]", f"[params]\nx = {'[' * 5000}\n[licences]"),
        ("[licences]", f"[params]\nx = {'9' * 5000}\n[licences]"),
    ],
)
def test_absurd_specs_are_refused(old: str, new: str) -> None:
    with pytest.raises(SpecError):
        spec_of((old, new))


def test_a_parameter_that_no_command_line_can_hold(bench: Bench) -> None:
    spec = spec_of(('"program.py"', '"program.py", "{param.x}"'), extra='\n[params]\nx = "a"\n')
    with pytest.raises(JobError) as caught:
        bench.generator(spec).generate(bench.job(params={"x": "a\0b"}))
    assert caught.value.code == "input_unsupported"


def test_the_limit_that_is_told_is_the_users(bench: Bench) -> None:
    bench.program("import time; time.sleep(9)")
    with pytest.raises(JobError, match=r"within 0\.5 s"):
        bench.generator(timeout=0.5).generate(bench.job())


def test_what_a_program_locked_is_removed(tmp_path: Path) -> None:
    inner = tmp_path / "top" / "locked" / "deep"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    inner.chmod(0)
    inner.parent.chmod(0)
    place._remove(tmp_path / "top")
    assert not (tmp_path / "top").exists()


def test_a_shown_folder_shows_what_is_in_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("x")
    assert _hidden_ones([tmp_path / "a", tmp_path, tmp_path / "b"]) == [str(tmp_path)]
