"""Jobs that end well, through the real runner: what comes out, and what is written down."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from external_bench import START, Bench, forged_frames, new_bench, sound_spec, spec_of

from cmdfd.clip import REAL, Modality
from generators.external.contain import NOT_CONTAINED, probe
from generators.external.runner import job_address
from generators.generator import Outcome, Speech, Take, Word


def steps(outcome: Outcome) -> dict[str, dict]:
    return {one["step"]: one for one in outcome.details["normalisation"]}


def mean_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def same_shapes(made: Take, take: Take) -> bool:
    return (made.frames.shape, made.audio.shape, made.fps, made.sample_rate) == (
        take.frames.shape, take.audio.shape, take.fps, take.sample_rate,
    )  # fmt: skip


def test_a_forged_video_with_the_donors_sound(bench: Bench, contain: bool, tmp_path: Path) -> None:
    bench.program("give('forged.mp4')\nopen('temp/scratch', 'w').write('x')")
    journal = tmp_path / "journal.jsonl"
    outcome = bench.generator(contain=contain, journal=journal).generate(bench.job())
    made, take = outcome.take, bench.take
    assert same_shapes(made, take)
    assert mean_error(made.frames, forged_frames(take)) < 4.5  # what the coding leaves
    n = len(take.audio)
    donor = np.pad(bench.donor.audio, (0, max(0, n - len(bench.donor.audio))))[:n]
    assert np.array_equal(made.audio, donor)
    labels = outcome.labels
    assert (labels.label, labels.video_label, labels.audio_label, labels.sync_mismatch) == (1, 1, 0, 0)
    assert labels.identity_mismatch is None
    assert [(one.start, one.modality) for one in outcome.segments] == [(0.0, Modality.VIDEO)]
    painted = np.zeros(take.frames.shape[:3], bool)
    for k in range(len(painted)):
        painted[k, 36:56, 8 + k % 24 : 32 + k % 24] = True
    assert outcome.masks is not None
    found = outcome.masks > 0
    assert (found & painted).sum() > 0.8 * painted.sum()  # in places the pattern is as bright as the patch
    assert (found & ~painted).sum() < 0.35 * painted.sum()  # the box blurs the border by four pixels
    details = outcome.details
    assert details["containment"] == (probe().label if contain else NOT_CONTAINED)
    assert details["exit_code"] == 0
    assert details["argv"][:2] == ["{python}", "program.py"]
    assert details["argv"][2].startswith("inputs/in_")
    assert len(details["raw_sha256"]) == 64
    assert details["verified"] == "argv"
    written = json.dumps(details)
    assert all(word not in written for word in (str(bench.checkout), os.environ["HOME"], sys.executable, "/tmp"))
    line = json.loads(journal.read_text())
    assert line["code"] == "ok"
    assert line["peak_kb"] > 1000


def test_two_runs_give_the_same(bench: Bench) -> None:
    bench.program("give('forged.mp4')")
    one, two = (bench.generator().generate(bench.job()) for _ in range(2))
    assert np.array_equal(one.take.frames, two.take.frames)
    assert one.details == two.details


@pytest.mark.parametrize(
    ("name", "change", "wanted"),
    [
        ("fps30.mp4", 'path = "results/out.mp4"', {"fps": {"fps_from": 30.0, "fps_to": 25.0}}),
        ("panels.mp4", 'path = "results/out.mp4"\ncrop = [64, 0, 64, 64]', {"crop": {"box": [64, 0, 64, 64]}}),
        ("slow.mp4", 'path = "results/out.mp4"\nfps_true = 50.0', {"true fps": {"container": 25.0, "true": 50.0}}),
        ("tail.mp4", 'path = "results/out.mp4"', {"picture end": {"lost_seconds": 0.16}}),
    ],
)
def test_known_defects_are_put_right_and_written_down(bench: Bench, name: str, change: str, wanted: dict) -> None:
    bench.program(f"give('{name}')")
    outcome = bench.generator(spec_of(('path = "results/out.mp4"', change))).generate(bench.job())
    assert same_shapes(outcome.take, bench.take)
    found = steps(outcome)
    for step, facts in wanted.items():
        assert found[step].items() >= facts.items()
    first, last = round(START * 25), len(bench.take.frames) - 5
    truth = forged_frames(bench.take)
    for k in range(first, last):  # every frame shows the patch where it is at its own time
        errors = [mean_error(outcome.take.frames[k, :, :48], truth[j, :, :48]) for j in range(k - 3, k + 4)]
        assert int(np.argmin(errors)) == 3


def test_the_newest_new_file_counts(bench: Bench) -> None:
    spec = spec_of(('path = "results/out.mp4"', 'path = "made/**/*_result.mp4"'), ('"{out}"', '"{out_dir}"'))
    (bench.checkout / "made").mkdir(exist_ok=True)
    (bench.checkout / "made" / "old_result.mp4").write_bytes((bench.checkout / "media" / "black.mp4").read_bytes())
    bench.program(
        "import time\nos.makedirs('made/x')\ngive('black.mp4', 'made/x/1_result.mp4')\n"
        "os.utime('made/x/1_result.mp4', (1, 1))\n"
        "give('forged.mp4', 'made/x/%d_result.mp4' % time.time_ns())"
    )
    assert bench.generator(spec).generate(bench.job()).labels.label == 1


def test_speech_and_voice_conversion(bench: Bench) -> None:
    bench.program("give('noise.wav')")
    outcome = bench.generator(sound_spec()).generate(bench.job())
    labels = outcome.labels
    assert (labels.audio_label, labels.video_label, labels.sync_mismatch, labels.identity_mismatch) == (1, 0, 0, 1)
    assert outcome.take.frames is bench.take.frames
    assert outcome.masks is None
    assert outcome.voice_id == "v2"
    assert [one.modality for one in outcome.segments] == [Modality.AUDIO]
    n = round(bench.take.duration * 16000)
    expected = 0.1 * np.random.default_rng(5).standard_normal(n)
    assert np.corrcoef(outcome.take.audio[:n], expected)[0, 1] > 0.999
    same = bench.generator(sound_spec()).generate(bench.job(relation="same"))
    assert same.labels.identity_mismatch == 0


def test_speech_of_another_length_is_stretched_to_its_place(bench: Bench) -> None:
    spec = sound_spec(
        ('sound = "own"', 'sound = "own"\nfit = "stretch"'),
        ("[inputs.audio]", '[inputs.text]\nas = "file"'),
        ('"{audio}", "{reference}"', '"{text_file}", "{reference}"'),
        family="tts",
    )
    bench.program(
        "import wave, math, struct\nassert open(face).read() == 'two braces {seed} and more' + chr(10)\n"
        "w = wave.open(out, 'wb'); w.setnchannels(1); w.setsampwidth(2); w.setframerate(16000)\n"
        "w.writeframes(bytes(16000) + b''.join(struct.pack('<h', int(9000 * math.sin(k / 9 * math.sin(k / 900))))"
        " for k in range(16000)) + bytes(8000)); w.close()"
    )
    speech = Speech("two braces {seed}\nand more", {}, (), (Word("two", 0.4, 0.6), Word("more", 0.9, 1.2)))
    take = replace(bench.take, speech=speech)
    outcome = bench.generator(spec).generate(bench.job(take=take))
    assert outcome.labels.sync_mismatch == 1
    assert abs(steps(outcome)["stretch"]["factor"] - 0.8) < 0.03
    loud = np.abs(outcome.take.audio) > 0.02
    first, last = np.flatnonzero(loud)[[0, -1]] / 16000
    assert abs(first - 0.4) < 0.04
    assert abs(last - 1.2) < 0.04
    assert np.abs(outcome.take.audio).max() < 1


def test_families_and_their_labels(bench: Bench) -> None:
    bench.program("give('forged.mp4')")
    still = spec_of(('family = "lipsync"', 'family = "talking-head"'),
                    ("[inputs.face]", '[inputs.face]\nkind = "image"\ncontainer = "png"'))  # fmt: skip
    outcome = bench.generator(still).generate(bench.job())
    assert outcome.masks is not None
    assert outcome.masks.min() == 255
    swap = spec_of(('family = "lipsync"', 'family = "faceswap"'), ("[inputs.audio]", "[inputs.source_face]"),
                   ('"{audio}"', '"{source_face}"'), ("[output]", '[output]\nsound = "source"'))  # fmt: skip
    outcome = bench.generator(swap).generate(bench.job())
    assert outcome.take.audio is bench.take.audio
    assert (outcome.labels.identity_mismatch, outcome.face_id) == (1, "f2")
    own = bench.generator().generate(bench.job(donor=bench.take, relation="self"))
    assert own.take.audio is bench.take.audio
    assert bench.generator().generate(bench.job(donor=None, relation="")).labels.identity_mismatch == 0


def test_still_that_stays_still_is_identical(bench: Bench) -> None:
    from cmdfd.errors import JobError

    still = spec_of(('family = "lipsync"', 'family = "talking-head"'),
                    ("[inputs.face]", '[inputs.face]\nkind = "image"\ncontainer = "png"\nframe = "start"'))  # fmt: skip
    from external_bench import MP4

    from generators.external.plain_encode import write_plain

    frames = np.repeat(bench.take.frames[5:6], 40, axis=0)
    write_plain(bench.checkout / "media" / "still.mp4", frames, 25, bench.take.audio, 16000, MP4)
    bench.program("give('still.mp4')")
    with pytest.raises(JobError) as caught:
        bench.generator(still).generate(bench.job())
    assert caught.value.code == "output_identical"


def test_what_a_program_sees(bench: Bench, contain: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:1")
    monkeypatch.setenv("MY_TOKEN", "abcdefghijkl")
    monkeypatch.setenv("LET_THROUGH", "yes")
    told = tmp_path / "told.json"
    bench.program(
        "import json, socket\ntry: socket.create_connection(('127.0.0.1', 9), 0.2); net = 'open'\n"
        "except ConnectionRefusedError: net = 'refused'\nexcept OSError as e: net = str(e)\n"
        "json.dump([dict(os.environ), os.getcwd(), sys.argv, sorted(os.listdir('.')), os.path.abspath(__file__), net,\n"
        "  sys.path[0]], open('temp/told', 'w'))\ngive('forged.mp4')\nprint(open('temp/told').read())"
    )
    monkeypatch.setenv("CMDFD_KEEP_SCRATCH", "1")
    bench.program((bench.checkout / "program.py").read_text() + "\nsys.exit(9)")
    with pytest.raises(Exception, match="exit code 9"):
        bench.generator(contain=contain, env_allow=["LET_THROUGH"]).generate(bench.job())
    told = next(Path(os.environ["CMDFD_SCRATCH"]).glob("cmdfd-kept-*/box/checkout/temp/told"))
    environment, cwd, argv, listing, script, _, path = json.loads(told.read_text())
    assert not {"HTTPS_PROXY", "MY_TOKEN", "CMDFD_SCRATCH"} & environment.keys()
    assert environment["LET_THROUGH"] == "yes"
    assert (
        environment["HF_HUB_OFFLINE"]
        == environment["TRANSFORMERS_OFFLINE"]
        == environment["HF_DATASETS_OFFLINE"]
        == "1"
    )
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        assert environment[name].startswith(os.environ["CMDFD_SCRATCH"])
    assert script == f"{cwd}/program.py"
    assert path == cwd
    assert all("." not in Path(one).with_suffix("").as_posix() for one in argv[1:3])
    assert {"inputs", "media", "program.py", "results", "temp"} <= set(listing)


def test_contained_there_is_no_network_and_no_stranger(bench: Bench, tmp_path: Path) -> None:
    if not probe().program:
        pytest.skip(probe().reason)
    import socket

    stranger = tmp_path / "stranger.txt"
    stranger.write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        check = (f"import socket\ntry: socket.create_connection(('127.0.0.1', {port}), 1); sys.exit('network')\n"
                 f"except OSError: pass\nif os.path.exists({str(stranger)!r}): sys.exit('sees strangers')\n"
                 "if sum(p.isdigit() for p in os.listdir('/proc')) > 4: sys.exit('sees processes')\n")  # fmt: skip
        bench.program(check + "give('forged.mp4')")
        assert bench.generator(contain=True).generate(bench.job()).labels.label == 1


def test_two_jobs_at_once_on_one_checkout(bench: Bench) -> None:
    bench.program(
        "import time\nassert not os.path.exists('temp/scratch')\nopen('temp/scratch', 'w').write(face)\n"
        "time.sleep(0.3)\n"
        "assert open('temp/scratch').read() == face\ngive('forged.mp4')"
    )
    results: list[object] = []

    def work(donor: Take) -> None:
        try:
            results.append(bench.generator().generate(bench.job(donor=donor)).details["exit_code"])
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in (bench.donor, bench.take, bench.donor)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0, 0]
    assert not (bench.checkout / "temp").exists()


def test_weights_lie_where_the_program_wants_them(bench: Bench, contain: bool, tmp_path: Path) -> None:
    net = tmp_path / "elsewhere.pth"
    net.write_bytes(b"n" * (2 << 20))
    weight = '[[weights]]\nname = "net"\npath = "temp/deep/net.pth"\nget = "x"\n'
    spec = spec_of(('"{out}"]', '"{out}", "{weights.net}"]'), extra=weight)
    bench.program("assert sys.argv[4] == 'temp/deep/net.pth', sys.argv\n"
                  "assert len(open(sys.argv[4], 'rb').read()) == 2 << 20\n"
                  "give('forged.mp4')")  # fmt: skip
    outcome = bench.generator(spec, contain=contain, weights={"net": net}).generate(bench.job())
    import hashlib

    assert outcome.details["weights"] == {"net": hashlib.sha256(net.read_bytes()).hexdigest()}
    assert net.stat().st_size == 2 << 20


def test_parameters_flags_files_and_seed(bench: Bench) -> None:
    spec = spec_of(
        ('"{out}"]', '"{out}", "--pads", "{param.pads}", "{face.stem}"]\nseed_arg = ["--seed", "{seed}"]\n'
         'cpu_args = ["--cpu"]'),
        ("[[messages]]\nmatch = \"Face", '[run.flags]\nfast = ["--fast"]\nslow = ["--slow"]\n[[run.files]]\n'
         'path = "sub/task.yaml"\ntext = "face: {face} { other }"\n[params]\npads = [0, 10]\nfast = false\n'
         'slow = false\n'
         '[[messages]]\nmatch = "Face'),
    )  # fmt: skip
    bench.program(
        "rest = sys.argv[4:]\nstem = os.path.splitext(os.path.basename(face))[0]\n"
        "assert rest[:4] == ['--pads', '3', '4', stem], rest\n"
        "assert rest[4] == '--seed' and int(rest[5]) >= 0 and rest[6:] == ['--fast', '--cpu'], rest\n"
        "assert open('sub/task.yaml').read() == 'face: ' + face + ' { other }'\ngive('forged.mp4')"
    )
    job = bench.job(params={"pads": [3, 4], "fast": True, "slow": False})
    assert bench.generator(spec).generate(job).labels.label == 1


def test_ffmpeg_is_supplied_where_there_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch, contain: bool) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CMDFD_FFMPEG", raising=False)
    bench.program(
        "import subprocess\nsubprocess.run(['ffmpeg', '-version'], check=True, capture_output=True)\ngive('forged.mp4')"
    )
    spec = spec_of(("[run]", '[run]\nneeds = ["ffmpeg"]'))
    assert bench.generator(spec, contain=contain).generate(bench.job()).details["exit_code"] == 0


def test_the_sham_is_genuine_and_coded(bench: Bench) -> None:
    spec = spec_of(extra='[sham]\nencodes = [{codec = "mpeg4", crf = 5}, {codec = "libx264", crf = 23}]\n')
    outcome = bench.generator(spec).sham(bench.job())
    assert outcome.labels == REAL
    assert outcome.segments == ()
    assert outcome.masks is None
    assert same_shapes(outcome.take, bench.take)
    assert 0.3 < mean_error(outcome.take.frames, bench.take.frames) < 6
    codecs = [one["codec"] for one in outcome.details["normalisation"] if one["step"] == "code"]
    assert codecs == ["libx264", "mpeg4", "libx264"]
    sound = sound_spec(extra="[sham]\nsample_rate = 22050\naac = 64000\n")
    coded = bench.generator(sound).sham(bench.job())
    assert coded.take.frames is bench.take.frames
    n = round(bench.take.duration * 16000)
    assert 0.95 < np.corrcoef(coded.take.audio[:n], bench.take.audio[:n])[0, 1] < 0.99999


def test_the_address_follows_everything_that_counts() -> None:
    spec = spec_of()
    inputs, params = {"face": "a", "audio": "b"}, {"x": 1}
    base = job_address(spec, inputs, params, 3)
    others = [
        job_address(spec, {**inputs, "face": "c"}, params, 3),
        job_address(spec, inputs, {"x": 2}, 3),
        job_address(spec, inputs, params, 4),
        job_address(spec, inputs, params, 3, version=99),
        job_address(spec_of(('summary = "a program of the tests"', 'summary = "s"\nversion = 2')), inputs, params, 3),
    ]
    assert len({base, *others}) == 6
    assert base == job_address(spec_of(), dict(reversed(inputs.items())), params, 3)


def test_a_path_is_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from external_bench import SPEC

    from generators.external.adapter import external

    bench = new_bench(tmp_path)
    bench.program("give('forged.mp4')")
    (tmp_path / "mine.toml").write_text(SPEC)
    config = tmp_path / "generators.toml"
    config.write_text(
        f'[probe]\ncheckout = "{bench.checkout}"\npython = "{sys.executable}"\naccept_licence = true\n', "utf-8"
    )
    monkeypatch.setenv("CMDFD_GENERATORS", str(config))
    generator = external(str(tmp_path / "mine.toml"))
    assert generator.spec.name == str(tmp_path / "mine.toml")
    assert generator.spec.needs_donor
    assert generator.spec.output_licence == "research-only"
    assert generator.generate(bench.job()).details["exit_code"] == 0
