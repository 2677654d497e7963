"""Masks over frames: what is drawn where."""

from __future__ import annotations

import numpy as np
import pytest

from cmdfd.report.plots import MarkedFrame, overlay_plot
from cmdfd.report.plots.overlay import OUTLINE, marked
from cmdfd.report.plots.svg import check_safe


def frame(truth: np.ndarray | None, heat: np.ndarray | None = None, shape: tuple[int, int] = (90, 160)) -> MarkedFrame:
    image = np.full((*shape, 3), 120, np.uint8)
    image[..., 2] = 160
    return MarkedFrame(0.5, image, np.zeros((9, 16), np.uint8) if heat is None else heat, truth)


def test_the_outline_goes_round_the_truth_and_leaves_the_rest() -> None:
    truth = np.zeros((90, 160), bool)
    truth[30:60, 40:100] = True
    drawn = marked(frame(truth), 320, heat=False)
    assert drawn.shape == (180, 320, 3)
    line = (np.abs(drawn.astype(int) - OUTLINE).max(axis=2) < 40).nonzero()
    assert 55 <= line[0].min() <= 62 and 116 <= line[0].max() <= 122  # twice the rows and columns of the box
    assert 77 <= line[1].min() <= 82 and 196 <= line[1].max() <= 202
    assert (drawn[90, 140] == (120, 120, 160)).all() and (drawn[5, 5] == (120, 120, 160)).all()
    assert not (np.abs(marked(frame(None), 320, heat=False).astype(int) - OUTLINE).max(axis=2) < 40).any()


def test_heat_is_red_where_the_map_is_high_on_grey() -> None:
    heat = np.zeros((9, 16), np.uint8)
    heat[:, 8:] = 255
    drawn = marked(frame(None, heat), 160, heat=True)
    cold, hot = drawn[45, 20].astype(int), drawn[45, 140].astype(int)
    assert np.ptp(cold) == 0  # grey
    assert hot[0] - hot[2] > 120


def test_the_plot_is_safe_steady_and_names_its_rows() -> None:
    empty = np.zeros((90, 160), bool)
    for truth, words in ((empty, "nothing forged"), (~empty, "truth outlined"), (None, "truth unknown")):
        svg = overlay_plot([frame(truth)] * 4)
        check_safe(svg)
        assert words in svg and "0.50 s" in svg and svg.count("<image") == 9  # 2 x 4 frames and the ramp
        assert svg == overlay_plot([frame(truth)] * 4)
    assert overlay_plot([frame(empty, shape=(160, 90))]).count("<image") == 3
    with pytest.raises(ValueError, match="at least one frame"):
        overlay_plot([])
