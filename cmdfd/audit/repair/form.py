"""The common form that every clip is brought to: lowest common rates and size, of both classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.repair.measured import ODD_SHARE, class_masks, groups, lowest_common, numbers, texts
from cmdfd.audit.repair.recipe import Harmonise
from cmdfd.report.text import listing

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd
    from numpy.typing import NDArray

#: Sample rates of AAC (ISO/IEC 14496-3, table 1.18) that the common stage takes.
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
#: Where sizes differ, the canvas is a little smaller than the smallest picture, so that no clip escapes the scaler.
ALL_SCALED = 7 / 8
#: Where sample rates differ, all sounds are cut off below half the lowest rate, where resamplers leave their edge.
BELOW_NYQUIST = 0.9
#: Cues of where the spectrum ends, and the columns that tell it in Hz.
BANDWIDTH_CUES = ("audio.bandwidth", "audio.cutoff", "audio.rolloff", "audio.above", "audio.tilt")
CUTOFF_COLUMNS = ("audio.bandwidth", "audio.cutoff")
#: This share of each group (reals, each generator's fakes) may be narrower than the common cut-off: quiet clips are so
#: by their content. A cut-off below the third formant would leave no speech (Hz).
NARROW_SHARE, LOWEST_CUTOFF = 0.05, 2000.0
#: The filter falls this much before the narrowest sound ends, since soft filters begin to fall well before it. Measured
#: on a Butterworth of order 12 at 4 kHz, whose end `audio.cutoff` sees at 5.1 kHz: its cut-off is hidden then, but not
#: all of its roll-off.
CUTOFF_SHARE = 0.8
#: White noise under every clip: hides exact zeros; or lifts pauses over the rule "40 dB below speech" at -23 LUFS.
ZERO_NOISE, PAUSE_NOISE = -75.0, -55.0
#: Seconds by which the mean silence inside the clips may differ: two frames of 10 ms, by which a pause is measured.
SAME_SILENCE = 0.02
#: Cues of digital silence that leave both ends out.
ZERO_INSIDE = ("silence.zero_longest", "silence.zero_runs")
#: More than this share of a class without sound, and the sound goes from all clips.
SILENT_CLASS = 0.5


@dataclass(frozen=True, slots=True)
class PlannedForm:
    """A harmonise step, and in sentences how it was found."""

    step: Harmonise
    notes: tuple[str, ...]


def plan_form(frame: pd.DataFrame, flagged: Collection[str]) -> PlannedForm:
    """Derive the common form from what was measured; defaults stand for what was not.

    Args:
        frame: Measured clips.
        flagged: Names of flagged cues.
    """
    notes: list[str] = []
    width, height = _canvas(frame, notes)
    rate = _sample_rate(frame)
    rates = numbers(frame, "time.fps")
    fps = lowest_common(rates, class_masks(frame).values(), ODD_SHARE) or Harmonise().fps
    if len(np.unique(rates[~np.isnan(rates)])) > 1:
        notes.append(
            f"harmonise: frame rates from {np.nanmin(rates):g} to {np.nanmax(rates):g} become {fps:g} per second, the "
            "lowest common one; frames are left out of the faster clips, which an uneven motion may still show"
        )
    step = Harmonise(
        fps=float(np.clip(round(fps, 6), 1, 240)),
        width=width,
        height=height,
        sample_rate=rate,
        audio_bit_rate=64_000 if rate <= 24_000 else 128_000,
        gop=max(1, round(fps)),
        lowpass_hz=_lowpass(frame, flagged, rate, notes),
        noise_dbfs=_noise(frame, flagged, notes),
        sound="remove" if _without_sound(frame, notes) else "keep",
    )
    notes.insert(
        0,
        f"harmonise: every clip becomes {step.width}x{step.height} pixels, {step.fps:g} frames and "
        f"{step.sample_rate} samples per second, {step.lufs:g} LUFS, x264 at quality {step.crf}",
    )
    return PlannedForm(step, tuple(notes))


def _canvas(frame: pd.DataFrame, notes: list[str]) -> tuple[int, int]:
    """Lowest common width and height, even; turned pictures count as they are shown."""
    wide, high = numbers(frame, "geometry.width"), numbers(frame, "geometry.height")
    turned = np.array([text.split(" ")[0] in ("90", "270", "90.0", "270.0") for text in texts(frame, "geometry.turn")])
    shown = {"width": np.where(turned, high, wide), "height": np.where(turned, wide, high)}
    parts = list(class_masks(frame).values())
    least = {name: lowest_common(values, parts, ODD_SHARE) for name, values in shown.items()}
    if least["width"] is None or least["height"] is None:
        return Harmonise().width, Harmonise().height
    differ = any(len(np.unique(values[~np.isnan(values)])) > 1 for values in shown.values())
    if differ:
        notes.append(
            f"harmonise: sizes differ, so every picture is cut in the middle to the shape of the smallest common size "
            f"({least['width']:.0f}x{least['height']:.0f}) and scaled to 7/8 of it; none is scaled up or left as it is"
        )
    share = ALL_SCALED if differ else 1.0
    return _even(least["width"] * share), _even(least["height"] * share)


def _even(value: float) -> int:
    return int(np.clip(int(value) // 2 * 2, 16, 4096))


def _sample_rate(frame: pd.DataFrame) -> int:
    rates = numbers(frame, "container.sample_rate")
    low = lowest_common(rates, class_masks(frame).values(), ODD_SHARE)
    if low is None:
        return Harmonise().sample_rate
    return max((rate for rate in AAC_RATES if rate <= low), default=AAC_RATES[0])


def _lowpass(frame: pd.DataFrame, flagged: Collection[str], rate: int, notes: list[str]) -> float | None:
    found = []
    rates = numbers(frame, "container.sample_rate")
    if len(np.unique(rates[~np.isnan(rates)])) > 1:
        found.append(BELOW_NYQUIST * rate / 2)
        notes.append("harmonise: sample rates differ, so every sound is cut off below half of the lowest rate")
    if any(cue.startswith(BANDWIDTH_CUES) for cue in flagged):
        columns = [name for name in frame.columns if str(name).startswith(CUTOFF_COLUMNS)]
        lows = [lowest_common(_hertz(frame, name), groups(frame), NARROW_SHARE) for name in columns]
        known = [low for low in lows if low is not None]
        if known:
            found.append(max(CUTOFF_SHARE * min(known), LOWEST_CUTOFF))
            notes.append(
                f"harmonise: bandwidths differ; the narrowest of the reals and of each generator's fakes ends at "
                f"{min(known):.0f} Hz (5 % of a group left out), so every sound is cut off at {found[-1]:.0f} Hz"
            )
        else:
            notes.append(
                "harmonise: bandwidths differ, but no cut-off was measured (audio.cutoff): no filter is planned"
            )
    return round(min(found), 1) if found and min(found) < rate / 2 else None


def _hertz(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Values that can be a cut-off in Hz; others (shares, decibels) are left out."""
    values = numbers(frame, name)
    return np.where(values >= 100, values, np.nan)


def _noise(frame: pd.DataFrame, flagged: Collection[str], notes: list[str]) -> float | None:
    """Noise where silence inside the clips differs; silence at their ends goes by the cut."""
    for cue, edges, word, level in (
        ("silence.pause_share", ("silence.lead_40db_speech", "silence.trail_40db_speech"), "pauses", PAUSE_NOISE),
        ("silence.zero_share", ("silence.zero_lead", "silence.zero_trail"), "digital silences", ZERO_NOISE),
    ):
        inside = cue == "silence.zero_share" and any(name in flagged for name in ZERO_INSIDE)
        if inside or (cue in flagged and _differs_inside(frame, cue, edges)):
            notes.append(f"harmonise: {word} differ, so noise of {level:g} dB of full scale is laid under every sound")
            return level
    return None


def _differs_inside(frame: pd.DataFrame, cue: str, edges: tuple[str, ...]) -> bool:
    """Whether the classes' mean seconds of silence differ when that at both ends is taken off."""
    outer = sum(np.nan_to_num(numbers(frame, name)) for name in edges)
    inner = numbers(frame, cue) * numbers(frame, "time.audio_duration") - outer
    parts = [inner[mask & ~np.isnan(inner)] for mask in class_masks(frame).values()]
    return all(len(part) for part in parts) and abs(parts[0].mean() - parts[1].mean()) > SAME_SILENCE


def _without_sound(frame: pd.DataFrame, notes: list[str]) -> bool:
    lengths = numbers(frame, "time.audio_duration")
    spans = numbers(frame, "time.audio_span")
    pictures = ~np.isnan(np.fmax(numbers(frame, "time.video_duration"), numbers(frame, "time.video_span")))
    mute = np.isnan(lengths) & np.isnan(spans) & pictures
    shares = {name: float(mute[mask].mean()) for name, mask in class_masks(frame).items() if mask.any()}
    if max(shares.values(), default=0.0) <= SILENT_CLASS:
        return False
    who = listing([f"{share:.0%} of the {name}" for name, share in shares.items()])
    notes.append(
        f"harmonise: {who} have no sound. No repair can make any, so the sound is taken from every clip: what is left "
        "is a set of pictures. To keep the sound, find the sound of the others"
    )
    return True
