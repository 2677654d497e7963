from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.errors import MediaError
from cmdfd.faces.linking import LinkRules, box_iou, link, main_track
from cmdfd.faces.tracks import FaceTrack

SHAPE = np.random.default_rng(0).uniform(-1, 1, (68, 2)).astype(np.float32)


def face(x: float, y: float = 0.5, size: float = 0.1) -> np.ndarray:
    return (SHAPE * size + (x, y)).astype(np.float32)


def linked(frames: list[list[np.ndarray]], fps: float = 25.0, rules: LinkRules | None = None) -> list[FaceTrack]:
    return link(frames, np.arange(len(frames)) / fps, "test", rules)


def test_box_iou_of_known_boxes() -> None:
    a = np.array([[0.0, 0.0], [2.0, 2.0]])
    assert box_iou(a, a) == 1
    assert box_iou(a, a + np.array([1, 0])) == pytest.approx(1 / 3)
    assert box_iou(a, a + np.array([2, 0])) == 0
    assert box_iou(a, a + np.array([5, 5])) == 0
    assert box_iou(a[:1], a[:1]) == 0


def test_two_people_become_two_tracks_whatever_the_order_of_detection() -> None:
    frames = [[face(0.2 + 0.002 * k), face(0.8)][:: 1 if k % 2 else -1] for k in range(20)]
    tracks = linked(frames)
    assert len(tracks) == 2
    for track, x in zip(tracks, (0.2, 0.8), strict=True):
        assert track.found.all()
        assert track.points[0] == pytest.approx(face(x))
    assert tracks[0].points[19] == pytest.approx(face(0.2 + 0.038))


def test_the_nearest_of_two_overlapping_faces_goes_on_with_a_track() -> None:
    # side by side, closer than a face's width: each overlaps the other person's last box too
    frames = [[face(0.40 + 0.001 * k), face(0.49 - 0.001 * k)] for k in range(10)]
    rules = LinkRules(min_iou=0.05)
    for order in (1, -1):
        left, right = linked([frame[::order] for frame in frames], rules=rules)
        np.testing.assert_allclose(left.points, [frame[0] for frame in frames], atol=1e-6)
        np.testing.assert_allclose(right.points, [frame[1] for frame in frames], atol=1e-6)


def test_a_gap_is_interpolated_and_told() -> None:
    frames = [[face(0.3 + 0.004 * k)] if not 5 <= k < 10 else [] for k in range(20)]
    (track,) = linked(frames)
    assert track.found.tolist() == [not 5 <= k < 10 for k in range(20)]
    for k in range(20):
        np.testing.assert_allclose(track.points[k], face(0.3 + 0.004 * k), atol=1e-6)


def test_ends_without_a_face_are_held() -> None:
    (track,) = linked([[], [], *[[face(0.4 + 0.01 * k)] for k in range(8)], []])
    np.testing.assert_array_equal(track.points[0], track.points[2])
    np.testing.assert_array_equal(track.points[10], track.points[9])
    assert track.found.tolist() == [False, False, *[True] * 8, False]


def test_a_gap_longer_than_the_bound_ends_a_track() -> None:
    frames = [[face(0.5)] if k < 20 or k >= 50 else [] for k in range(80)]
    assert len(linked(frames)) == 2  # 30 frames = 1.2 s
    assert len(linked(frames, rules=LinkRules(max_gap=1.5))) == 1


def test_a_jump_across_the_picture_is_another_person() -> None:
    assert len(linked([[face(0.2 if k < 10 else 0.8)] for k in range(20)])) == 2


def test_a_face_found_twice_counts_once() -> None:
    assert len(linked([[face(0.5), face(0.505)] for _ in range(10)])) == 1


def test_flickers_are_no_people() -> None:
    frames = [[face(0.3)] + ([face(0.8)] if k in {5, 6} else []) for k in range(40)]
    assert len(linked(frames)) == 1


def test_a_single_frame_is_enough_for_a_picture() -> None:
    (track,) = linked([[face(0.5)]])
    assert track.points.shape == (1, 68, 2)


def test_nothing_found_gives_no_track() -> None:
    assert linked([[], [], []]) == []
    assert linked([]) == []


def test_detections_that_are_not_finite_are_left_out() -> None:
    broken = face(0.5)
    broken[3] = np.nan
    (track,) = linked([[face(0.5)] if k != 4 else [broken] for k in range(10)])
    assert not track.found[4]
    assert np.isfinite(track.points).all()


def test_times_and_frames_must_agree() -> None:
    with pytest.raises(ValueError, match="2 frames of detections, 3 times"):
        link([[], []], np.arange(3.0), "test")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.3)), max_size=4), max_size=12))
def test_every_detection_is_used_at_most_once_and_found_points_are_its_own(
    frames: list[list[tuple[float, float, float]]],
) -> None:
    faces = [[face(*each) for each in frame] for frame in frames]
    tracks = linked(faces, rules=LinkRules(min_seconds=0.0))
    for k, frame in enumerate(faces):
        used = [track.points[k] for track in tracks if track.found[k]]
        assert len(used) <= len(frame)
        for points in used:
            assert any(np.allclose(points, each, atol=1e-6) for each in frame)
    assert all(len(track.times) == len(frames) for track in tracks)


# --- who counts --------------------------------------------------------------------------------------------------


def seen(share: float, size: float = 0.1, n: int = 100) -> FaceTrack:
    found = np.arange(n) < round(share * n)
    return FaceTrack(np.arange(n) / 25, np.repeat(face(0.5, size=size)[None], n, axis=0), found, "test")


@pytest.mark.parametrize(("share", "fine"), [(1.0, True), (0.8, True), (0.79, False), (0.0, False)])
def test_a_face_must_be_found_in_four_fifths_of_the_frames(share: float, fine: bool) -> None:
    if fine:
        assert main_track([seen(share)], "x.mp4").found.mean() == share
        return
    with pytest.raises(MediaError, match=f"{share:.0%} of the frames") as caught:
        main_track([seen(share)], "x.mp4")
    assert caught.value.code == "no_face"
    assert caught.value.path == "x.mp4"


def test_no_track_is_no_face() -> None:
    with pytest.raises(MediaError, match="no_face"):
        main_track([], "x.mp4")


def test_a_second_person_is_refused_above_the_bound_only() -> None:
    assert main_track([seen(1.0), seen(0.3)], "x.mp4").found.all()
    with pytest.raises(MediaError, match="31% of the frames; use faces: largest") as caught:
        main_track([seen(1.0), seen(0.31)], "x.mp4")
    assert caught.value.code == "many_faces"


def test_the_largest_face_counts_where_the_user_says_so() -> None:
    near, far, brief = seen(0.9, 0.2), seen(1.0, 0.1), seen(0.5, 0.5)
    assert main_track([far, near, brief], "x.mp4", "largest") is near
