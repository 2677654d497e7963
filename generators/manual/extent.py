"""How much of a matte lies among what was changed: whether it can be the matte of this edit at all.

Not the plain share of its pixels that differ: of a blurred face little differs but the edges, yet they lie all over
it; and under strong compression no single pixel may stand out though the mean over a block does. So the larger of two
shares counts: of the mask inside the convex hull of the pixels that differ, and of its blocks that differ, over time,
more than nine out of ten blocks outside of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.manual.difference import Comparer

    Bools = NDArray[np.bool_]

#: Least share for a tiny mask and for one of the whole picture: the larger it is, the more of it must differ. Measured
#: on two real clips at 480 pixels (x264, crf 20 and 28) with swaps of face and mouth, blurs of face and eyes, a tint
#: and a copied wall: mattes drawn tightly had 0.53 to 0.92, those grown by a fortieth of the width 0.36 to 0.77, boxes
#: 0.42 to 0.77, all at least 1.4 times what is asked; white over 70 % of the picture 0.15 to 0.56, over all of it 0.00
#: to 0.19, all less than is asked.
LEAST = (0.15, 0.75)
#: Blocks are this part of the longer side.
_BLOCKS = 40
#: In units of the noise: more counts as this, so that one edge does not speak for a block.
_MOST = 8.0
_LOUDER_THAN, _FEWEST = 90, 20
#: A block must also have this part of what the loudest tenth of the mask has: a codec smears a strong edit.
_OF_LOUDEST = 0.25


def least_extent(share: float) -> float:
    """The extent that a mask of `share` of the picture must have."""
    return LEAST[0] + (LEAST[1] - LEAST[0]) * share


def extent_of(comparer: Comparer, inside: Bools, yes: Bools, beyond: Bools, frames: Bools) -> float:
    """Share of a mask that lies among what was changed; 1 where nothing is known of it.

    Args:
        comparer: Of the pair.
        inside: [T, H, W], pixels in the matte that differ.
        yes: [T, H, W], the mask.
        beyond: [T, H, W], what lies outside of it and its margin.
        frames: [T], frames in which something differs in it.
    """
    if not frames.any() or not yes[frames].any():
        return 1.0
    return max(_hulls(inside[frames], yes[frames]), _loud_blocks(comparer, yes, beyond, frames))


def _hulls(inside: Bools, yes: Bools) -> float:
    covered = 0
    for differing, mask in zip(inside, yes, strict=True):
        points = cv2.findNonZero(differing.astype(np.uint8))
        hull = np.zeros(mask.shape, np.uint8)
        if points is not None:
            cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
        covered += int((mask & (hull > 0)).sum())
    return covered / int(yes.sum())


def _loud_blocks(comparer: Comparer, yes: Bools, beyond: Bools, frames: Bools) -> float:
    """0 where too little lies outside of the mask to compare with."""
    rows = np.flatnonzero(frames).tolist()
    side = max(4, round(max(yes.shape[1:3]) / _BLOCKS))
    size = (max(1, yes.shape[2] // side), max(1, yes.shape[1] // side))

    def blocks(levels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.float32)

    inner, outer = (blocks(each[frames].mean(axis=0, dtype=np.float32)) for each in (yes, beyond))
    if (outer > 0.95).sum() < _FEWEST:
        return 0.0
    loud = np.zeros(size[::-1], np.float32)
    for k in rows:
        loud += blocks(np.minimum(comparer.difference(k) / comparer.noise.at(comparer.edges(k)), _MOST))
    usual = np.percentile(loud[outer > 0.95], _LOUDER_THAN)
    if (inner > 0.5).any():
        usual = max(usual, _OF_LOUDEST * np.percentile(loud[inner > 0.5], 90))
    return float(inner[loud > usual].sum() / inner.sum())
