"""From a clip to the arrays that the networks see: crops, cepstra, log-mel bands, one shared clock."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import MediaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.detector import ClipView
    from benchmarks.detectors.mds.presets import MiniConfig, ReleasedConfig
    from cmdfd.faces.tracks import FaceTrack

#: Raised whenever the arrays made here change; part of the cache key.
CODE_VERSION = 1

# Defaults of python_speech_features.mfcc, which the release calls with nfft = 2048 only (dataset_3d.py).
_CEPSTRA, _FILTERS, _NFFT, _PREEMPHASIS, _LIFTER = 13, 26, 2048, 0.97, 22
_WINDOW_SECONDS, _HOP_SECONDS = 0.025, 0.01
_INT16 = 32768.0

# Log-mel bands of `mini` (this project's talkers measurements, section 9.1).
_MEL_LOW, _MEL_HIGH, _MEL_NFFT, _MEL_FLOOR = 60.0, 7600.0, 512, 1e-5
#: Log-mel frames per picture frame at 25 frames per second.
MELS_PER_FRAME = 4


def _mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))


@lru_cache(maxsize=8)
def _binned_filters(sample_rate: int) -> NDArray[np.float64]:
    """[26, 1025] triangles whose corners sit on whole FFT bins, as in python_speech_features."""
    points = _hertz(np.linspace(0.0, float(_mel(sample_rate / 2)), _FILTERS + 2))
    corners = np.floor((_NFFT + 1) * points / sample_rate)
    bins = np.arange(_NFFT // 2 + 1, dtype=np.float64)
    filters = np.zeros((_FILTERS, len(bins)))
    for row, (low, peak, high) in enumerate(zip(corners[:-2], corners[1:-1], corners[2:], strict=True)):
        rising, falling = (bins >= low) & (bins < peak), (bins >= peak) & (bins < high)
        filters[row, rising] = (bins[rising] - low) / (peak - low)
        filters[row, falling] = (high - bins[falling]) / (high - peak)
    return filters


def mfcc(samples: NDArray[np.floating[Any] | np.integer[Any]], sample_rate: int) -> NDArray[np.float32]:
    """Cepstra as `python_speech_features.mfcc(samples, sample_rate, nfft=2048)` makes them, transposed.

    13 cepstra, 25 ms rectangular window, 10 ms hop, 26 filters, pre-emphasis 0.97, lifter 22, first coefficient
    replaced by the log of the frame's energy. The last window is padded with zeros.

    Args:
        samples: [N] on the scale of 16-bit integers, as the release reads its WAV files.
        sample_rate: Samples per second.

    Returns:
        [13, F] with F = 1 + ceil((N - window) / hop), at least 1: 99 for one second.
    """
    from scipy.fft import dct

    x = np.asarray(samples, np.float64)
    x = np.concatenate([x[:1], x[1:] - _PREEMPHASIS * x[:-1]])
    window = math.floor(_WINDOW_SECONDS * sample_rate + 0.5)
    hop = math.floor(_HOP_SECONDS * sample_rate + 0.5)
    count = 1 + max(0, math.ceil((len(x) - window) / hop))
    x = np.pad(x, (0, max(0, (count - 1) * hop + window - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, window)[::hop][:count]
    power = np.abs(np.fft.rfft(frames, _NFFT)) ** 2 / _NFFT
    tiny = np.finfo(np.float64).eps
    energy = power.sum(1)
    bands = power @ _binned_filters(sample_rate).T
    cepstra = dct(np.log(np.where(bands == 0, tiny, bands)), type=2, axis=1, norm="ortho")[:, :_CEPSTRA]
    cepstra *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(_CEPSTRA) / _LIFTER)
    cepstra[:, 0] = np.log(np.where(energy == 0, tiny, energy))
    return np.ascontiguousarray(cepstra.T, dtype=np.float32)


def fit_columns(cepstra: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Cut or pad (by the last column) to exactly `columns`; the release drops chunks of another length."""
    missing = columns - cepstra.shape[1]
    return np.pad(cepstra, ((0, 0), (0, missing)), mode="edge") if missing > 0 else cepstra[:, :columns]


@lru_cache(maxsize=8)
def _smooth_filters(bands: int, sample_rate: int) -> NDArray[np.float32]:
    """[bands, 257] triangles of unit peak between 60 and 7600 Hz, not rounded to bins."""
    top = min(_MEL_HIGH, sample_rate / 2)
    corners = _hertz(np.linspace(float(_mel(_MEL_LOW)), float(_mel(top)), bands + 2))
    bins = np.fft.rfftfreq(_MEL_NFFT, 1 / sample_rate)
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangles = np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak))
    return np.maximum(triangles, 0).astype(np.float32)


def log_mel(samples: NDArray[np.float32], n_frames: int, config: MiniConfig) -> NDArray[np.float32]:
    """Log-mel bands, four to a picture frame at 25 frames per second.

    Band frame j is centred on the middle of its quarter of a picture frame, so that bands 4 t ... 4 t + 3 belong to
    frame t. Hann window of 25 ms, FFT of 512, log(x + 1e-5).

    Args:
        samples: [N] in [-1, 1] at `config.sample_rate`; sample 0 sounds with frame 0.
        n_frames: Picture frames to cover; the sound is cut or padded with zeros.
        config: Bands and rates.

    Returns:
        [4 n_frames, bands].
    """
    hop = config.sample_rate / (config.fps * MELS_PER_FRAME)
    window = min(math.floor(_WINDOW_SECONDS * config.sample_rate + 0.5), _MEL_NFFT)
    count = n_frames * MELS_PER_FRAME
    before = window  # room for windows that begin ahead of sample 0
    starts = np.round((np.arange(count) + 0.5) * hop - window / 2).astype(np.int64) + before
    needed = int(starts[-1]) + window
    x = np.zeros(max(needed, before + len(samples)), np.float32)
    x[before : before + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(x, window)[starts]
    power = np.abs(np.fft.rfft(frames * np.hanning(window + 1)[:-1], _MEL_NFFT)) ** 2
    bands = power.astype(np.float32) @ _smooth_filters(config.bands, config.sample_rate).T
    return np.asarray(np.log(bands + np.float32(_MEL_FLOOR)), np.float32)


def resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Bring sound to another sample rate with scipy's polyphase filter (zero phase, so nothing is delayed)."""
    if rate == wanted:
        return np.asarray(samples, np.float32)
    from scipy.signal import resample_poly

    shared = math.gcd(rate, wanted)
    return np.asarray(resample_poly(np.asarray(samples, np.float64), wanted // shared, rate // shared), np.float32)


def frame_grid(n_frames: int, fps: float, wanted: float, seconds: float) -> NDArray[np.int64]:
    """Indices of the frames that are nearest in time to k / wanted, as far as `seconds` reach.

    Args:
        n_frames: Frames at hand.
        fps: Their rate.
        wanted: Wanted rate.
        seconds: Common length of picture and sound; half a frame of it may be missing.
    """
    count = math.floor(seconds * wanted + 0.5)
    nearest = np.floor(np.arange(count) * (fps / wanted) + 0.5).astype(np.int64)
    return np.asarray(np.minimum(nearest, n_frames - 1), np.int64)


def _sound(view: ClipView) -> NDArray[np.float32]:
    samples = np.asarray(view.audio(), np.float32)
    if samples.ndim != 1 or not len(samples):
        raise MediaError("no_audio", view.id)
    if not np.isfinite(samples).all():
        raise MediaError("decode_failed", view.id, "the sound has samples that are not finite")
    return samples


def _face(view: ClipView, n_frames: int) -> FaceTrack:
    track = view.track()
    if not len(track.times):
        raise MediaError("no_face", view.id)
    return track if len(track.times) == n_frames else track.at(np.arange(n_frames) / view.fps)


def _require(view: ClipView, seconds: float, wanted: float) -> None:
    # Half a frame at 30 per second may be missing: containers round lengths.
    if seconds < wanted - 0.5 / 30:
        detail = f"picture and sound share {seconds:.2f} s, one chunk needs {wanted:.2f} s"
        raise MediaError("too_short", view.id, detail)


def _common_seconds(view: ClipView, n_frames: int, samples: NDArray[np.float32]) -> float:
    if not (math.isfinite(view.fps) and view.fps > 0):
        raise MediaError("decode_failed", view.id, f"{view.fps} frames per second")
    return min(n_frames / view.fps, len(samples) / view.sample_rate)


def mini_features(view: ClipView, config: MiniConfig) -> dict[str, NDArray[np.uint8] | NDArray[np.float16]]:
    """Mouth crops and log-mel bands of a whole clip.

    Returns:
        "mouth": uint8 [T, crop_height, crop_width] at `config.fps`; "mel": float16 [4 T, bands].

    Raises:
        MediaError: no_audio, no_face, too_short or whatever the view raises.
    """
    from cmdfd.faces.crops import CropSettings, mouth_crop

    samples = _sound(view)
    frames = view.frames()
    seconds = _common_seconds(view, len(frames), samples)
    _require(view, seconds, config.chunk_seconds)
    track = _face(view, len(frames))
    settings = CropSettings(size_w=config.crop_width, size_h=config.crop_height)
    mouths = mouth_crop(frames, track, settings)
    mouths = mouths[frame_grid(len(frames), view.fps, config.fps, seconds)]
    mel = log_mel(resample(samples, view.sample_rate, config.sample_rate), len(mouths), config)
    return {"mouth": np.ascontiguousarray(mouths, np.uint8), "mel": mel.astype(np.float16)}


def released_features(view: ClipView, config: ReleasedConfig) -> dict[str, NDArray[np.uint8] | NDArray[np.float32]]:
    """Face crops and cepstra of a clip's chunks of one second; a remainder is dropped, as released.

    Returns:
        "face": uint8 [K, chunk_frames, S, S, 3]; "mfcc": float32 [K, 13, 99].

    Raises:
        MediaError: no_audio, no_face, too_short or whatever the view raises.
    """
    from cmdfd.faces.crops import face_crop

    samples = _sound(view)
    frames = view.frames()
    seconds = _common_seconds(view, len(frames), samples)
    _require(view, seconds, config.chunk_seconds)
    track = _face(view, len(frames))
    faces = face_crop(frames, track, size=config.image_size)
    grid = frame_grid(len(frames), view.fps, config.fps, seconds)
    count = len(grid) // config.chunk_frames
    faces = faces[grid[: count * config.chunk_frames]]
    shape = (count, config.chunk_frames, config.image_size, config.image_size, 3)
    return {"face": faces.reshape(shape), "mfcc": chunk_cepstra(samples, view.sample_rate, count, config)}


def chunk_cepstra(samples: NDArray[np.float32], rate: int, count: int, config: ReleasedConfig) -> NDArray[np.float32]:
    """[count, 13, 99] cepstra of consecutive chunks, on the scale of 16-bit integers."""
    sound = resample(samples, rate, config.sample_rate)
    sound = np.clip(np.round(sound * _INT16), -_INT16, _INT16 - 1)
    length = round(config.chunk_seconds * config.sample_rate)
    sound = np.pad(sound, (0, max(0, count * length - len(sound))))
    rows = [mfcc(sound[k * length : (k + 1) * length], config.sample_rate) for k in range(count)]
    return np.stack([fit_columns(row, config.mfcc_frames) for row in rows])
