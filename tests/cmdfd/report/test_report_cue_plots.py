from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmdfd.report.palette import DARK, LIGHT, Palette, contrast
from cmdfd.report.plots import (
    HeatCell,
    LevelRow,
    SoundStrip,
    choose_scale,
    cue_histogram,
    heatmap,
    level_bars,
    waveform_plot,
)
from cmdfd.report.plots.heatmap import INVERTED, OPACITIES
from cmdfd.report.plots.svg import STAND_INS, check_safe

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert(1)</script> & "q" $\\frac{1}{0}$ \u202e\x00\x07' + "w" * 300


def words(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def paths(svg: str, *styles: str) -> list[list[float]]:
    """Coordinates of the paths whose style holds all of these words."""
    found = []
    for element in ElementTree.fromstring(svg).iter(f"{SVG}path"):
        style = element.attrib.get("style", "").replace(" ", "")
        if all(one in style for one in styles):
            found.append([float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", element.attrib["d"])])
    return found


def sound(name: str = "clip", fake: bool = False, silence: float | None = 0.03, seconds: float = 0.5) -> SoundStrip:
    samples = np.full(round(16000 * seconds), 0.1, np.float32)
    samples[: round(16000 * (silence or 0))] = 0
    return SoundStrip(name, fake, samples, 16000, silence, 5e-4)


NUMBERS = arrays(np.float64, st.integers(0, 40), elements=st.floats(-1e300, 1e300))


@settings(max_examples=150)
@given(NUMBERS, NUMBERS, st.lists(st.floats(-1e9, 1e9), max_size=2))
def test_every_value_stands_in_one_bar_or_is_counted_beyond(
    real: np.ndarray, fake: np.ndarray, thresholds: list[float]
) -> None:
    if not len(real) + len(fake):
        with pytest.raises(ValueError, match="finite value"):
            choose_scale(real, fake)
        return
    scale = choose_scale(real, fake, thresholds)
    assert (np.diff(scale.edges) >= 0).all() and np.isfinite(scale.edges).all()
    for values in (real, fake):
        if len(values):
            inside = round(float(scale.shares(values).sum()) * len(values))
            assert inside + sum(scale.beyond(values)) == len(values)
    # what is left off lies at the ends and is rare in each class
    for values in (real, fake):
        assert sum(scale.beyond(values)) <= max(0.04 * len(values), 2)


def test_the_threshold_falls_between_two_bars() -> None:
    rng = np.random.default_rng(0)
    scale = choose_scale(rng.normal(0, 1, 300), rng.normal(2, 1, 300), [0.777])
    assert np.abs(scale.edges - 0.777).min() == 0
    logs = choose_scale(10 ** rng.uniform(-5, 0, 300), 10 ** rng.uniform(-5, -4, 300), [3e-4])
    assert logs.kind == "log" and np.abs(logs.edges - np.log10(3e-4)).min() == 0


def test_far_values_do_not_squash_the_rest() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.gamma(2, 0.003, 300), rng.normal(0.04, 0.004, 300)
    assert choose_scale(real, fake).kind == "plain"
    far = choose_scale(np.append(real, [3.0, 2.5]), fake)
    assert far.kind == "clipped" and far.edges[-1] < 0.1 and far.beyond(np.array([3.0, 2.5])) == (0, 2)
    # five in a hundred are no stragglers: they must stay on the picture
    many = choose_scale(np.append(real, np.full(20, 3.0)), fake)
    assert many.kind == "log" and many.beyond(np.full(20, 3.0)) == (0, 0)
    below = choose_scale(rng.normal(0, 1, 500), np.append(rng.normal(3, 1, 500), -900.0))
    assert below.kind == "clipped" and below.beyond(np.array([-900.0])) == (1, 0)


def test_noughts_get_a_bar_of_their_own_on_a_logarithmic_axis() -> None:
    real = np.concatenate([np.zeros(50), np.geomspace(1e-4, 1, 50)])
    scale = choose_scale(real, np.geomspace(1e-3, 2e-3, 60))
    assert scale.kind == "log"
    shares = scale.shares(real)
    assert shares[0] == pytest.approx(0.5, abs=0.02) and shares[1] == 0


def test_histogram_lines_stand_where_the_numbers_say() -> None:
    real, fake = np.linspace(0, 1, 101), np.linspace(0, 1, 51)
    svg = cue_histogram(real, fake, label="x", thresholds=[(0.25, "threshold")], called=[(0.25, np.inf)])
    scale = choose_scale(real, fake, [0.25])
    lines = paths(svg, "stroke-dasharray", "var(--ink")
    assert len(lines) == 2 and lines[0][0] == lines[1][0]  # one through each histogram
    left, wide = 54, 520 - 54 - 16
    share = (0.25 - scale.edges[0]) / (scale.edges[-1] - scale.edges[0])
    assert lines[0][0] == pytest.approx(left + wide * share, abs=0.1)
    shaded = paths(svg, "opacity:0.09")
    assert len(shaded) == 2 and min(shaded[0][0::2]) == pytest.approx(lines[0][0], abs=0.1)


def test_histogram_tells_sizes_shares_and_what_is_left_out() -> None:
    real, fake = np.append(np.linspace(0, 1, 400), 1e6), np.linspace(1, 2, 500)
    svg = cue_histogram(real, fake, label="length (s)", thresholds=[(1.0, "threshold 1 s")], told=(0.02, 0.98))
    shown = words(svg)
    assert "reals (401): 2 % called fake" in shown and "fakes (500): 98 % called fake" in shown
    assert "1 beyond →" in shown and "threshold 1 s" in shown
    assert any(one.startswith("length (s)") for one in shown)
    assert "reals (401)" in words(cue_histogram(real, fake, label="x"))


@pytest.mark.parametrize("values", [[0.5, 0.5], [1e300, -1e300], [0.0], [1e-12, 2e-12], [0.0, 1e-9, 1e9]])
def test_histogram_survives_odd_values(values: list[float]) -> None:
    odd = np.array([*values, np.nan, np.inf])
    check_safe(cue_histogram(np.array(values), odd, label=HOSTILE, thresholds=[(1e9, HOSTILE), (np.nan, "")]))
    check_safe(cue_histogram(np.zeros(0), odd, label="x"))


def test_level_bars_are_as_long_as_their_shares() -> None:
    rows = [LevelRow("a", 1.0, 0.25, marked=True), LevelRow("b", 0.0, 0.5), LevelRow("c", None, 0.004, quiet=True)]
    svg = level_bars(rows, n_real=20, n_fake=40)
    spans = []
    for colour in ("real", "fake"):
        # hatched and plain outlines alike: drawn bars have a stroke in the colour of their class
        found = paths(svg, f"stroke:var(--{colour}")
        spans.append([max(one[0::2]) - min(one[0::2]) for one in found if len(one) >= 8])
    full = spans[0][0]
    assert full == pytest.approx(520 - 180 - 46, abs=0.5)
    assert [one / full for one in spans[1][:3]] == pytest.approx([0.25, 0.5, 0.004], abs=0.002)
    shown = words(svg)
    assert "reals (20)" in shown and "fakes (40)" in shown and "25 %" in shown and "0.4 %" in shown and "–" in shown


def blend(front: str, back: str, opacity: float) -> str:
    parts = [round(opacity * int(front[k : k + 2], 16) + (1 - opacity) * int(back[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{one:02x}" for one in parts)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_letters_in_the_matrix_can_be_read(palette: Palette) -> None:
    grounds = [blend(palette.fake, palette.paper, one) for one in OPACITIES]
    for step, ground in enumerate(grounds):
        letters = palette.paper if step == INVERTED else palette.ink if step else palette.muted
        assert contrast(letters, ground) >= 4.5, step
    # and the steps can be told apart without any hue: their luminance goes one way
    against = [contrast(palette.paper, one) for one in grounds]
    assert all(after > 1.1 * before for before, after in pairwise(against))


def test_matrix_has_a_word_in_every_cell() -> None:
    cells = [[HeatCell(k, word, f".{k}00") for k, word in enumerate(("none", "low", "medium", "high", "critical"))]]
    cells.append([HeatCell(None, "same")] * 5)
    svg = heatmap(["silence.lead", HOSTILE], ["all", "a/b", "c", HOSTILE, "e"], cells)
    check_safe(svg)
    shown = words(svg)
    assert {"critical", ".400", "low", "none", "silence.lead"} <= set(shown) and shown.count("same") == 5
    for opacity in OPACITIES[1:-1]:
        assert len(paths(svg, f"opacity:{opacity}")) == 1
    with pytest.raises(ValueError, match="rows"):
        heatmap(["a"], ["b"], [[]])
    with pytest.raises(ValueError, match="step"):
        HeatCell(5, "x")


def test_a_matrix_of_sixty_by_eleven_stays_small() -> None:
    cells = [[HeatCell((i + j) % 5, "critical", ".999") for j in range(11)] for i in range(60)]
    assert len(heatmap([f"cue.{i}" for i in range(60)], [f"g{j}" for j in range(11)], cells)) < 450_000


def test_sound_marks_the_end_of_silence_and_the_threshold() -> None:
    svg = waveform_plot([sound("r", silence=0.0), sound("f", True, 0.03)], 0.15)
    shown = words(svg)
    assert {"reals", "fakes", "r", "f", "30.0 ms", "0.0 ms", "ms from the start"} <= set(shown)
    wide = (980 - 62 - 12 - 30) / 2
    marks = [one for one in paths(svg, "stroke:var(--ink", "stroke-width:1.5") if "dash" not in str(one)]
    assert sorted(one[0] for one in marks) == pytest.approx([62, 62 + wide + 30 + wide * 0.2], abs=0.2)
    dotted = paths(svg, "stroke-dasharray", "var(--ink")
    tall, top = 74.0, 30.0
    assert dotted[0][1] == pytest.approx(top + tall * (-20 * np.log10(5e-4)) / 100, abs=0.2)


def curve_of(svg: str) -> tuple[list[float], list[float]]:
    """Places and heights of the outline of the only curve."""
    root = ElementTree.fromstring(svg)
    use = next(one for one in root.iter(f"{SVG}use") if "opacity: 0.45" in one.attrib.get("style", ""))
    name = use.attrib["{http://www.w3.org/1999/xlink}href"][1:]
    curve = next(one for one in root.iter(f"{SVG}path") if one.attrib.get("id") == name).attrib["d"]
    numbers = [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", curve)]
    return numbers[0::2], [one + float(use.attrib["y"]) for one in numbers[1::2]]


def test_the_curve_is_the_level_of_the_loudest_sample() -> None:
    _, heights = curve_of(waveform_plot([sound(silence=None)], 0.15))
    assert min(heights) == pytest.approx(30 + 74 * 0.2, abs=0.2)  # .1 is -20 dB of the 100 dB


def test_the_last_samples_stand_at_the_right() -> None:
    samples = np.full(16000, 0.001, np.float32)
    samples[-160:] = 1.0
    strip = SoundStrip("x", False, samples, 16000)
    places, heights = curve_of(waveform_plot([strip], 0.1, from_end=True))
    loud = [place for place, height in zip(places, heights, strict=True) if height < 31]
    wide = (980 - 62 - 12 - 30) / 2
    assert loud and min(loud) >= 62 + 0.9 * wide - 1 and max(loud) > 62 + 0.98 * wide


def test_the_last_moments_run_towards_the_end() -> None:
    samples = np.full(8000, 0.1, np.float32)
    samples[-320:] = 0
    svg = waveform_plot([SoundStrip("x", True, samples, 16000, 0.02, None)], 0.1, from_end=True)
    assert "ms before the end" in words(svg) and "20.0 ms" in words(svg)
    mark = paths(svg, "stroke:var(--ink", "stroke-width:1.5")[0][0]
    wide = (980 - 62 - 12 - 30) / 2
    assert mark == pytest.approx(62 + wide + 30 + wide * 0.8, abs=0.2)


def test_sound_that_is_not_there_is_said() -> None:
    none = SoundStrip(HOSTILE, False, np.zeros(0, np.float32), 16000)
    long = sound("y", True, 0.4)
    svg = waveform_plot([none, long, sound("z", True, None), sound("odd", True, 0.2)], 0.15)
    check_safe(svg)
    assert "no sound" in words(svg) and any(one.startswith("silent for 400 ms") for one in words(svg))
    with pytest.raises(ValueError, match="clips"):
        waveform_plot([], 0.15)
    with pytest.raises(ValueError, match="positive"):
        waveform_plot([none], 0.0)


def drawings() -> list[str]:
    rng = np.random.default_rng(0)
    return [
        cue_histogram(rng.normal(0, 1, 90), rng.normal(1, 1, 90), label="x", thresholds=[(0.5, "t")]),
        level_bars([LevelRow("a", 0.5, 0.1)], n_real=10, n_fake=10),
        heatmap(["a"], ["b"], [[HeatCell(3, "high", ".800")]]),
        waveform_plot([sound()], 0.15),
    ]


def test_cue_pictures_are_safe_reproducible_and_follow_the_page() -> None:
    one, other = drawings(), drawings()
    assert one == other
    ids = [name for svg in one for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in one:
        check_safe(svg)
        assert f"var(--ink,{LIGHT.ink})" in svg
        assert not any(colour in svg for _, colour in STAND_INS.items())
        assert "<style" not in svg
