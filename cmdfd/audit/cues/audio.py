"""Bandwidth, noise and resolution of the sound: what recorders, codecs, resamplers and vocoders leave behind.

The sound is what the decoder gives, mixed to one channel, so relations between channels are no cue here.
`CUES` and `measure` include those of `cmdfd.audit.cues.splice`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueKind, CueValue, Fix
from cmdfd.audit.cues import splice
from cmdfd.audit.cues.bandwidth import CLIP_DB, CUTOFF_DB, CUTOFF_HZ, effective_cutoff, long_term
from cmdfd.audit.cues.figures import median
from cmdfd.audit.cues.silence import decibels
from cmdfd.audit.cues.sound import FEWEST_SPECTRA, LOWEST_RATE, NOTHING, Sound, hann, look, quantile, ratio_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Lower ends of the bands whose share is measured: 7.6 kHz is the top of the mel filters of SV2TTS and Tacotron 2 (fmax
#: 7600), 8 kHz the Nyquist frequency of 16 kHz generators, 11 kHz lies just below that of 22.05 kHz vocoders.
BANDS = ((7600.0, "7600"), (8000.0, "8000"), (11000.0, "11000"))
#: A band narrower than this is no band.
NARROWEST_HZ = 200.0
#: Speech without its lowest and highest parts: where tilt and flatness are measured at every sample rate.
SPEECH_BAND = (200.0, 3800.0)
#: Share of the quietest spectra that counts as no speech, and the bounds of their number: a fixed number from 2.6 s
#: on, so that the flatness of their mean does not depend on the length.
QUIET_SHARE, QUIET_FEWEST, QUIET_MOST = 0.10, 4, 16
#: Hum: about 1 kHz is enough for its harmonics; windows of 0.4 s part 50 from 60 Hz.
_HUM_RATE, _HUM_SECONDS, _HUM_HOP, _HUM_FEWEST = 1000, 0.4, 0.1, 5
#: Harmonics that are looked at: rectifiers hum at the second one; from the fifth on the two grids meet (300 Hz).
_HUM_HARMONICS = (1, 2, 3)
#: A run of falling level is a decay from this many 10 ms frames on, if it begins this close (dB) to the loudest frame.
_DECAY_FRAMES, _DECAY_FROM_DB, _FEWEST_DECAYS = 6, 30.0, 3
#: Bits of a float32's significand: whatever is not on that grid has no resolution of its own.
_FLOAT_BITS = 24
#: 16-bit levels on each side of the median, and the samples needed among them for every level.
_NEAR_LEVELS, _SAMPLES_PER_LEVEL = 16, 20

_BANDWIDTH = (
    "bring every clip, unforged ones too, to the lowest sample rate and bandwidth of all with one resampler (harmonise)"
)
_TONE = "lay the source clip's own room tone under what was generated, or one matched noise floor under every clip"
_ENCODE = "write every clip, unforged ones too, with one resampler and one encoder setting (harmonise)"
_FMAX = "vocoders stop at fmax 7600 Hz (SV2TTS), 8 kHz (16 kHz models) or 12 kHz (24 kHz models)"
_ROOM = "synthetic speech has no room: its pauses are cleaner than those of a recording"
_BITS = "a sound card writes all 16 bits; 8-bit sources, digital gain and float pipelines leave gaps or none"


def _cue(
    name: str, title: str, unit: str, kind: CueKind, rule: str, remedy: str, source: str, fix: Fix = "harmonise"
) -> Cue:
    return Cue(f"audio.{name}", title, unit, kind, rule, remedy, source, fix)


_OWN = (
    _cue(
        "cutoff",
        "the cut-off frequency of the sound",
        "Hz",
        "debatable",
        "long-term spectrum (32 ms Hann frames, upper quartile of the means of 8 stretches, 3 bins smoothed, not under "
        f"{CLIP_DB:g} dB below its level at 0.3-3.4 kHz); floor of a frequency = highest level from {CUTOFF_HZ:g} Hz "
        f"further up to the end; edge = where it lies highest above its floor, at least {CUTOFF_DB:g} dB, from 1 kHz "
        f"on; cut-off = last bin of the edge that is less than {CUTOFF_DB:g} dB below the level before it; half of the "
        "sample rate where there is no edge",
        _BANDWIDTH,
        _FMAX,
    ),
    *(
        _cue(
            f"rolloff_{percent}",
            f"the frequency with {percent} % of the energy below it",
            "Hz",
            "debatable",
            f"first bin of the mean spectrum over 60 Hz that completes {percent} % of its energy",
            _BANDWIDTH,
            _FMAX,
        )
        for percent in (95, 99)
    ),
    *(
        _cue(
            f"above_{name}",
            f"the energy above {name} Hz",
            "dB",
            "debatable",
            f"energy from {name} Hz on over all above 60 Hz, at least -100; none where less than 200 Hz lie above",
            _BANDWIDTH,
            _FMAX,
        )
        for _, name in BANDS
    ),
    _cue(
        "tilt",
        "the tilt of the spectrum",
        "dB/octave",
        "debatable",
        "slope of the mean spectrum in dB over log2 of the frequency, 200-3800 Hz, every octave of equal weight",
        "record or generate with like microphones; one equaliser for all hides it, report it",
        "microphones, loudspeakers and vocoders colour the voice",
        "match",
    ),
    _cue(
        "noise_floor",
        "the noise floor",
        "dB",
        "nuisance",
        "5th percentile of the energy of 10 ms frames, dB of full scale, at least -120",
        _TONE,
        _ROOM,
    ),
    _cue(
        "speech_to_noise",
        "the distance of speech from noise",
        "dB",
        "nuisance",
        "95th minus 5th percentile of the energy of 10 ms frames; at most 100",
        _TONE,
        _ROOM,
    ),
    _cue(
        "noise_flatness",
        "the flatness of the noise's spectrum",
        "dB",
        "nuisance",
        "mean spectrum of the quietest tenth of the 32 ms frames (4 to 16 of them): geometric over arithmetic mean of "
        "its bins in 200-3800 Hz; 0 = white; none where they are digital zero",
        _TONE,
        _ROOM,
    ),
    *(
        _cue(
            f"hum_{mains}",
            f"the hum of {mains} Hz mains",
            "dB",
            "nuisance",
            f"spectra of 0.4 s windows, lower quartile over the windows: bin at {mains}, {2 * mains} or {3 * mains} Hz "
            "over the median of the bins 6 to 14 Hz beside it, the largest of the three; none under 0.8 s",
            "remove hum with one high-pass or notch on every clip, unforged ones too",
            "recordings hum with the mains of their country, generated speech does not",
        )
        for mains in (50, 60)
    ),
    _cue(
        "decay",
        "the speed at which the sound dies away",
        "dB/s",
        "nuisance",
        "level of 10 ms frames, 3 smoothed: median slope of its falls of at least 60 ms that begin within 30 dB of the "
        "loudest frame; 60 over it bounds the reverberation time from above; none under 3 falls",
        "convolve every clip, unforged ones too, with rooms of one distribution, or match the rooms",
        "text-to-speech is trained on dry studio voices, real clips come from rooms",
        "match",
    ),
    _cue(
        "bits",
        "the resolution of the samples",
        "bits",
        "nuisance",
        "fewest bits b so that all samples are multiples of 2^(1-b): 8 or 16 for such sources, 16 minus the unused low "
        "bits, 17 for the mean of two 16-bit channels, 32 where none up to 24 will do; none for digital zero",
        _ENCODE,
        _BITS,
    ),
    _cue(
        "levels_used",
        "the share of sample values in use",
        "share",
        "nuisance",
        "share of the 16-bit levels within 16 of the median that occur; none under 660 samples among them",
        _ENCODE,
        _BITS,
    ),
)

CUES = (*_OWN, *splice.CUES)


def measure(samples: NDArray[np.float32], sample_rate: int) -> dict[str, CueValue]:
    """Cues of bandwidth, noise, resolution, splices and priming.

    Args:
        samples: [N] mono in [-1, 1], finite.
        sample_rate: Samples per second, that of the file.

    Returns:
        A value for every cue of `CUES`; None where the clip is too short or has nothing to measure, and for all of a
        clip under `LOWEST_RATE` samples per second.

    Raises:
        ValueError: If the samples are not mono or the rate is not positive.
    """
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    if 0 < sample_rate < LOWEST_RATE:
        return found
    sound = look(samples, sample_rate)
    if not sound.samples.any():
        return found | ({"audio.noise_floor": decibels(0.0)} if len(sound.energy) else {})
    found |= _noise(sound) | _resolution(sound) | _hum(sound)
    found["audio.decay"] = _decay(sound.energy)
    cutoff = None
    if len(sound.power) >= FEWEST_SPECTRA:
        cutoff = effective_cutoff(long_term(sound.power), sound)
        found["audio.cutoff"] = cutoff
        found |= _spectrum(sound)
    return found | splice.measure(sound, cutoff)


def _spectrum(sound: Sound) -> dict[str, CueValue]:
    mean = sound.power.mean(axis=0, dtype=np.float64)
    first = sound.bin(60.0)
    summed = np.cumsum(mean[first:])
    total = float(summed[-1])
    if total <= 0:
        return {}
    found: dict[str, CueValue] = {}
    for percent in (95, 99):
        at = int(np.searchsorted(summed, total * percent / 100))
        found[f"audio.rolloff_{percent}"] = round((first + at) * sound.bin_hz, 1)
    for low, name in BANDS:
        if sound.nyquist >= low + NARROWEST_HZ:
            found[f"audio.above_{name}"] = ratio_db(float(mean[sound.bin(low) :].sum()), total, NOTHING * total)
    if sound.nyquist >= SPEECH_BAND[1]:
        found["audio.tilt"] = _tilt(mean, sound)
    return found


def _tilt(mean: NDArray[np.float64], sound: Sound) -> float | None:
    low, high = sound.bin(SPEECH_BAND[0]), sound.bin(SPEECH_BAND[1]) + 1
    band = mean[low:high]
    if not band.any():
        return None
    level = 10 * np.log10(np.maximum(band, NOTHING * band.max()))
    octaves = np.log2(np.arange(low, high))
    weights = 1 / np.arange(low, high)
    octaves = octaves - np.average(octaves, weights=weights)
    return round(float((weights * octaves) @ level / ((weights * octaves) @ octaves)), 2) + 0.0


def _noise(sound: Sound) -> dict[str, CueValue]:
    found: dict[str, CueValue] = {}
    if len(sound.energy):
        ordered = np.sort(sound.energy)
        low, high = quantile(ordered, 0.05), quantile(ordered, 0.95)
        found["audio.noise_floor"] = round(decibels(float(np.sqrt(low))), 2)
        if high > 0:
            found["audio.speech_to_noise"] = ratio_db(high, low, NOTHING * high)
    if len(sound.power) >= FEWEST_SPECTRA and sound.nyquist >= SPEECH_BAND[1]:
        band = sound.power[:, sound.bin(SPEECH_BAND[0]) : sound.bin(SPEECH_BAND[1]) + 1]
        total = band.sum(axis=1)
        n_quiet = min(max(int(QUIET_SHARE * len(total)), QUIET_FEWEST), QUIET_MOST)
        quiet = band[np.argsort(total, kind="stable")[:n_quiet]].mean(axis=0, dtype=np.float64)
        mean = float(quiet.mean())
        if mean > 0:
            logs = np.log10(np.maximum(quiet, NOTHING * mean))
            found["audio.noise_flatness"] = round(10 * float(logs.mean() - np.log10(mean)), 2) + 0.0
    return found


def _hum(sound: Sound) -> dict[str, CueValue]:
    """Steady lines at the mains' frequencies, in windows of the sound at about 1 kHz."""
    step = round(sound.sample_rate / _HUM_RATE)
    rate = sound.sample_rate / step
    size, hop = round(_HUM_SECONDS * rate), round(_HUM_HOP * rate)
    slow = _slowed(sound.samples, step)
    if len(slow) < size + (_HUM_FEWEST - 1) * hop:
        return {}
    frames = np.lib.stride_tricks.sliding_window_view(slow, size)[::hop]
    parts = np.fft.rfft(frames * hann(size), axis=1)
    spectrum = np.square(parts.real) + np.square(parts.imag)
    quarter = round(0.25 * (len(spectrum) - 1))
    steady = np.partition(spectrum, quarter, axis=0)[quarter]
    nothing = NOTHING * float(spectrum.max())
    if nothing == 0:
        return {}
    width = rate / size
    lines = {mains: [_line(steady, mains * k, width, nothing) for k in _HUM_HARMONICS] for mains in (50, 60)}
    return {f"audio.hum_{mains}": max(found) for mains, found in lines.items()}


def _line(steady: NDArray[np.float64], hertz: float, width: float, nothing: float) -> float:
    place, beside = _bins_at(len(steady), hertz, width)
    return ratio_db(float(steady[place]), median(steady[beside]), nothing)


@lru_cache(maxsize=64)
def _bins_at(n: int, hertz: float, width: float) -> tuple[int, NDArray[np.intp]]:
    """The bin of a line, and those that lie 6 to 14 Hz beside it."""
    near = np.abs(np.arange(n) * width - hertz)
    return int(np.argmin(near)), np.flatnonzero((near >= 6) & (near <= 14))


def _slowed(samples: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """[N // step - 3] every step-th sample of the sound under a Hann window of four steps (-40 dB from 0.75 kHz on)."""
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    window = hann(4 * step).reshape(4, step)
    # each block under each quarter of the window; not by BLAS, whose threads would wait for each other
    parts = np.einsum("nh,kh->nk", blocks, window)
    n = max(len(blocks) - 3, 0)
    return parts[:n, 0] + parts[1 : n + 1, 1] + parts[2 : n + 2, 2] + parts[3 : n + 3, 3]  # type: ignore[no-any-return]


def _decay(energy: NDArray[np.float64]) -> float | None:
    if len(energy) < _DECAY_FRAMES + 2 or not energy.any():
        return None
    smooth = np.convolve(energy, np.full(3, 1 / 3), "valid")
    level = 10 * np.log10(np.maximum(smooth, NOTHING * smooth.max()))
    falling = np.diff(level) < 0
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], falling, [False]])))
    first, last = bounds[::2], bounds[1::2]  # level falls from first to last
    long = (last - first >= _DECAY_FRAMES) & (level[first] >= level.max() - _DECAY_FROM_DB)
    if np.count_nonzero(long) < _FEWEST_DECAYS:
        return None
    first, last = first[long], last[long]
    return round(float(np.median((level[first] - level[last]) / (0.010 * (last - first)))), 1)


def _resolution(sound: Sound) -> dict[str, CueValue]:
    samples = sound.samples
    found: dict[str, CueValue] = {"audio.bits": _bits(samples)}
    levels = np.rint(samples * 32768.0).astype(np.int32)
    middle = int(np.partition(levels, len(levels) // 2)[len(levels) // 2])
    near = levels[np.abs(levels - middle) <= _NEAR_LEVELS] - (middle - _NEAR_LEVELS)
    n_levels = 2 * _NEAR_LEVELS + 1
    if len(near) >= _SAMPLES_PER_LEVEL * n_levels:
        n_used = int(np.count_nonzero(np.bincount(near, minlength=n_levels)))
        found["audio.levels_used"] = round(n_used / n_levels, 4)
    return found


def _bits(samples: NDArray[np.float32]) -> float:
    for part in (samples[:4096], samples):  # most float sound shows itself at once
        scaled = part * np.float32(2.0 ** (_FLOAT_BITS - 1))
        if (scaled != np.rint(scaled)).any():
            return 32.0
    used = int(np.bitwise_or.reduce(scaled.astype(np.int64)))
    return float(_FLOAT_BITS - ((used & -used).bit_length() - 1))
