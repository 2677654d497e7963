"""Sound that moves a mouth: an opening and a width for every frame, in the range of the speaker's own ones.

Lips follow vowels. On 16 talkers and 23 real clips, genuine openings correlate best with the loudness between 500 and
3500 Hz (.69 and .44; all of 80 to 7000 Hz: .58 and .37), taken around the middle of the time for which a frame is
shown (20 ms after its beginning at 25 fps). Widths correlate with how much brighter a sound is than others (.33 and
.32): spread lips for "ee" and "s", round ones for "oo".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmdfd.errors import JobError
from generators.audio.dsp import Signal, fit_length, limit, resample, speech_level

if TYPE_CHECKING:
    from generators.generator import Job

Track = NDArray[np.float64]

#: Band in Hz whose loudness openings follow, and the two whose balance widths follow; measured, see above.
VOWEL_BAND = (500.0, 3500.0)
_BRIGHT_BAND, _DARK_BAND = (1600.0, 5000.0), (300.0, 900.0)
#: Windows of loudness and of brightness in frame periods; of 1, 1.5, 2 and 3 periods, 2 correlates best.
_WINDOW, _COLOUR_WINDOW = 2.0, 3.0
#: Standard deviations in frames of the smoothers that are tried until a driven mouth is as calm as the genuine one.
_CALM = (0.0, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0)
#: Smoothing of widths in frames: pose and noise, which genuine widths show too, need no copy.
_WIDTH_CALM = 1.0
#: Widths change by no more than this share: beyond it cheeks look drawn.
WIDTH_LIMIT = 0.12
#: Levels below this share of the loudest are the same silence; -80 dB on the square-root scale.
_FLOOR = 0.01


def _power(
    audio: Signal, sample_rate: int, fps: float, n_frames: int, band: tuple[float, float], window: float
) -> Track:
    """Mean power of a band around the middle of every frame's showing; [n_frames], 0 behind the end of the sound."""
    from scipy.signal import butter, sosfiltfilt

    top = 0.45 * sample_rate
    low, high = min(band[0], 0.5 * top), min(band[1], top)
    filtered = sosfiltfilt(butter(2, (low, high), "bandpass", fs=sample_rate, output="sos"), audio, padlen=0)
    power = np.concatenate([[0.0], np.cumsum(np.square(filtered))])
    middle = (np.arange(n_frames) + 0.5) / fps * sample_rate
    half = 0.5 * window / fps * sample_rate
    first = np.clip(np.rint(middle - half).astype(int), 0, len(audio))
    last = np.clip(np.rint(middle + half).astype(int), 0, len(audio))
    return np.asarray(np.maximum(power[last] - power[first], 0.0) / np.maximum(last - first, 1))


def loudness(audio: Signal, sample_rate: int, fps: float, n_frames: int) -> Track:
    """Loudness of the vowels' band while every frame is shown, on the square-root scale of mouths.

    Args:
        audio: [N] mono samples; sample 0 sounds together with frame 0.
        sample_rate: Samples per second.
        fps: Frames per second.
        n_frames: Frames wanted.

    Returns:
        [n_frames] square roots of the RMS; 0 behind the end of the sound.
    """
    return np.asarray(_power(audio, sample_rate, fps, n_frames, VOWEL_BAND, _WINDOW) ** 0.25)


def brightness(audio: Signal, sample_rate: int, fps: float, n_frames: int) -> Track:
    """How much brighter (positive) or darker the sound is than its median while every frame is shown; [n_frames].

    The logarithm of the ratio of two bands' magnitudes, weighed by loudness, so that noise in pauses says nothing.
    """
    bright, dark = (
        np.sqrt(_power(audio, sample_rate, fps, n_frames, band, _COLOUR_WINDOW)) for band in (_BRIGHT_BAND, _DARK_BAND)
    )
    least = 1e-3 * max(float(bright.max(initial=0.0)), float(dark.max(initial=0.0)), 1e-9)
    balance = np.log((bright + least) / (dark + least))
    level = loudness(audio, sample_rate, fps, n_frames)
    top = float(level.max(initial=0.0))
    return np.asarray((balance - np.median(balance)) * (level / top if top > 0 else level))


def _smoothed(values: Track, sigma: float) -> Track:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma, mode="nearest") if sigma > 0 else values)


def _in_place_of(values: Track, own: Track) -> Track:
    """`own` reordered so that it rises and falls with `values`; equal values share the mean of their places."""
    from scipy.stats import rankdata

    top = max(float(np.abs(values).max(initial=0.0)), 1e-12)
    ranks = rankdata(np.round(values / top, 5), method="average") - 1
    return np.asarray(np.interp(ranks, np.arange(len(own)), np.sort(own)))


def roughness(values: Track) -> float:
    """Mean step from frame to frame in standard deviations; 0 for what does not move."""
    spread = float(np.std(values))
    return float(np.abs(np.diff(values)).mean()) / spread if spread > 0 and len(values) > 1 else 0.0


def driven_opening(audio: Signal, sample_rate: int, fps: float, own: Track, inside: range | None = None) -> Track:
    """Mouth openings that follow a sound, distributed as the speaker's own ones.

    Every frame takes the opening whose rank among `own` is that of its loudness among all, so that neither range nor
    closures nor their frequency tell a driven mouth from a genuine one. The loudness is smoothed just as much as it
    takes for the mouth to move no more hastily than it did.

    Args:
        audio: [N] driving sound on the take's clock.
        sample_rate: Samples per second.
        fps: Frames per second.
        own: [T] genuine openings of the take (`generators.video.lips.opening`).
        inside: Frames that are driven, and among which ranks are taken; all by default.

    Returns:
        [T] openings in the unit of `own`; the own ones outside of `inside`.

    Raises:
        JobError: "audio_invalid" where the sound is silent.
    """
    chosen = slice(None) if inside is None else slice(inside.start, inside.stop)
    level = loudness(audio, sample_rate, fps, len(own))[chosen]
    if not np.isfinite(level).all() or level.max(initial=0.0) <= 0:
        raise JobError("audio_invalid", "driving sound", "the driving sound is silent or not finite")
    level = np.maximum(level, _FLOOR * level.max())
    genuine = np.asarray(own[chosen])
    calm = roughness(genuine)
    driven = genuine
    for sigma in _CALM:
        driven = _in_place_of(_smoothed(level, sigma), genuine)
        if roughness(driven) <= calm:
            break
    wanted = own.copy()
    wanted[chosen] = driven
    return wanted


def driven_width(audio: Signal, sample_rate: int, fps: float, own: Track, inside: range | None = None) -> Track:
    """Factors [T] by which the mouth becomes wider or rounder with the colour of a sound.

    Wanted widths are the speaker's own ones in the order of `brightness`, within `WIDTH_LIMIT` of what is there.
    Arguments as of `driven_opening`, with widths (`generators.video.lips.mouth_width`); 1 outside of `inside`.
    """
    chosen = slice(None) if inside is None else slice(inside.start, inside.stop)
    colour = _smoothed(brightness(audio, sample_rate, fps, len(own))[chosen], _WIDTH_CALM)
    wanted = _in_place_of(colour, np.asarray(own[chosen]))
    factors = np.ones(len(own))
    factors[chosen] = np.clip(wanted / np.maximum(own[chosen], 1e-3), 1 - WIDTH_LIMIT, 1 + WIDTH_LIMIT)
    return factors


def driving_sound(job: Job, generator: str) -> Signal:
    """The donor's sound as the sound track of the take: its first sample at the take's, at the take's speech level.

    Args:
        job: Its donor may be the take itself; then the sound stays as it is.
        generator: Who asks, for errors.

    Returns:
        [N] samples at the take's rate, as many as the take has.

    Raises:
        JobError: "input_unsupported" without a donor or where its sound ends before the clip does, "audio_invalid"
            where the take or the donor is silent.
    """
    take = job.take
    if job.donor is None:
        raise JobError("input_unsupported", generator, "there is no driving take: add a donor to the recipe's kind")
    rate = take.sample_rate
    sound = resample(job.donor.audio, job.donor.sample_rate, rate)
    if len(sound) < round((job.start + job.seconds) * rate):
        raise JobError("input_unsupported", generator, "the driving sound ends before the clip does")
    own, other = speech_level(take.audio, rate), speech_level(sound, rate)
    if not own or not other:
        raise JobError("audio_invalid", generator, "the take or its driver is silent")
    if np.array_equal(sound, take.audio):
        return take.audio
    return limit(fit_length(sound * np.float32(own / other), len(take.audio)))


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """What a sound asks of a mouth.

    Args:
        sound: [N] the new sound track.
        openings: [T] wanted openings.
        widths: [T] factors on the widths.
    """

    sound: Signal
    openings: Track
    widths: Track
