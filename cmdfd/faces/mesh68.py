"""From MediaPipe's face mesh to the 68 points of iBUG 300-W.

The table follows the correspondence that is widely used for MediaPipe's canonical face (jaw line, eyes, outer
lips), with three groups chosen anew after drawing both on real faces: the outer ends of the brows (70, 300), the
nose base at the wings (98, 327), and inner lip points half way between corner and middle (81, 311, 402, 178), which
is where iBUG puts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points of the mesh without and with refined irises (MediaPipe's face mesh model card).
MESH_SIZES = (468, 478)

# fmt: off
#: Index in the mesh for each of the 68 points.
MESH_TO_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw, image's left to right
    70, 63, 105, 66, 107,  # brow on the image's left
    336, 296, 334, 293, 300,  # brow on the image's right
    168, 197, 5, 4,  # nose bridge, top to tip
    98, 97, 2, 326, 327,  # nose base
    33, 160, 158, 133, 153, 144,  # eye on the image's left
    362, 385, 387, 263, 373, 380,  # eye on the image's right
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 81, 13, 311, 308, 402, 14, 178,  # inner lips
)
# fmt: on


def to_68(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Pick the 68 points out of face meshes.

    Args:
        mesh: [..., 468 or 478, 2 or more] coordinates; only the first two are read.

    Returns:
        [..., 68, 2] in the unit of the mesh.

    Raises:
        ValueError: If the array is no face mesh.
    """
    if mesh.ndim < 2 or mesh.shape[-2] not in MESH_SIZES or mesh.shape[-1] < 2:
        raise ValueError(f"a face mesh has {MESH_SIZES} points of 2 or 3 numbers, got shape {mesh.shape}")
    return np.ascontiguousarray(mesh[..., MESH_TO_68, :2], dtype=np.float32)
