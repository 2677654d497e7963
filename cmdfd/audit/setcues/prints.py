"""Fingerprints of picture and sound that survive another encoding: what a search for copies needs, as short texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.pictures import Pictures
    from cmdfd.media.sound import Audio

#: Columns that the measuring pass stores for `set_checks`; none has a dot, so none is a cue.
PRINT_COLUMNS = ("print_video", "print_audio", "hash_video", "hash_audio")
#: Only the first minute is looked at, so that a print has at most 21 kB.
MAX_SECONDS = 60.0
#: Steps a second of the movement print.
VIDEO_RATE = 5
#: Cells in a row and in a column.
GRID = 8
#: Moving mean that is taken out of the movement, in steps: 1 s. Slow drifts look alike in many clips.
_DRIFT = 5
#: Root mean square of the movement, in grey levels of 256, below which a picture counts as still.
_STILL = 0.25
#: Steps a second of the sound print, and its window in seconds. Haitsma and Kalker (ISMIR 2002) use 0.37 s; their
#: steps of 11.6 ms are for finding snippets, which is not needed here.
AUDIO_RATE, _WINDOW = 16, 0.37
#: 33 bands between these frequencies give 32 bits (ibid.).
_BANDS, _LOW, _HIGH = 33, 300.0, 2000.0
#: A step counts as silent this far below the loudest one, or where the clip holds hardly more than rounding.
_SILENT_RATIO, _SILENT_PEAK = 1e-4, 1e-4
#: Movement is stored in 15 levels of this many root mean squares each.
_LEVEL = 0.4
_TOP = 7


@dataclass(frozen=True, slots=True, eq=False)
class VideoPrint:
    """Print of a picture.

    Args:
        looks: [S] uint64, one difference hash for each second.
        moves: [B, 64] float32, movement at `VIDEO_RATE` steps a second; [0, 64] for a still picture.
    """

    looks: NDArray[np.uint64]
    moves: NDArray[np.float32]


def fingerprint(pictures: Pictures | None, sound: Audio | None) -> dict[str, str | None]:
    """Prints of a clip for the columns of `PRINT_COLUMNS`.

    Args:
        pictures: Thumbnails and their times, or None.
        sound: Decoded sound, or None.

    Returns:
        print_video, print_audio: texts for `read_video` and `read_audio`, about 336 and 128 characters a second.
        hash_video, hash_audio: equal only where every thumbnail, or every sample, is equal. All are None where there
        is nothing to compare: no stream, silence, pictures of one grey.
    """
    found: dict[str, str | None] = dict.fromkeys(PRINT_COLUMNS)
    if pictures is not None and len(pictures.thumbs) and np.ptp(pictures.thumbs):
        found["print_video"] = video_print(pictures.thumbs, pictures.times)
        found["hash_video"] = _digest(pictures.thumbs)
    if sound is not None and len(sound.samples) and float(np.abs(sound.samples).max()) > _SILENT_PEAK:
        found["print_audio"] = audio_print(sound.samples, sound.sample_rate)
        found["hash_audio"] = _digest(sound.samples)
    return found


def _digest(values: NDArray[np.uint8] | NDArray[np.float32]) -> str:
    digest = hashlib.blake2b(repr(values.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def video_print(thumbs: NDArray[np.uint8], times: NDArray[np.float64]) -> str:
    """Print of a picture from its thumbnails.

    Args:
        thumbs: [T, h, w] luma, T >= 1.
        times: [T] seconds, rising.
    """
    clock = np.nan_to_num(np.asarray(times, np.float64) - times[0]).clip(0)
    near = clock < MAX_SECONDS
    cells = _shrunk(thumbs[near], GRID, GRID + 1)
    seconds = _means(cells, clock[near], 1)
    bits = (seconds[:, :, 1:] > seconds[:, :, :-1]).reshape(len(seconds), 64)
    looks = np.packbits(bits, axis=1).tobytes().hex()
    return f"{looks}-{_moves(_shrunk(thumbs[near], GRID, GRID), clock[near])}"


def _moves(cells: NDArray[np.float64], clock: NDArray[np.float64]) -> str:
    steps = _means(cells, clock, VIDEO_RATE).reshape(-1, GRID * GRID)
    edge = _DRIFT // 2
    padded = np.pad(steps, ((edge + 1, edge), (0, 0)), mode="edge").cumsum(axis=0)
    moved = steps - (padded[_DRIFT:] - padded[:-_DRIFT]) / _DRIFT
    size = float(np.sqrt((moved**2).mean()))
    if len(steps) < _DRIFT or size < _STILL:
        return ""
    levels = (np.clip(np.round(moved / (size * _LEVEL)), -_TOP, _TOP) + _TOP).astype(np.uint8).reshape(-1, 2)
    return bytes((levels[:, 0] * 16 + levels[:, 1]).tolist()).hex()


def _shrunk(thumbs: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = _averages(thumbs.shape[1], rows) @ thumbs @ _averages(thumbs.shape[2], columns).T
    return found


def _averages(size: int, parts: int) -> NDArray[np.float64]:
    """[parts, size] weights of the mean over equal parts of a line."""
    edges = np.arange(parts + 1) * size / parts
    pixels = np.arange(size)
    cover = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    found: NDArray[np.float64] = cover.clip(0) * parts / size
    return found


def _means(values: NDArray[np.float64], clock: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Means over equal steps of time; a step without a picture shows the last one before it."""
    step = np.maximum.accumulate(np.floor(clock * rate + 1e-3).astype(np.intp))
    starts = np.flatnonzero(np.diff(step, prepend=-1))
    means = np.add.reduceat(values, starts, axis=0) / np.diff([*starts, len(step)])[:, None, None]
    found: NDArray[np.float64] = means[np.searchsorted(step[starts], np.arange(step[-1] + 1), side="right") - 1]
    return found


def audio_print(samples: NDArray[np.float32], sample_rate: int) -> str:
    """Print of a sound: the sign of the change of the difference of neighbouring bands (Haitsma and Kalker, 2002).

    Args:
        samples: [N] mono.
        sample_rate: Samples per second.
    """
    size = max(round(_WINDOW * sample_rate), 2)
    sound = np.nan_to_num(samples[: round(MAX_SECONDS * sample_rate)].astype(np.float64))
    sound = np.pad(sound, (0, max(0, size - len(sound))))
    starts = np.round(np.arange(int((len(sound) - size) / sample_rate * AUDIO_RATE) + 1) * sample_rate / AUDIO_RATE)
    edges = np.searchsorted(np.fft.rfftfreq(size, 1 / sample_rate), np.geomspace(_LOW, _HIGH, _BANDS + 1))
    window = np.hanning(size)
    energy = np.stack([_band_energy(sound[int(s) : int(s) + size] * window, edges) for s in starts])
    loud = energy.sum(axis=1)
    heard = loud > loud.max() * _SILENT_RATIO
    slope = energy[:, :-1] - energy[:, 1:]
    bits = np.diff(slope, axis=0, prepend=slope[:1]) > 0
    words = np.packbits(bits, axis=1).view(">u4").reshape(-1)
    words = np.where(heard & np.roll(heard, 1), np.maximum(words, 1), 0).astype(">u4")
    words[0] = 0  # has no step before it
    return words.tobytes().hex()


def _band_energy(piece: NDArray[np.float64], edges: NDArray[np.intp]) -> NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(np.abs(np.fft.rfft(piece)) ** 2)])
    found: NDArray[np.float64] = np.diff(sums[edges])
    return found


def read_video(text: str) -> VideoPrint | None:
    """The print in a text of `video_print`; None for anything else."""
    looks, mark, moves = text.partition("-")
    try:
        hashes = np.frombuffer(bytes.fromhex(looks), dtype=">u8")
        packed = np.frombuffer(bytes.fromhex(moves), dtype=np.uint8)
        levels = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1, GRID * GRID)
    except ValueError:
        return None
    if not mark or not len(hashes):
        return None
    return VideoPrint(
        hashes.astype(np.uint64),
        levels.astype(np.float32) - _TOP if len(levels) else np.zeros((0, GRID * GRID), np.float32),
    )


def read_audio(text: str) -> NDArray[np.uint32] | None:
    """[F] uint32 steps of a text of `audio_print`, 0 = silent; None for anything else."""
    try:
        found = np.frombuffer(bytes.fromhex(text), dtype=">u4").astype(np.uint32)
    except ValueError:
        return None
    return found if len(found) else None
