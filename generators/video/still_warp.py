"""A talking head from one still, bent by a mesh: lips follow a sound, the head sways, the lids blink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.faces.tracks import FaceTrack
from generators.generator import GeneratorSpec
from generators.video.drive import WIDTH_LIMIT
from generators.video.lips import MouthMover
from generators.video.mesh_face import FaceState
from generators.video.still_take import Mouths, Stage, StillHead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.video.mesh_face import Floats


class StillWarp(StillHead):
    """Animate one frame of the take by the donor's sound; the sound track becomes the donor's.

    The still is the frame inside the clip that is nearest to a closed mouth, open eyes and the usual pose. Its mouth
    opens with the loudness of the sound, over the range of the take's own openings; the inside of the mouth is that
    of the take's widest one. The head's sway has the spectrum of the take's own. Lips follow the sound, so
    `sync_mismatch` is 0; `identity_mismatch` depends on whose sound it is, which the build knows.
    """

    spec = GeneratorSpec(
        name="video/still_warp",
        family="talking-head",
        summary="one frame of the take, bent to speak another sound",
        modalities=("video", "audio"),
        needs_donor=True,
        needs_face=True,
        known_cues=(
            "resampled picture",
            "background and hair bend with the head",
            "gaze fixed to the head, no new wrinkles, light does not change",
            "lips follow loudness and brightness of the sound only",
            "sensor noise drawn anew, Gaussian; compression noise of the still frozen",
            "lips follow loudness more closely than people's do",
            "room noise of another recording",
        ),
        params={},
        cost=0.18,
        citation="after the outer shape of MakeItTalk, Zhou et al. 2020, arXiv 2004.12992",
    )

    def mouths(self, stage: Stage) -> Mouths:
        """The still's own mouth, warped to the opening of every moment."""
        frames, track = stage.job.take.frames, stage.track
        state = FaceState.of(stage.pixels)
        widest, own_width = int(state.opening.argmax()), max(float(state.width[stage.still]), 1e-3)
        two = np.stack([stage.picture, stage.noise.removed(frames[widest])])
        chosen = [stage.still, widest]
        pair = FaceTrack(np.array([0.0, 1.0]), track.points[chosen], track.found[chosen], track.backend)
        mover = MouthMover(two, pair, range(1, 2))

        def mouth(index: int) -> tuple[NDArray[np.uint8], Floats]:
            width = float(np.clip(stage.widths[index] / own_width, 1 - WIDTH_LIMIT, 1 + WIDTH_LIMIT))
            return mover.move(0, float(stage.openings[index]), width)

        return mouth
