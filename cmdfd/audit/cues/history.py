"""What was done to the pictures before: traces of earlier encodings and of upscaling, and the encoder's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.audit.cues.figures import DETAIL_RULE, in_detail, median, tidied

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueKind, Fix
    from cmdfd.audit.pictures import Pictures
    from cmdfd.audit.reading import VideoFacts

#: Sides of transform blocks and macroblocks in JPEG, MPEG-1/2/4 and H.264.
BLOCK, MACROBLOCK = 8, 16
#: Lines of one phase that a median is taken over, at least.
_MIN_LINES = 3
#: Level difference below which a step counts as none, so that constant pictures have no blocks.
_STEP = 0.02
#: Samples of one spectrum, and of all together.
SEGMENT, _SPECTRUM_SAMPLES = 256, 1 << 16
#: Power per sample of rounding to whole levels, and 6 dB above it.
ROUNDING = 1 / 12
ABOVE_ROUNDING = 4 * ROUNDING
#: Share of the gradient's energy below the roll-off, and of its usual power at the cut-off. The gradient of natural
#: pictures is nearly white (power of luma falls as 1 / f^2), so scaling up shows as a step.
ROLL_OFF, CUT_OFF = 0.95, 0.1
#: Codes of the letters of key pictures, and of those of unknown type.
_KEY, _UNKNOWN = ord("I"), ord("?")
#: Share of the largest autocorrelation from which on the first lag counts as the period.
NEARLY = 0.8
#: Longest period that is looked for (key frame distance of x264 by default), pictures looked at, and at least.
MAX_PERIOD, _MAX_PICTURES, _MIN_PICTURES = 250, 4096, 16

_SHAM = (
    "give reals as many generations of encoding as fakes (sham pass), with the same scaler, then one encoder for all"
)
_ENCODER = "write every clip, unforged ones too, with one encoder setting"
_GRID = "blocking artefacts of an earlier encoding; 'Fake or JPEG?', arXiv 2403.17608"
_DOUBLE = "gop_detection (GRETSI 2023): an earlier encoding's groups of pictures show in residuals and frame sizes"
_SCALED = "generators work at small sizes and are scaled up; GenImage's classes differ in size (arXiv 2403.17608)"
_STREAM = "Güera et al., 'We need no pixels', arXiv 1906.08743"


def _cue(name: str, title: str, unit: str, rule: str, how: tuple[CueKind, str, Fix], source: str) -> Cue:
    kind, remedy, fix = how
    return Cue(f"history.{name}", title, unit, kind, rule, remedy, source, fix)


_OWN: tuple[CueKind, str, Fix] = ("nuisance", _ENCODER, "harmonise")
_EARLIER: tuple[CueKind, str, Fix] = ("nuisance", _SHAM, "harmonise")
_CUT_OFF: tuple[CueKind, str, Fix] = ("debatable", _SHAM, "match")
_STEPS = f"step of a line = mean |difference| across it over the mean of the two neighbouring lines, - 1, {DETAIL_RULE}"
_THIRD = "every third picture and all I pictures"
_SPIKES = "by which a picture exceeds both neighbours; autocorrelation from 2 pictures to a third of the clip (250)"

CUES: tuple[Cue, ...] = (
    *(
        cue
        for axis, lines in (("x", "columns"), ("y", "rows"))
        for cue in (
            _cue(
                f"block8_{axis}",
                f"the 8-pixel blocking of the {lines}",
                "ratio",
                f"median step between {lines} 8n - 1 and 8n; {_STEPS}",
                _EARLIER,
                _GRID,
            ),
            _cue(
                f"block16_{axis}",
                f"the 16-pixel blocking of the {lines}",
                "ratio",
                f"median step at multiples of 16 minus that at odd multiples of 8 ({lines}); {_STEPS}",
                _EARLIER,
                _GRID,
            ),
            _cue(
                f"off_grid_{axis}",
                f"the blocking of the {lines} off the grid",
                "ratio",
                f"largest median step of the seven other positions modulo 8 ({lines}); {_STEPS}",
                _EARLIER,
                "encoded, cropped or shifted, and encoded again",
            ),
            _cue(
                f"grid_{axis}",
                f"the place of the 8-pixel grid in the {lines}",
                "category",
                f"position modulo 8 with the largest median step ({lines}); 0 is the present encoder's",
                _EARLIER,
                "encoded, cropped or shifted, and encoded again",
            ),
            _cue(
                f"cut_off_{axis}",
                f"the highest frequency along the {'rows' if axis == 'x' else 'columns'}",
                "share of Nyquist",
                "highest frequency at which neighbouring pixels' differences have a tenth of their mean power below "
                "half of Nyquist, and the luma 6 dB more than rounding to whole levels; Hann windows of at most 256 "
                f"pixels on evenly spaced lines, means of 3 bins, {DETAIL_RULE}",
                _CUT_OFF,
                _SCALED,
            ),
            _cue(
                f"roll_off_{axis}",
                f"the roll-off along the {'rows' if axis == 'x' else 'columns'}",
                "share of Nyquist",
                "frequency below which 95 % of the energy of neighbouring pixels' differences lies, same spectrum",
                _CUT_OFF,
                _SCALED,
            ),
        )
    ),
    *(
        cue
        for what, title, of in (
            ("size", "frame sizes", "log of the packet's bytes, less the median of its picture type"),
            (
                "residual",
                "changes between pictures",
                "share of the thumb's pixels that differ from the picture before, less the median of its type",
            ),
        )
        for cue in (
            _cue(
                f"{what}_periodicity",
                f"the rhythm in the {title}",
                "share",
                f"largest autocorrelation of the amount of the {of}, {_SPIKES}; key frames count as 0",
                _EARLIER,
                _DOUBLE,
            ),
            _cue(
                f"{what}_period",
                f"the period in the {title}",
                "pictures",
                f"first lag whose autocorrelation of the {of} is at least .8 of the largest; none where nothing recurs",
                _EARLIER,
                _DOUBLE,
            ),
        )
    ),
    _cue("qp", "the quantiser", "QP", f"mean of the decoder's mean quantiser over {_THIRD}", _OWN, _STREAM),
    _cue("qp_spread", "the spread of the quantiser", "QP", f"standard deviation over {_THIRD}", _OWN, _STREAM),
    _cue("qp_of_i", "the finer quantiser of I pictures", "QP", f"mean of P minus mean of I, {_THIRD}", _OWN, _STREAM),
    _cue("first_type", "the type of the first picture", "category", "I, P, B or ?, in order of display", _OWN, _STREAM),
    _cue("types", "the types of picture in use", "category", "letters that occur, sorted", _OWN, _STREAM),
    _cue("i_share", "the share of I pictures", "share", "I pictures over all of known type", _OWN, _STREAM),
    _cue("b_share", "the share of B pictures", "share", "B pictures over all of known type", _OWN, _STREAM),
    _cue("b_run", "the longest run of B pictures", "pictures", "in order of display", _OWN, _STREAM),
    _cue("i_distance", "the distance of I pictures", "pictures", "median; none below two I pictures", _OWN, _STREAM),
)


def measure(pictures: Pictures, facts: VideoFacts | None = None) -> dict[str, CueValue]:
    """Cues of what was done to the pictures before.

    Args:
        pictures: Samples of the stream; any number and size.
        facts: The stream's packets; None leaves the frame sizes unmeasured.

    Returns:
        A value for every cue of `CUES`; None where pictures are missing, too small, too few or silent about it.
    """
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    luma = pictures.luma
    if luma.ndim == 3 and luma.size:
        luma = in_detail(luma)
        for axis, across, spectrum in (("x", *_steps_and_power(luma, 2)), ("y", *_steps_and_power(luma, 1))):
            found |= _blocks(across, axis) | _spectral(spectrum, axis)
    found |= _plan(pictures.types) | _quantiser(pictures.qp, pictures.types)
    types = _letters(pictures.types)
    if pictures.thumbs.size and len(pictures.thumbs) == len(types):
        found |= _rhythm("residual", *_residuals(pictures.thumbs[:_MAX_PICTURES], types[:_MAX_PICTURES]))
    if facts is not None and len(facts.packets.times):
        found |= _rhythm("size", *_sizes(facts, types))
    return tidied(found)


def _steps_and_power(luma: NDArray[np.uint8], axis: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean |difference| across each line [n - 1], and the power spectrum [SEGMENT / 2 + 1 or less] along an axis."""
    import cv2

    steps = np.zeros(max(luma.shape[axis] - 1, 0))
    for picture in luma:
        if axis == 2 and len(steps):
            part = cv2.reduce(cv2.absdiff(picture[:, 1:], picture[:, :-1]), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
        elif len(steps):
            part = cv2.reduce(cv2.absdiff(picture[1:], picture[:-1]), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
        else:
            break
        steps += part.ravel()
    lines = luma.shape[3 - axis]
    step = -(-luma.size // _SPECTRUM_SAMPLES)
    rows = luma[:, :: min(step, lines)] if axis == 2 else luma[:, :, :: min(step, lines)].transpose(0, 2, 1)
    return steps / (len(luma) * lines), _power(rows.reshape(-1, rows.shape[2]))


def _power(rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Welch's power spectrum: white noise of variance v gives v in every bin; empty for rows below 16 pixels."""
    import cv2

    n = min(SEGMENT, rows.shape[1] - rows.shape[1] % 2)
    if n < 16:
        return np.zeros(0)
    start = rows.shape[1] % n // 2
    parts = rows[:, start : start + rows.shape[1] // n * n].astype(np.float32).reshape(-1, n)
    parts -= parts.mean(axis=1, keepdims=True)
    window = np.hanning(n + 1)[:n]
    parts *= (window / np.sqrt(np.sum(window**2))).astype(np.float32)
    # packed: the real part of bin 0, then real and imaginary part of each bin, the real part of the last bin
    packed = cv2.dft(parts, flags=cv2.DFT_ROWS)
    squares = cv2.reduce(cv2.multiply(packed, packed), 0, cv2.REDUCE_AVG, dtype=cv2.CV_64F).ravel()
    power = np.zeros(n // 2 + 1)
    power[0], power[-1] = squares[0], squares[-1]
    power[1:-1] = squares[1:-1:2] + squares[2:-1:2]
    return power


def _blocks(steps: NDArray[np.float64], axis: str) -> dict[str, CueValue]:
    n = len(steps) - 2  # line i, 2 and up, lies between pixels i - 1 and i
    if n < _MIN_LINES * BLOCK:
        return {}
    relative = (steps[1:-1] + _STEP) / ((steps[:-2] + steps[2:]) / 2 + _STEP) - 1
    by_place = _medians(relative, BLOCK)
    found: dict[str, CueValue] = {
        f"history.block8_{axis}": float(by_place[0]),
        f"history.off_grid_{axis}": float(by_place[1:].max()),
        f"history.grid_{axis}": str(int(np.argmax(by_place.round(6)))),
    }
    if n >= _MIN_LINES * MACROBLOCK:
        by_place = _medians(relative, MACROBLOCK)
        found[f"history.block16_{axis}"] = float(by_place[0] - by_place[BLOCK])
    return found


def _medians(relative: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """[period] medians of the lines at each place of a period; the first value is that of line 2."""
    n = len(relative)
    padded = np.full(-(-(n + 2) // period) * period, np.inf)
    padded[2 : n + 2] = relative
    ordered = np.sort(padded.reshape(-1, period), axis=0)
    place = np.arange(period)
    counts = (n + 1 - place) // period + 1 - (place < 2)  # lines 2 to n + 1
    medians: NDArray[np.float64] = (ordered[(counts - 1) // 2, place] + ordered[counts // 2, place]) / 2
    return medians


def _spectral(power: NDArray[np.float64], axis: str) -> dict[str, CueValue]:
    if not len(power):
        return {}
    last = len(power) - 1
    gradient = power * 4 * np.sin(np.pi * np.arange(last + 1) / (2 * last)) ** 2
    smooth, slope = (np.convolve(one[1:], np.ones(3) / 3, mode="valid") for one in (power, gradient))  # bins 2 ...
    above = np.flatnonzero((smooth > ABOVE_ROUNDING) & (slope > CUT_OFF * slope[: last // 2].mean()))
    energy = np.cumsum(gradient)
    falls = np.searchsorted(energy, ROLL_OFF * energy[-1]) if energy[-1] > 0 else 0
    return {
        f"history.cut_off_{axis}": float(above[-1] + 2) / last if len(above) else 0.0,
        f"history.roll_off_{axis}": float(falls) / last,
    }


def _plan(types: str) -> dict[str, CueValue]:
    """What the types of the pictures tell of the encoder."""
    if not types:
        return {}
    known = len(types) - types.count("?")
    keys = [index for index, letter in enumerate(types) if letter == "I"]
    return {
        "history.first_type": types[0],
        "history.types": "".join(sorted(set(types))),
        "history.i_share": types.count("I") / known if known else None,
        "history.b_share": types.count("B") / known if known else None,
        "history.b_run": float(max(map(len, "".join(c if c == "B" else " " for c in types).split()), default=0))
        if known
        else None,
        "history.i_distance": median(np.diff(keys)) if len(keys) > 1 else None,
    }


def _quantiser(qp: NDArray[np.float64], types: str) -> dict[str, CueValue]:
    known = np.isfinite(qp)
    if not known.any():
        return {}
    found: dict[str, CueValue] = {"history.qp": float(qp[known].mean()), "history.qp_spread": float(qp[known].std())}
    if len(types) == len(qp):
        letters = _letters(types)
        intra, inter = (qp[known & (letters == ord(letter))] for letter in "IP")
        if len(intra) and len(inter):
            found["history.qp_of_i"] = float(inter.mean() - intra.mean())
    return found


def _letters(types: str) -> NDArray[np.uint8]:
    """Codes of the letters: comparing numbers costs a tenth of comparing strings."""
    return np.frombuffer(types.encode("ascii", "replace"), np.uint8)


def _residuals(thumbs: NDArray[np.uint8], types: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    flat = thumbs.reshape(len(thumbs), -1)
    # not by how much: a moving head would drown the background, which an encoder renews at its key frames
    changed = np.count_nonzero(flat[1:] != flat[:-1], axis=1) / flat.shape[1]
    return _beyond_type(changed, types[1:]), types[1:] == _KEY


def _sizes(facts: VideoFacts, types: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Sizes in order of display, each against the usual one of its type: B pictures are small by plan."""
    order = np.argsort(facts.packets.times, kind="stable")
    keys = facts.packets.keys[order]
    letters = types if len(types) == len(order) else np.where(keys, _KEY, _UNKNOWN)
    sizes = _beyond_type(np.log(np.maximum(facts.packets.sizes[order], 1).astype(np.float64)), letters)
    return sizes[:_MAX_PICTURES], (keys | (letters == _KEY))[:_MAX_PICTURES]


def _beyond_type(values: NDArray[np.float64], types: NDArray[np.integer]) -> NDArray[np.float64]:
    """Values less the median of their picture type: the plan of the present encoder is no rhythm of the past."""
    left = values.copy()
    for letter in set(types.tolist()):
        own = types == letter
        left[own] -= median(values[own])
    return left


def _rhythm(what: str, amount: NDArray[np.float64], keys: NDArray[np.bool_]) -> dict[str, CueValue]:
    """Period and strength of the spikes of a series; None where it is too short."""
    if len(amount) < _MIN_PICTURES:
        return {}
    beside = np.full(len(amount), -np.inf)  # the higher neighbour; at each end the amount itself counts as one
    beside[1:], beside[0] = amount[:-1], amount[0]
    np.maximum(beside[:-1], amount[1:], out=beside[:-1])
    beside[-1] = max(beside[-1], amount[-1])
    spikes = np.maximum(amount - beside, 0)
    spikes[keys] = 0
    spikes -= spikes.mean()
    size = 1 << (2 * len(spikes) - 1).bit_length()
    energy = np.abs(np.fft.rfft(spikes, size)) ** 2
    alike = np.fft.irfft(energy, size)[: min(len(spikes) // 3, MAX_PERIOD) + 1]
    if alike[0] <= 1e-9:
        return {f"history.{what}_periodicity": 0.0}
    alike = alike / alike[0] * len(spikes) / (len(spikes) - np.arange(len(alike)))
    best = float(alike[2:].max())
    # a rhythm recurs at its multiples too: the first lag that is nearly as good as the best
    period = 2 + int(np.argmax(alike[2:] >= best * NEARLY - 1e-9))
    strength = max(best, 0.0)
    return {
        f"history.{what}_periodicity": strength,
        f"history.{what}_period": float(period) if strength > 0 else None,
    }
