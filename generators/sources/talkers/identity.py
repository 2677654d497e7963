"""Who is seen: every parameter of a face, drawn once per person. Lengths are in face units (see `fields`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Skin from light to dark, hair and iris colours: 8-bit RGB, picked by eye.
_SKIN = (
    (244, 208, 187), (236, 190, 164), (224, 172, 140), (206, 150, 118),
    (178, 122, 90), (146, 96, 70), (112, 72, 52), (84, 54, 42),
)  # fmt: skip
_HAIR = (
    (24, 18, 16), (48, 32, 24), (82, 56, 38), (120, 84, 52),
    (176, 136, 84), (150, 72, 38), (150, 148, 146), (70, 44, 36),
)  # fmt: skip
_IRIS = ((70, 44, 26), (96, 64, 36), (92, 110, 70), (84, 116, 144), (110, 130, 140), (50, 34, 24))
_DARK_HAIR, _DARK_IRIS = (0, 1, 7, 0, 6), (0, 1, 5)
#: From this tone on the darker pools are used.
_DARK_TONE = 4.0

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """Geometry of a face. `eye_*`, `brow_*`, `nose_*`, `mouth_*` as their names say; half widths and half heights."""

    eye_x: float
    eye_y: float
    eye_w: float
    eye_h: float
    eye_tilt: float
    brow_y: float
    brow_thick: float
    brow_arch: float
    nose_w: float
    nose_y: float
    nose_height: float
    mouth_y: float
    mouth_w: float
    lip_upper: float
    lip_lower: float
    chin_y: float
    jaw: float
    cheek: float
    width: float


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, hair and dress of a person; colours are display RGB in 0 to 1."""

    tone: float
    age: float
    skin: Colour
    hair: Colour
    iris: Colour
    style: str
    part: float
    hairline: float
    fringe: float
    sweep: float
    beard: float
    stubble: float
    glasses: bool
    lipstick: float
    freckles: int
    moles: int
    cloth: Colour
    stripes: bool
    collar: int


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp and its surroundings: direction to the lamp (unit vector, z to the viewer), ambient share, warmth."""

    x: float
    y: float
    z: float
    ambient: float
    warmth: float


@dataclass(frozen=True, slots=True)
class Identity:
    """A person, as drawn by `draw_identity`."""

    seed: int
    male: bool
    shape: Shape
    look: Look
    light: Light
    strength: float

    @property
    def sex(self) -> str:
        """Which voices fit: "male" or "female"."""
        return "male" if self.male else "female"


def _pick(colours: tuple[tuple[int, int, int], ...], index: int) -> Colour:
    r, g, b = colours[index]
    return (r / 255, g / 255, b / 255)


def _clipped(rng: np.random.Generator, spread: float) -> float:
    return float(spread * np.clip(rng.normal(), -2.0, 2.0))


def _draw_shape(male: bool, tone: float, rng: np.random.Generator) -> Shape:
    def n(spread: float) -> float:
        return _clipped(rng, spread)

    m = float(male)
    eye_y = -0.08 + n(0.02)
    nose_y = 0.42 + n(0.03)
    mouth_y = max(0.76 + n(0.025), nose_y + 0.31)  # room for the upper lip to rise
    return Shape(
        eye_x=0.43 + n(0.018),
        eye_y=eye_y,
        eye_w=0.205 + n(0.012),
        eye_h=0.090 + n(0.010),
        eye_tilt=n(0.016),
        brow_y=eye_y - 0.25 + n(0.022),
        brow_thick=0.045 + 0.014 * m + n(0.008),
        brow_arch=0.05 + n(0.015),
        nose_w=0.175 + 0.012 * m + n(0.016) + 0.004 * tone,
        nose_y=nose_y,
        nose_height=1.0 + n(0.13),
        mouth_y=mouth_y,
        mouth_w=0.315 + n(0.022),
        lip_upper=0.066 + n(0.010) + 0.004 * tone,
        lip_lower=0.090 + n(0.012) + 0.004 * tone,
        chin_y=max(1.30 + 0.05 * m + n(0.04), mouth_y + 0.46),
        jaw=(0.70 if male else 0.62) + n(0.045),
        cheek=0.90 + n(0.03),
        width=1.0 + n(0.03),
    )


def _fringe(style: str, rng: np.random.Generator) -> float:
    """How far hair falls over the forehead, face units; 0 for none."""
    fallen, depth = rng.random(), float(rng.uniform(0.12, 0.30))
    share = {"long": 0.45, "bob": 0.6, "short": 0.5, "crop": 0.5}.get(style, 0.0)
    return depth if fallen < share else 0.0


def _draw_look(male: bool, tone: float, rng: np.random.Generator) -> Look:
    anchors = np.array(_SKIN) / 255
    low = min(int(tone), len(_SKIN) - 2)
    skin = (anchors[low] + (tone - low) * (anchors[low + 1] - anchors[low])) * (
        1 + np.clip(rng.normal(0, 0.014, 3), -0.03, 0.03)
    )
    dark = tone >= _DARK_TONE
    hair = _DARK_HAIR[int(rng.integers(len(_DARK_HAIR)))] if dark else int(rng.integers(len(_HAIR)))
    iris = _DARK_IRIS[int(rng.integers(len(_DARK_IRIS)))] if dark else int(rng.integers(len(_IRIS)))
    styles = ("short", "short", "buzz", "crop") if male else ("long", "long", "bob", "bun")
    style = styles[int(rng.integers(len(styles)))]
    bald, beard_p, beard, stubble = rng.random(), rng.random(), rng.uniform(0.4, 1.0), rng.uniform(0.0, 0.25)
    lipstick_p, lipstick = rng.random(), rng.uniform(0.6, 1.1)
    freckled, freckles, moles = rng.random(), int(rng.integers(60, 200)), int(rng.integers(0, 4))
    cloth = rng.uniform(0.08, 0.85, 3)
    cloth = 0.5 * cloth + 0.5 * cloth.mean()
    bearded = male and beard_p < 0.4
    return Look(
        tone=tone,
        age=float(rng.random()),
        skin=(float(skin[0]), float(skin[1]), float(skin[2])),
        hair=_pick(_HAIR, hair),
        iris=_pick(_IRIS, iris),
        style="bald" if male and bald < 0.12 else style,
        part=float(rng.uniform(-0.6, 0.6)),
        hairline=float(rng.uniform(-0.07, 0.06)) - 0.04 * male,
        fringe=_fringe(style, rng),
        sweep=float(rng.uniform(-0.22, 0.22)),
        beard=float(beard) if bearded else 0.0,
        stubble=float(stubble) if male and not bearded else 0.0,
        glasses=bool(rng.random() < 0.18),
        lipstick=float(lipstick) if not male and lipstick_p < 0.5 else 0.0,
        freckles=freckles if freckled < 0.35 and not dark else 0,
        moles=moles,
        cloth=(float(cloth[0]), float(cloth[1]), float(cloth[2])),
        stripes=bool(rng.random() < 0.3),
        collar=int(rng.integers(3)),
    )


def draw_identity(seed: int) -> Identity:
    """Draw a person.

    Args:
        seed: Any non-negative integer; equal seeds are the same person.
    """
    rng = np.random.default_rng([seed])
    male = bool(rng.random() < 0.5)
    tone = float(rng.uniform(0.0, 7.0))
    shape = _draw_shape(male, tone, np.random.default_rng([seed, 1]))
    look = _draw_look(male, tone, np.random.default_rng([seed, 2]))
    direction = np.array([np.clip(rng.normal(0, 0.45), -0.9, 0.9), -0.4 - abs(rng.normal(0, 0.22)), 1.0])
    direction /= np.linalg.norm(direction)
    light = Light(
        x=float(direction[0]),
        y=float(direction[1]),
        z=float(direction[2]),
        ambient=float(rng.uniform(0.34, 0.52)),
        warmth=float(np.clip(rng.normal(0, 0.05), -0.1, 0.1)),
    )
    return Identity(seed, male, shape, look, light, strength=float(rng.uniform(0.8, 1.2)))
