from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cmdfd.faces.mesh68 import MESH_TO_68, to_68
from cmdfd.faces.tracks import INNER_LIP_BOTTOM, INNER_LIP_TOP, OUTER_EYES

# fmt: off
#: The partner of every point of iBUG 300-W in a mirrored face (the permutation used for flip augmentation).
MIRROR = [
    *range(16, -1, -1), 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]
# fmt: on


def test_every_point_is_taken_once() -> None:
    assert len(MESH_TO_68) == len(set(MESH_TO_68)) == 68
    assert min(MESH_TO_68) >= 0
    assert max(MESH_TO_68) < 468


def test_points_with_known_places_in_both_schemes() -> None:
    # MediaPipe's documented outer eye corners, lip corners, lip middles, chin and nose tip
    at = dict(enumerate(MESH_TO_68))
    assert (at[OUTER_EYES[0]], at[OUTER_EYES[1]]) == (33, 263)
    assert (at[48], at[54]) == (61, 291)
    assert (at[INNER_LIP_TOP], at[INNER_LIP_BOTTOM]) == (13, 14)
    assert (at[8], at[30], at[39], at[42]) == (152, 4, 133, 362)


def test_points_are_picked_by_the_table() -> None:
    mesh = np.random.default_rng(0).normal(size=(3, 2, 478, 3))
    found = to_68(mesh)
    assert found.shape == (3, 2, 68, 2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[1, 0, 45], mesh[1, 0, 263, :2].astype(np.float32))
    np.testing.assert_array_equal(to_68(mesh[0, 0, :468])[8], mesh[0, 0, 152, :2].astype(np.float32))


@pytest.mark.parametrize("shape", [(68, 2), (467, 3), (468, 1), (468,), (478, 478)])
def test_what_is_no_mesh_is_refused(shape: tuple[int, ...]) -> None:
    if shape == (478, 478):
        assert to_68(np.zeros(shape)).shape == (68, 2)  # further columns are not read
        return
    with pytest.raises(ValueError, match="face mesh"):
        to_68(np.zeros(shape))


@pytest.fixture(scope="module")
def talker() -> SimpleNamespace:
    """A rendered talker: the renderer knows its 68 points, MediaPipe has to find them."""
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    pytest.importorskip("espeakng_loader")
    from generators.sources.talkers.source import TalkerSource, render_take

    items = TalkerSource({"size": 256, "seconds": 1.2}).plan({"train": {"identities": 1, "clips": 1}}, 3).items
    take = render_take(items[0])
    return SimpleNamespace(frames=take.frames, points=take.track.points if take.track else None)


@pytest.mark.face
def test_mesh_points_agree_with_the_points_that_the_renderer_knows(talker: SimpleNamespace) -> None:
    from cmdfd.faces.mediapipe_solutions import SolutionsBackend

    video = SimpleNamespace(frames=talker.frames, times=np.arange(len(talker.frames)) / 25)
    (track,) = SolutionsBackend().track(video)
    truth = talker.points
    unit = np.linalg.norm(truth[:, 45] - truth[:, 36], axis=1)[:, None]
    error = np.median(np.linalg.norm(track.points - truth, axis=2) / unit, axis=0)
    assert track.found.all()
    # the same places of the face, not the neighbours: lip points are about .08 eye distances apart
    assert error[[36, 39, 42, 45, 27]].max() < 0.06
    assert np.median(error[48:68]) < 0.04
    assert np.median(error[:17]) < 0.12
    opening = [(each[:, INNER_LIP_BOTTOM] - each[:, INNER_LIP_TOP])[:, 1] for each in (track.points, truth)]
    assert np.corrcoef(*opening)[0, 1] > 0.85


@pytest.mark.face
def test_the_table_is_symmetric(talker: SimpleNamespace) -> None:
    from cmdfd.faces.mediapipe_solutions import SolutionsBackend

    times = np.arange(8) / 25
    frames = np.repeat(talker.frames[:1], 8, axis=0)
    backend = SolutionsBackend()
    (seen,) = backend.track(SimpleNamespace(frames=frames, times=times))
    (mirrored,) = backend.track(SimpleNamespace(frames=frames[:, :, ::-1], times=times))
    back = mirrored.points[-1][MIRROR] * (-1, 1) + (1, 0)
    unit = np.linalg.norm(seen.points[-1, 45] - seen.points[-1, 36])
    assert np.linalg.norm(back - seen.points[-1], axis=1).max() / unit < 0.08
