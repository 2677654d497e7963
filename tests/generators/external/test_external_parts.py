"""The parts of the runner for themselves: specs, shadows, command lines, templates, comparisons."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from external_bench import Bench, spec_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_source import make_take

from cmdfd.media.decode import read_audio, read_video
from generators.external import compare
from generators.external.catalogue import find_spec, is_external, parse_spec, read_spec
from generators.external.contain import Containment, contained
from generators.external.installed import Installed, read_installed
from generators.external.logs import ScrubbedLog
from generators.external.plain_encode import STAGING, Coding, write_plain
from generators.external.runner import job_address
from generators.external.runtimes import Site, make_call
from generators.external.shadow import make_shadow, real_folder
from generators.external.spec import SpecError
from generators.external.stage import box_of, prepare, staged_frames, still_index, wav_bytes
from generators.external.template import Values, published

# ---- specs


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[inputs.face]", "[inputs.face]\nsquare = 1.5", 9, ("inputs.face.square",)),
        ("timeout = 20", "tmeout = 20", 15, ("unknown key 'run.tmeout'", "did you mean 'timeout'")),
        ('family = "lipsync"', 'family = "lip-sync"', 5, ("'lip-sync'", "lipsync")),
        ('"{face}", ', '"{fcae}", ', 13, ("{fcae}", "did you mean 'face'")),
        ('code = "face_not_found"', 'code = "no_face"', 19, ("unknown code 'no_face'",)),
        ('id = "probe"\n', "", 1, ("the key 'id' is missing",)),
        ('path = "results/out.mp4"', 'path = "../out.mp4"', 11, ("output.path", "stays in the checkout")),
        ('path = "results/out.mp4"', 'path = "/tmp/out.mp4"', 11, ("output.path",)),
        ("[output]", "[output]\npicture = false", 11, ("output.picture", "must be true")),
        ("[run]", '[run]\nkeep = ["other/x"]', 13, ("run.keep", "other/x")),
        ("[run]", "[run", 12, ("not TOML",)),
    ],
)
def test_mistakes_are_told_with_file_line_and_word(old: str, new: str, line: int, words: tuple[str, ...]) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of((old, new))
    text = str(caught.value)
    assert text.startswith(f"probe.toml:{line}:"), text
    assert all(word in text for word in words), text


def test_every_example_of_the_schema_is_valid() -> None:
    import tomllib

    from generators.external import template as module

    readme = (Path(module.__file__).parent / "specs" / "README.md").read_text("utf-8")
    example, config = (part.split("```")[0] for part in readme.split("```toml\n")[1:])
    assert parse_spec(example, "README.md").id == "wav2lip"
    known = {name.split(".")[0] for name in module.PLACEHOLDERS}
    assert all(f"{{{name}}}" in readme for name in known)
    for table in tomllib.loads(config).values():
        Installed.model_validate(table)


def test_names_of_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_external("external/x")
    assert is_external("a/b.toml")
    assert not is_external("audio/swap")
    with pytest.raises(SpecError, match="unknown external generator"):
        find_spec("external/no-such-generator")
    with pytest.raises(SpecError, match="no such file"):
        read_spec(tmp_path / "none.toml")
    monkeypatch.setenv("CMDFD_GENERATORS", str(tmp_path / "g.toml"))
    with pytest.raises(SpecError, match="no such file"):
        read_installed()
    (tmp_path / "g.toml").write_text('[x]\ncheckout = "/a"\npyton = "/b"\n')
    with pytest.raises(SpecError, match=r"g\.toml:3: .*did you mean 'python'"):
        read_installed()


WORDS = st.dictionaries(st.sampled_from("abc"), st.text("0123456789abcdef", min_size=4, max_size=4), min_size=1)


@settings(max_examples=60)
@given(WORDS, st.integers(0, 5), st.integers(0, 99))
def test_the_address_changes_with_any_input_parameter_or_seed(inputs: dict[str, str], x: int, seed: int) -> None:
    spec = SPEC_OF_THE_PROPERTY
    base = job_address(spec, inputs, {"x": x}, seed)
    assert len(base) == 32
    name = sorted(inputs)[0]
    changed = {**inputs, name: inputs[name][::-1] + "0"}
    assert base != job_address(spec, changed, {"x": x}, seed)
    assert base != job_address(spec, inputs, {"x": x + 1}, seed)
    assert base != job_address(spec, inputs, {"x": x}, seed + 1)
    assert base == job_address(spec, dict(inputs), {"x": x}, seed)


SPEC_OF_THE_PROPERTY = spec_of()


# ---- templates


@given(st.text(max_size=40))
def test_words_to_speak_are_never_looked_at_again(text: str) -> None:
    values = Values({"text": text, "seed": "5", "face": "inputs/in_a.mp4"}, {})
    assert values.fill("{text}") == text
    assert values.fill("--t={text} {seed} {nothing} {face.stem}") == f"--t={text} 5 {{nothing}} in_a"


def test_arguments_lists_and_what_is_published() -> None:
    values = Values({"face": "f"}, {"pads": [0, -1.5], "word": "a b", "yes": True})
    assert values.arguments(["{param.pads}", "x{param.pads}", "{param.word}", "{param.yes}"]) == [
        "0", "-1.5", "x0 -1.5", "a b", "true",
    ]  # fmt: skip
    assert published(["/a/b/c/x", "/a/b"], {"job": "/a/b/c", "top": "/a/b", "none": ""}) == ["{job}/x", "{top}"]


# ---- shadows


def test_a_shadow_copies_links_and_leaves_out(tmp_path: Path) -> None:
    real = tmp_path / "real.1"
    for name in ("pkg/deep", ".git", "temp", "examples/ckpt", "__pycache__"):
        (real / name).mkdir(parents=True)
    for name in ("run.py", "pkg/deep/mod.py", ".git/config", "temp/old.avi", "examples/ckpt/a.pth", "examples/b.wav"):
        (real / name).write_text(name)
    (real / "pkg" / "large.bin").write_bytes(bytes(1 << 20))
    outside = tmp_path / "data"
    outside.mkdir()
    (outside / "w.pth").write_text("w")
    (real / "linked").symlink_to(outside)
    (real / "loop").symlink_to(real)
    (real / "broken").symlink_to("nowhere")
    root = tmp_path / "shadow"
    private = [PurePosixPath("temp"), PurePosixPath("examples"), PurePosixPath("linked/out")]
    weights = {PurePosixPath("linked/w.pth"): real / "pkg" / "large.bin"}
    links = make_shadow(real, root, private=private, keep=[PurePosixPath("examples/ckpt")], weights=weights)
    assert (root / "run.py").read_text() == "run.py"
    assert not (root / "run.py").is_symlink()
    assert not (root / "pkg" / "deep").is_symlink()
    assert (root / "pkg" / "large.bin").is_symlink()
    assert list((root / "temp").iterdir()) == []
    assert [one.name for one in (root / "examples").iterdir()] == ["ckpt"]
    assert not (root / ".git").exists()
    assert outside.resolve() in links
    # a weight and a private folder inside a linked folder must not reach the user's own
    assert (root / "linked" / "w.pth").resolve() == real / "pkg" / "large.bin"
    assert sorted(one.name for one in outside.iterdir()) == ["w.pth"]
    assert (outside / "w.pth").read_text() == "w"
    (root / "run.py").write_text("changed")
    assert (real / "run.py").read_text() == "run.py"


def test_a_real_folder_is_never_somebody_elses(tmp_path: Path) -> None:
    other, root = tmp_path / "other", tmp_path / "root"
    (other / "a").mkdir(parents=True)
    root.mkdir()
    (root / "x").symlink_to(other)
    made = real_folder(root, PurePosixPath("x/a/b"))
    assert made == root / "x" / "a" / "b"
    assert list((other / "a").iterdir()) == []


# ---- command lines that cannot all be tried here


def call_of(bench: Bench, spec_extra: str = "", **changes: object) -> list[str]:
    spec = spec_of(("[run]", '[run]\nneeds = ["ffmpeg"]\ncpu_args = ["--cpu"]'), extra=spec_extra)
    words = {"python": "python", "face": "inputs/f.mp4", "audio": "inputs/a.wav", "out": "results/out.mp4"}
    site = Site(
        Path("/scratch/job/box"), Path("/scratch/job/box/checkout"), "cmdfd-job-1", {"HOME": "/h", "PATH": "/b"}
    )
    return list(make_call(spec, bench.installed(**changes), Values(words, {}), {}, site).command)


TAIL = ["python", "program.py", "inputs/f.mp4", "inputs/a.wav", "results/out.mp4"]


def test_command_lines_of_the_runtimes(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("uv", "conda", "docker", "cog"):
        (programs / name).write_text("")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    root = str(bench.checkout)
    assert call_of(bench) == [*TAIL, "--cpu"]
    assert call_of(bench, runtime="uv", device="cuda") == [
        str(programs / "uv"), "run", "--no-sync", "--offline", "--project", root, *TAIL,
    ]  # fmt: skip
    conda = [str(programs / "conda"), "run", "--no-capture-output"]
    assert call_of(bench, runtime="conda", conda_env="w2l") == [*conda, "-n", "w2l", *TAIL, "--cpu"]
    assert call_of(bench, runtime="conda", conda_env="/e/w2l") == [*conda, "-p", "/e/w2l", *TAIL, "--cpu"]
    docker = call_of(bench, runtime="container", image="me/w2l:1", device="cuda", checkout=Path("/c"))
    assert docker[: docker.index("me/w2l:1")] == [
        str(programs / "docker"), "run", "--rm", "--name", "cmdfd-job-1", "--network", "none", "--read-only",
        "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--user", f"{os.getuid()}:{os.getgid()}", "--volume", "/scratch/job/box:/scratch/job/box",
        "--workdir", "/scratch/job/box/checkout", "--volume", "/c:/c:ro", "--gpus", "all", "--env", "HOME=/h",
    ]  # fmt: skip
    assert docker[docker.index("me/w2l:1") + 1 :] == TAIL
    cog = '[runtimes.cog]\nimage = "r8.im/x/y"\ninputs = { face = "@{face}", input_audio = "@{audio}" }\n'
    assert call_of(bench, cog, runtime="cog") == [
        str(programs / "cog"), "predict", "r8.im/x/y", "-i", "face=@inputs/f.mp4", "-i", "input_audio=@inputs/a.wav",
        "-o", "results/out.mp4",
    ]  # fmt: skip


def test_the_walls_of_bubblewrap() -> None:
    command = contained(
        ["prog"], Containment("/usr/bin/bwrap", "bubblewrap 1"), folder=Path("/j/1/box/c"), writable=Path("/j/1/box"),
        jobs=Path("/j"), readable=[Path("/nonexistent")],
    )  # fmt: skip
    text = " ".join(command)
    assert command[0] == "/usr/bin/bwrap"
    assert command[-2:] == ["--", "prog"]
    for part in ("--die-with-parent", "--unshare-pid", "--unshare-net", "--ro-bind / /", "--chdir /j/1/box/c"):
        assert part in text
    assert text.index("--ro-bind / /") < text.index("--bind /j/1/box /j/1/box") < text.index("--remount-ro /j")
    assert [command[k + 1] for k, one in enumerate(command) if one == "--bind"] == ["/j/1/box"]


# ---- logs


@given(st.lists(st.binary(max_size=30), max_size=12), st.sampled_from([b"secret-value", b"aaaaaaaa", b"ab-ab-ab-"]))
def test_a_log_never_holds_a_secret_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[bytes], secret: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "log"
    pieces = [*blocks, secret[:3], secret[3:], *blocks, secret, b"end"]
    log = ScrubbedLog(path, (secret,))
    for piece in pieces:
        log.write(piece)
        assert secret not in path.read_bytes()
    log.close()
    assert secret not in path.read_bytes()
    assert path.read_bytes().endswith(b"end")
    assert log.found >= 2


# ---- staging and comparing


def test_staged_files_hold_what_they_should(bench: Bench, tmp_path: Path) -> None:
    spec = spec_of(
        (
            "[inputs.face]",
            '[inputs.face]\ncontainer = "mkv"\nsize = 96\nfps = 50\npad_seconds = 0.2\nfolder = "examples"',
        ),
        ("[inputs.audio]", "[inputs.audio]\nsample_rate = 22050\npad_seconds = 0.24"),
    )
    (tmp_path / "s").mkdir()
    inputs = prepare(spec, bench.job(donor=None, relation=""), tmp_path / "s")
    staged = inputs.write(tmp_path)
    face, sound = tmp_path / staged.words["face"], tmp_path / staged.words["audio"]
    assert staged.words["face"].startswith("examples/in_")
    video = read_video(face)
    assert video.frames.shape == (90, 96, 96, 3)
    assert abs(float(video.times[-1]) - 89 / 50) < 0.002
    reference, _ = staged_frames(bench.take, spec.inputs.face, box_of(bench.take, square=False), rate=False)  # type: ignore[arg-type]
    assert np.abs(video.frames[0:80:2].astype(int) - reference).mean() < 2.5
    assert np.abs(video.frames[80].astype(int) - reference[-2]).mean() < 2.5  # it runs backwards behind the end
    samples = read_audio(sound, sample_rate=16000).samples
    n = round((bench.take.duration + 0.24) * 16000)
    assert abs(len(samples) - n) <= 1
    m = round(bench.take.duration * 16000)
    assert np.corrcoef(samples[:m], bench.take.audio[:m])[0, 1] > 0.99
    assert np.abs(samples[m:]).max() > 0.01  # the take goes on behind its picture
    again = prepare(spec, bench.job(donor=None, relation=""), tmp_path / "s")
    assert again.hashes == inputs.hashes


def test_the_largest_square_lies_around_the_face() -> None:
    take = make_take("square", 1.0)
    wide = np.concatenate([np.zeros_like(take.frames), take.frames, np.zeros_like(take.frames)], axis=2)
    assert take.track is not None
    points = take.track.points.copy()
    points[..., 0] = (points[..., 0] + 1) / 3
    track = replace(take.track, points=points)
    box = box_of(replace(take, frames=wide, track=track), square=True)
    assert (box.width, box.height, box.y) == (64, 64, 0)
    assert abs(box.x - 64) <= 3
    assert box_of(replace(take, frames=wide[:, :63, :191], track=None), square=False).width == 190


def test_the_still_has_closed_lips() -> None:
    from generators.video.face_frame import opening

    take = make_take("still", 2.0)
    assert take.track is not None
    openings = opening(take.track, 1.0)
    chosen = still_index(take, 0.8, closed=True)
    assert openings[chosen] <= openings.min() + 0.2 * np.ptp(openings) + 1e-6
    assert still_index(take, 0.8, closed=False) == 20


def test_silence_is_dithered_and_sound_is_not() -> None:
    samples = np.concatenate([np.zeros(500), 0.25 * np.ones(500)]).astype(np.float32)
    plain = np.frombuffer(wav_bytes(samples, 16000, dither=False)[44:], "<i2")
    noisy = np.frombuffer(wav_bytes(samples, 16000, dither=True)[44:], "<i2")
    assert (plain[:500] == 0).all()
    assert set(noisy[:500]) == {-1, 0, 1}
    assert (noisy[500:] == plain[500:]).all()


@pytest.mark.parametrize("coding", [*STAGING.values(), Coding("matroska", "libx264", 26), Coding("avi", "mpeg4", 5),
                                    Coding("matroska", "libvpx-vp9", 31)])  # fmt: skip
def test_a_recoded_copy_is_the_same_and_a_patch_is_not(coding: Coding, bench: Bench, tmp_path: Path) -> None:
    frames = bench.take.frames[:20]
    path = tmp_path / "x"
    write_plain(path, frames, 25, None, 16000, coding)
    first = path.read_bytes()
    write_plain(path, frames, 25, None, 16000, coding)
    assert path.read_bytes() == first
    copy = read_video(path).frames
    assert compare.same_picture(copy, frames)
    assert compare.same_picture(copy[2:], frames[:-2])
    patched = copy.copy()
    patched[:, 40:50, 26:40] = 255 - patched[:, 40:50, 26:40]
    assert not compare.same_picture(patched, frames)
    masks = compare.change_masks(patched, frames)
    assert masks[:, 44:46, 30:36].mean() > 150
    assert masks[:, :30].max() == 0


def test_colours_of_a_wrong_matrix_are_put_right(bench: Bench) -> None:
    frames = bench.take.frames[:12]
    matrix = np.array([[1.08, -0.07, -0.02], [0.1, 0.83, 0.06], [-0.02, -0.02, 1.04]])
    shifted = np.clip(frames @ matrix.T * 0.86 + 16, 0, 255).astype(np.uint8)
    shifted[:, 40:52, 20:44] = 250
    fit = compare.colour_map(shifted, frames)
    assert fit is not None
    right = compare.recoloured(shifted, fit)
    assert np.abs(right[:, :36].astype(int) - frames[:, :36]).mean() < 2
    assert compare.colour_map(frames, frames) is None
    patched = frames.copy()
    patched[:, 30:60, 10:54] = 250
    assert compare.colour_map(patched, frames) is None


def test_sounds_alike_and_unlike() -> None:
    rng = np.random.default_rng(1)
    sound = rng.standard_normal(16000).astype(np.float32)
    assert compare.sound_likeness(-0.3 * sound, sound, 16000) > 0.999
    assert compare.sound_likeness(np.roll(sound, 800), sound, 16000) > 0.9
    assert compare.sound_likeness(rng.standard_normal(16000).astype(np.float32), sound, 16000) < 0.1
    assert compare.sound_likeness(np.zeros(10, np.float32), sound, 16000) == 0


def test_the_interpreter_of_a_virtual_environment_stays_its_own() -> None:
    assert Installed(python=Path(sys.executable)).python == Path(sys.executable).absolute()
