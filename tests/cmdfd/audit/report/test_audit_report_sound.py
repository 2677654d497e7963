from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audit_reports import BARE, CUES, finding, planted, table
from page_checks import read
from scipy.io import wavfile

from cmdfd.audit.cues import silence
from cmdfd.audit.report import render_html
from cmdfd.audit.report.sound import CLIPS, side_of, sound_blocks
from cmdfd.audit.targets.target import Target
from cmdfd.report.blocks import Figure, Paragraph

RATE = 48000


def write(path: Path, lead: float, trail: float = 0.0, zero: bool = True) -> None:
    rng = np.random.default_rng(len(path.name))
    samples = rng.uniform(0.05, 0.2, RATE) * rng.choice([-1, 1], RATE)
    quiet = 0.0 if zero else 1e-4
    samples[: round(RATE * lead)] = quiet
    samples[RATE - round(RATE * trail) :] = quiet
    wavfile.write(path, RATE, (samples * 32767).astype(np.int16))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Target]:
    folder = tmp_path_factory.mktemp("media")
    data = table(n_components=5)
    paths = []
    for name, lead in zip(data["id"], data["silence.lead_5e-4"], strict=True):
        path = folder / f"{name}.wav"
        write(path, float(lead), trail=0.01)
        paths.append(str(path))
    clips = data[["id", "label", "component"]].assign(path=paths)
    return data, Target("x", "video folder", clips, root=folder)


def test_which_cues_listen_where() -> None:
    assert [side_of(name) for name in ("silence.lead_60dbfs", "silence.avh_trim", "silence.zero_lead")] == ["lead"] * 3
    assert [side_of(name) for name in ("silence.trail_5e-4", "silence.zero_trail")] == ["trail"] * 2
    assert [side_of(name) for name in ("audio.priming_pts", "silence.onset_30ms")] == ["lead"] * 2
    assert side_of("silence.pause_share") is None and side_of("level.lufs") is None


def figure(data: pd.DataFrame, target: Target | None, name: str = "silence.lead_5e-4") -> Figure:
    (found,) = sound_blocks(planted(), data, target, finding(name))
    assert isinstance(found, Figure)
    return found


def test_the_nearest_to_the_median_of_each_class_are_drawn(media: tuple[pd.DataFrame, Target]) -> None:
    data, target = media
    found = figure(data, target)
    for label in (0, 1):
        part = data[data["label"] == label]
        far = (part["silence.lead_5e-4"] - part["silence.lead_5e-4"].median()).abs()
        # one of each component, the nearest of it
        best = part.assign(far=far).sort_values("far").drop_duplicates("component").head(CLIPS)
        for name in best["id"]:
            assert f">{name}<" in found.svg, (label, name)
    assert found == figure(data, target)


def test_marks_agree_with_the_measurement(media: tuple[pd.DataFrame, Target]) -> None:
    data, target = media
    found = figure(data, target)
    told = found.alt.split("Silence: ")[1]
    fakes = [float(one) for one in told.split("fakes ")[1].removesuffix(".").replace(" ms", "").split(", ")]
    names = [one for one in data["id"] if f">{one}<" in found.svg and one.startswith("fake")]
    expected = []
    for name in names:
        rate, samples = wavfile.read(Path(str(target.root)) / f"{name}.wav")
        value = silence.measure((samples / 32768).astype(np.float32), rate)["silence.lead_5e-4"]
        expected.append(1000 * float(value or 0))
    assert sorted(fakes) == pytest.approx(sorted(expected), abs=0.051)
    assert "0.0005 (−66 dB)" in found.caption


def test_trailing_silence_is_drawn_from_the_end(media: tuple[pd.DataFrame, Target]) -> None:
    data, target = media
    data = data.assign(**{"silence.trail_5e-4": 0.01})
    found = figure(data, target, "silence.trail_5e-4")
    assert "ms before the end" in found.svg and "10.0 ms" in found.svg and found.title.startswith("The last 150 ms")


def test_long_silence_widens_the_window(tmp_path: Path, media: tuple[pd.DataFrame, Target]) -> None:
    data, target = media
    paths = []
    for name in data["id"]:
        write(tmp_path / f"{name}.wav", 0.4 if name.startswith("fake") else 0.0)
        paths.append(str(tmp_path / f"{name}.wav"))
    found = figure(data, replace(target, clips=target.clips.assign(path=paths)))
    assert found.title.startswith("The first 600 ms") and "400.0 ms" in found.svg


def test_broken_files_are_passed_over(tmp_path: Path, media: tuple[pd.DataFrame, Target]) -> None:
    data, target = media
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF no sound")
    first = figure(data, target)
    shown = next(name for name in data["id"] if f">{name}<" in first.svg and name.startswith("fake"))
    paths = np.where(data["id"] == shown, str(broken), target.clips["path"])
    second = figure(data, replace(target, clips=target.clips.assign(path=paths)))
    assert f">{shown}<" not in second.svg and second.svg.count(">fake_") == first.svg.count(">fake_")


@pytest.mark.parametrize("kind", ["none", "no media", "gone"])
def test_without_media_it_is_said(kind: str, tmp_path: Path, media: tuple[pd.DataFrame, Target]) -> None:
    data, target = media
    gone = target.clips.assign(path=str(tmp_path / "gone.wav"))
    chosen = {
        "none": None,
        "no media": replace(target, clips=target.clips.assign(path="")),
        "gone": replace(target, clips=gone),
    }
    (found,) = sound_blocks(planted(), data, chosen[kind], finding("silence.lead_5e-4"))
    assert isinstance(found, Paragraph) and "cannot be shown" in str(found.parts[0])


def test_the_sound_is_drawn_once_on_a_page(media: tuple[pd.DataFrame, Target]) -> None:
    data, target = media
    data = data.assign(**{"silence.avh_lead": data["silence.lead_5e-4"]})
    report = replace(
        planted(**BARE), findings=(finding("silence.lead_5e-4", "critical"), finding("silence.avh_lead", "critical"))
    )
    found = read(render_html(report, data, target, cues=CUES))
    assert found.text.count("of the most typical clips") == 1
    assert "The sound of a few clips is drawn under the leading silence." in found.text
