"""What the pictures look like: levels, colour, black bars, sharpness and noise. Nothing here knows of faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.audit.cues.figures import DETAIL_RULE, in_detail, percentile, ratio, tidied

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueKind, Fix
    from cmdfd.audit.pictures import Pictures
    from cmdfd.audit.reading import VideoFacts

#: Code values of black and white in limited range (ITU-R BT.709, 3.3).
BLACK, WHITE = 16, 235
#: A row of a bar averages at most this: black of limited range, and the ringing of a lossy encoder.
BAR_LEVEL = 24
#: Side of the blocks whose quietest tenth gives the noise of flat regions.
FLAT_SIDE, FLAT_PERCENTILE = 8, 10
#: Shares of the histogram at which the dark and the bright end are read.
ENDS = (0.005, 0.995)
#: Pixels of the levels, and of their histogram, at most; rows are left out evenly beyond.
_MOST_PIXELS, _HISTOGRAM_PIXELS = 1 << 22, 1 << 20
#: AVCOL_RANGE_JPEG of FFmpeg.
_FULL_RANGE = "2"
#: Pixel formats that are of full range by themselves; RGB is brought to luma of full range.
_FULL_FORMATS = ("yuvj", "gray", "rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8")

_RANGE = "convert every clip, unforged ones too, to BT.709 in limited range with one scaler, and tag it so"
_LOOK = "keep clips that look alike in both classes, or draw fakes and reals from the same recordings"
_BARS = "cut the bars off every clip, or keep clips with equal bars in both classes"
_CHAIN = "one scaler and one encoder for both classes, and as many generations for reals as for fakes (sham pass)"
_CONVERSION = "tools that take full range for limited, or the reverse, stretch the levels"
_CONTENT = "content bias: recordings of one class from other scenes (ED4, arXiv 2408.06779)"
_BLUR = (
    "upsampling and blending blur; GenImage's classes differ in size and quality ('Fake or JPEG?', arXiv 2403.17608)"
)


def _cue(name: str, title: str, unit: str, rule: str, how: tuple[CueKind, str, Fix], source: str) -> Cue:
    kind, remedy, fix = how
    return Cue(f"picture.{name}", title, unit, kind, rule, remedy, source, fix)


_LEVEL: tuple[CueKind, str, Fix] = ("nuisance", _RANGE, "harmonise")
_SCENE: tuple[CueKind, str, Fix] = ("debatable", _LOOK, "match")
_BAR: tuple[CueKind, str, Fix] = ("nuisance", _BARS, "match")
_DETAIL: tuple[CueKind, str, Fix] = ("debatable", _CHAIN, "harmonise")
_COUNTED = "the luma of those pictures, evenly spaced rows of them with about 2^20 pixels"
_OF_ALL = "of the luma of at most 16 evenly spaced pictures"

CUES: tuple[Cue, ...] = (
    _cue("below_16", "the share of blacker than black", "share", f"pixels < 16, {_OF_ALL}", _LEVEL, _CONVERSION),
    _cue("above_235", "the share of whiter than white", "share", f"pixels > 235, {_OF_ALL}", _LEVEL, _CONVERSION),
    _cue(
        "out_of_range",
        "the share of pixels that the declared range forbids",
        "share",
        "pixels < 16 or > 235; not measured where the stream declares full range or its pixel format has it",
        _LEVEL,
        _CONVERSION,
    ),
    _cue("black", "the dark end of the levels", "levels", f"0.5th percentile of {_COUNTED}", _LEVEL, _CONVERSION),
    _cue("white", "the bright end of the levels", "levels", f"99.5th percentile of {_COUNTED}", _LEVEL, _CONVERSION),
    _cue(
        "comb",
        "the comb in the histogram of the levels",
        "share",
        f"sum of |count - mean of the two neighbouring counts| between black and white, over all, of {_COUNTED}",
        _LEVEL,
        "stretched levels leave gaps and peaks in the histogram",
    ),
    _cue("brightness", "the mean brightness", "levels", f"mean {_OF_ALL}", _SCENE, _CONTENT),
    _cue("contrast", "the contrast", "levels", f"standard deviation {_OF_ALL}", _SCENE, _CONTENT),
    _cue("blue", "the mean of Cb", "levels", "mean of Cb over those pictures, 128 is grey", _SCENE, _CONTENT),
    _cue("red", "the mean of Cr", "levels", "mean of Cr over those pictures, 128 is grey", _SCENE, _CONTENT),
    _cue("cast", "the colour cast", "levels", "distance of mean Cb and Cr from grey (128, 128)", _SCENE, _CONTENT),
    *(
        _cue(
            f"bar_{side}",
            f"the black bar {where}",
            f"share of the {extent}",
            f"{lines} from that side on whose pixels, each at its brightest over the pictures, average at most 24; "
            "not measured where the whole picture is black; as stored, before rotation",
            _BAR,
            "letterboxes and crop panels differ between sources",
        )
        for side, where, extent, lines in (
            ("top", "at the top", "height", "rows"),
            ("bottom", "at the bottom", "height", "rows"),
            ("left", "on the left", "width", "columns"),
            ("right", "on the right", "width", "columns"),
        )
    ),
    _cue(
        "sharpness",
        "the sharpness",
        "levels^2",
        f"variance of the Laplacian (4 neighbours) of luma, mean {DETAIL_RULE}",
        _DETAIL,
        _BLUR,
    ),
    _cue(
        "sharp_centre",
        "the share of the sharpness in the middle",
        "share",
        f"share of the squared Laplacian in the middle half of width and height, {DETAIL_RULE}",
        _DETAIL,
        "a face that is sharper or softer than what surrounds it; spatial bias (ED4, arXiv 2408.06779)",
    ),
    _cue(
        "fine_detail",
        "the share of fine detail",
        "share",
        f"share of the luma's variance that lies inside blocks of 2 x 2 pixels, {DETAIL_RULE}",
        _DETAIL,
        _BLUR,
    ),
    _cue(
        "noise",
        "the noise",
        "levels",
        f"Immerkaer's estimate: sqrt(pi/2)/6 * mean |response of [1 -2 1] x [1 -2 1]|, capped at 255, {DETAIL_RULE}",
        _DETAIL,
        "J. Immerkaer, Fast noise variance estimation, 1996; cameras are noisy, renderers are not",
    ),
    _cue(
        "flat_noise",
        "the noise of flat regions",
        "levels",
        f"Immerkaer's estimate in blocks of 8 x 8 pixels, 10th percentile of the blocks, {DETAIL_RULE}",
        _DETAIL,
        "J. Immerkaer, Fast noise variance estimation, 1996; cameras are noisy, renderers are not",
    ),
)


def measure(pictures: Pictures, facts: VideoFacts | None = None) -> dict[str, CueValue]:
    """Cues of what the pictures look like.

    Args:
        pictures: Samples of the stream; any number and size.
        facts: The stream's headers, for the declared range; None counts as limited range.

    Returns:
        A value for every cue of `CUES`; None where pictures are missing or too small.
    """
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    luma = pictures.luma
    if luma.ndim != 3 or not luma.size:
        return found
    found |= _levels(luma, _declares_full(facts)) | _colour(pictures.chroma) | _bars(luma) | _detail(in_detail(luma))
    return tidied(found)


def _declares_full(facts: VideoFacts | None) -> bool:
    return facts is not None and (facts.colour.split("/")[0] == _FULL_RANGE or facts.pix_fmt.startswith(_FULL_FORMATS))


def _levels(luma: NDArray[np.uint8], full_range: bool) -> dict[str, CueValue]:
    import cv2

    rows, some = (
        np.ascontiguousarray(luma[:, :: -(-luma.size // most)].reshape(-1, luma.shape[2]))
        for most in (_MOST_PIXELS, _HISTOGRAM_PIXELS)
    )
    counts = cv2.calcHist([some], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    n = counts.sum()
    black, white = (int(np.searchsorted(np.cumsum(counts), end * n)) for end in ENDS)
    below, above = (int(np.count_nonzero(part)) / rows.size for part in (rows < BLACK, rows > WHITE))
    mean, deviation = (float(value.item()) for value in cv2.meanStdDev(rows))
    comb = np.abs(counts[1:-1] - (counts[:-2] + counts[2:]) / 2)[max(black - 1, 0) : max(white, 1)]
    return {
        "picture.below_16": below,
        "picture.above_235": above,
        "picture.out_of_range": None if full_range else below + above,
        "picture.black": float(black),
        "picture.white": float(white),
        "picture.comb": float(comb.sum() / n),
        "picture.brightness": mean,
        "picture.contrast": deviation,
    }


def _colour(chroma: NDArray[np.float64]) -> dict[str, CueValue]:
    known = chroma[np.isfinite(chroma).all(axis=1)] if chroma.ndim == 2 and len(chroma) else chroma[:0]
    if not len(known):
        return {}
    blue, red = (float(value) for value in known.mean(axis=0))
    return {"picture.blue": blue, "picture.red": red, "picture.cast": float(np.hypot(blue - 128, red - 128))}


def _bars(luma: NDArray[np.uint8]) -> dict[str, CueValue]:
    import cv2

    brightest = luma[0].copy()
    for picture in luma[1:]:
        cv2.max(brightest, picture, brightest)
    found: dict[str, CueValue] = {}
    for axis, (first, last) in ((1, ("top", "bottom")), (0, ("left", "right"))):
        sums = cv2.reduce(brightest, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
        seen = sums > BAR_LEVEL * brightest.shape[axis]
        if seen.any():
            found[f"picture.bar_{first}"] = float(np.argmax(seen)) / len(seen)
            found[f"picture.bar_{last}"] = float(np.argmax(seen[::-1])) / len(seen)
    return found


def _detail(luma: NDArray[np.uint8]) -> dict[str, CueValue]:
    height, width = luma.shape[1:]
    found: dict[str, CueValue] = {}
    if min(height, width) >= 2:
        found["picture.fine_detail"] = _inside_blocks(luma)
    if min(height, width) >= 3:
        found |= _sharpness(luma) | _noise(luma)
    return found


def _inside_blocks(luma: NDArray[np.uint8]) -> float | None:
    """Share of the variance that averaging over 2 x 2 pixels takes away; 0 for what is constant."""
    import cv2

    height, width = (side - side % 2 for side in luma.shape[1:])
    inside = whole = 0.0
    for picture in luma:
        pixels = picture[:height, :width].astype(np.float32)
        means = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        # quarters of whole numbers are exact in single precision, and both sums are taken in double
        energy = cv2.norm(pixels, cv2.NORM_L2SQR)
        inside += energy - 4 * cv2.norm(means, cv2.NORM_L2SQR)
        whole += energy - pixels.size * cv2.mean(pixels)[0] ** 2
    return max(inside, 0.0) / whole if whole > 1e-6 * luma.size else 0.0


def _sharpness(luma: NDArray[np.uint8]) -> dict[str, CueValue]:
    import cv2

    variances, middle, whole = [], 0.0, 0.0
    for picture in luma:
        edges = cv2.Laplacian(picture, cv2.CV_16S)[1:-1, 1:-1]
        height, width = edges.shape
        energy = cv2.norm(edges, cv2.NORM_L2SQR)
        variances.append(max(energy / edges.size - cv2.mean(edges)[0] ** 2, 0.0))
        whole += energy
        part = edges[height // 4 : height - height // 4, width // 4 : width - width // 4]
        middle += cv2.norm(part, cv2.NORM_L2SQR)
    return {"picture.sharpness": float(np.mean(variances)), "picture.sharp_centre": ratio(middle, whole)}


def _noise(luma: NDArray[np.uint8]) -> dict[str, CueValue]:
    import cv2

    kernel = np.array([1, -2, 1], np.float32)
    total, blocks = 0.0, []
    side = FLAT_SIDE
    rows, columns = ((length - 2) // side for length in luma.shape[1:])
    for picture in luma:
        response = cv2.convertScaleAbs(cv2.sepFilter2D(picture, cv2.CV_16S, kernel, kernel)[1:-1, 1:-1])
        total += cv2.mean(response)[0] / len(luma)
        if rows and columns:
            part = response[: rows * side, : columns * side].astype(np.float32)
            blocks.append(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA).ravel())
    scale = float(np.sqrt(np.pi / 2) / 6)
    flat = percentile(np.concatenate(blocks), FLAT_PERCENTILE) * scale if blocks else None
    return {"picture.noise": total * scale, "picture.flat_noise": flat}
