"""The page in a real browser: looks, widths, and that nothing runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_run import Names, Synthetic, make_items, make_run

from benchmarks.report.report import write_report

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)}")
    return found


@pytest.fixture(scope="module")
def report(synthetic: Synthetic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "report.html"
    write_report(synthetic.result, synthetic.predictions, make_items(2), path)
    return path


def run(browser: str, page: Path, folder: Path, *flags: str) -> str:
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        *flags,
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def shot(browser: str, page: Path, folder: Path, width: int, *flags: str) -> np.ndarray:
    target = folder / "shot.png"
    run(browser, page, folder, f"--window-size={width},1600", f"--screenshot={target}", *flags)
    return np.asarray(Image.open(target).convert("L"), np.float64)


def test_light_and_dark_follow_the_reader(browser: str, report: Path, tmp_path: Path) -> None:
    light = shot(browser, report, tmp_path, 1200)
    dark = shot(browser, report, tmp_path, 1200, "--blink-settings=preferredColorScheme=0")
    assert light[0, 0] == 255 and dark[0, 0] < 40
    assert light.std() > 10 and dark.std() > 10  # neither is an empty page


def _width(browser: str, report: Path, folder: Path, width: int) -> tuple[int, int]:
    """Width of the document and of the window, measured by a script in a copy whose policy was taken out."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text(encoding="utf-8"))
    script = (
        "<script>addEventListener('load',()=>{document.title="
        "'W'+document.documentElement.scrollWidth+'/'+innerWidth})</script></body>"
    )
    copy = folder / "measured.html"
    copy.write_text(page.replace("</body>", script), encoding="utf-8")
    found = re.search(
        r"<title>W(\d+)/(\d+)</title>", run(browser, copy, folder, f"--window-size={width},900", "--dump-dom")
    )
    assert found, "the measuring script did not run"
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("width", [500, 768, 1280])
def test_no_page_is_wider_than_its_window(browser: str, report: Path, tmp_path: Path, width: int) -> None:
    document, window = _width(browser, report, tmp_path, width)
    assert document <= window


def test_long_names_do_not_widen_the_page(browser: str, tmp_path: Path) -> None:
    names = Names(main="m" * 200, first_set="s" * 200, second_set="t" * 200, kind_prefix="k" * 200, error="e" * 300)
    synthetic = make_run(names, clips=60)
    path = tmp_path / "long.html"
    write_report(synthetic.result, synthetic.predictions, [], path)
    document, window = _width(browser, path, tmp_path, 500)
    assert document <= window


def test_phone_width_in_a_frame(browser: str, report: Path, tmp_path: Path) -> None:
    """Headless windows are at least 500 pixels wide, so the 360 pixels of a phone are made by a frame."""
    copy = tmp_path / "inner.html"
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text(encoding="utf-8"))
    tell = "parent.postMessage(document.documentElement.scrollWidth,'*')"
    script = f"<script>addEventListener('load',()=>{{{tell}}})</script></body>"
    copy.write_text(page.replace("</body>", script), encoding="utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(
        "<title>?</title><script>addEventListener('message',e=>{document.title='W'+e.data})</script>"
        "<iframe src='inner.html' style='width:360px;height:800px;border:0'></iframe>",
        encoding="utf-8",
    )
    dom = run(browser, outer, tmp_path, "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r"<title>W(\d+)</title>", dom)
    assert found, dom[:300]
    assert int(found[1]) <= 360


def test_the_policy_stops_scripts(browser: str, report: Path, tmp_path: Path) -> None:
    page = report.read_text(encoding="utf-8")
    copy = tmp_path / "attacked.html"
    attack = "<script>document.title='it ran'</script><img src=x onerror=\"document.title='it ran'\"></body>"
    copy.write_text(page.replace("</body>", attack), encoding="utf-8")
    assert "<title>it ran</title>" not in run(browser, copy, tmp_path, "--dump-dom", "--virtual-time-budget=2000")
    copy.write_text(re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", attack), encoding="utf-8")
    ran = run(browser, copy, tmp_path, "--dump-dom", "--virtual-time-budget=2000")
    assert "<title>it ran</title>" in ran  # without the policy it would have run: the test can fail
