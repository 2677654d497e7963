"""What comes out of a platform: its profile kept, the same bytes again, nothing of the upload left; and bad input."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_tools import ffmpeg
from moving_square import Pattern, make
from PIL import Image

from cmdfd.audit.measure import measure_file
from cmdfd.clip import sha256_file
from cmdfd.errors import JobError, MediaError
from cmdfd.media.decode import read_audio, read_video
from cmdfd.media.ffmpeg import find_ffmpeg
from generators.social.__main__ import main
from generators.social.check import meets, read_for_check
from generators.social.profile import BUILTIN, find_profile, parse_profile
from generators.social.source import read_source
from generators.social.transmit import resolve_chain, transmit

CHAINS = ("whatsapp+facebook_sd", "youtube_360+messenger")
#: Their encoding takes longest; profiles of the same kind stay.
SLOW = ("youtube_720", "youtube_360+messenger")


def textured(folder: Path, *, fps: int = 25, size: str = "320x240", seconds: float = 1.0, name: str = "a.mp4") -> Path:
    """A clip that is hard to code, with stereo noise: rate control has work, and every option of x264 matters."""
    path = folder / name
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps},noise=alls=30:allf=t", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.2:sample_rate=48000,aformat=channel_layouts=stereo", "-t", seconds,
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", 12, "-c:a", "aac", "-b:a", "192k",
        "-metadata", "title=private", "-metadata", "location=+48.1+011.5/", path,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def upload(tmp_path_factory) -> Path:
    return textured(tmp_path_factory.mktemp("upload"))


@pytest.mark.parametrize(
    "chain", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in (*BUILTIN, *CHAINS)]
)
def test_every_profile_is_met_and_gives_the_same_bytes_again(tmp_path, upload, chain):
    known = resolve_chain(chain)
    result = transmit(known, upload, tmp_path / "a.mp4")
    assert [step["deviations"] for step in result.details["steps"]] == [[] for _ in known.profiles]
    assert meets(known.profiles[-1], tmp_path / "a.mp4") == []
    transmit(known, upload, tmp_path / "b.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    assert data == (tmp_path / "b.mp4").read_bytes()
    words = [b"x264", b"private", b"48.1"] + [b"Lav"] * (chain != "telegram")  # whose sound is the upload's own
    assert not any(word in data for word in words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("chain", ["facebook_hd", "tiktok", "telegram", "x_720"])
def test_profiles_are_met_at_full_size(tmp_path, chain):
    """720p of 60 fps with a hard cut: caps, levels, buffers and key frames have something to do."""
    parts = [textured(tmp_path, fps=60, size="1280x720", seconds=0.8, name="x.mp4")]
    parts.append(tmp_path / "y.mp4")
    ffmpeg("-f", "lavfi", "-i", "mandelbrot=size=1280x720:rate=60", "-t", 1.2, "-pix_fmt", "yuv420p", parts[1])
    joined = tmp_path / "joined.mp4"
    ffmpeg(
        "-i", parts[0], "-i", parts[1], "-filter_complex", "[0:v][1:v]concat=n=2:v=1[v]", "-map", "[v]", "-map", "0:a",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", 14, joined,
    )  # fmt: skip
    result = transmit(resolve_chain(chain), joined, tmp_path / "o.mp4")
    assert result.fps == 30
    assert [step["deviations"] for step in result.details["steps"]] == [[] for _ in chain.split("+")]


@pytest.mark.slow
def test_bytes_are_equal_over_twenty_runs_two_at_a_time_whatever_the_heap_holds(tmp_path):
    """A width that is no multiple of 512 pixels, where x264's macroblock tree read memory that it does not own."""
    source = textured(tmp_path, size="720x568", seconds=0.6)
    for name in ("facebook_hd", "youtube_360"):
        chain = resolve_chain(name)

        def once(number: int) -> str:
            out = tmp_path / f"{number:0{number + 1}d}.mp4"  # names of many lengths move the heap
            transmit(chain, source, out)  # noqa: B023
            return sha256_file(out)

        with ThreadPoolExecutor(2) as pool:
            found = set(pool.map(once, range(20)))
        for filling in ("1", "85", "170", "255"):  # what glibc writes into fresh and freed memory
            os.environ["MALLOC_PERTURB_"] = filling
            try:
                found.add(once(20))
            finally:
                del os.environ["MALLOC_PERTURB_"]
        assert len(found) == 1, name


def test_cues_of_two_different_uploads_are_those_of_the_platform(tmp_path, upload):
    """Container, geometry and timing say which platform it was, and nothing about the file that was sent."""
    other = tmp_path / "other.mkv"
    ffmpeg("-i", upload, "-c:v", "mpeg4", "-q:v", 3, "-c:a", "pcm_s16le", other)
    cues = []
    for source in (upload, other):
        transmit(resolve_chain("wechat_mobile"), source, tmp_path / "o.mp4")
        cues.append(measure_file(tmp_path / "o.mp4"))
    same = [name for name in cues[0] if name.split(".")[0] in {"container", "geometry"}] + ["time.fps", "time.n_frames"]
    assert len(same) >= 20 and {name: cues[0][name] for name in same} == {name: cues[1][name] for name in same}
    assert cues[0]["time.fps"] == 25.0 and cues[0]["time.start_difference"] == 0


@pytest.mark.parametrize("name", ["facebook_hd", "whatsapp"])
def test_a_mono_recording_keeps_its_level(tmp_path, name):
    make(Pattern(seconds=1.0), tmp_path / "a.mp4")
    result = transmit(resolve_chain(name), tmp_path / "a.mp4", tmp_path / "o.mp4")
    before, after = (read_audio(tmp_path / each, sample_rate=16000).samples for each in ("a.mp4", "o.mp4"))
    assert abs(np.sqrt((after**2).mean() / (before**2).mean()) - 1) < 0.05
    layout = read_for_check(tmp_path / "o.mp4").facts.audio.layout
    assert layout == {"facebook_hd": "stereo", "whatsapp": "mono"}[name]
    assert abs(result.n_samples / result.sample_rate - 1.0) < 0.05


def test_a_silent_film_stays_silent_and_telegram_leaves_coded_sound_alone(tmp_path, upload):
    make(Pattern(sound=None, seconds=0.4), tmp_path / "a.mp4")
    result = transmit(resolve_chain("whatsapp+facebook_sd"), tmp_path / "a.mp4", tmp_path / "o.mp4")
    assert (result.sample_rate, result.n_samples) == (0, 0) and read_source(tmp_path / "o.mp4").sound is None
    assert [step["deviations"] for step in result.details["steps"]] == [[], []]
    transmit(resolve_chain("telegram"), upload, tmp_path / "t.mp4")
    copy = ("-map", "0:a", "-c", "copy", "-f", "adts", "-")
    packets = [ffmpeg("-i", each, *copy) for each in (upload, tmp_path / "t.mp4")]
    assert packets[0] == packets[1] and len(packets[0]) > 1000
    before, after = (read_audio(each, sample_rate=48000) for each in (upload, tmp_path / "t.mp4"))
    assert abs(before.start - after.start) < 1e-3 and np.array_equal(before.samples[:40000], after.samples[:40000])


def test_telegram_and_signal_never_go_above_the_source(tmp_path):
    """A plain clip needs little: the same clip again must not grow, however high the platform's rate is."""
    path = tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", 4, "-c:v", "libx264", "-b:v", "150k",
           "-maxrate", "150k", "-bufsize", "150k", path)  # fmt: skip
    source = read_source(path).kbps
    for name in ("telegram", "signal"):
        result = transmit(resolve_chain(name), path, tmp_path / "o.mp4")
        # one buffer of two seconds over four seconds of film is the most that rate control may be ahead
        assert read_source(tmp_path / "o.mp4").kbps <= 1.5 * source, name
        assert f"-b:v {int(source)}k" in result.details["steps"][0]["command"]


def test_a_user_profile_of_60_fps_gets_the_level_that_it_needs(tmp_path):
    source = textured(tmp_path, fps=60, size="1280x720", seconds=0.3)
    text = (Path(__file__).parents[3] / "generators/social/profiles/x_720.yaml").read_text("utf-8")
    own = tmp_path / "x60.yaml"
    own.write_text(text.replace("name: x_720", "name: x60").replace("rate: 30}", "rate: 60}"), "utf-8")
    transmit(resolve_chain(str(own)), source, tmp_path / "o.mp4")
    reading = read_for_check(tmp_path / "o.mp4")
    assert (reading.level, reading.facts.video.fps) == (32, 60.0)
    assert meets(parse_profile(own.read_text("utf-8"), "x"), tmp_path / "o.mp4") == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-profile:v", "high"], {"profile", "metadata", "SEI messages", "video metadata"}),
        (["-preset", "ultrafast", "-g", "7", "-bf", "5"], {"key frames"}),
        (["-bf", "6", "-b_strategy", "0"], {"B frames"}),
        (["-vf", "scale=900:500,setsar=4/3"], {"size", "pixels"}),
        (["-r", "60"], {"fps"}),
        (["-crf", "1"], {"bit rate"}),
        (["-c:a", "libmp3lame"], {"sound"}),
        (["-ar", "22050"], {"sample rate"}),
        (["-b:a", "320k"], {"sound bit rate"}),
        (["-pix_fmt", "yuv444p", "-profile:v", "high444"], {"pixel format", "profile"}),
        (["-movflags", "frag_keyframe+empty_moov"], set()),
    ],
)
def test_a_file_of_another_making_does_not_pass(tmp_path, upload, options, told):
    """Every line of the check can fail."""
    path = tmp_path / "o.mp4"
    ffmpeg("-i", upload, "-c:v", "libx264", "-profile:v", "main", "-level", "3.1", *options, path)
    found = {each.field for each in meets(find_profile("whatsapp"), path)}
    assert found >= told | {"boxes", "colour", "metadata"} if "-pix_fmt" not in options else found >= told


BAD = {
    "not media": b"hello" * 200,
    "empty": b"",
    "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_media_is_refused_with_a_named_reason(tmp_path, kind):
    path = tmp_path / "bad.mp4"
    path.write_bytes(BAD[kind])
    with pytest.raises(MediaError) as caught:
        transmit(resolve_chain("whatsapp"), path, tmp_path / "o.mp4")
    assert caught.value.code in {"not_media", "empty", "unsafe_reference"}
    assert [each.name for each in tmp_path.iterdir()] == ["bad.mp4"]


def test_damaged_soundless_pictureless_and_huge_files(tmp_path, upload):
    half, sound, folder = tmp_path / "half.mp4", tmp_path / "sound.mp4", tmp_path / "in"
    folder.mkdir()
    fast = tmp_path / "fast.mp4"
    ffmpeg("-i", upload, "-c", "copy", "-movflags", "+faststart", fast)
    half.write_bytes(fast.read_bytes()[: fast.stat().st_size // 2])
    ffmpeg("-i", upload, "-vn", "-c:a", "copy", sound)
    flat, huge = tmp_path / "flat.mp4", tmp_path / "huge.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=size=1280x16:rate=5", "-t", 0.4, flat)
    ffmpeg("-f", "lavfi", "-i", "color=size=4096x2304:rate=5", "-t", 0.2, "-c:v", "mpeg4", huge)
    wanted = {half: "decode_failed", sound: "no_video", flat: "unsupported", huge: "too_large",
              tmp_path / "absent.mp4": "missing", folder: "missing"}  # fmt: skip
    names = {path.name for path in tmp_path.iterdir()}
    for path, code in wanted.items():
        with pytest.raises(MediaError) as caught:
            transmit(resolve_chain("facebook_sd"), path, tmp_path / "o.mp4")
        assert caught.value.code == code, (path, caught.value)
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("name", ["a b.mp4", "a:b.mp4", "-a.mp4", "a%03d.mp4", "ä'\"$(x);.mp4", "http:x.mp4"])
def test_names_mean_nothing(tmp_path, upload, name):
    folder = tmp_path / "file:x y"
    folder.mkdir()
    (folder / name).write_bytes(upload.read_bytes())
    result = transmit(resolve_chain("messenger"), folder / name, folder / f"o{name}")
    assert result.n_frames == 25 and (folder / f"o{name}").is_file()
    text = json.dumps(result.details)
    assert str(tmp_path) not in text and "SOURCE" in text and "libx264" in text


def test_failures_of_the_program_leave_nothing(tmp_path, upload, monkeypatch):
    def program(text: str) -> None:
        path = tmp_path / "fake"
        path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("CMDFD_FFMPEG", str(path))

    def code() -> str:
        out = tmp_path / "o"
        out.mkdir(exist_ok=True)
        with pytest.raises((JobError, MediaError)) as caught:
            transmit(resolve_chain("whatsapp"), upload, out / "o.mp4")
        assert list(out.iterdir()) == [] and str(upload.parent) not in str(getattr(caught.value, "detail", ""))
        return caught.value.code

    program(f"echo {upload.parent}/x broken >&2; exit 3")
    assert code() == "crashed"
    program("exit 0")
    assert code() == "output_missing"
    monkeypatch.setattr("generators.social.transmit._BASE_TIMEOUT", 0.2)
    monkeypatch.setattr("generators.social.transmit._TIMEOUT_PER_SECOND", 0.0)
    program("sleep 5")
    assert code() == "timeout"
    monkeypatch.setenv("CMDFD_FFMPEG", str(tmp_path / "absent"))
    assert code() == "env_missing"
    # the program does half of the work and says that all is well
    monkeypatch.setattr("generators.social.transmit._BASE_TIMEOUT", 60.0)
    monkeypatch.delenv("CMDFD_FFMPEG")
    real = find_ffmpeg()
    program(f'shift 4; exec {real} -nostdin -loglevel error -t 0.2 "$@"')
    assert code() == "decode_failed"


def test_inputs_are_never_overwritten_and_outputs_are_replaced_as_a_whole(tmp_path, upload):
    path = tmp_path / "a.mp4"
    path.write_bytes(upload.read_bytes())
    with pytest.raises(ValueError, match="would be overwritten"):
        transmit(resolve_chain("whatsapp"), path, path)
    with pytest.raises(ValueError, match="same name"):
        transmit(resolve_chain("whatsapp"), path, tmp_path / "o", mask=path, mask_out=tmp_path / "o")
    with pytest.raises(ValueError, match="is a folder"):
        transmit(resolve_chain("whatsapp"), path, tmp_path)
    with pytest.raises(ValueError, match="needs mask_out"):
        transmit(resolve_chain("whatsapp"), path, tmp_path / "o", mask=path)
    (tmp_path / "o.mp4").write_bytes(b"old")
    with pytest.raises(MediaError):
        transmit(resolve_chain("whatsapp"), path, tmp_path / "o.mp4", mask=tmp_path / "no", mask_out=tmp_path / "m")
    assert (tmp_path / "o.mp4").read_bytes() == b"old"
    transmit(resolve_chain("whatsapp"), path, tmp_path / "o.mp4")
    assert meets(find_profile("whatsapp"), tmp_path / "o.mp4") == []


def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(Pattern(seconds=0.4), tmp_path / "a.mp4", tmp_path / "a.mkv")
    assert main(["a.mp4", "--profile", "facebook_hd", "--mask", "a.mkv"]) == 0
    shown = capsys.readouterr().out
    assert "deviations from the profile: none" in shown and "12 at 30 fps" in shown and "Main@3.1" in shown
    assert (tmp_path / "a__facebook_hd.mp4").is_file() and (tmp_path / "a__facebook_hd.mask.mkv").is_file()
    assert main(["--list"]) == 0 and "wechat_mobile" in capsys.readouterr().out
    assert main(["--show", "signal"]) == 0
    assert parse_profile(capsys.readouterr().out, "shown").address == find_profile("signal").address
    for words in (["a.mp4"], ["a.mp4", "--profile", "facebok_hd"], ["b.mp4", "--profile", "tiktok"], ["--show", "x"]):
        assert main(words) == 2 and capsys.readouterr().err.startswith("error: ")


def test_help_is_quick():
    code = "import sys; import generators.social.__main__; print(sorted(set(sys.modules) & {'av', 'cv2', 'torch'}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_real_clips_of_many_makes(tmp_path, shared_clips):
    """HEVC portrait, MPEG-1, PCM in Matroska, MOV, and a real film of dropped frames and a late picture."""
    names = ("latentsync_demo2_01.mp4", "grid_s1_07.mpg", "elospheres_talker_03.mkv", "wav2lip288_p1_01.mov",
             "retalking_face1_01.mp4")  # fmt: skip
    for name in names:
        short = tmp_path / f"short{Path(name).suffix}"
        ffmpeg("-i", shared_clips / "video" / name, "-t", 1.5, "-c", "copy", short)
        for chain in ("facebook_hd", "telegram", "wechat_mobile", "youtube_360+messenger"):
            result = transmit(resolve_chain(chain), short, tmp_path / "o.mp4")
            assert [step["deviations"] for step in result.details["steps"]] == [[] for _ in chain.split("+")], name
            video = read_video(tmp_path / "o.mp4", pixel_format="gray")
            assert np.abs(video.times - np.arange(len(video.times)) / result.fps).max() < 1e-4


def test_pictures_look_the_same(tmp_path, upload):
    """Colour, range and place: a picture that went through differs by coding noise only (untagged source)."""
    transmit(resolve_chain("youtube_720"), upload, tmp_path / "o.mp4")
    before, after = read_video(upload).frames[5], read_video(tmp_path / "o.mp4").frames[5]
    flat = [np.asarray(Image.fromarray(each).resize((20, 15), Image.Resampling.BOX), float) for each in (before, after)]
    assert np.abs(flat[0] - flat[1]).mean() < 3 and np.abs(flat[0].mean((0, 1)) - flat[1].mean((0, 1))).max() < 2
    assert read_source(tmp_path / "o.mp4").rate == Fraction(25)
