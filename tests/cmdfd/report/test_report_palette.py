from __future__ import annotations

import itertools

import numpy as np
import pytest

from cmdfd.report.palette import DARK, LIGHT, Palette, contrast, palette_css, stand_ins

#: Machado, Oliveira and Fernandes 2009, severity 1.0, in linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
TRITANOPIA = np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]])
EYES = {"all": np.eye(3), "deuter": DEUTERANOPIA, "prot": PROTANOPIA, "trit": TRITANOPIA}


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    f = np.cbrt(xyz / np.array([0.95047, 1.0, 1.08883]))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_reaches_aa_on_both_backgrounds(palette: Palette) -> None:
    for ground in (palette.paper, palette.surface):
        for name in ("ink", "muted", "accent", "good", "warn", "bad"):
            assert contrast(getattr(palette, name), ground) >= 4.5, (name, ground)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_reach_three_to_one(palette: Palette) -> None:
    for name in ("real", "fake", "floor", "series1", "series2", "series3", "series4"):
        assert contrast(getattr(palette, name), palette.paper) >= 3.0, name
    assert contrast(palette.paper, palette.fake) >= 4.5  # words on the truth bar


def test_contrast_matches_the_figures_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known near miss
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("matrix", EYES.values(), ids=EYES.keys())
def test_real_and_fake_differ_for_every_eye(palette: Palette, matrix: np.ndarray) -> None:
    real, fake = (lab(matrix @ linear(colour)) for colour in (palette.real, palette.fake))
    assert np.linalg.norm(real - fake) > 30


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("matrix", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["all", "deuter", "prot"])
def test_series_differ_for_every_eye(palette: Palette, matrix: np.ndarray) -> None:
    found = [lab(matrix @ linear(palette.series(i))) for i in range(4)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(found, 2)) > 10


def test_css_names_every_colour_in_three_modes() -> None:
    css = palette_css()
    for name, _ in LIGHT.items():
        assert css.count(f"--{name}:") == 3
    assert "prefers-color-scheme:dark" in css


def test_stand_ins_are_no_colours_of_the_palettes() -> None:
    found = set(stand_ins(LIGHT).values())
    assert len(found) == len(LIGHT.items())
    assert not found & {colour for palette in (LIGHT, DARK) for _, colour in palette.items()}
