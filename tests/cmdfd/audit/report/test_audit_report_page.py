from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from audit_reports import (
    BARE,
    CUES,
    HOSTILE,
    clean_set,
    comparisons,
    few_components,
    finding,
    hostile,
    long_list,
    nothing,
    planted,
    table,
    wide,
)
from page_checks import PageReader, read

from cmdfd.audit.finding import Rule
from cmdfd.audit.report import render_html
from cmdfd.audit.report.distributions import MOST_ROWS, classes_of, distribution


def page(report: Any, data: pd.DataFrame | None = None) -> PageReader:
    return read(render_html(report, table() if data is None else data, cues=CUES))


def svg_words(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


@pytest.fixture(scope="module")
def planted_page() -> PageReader:
    return page(planted())


def test_the_page_leads_with_the_verdict(planted_page: PageReader) -> None:
    text = planted_page.text
    assert text.index("Failed (critical).") < text.index("All 80 reals lack sound.") < text.index("told apart here")
    assert "Shortcuts in planted" in text and "80 reals and 60 fakes in 20 components" in text


def test_sections_stand_in_order_of_weight(planted_page: PageReader) -> None:
    titles = [
        "Plain defects",
        "What tells real from fake",
        "What may be a genuine trace",
        "Which cue tells which fakes",
        "The metadata-only floor",
        "One cue or several",
        "Do the splits look alike?",
        "Where it comes from",
        "Does the audit work here?",
        "What was measured",
        "What was compared",
        "How it was done",
        "What to do next",
    ]
    ids = [attrs["id"] for attrs in planted_page.all("section")]
    assert len(ids) == len(titles)
    words = "".join(planted_page.words)
    places = [words.rindex(title) for title in titles]
    assert places == sorted(places)


def test_the_page_tells_every_number(planted_page: PageReader) -> None:
    text = planted_page.text.replace("\xa0", " ")
    for words in (
        "A threshold of 31 ms on the leading silence tells 98 % of the fakes (2 % of the reals)",
        "AUC .985 [.945, 1.000]; finds 60 % of the fakes at 1 % false alarms",
        "AUC .965 [.925, .995]; finds 50 % of the fakes at 1 % false alarms; tells .40 bits",
        ".0004 (max-T); alone .0001, Holm .0007, false discovery rate .0002",
        "is 'mp42': 100 % of the fakes, 20 clips of 20 components, none of the other class (p .0004)",
        "rule of silence.lead_5e-4 (known from: source of silence.lead_5e-4)",
        "Repair silence.lead_5e-4",
        "reach AUC .994 [.988, .999] and find 97 % of the fakes",
        "a cue of its own: still tells",
        "cannot be said: no stratum holds both classes",
        "nothing shown beyond the other cue",
        "there is one platform only",
        "The generator writes it.",
        "AUC of .640 would be flagged eight times in ten",
        "none flagged a cue",
        "geometry.size",
        "face.count and history.gop_peak",
        "broken.mp4",
        "FAKE = fake",
        "2 clips without a label",
        "Westfall and Young",
        "python -m cmdfd.audit path/to/planted --seed 3",
        "rai:dataBiases",
        "all .740",
    ):
        assert words in text, words


def test_pictures_tell_in_words_what_they_show(planted_page: PageReader) -> None:
    alts = [attrs["aria-label"] for attrs in planted_page.all("div") if attrs.get("role") == "img"]
    # six flagged cues, three matrices
    assert len(alts) == 6 + 3
    assert any(alt.startswith("Histograms of the leading silence") for alt in alts)
    assert any("mp42 0 % of reals, 100 % of fakes" in alt for alt in alts)
    assert sum(alt.startswith("Matrix of grades") for alt in alts) == 3


def test_the_tables_of_clean_and_constant_cues_are_folded(planted_page: PageReader) -> None:
    assert len(planted_page.all("details")) >= 3
    assert "rule of level.dc" in planted_page.text


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (clean_set(), "Passed. None of 7 cues that vary was shown"),
        (few_components(), "Not testable. Nothing could be tested: 4 components are too few"),
        (nothing(), "Not testable. Nothing could be tested: there are no reals"),
        (long_list(), "Failed (critical). Real and fake can be told apart"),
    ],
    ids=["clean", "few", "nothing", "list"],
)
def test_other_outcomes_have_pages_too(report: Any, words: str) -> None:
    found = page(report, table().iloc[:0] if report.n_real == 0 else None)
    assert words in found.text
    assert "none flagged" in found.text or report.flagged


def test_hostile_names_stay_names() -> None:
    report, data = hostile()
    text = render_html(report, data, cues=CUES)
    found = read(text)
    assert "<script>alert(1)</script>" in found.text
    assert "<script" not in text and "\u202e" not in text and "\x1b" not in text and "\x00" not in text
    assert found.all("a") and all(one["href"].startswith("#") for one in found.all("a"))


def test_sixty_cues_and_ten_generators_make_a_page_that_can_be_opened() -> None:
    report, data = wide()
    start = time.process_time()
    text = render_html(report, data, cues=CUES)
    assert time.process_time() - start < 10
    assert len(text) < 3_000_000
    found = read(text)
    assert sum(one["aria-label"].startswith("Histograms") for one in found.all("div") if one.get("role") == "img") == 20
    assert "the column.c59" in found.text  # the rest stands in a table
    assert "36 weaker cues left out" in found.text


def test_both_parts_together_draw_twenty_cues() -> None:
    report, data = wide(30, 2)
    data = data.rename(columns={f"column.c{k}": f"column.d{k}" for k in range(15)})
    found = [finding(f"column.c{k}") for k in range(15, 30)]
    found += [finding(f"column.d{k}", cue_kind="debatable") for k in range(15)]
    shown = page(replace(report, findings=tuple(found)), data)
    pictures = [one for one in shown.all("div") if one.get("role") == "img"]
    assert sum(one["aria-label"].startswith("Histograms") for one in pictures) == 20
    assert "the column.d14" in shown.text


def test_a_page_without_the_table_of_cues_still_tells_all() -> None:
    found = page(planted(), pd.DataFrame({"id": [], "label": []}))
    assert "A threshold of 31 ms" in found.text
    assert not any(one["aria-label"].startswith("Hist") for one in found.all("div") if one.get("role") == "img")


def test_fakes_of_one_generator_stand_against_all_reals_a_split_against_its_own() -> None:
    report, data = planted(), table()
    wav = classes_of(report, data, "time.fps", "generator: wav2lip")
    assert wav is not None and wav.sizes == (80, 20)
    assert set(data.loc[wav.fake.index, "generator"]) == {"wav2lip"}
    test = classes_of(report, data, "time.fps", "split: test")
    inside = data[data["split"] == "test"]
    assert test is not None and test.sizes == ((inside["label"] == 0).sum(), (inside["label"] == 1).sum())
    assert classes_of(report, data, "time.fps", "all").sizes == (80, 60)  # type: ignore[union-attr]
    assert classes_of(report, data, "nope.nope", "all") is None
    assert classes_of(report, data, "time.fps", "generator: unheard") is None
    unnamed = replace(report, comparisons=comparisons({"generator": ("",)}))
    data.loc[data["label"] == 1, "generator"] = None
    found = classes_of(unnamed, data, "time.fps", unnamed.comparisons[1].name)
    assert found is not None and found.sizes == (80, 60)


def picture(name: str, data: pd.DataFrame, **changes: Any) -> str:
    found = distribution(planted(), data, finding(name, **changes))
    assert found is not None
    return found.svg + found.caption + found.alt


def test_few_numbers_are_bars_in_their_order_with_the_named_one_bold() -> None:
    svg = picture("time.fps", table(), view="is '30'", rule=Rule("is '30'", None, True, 0.3, 0.0))
    words = svg_words(svg)
    assert words.index("25 per second") < words.index("30 per second")
    assert "33 %" in words and "67 %" in words and "100 %" in words and "In bold" in svg
    # two rates that differ in their fourth decimal are two bars
    data = table()
    data["time.fps"] = np.where(data["label"] == 1, 29.97003, 29.97)
    words = svg_words(picture("time.fps", data))
    assert "29.97 1/s" in words and "29.97003 1/s" in words


def test_few_clips_with_a_value_each_are_a_histogram() -> None:
    data = table(n_components=5)
    data = pd.concat([data[data["label"] == one].head(6) for one in (0, 1)])
    data["silence.lead_5e-4"] = np.arange(12) / 997
    assert "Histograms of the leading silence" in picture("silence.lead_5e-4", data)
    data["silence.lead_5e-4"] = [0, 0.0232199546485] * 6
    assert "23.2 ms" in svg_words(picture("silence.lead_5e-4", data))


def test_categories_show_missing_ones_and_lump_the_rest() -> None:
    words = svg_words(picture("container.brands", table(), view="is 'mp42'"))
    assert {"mp42", "isom", "(not measurable)"} <= set(words)
    data = table()
    data["container.brands"] = [f"brand {k % 40}" for k in range(len(data))]
    words = svg_words(picture("container.brands", data))
    assert f"{40 - MOST_ROWS} others" in words


def test_words_are_counted_once_a_clip_and_the_telling_ones_come_first() -> None:
    data = table()
    data["meta.path"] = np.where(data["label"] == 1, "a fake fake fake", "a take")
    svg = picture("meta.path", data, view="contains 'fake'", rule=Rule("contains 'fake'", None, True, 1.0, 0.0))
    words = svg_words(svg)
    assert words.index("fake") < words.index("a") and "3 words" in svg
    assert words.count("100 %") >= 4  # fake, take, and a in both classes; never 300 %


def test_missing_values_are_bars_where_they_are_the_cue() -> None:
    words = svg_words(picture("level.lufs", table(), view="is not measurable"))
    assert "(measurable)" in words and "(not measurable)" in words
    assert "Not measurable in" in picture("level.lufs", table())


def test_a_distance_has_two_lines_round_the_median() -> None:
    data = table()
    svg = picture(
        "level.dc", data, view="distance from the median", rule=Rule("x", 1e-4, True, 0.4, 0.2), unit="", severity="low"
    )
    assert svg.count("stroke-dasharray: 5.6,2.8") + svg.count("stroke-dasharray: 5.6 2.8") == 4
    assert "median ± 0.0001" in svg


@pytest.mark.parametrize("values", [[np.nan], [None], [np.inf], [1e308, -1e308, 0.0]])
def test_odd_columns_do_not_stop_a_page(values: list[Any]) -> None:
    data = table()
    data["level.lufs"] = [values[k % len(values)] for k in range(len(data))]
    report = replace(planted(**BARE), findings=(finding("level.lufs"),))
    assert "Loudness" in page(report, data).text


def test_text_in_a_column_of_numbers_is_shown_as_categories() -> None:
    data = table()
    data["level.lufs"] = [f"v{k % 3}" for k in range(len(data))]
    assert "v2" in svg_words(picture("level.lufs", data))


def test_settings_and_names_are_no_trap() -> None:
    report = replace(planted(), settings={HOSTILE: [HOSTILE, 1], "seed": 0}, notes=(HOSTILE,) * 3)
    assert page(report)
