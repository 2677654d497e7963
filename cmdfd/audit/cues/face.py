"""Where the face is, from a stored track: crops that differ between the classes tell them without any forgery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.audit.cues.figures import tidied

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueKind, Fix
    from cmdfd.faces.tracks import FaceTrack

_CROP = "cut fakes and reals with the same crop, placed by points that no lip movement shifts; or keep matched clips"
_PICK = "choose reals as the generator's sources were chosen: same filters, same framing; or keep matched clips"
_FRAMING = "Locate-and-Verify's crop framing depends on the class; talking-head generators crop to a square"
_CENTRE = "spatial bias: detectors learn where the face is (ED4, arXiv 2408.06779)"
_ALIGNED = "generators that align every picture leave a face that never moves or turns; swaps tremble"
_LOST = "detectors lose forged or turned faces more often, and cut sets are filtered by them"
_BOX = "of the box around the 68 points, median over pictures with a face"
#: 36 and 45: outer corners of the eyes (`cmdfd.faces.tracks.OUTER_EYES`).
_EYES = "middle of the outer corners of the eyes"


def _cue(name: str, title: str, unit: str, rule: str, how: tuple[CueKind, str, Fix], source: str) -> Cue:
    kind, remedy, fix = how
    return Cue(f"face.{name}", title, unit, kind, rule, remedy, source, fix)


_FRAME: tuple[CueKind, str, Fix] = ("nuisance", _CROP, "match")
_CHOICE: tuple[CueKind, str, Fix] = ("nuisance", _PICK, "match")
_TRAIT: tuple[CueKind, str, Fix] = ("debatable", _CROP, "match")
_W, _H = "share of the width", "share of the height"

CUES: tuple[Cue, ...] = (
    _cue("width", "the width of the face", _W, f"width {_BOX}", _FRAME, _FRAMING),
    _cue("height", "the height of the face", _H, f"height {_BOX}", _FRAME, _FRAMING),
    _cue("area", "the area of the face", "share", f"area {_BOX}", _FRAME, _FRAMING),
    _cue("aspect", "the shape of the face's box", "ratio", f"width over height in pixels {_BOX}", _FRAME, _FRAMING),
    _cue("x", "the place of the face across", _W, f"centre {_BOX}", _FRAME, _CENTRE),
    _cue("y", "the place of the face down", _H, f"centre {_BOX}", _FRAME, _CENTRE),
    _cue(
        "off_centre",
        "the face's distance from the middle",
        "share",
        f"hypot of x - .5 and y - .5 {_BOX}",
        _FRAME,
        _CENTRE,
    ),
    _cue("eye_x", "the place of the eyes across", _W, f"{_EYES}, median", _FRAME, _FRAMING),
    _cue("eye_y", "the place of the eyes down", _H, f"{_EYES}, median", _FRAME, _FRAMING),
    _cue("eye_distance", "the distance of the eyes", _W, "outer corners, across, median", _FRAME, _FRAMING),
    _cue("cut", "the part of the face outside the picture", "share", "points outside, mean", _FRAME, _FRAMING),
    _cue("travel", "the travel of the face", _W, f"standard deviation of the {_EYES}, both axes", _TRAIT, _ALIGNED),
    _cue(
        "jitter",
        "the jitter of the face",
        _W,
        "median length of the second difference of the box's centre, over three neighbours with a face",
        _TRAIT,
        _ALIGNED,
    ),
    _cue(
        "size_jitter",
        "the jitter of the face's size",
        "ratio",
        "median |second difference| of the log of the distance of the eyes, over three neighbours with a face",
        _TRAIT,
        _ALIGNED,
    ),
    _cue(
        "turning",
        "the turning of the head in the picture",
        "degrees",
        "standard deviation of the angle of the line between the outer corners of the eyes, in pixels",
        _TRAIT,
        _ALIGNED,
    ),
    _cue("missing", "the share of pictures without a face", "share", "times not found over all", _CHOICE, _LOST),
    _cue("missing_lead", "the time before the first face", "s", "first time found, minus the first", _CHOICE, _LOST),
    _cue("count", "the number of faces", "faces", "as the set declares it", _CHOICE, _LOST),
)


def measure(
    track: FaceTrack | None, picture_aspect: float | None = None, n_faces: int | None = None
) -> dict[str, CueValue]:
    """Cues of a face's place, size and steadiness.

    Args:
        track: Track of the first face, in shares of the picture's width and height; None where there is none.
        picture_aspect: Width over height of the picture as shown, in pixels; None leaves `face.aspect` and
            `face.turning` unmeasured, and counts both axes alike elsewhere.
        n_faces: Number of faces, where it is known.

    Returns:
        A value for every cue of `CUES`; None for what cannot be measured, all but the count without a track.
    """
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    found["face.count"] = None if n_faces is None else float(n_faces)
    if track is None or not len(track.times):
        return found
    there = track.found
    found["face.missing"] = float(np.mean(~there))
    if not there.any():
        return tidied(found)
    found["face.missing_lead"] = float(track.times[np.argmax(there)] - track.times[0])
    points = track.points.astype(np.float64)
    found |= _box(points[there], picture_aspect) | _steadiness(points, there, picture_aspect)
    return tidied(found)


def _eyes(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle of the outer corners of the eyes, and the way from the one on the left to the other [T, 2]."""
    from cmdfd.faces.tracks import OUTER_EYES

    left, right = (points[:, index] for index in OUTER_EYES)
    return (left + right) / 2, right - left


def _box(points: NDArray[np.float64], aspect: float | None) -> dict[str, CueValue]:
    low, high = points.min(axis=1), points.max(axis=1)
    size, centre = high - low, (low + high) / 2
    middle, apart = _eyes(points)
    width, height = (float(value) for value in np.median(size, axis=0))
    x, y = (float(value) for value in np.median(centre, axis=0))
    return {
        "face.width": width,
        "face.height": height,
        "face.area": float(np.median(size.prod(axis=1))),
        "face.aspect": width / height * aspect if aspect and height > 0 else None,
        "face.x": x,
        "face.y": y,
        "face.off_centre": float(np.hypot(x - 0.5, y - 0.5)),
        "face.eye_x": float(np.median(middle[:, 0])),
        "face.eye_y": float(np.median(middle[:, 1])),
        "face.eye_distance": float(np.median(np.abs(apart[:, 0]))),
        "face.cut": float(((points < 0) | (points > 1)).any(axis=2).mean()),
        "face.travel": float(np.hypot(*_in_widths(middle, aspect).std(axis=0))),
    }


def _in_widths(places: NDArray[np.float64], aspect: float | None) -> NDArray[np.float64]:
    """Both axes in widths of the picture."""
    widths: NDArray[np.float64] = places / np.array([1.0, aspect or 1.0])
    return widths


def _steadiness(points: NDArray[np.float64], there: NDArray[np.bool_], aspect: float | None) -> dict[str, CueValue]:
    found: dict[str, CueValue] = {}
    _, apart = _eyes(points)
    if aspect:
        way = _in_widths(apart[there], aspect)
        found["face.turning"] = float(np.degrees(np.unwrap(np.arctan2(way[:, 1], way[:, 0]))).std())
    three = there[:-2] & there[1:-1] & there[2:]
    if not three.any():
        return found
    centre = _in_widths((points.min(axis=1) + points.max(axis=1)) / 2, aspect)
    found["face.jitter"] = float(np.median(np.hypot(*np.diff(centre, 2, axis=0)[three].T)))
    size = np.log(np.maximum(np.hypot(*_in_widths(apart, aspect).T), 1e-6))
    found["face.size_jitter"] = float(np.median(np.abs(np.diff(size, 2))[three]))
    return found
