"""The colours of every page and picture, for light and for dark, in one place.

Hues are those of Okabe and Ito, "Color Universal Design" (2008), darkened on white and lightened on black until
text reaches the WCAG 2.2 contrast of 4.5 : 1 and lines reach 3 : 1 (success criteria 1.4.3 and 1.4.11). Colour is
never the only difference: lines differ in dashes, points in shape, and bars in hatching.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as "#rrggbb".

    Args:
        paper: Background of the page.
        surface: Background of cards, code and header rows.
        ink: Text.
        muted: Secondary text.
        line: Rules and grids.
        accent: Links and the marks that matter.
        good: Tone of what holds.
        warn: Tone of what should be read with care.
        bad: Tone of what failed.
        real: Series of real clips.
        fake: Series of fake clips.
        floor: Series of floors and chance.
        series1: First detector.
        series2: Second detector.
        series3: Third detector.
        series4: Fourth detector.
    """

    paper: str
    surface: str
    ink: str
    muted: str
    line: str
    accent: str
    good: str
    warn: str
    bad: str
    real: str
    fake: str
    floor: str
    series1: str
    series2: str
    series3: str
    series4: str

    def items(self) -> list[tuple[str, str]]:
        """Names and colours in order."""
        return [(field.name, str(getattr(self, field.name))) for field in fields(self)]

    def series(self, index: int) -> str:
        """Colour of the detector number `index`; the four repeat, and their dashes and shapes do not with them."""
        return (self.series1, self.series2, self.series3, self.series4)[index % 4]


LIGHT = Palette(
    paper="#ffffff",
    surface="#f4f6f8",
    ink="#1a1f25",
    muted="#545d68",
    line="#d4dae1",
    accent="#0b5cad",
    good="#0b6b4f",
    warn="#8a4b00",
    bad="#ad2b2b",
    real="#0072b2",
    fake="#c44900",
    floor="#6a737d",
    series1="#0072b2",
    series2="#b84a00",
    series3="#00795a",
    series4="#a3508a",
)

DARK = Palette(
    paper="#12161b",
    surface="#1b2128",
    ink="#e7ebf0",
    muted="#a5b0bc",
    line="#38424d",
    accent="#7dc0ff",
    good="#54d3a4",
    warn="#f2b155",
    bad="#ff8f87",
    real="#56b4e9",
    fake="#f08a3c",
    floor="#98a3ae",
    series1="#56b4e9",
    series2="#f08a3c",
    series3="#2fcb9c",
    series4="#e39ccb",
)


def css_variables(palette: Palette) -> str:
    """Custom properties of a palette, one declaration for each colour."""
    return "".join(f"--{name}:{colour};" for name, colour in palette.items())


def palette_css() -> str:
    """The style rules that set the colours: light, dark where the reader prefers it, and light on paper."""
    light, dark = css_variables(LIGHT), css_variables(DARK)
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"@media print{{:root{{color-scheme:light;{light}}}}}\n"
    )


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours, 1 to 21.

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def stand_ins(palette: Palette) -> Mapping[str, str]:
    """Colours that no palette uses, one for each name; plots are drawn in them and get variables afterwards."""
    return {name: f"#{0xFE0100 + index:06x}" for index, (name, _) in enumerate(palette.items())}
