"""Levels of H.264: what a decoder must be able to do (ITU-T H.264, table A-1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

#: Frames that a decoder keeps for these profiles: three references of x264's "medium" and one B frame among them.
_KEPT_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table.

    Args:
        name: e.g. "3.1".
        per_second: Macroblocks per second.
        per_frame: Macroblocks of a picture.
        kept: Macroblocks of all kept pictures.
        kbps: Bit rate of Baseline and Main, thousand bits per second; High may have a quarter more.
        cpb: Buffer of Baseline and Main, thousand bits.
    """

    name: str
    per_second: int
    per_frame: int
    kept: int
    kbps: int
    cpb: int

    @property
    def idc(self) -> int:
        """The number in the stream's header."""
        return round(float(self.name) * 10)


LEVELS = (
    Limit("1.0", 1485, 99, 396, 64, 175),
    Limit("1.1", 3000, 396, 900, 192, 500),
    Limit("1.2", 6000, 396, 2376, 384, 1000),
    Limit("1.3", 11880, 396, 2376, 768, 2000),
    Limit("2.0", 11880, 396, 2376, 2000, 2000),
    Limit("2.1", 19800, 792, 4752, 4000, 4000),
    Limit("2.2", 20250, 1620, 8100, 4000, 4000),
    Limit("3.0", 40500, 1620, 8100, 10000, 10000),
    Limit("3.1", 108000, 3600, 18000, 14000, 14000),
    Limit("3.2", 216000, 5120, 20480, 20000, 20000),
    Limit("4.0", 245760, 8192, 32768, 20000, 25000),
    Limit("4.1", 245760, 8192, 32768, 50000, 62500),
    Limit("4.2", 522240, 8704, 34816, 50000, 62500),
    Limit("5.0", 589824, 22080, 110400, 135000, 135000),
    Limit("5.1", 983040, 36864, 184320, 240000, 240000),
    Limit("5.2", 2073600, 36864, 184320, 240000, 240000),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """What a level must bear: size in pixels, frames per second, peak in kb/s, buffer in kbit, profile."""

    width: int
    height: int
    rate: Fraction
    kbps: float
    bufsize: float
    profile: str


def is_legal(limit: Limit, stream: Stream) -> bool:
    """Whether a stream stays inside a level."""
    columns, rows = math.ceil(stream.width / 16), math.ceil(stream.height / 16)
    blocks = columns * rows
    more = 1.25 if stream.profile == "high" else 1.0
    return (
        blocks <= limit.per_frame
        and max(columns, rows) ** 2 <= 8 * limit.per_frame
        and blocks * stream.rate <= limit.per_second
        and blocks * _KEPT_FRAMES <= limit.kept
        and stream.kbps <= limit.kbps * more
        and stream.bufsize <= limit.cpb * more
    )


def level_for(nominal: str, stream: Stream) -> str:
    """The level to declare: the nominal one where it is legal, else the lowest legal one above it.

    Args:
        nominal: A level's name, or "auto" for the lowest legal one.
        stream: What is coded.

    Raises:
        ValueError: If no level bears it.
    """
    least = 0 if nominal == "auto" else round(float(nominal) * 10)
    for limit in LEVELS:
        if limit.idc >= least and is_legal(limit, stream):
            return limit.name
    raise ValueError(f"{stream.width}x{stream.height} at {float(stream.rate):g} fps is more than H.264 has a level for")
