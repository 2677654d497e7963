"""The site in a real browser, from files: what a reader does, sees and hears."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_standings import HOSTILE, SETS, Plan, toy_standings

from cmdfd.report.palette import DARK, LIGHT
from cmdfd.report.text import clean
from leaderboards.site import build_site
from leaderboards.standings import Standing, Standings

pytestmark = pytest.mark.slow

NAMES = [Plan(f"hostile-{index}", name, 0.2 + 0.01 * index) for index, name in enumerate(HOSTILE)]
WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 360, "height": 740}
PAGES = ("index.html", "boards/toy/index.html", "boards/toy/systems/system-000.html", "boards/toy/about.html")


@pytest.fixture(scope="module")
def board() -> Standings:
    return toy_standings(26)


@pytest.fixture(scope="module")
def site(board: Standings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "a folder with blanks"
    build_site([board, toy_standings(6, name="hostile", sets=SETS, more=NAMES, title=HOSTILE[3])], out)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: no chromium on the PATH")
    with api.sync_playwright() as playwright:
        # the site asks for no rights, and the super-user of a container cannot have Chromium's sandbox
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


class Tab:
    """A page that remembers what it was not supposed to do."""

    def __init__(self, browser: Any, site: Path, **options: Any) -> None:
        self.site, self.wrong = site, list[str]()
        self.context = browser.new_context(**{"viewport": WIDE, **options})
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.page.on("request", lambda asked: self.wrong.append(asked.url) if not self._ours(asked.url) else None)

    @staticmethod
    def _ours(address: str) -> bool:
        return address.startswith(("file://", "data:image/svg+xml"))

    def open(self, name: str, hash_: str = "") -> Any:
        self.page.goto("about:blank")
        self.page.goto((self.site / name).as_uri() + hash_)
        return self.page

    def until(self, what: str) -> None:
        """Wait for something to be true; the page's policy forbids Playwright's own way."""
        for _ in range(100):
            if self.page.evaluate(what):
                return
            self.page.wait_for_timeout(20)
        pytest.fail(f"never came: {what}")

    def names(self) -> list[str]:
        """Slugs of the rows that are seen, from top to bottom."""
        found = self.page.eval_on_selector_all(
            "#board tr[data-index]",
            "rows => rows.filter(row => row.offsetParent).map(row => row.querySelector('th a').getAttribute('href'))",
        )
        return [name.removeprefix("systems/").removesuffix(".html") for name in found]

    def heads(self) -> list[str]:
        return self.page.eval_on_selector_all(
            "#board thead th", "all => all.filter(one => one.offsetParent).map(one => one.dataset.column)"
        )


@pytest.fixture
def tab(browser: Any, site: Path, request: pytest.FixtureRequest) -> Iterator[Tab]:
    made = Tab(browser, site, **getattr(request, "param", {}))
    yield made
    made.context.close()
    assert made.wrong == []


def _key(row: Standing, column: str) -> Any:
    """What Python sorts a column by."""
    part, _, place = column.partition("-")
    system = row.submission["system"]
    if part in {"auc", "eer", "trimmed"}:
        one = getattr(row.sets[int(place) - 1], part)
        return one.value if one else None
    if part == "where":
        metric, _, place = place.partition("-")
        names = ("temporal/AP@0.5", "frame/within_clip", "pixel/auc")
        one = row.sets[int(place) - 1].localization.get(names[int(metric) - 1])
        return one.value if one else None
    trained = None if row.trained_on is None else (", ".join(row.trained_on) or "nothing").casefold()
    return {
        "rank": row.rank, "name": row.name.casefold(), "macro": row.macro.value, "borda": row.borda,
        "worst": row.worst[1].value if row.worst else None, "margin": row.margin.value if row.margin else None,
        "modality": " + ".join(sorted(system["modalities"])), "state": row.state, "size": system["n_parameters"],
        "licence": system["licence"].casefold(), "trained": trained, "date": row.submission["submitted_at"],
    }[column]  # fmt: skip


def _sorted(board: Standings, column: str, direction: str) -> list[str]:
    rows = [row for row in board.rows if _key(row, column) is not None]
    # reversed twice, so that equal rows keep their order when the sort is turned round
    turn = direction == "descending"
    ordered = sorted(reversed(rows) if turn else rows, key=lambda row: _key(row, column))
    return [row.slug for row in (reversed(ordered) if turn else ordered)] + [
        row.slug for row in board.rows if _key(row, column) is None
    ]


def test_every_column_sorts_as_python_does_both_ways(tab: Tab, board: Standings) -> None:
    every = ["rank", "name", "macro", "worst", "margin", "borda", "modality", "state", "size", "licence"]
    every += ["trained", "date"]
    every += [f"{part}-{place}" for part in ("auc", "eer", "trimmed") for place in (1, 2, 3)]
    every += [f"where-{metric}-{place}" for metric in (1, 2, 3) for place in (1, 2, 3)]
    page = tab.open("boards/toy/index.html", "#show=" + ",".join(every))
    assert set(tab.heads()) == set(every)
    assert tab.names() == [row.slug for row in board.rows]
    for column in every:
        for _ in range(2):
            head = page.locator(f"th[data-column='{column}']")
            head.locator("button").click()
            direction = head.get_attribute("aria-sort")
            assert direction in {"ascending", "descending"}
            assert page.locator("th[aria-sort]").count() == 1
            assert tab.names() == _sorted(board, column, direction), (column, direction)
    first = {name: page.locator(f"th[data-column='{name}']").get_attribute("data-first") for name in every}
    assert first["macro"] == "descending" and first["eer-1"] == "ascending" and first["rank"] == "ascending"


def test_filters_show_what_fits_and_say_how_many(tab: Tab, board: Standings) -> None:
    page = tab.open("boards/toy/index.html")
    count = page.locator("#count")
    assert count.get_attribute("aria-live") == "polite"

    def check(fits: Any) -> None:
        wanted = [row.slug for row in board.rows if fits(row)]
        assert tab.names() == wanted
        assert count.inner_text() == f"{len(wanted)} of {len(board.rows)} systems shown"

    page.fill("input[name=q]", "SYSTEM 01")
    # words are looked for one by one, in any place
    check(lambda row: "system" in f"{row.name} {row.slug}".lower() and "01" in f"{row.name} {row.slug}")
    page.fill("input[name=q]", "mini-a/train")
    check(lambda row: "mini-a/train" in (row.trained_on or ()))
    page.fill("input[name=q]", "no such thing")
    check(lambda row: False)
    assert page.locator("#none").is_visible()
    page.fill("input[name=q]", "")
    page.select_option("select[name=modality]", "audio+video")
    check(lambda row: sorted(row.submission["system"]["modalities"]) == ["audio", "video"])
    page.select_option("select[name=state]", "verified")
    check(lambda row: row.state == "verified" and len(row.submission["system"]["modalities"]) == 2)
    page.click("button[type=reset]")
    tab.until("document.querySelector('#count').textContent.startsWith('26')")
    page.uncheck("input[name=floors]")
    check(lambda row: not row.floor)
    page.check("input[name=cross]")
    check(lambda row: not row.floor and all(score.domain == "cross" for score in row.sets))


def test_a_view_is_an_address(tab: Tab, browser: Any, board: Standings) -> None:
    page = tab.open("boards/toy/index.html")
    page.fill("input[name=q]", "system & 1")
    page.select_option("select[name=modality]", "video")
    page.uncheck("input[name=floors]")
    page.click("summary")
    page.check("input[value=borda]")
    page.uncheck("input[value=auc-2]")
    page.keyboard.press("Escape")
    page.locator("th[data-column=macro] button").click()
    page.locator("th[data-column=macro] button").click()
    address, names, heads = page.url, tab.names(), tab.heads()
    assert "borda" in heads and "auc-2" not in heads
    other = Tab(browser, tab.site)
    other.page.goto(address)
    assert other.page.input_value("input[name=q]") == "system & 1"
    assert (other.names(), other.heads()) == (names, heads)
    assert other.page.locator("th[data-column=macro]").get_attribute("aria-sort") == "ascending"
    other.page.evaluate("location.hash = '#sort=name.descending'")
    other.until("document.querySelector('th[data-column=name]').ariaSort === 'descending'")
    assert other.names() == _sorted(board, "name", "descending")
    assert other.wrong == []
    other.context.close()
    page.click("button[type=reset]")
    tab.until("!location.hash")
    assert tab.names() == [row.slug for row in board.rows]


@pytest.mark.parametrize(
    "hash_",
    ["#sort=constructor.ascending", "#modality=<script>", "#show=__proto__&hide=rank", "#sort=%E0%A4%A&q=%", "#x"],
)
def test_an_address_that_means_nothing_is_the_plain_view(tab: Tab, board: Standings, hash_: str) -> None:
    tab.open("boards/toy/index.html", hash_)
    assert tab.names() == [row.slug for row in board.rows] or hash_.endswith("q=%")
    assert tab.heads()[:3] == ["rank", "name", "macro"]


def test_the_keyboard_is_enough(tab: Tab, board: Standings) -> None:
    page = tab.open("boards/toy/index.html")
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.id") == "content"
    assert tab.names() == [row.slug for row in board.rows]
    page.keyboard.press("/")
    assert page.evaluate(f"{focused}.name") == "q"
    page.keyboard.type("system")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(f"{focused}.closest('th')?.dataset.column || {focused}.id || {focused}.tagName"))
        visible = page.evaluate(f"getComputedStyle({focused}).outlineStyle")
        assert visible != "none", seen[-1]
        if seen[-1] == "macro":
            break
    page.keyboard.press("Enter")
    assert page.locator("th[data-column=macro]").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert page.locator("th[data-column=macro]").get_attribute("aria-sort") == "ascending"
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    assert page.locator(".sheet").is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert "macro" not in tab.heads()
    page.keyboard.press("Escape")
    assert not page.locator(".sheet").is_visible()
    assert page.evaluate(f"{focused}.tagName") == "SUMMARY"


def test_the_first_columns_and_the_head_stay_in_sight(tab: Tab) -> None:
    page = tab.open("boards/toy/index.html", "#show=borda,eer-1,eer-2,eer-3,size,licence,trained,date")
    before = page.locator("#board thead th").nth(1).bounding_box()
    page.evaluate("document.querySelector('.tall').scrollTo(400, 500)")
    after = page.locator("#board thead th").nth(1).bounding_box()
    frame = page.locator(".tall").bounding_box()
    assert after["x"] == before["x"]
    assert after["y"] == pytest.approx(frame["y"] + 1, abs=1.5)
    name = page.locator("#board tr[data-index='12'] th").bounding_box()
    assert name["x"] == after["x"]


@pytest.mark.parametrize("tab", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_colours_follow_the_reader(tab: Tab) -> None:
    page = tab.open("boards/toy/index.html")
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    palette = DARK if dark else LIGHT
    found = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    wanted = ["rgb({}, {}, {})".format(*bytes.fromhex(one[1:])) for one in (palette.paper, palette.ink)]
    assert found == wanted
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("tab", [{"viewport": PHONE}], indirect=True)
def test_a_phone_scrolls_the_table_and_not_the_page(tab: Tab) -> None:
    for name in (
        *PAGES,
        "boards/hostile/index.html",
        "boards/hostile/about.html",
        "boards/hostile/systems/hostile-7.html",
    ):
        page = tab.open(name)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, name
    page = tab.open("boards/toy/index.html")
    assert page.evaluate("(box => box.scrollWidth > box.clientWidth)(document.querySelector('.tall'))")
    page.click("summary")
    box = page.locator(".sheet").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360


@pytest.mark.parametrize("tab", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_the_table_is_whole(tab: Tab, board: Standings) -> None:
    page = tab.open("boards/toy/index.html")
    assert not page.locator("#controls").is_visible()
    assert page.locator("#board tr[data-index]").count() == len(board.rows)
    for head in page.locator("#board thead th").all():
        assert head.is_visible()
    assert page.locator("#board tr[data-index='0'] .ci").first.is_visible()


def test_hostile_names_run_nothing_and_follow_nothing(tab: Tab, site: Path) -> None:
    for path in sorted((site / "boards/hostile").rglob("*.html")):
        name = path.relative_to(site).as_posix()
        page = tab.open(name)
        title = page.title()
        assert title != "run"
        assert page.evaluate("document.querySelectorAll('img, iframe, object, [onload], [onerror]').length") == 0
        links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.protocol)")
        assert set(links) <= {"file:", "https:"}
    page = tab.open("boards/hostile/index.html")
    page.fill("input[name=q]", "<script>document.title='run'</script>")
    assert page.title() != "run" and set(tab.names()) == {"hostile-0", "hostile-3"}
    shown = page.eval_on_selector_all("tr[data-index]:not([hidden]) th a", "all => all.map(one => one.textContent)")
    assert set(shown) == {clean(HOSTILE[0]), clean(HOSTILE[3])}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_serious_finding_about_access(browser: Any, site: Path, scheme: str, size: dict[str, int]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    tab = Tab(browser, site, color_scheme=scheme, viewport=size, bypass_csp=True)
    for name in PAGES[:3]:
        page = tab.open(name)
        if name == "boards/toy/index.html":
            page.click("summary")
        found = axe.run(page).response["violations"]
        serious = [one for one in found if one["impact"] in {"serious", "critical"}]
        told = [(one["id"], [node["html"][:160] for node in one["nodes"]][:3]) for one in serious]
        assert not told, (name, json.dumps(told, indent=1))
    assert tab.wrong == []
    tab.context.close()
