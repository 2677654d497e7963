from __future__ import annotations

import re

import jinja2
import pytest
from page_checks import read

from cmdfd.report.blocks import (
    Bullets,
    Card,
    Cards,
    Code,
    Column,
    Entry,
    Facts,
    Figure,
    Grid,
    Heading,
    Page,
    Paragraph,
    Row,
    RowGroup,
    Section,
    Table,
    Text,
    Value,
)
from cmdfd.report.page import picture, render, render_page
from cmdfd.report.plots import histogram_plot

HOSTILE = "</title></style><script>alert(1)</script>\"' onload=x <img src=x onerror=y> ${{7*7}} \x00\x1b[2J\u202e"


def whole_page(name: str) -> Page:
    """Every block there is, with the same name in every place that takes one."""
    svg = histogram_plot([0.1, 0.2, 0.3], [0.5, 0.6])
    table = Table(
        name,
        (Column(name, name), Column(name, name), Column(name, numeric=False)),
        (
            RowGroup(
                (
                    Row(
                        name, (Value(0.5, 0.4, 0.6, name, bar=True), Text(name, detail=name, reason=name)), detail=name
                    ),
                    Row(name, (Value(None, reason=name + "2"), name), "floor"),
                    Row(name, (7, Text("", "code")), "sub"),
                ),
                name,
                name,
            ),
        ),
        name,
    )
    figure = Figure(alt=name, svg=svg, caption=name, title=name, wide=True)
    photo = Figure(alt=name, png=b"\x89PNG", caption=name, title=name)
    blocks = (
        Paragraph((name, Text(name, "strong"), Text(name, "code"), Text(name, "name"))),
        Heading(name, name),
        Bullets((Entry(name, name),)),
        Facts((Entry(name, name),), name),
        Code(name, name),
        Cards((Card(name, name, name, "warn"),)),
        table,
        figure,
        Grid((photo,)),
    )
    sections = tuple(Section(f"s-{i}", name, blocks if i == 0 else ()) for i in range(3))
    return Page(name, (name, Text(name, "strong")), name, (Cards((Card(name, name),)),), sections, name)


def test_hostile_names_stay_text_in_every_block() -> None:
    page = render_page(whole_page(HOSTILE))
    reader = read(page)
    assert "<script" not in page
    assert "alert(1)" in reader.text  # it is shown, as text
    assert "{{7*7}}" in reader.text  # and never run as a template
    assert "\x00" not in page and "\x1b" not in page and "\u202e" not in page
    assert reader.text.count("alert(1)") >= 30


def test_plain_page_reads_well() -> None:
    reader = read(render_page(whole_page("mds")))
    assert ".500 †" in reader.text.replace(".500†", ".500 †")
    assert "[.400, .600]" in reader.text


def test_footnotes_number_reasons_once_and_in_order() -> None:
    cells = [Value(0.5, reason=reason) for reason in ("b", "a", "b", "c", "d", "e")]
    table = Table("t", (Column("x"), *(Column("y") for _ in cells)), (RowGroup((Row("r", tuple(cells)),)),))
    assert table.reasons == ("b", "a", "c", "d", "e")


def test_one_mark_has_one_reason_on_the_whole_page() -> None:
    def table(*reasons: str) -> Table:
        cells = tuple(Value(0.5, reason=reason) for reason in reasons)
        return Table("t", (Column("x"), *(Column("y") for _ in cells)), (RowGroup((Row("r", cells),)),))

    tables = (table("few", "none"), table("none"), table("other", "few"))
    page = Page("t", ("lead",), sections=tuple(Section(f"s{k}", "s", (one,)) for k, one in enumerate(tables)))
    assert page.marks == {"few": "†1", "none": "†2", "other": "†3"}
    lists = re.findall(r'<ul class="footnotes">(.*?)</ul>', render_page(page), re.DOTALL)
    legends = [" ".join(re.sub(r"<[^>]+>", "", one).split()) for one in lists]
    assert legends == ["†1 few †2 none", "†2 none", "†1 few †3 other"]
    assert Page("t", (), blocks=(table("few", "few"),)).marks == {"few": "†"}


def test_table_refuses_rows_of_another_width() -> None:
    with pytest.raises(ValueError, match="1 cells for 3 columns"):
        Table("t", (Column("x"), Column("y"), Column("z")), (RowGroup((Row("r", (1,)),)),))


def test_undefined_names_and_foreign_templates_are_errors() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("page.html.j2")
    with pytest.raises(jinja2.TemplateNotFound):
        render("../page.py")


@pytest.mark.parametrize(
    "svg",
    [
        "<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>",
        "<svg xmlns='http://www.w3.org/2000/svg'><a href='https://example.org'><path/></a></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><image href='https://example.org/x.png'/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><use href='data:image/svg+xml;base64,AA'/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><path style='fill:url(https://example.org)'/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><foreignObject/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><style>*{}</style></svg>",
        "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'/>",
        "<svg xmlns='http://www.w3.org/2000/svg'></svg><script>1</script>",
        "<p>",
    ],
)
def test_foreign_svg_is_refused(svg: str) -> None:
    with pytest.raises(ValueError, match="SVG"):
        picture(svg)


def test_figure_needs_exactly_one_picture() -> None:
    with pytest.raises(ValueError, match="either"):
        Figure(alt="a")
    with pytest.raises(ValueError, match="either"):
        Figure(alt="a", svg="<svg/>", png=b"x")


@pytest.mark.parametrize("bad", ["A", "a b", 'a"', "", "ü"])
def test_section_ids_are_plain(bad: str) -> None:
    with pytest.raises(ValueError, match="section id"):
        Section(bad, "t", ())
