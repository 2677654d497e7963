from __future__ import annotations

from page_checks import read

from cmdfd.report.blocks import (
    Column,
    Entry,
    Facts,
    Figure,
    Fold,
    Grid,
    Page,
    Row,
    RowGroup,
    Section,
    Table,
    Value,
)
from cmdfd.report.page import render_page
from cmdfd.report.plots import LevelRow, level_bars


def table(reason: str) -> Table:
    rows = (Row("a", (Value(0.9, reason=reason),)),)
    return Table("caption", (Column("x"), Column("y")), (RowGroup(rows),))


def test_a_fold_holds_blocks_and_its_tables_keep_their_footnotes() -> None:
    inner = Fold("inner <b>", (table("few people"),))
    page = Page("t", ("lead",), sections=(Section("a", "A", (table("odd"), Fold("outer", (inner,)))),))
    assert page.marks == {"odd": "†1", "few people": "†2"}
    found = read(render_page(page))
    assert len(found.all("details")) == len(found.all("summary")) == 2
    assert "inner <b>" in found.text and "†2 few people" in found.text


def test_facts_may_stand_beside_a_picture() -> None:
    figure = Figure("alt", svg=level_bars([LevelRow("a", 0.5, 0.5)], n_real=2, n_fake=2))
    grid = Grid((figure, Facts((Entry("value", "name"),))))
    found = read(render_page(Page("t", ("lead",), sections=(Section("a", "A", (grid,)),))))
    assert "name" in found.text and len(found.all("dl")) == 1
