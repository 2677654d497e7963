"""Which frames of a take show the mouths that a sound asks for: a best path through all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.video.drive import Track

#: Costs in standard deviations of the opening: a width that is off by one of its own, a head that is turned
#: otherwise by one of its own, and a frame that is followed by another than its successor (each frame of the jump, and
#: at most). The path costs are those of a prototype on 20 talkers and 5 real clips, where openings reached .75 to .98
#: of correlation with what was asked for.
_WIDTH, _POSE, _JUMP, _LONGEST = 0.25, 0.35, 0.04, 12
#: Heads that turn less than this, as the nose's tip moves in eye distances, hold still but for the tracker's noise.
_STILL = 0.02
#: What it costs to leave a frame as it is: a re-animated mouth is made of other frames wherever they are as good.
_OWN = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Mouths:
    """What is known of the mouths of a take's frames, [T] each: opening, width, and the head's turn [T, 2]."""

    openings: Track
    widths: Track
    pose: Track


def choose(mouths: Mouths, openings: Track, widths: Track, wanted: range) -> NDArray[np.int64]:
    """Frame of the take whose mouth each wanted frame shall show; Viterbi's best path.

    Args:
        mouths: Of all T frames.
        openings: [T] wanted openings in the unit of `mouths.openings`.
        widths: [T] wanted widths in the unit of `mouths.widths`.
        wanted: Frames to fill.

    Returns:
        [len(wanted)] indices into the take's frames.
    """
    n, spread = len(mouths.openings), max(float(np.std(mouths.openings)), 1e-9)
    wide = max(float(np.std(mouths.widths)), 1e-9)
    pose = mouths.pose / np.maximum(np.std(mouths.pose, axis=0), _STILL)
    index = np.arange(n)
    jump = _JUMP * np.minimum(np.abs(index[None, :] - index[:, None] - 1), _LONGEST)
    best = np.zeros(n)
    back = np.zeros((len(wanted), n), np.int64)
    for step, frame in enumerate(wanted):
        cost = np.abs(mouths.openings - openings[frame]) / spread
        cost = cost + _WIDTH * np.abs(mouths.widths - widths[frame]) / wide
        cost = cost + _POSE * np.abs(pose - pose[frame]).sum(axis=1)
        cost[frame] += _OWN
        if step:
            through = best[:, None] + jump
            back[step] = through.argmin(axis=0)
            best = through[back[step], index]
        best = best + cost
    path = np.zeros(len(wanted), np.int64)
    path[-1] = int(best.argmin())
    for step in range(len(wanted) - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path
