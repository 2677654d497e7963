"""Which clips show or sound the same: an index over fingerprints, and the comparison of a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.setcues.bits import count_bits
from cmdfd.audit.setcues.prints import AUDIO_RATE, GRID, VIDEO_RATE, VideoPrint, read_audio, read_video

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: A second looks the same where at most this many of 64 bits differ ...
MAX_HAMMING = 6
#: ... and a clip, where this share of its seconds does (rule of the catalogue). The same share of the sound is needed.
MIN_SHARE = 0.75
#: Correlation of movement from which on two clips move alike. Measured on 23 real clips: other recordings, also of one
#: person before one background, at most .16; 46 copies at CRF 28 to 35, half of them at half the size, .34 to .99
#: but for one at .20.
MIN_MOVEMENT = 0.3
#: Share of differing bits up to which two sounds are one. Measured on 35 real recordings: other ones at least .38,
#: copies in AAC and MP3 at 24 to 64 kbit/s at most .15, moved by half a step at most .24 (Haitsma and Kalker: .35).
MAX_BIT_ERRORS = 0.28
#: Steps of sound that must be heard in both: 1.5 s.
MIN_HEARD = 24
#: Steps of sound in one key of the index and their distance.
_KEY_STEPS, _KEY_GAP = 4, 4
_N_SOUND_KEYS, _N_MOVE_KEYS = 5, 48
#: Steps that a key of movement is made of: 3 s. It has so many bits that about eight clips share a key by chance.
_MOVE_STEPS, _MIN_MOVE_BITS, _MAX_MOVE_BITS = 3 * VIDEO_RATE, 6, 14
#: Bits in which the looks of candidates may differ, on the whole.
_LOOK_BITS = 12
#: A key that more clips share joins each only with the next few, so that the pairs stay within a multiple of n.
_MAX_RUN, _NEXT = 16, 4
#: Pairs that chance may bring up; longer keys are taken where there is more sound.
_MAX_CHANCE_PAIRS = 4e6
_SEED = 20240917


@dataclass(frozen=True, slots=True)
class Alike:
    """Two clips that show or sound the same.

    Args:
        first: Row.
        second: Row, greater than `first`.
        picture: Whether the pictures are one; None where one has none, or neither moves.
        sound: Whether the sounds are one; None where one has none.
    """

    first: int
    second: int
    picture: bool | None
    sound: bool | None


def alike_pairs(videos: Sequence[str], sounds: Sequence[str]) -> list[Alike]:
    """Find clips that are copies in another encoding, or share their picture or their sound.

    Time grows as n log n while copies are few; memory with n. Clips that share a picture must begin within 0.2 s of
    each other, unless their sound tells how they are shifted.

    Args:
        videos: [n] texts of `prints.video_print`, "" where there is none.
        sounds: [n] texts of `prints.audio_print`, "" where there is none.
    """
    seen = [read_video(text) if text else None for text in videos]
    heard = [read_audio(text) if text else None for text in sounds]
    shifts: dict[tuple[int, int], int] = dict.fromkeys(_moving_pairs(seen), 0)
    shifts |= _sounding_pairs(heard)
    found = []
    for (a, b), shift in sorted(shifts.items()):
        sound = same_sound(heard[a], heard[b], shift)
        picture = same_picture(seen[a], seen[b], shift / AUDIO_RATE if sound else 0.0)
        if sound or picture:
            found.append(Alike(a, b, picture, sound))
    return found


def same_sound(a: NDArray[np.uint32] | None, b: NDArray[np.uint32] | None, shift: int = 0) -> bool | None:
    """Whether two sounds are one recording.

    Args:
        a: [F] steps, 0 = silent.
        b: Likewise.
        shift: Steps by which b begins later in the recording; two steps around it are tried, too.

    Returns:
        None where too little is heard to tell.
    """
    if a is None or b is None:
        return None
    needed = max(MIN_HEARD, MIN_SHARE * min(np.count_nonzero(a), np.count_nonzero(b)))
    best, told = 1.0, min(np.count_nonzero(a), np.count_nonzero(b)) >= MIN_HEARD
    for lag in range(shift - 2, shift + 3):
        x, y = _overlap(len(a), len(b), lag)
        both = (a[x] != 0) & (b[y] != 0)
        if both.sum() >= needed:
            best = min(best, float(count_bits(a[x][both] ^ b[y][both]).mean()) / 32)
    return best <= MAX_BIT_ERRORS if told else None


def same_picture(a: VideoPrint | None, b: VideoPrint | None, shift: float = 0.0) -> bool | None:
    """Whether two pictures are one recording: they look alike second by second and move alike.

    Looks alone say nothing: talking heads of one person before one background look alike in every clip.

    Args:
        a: Print.
        b: Print.
        shift: Seconds by which b begins later in the recording.

    Returns:
        None where one has no picture, or they look alike and either does not move.
    """
    if a is None or b is None:
        return None
    x, y = _overlap(len(a.looks), len(b.looks), round(shift))
    if not len(a.looks[x]):
        return False
    near = count_bits(a.looks[x] ^ b.looks[y]) <= MAX_HAMMING
    if near.sum() < MIN_SHARE * min(len(a.looks), len(b.looks)) - abs(round(shift) - shift):
        return False
    if not len(a.moves) or not len(b.moves):
        return None
    middle = round(shift * VIDEO_RATE)
    return max(_movement(a, b, lag) for lag in range(middle - 1, middle + 2)) >= MIN_MOVEMENT


def _movement(a: VideoPrint, b: VideoPrint, lag: int) -> float:
    x, y = _overlap(len(a.moves), len(b.moves), lag)
    first, second = a.moves[x], b.moves[y]
    if len(first) < max(2, MIN_SHARE * min(len(a.moves), len(b.moves)) - abs(lag)):
        return 0.0
    size = float(np.sqrt((first**2).sum(dtype=np.float64) * (second**2).sum(dtype=np.float64)))
    return float((first * second).sum(dtype=np.float64)) / size if size else 0.0


def _overlap(n: int, m: int, lag: int) -> tuple[slice, slice]:
    """Parts of two rows of n and m steps that fall together where the second begins `lag` steps later."""
    start, end = max(0, lag), min(n, m + lag)
    end = max(start, end)
    return slice(start, end), slice(start - lag, end - lag)


def _moving_pairs(prints: Sequence[VideoPrint | None]) -> list[tuple[int, int]]:
    rows = np.array([k for k, one in enumerate(prints) if one is not None and len(one.moves)], dtype=np.int64)
    if len(rows) < 2:
        return []
    n_bits = min(max(len(rows).bit_length() - 3, _MIN_MOVE_BITS), _MAX_MOVE_BITS)
    chance = np.random.default_rng(_SEED)
    aims = chance.standard_normal((_MOVE_STEPS * GRID * GRID, _N_MOVE_KEYS * n_bits)).astype(np.float32)
    powers = 1 << np.arange(n_bits)
    keys = np.empty((len(rows), _N_MOVE_KEYS), np.int64)
    looks = np.empty(len(rows), np.uint64)
    for k, row in enumerate(rows):
        one = prints[row]
        assert one is not None  # noqa: S101 - chosen above
        start = np.zeros((_MOVE_STEPS, GRID * GRID), np.float32)
        start[: len(one.moves)] = one.moves[:_MOVE_STEPS]
        keys[k] = ((start.reshape(-1) @ aims > 0).reshape(_N_MOVE_KEYS, n_bits) @ powers).astype(np.int64)
        looks[k] = _majority(one.looks)
    pairs = [_neighbours(keys[:, one], looks) for one in range(_N_MOVE_KEYS)]
    joined = np.unique(np.concatenate(pairs), axis=0)
    return [(int(rows[a]), int(rows[b])) for a, b in joined]


def _majority(looks: NDArray[np.uint64]) -> np.uint64:
    bits = np.unpackbits(looks.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0) > 0.5
    return np.uint64(int.from_bytes(np.packbits(bits).tobytes(), "big"))


def _neighbours(keys: NDArray[np.int64], looks: NDArray[np.uint64]) -> NDArray[np.int64]:
    """[p, 2] clips with one key whose looks are close; neighbours in the order of key and looks."""
    order = np.lexsort((looks, keys))
    found = [np.empty((0, 2), np.int64)]
    for step in range(1, _MAX_RUN + 1):
        a, b = order[:-step], order[step:]
        kept = (keys[a] == keys[b]) & (count_bits(looks[a] ^ looks[b]) <= _LOOK_BITS)
        found.append(np.sort(np.stack([a[kept], b[kept]], axis=1), axis=1))
    return np.concatenate(found)


def _sounding_pairs(prints: Sequence[NDArray[np.uint32] | None]) -> dict[tuple[int, int], int]:
    """Pairs with at least two keys in common at one shift -> that shift in steps."""
    total = sum(len(one) for one in prints if one is not None)
    per_step = next((k for k in (5, 6, 7) if _N_SOUND_KEYS * total**2 / 2 < _MAX_CHANCE_PAIRS * 16.0**k), 8)
    chance = np.random.default_rng(_SEED)
    hits = [np.empty((0, 3), np.int64)]
    for _ in range(_N_SOUND_KEYS):
        bits = np.stack([chance.permutation(32)[:per_step] for _ in range(_KEY_STEPS)])
        hits.append(_hits(prints, bits))
    found = np.concatenate(hits)
    shifts: dict[tuple[int, int], int] = {}
    for offset in (0, 1):  # two grids of two steps each, so that neighbours fall together in one of them
        votes, counts = np.unique(
            np.column_stack([found[:, :2], (found[:, 2] + offset) // 2]), axis=0, return_counts=True
        )
        order = np.argsort(counts, kind="stable")
        for k in order[counts[order] >= 2]:
            shifts[int(votes[k, 0]), int(votes[k, 1])] = int(votes[k, 2]) * 2 - offset
    return shifts


def _hits(prints: Sequence[NDArray[np.uint32] | None], bits: NDArray[np.intp]) -> NDArray[np.int64]:
    """[h, 3] (clip, later clip, shift) of equal keys made of some bits of four steps of sound."""
    keys, clips, places = [], [], []
    for clip, steps in enumerate(prints):
        n = 0 if steps is None else len(steps) - _KEY_GAP * (_KEY_STEPS - 1)
        if steps is None or n <= 0:
            continue
        key, heard = np.zeros(n, np.int64), np.ones(n, bool)
        for k, chosen in enumerate(bits):
            part = steps[k * _KEY_GAP : k * _KEY_GAP + n]
            heard &= part != 0
            for bit in chosen:
                key = (key << 1) | ((part >> np.uint32(bit)) & 1).astype(np.int64)
        keys.append(key[heard])
        places.append(np.flatnonzero(heard))
        clips.append(np.full(int(heard.sum()), clip))
    if not keys:
        return np.empty((0, 3), np.int64)
    key, clip_of, place = np.concatenate(keys), np.concatenate(clips), np.concatenate(places)
    order = np.lexsort((place, clip_of, key))
    key, clip_of, place = key[order], clip_of[order], place[order]
    sizes = np.unique(key, return_counts=True)[1]
    run = np.repeat(sizes, sizes)
    found = [np.empty((0, 3), np.int64)]
    for step in range(1, _MAX_RUN + 1):
        kept = (key[:-step] == key[step:]) & (clip_of[:-step] != clip_of[step:])
        kept &= (run[:-step] <= _MAX_RUN) | (step <= _NEXT)
        # the earlier clip's place less the later one's: by how much the later clip begins later
        shift = place[:-step][kept] - place[step:][kept]
        found.append(np.column_stack([clip_of[:-step][kept], clip_of[step:][kept], shift]))
    return np.concatenate(found)
