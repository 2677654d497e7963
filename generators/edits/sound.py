"""Splicing sound: pieces are put in a row, and every joint fades through the room's own noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from generators.audio.dsp import fit_length, resample
from generators.audio.stretch import noise_like, overlap_add, spectra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.audio.dsp import Signal
    from generators.edits.edit_list import EditList

#: Highest sample of a lent piece.
_PEAK = 0.98
#: Share of frames that hold speech at its level in every recording worth editing.
_LOUD = 0.3
#: No recording is quieter.
_SILENCE = 1e-6
#: Share of frames that count as pauses, as in `generators.audio.stretch.noise_like`.
_QUIET = 0.1
#: Noise is subtracted this many times over: its power in a bin often exceeds its mean.
_SUBTRACT = 3.0


def room_tone(audio: Signal, rng: np.random.Generator) -> Signal:
    """Noise as it is heard in the pauses of a recording, as long as the recording."""
    return noise_like(audio, rng)


def lent_pieces(
    donor: Signal,
    donor_rate: int,
    places: Sequence[tuple[float, float]],
    to: Signal,
    rate: int,
    tone: Signal,
) -> list[Signal]:
    """Stretches of another recording as they would sound in this one: at its speech level, with its noise.

    Args:
        donor: [M] the other recording, not silent.
        donor_rate: Its samples per second.
        places: Start and length of each stretch, seconds of the donor.
        to: [N] the recording into which they go, not silent.
        rate: Its samples per second.
        tone: [N] its room tone.

    Returns:
        Pieces at `rate`; none has a sample above .98.
    """
    other = resample(donor, donor_rate, rate)
    gain = _loud_level(to, rate) / max(_loud_level(other, rate), _SILENCE)
    other = same_noise(np.asarray(other * np.float32(gain), np.float32), to, tone)
    pieces = []
    for start, length in places:
        first, n = round(start * rate), round(length * rate)
        piece = fit_length(other[first : first + n], n)
        top = float(np.abs(piece).max(initial=0.0))
        pieces.append(np.asarray(piece * np.float32(min(1.0, _PEAK / max(top, 1e-9))), np.float32))
    return pieces


def _loud_level(samples: Signal, rate: int) -> float:
    """RMS of the loudest 20 ms frames: speech in any recording, whatever its pauses hold."""
    hop = max(rate // 50, 1)
    power = np.mean(np.square(samples[: len(samples) // hop * hop].reshape(-1, hop), dtype=np.float64), axis=1)
    loudest = np.sort(power)[-max(round(_LOUD * len(power)), 1) :]
    return float(np.sqrt(loudest.mean()))


def same_noise(other: Signal, to: Signal, tone: Signal) -> Signal:
    """Bring the steady noise of a recording to that of another, band by band.

    Where it is too loud, spectral subtraction takes it down, but not below the wanted noise (Berouti et al., 1979);
    where it is too quiet, room tone is added. Two recordings of one room are left as they are.

    Args:
        other: [M] what is changed.
        to: [N] whose noise is wanted.
        tone: [N] room tone of `to`.

    Returns:
        [M].
    """
    from scipy.ndimage import uniform_filter

    frames = spectra(other)
    power = uniform_filter(np.square(np.abs(frames)), 3, mode="nearest")  # single bins of noise stick out too far
    has, wanted = _noise_power(frames), _noise_power(spectra(to))
    least = np.sqrt(np.minimum(wanted / np.maximum(has, 1e-20), 1.0))
    gain = np.maximum(np.sqrt(np.maximum(1 - _SUBTRACT * has / np.maximum(power, 1e-20), 0.0)), least)
    missing = np.sqrt(np.maximum(wanted - has, 0.0) / np.maximum(wanted, 1e-20))
    added = spectra(np.resize(tone, len(other))) * missing
    return overlap_add(frames * gain + added, len(other))


def _noise_power(frames: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Mean power of every band in the quietest frames."""
    power = np.square(np.abs(frames))
    order = np.argsort(power.sum(axis=1), kind="stable")
    return np.asarray(power[order[: max(round(_QUIET * len(order)), 1)]].mean(axis=0))


def join(audio: Signal, rate: int, edits: EditList, pieces: Sequence[Signal], tone: Signal) -> Signal:
    """Carry out edits on a recording; joints are hard.

    Args:
        audio: [N].
        rate: Samples per second.
        edits: What to do.
        pieces: New material of every edit, empty for deletions.
        tone: [N] room tone, for what is missing behind the end.

    Returns:
        [N]: what is pushed out at the end is cut, what is missing there is filled with the room tone.
    """
    parts, at = [], 0
    for edit, piece in zip(edits.edits, pieces, strict=True):
        first = round(edit.source_start * rate)
        parts += [audio[at:first], piece]
        at = first + round((edit.source_end - edit.source_start) * rate)
    out = np.concatenate([*parts, audio[at:]])
    missing = len(audio) - len(out)
    return np.concatenate([out, tone[:missing]]) if missing > 0 else out[: len(audio)]


def soften(audio: Signal, joints: Sequence[int], fade: int, tone: Signal) -> Signal:
    """Fade every joint through the room tone with equal power.

    Both sides are faded against the tone and not against each other, so that a joint sounds the same whatever lies on
    its sides: also where both are the same recording going on, as in a null edit. Two copies of one sound would add
    up in a cross-fade between the sides and give the null edit away.

    Args:
        audio: [N].
        joints: Index of the first sample behind each joint.
        fade: Samples of the whole cross-fade, half of them on either side.
        tone: [N].

    Returns:
        [N] copy; further than fade / 2 from every joint nothing is changed.
    """
    out = audio.copy()
    half = max(fade // 2, 1)
    for joint in joints:
        first, last = max(joint - half, 0), min(joint + half, len(audio))
        distance = np.abs(np.arange(first, last) + 0.5 - joint) / half
        keep = np.sin(np.pi / 2 * distance).astype(np.float32)
        out[first:last] = keep * out[first:last] + np.sqrt(1 - keep**2) * tone[first:last]
    return out


def joints_of(edits: EditList, rate: int) -> list[int]:
    """Samples of the output at which two recordings meet: two for a piece, one for a cut."""
    times = [time for edit in edits.edits for time in dict.fromkeys((edit.start, edit.end))]
    return [round(time * rate) for time in times]
