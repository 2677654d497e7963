"""How wide a common crop must be, and where each clip's window lies.

Width of the cut: the longest flagged silence (or stillness) at that end, of whichever class has the longer one, plus
one frame of AAC at 16 kHz (64 ms), over which a codec smears an edge. Clips that are silent nearly throughout do not
count. The cut, with its random part, takes at most half of the shortest usual clip; where more were needed, it is said
how many clips keep some silence. Clips that would be too short are counted before anything is done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cues.silence import AVH_FPS
from cmdfd.audit.repair.measured import ODD_SHARE, Extent, class_masks, lowest_common, numbers, pair_keys
from cmdfd.audit.repair.recipe import Crop, RepairError
from cmdfd.clip import content_id
from cmdfd.report.text import percent

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd
    from numpy.typing import NDArray

#: One AAC frame of 1024 samples at 16 kHz, seconds.
SMEAR = 0.064
#: Cues of the very first and last samples or pictures, whose extent is a frame of a codec or two pictures at most.
EDGES = {
    "lead": ("audio.start_ramp", "audio.first_sample", "freeze.first_"),
    "trail": ("audio.end_ramp", "freeze.last_"),
}
#: `freeze.drift` looks at the first five pictures: so many seconds at 25 per second.
DRIFT = 0.2
#: Cut from both ends of every clip even where no silence is flagged, so that no filter sees the end of a recording.
LEAST_CUT = 0.04
#: Share of the shortest usual clip that the cut may take with its random part.
MOST_CUT = 0.5
#: The random offset: this share of what is left, within these bounds in seconds. One frame of AAC or of video is less
#: than the lower bound; half a second is more than any alignment that a generator leaves.
SPREAD_SHARE, SPREAD_LOW, SPREAD_HIGH = 0.2, 0.08, 0.5
#: Clips are not cut shorter than this because of a few short ones (seconds), nor than half the median.
SHORTEST = 1.0
#: A clip with so much silence at one end has nothing else.
SILENT_SHARE = 0.9
#: Seconds by which measured ends may be off.
SLACK = 0.002


@dataclass(frozen=True, slots=True)
class Width:
    """How much one end needs.

    Args:
        seconds: Width with the smear, before any limit; `LEAST_CUT` where nothing is flagged.
        longest: Class -> the longest silence that was measured; empty where none is flagged.
    """

    seconds: float
    longest: dict[str, float]


def edge_silence(frame: pd.DataFrame, flagged: Collection[str], end: str) -> NDArray[np.float64]:
    """Longest flagged silence or stillness of every clip at one end, in seconds; NaN where none is flagged or measured.

    Args:
        frame: Measured clips.
        flagged: Names of flagged cues.
        end: "lead" or "trail".
    """
    found = np.full(len(frame), np.nan)
    names = (f"silence.{end}_", f"silence.zero_{end}", f"silence.avh_{end}", f"freeze.{end}")
    for cue in sorted(flagged):
        if cue.startswith(names):
            found = np.fmax(found, numbers(frame, cue))
        elif end == "lead" and cue == "silence.avh_trim":
            found = np.fmax(found, numbers(frame, cue) / AVH_FPS)
        elif end == "lead" and (onset := re.fullmatch(r"silence\.onset_(\d+)ms", cue)):
            found = np.fmax(found, _where_measured(frame, cue, int(onset[1]) / 1000))
        elif end == "lead" and cue == "freeze.drift":
            found = np.fmax(found, _where_measured(frame, cue, DRIFT))
        elif cue.startswith(EDGES[end]):
            found = np.fmax(found, _where_measured(frame, cue, SMEAR))
    return found


def _where_measured(frame: pd.DataFrame, cue: str, seconds: float) -> NDArray[np.float64]:
    return np.where(np.isnan(numbers(frame, cue)), np.nan, seconds)


def width(frame: pd.DataFrame, flagged: Collection[str], end: str) -> Width:
    """How much must be cut from one end, by the longest flagged silence of either class."""
    silence = edge_silence(frame, flagged, end)
    whole = numbers(frame, "time.audio_duration")
    silence = np.where(silence >= SILENT_SHARE * np.where(np.isnan(whole), np.inf, whole), np.nan, silence)
    longest = {
        name: float(np.nanmax(silence[mask]))
        for name, mask in class_masks(frame).items()
        if (mask & ~np.isnan(silence)).any()
    }
    top = max(longest.values(), default=0.0)
    return Width(max(round(top + SMEAR, 3), LEAST_CUT) if top > 0 else LEAST_CUT, longest)


@dataclass(frozen=True, slots=True)
class PlannedCrop:
    """A crop, and in sentences how it was found."""

    step: Crop
    notes: tuple[str, ...]


def plan_crop(frame: pd.DataFrame, flagged: Collection[str], fps: float, seed: int, *, sound: bool) -> PlannedCrop:
    """Derive a crop from what was measured.

    Args:
        frame: Measured clips.
        flagged: Names of flagged cues.
        fps: Frames per second of the repaired set; the length becomes a whole number of frames.
        seed: Seed of the offsets.
        sound: Whether the clips keep their sound.

    Raises:
        RepairError: Where no length was measured.
    """
    lengths = Extent(frame, sound=sound).seconds
    usual = lowest_common(lengths, class_masks(frame).values(), ODD_SHARE)
    if usual is None:
        raise RepairError("no clip has a measured length (time.video_duration), so no common crop can be planned")
    median = float(np.nanmedian(lengths))
    floor = max(usual, min(SHORTEST, median / 2))
    lead, trail = width(frame, flagged, "lead"), width(frame, flagged, "trail")
    spread = min(max(SPREAD_SHARE * (floor - lead.seconds - trail.seconds), SPREAD_LOW), SPREAD_HIGH)
    room = MOST_CUT * floor - spread
    scale = min(1.0, max(room, 0.0) / (lead.seconds + trail.seconds))
    cut = [round(one.seconds * scale, 3) for one in (lead, trail)]
    seconds = max(floor - sum(cut) - spread - SLACK, min(SHORTEST, median / 2))
    seconds = max(np.floor(seconds * fps + 1e-6), np.ceil(0.1 * fps)) / fps
    step = Crop(lead=cut[0], trail=cut[1], spread=round(spread, 3), seconds=float(seconds), seed=seed)
    told = [*_tell(frame, flagged, "lead", lead, step.lead), *_tell(frame, flagged, "trail", trail, step.trail)]
    told.append(
        f"crop: every clip becomes {step.seconds:.3f} s long, beginning {step.lead:g} s to "
        f"{step.lead + step.spread:g} s after both streams run, at random; clips of a pair share the offset (median "
        f"length before: {median:.3f} s)"
    )
    return PlannedCrop(step, tuple(told))


def _tell(frame: pd.DataFrame, flagged: Collection[str], end: str, found: Width, cut: float) -> list[str]:
    word = "start" if end == "lead" else "end"
    if not found.longest:
        return []
    longest = " and ".join(f"{value:.3f} s in {name}" for name, value in found.longest.items())
    told = [
        f"crop: the silence or stillness that is flagged at the {word} lasts at most {longest}; {cut:g} s are cut from "
        f"every clip at that end"
    ]
    if cut < found.seconds:
        silence = edge_silence(frame, flagged, end)
        masks = class_masks(frame).items()
        over = [f"{percent(float(np.mean(silence[mask] > cut)))} of the {name}" for name, mask in masks if mask.any()]
        told.append(
            f"crop: {found.seconds:g} s would be needed, which is more than half of the shortest clips; "
            f"{' and '.join(over)} keep some of it at the {word}"
        )
    return told


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Where every clip is cut.

    Args:
        start: [n] seconds after the first frame; NaN where nothing was measured (the begin is then taken as 0).
        fits: [n] whether the window lies inside the clip; True where that is not known before it is decoded.
    """

    start: NDArray[np.float64]
    fits: NDArray[np.bool_]


def windows(frame: pd.DataFrame, crop: Crop, *, sound: bool) -> Windows:
    """Draw the window of every clip.

    Args:
        frame: Measured clips.
        crop: The step.
        sound: Whether the clips keep their sound.
    """
    extent = Extent(frame, sound=sound)
    draws = np.array([_uniform(crop.seed, key) for key in pair_keys(frame)])
    start = extent.begin + crop.lead + crop.spread * draws
    # only what the window itself needs decides whether a clip is kept: what is cut at the end may be less in short ones
    fits = ~(start + crop.seconds > extent.end + SLACK / 2)
    return Windows(np.round(start, 6), fits)


def _uniform(seed: int, key: str) -> float:
    """In [0, 1), from the seed and the key alone, so that it does not depend on which other clips there are."""
    return int(content_id("repair-crop", seed, key, length=13), 16) / 16**13
