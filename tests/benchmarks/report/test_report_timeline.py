from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_run import make_item

from benchmarks.report.timeline import alt_text, caveats, timeline_of, verdict, write_timeline
from cmdfd.report.palette import LIGHT


def test_verdict_says_side_word_truth_and_place() -> None:
    assert verdict(make_item()) == (
        "mds:mini gives this clip .683, above its threshold of .410: it looks fake, which is right, "
        "most of all from 1.3 to 1.9 s."
    )
    assert "looks real, which is right" in verdict(make_item("real"))
    assert "looks fake, which is wrong" in verdict(make_item("real", score=0.9))
    whole = [{"start": 0.0, "end": 3.0, "modality": "audio", "confidence": 0.9}]
    assert verdict(make_item(predicted_segments=whole)).endswith("from beginning to end.")


@pytest.mark.parametrize("threshold", [None, float("nan"), float("inf")])
def test_without_a_threshold_nothing_is_called_fake(threshold: float | None) -> None:
    words = verdict(make_item("", dataset="", domain="unknown", threshold=threshold, score=0.9))
    assert "No threshold is known" in words and "looks" not in words
    assert "threshold" not in " ".join(caveats(make_item("", dataset="", domain="unknown", threshold=threshold)))


def test_files_from_outside_carry_the_warning() -> None:
    item = make_item("", dataset="", domain="unknown", score=0.9)
    assert "clips like this one were not in its training" in verdict(item)
    assert any("not as proof" in note for note in caveats(item))
    assert timeline_of(item, words=True).truth is None  # nobody knows, so nothing is drawn
    assert not any("not as proof" in note for note in caveats(make_item()))
    assert any("may not carry over" in note for note in caveats(make_item(domain="cross")))


def test_a_clip_that_failed_says_why() -> None:
    item = make_item(score=None, error="no_face: no face track was found")
    assert verdict(item) == "mds:mini could not score this clip: no_face: no face track was found"
    assert "could not score" in verdict(make_item(score=float("nan")))


def test_reals_have_an_empty_truth_and_fakes_theirs() -> None:
    assert timeline_of(make_item("real"), words=False).truth == []
    truth = timeline_of(make_item(), words=False).truth
    assert truth is not None and (truth[0].start, truth[0].end, truth[0].label) == (1.2, 2.0, "sound")
    assert "Forged in truth: 1.2 to 2.0 s." in alt_text(make_item())


def test_picture_is_written_whole_and_the_same_twice(tmp_path: Path) -> None:
    path = tmp_path / "new" / "clip.png"
    write_timeline(make_item(), path)
    first = path.read_bytes()
    write_timeline(make_item(), path)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["clip.png"]
    image = np.asarray(Image.open(io.BytesIO(first)).convert("RGB"), np.int16)
    assert image.shape[1] > image.shape[0] > 400
    fake = np.array([int(LIGHT.fake[i : i + 2], 16) for i in (1, 3, 5)])
    shaded = (np.abs(image - (0.16 * fake + 0.84 * 255)).sum(axis=-1) < 6).sum(axis=0) > 30
    columns = np.flatnonzero(shaded)
    left = 112 / 980 * image.shape[1]
    span = (1 - (112 + 16) / 980) * image.shape[1]
    assert (columns.min() - left) / span * 3 == pytest.approx(1.3, abs=0.05)  # the shade begins where the segment does
    assert (columns.max() - left) / span * 3 == pytest.approx(1.9, abs=0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": [], "frame_times": []},
        {"frames": [np.zeros((1, 1, 3), np.uint8)], "frame_times": [0.0]},
        {"frames": [np.zeros((400, 90, 3), np.uint8)] * 30, "frame_times": list(range(30))},
        {"envelope": np.zeros(0), "times": np.zeros(0), "frame_scores": np.zeros(0), "predicted_segments": []},
        {"times": np.array([1.0]), "frame_scores": np.array([-1e9])},
        {"duration": 0.04},
        {"duration": 3600.0},
        {"title": "<b>" + "日本" * 200 + "\x00", "detector": "$x$" * 100},
        {"score": 1e12, "threshold": -1e12},
    ],
)
def test_odd_clips_are_drawn(changes: dict[str, object], tmp_path: Path) -> None:
    write_timeline(make_item(**changes), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000
