"""Where masks, tracks and segments are after a platform: held against drawn patterns and the ffmpeg program itself."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_tools import ffmpeg
from moving_square import BRIGHT, SAMPLE_RATE, Pattern, click, make

from cmdfd.clip import content_id
from cmdfd.errors import MediaError
from cmdfd.faces.tracks import load_track, save_track
from cmdfd.media.decode import read_audio, read_clip, read_video
from cmdfd.media.masks import read_mask
from cmdfd.media.sound_encode import resample
from generators.social.carry import shown_frames
from generators.social.profile import BUILTIN, find_profile
from generators.social.transmit import resolve_chain, transmit

RATES = {
    "15": Fraction(15), "22.131": Fraction(22131, 1000), "25": Fraction(25), "29.97": Fraction(30000, 1001),
    "30": Fraction(30), "60": Fraction(60),
}  # fmt: skip
CHAINS = ("whatsapp+facebook_sd", "youtube_360+messenger")
SHAPES = {
    "landscape": Pattern(),
    "portrait": Pattern(width=180, height=320),
    "rotated": Pattern(width=180, height=320, rotation=90),
    "turned back": Pattern(width=180, height=320, rotation=270),
    "upside down": Pattern(rotation=180),
    "odd": Pattern(width=321, height=243),
    "anamorphic": Pattern(width=320, height=240, sample_aspect=Fraction(16, 15)),
    "narrow pixels": Pattern(width=320, height=240, sample_aspect=Fraction(8, 9)),
    "dropped frames": Pattern(fps=Fraction(30), drops=(3, 4, 11, 20, 21, 22)),
    "over the cap": Pattern(width=1302, height=736),
}


def with_(pattern: Pattern, **changes: object) -> Pattern:
    return Pattern(**{name: changes.get(name, getattr(pattern, name)) for name in Pattern.__dataclass_fields__})


class Shelf:
    """Patterns that were made already: clip, mask and track, by turns in MP4, Matroska and MOV."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self, pattern: Pattern) -> list[Path]:
        name = content_id(str(pattern))
        kinds = (".mp4", ".mov") if pattern.rotation else (".mp4", ".mkv", ".mov")  # Matroska turns by other means
        suffix = kinds[int(name, 16) % len(kinds)]
        paths = [self._folder / f"{name}{end}" for end in (suffix, ".mask.mkv", ".npz")]
        if not paths[2].is_file():
            make(pattern, paths[0], paths[1])
            save_track(paths[2], pattern.track())
        return paths


class Sent:
    """A pattern that went through a chain, read back."""

    def __init__(self, folder: Path, pattern: Pattern, chain: str, shelf: Shelf | None = None) -> None:
        self.pattern = pattern
        source, mask, track = (shelf or Shelf(folder)).files(pattern)
        self.out = folder / "out.mp4"
        self.result = transmit(
            resolve_chain(chain), source, self.out, mask=mask, mask_out=folder / "out.mkv",
            track=track, track_out=folder / "out.npz",
        )  # fmt: skip
        self.video = read_video(self.out, pixel_format="gray")
        self.mask = read_mask(folder / "out.mkv")
        self.track = load_track(folder / "out.npz")
        self.scale = (self.result.width / pattern.width, self.result.height / pattern.height)

    def check_times(self) -> None:
        """Same number of frames, same time stamps within 1 ms, k / fps from 0."""
        n, fps = self.result.n_frames, self.result.fps
        assert len(self.video.times) == len(self.mask.times) == len(self.track.times) == n
        assert self.video.frames.shape == self.mask.frames.shape == (n, self.result.height, self.result.width)
        assert np.abs(self.video.times - self.mask.times).max() <= 1e-3
        assert np.abs(self.video.times - np.arange(n) / fps).max() <= 1e-4
        assert np.abs(self.video.times - self.track.times).max() <= 1e-4

    def check_places(self) -> None:
        """The square's edges in the picture and in the mask agree to within one pixel, and both with the path."""
        side = np.array(self.scale) * self.pattern.side
        for picture, mask, point, time in zip(
            self.video.frames, self.mask.frames, self.track.points, self.video.times, strict=True
        ):
            seen = middle_of((picture.astype(float) - 160) / (BRIGHT - 160))
            marked = middle_of(mask / 255)
            assert np.abs(seen - marked).max() <= 0.8, (time, seen, marked)
            assert np.abs(point[0] * (self.result.width, self.result.height) - seen).max() <= 0.8
            grown = np.array([np.ptp(np.flatnonzero((mask > 200).any(axis))) + 1 for axis in (0, 1)])
            assert np.abs(grown - side).max() <= 2.0
            # what a player of the source shows up to one frame (of the slower clock) before or after
            slack = 1 / min(float(self.pattern.fps), self.result.fps) + 1e-3
            times = self.pattern.times
            nearby = [*times[times <= time - slack][-1:], *times[np.abs(times - time) <= slack]]
            places = [np.array(self.pattern.corner(each)) + self.pattern.side / 2 for each in nearby]
            assert min(np.abs(place * self.scale - seen).max() for place in places) <= 1.0, (time, seen)

    def check_change(self) -> None:
        """The flash is seen, and the click heard, at the second where it was put."""
        at, pattern = self.pattern.flash, self.pattern
        light = self.video.frames[:, -6:, -6:].mean((1, 2))  # no square comes into this corner
        seen = self.video.times[np.flatnonzero(light > (light.min() + light.max()) / 2)[0]]
        shown = min(time for time in pattern.times if time >= at - 1e-9)
        assert abs(seen - shown) <= 1 / self.result.fps + 1e-3
        assert pattern.drops or abs(seen - at) <= 1 / min(float(pattern.fps), self.result.fps) + 1e-3
        sound = read_audio(self.out, sample_rate=16000)
        late = lag(resample(click(pattern), SAMPLE_RATE, 16000), sound.samples) / 16000 + sound.start
        assert self.video.times[0] == 0 and abs(sound.start) < 1e-3 and abs(late) <= 0.002
        assert abs(sound.duration - pattern.seconds) <= 2048 / 44100 + 1e-3


def lag(reference: np.ndarray, found: np.ndarray) -> int:
    """Samples by which a sound comes late, by cross-correlation."""
    n = 2 * max(len(reference), len(found))
    product = np.fft.rfft(found, n) * np.conj(np.fft.rfft(reference, n))
    peak = int(np.argmax(np.fft.irfft(product, n)))
    return peak if peak < n // 2 else peak - n


def middle_of(weights: np.ndarray) -> np.ndarray:
    """Centre of gravity in pixels, to fractions."""
    weights = np.clip(weights, 0, 1)
    centres = [np.arange(n) + 0.5 for n in weights.shape]
    return np.array([(weights.sum(0) * centres[1]).sum(), (weights.sum(1) * centres[0]).sum()]) / weights.sum()


@pytest.mark.parametrize(
    ("shape", "rate", "chain"),
    [
        ("landscape", "15", "facebook_hd"),
        ("portrait", "22.131", "messenger"),
        ("odd", "60", "tiktok"),
        ("rotated", "29.97", "wechat_mobile"),
        ("anamorphic", "25", "facebook_hd"),
        ("dropped frames", "30", "youtube_360"),
        ("over the cap", "60", "facebook_sd"),
        ("turned back", "22.131", "whatsapp+facebook_sd"),
    ],
)
def test_a_moving_square_stays_under_its_mask(tmp_path, shape, rate, chain):
    sent = Sent(tmp_path, with_(SHAPES[shape], fps=RATES[rate], seconds=0.8), chain)
    sent.check_times()
    sent.check_places()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BUILTIN) + len(CHAINS)))
def test_every_profile_on_every_shape_and_rate(tmp_path, shelf, number):
    """Each chain meets all shapes and all rates, differently paired; over the chains, every pair comes."""
    chain = [*BUILTIN, *CHAINS][number]
    for place, shape in enumerate(SHAPES):
        rate = list(RATES)[(place + number) % len(RATES)]
        folder = tmp_path / str(place)
        folder.mkdir()
        sent = Sent(folder, with_(SHAPES[shape], fps=RATES[rate], seconds=0.6, flash=0.35), chain, shelf)
        sent.check_times()
        sent.check_places()
        sent.check_change()
        assert [step["deviations"] for step in sent.result.details["steps"]] == [[] for _ in chain.split("+")]


MAKES = {
    "reordered.avi": ["-c:v", "libx264", "-bf", 3, "-c:a", "pcm_s16le"],  # its frames have no times of presentation
    "deep.mp4": ["-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none", "-c:a", "aac"],
    "old.mpg": ["-c:v", "mpeg1video", "-q:v", 2, "-c:a", "mp2"],
    "late.ts": ["-c:v", "libx264", "-c:a", "aac"],  # begins at 1.4 s
    "web.webm": ["-c:v", "libvpx-vp9", "-b:v", "1M", "-cpu-used", 8, "-c:a", "libopus"],
}


class Remade(Shelf):
    """The same clip, coded and packed in another way."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder)
        self._name = name

    def files(self, pattern: Pattern) -> list[Path]:
        source, mask, track = super().files(pattern)
        ffmpeg("-i", source, *MAKES[self._name], source.with_name(self._name))
        return [source.with_name(self._name), mask, track]


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKES)
def test_other_containers_keep_mask_flash_and_click_in_place(tmp_path, name):
    for chain in ("facebook_hd", "whatsapp+facebook_sd"):
        sent = Sent(tmp_path, Pattern(seconds=1.0, flash=0.6), chain, Remade(tmp_path, name))
        sent.check_times()
        sent.check_places()
        sent.check_change()


def test_soft_edges_stay_soft_and_equal_sizes_are_exact(tmp_path):
    same = Sent(tmp_path, Pattern(fps=Fraction(25), seconds=0.4), "wechat_pc")  # nothing to scale, 25 fps kept
    assert all(
        np.array_equal(found, same.pattern.mask_at(time))
        for found, time in zip(same.mask.frames, same.pattern.times, strict=True)
    )
    smaller = tmp_path / "smaller"
    smaller.mkdir()
    scaled = Sent(smaller, Pattern(width=1280, height=720, seconds=0.2), "facebook_sd")
    wanted = scaled.pattern.mask_at(0.0).reshape(360, 2, 640, 2).mean((1, 3))
    assert np.abs(scaled.mask.frames[0] - wanted).max() <= 1
    assert len(np.unique(scaled.mask.frames[0])) >= 3


@pytest.mark.parametrize(("rate", "drops"), [("15", ()), ("22.131", ()), ("29.97", ()), ("60", ()), ("30", (2, 3, 7))])
@pytest.mark.parametrize("wanted", [Fraction(30), Fraction(25), Fraction(24000, 1001)])
def test_the_rule_for_shown_frames_is_that_of_the_program(tmp_path, rate, drops, wanted):
    """Frames of plain grey, each with a level of its own, through the program's own filter."""
    fps = RATES[rate]
    indices = [k for k in range(40) if k not in drops]
    path = tmp_path / "levels.mkv"  # a clock of 1 ms: rounded times, ties among them
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=1000)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "gray"
        stream.codec_context.time_base = Fraction(1, 1000)
        for index in indices:
            frame = av.VideoFrame.from_ndarray(np.full((16, 16), index * 6, np.uint8), format="gray")
            frame.pts, frame.time_base = round(index / fps * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    raw = ffmpeg(
        "-i", path, "-vf", f"setpts=PTS-STARTPTS,fps=fps={wanted}:round=near", "-fps_mode", "passthrough",
        "-f", "rawvideo", "-pix_fmt", "gray", "-",
    )  # fmt: skip
    found = np.frombuffer(raw, np.uint8).reshape(-1, 256)[:, 0] // 6
    ticks = [round(index / fps * 1000) for index in indices]
    shown = shown_frames(ticks, Fraction(1, 1000), wanted, len(found))
    assert [indices[k] for k in shown] == list(found)


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=60),
    st.sampled_from([Fraction(30), Fraction(30000, 1001), Fraction(25)]),
)
def test_shown_frames_are_never_far_in_time_and_never_go_back(steps, rate):
    ticks = [7 + sum(steps[:k]) for k in range(len(steps) + 1)]
    n = int((ticks[-1] - ticks[0]) * rate / 1000) + 1
    shown = shown_frames(ticks, Fraction(1, 1000), rate, n)
    assert shown[0] >= 0 and (np.diff(shown) >= 0).all()
    times = (np.array(ticks) - ticks[0]) / 1000
    for k, index in enumerate(shown):
        now, half = k / float(rate), 0.5 / float(rate)
        assert times[index] <= now + half + 1e-9
        assert index + 1 == len(times) or times[index + 1] >= now + half - 1e-9


@pytest.mark.parametrize(
    ("rate", "chain"),
    [("15", "facebook_hd"), ("22.131", "whatsapp+facebook_sd"), ("60", "telegram"), ("29.97", "x_720")],
)
def test_a_flash_and_a_click_stay_at_their_second(tmp_path, rate, chain):
    """Segments are seconds; the change in picture and in sound still lies there, to within one frame."""
    sent = Sent(tmp_path, Pattern(fps=RATES[rate], seconds=1.2, flash=0.7), chain)
    sent.check_change()


def test_masks_that_do_not_belong_are_refused_and_nothing_is_left(tmp_path):
    pattern = Pattern(seconds=0.4)
    source, mask = tmp_path / "a.mp4", tmp_path / "a.mkv"
    make(pattern, source)
    for other, word in (
        (with_(pattern, seconds=0.48), "frames"),
        (with_(pattern, seconds=0.32), "frames"),
        (with_(pattern, width=240, height=320), "displayed at"),
        (with_(pattern, fps=Fraction(30), seconds=Fraction(10, 30)), "lies at"),
    ):
        make(other, tmp_path / "other.mp4", mask)
        with pytest.raises(MediaError, match=word) as caught:
            transmit(resolve_chain("whatsapp"), source, tmp_path / "o.mp4", mask=mask, mask_out=tmp_path / "o.mkv")
        assert caught.value.code == "unsupported"
        assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "a.mkv", "other.mp4"}


def test_sound_before_the_first_frame_is_cut_and_a_late_one_waits(tmp_path):
    """The gap between picture and sound is the same afterwards, and the first frame stands at 0."""
    plain = tmp_path / "plain.mp4"
    make(Pattern(seconds=1.0, flash=0.6), plain)
    for moved, (video, audio) in {"late picture": (0.3, 0.0), "late sound": (0.0, 0.2)}.items():
        path, out = tmp_path / f"{moved}.mkv", tmp_path / "o.mp4"
        ffmpeg(
            "-itsoffset", video, "-i", plain, "-itsoffset", audio, "-i", plain, "-map", "0:v", "-map", "1:a",
            "-c", "copy", path,
        )  # fmt: skip
        transmit(resolve_chain("facebook_hd"), path, out)
        clip = read_clip(out, sample_rate=16000)
        heard = np.flatnonzero(np.abs(clip.audio.samples) > 0.2)[0] / 16000 + clip.audio.start
        assert clip.video.times[0] == 0 and abs(clip.audio.start) < 1e-3
        assert abs(heard - (0.6 + audio - video)) < 0.005, moved


def test_profiles_of_the_facts_are_all_there():
    assert set(BUILTIN) >= {
        "facebook_hd", "messenger", "wechat_mobile", "wechat_pc", "youtube_720", "whatsapp", "tiktok",
    }  # fmt: skip
    assert len(BUILTIN) == 13 and all(find_profile(name).name == name for name in BUILTIN)
