"""One program per failure, run through the real runner: each ends in exactly its code, contained or not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from external_bench import Bench, sound_spec, spec_of

from cmdfd.errors import JobError

SECRET = "s3cr3t-value-of-the-tests"

FAILURES = {
    "exit 0 without a file": ("", "output_missing"),
    "a file of no bytes": ("open(out, 'w').close()", "output_corrupt"),
    "half a file": ("give('cut.mp4')", "output_corrupt"),
    "text instead of media": ("open(out, 'w').write('#EXTM3U' + chr(10) + '/etc/passwd')", "output_corrupt"),
    "an exception": ("raise RuntimeError('no')", "crashed"),
    "a good file and a bad exit code": ("give('forged.mp4'); sys.exit(3)", "crashed"),
    "a signal": ("os.abort()", "crashed"),
    "no memory": ("x = bytearray(1 << 40)", "oom"),
    "no memory on a GPU": ("sys.exit('RuntimeError: CUDA out of memory. Tried to allocate 2 GiB')", "oom"),
    "killed by the system": ("os.kill(os.getpid(), 9)", "oom"),
    "its input again": ("give('same.mp4')", "output_identical"),
    "too short": ("give('short.mp4')", "av_mismatch"),
    "another clock": ("give('slow.mp4')", "av_mismatch"),
    "black": ("give('black.mp4')", "output_corrupt"),
    "another shape": ("give('wide.mp4')", "output_corrupt"),
    "no face, exit 0": ("print('ValueError: Face NOT detected! Ensure ...')", "face_not_found"),
    "no face, exit 1": ("sys.exit('Face not detected')", "face_not_found"),
    "bad sound": ("sys.exit('ValueError: Mel contains nan!')", "audio_invalid"),
    "a missing package": ("import no_such_package_of_the_tests", "env_missing"),
    "a link to elsewhere": ("os.symlink('/etc/hostname', out)", "output_missing"),
    "a folder that is a link": ("os.rmdir('results'); os.symlink('/etc', 'results')", "output_missing"),
    "a pipe": ("os.mkfifo(out)", "output_missing"),
    "a folder": ("os.mkdir(out)", "output_missing"),
    "a secret on stdout, though good": (f"give('forged.mp4'); print('token={SECRET}')", "secret_printed"),
    "a secret in a file": (f"give('forged.mp4'); open('results/log.json', 'w').write('{SECRET}')", "secret_printed"),
    "a secret and a crash": (f"sys.exit('bad key {SECRET}')", "secret_printed"),
}  # fmt: skip

#: Cases that walls could change; the others run inside them in the slow part.
INSIDE = ("exit 0 without a file", "no memory", "killed by the system", "a link to elsewhere", "a secret in a file")
CASES = [
    *(pytest.param(case, False, id=case) for case in FAILURES),
    *(
        pytest.param(case, True, id=f"{case}, contained", marks=[] if case in INSIDE else pytest.mark.slow)
        for case in FAILURES
    ),
]


@pytest.mark.parametrize(("case", "contain"), CASES, indirect=["contain"])
def test_every_failure_has_its_code(
    bench: Bench, case: str, contain: bool, monkeypatch: pytest.MonkeyPatch, scratch: Path
) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", SECRET)
    text, code = FAILURES[case]
    bench.program(text)
    with pytest.raises(JobError) as caught:
        bench.generator(contain=contain).generate(bench.job())
    assert caught.value.code == code, caught.value
    assert caught.value.generator == "external/probe"
    assert SECRET not in str(caught.value)
    assert list(scratch.iterdir()) == []


OUTSIDE = {
    "beside its checkout": "open('../stray.txt', 'w').write('x')",
    "beside the job": "open('../../../stray.txt', 'w').write('x')",
    "in the real checkout": "open({checkout!r} + '/stray.txt', 'w').write('x')",
    "over a file of the checkout": "open({checkout!r} + '/media/forged.mp4', 'ab').write(b'x')",
    "in the home folder": "open({home!r} + '/stray.txt', 'w').write('x')",
}


@pytest.mark.parametrize("place", OUTSIDE)
def test_writing_outside_is_found_or_prevented(bench: Bench, place: str, contain: bool) -> None:
    media = bench.checkout / "media" / "forged.mp4"
    before = media.read_bytes()
    write = OUTSIDE[place].format(checkout=str(bench.checkout), home=os.environ["HOME"])
    bench.program(f"give('forged.mp4')\n{write}")
    try:
        with pytest.raises(JobError) as caught:
            bench.generator(contain=contain).generate(bench.job())
        assert caught.value.code == "wrote_outside", caught.value
        if contain:
            assert media.read_bytes() == before
            assert not (bench.checkout / "stray.txt").exists()
    finally:
        (bench.checkout / "stray.txt").unlink(missing_ok=True)
        media.write_bytes(before)


def test_an_attempt_that_is_told_counts_even_with_a_good_file(bench: Bench) -> None:
    from generators.external.contain import probe

    if not probe().program:
        pytest.skip(probe().reason)
    bench.program(
        f"give('forged.mp4')\ntry: open({str(bench.checkout)!r} + '/x', 'w')\nexcept OSError as error: print(error)"
    )
    with pytest.raises(JobError) as caught:
        bench.generator(contain=True).generate(bench.job())
    assert caught.value.code == "wrote_outside"


def test_sound_failures(bench: Bench, contain: bool) -> None:
    for name, code in {
        "same.wav": "output_identical",
        "quiet.wav": "output_corrupt",
        "short.wav": "av_mismatch",
    }.items():
        bench.program(f"give('{name}')")
        with pytest.raises(JobError) as caught:
            bench.generator(sound_spec(), contain=contain).generate(bench.job())
        assert caught.value.code == code, (name, caught.value)


def test_silent_and_missing_own_sound(bench: Bench) -> None:
    spec = spec_of(('path = "results/out.mp4"', 'path = "results/out.mp4"\nsound = "own"'))
    for name in ("silent.mp4", "mute.mp4"):
        bench.program(f"give('{name}')")
        with pytest.raises(JobError) as caught:
            bench.generator(spec).generate(bench.job())
        assert caught.value.code == "output_corrupt", name


def test_what_the_doctor_refuses(bench: Bench, tmp_path: Path) -> None:
    bench.program("give('forged.mp4')")
    weight = '[[weights]]\nname = "net"\npath = "net.pth"\nsha256 = "%s"\nget = "ask the authors"\n'
    good = spec_of()
    net = tmp_path / "net.pth"
    net.write_bytes(b"weights")
    cases = [
        ("env_missing", good, {"python": tmp_path / "none"}),
        ("env_missing", good, {"checkout": tmp_path / "none"}),
        ("env_missing", spec_of(("[run]", '[run]\nneeds = ["no-such-program"]')), {}),
        ("env_missing", spec_of(("[run]", '[run]\nmodules = ["json", "no_such_module"]')), {}),
        ("env_missing", spec_of(("[run]", '[run]\nfiles_needed = ["models/none.py"]')), {}),
        ("env_missing", spec_of(("[run]", '[run]\ngpu = "required"')), {}),
        ("licence_refused", good, {"accept_licence": False}),
        ("weights_missing", spec_of(extra=weight % ""), {}),
        ("weights_missing", spec_of(extra=weight % ""), {"weights": {"net": tmp_path / "none.pth"}}),
        ("hash_mismatch", spec_of(extra=weight % ("0" * 64)), {"weights": {"net": net}}),
    ]
    for code, spec, changes in cases:
        with pytest.raises(JobError) as caught:
            bench.generator(spec, **changes).generate(bench.job())
        assert caught.value.code == code, (changes, caught.value)


def test_unsuitable_takes(bench: Bench) -> None:
    from dataclasses import replace

    import numpy as np

    bench.program("give('forged.mp4')")
    silent = replace(bench.donor, audio=np.zeros_like(bench.donor.audio))
    broken = replace(bench.donor, audio=np.full_like(bench.donor.audio, np.nan))
    brief = replace(bench.donor, audio=bench.donor.audio[:8000])
    long_only = spec_of(("[run]", "[run]\nmin_seconds = 3"))
    words = sound_spec(
        ("[inputs.audio]", "[inputs.text]"), ('"{audio}", "{reference}"', '"{text}", "{reference}"'), family="tts"
    )
    for code, job, spec in [
        ("audio_invalid", bench.job(donor=silent), spec_of()),
        ("audio_invalid", bench.job(donor=broken), spec_of()),
        ("input_unsupported", bench.job(donor=brief), spec_of()),
        ("input_unsupported", bench.job(), long_only),
        ("input_unsupported", bench.job(), words),
        ("input_unsupported", bench.job(donor=None), sound_spec()),
    ]:
        with pytest.raises(JobError) as caught:
            bench.generator(spec).generate(job)
        assert caught.value.code == code, caught.value


def test_only_what_may_pass_is_tried_again(bench: Bench, tmp_path: Path) -> None:
    from generators.external.spec import ExternalSpec

    marks = tmp_path / "marks"
    spec = ExternalSpec.model_validate({**spec_of().as_data(), "run": {**spec_of().run.model_dump(), "retries": 2}})
    for text, times in [("sys.exit(1)", 3), ("", 1), ("give('same.mp4')", 1)]:
        marks.write_text("")
        bench.program(f"open({str(marks)!r}, 'a').write('x')\n{text}")
        with pytest.raises(JobError):
            bench.generator(spec).generate(bench.job())
        assert marks.read_text() == "x" * times
    marks.write_text("")
    bench.program(f"open({str(marks)!r}, 'a').write('x')\nif len(open({str(marks)!r}).read()) < 2: sys.exit(1)\n"
                  "give('forged.mp4')")  # fmt: skip
    assert bench.generator(spec).generate(bench.job()).labels.label == 1


def test_an_enormous_log_is_cut_and_does_no_harm(bench: Bench, contain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from generators.external import logs

    monkeypatch.setattr(logs, "HEAD_BYTES", 10_000)
    monkeypatch.setattr(logs, "TAIL_BYTES", 20_000)
    monkeypatch.setenv("CMDFD_KEEP_SCRATCH", "1")
    bench.program("for _ in range(6000): print('x' * 999)\nprint('the last word', file=sys.stderr)\nsys.exit(1)")
    begun = time.monotonic()
    with pytest.raises(JobError) as caught:
        bench.generator(contain=contain).generate(bench.job())
    assert caught.value.detail.endswith("the last word")
    assert time.monotonic() - begun < 20
    kept = next(Path(os.environ["CMDFD_SCRATCH"]).glob("cmdfd-kept-*/logs/stdout"))
    assert kept.stat().st_size < 10_000 + logs.TAIL_BYTES + 100
    assert kept.read_bytes().endswith(b"x" * 999 + b"\n")


def test_a_secret_never_reaches_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMDFD_KEEP_SCRATCH", "1")
    token = Path(os.environ["HOME"]) / ".cache" / "huggingface" / "token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_abcdefghijklmnop\n")
    bench.program("print('hf_abc', end='', flush=True)\nprint('defghijklmnop')\nprint(sorted(os.environ))")
    with pytest.raises(JobError) as caught:
        bench.generator().generate(bench.job())
    assert caught.value.code == "secret_printed"
    for path in Path(os.environ["CMDFD_SCRATCH"]).rglob("*"):
        assert not path.is_file() or b"hf_abcdefghijklmnop" not in path.read_bytes(), path
    printed = next(Path(os.environ["CMDFD_SCRATCH"]).glob("cmdfd-kept-*/logs/stdout")).read_text()
    assert "[scrubbed]" in printed
