from __future__ import annotations

import base64
import hashlib
import io
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cmdfd.report.palette import LIGHT
from cmdfd.report.plots import (
    BarRow,
    RocSeries,
    Span,
    Thumbnail,
    Timeline,
    histogram_plot,
    interval_bars,
    roc_plot,
    timeline_plot,
    timeline_png,
)
from cmdfd.report.plots.svg import STAND_INS, check_safe

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert(1)</script> & "quotes" $\\frac{1}{0}$ $x_ \x00\x07' + "w" * 300
GRID = np.linspace(0, 1, 51)


def roc(label: str = "mds:mini") -> str:
    return roc_plot(
        [
            RocSeries(label, GRID, GRID**0.2, np.clip(GRID**0.2 - 0.1, 0, 1), np.clip(GRID**0.2 + 0.05, 0, 1)),
            RocSeries("floor:container", GRID, GRID, floor=True),
        ]
    )


def bars(label: str = "audio/swap") -> str:
    return interval_bars(
        [
            BarRow(label, 0.9, 0.8, 0.97, 40, "mds"),
            BarRow(label, 0.5, 0.4, 0.6, 40, "floor", floor=True),
            BarRow("80 ms", None, None, None, 3, "mds", sub=True, doubtful=True),
        ]
    )


def timeline(**changes: object) -> Timeline:
    times = np.arange(0.1, 3, 0.2)
    images = [np.full((90, 120, 3), 40 * i, np.uint8) for i in range(5)]
    fields: dict[str, object] = {
        "duration": 3.0,
        "thumbnails": [Thumbnail(image, 0.3 + 0.6 * i) for i, image in enumerate(images)],
        "waveform": np.abs(np.sin(np.linspace(0, 20, 900))),
        "times": times,
        "scores": np.where((times > 1) & (times < 2), 0.8, 0.2),
        "threshold": 0.5,
        "truth": [Span(1.0, 2.0, "sound")],
        "found": [Span(1.1, 1.9, "sound .8")],
        "headline": "it looks fake",
    }
    return Timeline(**{**fields, **changes})  # type: ignore[arg-type]


def drawings() -> dict[str, str]:
    return {
        "roc": roc(),
        "histogram": histogram_plot(np.linspace(0, 0.6, 50), np.linspace(0.3, 1, 70), threshold=0.4),
        "bars": bars(),
        "timeline": timeline_plot(timeline()),
    }


def words(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def pictures() -> dict[str, str]:
    return drawings()


def test_pictures_are_safe_and_follow_the_page(pictures: dict[str, str]) -> None:
    for name, svg in pictures.items():
        check_safe(svg)
        assert f"var(--ink,{LIGHT.ink})" in svg, name
        for _, colour in STAND_INS.items():
            assert colour not in svg, (name, colour)
        assert "<style" not in svg and "<metadata" not in svg and "<title" not in svg
        root = ElementTree.fromstring(svg)
        assert root.attrib["aria-hidden"] == "true"
        assert root.attrib["viewBox"].split()[2:] == [root.attrib["width"], root.attrib["height"]]


def test_pictures_can_stand_on_one_page(pictures: dict[str, str]) -> None:
    found = [name for svg in pictures.values() for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(found) == len(set(found))
    for svg in pictures.values():
        own = set(re.findall(r'\bid="([^"]+)"', svg))
        used = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
        assert used == own


def test_the_same_numbers_give_the_same_bytes_in_another_process(pictures: dict[str, str]) -> None:
    assert drawings() == pictures
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import test_report_plots as t;"
        "print(hashlib.sha256(repr(sorted(t.drawings().items())).encode()).hexdigest())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(repr(sorted(pictures.items())).encode()).hexdigest()


def test_hostile_labels_are_text_and_no_mathematics() -> None:
    for svg in (roc(HOSTILE), bars(HOSTILE), timeline_plot(timeline(found=[Span(0, 3, HOSTILE)]))):
        check_safe(svg)
        shown = " ".join(words(svg))
        assert "<script>" in shown
        assert "w" * 120 not in shown  # cut to its place
    assert "$x_" in " ".join(words(roc("a $x_ b")))


def test_labels_keep_their_digits() -> None:
    assert any("v1.234567" in text for text in words(roc("v1.234567")))


def test_roc_curve_lies_where_its_numbers_say() -> None:
    svg = roc_plot([RocSeries("a", np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))])
    root = ElementTree.fromstring(svg)
    wide = [p for p in root.iter(f"{SVG}path") if "stroke-width:2.2" in p.attrib.get("style", "").replace(" ", "")]
    assert len(wide) == 2  # the curve and its key in the legend
    points = [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?", wide[0].attrib["d"])]
    xs, ys = points[0::2], points[1::2]
    assert xs[0] == pytest.approx(xs[1], abs=0.1) and ys[1] < ys[0]  # straight up ...
    assert ys[1] == pytest.approx(ys[2], abs=0.1) and xs[2] > xs[1]  # ... then to the right
    assert xs[2] - xs[1] == pytest.approx(ys[0] - ys[1], rel=0.01)  # in a square


def test_histogram_shows_shares_of_each_class() -> None:
    svg = histogram_plot([0.0] * 10, [1.0] * 1000, threshold=0.5)
    shown = words(svg)
    assert "real (10)" in shown and "fake (1000)" in shown
    assert "100 %" in shown  # each class has all of itself in one bar, whatever the base rate
    assert any(text.startswith("threshold .500") for text in shown)


@pytest.mark.parametrize("values", [[0.5, 0.5], [1e300, -1e300], [0.0], [1e-12, 2e-12]])
def test_histogram_survives_odd_scores(values: list[float]) -> None:
    check_safe(histogram_plot(values, [*values, float("nan"), float("inf")], threshold=1e9))


def test_empty_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="finite score"):
        histogram_plot([], [float("nan")])
    with pytest.raises(ValueError, match="row"):
        interval_bars([])
    with pytest.raises(ValueError, match="positive seconds"):
        timeline(duration=0.0)
    with pytest.raises(ValueError, match="times"):
        timeline(times=np.zeros(2))


def test_bars_say_numbers_counts_and_doubt() -> None:
    shown = words(bars())
    assert ".900" in shown and "n = 40" in shown and "n = 3†" in shown and "– no value" in shown


def test_thumbnails_are_the_frames_in_order_of_time() -> None:
    root = ElementTree.fromstring(timeline_plot(timeline()))
    images = list(root.iter(f"{SVG}image"))
    assert len(images) == 5
    places = [float(image.attrib["x"]) for image in images]
    assert places == sorted(places)
    for index, image in enumerate(images):
        uri = image.attrib["{http://www.w3.org/1999/xlink}href"]
        assert uri.startswith("data:image/jpeg;base64,")
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
        assert abs(float(pixels.mean()) - 40 * index) < 3
        ratio = float(image.attrib["width"]) / float(image.attrib["height"])
        assert ratio == pytest.approx(120 / 90, rel=0.02)


def test_timeline_says_what_is_missing() -> None:
    bare = timeline(
        thumbnails=[], waveform=np.zeros(0), times=np.zeros(0), scores=np.zeros(0), truth=(), found=(), threshold=None
    )
    shown = " ".join(words(timeline_plot(bare)))
    for expected in ("no sound", "nothing is forged", "names no stretches", "no score over time"):
        assert expected in shown
    assert "silence" in words(timeline_plot(timeline(waveform=np.zeros(50))))
    assert "Truth" not in words(timeline_plot(timeline(truth=None)))


def test_timeline_survives_hostile_numbers() -> None:
    odd = timeline(
        scores=np.array([np.nan, np.inf, -np.inf, *[1e6] * 12]),
        waveform=np.array([np.nan, 1.0, np.inf]),
        found=[Span(-5, 90, "x"), Span(2, 1, "y")],
        threshold=float("nan"),
    )
    check_safe(timeline_plot(odd))
    assert timeline_png(odd).startswith(b"\x89PNG")


def test_png_is_reproducible_and_without_dates() -> None:
    one, other = timeline_png(timeline()), timeline_png(timeline())
    assert one == other
    image = Image.open(io.BytesIO(one))
    assert image.size[0] >= 1200 and not image.info.get("Software")
    corner = np.asarray(image.convert("RGB"))[:4, :4]
    assert (corner == 255).all()  # on white, wherever it is shown
