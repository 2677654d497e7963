"""A talking head from one still with the speaker's own mouths: stored ones are laid on it as a sound asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.generator import GeneratorSpec
from generators.video.mesh_face import FaceState, best_path, mean_colour, smoothed
from generators.video.mesh_warp import Floats, convex_mask, mixed, similarity, soft
from generators.video.still_take import Mouths, Stage, StillHead

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points by which a stored mouth is laid on the still: eye corners, nose bridge and nose base. Speech moves none.
_ANCHORS = (36, 39, 42, 45, 27, 28, 29, 30, 33)
_NOSE_BASE, _JAW, _CHIN = (31, 33, 35), (4, 5, 6, 10, 11, 12), (7, 8, 9)
_MOUTH_AND_CHIN = (*range(5, 12), *range(48, 68))
#: The patch's corners on the jaw keep this share of their distance from the mouth: the cheek's outline stays.
_INWARD = 0.90
#: The patch ends this far below the chin, since mouths open; and the width of its soft edge; eye distances.
_BELOW_CHIN, _EDGE = 0.17, 0.17
#: Prices of a stored frame beside that of its opening: width (in deviations, like the opening), pose unlike the
#: still's, mouth out of place.
_WIDTH_PRICE, _POSE_PRICE, _PLACE_PRICE = 0.25, 2.0, 3.0
#: A mouth is never shown within this many frames of its own moment.
_APART = 3
#: Largest correction of brightness, in levels.
_MAX_OFFSET = 8.0


class StillBank(StillHead):
    """Animate one frame of the take by the donor's sound, with mouths of the take's other frames.

    Still, sway, blinks, sound and labels are those of `video/still_warp`. The mouths are real ones: for every moment
    a stored frame is chosen whose opening fits the sound, whose head is turned like the still's, and which goes on
    from the one before (Viterbi); its lower face is registered on the still by points that speech does not move.
    No mouth is shown within three frames of the moment at which it was recorded.
    """

    spec = GeneratorSpec(
        name="video/still_bank",
        family="talking-head",
        summary="one frame of the take, with the speaker's own mouths laid on it by another sound",
        modalities=("video", "audio"),
        needs_donor=True,
        needs_face=True,
        known_cues=(
            "resampled picture",
            "background and hair bend with the head",
            "gaze fixed to the head, light does not change",
            "cuts between stored mouths",
            "sensor noise drawn anew, Gaussian; compression noise of the still frozen",
            "lips follow loudness more closely than people's do",
            "room noise of another recording",
        ),
        params={},
        cost=0.16,
        citation="after the outer shape of Audio2Head, Wang et al. 2021, arXiv 2107.09293",
    )

    def mouths(self, stage: Stage) -> Mouths:
        """Stored mouths on the still, chosen for all moments at once."""
        bank = MouthBank(stage)
        path = bank.path()

        def mouth(index: int) -> tuple[NDArray[np.uint8], Floats]:
            return bank.laid(int(path[index]))

        return mouth


class MouthBank:
    """The mouths of a take, registered on its still.

    Args:
        stage: The job as it was looked at.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.frames = stage.job.take.frames
        self.here = stage.pixels[stage.still]
        steady = smoothed(stage.pixels)
        self.anchor = steady[stage.still][list(_ANCHORS)]
        self.fits = [similarity(points[list(_ANCHORS)], self.anchor) for points in steady]
        self.state = FaceState.of(steady)
        self.unit = float(self.state.unit[stage.still])
        shape = (self.frames.shape[1], self.frames.shape[2])
        self.alpha = soft(convex_mask(self._outline(), shape), _EDGE * self.unit)
        self.ring = np.asarray(((self.alpha > 0.05) & (self.alpha < 0.6)) * 255, np.uint8)
        self.kept: dict[int, tuple[NDArray[np.uint8], Floats]] = {}

    def _outline(self) -> Floats:
        """Corners of the patch on the still."""
        here, middle = self.here, self.here[48:60].mean(axis=0)
        down = here[8] - (here[36] + here[45]) / 2
        down = down / max(float(np.hypot(*down)), 1e-6)
        jaw = middle + np.float32(_INWARD) * (here[list(_JAW)] - middle)
        reach = np.float32(np.ptp(np.percentile(self.state.opening, [5, 95])) * 0.5 + _BELOW_CHIN)
        chin = here[list(_CHIN)] + down * np.float32(self.unit) * reach
        return np.concatenate([here[list(_NOSE_BASE)], jaw, chin]).astype(np.float32)

    def path(self) -> NDArray[np.int64]:
        """The stored frame of every moment."""
        stage, state = self.stage, self.state
        own = FaceState.of(stage.pixels).opening.astype(np.float64)
        wanted = stage.openings
        unary = np.abs(own[None, :] - wanted[:, None]) / max(float(own.std()), 1e-6)
        widths = FaceState.of(stage.pixels).width.astype(np.float64)
        unary += _WIDTH_PRICE * np.abs(widths[None, :] - stage.widths[:, None]) / max(float(widths.std()), 1e-6)
        pose = np.hypot(state.yaw - state.yaw[stage.still], 2 * (state.pitch - state.pitch[stage.still]))
        laid = np.stack([fit(points) for fit, points in zip(self.fits, stage.pixels, strict=True)])
        corners = np.abs(laid[:, [48, 54]] - self.here[[48, 54]]).mean(axis=(1, 2)) / self.unit
        price = _POSE_PRICE * pose + _PLACE_PRICE * corners + np.where(stage.track.found, 0, 10.0)
        moments = np.arange(len(own))
        near = np.abs(moments[None, :] - moments[:, None]) < _APART
        return best_path(unary + price[None, :] + np.where(near, 50.0, 0.0))

    def laid(self, stored: int) -> tuple[NDArray[np.uint8], Floats]:
        """The still with the mouth of a stored frame, and its landmarks."""
        if stored not in self.kept:
            fit, still = self.fits[stored], self.stage.picture
            size = (still.shape[1], still.shape[0])
            source = self.stage.noise.removed(self.frames[stored])
            patch = cv2.warpAffine(source, fit.matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            offset = mean_colour(still, self.ring) - mean_colour(np.asarray(patch, np.uint8), self.ring)
            over = patch.astype(np.float32) + offset.clip(-_MAX_OFFSET, _MAX_OFFSET).astype(np.float32)
            points = self.here.copy()
            moved = fit(self.stage.pixels[stored])
            which = list(_MOUTH_AND_CHIN)
            points[which] = moved[which]
            self.kept[stored] = mixed(still, over, self.alpha), points
        picture, points = self.kept[stored]
        return picture, points.copy()
