"""The pages of the site, as documents."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from site_pages import Element, read_page
from toy_standings import HOSTILE, SETS, Plan, toy_standings

from cmdfd.report.text import clean, interval, number
from leaderboards.site import build_site, words
from leaderboards.site.bars import Axis, axis_of
from leaderboards.standings import Number, Standings

NAMES = [Plan(f"hostile-{index}", name, 0.2 + 0.01 * index) for index, name in enumerate(HOSTILE)]


@pytest.fixture(scope="module")
def boards() -> list[Standings]:
    return [toy_standings(16), toy_standings(12, name="hostile", seed=3, sets=SETS, more=NAMES, title=HOSTILE[0])]


@pytest.fixture(scope="module")
def site(boards: list[Standings], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    build_site(boards, out)
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Element]:
    return {path.relative_to(site).as_posix(): read_page(path) for path in sorted(site.rglob("*.html"))}


def _table(page: Element) -> Element:
    return page.all("table", id="board")[0]


def test_there_is_a_page_for_every_board_and_system(boards: list[Standings], site: Path) -> None:
    for board in boards:
        folder = site / "boards" / board.board["name"]
        made = {path.stem for path in (folder / "systems").iterdir()}
        assert made == {row.slug for row in board.rows}
        assert {"index.html", "about.html", "leaderboard.json", "leaderboard.csv", "leaderboard.parquet"} <= {
            path.name for path in folder.iterdir()
        }


def test_links_lead_to_files_and_places_that_exist(pages: dict[str, Element], site: Path) -> None:
    ids = {
        name: {one.attributes["id"] for one in page.everything() if "id" in one.attributes}
        for name, page in pages.items()
    }
    for name, page in pages.items():
        for link in page.all("a"):
            address = link.attributes["href"]
            if address.startswith("https://"):
                assert link.attributes["rel"] == "noopener noreferrer nofollow"
                continue
            parts = urlsplit(urljoin(f"site:///{name}".replace("site", "file"), address))
            target = parts.path.lstrip("/")
            assert (site / target).is_file(), (name, address)
            assert not parts.fragment or parts.fragment in ids[target], (name, address)


def test_nothing_is_loaded_and_the_policy_names_what_stands_in_the_page(pages: dict[str, Element]) -> None:
    for name, page in pages.items():
        policy = page.all("meta", http_equiv="Content-Security-Policy")[0].attributes["content"]
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
        scripts = page.all("script")
        assert len(scripts) == (1 if name.startswith("boards/") and name.endswith("/index.html") else 0)
        for element in (*scripts, *page.all("style")):
            content = "".join(str(child) for child in element.children)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"{element.tag}-src 'sha256-{digest}'" in policy
        for element in page.everything():
            assert element.tag not in {"iframe", "object", "embed", "img", "base"}
            assert not {"src", "style", "srcset", "action"} & element.attributes.keys()
            assert not any(attribute.startswith("on") for attribute in element.attributes)
            if element.tag == "link":
                assert element.attributes["href"].startswith("data:image/svg+xml,")


def test_names_stand_as_they_are_and_do_nothing(boards: list[Standings], pages: dict[str, Element]) -> None:
    table = _table(pages["boards/hostile/index.html"])
    names = [head.all("bdi")[0].text for head in table.all("th", scope="row")]
    assert names == [" ".join(clean(row.name).split()) for row in boards[1].rows]
    for plan in NAMES:
        page = pages[f"boards/hostile/systems/{plan.slug}.html"]
        assert page.all("h1")[0].text == " ".join(clean(plan.name).split())
        assert "\u202e" not in page.text and "49" not in page.all("h1")[0].text


def test_the_table_has_every_system_in_the_order_of_the_board(
    boards: list[Standings], pages: dict[str, Element]
) -> None:
    board, table = boards[0], _table(pages["boards/toy/index.html"])
    rows = table.all("tr")
    lines = [row for row in rows if "data-index" in row.attributes]
    assert [int(row.attributes["data-index"]) for row in lines] == list(range(len(board.rows)))
    for line, row in zip(lines, board.rows, strict=True):
        rank = line.all("td", class_="rank")[0]
        ends = f"{row.rank_low}–{row.rank_high}" if row.rank_low != row.rank_high else f"{row.rank_low}"
        shown = f"{row.rank} ({ends})"
        assert rank.text == (shown if row.ranked else "–")
        if not row.ranked:
            assert rank.attributes["title"] == row.why_unranked
            assert line.all("small", class_="why")[0].text == row.why_unranked
    bands = [one.text for one in table.all("tr", class_="band")]
    assert bands[0].startswith("Group 1") and bands[-2].startswith("Floors") and bands[-1].startswith("Not ranked")
    widths = {sum(1 for child in line.children if isinstance(child, Element)) for line in lines}
    heads = table.all("thead")[0].all("th")
    assert widths == {len(heads)} and all(head.attributes["scope"] == "col" for head in heads)


def test_cells_hold_the_numbers_and_sort_by_all_their_digits(
    boards: list[Standings], pages: dict[str, Element]
) -> None:
    board, table = boards[0], _table(pages["boards/toy/index.html"])
    columns = [head.attributes["data-column"] for head in table.all("thead")[0].all("th")]
    lines = [row for row in table.all("tr") if "data-index" in row.attributes]
    for line, row in zip(lines, board.rows, strict=True):
        cells = dict(zip(columns, [one for one in line.children if isinstance(one, Element)], strict=True))
        found = {"macro": row.macro, "margin": row.margin, "worst": row.worst[1] if row.worst else None}
        found |= {f"auc-{place + 1}": score.auc for place, score in enumerate(row.sets)}
        found |= {f"eer-{place + 1}": score.eer for place, score in enumerate(row.sets)}
        found |= {f"trimmed-{place + 1}": score.trimmed for place, score in enumerate(row.sets)}
        for column, one in found.items():
            if one is None or one.value is None:
                assert "data-key" not in cells[column].attributes and cells[column].text == "–"
                continue
            assert float(cells[column].attributes["data-key"]) == one.value
            signed = column == "margin"
            assert cells[column].all("span", class_="v")[0].text == number(one.value, signed=signed)
            if column != "worst":
                assert cells[column].all("span", class_="ci")[0].text == interval(one.low, one.high, signed=signed)
        for place, score in enumerate(row.sets):
            word = {"in": "in-set", "cross": "", "unknown": "not declared"}[score.domain]
            assert word in cells[f"auc-{place + 1}"].text and (word or "in-set" not in cells[f"auc-{place + 1}"].text)


def test_the_page_of_a_system_tells_everything(boards: list[Standings], pages: dict[str, Element]) -> None:
    for row in boards[0].rows:
        text = pages[f"boards/toy/systems/{row.slug}.html"].text
        for score in row.sets:
            for part in (*score.kinds, *score.platforms):
                assert (part.name or "originals") in text
                assert f"{number(part.auc.value)}" in text and interval(part.auc.low, part.auc.high) in text
            for one in score.localization.values():
                assert number(one.value) in text
            for why in score.localization_absent.values():
                assert why in text
            if score.auc.doubt:
                assert score.auc.doubt in text
        silent = "It does not say" if row.trained_on is None else "no fitted weights"
        for name in row.trained_on or (silent,):
            assert name in text
        assert row.submission["predictions"]["sha256"] in text and "python -m leaderboards.site --board toy" in text
        assert row.ranked or row.why_unranked in text
    verified = next(row for row in boards[0].rows if row.state == "verified")
    assert "B. Person" in pages[f"boards/toy/systems/{verified.slug}.html"].text


def test_about_names_rules_sets_and_refusals(boards: list[Standings], pages: dict[str, Element]) -> None:
    text = pages["boards/toy/about.html"].text
    assert "1,000 draws" in text and "Rules version 1" in text and "the mini sets counts as mini-a/test" in text
    for one in boards[0].board["sets"]:
        assert one["truth_sha256"] in text and one["hub"] in text and one["title"] in text
    file, reason = boards[0].left_out[0]
    assert file in text and reason in text
    assert "1 submission refused" in pages["boards/toy/index.html"].text


def test_the_front_page_has_the_leaders(boards: list[Standings], pages: dict[str, Element]) -> None:
    items = pages["index.html"].all("li", class_="board")
    assert len(items) == 2
    leaders = [row for row in boards[0].rows if row.group == 1]
    for row in leaders[:3]:
        assert f"{row.name} {number(row.macro.value)}" in items[0].text
    assert f"{sum(row.ranked for row in boards[0].rows)} ranked" in items[0].text


def test_names_are_unique_and_regions_have_names(pages: dict[str, Element]) -> None:
    for page in pages.values():
        ids = [one.attributes["id"] for one in page.everything() if "id" in one.attributes]
        assert len(ids) == len(set(ids))
        assert len(page.all("h1")) == 1 and page.all("html")[0].attributes["lang"] == "en"
        for table in page.all("table"):
            assert table.all("caption")[0].text
        for region in page.all("div", role="region"):
            assert region.attributes["aria-label"] and region.attributes["tabindex"] == "0"


def test_boards_of_nobody_and_of_many_sets(tmp_path: Path) -> None:
    many = [f"set-{index:02d}/test" for index in range(30)]
    empty = replace(toy_standings(2, name="empty"), rows=(), left_out=())
    build_site([empty, toy_standings(4, name="many", sets=many)], tmp_path)
    page = read_page(tmp_path / "boards/empty/index.html")
    assert len([row for row in _table(page).all("tr") if "data-index" in row.attributes]) == 0
    assert "No system is ranked yet" in read_page(tmp_path / "index.html").text
    assert "None: every submission" in read_page(tmp_path / "boards/empty/about.html").text
    heads = _table(read_page(tmp_path / "boards/many/index.html")).all("th")
    columns = [one.attributes["data-column"] for one in heads if "data-column" in one.attributes]
    assert sum(column.startswith("auc-") for column in columns) == 30
    assert not any(column.startswith(("eer-", "where-")) for column in columns)


def test_no_board_is_a_page_too(tmp_path: Path) -> None:
    build_site([], tmp_path)
    assert "There is no board yet" in read_page(tmp_path / "index.html").text


@pytest.mark.parametrize(("low", "ticks"), [(0.4, 7), (0.3, 8), (0.2, 5), (0.1, 4), (0.0, 6)])
def test_axes_begin_at_a_tenth_and_have_even_ticks(low: float, ticks: int) -> None:
    axis = axis_of([Number(0.9, low + 0.05 if low < 0.4 else 0.8, 1.0)])
    assert axis.low == pytest.approx(low)
    assert len(axis.ticks) == ticks and axis.ticks[-1] == "1.0"
    assert axis.place(axis.low) == 0 and axis.place(1.0) == 100 and axis.place(-1) == 0


def test_bars_are_drawn_where_the_numbers_are(pages: dict[str, Element], boards: list[Standings]) -> None:
    page, row = pages["boards/toy/systems/system-000.html"], next(r for r in boards[0].rows if r.slug == "system-000")
    numbers = [s.auc for s in row.sets] + [p.auc for s in row.sets for p in (*s.kinds, *s.platforms)]
    axis = axis_of(numbers)
    assert isinstance(axis, Axis)
    points = [path.attributes["d"] for path in page.all("path", class_="point")]
    wanted = [p.auc for s in row.sets for p in s.kinds] + [p.auc for s in row.sets for p in s.platforms]
    places = [100 * (one.value - axis.low) / (1 - axis.low) for one in wanted if one.value is not None]
    found = [float(re.match(r"M([\d.]+) 20h0", d)[1]) for d in points]  # type: ignore[index]
    assert found == pytest.approx(places, abs=0.006)


def _alone(ranked: int, margin: Number | None) -> Standings:
    """A leader without company, beside `ranked` - 1 others."""
    board = toy_standings(16)
    first, *rest = [row for row in board.rows if row.ranked][:ranked]
    rows = [replace(first, group=1, margin=margin), *(replace(row, group=2) for row in rest)]
    return replace(board, rows=(*rows, *(row for row in board.rows if not row.ranked)))


@pytest.mark.parametrize(
    ("ranked", "said"),
    [(3, "its difference to every other ranked system has an interval without 0 (one training run each"), (1, "")],
)
def test_a_leader_alone_is_told_as_it_was_found(tmp_path: Path, ranked: int, said: str) -> None:
    board = _alone(ranked, None)
    build_site([board], tmp_path)
    page = read_page(tmp_path / f"boards/toy/systems/{board.rows[0].slug}.html").text
    band = _table(read_page(tmp_path / "boards/toy/index.html")).all("tr", class_="band")[0].text
    assert f"Rank 1 of {ranked}" in page and said in page and (said or "the only ranked system") in band
    assert "the data can tell" not in page + band and ("every other" in page) == bool(said)


@pytest.mark.parametrize(
    ("margin", "why"),
    [
        (Number(0.03, -0.01, 0.07), "[−.010, +.070], holds 0"),
        (Number(0.03, 0.0, 0.07), "holds 0"),
        (Number(-0.03, -0.05, -0.01), "lies below 0"),
        (Number(0.03, 0.01, 0.07), ""),
        (None, ""),
    ],
)
def test_ranked_systems_that_are_not_above_the_floor_say_so(tmp_path: Path, margin: Number | None, why: str) -> None:
    board = _alone(1, margin)
    build_site([board], tmp_path)
    lines = [
        row for row in _table(read_page(tmp_path / "boards/toy/index.html")).all("tr") if row.all("th", scope="row")
    ]
    marks = [[one.text for one in line.all("small", class_="mark")] for line in lines]
    assert marks == [["not above the floor"] if why else [], *([] for _ in lines[1:])]
    page = read_page(tmp_path / f"boards/toy/systems/{board.rows[0].slug}.html").text
    assert ("Not above the floor: the interval of its margin" in page) == bool(why) and why in page


def test_metrics_of_places_have_plain_names(pages: dict[str, Element]) -> None:
    page, table = pages["boards/toy/systems/system-000.html"], _table(pages["boards/toy/index.html"])
    told = {words.metric(name) for name in ("temporal/score", "frame/pooled", "frame/within_clip")}
    assert told == {"challenge score (mean of AP and AR)", "AUC over all frames", "AUC inside a clip"}
    assert "AUC inside a clip" in page.text and "AUC inside a clip, Mini A" in table.text
    assert "within clip" not in page.text + table.text
    assert words.metric("temporal/AP@0.5") == "AP@0.5" and words.metric("pixel/f1@0.5") == "F1@0.5"


def test_what_is_absent_on_one_set_is_told_of_that_set(tmp_path: Path) -> None:
    board = toy_standings(4)
    first, *rest = board.rows
    one, *others = first.sets
    absent = replace(one, localization_absent={"temporal": "nothing to find", "pixel": "no maps"})
    sets = (absent, *(replace(each, localization_absent={"pixel": "no maps"}) for each in others))
    build_site([replace(board, rows=(replace(first, sets=sets), *rest))], tmp_path)
    page = read_page(tmp_path / f"boards/toy/systems/{first.slug}.html").text
    assert "In time: stretches – no numbers on Mini A: nothing to find." in page
    assert "In the picture: pixels – no numbers: no maps." in page


def test_the_state_stands_before_the_sets(pages: dict[str, Element]) -> None:
    heads = [one.attributes["data-column"] for one in _table(pages["boards/toy/index.html"]).all("thead")[0].all("th")]
    assert heads[:5] == ["rank", "name", "macro", "state", "modality"]
