"""Mouth and face crops by one rule for every class: only rigid points of the face place a crop.

A crop that is centred on the lips follows a warped mouth and so tells fake from real by its framing. Here the eyes'
corners alone give a centre, a direction and a length (the distance of the outer eye corners, `d`); everything else
is a constant times `d`. No point that speech moves is ever read.

The constants were measured with MediaPipe's face mesh on 23 clips of 14 people (3 616 frames) and on the
embedded talkers (12 faces), in units of `d` along the face's own axes, from the middle of the eyes:

========================================  =============================  ==================
quantity                                  real clips                     talkers
========================================  =============================  ==================
middle of the mouth, median of a clip     .69 to .88                     .64 to .71
top of the upper lip, lowest value        .40 (head far back)            .53
bottom of the lower lip, highest value    1.16 (fully open)              .97
outermost lip point from the axis         .29 to .44                     .28
height of the face (forehead to chin)     1.81 to 2.03, middle 1.94      -
middle of the face                        .28 to .39, middle .35         -
========================================  =============================  ==================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import MediaError
from cmdfd.faces.tracks import OUTER_EYES, FaceTrack

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Part of every cache key of features made from crops; goes up whenever a pixel of a crop can change.
CROP_RULE_VERSION = "1"

#: The two corners of the eye on the image's left and of the one on its right (a subset of `tracks.RIGID`).
EYE_LEFT, EYE_RIGHT = (36, 39), (42, 45)

#: Seconds over which the median of the eyes is taken: five frames at 25 fps outvote a point that jumps for one or two.
MEDIAN_SECONDS = 0.2
#: Standard deviation in seconds of the gaussian after it: 1.5 frames at 25 fps hide the jitter of detections (about
#: a pixel) and still follow a nod.
GAUSSIAN_SECONDS = 0.06
#: Eyes that are closer together than this share of the picture's longer side place nothing.
MIN_EYE_DISTANCE = 1e-3
#: Largest number of source pixels along a crop pixel that bilinear sampling covers without aliasing.
MAX_PIXEL_STEP = 2.0


@dataclass(frozen=True, slots=True)
class CropSettings:
    """Size and place of the mouth crop.

    Args:
        size_w: Pixels.
        size_h: Pixels.
        scale: Width of the crop as a multiple of the distance of the outer eye corners.
        drop: How far below the middle of the eyes its centre lies, in the same unit. With the defaults the crop
            shows .405 to 1.155 below the eyes and .5 to both sides: the whole mouth of every measured clip.
    """

    size_w: int = 64
    size_h: int = 48
    scale: float = 1.0
    drop: float = 0.78

    def __post_init__(self) -> None:
        if not (self.size_w >= 1 and self.size_h >= 1 and self.scale > 0 and math.isfinite(self.drop)):
            raise ValueError(f"a crop needs a positive size and scale, got {self}")


@dataclass(frozen=True, slots=True)
class FaceMargin:
    """Place of an upright square crop around the face.

    The unit of `half` and `shift` is `box * d`: half the longer side of the face's box, as a detector of whole
    faces would draw it (WIDER FACE's annotation rule, forehead to chin). The box is not detected but derived from
    the eyes: .97 = 1.94 / 2 and .35 of the module's table.

    Args:
        half: Half the side of the crop.
        shift: How far the crop's centre lies below the middle of the face's box.
        box: Half the longer side of the face's box, as a multiple of the distance of the outer eye corners.
        drop: Middle of the face's box below the middle of the eyes, as such a multiple.
    """

    half: float
    shift: float
    box: float = 0.97
    drop: float = 0.35


#: MDS's layout (pre-processing of the authors' release): side 2.8 s, from 1.0 s above to 1.8 s below the box's middle.
MDS_MARGIN = FaceMargin(half=1.4, shift=0.4)
#: Layout of ingested takes: side 1.7 times the face's extent, moved up by 5 % of the half side.
TAKE_MARGIN = FaceMargin(half=1.7, shift=-0.05 * 1.7)


@dataclass(frozen=True, slots=True, eq=False)
class EyeFrame:
    """Where the eyes are, smoothed over time, in pixels.

    Args:
        centre: [T, 2] middle of the eyes.
        right: [T, 2] unit vector from the eye on the image's left to the other one.
        distance: [T] between the outer corners.
    """

    centre: NDArray[np.float64]
    right: NDArray[np.float64]
    distance: NDArray[np.float64]

    @property
    def down(self) -> NDArray[np.float64]:
        """[T, 2] unit vector along the face, at right angles to the line of the eyes."""
        return np.stack([-self.right[:, 1], self.right[:, 0]], axis=1)


def eye_frame(track: FaceTrack, width: float = 1.0, height: float = 1.0) -> EyeFrame:
    """Read centre, direction and distance of the eyes out of a track.

    Frames whose eyes coincide are bridged linearly (held at the ends). Then a median and a gaussian over time are
    applied to the centre and to the vector between the eyes.

    Args:
        track: The face.
        width: Of the picture, in the unit wanted.
        height: Of the picture.

    Raises:
        MediaError: `no_face` if the track is empty or no frame has two distinct eyes.
    """
    scale = np.array([width, height], np.float64)
    corners = track.points[:, EYE_LEFT + EYE_RIGHT].astype(np.float64) * scale
    span = np.linalg.norm(track.points[:, OUTER_EYES[1]] * scale - track.points[:, OUTER_EYES[0]] * scale, axis=1)
    axis = (corners[:, 2:] - corners[:, :2]).mean(axis=1)
    length = np.linalg.norm(axis, axis=1)
    usable = np.minimum(length, span) > MIN_EYE_DISTANCE * max(width, height)
    if not usable.any():
        raise MediaError("no_face", "face track", "the eyes coincide in every frame")
    vector = axis * (span / np.maximum(length, 1e-12))[:, None]
    smooth = _smooth(_bridge(np.concatenate([corners.mean(axis=1), vector], axis=1), usable), track.times)
    distance = np.linalg.norm(smooth[:, 2:], axis=1)
    # A face that turns upside down within the window can cancel its own direction: take the clip's then.
    lost = distance <= MIN_EYE_DISTANCE * max(width, height)
    if lost.any():
        smooth[lost, 2:] = vector[usable][0]
        distance = np.linalg.norm(smooth[:, 2:], axis=1)
    return EyeFrame(smooth[:, :2], smooth[:, 2:] / distance[:, None], distance)


def _bridge(values: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    if usable.all():
        return values
    index = np.arange(len(values))
    columns = [np.interp(index, index[usable], column[usable]) for column in values.T]
    return np.stack(columns, axis=1)


def _smooth(values: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median, then gaussian, along the first axis; the ends are held, so that short tracks work too."""
    if len(values) < 2:
        return values
    step = max(float(np.median(np.diff(times))), 1e-3)
    reach = min(round(MEDIAN_SECONDS / step / 2), len(values))
    if reach:
        padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
        values = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0), axis=-1)
    sigma = GAUSSIAN_SECONDS / step
    reach = max(math.ceil(3 * sigma), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    smoothed: NDArray[np.float64] = windows @ (kernel / kernel.sum())
    return smoothed


def placement(
    track: FaceTrack, settings: CropSettings | None = None, *, width: float = 1.0, height: float = 1.0
) -> NDArray[np.float64]:
    """Where the mouth crop is taken from.

    Args:
        track: The face.
        settings: Size and place of the crop.
        width: Of the picture; 1 gives the result in fractions (right for square pictures only).
        height: Of the picture.

    Returns:
        [T, 2, 3] affine maps from the crop (pixels, the corner of its first pixel is 0, 0) to the picture.

    Raises:
        MediaError: `no_face`, see `eye_frame`.
    """
    settings = settings or CropSettings()
    eyes = eye_frame(track, width, height)
    unit = (settings.scale / settings.size_w * eyes.distance)[:, None]
    across, down = eyes.right * unit, eyes.down * unit
    centre = eyes.centre + eyes.down * (settings.drop * eyes.distance)[:, None]
    corner = centre - across * (settings.size_w / 2) - down * (settings.size_h / 2)
    return np.stack([across, down, corner], axis=2)


def face_squares(track: FaceTrack, width: float, height: float, margin: FaceMargin = MDS_MARGIN) -> NDArray[np.float64]:
    """Upright square around the face at every moment.

    Args:
        track: The face.
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        margin: Layout.

    Returns:
        [T, 3]: x and y of the centre and the side, in pixels.

    Raises:
        MediaError: `no_face`, see `eye_frame`.
    """
    eyes = eye_frame(track, width, height)
    below = (margin.drop * eyes.distance)[:, None]
    centre = eyes.centre + eyes.down * below
    centre[:, 1] += margin.shift * margin.box * eyes.distance
    side = 2 * margin.half * margin.box * eyes.distance
    return np.concatenate([centre, side[:, None]], axis=1)


def mouth_crop(frames: NDArray[np.uint8], track: FaceTrack, settings: CropSettings | None = None) -> NDArray[np.uint8]:
    """Cut the mouth out: upright in the face's own frame, of constant size, in grey.

    Args:
        frames: [T, H, W, 3] RGB or [T, H, W] grey.
        track: The face at these frames.
        settings: Size and place.

    Returns:
        [T, size_h, size_w]. Outside the picture its border is repeated.

    Raises:
        ValueError: If frames and track differ in length.
        MediaError: `no_face`, see `eye_frame`.
    """
    settings = settings or CropSettings()
    _check_length(frames, track)
    maps = placement(track, settings, width=frames.shape[2], height=frames.shape[1])
    cut = _warp(frames, maps, settings.size_w, settings.size_h)
    if cut.ndim == 3:
        return cut
    import cv2

    grey = cv2.cvtColor(cut.reshape(-1, settings.size_w, 3), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.uint8).reshape(cut.shape[:3])


def face_crop(
    frames: NDArray[np.uint8],
    track: FaceTrack,
    size: int = 224,
    margin: FaceMargin = MDS_MARGIN,
    *,
    border: int | None = None,
) -> NDArray[np.uint8]:
    """Cut an upright square around the face.

    Args:
        frames: [T, H, W, 3] RGB or [T, H, W] grey.
        track: The face at these frames.
        size: Side of the result in pixels.
        margin: Layout; the default is MDS's.
        border: Grey level outside the picture, 0 to 255 (MDS's release pads with 110); None repeats the border.

    Returns:
        [T, size, size(, 3)].

    Raises:
        ValueError: If frames and track differ in length.
        MediaError: `no_face`, see `eye_frame`.
    """
    _check_length(frames, track)
    squares = face_squares(track, frames.shape[2], frames.shape[1], margin)
    maps = np.zeros((len(frames), 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = squares[:, 2] / size
    maps[:, :, 2] = squares[:, :2] - squares[:, 2:] / 2
    return _warp(frames, maps, size, size, border)


def _check_length(frames: NDArray[np.uint8], track: FaceTrack) -> None:
    if len(frames) != len(track.times):
        raise ValueError(f"{len(frames)} frames, but a face track of {len(track.times)} times")


def _warp(
    frames: NDArray[np.uint8], maps: NDArray[np.float64], width: int, height: int, border: int | None = None
) -> NDArray[np.uint8]:
    """Sample crops; one call per frame. Where a crop pixel spans many source pixels it is averaged over several."""
    import cv2

    finer = _samples_per_pixel(maps)
    cut = np.empty((len(frames), height * finer, width * finer, *frames.shape[3:]), np.uint8)
    maps = maps.copy()
    maps[:, :, :2] /= finer
    maps[:, :, 2] += maps[:, :, :2].sum(axis=2) / 2 - 0.5  # cv2 counts from the middle of the first pixel
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    mode, level = (cv2.BORDER_REPLICATE, 0) if border is None else (cv2.BORDER_CONSTANT, border)
    for frame, matrix, out in zip(frames, maps, cut, strict=True):
        cv2.warpAffine(frame, matrix, (width * finer, height * finer), out, flags, mode, (level,) * 3)
    if finer == 1:
        return cut
    small = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in cut]
    return np.asarray(np.stack(small), np.uint8)


def _samples_per_pixel(maps: NDArray[np.float64]) -> int:
    if not len(maps):
        return 1
    step = float(np.median(np.linalg.norm(maps[:, :, 0], axis=1)))
    return min(max(math.ceil(step / MAX_PIXEL_STEP), 1), 8)
