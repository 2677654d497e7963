"""A clean set, written by one encoder, and canaries: one spurious cue at a time, planted after harmonise.

Reals and fakes of the clean set are drawn alike, so that nothing separates them. Each component is a speaker with two
takes; each take is there once real and once fake, with noise of its own. A canary changes one class only, and the
length stays what it was unless the canary is about length.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import butter, lfilter, sosfiltfilt

from cmdfd.clip import content_id
from cmdfd.media.encode import write_clip
from cmdfd.media.ffmpeg import find_ffmpeg
from cmdfd.media.loudness import normalise_loudness
from cmdfd.media.settings import EncoderSettings
from cmdfd.media.sound_encode import resample

SR, FPS, SECONDS, SIDE = 16000, 25.0, 1.6, 96
N_FRAMES = round(SECONDS * FPS)
SETTINGS = EncoderSettings(crf=25)
#: Time of all files, so that when they were written tells nothing.
NEUTRAL_TIME = 946_684_800


@dataclass(frozen=True)
class Content:
    """Picture and sound before they are written."""

    frames: np.ndarray
    samples: np.ndarray
    fps: float = FPS
    sample_rate: int = SR
    settings: EncoderSettings = SETTINGS


def content(component: int, take: int, fake: int, seed: int = 0) -> Content:
    """One clip: a voice with pitch, formants, syllables and room noise; a mouth that moves on a textured head."""
    speaker = np.random.default_rng([seed, component])
    pitch, formants = speaker.uniform(90, 220), speaker.uniform([400, 1100, 2300], [800, 1900, 3100])
    texture = speaker.normal(0, 12, (SIDE, SIDE, 3))
    colour, centre = speaker.uniform(80, 170, 3), speaker.uniform(40, 56, 2)
    rng = np.random.default_rng([seed, component, take, fake])
    n = round(SECONDS * SR)
    time = np.arange(n) / SR
    syllables = 0.15 + np.abs(np.sin(np.pi * (4 * time + rng.uniform(0, 1)) + np.cumsum(rng.normal(0, 0.004, n))))
    phase = np.cumsum(pitch * (1 + 0.04 * np.sin(2 * np.pi * (rng.uniform(1, 3) * time + rng.uniform(0, 1))))) / SR
    voice = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 24)) + 0.3 * rng.normal(size=n)
    shaped = np.zeros(n)
    for formant in formants:
        radius = np.exp(-np.pi * 120 / SR)
        shaped += lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / SR), radius**2], voice)
    sound = normalise_loudness((shaped * syllables + 0.02 * rng.normal(size=n)).astype(np.float32) / 20, SR, -23.0)
    y, x = np.mgrid[:SIDE, :SIDE]
    frames = np.empty((N_FRAMES, SIDE, SIDE, 3), np.uint8)
    sway = np.cumsum(rng.normal(0, 0.4, (N_FRAMES, 2)), axis=0)
    for k in range(N_FRAMES):
        head = ((x - centre[0] - sway[k, 0]) / 26) ** 2 + ((y - centre[1] - sway[k, 1]) / 34) ** 2 < 1
        opening = 2 + 6 * syllables[min(round(k * SR / FPS), n - 1)]
        mouth = ((x - centre[0] - sway[k, 0]) / 9) ** 2 + ((y - centre[1] - 16 - sway[k, 1]) / opening) ** 2 < 1
        picture = np.where(head[..., None], colour + 40, colour - 50) + texture
        picture = np.where(mouth[..., None], 60 + 0.3 * texture, picture) + rng.normal(0, 2, (SIDE, SIDE, 1))
        frames[k] = np.clip(picture, 0, 255)
    return Content(frames, np.asarray(sound, np.float32))


def write(path: Path, clip: Content) -> None:
    """Write a clip and pass it through the muxer that all clips pass."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = path.with_suffix(".raw.mp4")
    write_clip(raw, clip.frames, clip.fps, clip.samples, clip.sample_rate, clip.settings)
    remux(raw, path)
    raw.unlink()


def remux(source: Path, out: Path, *extra: str, exact: bool = True) -> None:
    """Copy packets into a new file, with further options of ffmpeg; without `exact` the muxer signs it."""
    bitexact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"] if exact else []
    command = [str(find_ffmpeg()), "-nostdin", "-v", "error", "-y", "-i", str(source), "-map", "0", "-c", "copy"]
    command += ["-map_metadata", "-1", *bitexact, "-movflags", "+faststart", *extra, str(out)]
    subprocess.run(command, check=True)
    os.utime(out, (NEUTRAL_TIME, NEUTRAL_TIME))


@dataclass(frozen=True)
class Canary:
    """One planted cue.

    Args:
        name: What is planted.
        cues: Cues of which one must stand on top: the planted one, or one that it necessarily moves.
        content: Changes a clip before it is written.
        file: Changes the written file at its place.
        label: The class that gets it.
        share: Share of that class.
    """

    name: str
    cues: tuple[str, ...]
    content: Callable[[Content], Content] | None = None
    file: Callable[[Path], None] | None = None
    label: int = 1
    share: float = 1.0


def _sound(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Content], Content]:
    return lambda clip: replace(clip, samples=change(clip.samples.copy()).astype(np.float32))


def _zero_lead(samples: np.ndarray) -> np.ndarray:
    samples[: round(0.030 * SR)] = 0
    return samples


def _zero_trail(samples: np.ndarray) -> np.ndarray:
    samples[-round(0.060 * SR) :] = 0
    return samples


def _low_pass(samples: np.ndarray) -> np.ndarray:
    return sosfiltfilt(butter(8, 5000, fs=SR, output="sos"), samples)


def _other_rate(clip: Content) -> Content:
    return replace(clip, samples=resample(clip.samples, SR, 22050), sample_rate=22050)


def _other_fps(clip: Content) -> Content:
    rate = 30.0
    picks = np.minimum(np.arange(round(SECONDS * rate)) * FPS / rate, N_FRAMES - 1).astype(int)
    return replace(clip, frames=clip.frames[picks], fps=rate)


def _twice_limited(clip: Content) -> Content:
    return replace(clip, frames=(16 + clip.frames.astype(np.float64) * 219 / 255).astype(np.uint8))


def _again(*extra: str, exact: bool = True) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        made = path.with_suffix(".new.mp4")
        remux(path, made, *extra, exact=exact)
        made.replace(path)

    return change


_SEI = "h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+planted"
_SILENCE = tuple(
    f"silence.{name}"
    for name in ("zero_lead", "zero_share", "avh_lead", "avh_trim", "lead_5e-4", "lead_60dbfs", "lead_40db_speech")
) + tuple(f"silence.onset_{ms}ms" for ms in (10, 20, 30, 50))
#: Planted by `tests/cmdfd/audit/test_canaries.py`; file-name token, duplicate and split canaries are made there.
CANARIES = (
    Canary("30 ms of digital zero before fakes", _SILENCE, _sound(_zero_lead)),
    Canary("30 ms of digital zero before reals", _SILENCE, _sound(_zero_lead), label=0),
    Canary(
        "60 ms of digital zero after fakes",
        (
            "silence.zero_trail",
            "silence.zero_share",
            "silence.trail_5e-4",
            "silence.trail_60dbfs",
            "silence.trail_40db_speech",
        ),
        _sound(_zero_trail),
    ),
    Canary(
        "2 frames cut",
        ("time.n_frames", "time.video_duration", "time.video_span", "time.av_gap"),
        lambda clip: replace(clip, frames=clip.frames[:-2]),
    ),
    Canary("other sample rate", ("container.sample_rate", "time.n_samples", "container.time_bases"), _other_rate),
    Canary("bandwidth of 5 kHz", ("audio.",), _sound(_low_pass)),
    Canary("2 dB louder", ("level.lufs", "level.rms", "level.peak"), _sound(lambda x: x * 10 ** (2 / 20))),
    Canary("offset", ("level.dc", "level.dc_drift"), _sound(lambda x: x + 0.01)),
    Canary("encoder tag", ("container.encoder", "container.tag_names"), file=_again(exact=False)),
    Canary("SEI message", ("container.signature",), file=_again("-bsf:v", _SEI)),
    Canary("key frames", ("container.gop",), lambda clip: replace(clip, settings=replace(SETTINGS, gop=12))),
    Canary("frame rate", ("time.fps", "time.n_frames", "container.time_bases"), _other_fps),
    Canary("colour tag", ("container.colour",), file=_again("-bsf:v", "h264_metadata=video_full_range_flag=1")),
    # fewer bits at the same quality: the quantiser of the encoder moves, too
    Canary("colour range", ("picture.", "history.qp"), _twice_limited),
    Canary("container brand", ("container.brands",), file=_again("-brand", "mp42")),
    Canary(
        "priming without edit list",
        ("container.edits", "container.priming", "container.boxes", "time.n_samples", "time.audio_duration"),
        file=_again("-use_editlist", "0"),
    ),
    Canary(
        "encoder tag in 10 % of the fakes",
        ("container.encoder", "container.tag_names"),
        file=_again(exact=False),
        share=0.1,
    ),
)


@dataclass
class Zoo:
    """The clean set on disk, and copies with one canary each.

    Args:
        folder: Where it lies.
        n_components: Speakers; each has two takes, real and fake.
        seed: Seed.
    """

    folder: Path
    n_components: int = 100
    seed: int = 0
    rows: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        rows = []
        for component in range(self.n_components):
            for take in range(2):
                for fake in (0, 1):
                    name = content_id("clip", self.seed, component, take, fake)
                    rows.append(
                        {
                            "id": name,
                            "label": fake,
                            "component": f"c{component:03d}",
                            "split": "train" if component % 2 else "test",
                            "generator": "canary" if fake else "",
                            "take": take,
                            "number": component,
                            "file": f"{name}.mp4",
                        }
                    )
        self.rows = pd.DataFrame(rows).sort_values("id", ignore_index=True)

    def write_clean(self) -> pd.DataFrame:
        """Write the clean set; its rows with `path`."""
        for row in self.rows.itertuples():
            path = self.folder / "clean" / row.file
            if not path.exists():
                write(path, content(row.number, row.take, row.label, self.seed))
        return self.rows.assign(path=[str(self.folder / "clean" / file) for file in self.rows["file"]])

    def planted_rows(self, canary: Canary) -> pd.Series:
        """Which rows get the canary: a share of the class, spread over the components."""
        own = self.rows.index[self.rows["label"] == canary.label]
        step = max(round(1 / canary.share), 1)
        chosen = sorted(own, key=lambda row: (self.rows.loc[row, "number"], self.rows.loc[row, "take"]))[::step]
        return self.rows.index.isin(chosen)

    def plant(self, canary: Canary) -> pd.DataFrame:
        """Write the changed clips; all rows, the others with the path of the clean set."""
        rows = self.write_clean()
        chosen = self.planted_rows(canary)
        folder = self.folder / canary.name.replace(" ", "_").replace("%", "pc")
        for row in rows[chosen].itertuples():
            path = folder / row.file
            if canary.content is not None:
                write(path, canary.content(content(row.number, row.take, row.label, self.seed)))
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(row.path, path)
            if canary.file is not None:
                canary.file(path)
            os.utime(path, (NEUTRAL_TIME, NEUTRAL_TIME))
            rows.loc[row.Index, "path"] = str(path)
        return rows
