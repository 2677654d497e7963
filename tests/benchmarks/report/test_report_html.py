from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from page_checks import PageReader, read
from sklearn.metrics import roc_auc_score
from synthetic_run import Names, Synthetic, make_item, make_items, make_run

from benchmarks.command import command, flags, portable_config
from benchmarks.report import figures
from benchmarks.report.headline import headline
from benchmarks.report.paired import auc_gap, roc, roc_band, scores_of
from benchmarks.report.ran import next_commands
from benchmarks.report.reading import Reading, SetKey
from benchmarks.report.report import report_page, write_report
from benchmarks.report.tables import kinds_table
from benchmarks.report.terminal import closing_table
from benchmarks.results import Estimate, RunResult, failure_reasons
from benchmarks.run import keywords
from benchmarks.runner import RunConfig
from cmdfd.report.text import number, with_interval


@pytest.fixture(scope="module")
def page(synthetic: Synthetic, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("run") / "deep" / "report.html"
    write_report(synthetic.result, synthetic.predictions, make_items(3), path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(page: str) -> PageReader:
    return read(page)


def test_sections_stand_in_their_order(reader: PageReader) -> None:
    sections = " ".join(attrs["id"] for attrs in reader.all("section"))
    assert sections == "ran results silence cross kinds scores clips reading reproduce next"


def test_headline_names_both_sets_the_extremes_and_the_floor(synthetic: Synthetic, reader: PageReader) -> None:
    tasks = {(t.detector, t.dataset, t.condition): t for t in synthetic.result.tasks}
    inside, cross = tasks["mds:mini", "mini-a", "untrimmed"], tasks["mds:mini", "mini-b", "untrimmed"]
    lead = reader.text.split("AUC of mds:mini")[0]
    for task in (inside, cross, tasks["floor:container", "mini-a", "untrimmed"]):
        auc = task.pooled["auc"]
        assert with_interval(auc.value, auc.low, auc.high) in lead
    assert "separates fakes from real clips of unseen people of the set it was trained for (mini-a)" in lead
    assert "over 5 kinds of fakes together" in lead
    kinds = {row.kind: row.metrics["auc"].value for row in inside.kinds if row.variant is None}
    worst = min(kinds, key=kinds.__getitem__)
    assert {"audio/desync": "sound out of step", "video/face_swap": "swapped faces", "audio/revoice": "another voice"}[
        worst
    ] in lead.partition("worst at")[2]
    assert "only 8 components" in lead


def _main_rows(page: str) -> str:
    return page.split('<section id="results"')[1].split("</section>")[0]


def test_every_number_of_the_main_table_is_printed(synthetic: Synthetic, page: str) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", _main_rows(page)).split())
    for task in synthetic.result.tasks:
        if task.condition != "untrimmed":
            continue
        for estimate in task.pooled.values():
            assert number(estimate.value) in text
            assert f"[{number(estimate.low)}, {number(estimate.high)}]" in text


def test_floors_stand_directly_beneath_their_detector(page: str) -> None:
    table = _main_rows(page)
    names = re.findall(r'<tr(?: class="(\w+)")?>\s*<th scope="row"><bdi>([^<]+)</bdi>', table)
    expected = [("", "mds:mini"), ("floor", "floor:container"), ("floor", "random"), ("floor", "floor:rate")]
    assert names == expected * 3  # all kinds and shared kinds of the first set, all kinds of the second
    heads = re.findall(r'scope="rowgroup"[^>]*><span><bdi>([^<]+)</bdi>', table)
    assert heads == ["mini-a/test", "mini-a/test", "mini-b/test"]


def test_unreliable_numbers_are_marked_with_their_reason(page: str, reader: PageReader) -> None:
    table = _main_rows(page)
    first, second = table.split("mini-b/test")
    assert "†" not in first.split("</thead>")[1]
    assert second.count('<sup class="mark" title="only 8 components">†</sup>') == 4 * 5 + 1
    assert "† only 8 components" in reader.text


def test_margin_is_the_paired_difference(synthetic: Synthetic, page: str) -> None:
    table = synthetic.predictions
    key = SetKey("mini-a", "test")
    one, other = (scores_of(table, name, key, "untrimmed") for name in ("mds:mini", "floor:container"))
    gap = auc_gap(one, other, seed=0)
    expected = roc_auc_score(one.labels, np.clip(one.scores, -9, 9)) - roc_auc_score(other.labels, other.scores)
    assert gap.value == pytest.approx(expected)
    assert gap.low is not None and gap.low < expected < (gap.high or 0)
    assert number(gap.value, signed=True) in _main_rows(page)


def test_band_holds_the_curve_and_the_curve_has_the_right_area(synthetic: Synthetic) -> None:
    scores = scores_of(synthetic.predictions, "mds:mini", SetKey("mini-a", "test"), "untrimmed")
    curve, band = roc(scores), roc_band(scores, seed=0)
    area = float(np.sum(np.diff(curve.fpr) * (curve.tpr[1:] + curve.tpr[:-1]) / 2))
    assert area == pytest.approx(roc_auc_score(scores.labels, np.clip(scores.scores, -9, 9)))
    assert band.low is not None and band.high is not None
    assert (band.low <= band.tpr + 1e-9).mean() > 0.97 and (band.high >= band.tpr - 1e-9).mean() > 0.97
    inside = np.interp(curve.fpr, band.fpr, band.tpr)
    assert (inside[1:] <= curve.tpr[1:].max() + 1e-9).all()
    assert band.tpr[-1] == 1.0


def test_band_is_wider_with_fewer_components(synthetic: Synthetic) -> None:
    table = synthetic.predictions
    widths = []
    for dataset in ("mini-a", "mini-b"):
        band = roc_band(scores_of(table, "mds:mini", SetKey(dataset, "test"), "untrimmed"), seed=0)
        assert band.low is not None and band.high is not None
        widths.append(float((band.high - band.low).mean()))
    assert widths[1] > 0 and widths[0] > 0


def test_failures_and_refusals_are_counted_with_reasons(synthetic: Synthetic, reader: PageReader) -> None:
    failed = int(synthetic.predictions["error"].notna().sum())
    assert failed > 0
    assert "no_face: no face track was found" in reader.text
    assert "too_short: 11 frames of 75" in reader.text
    cards = reader.text.split("Failed", 1)[1]
    assert cards.strip().startswith(str(sum(t.n_failed for t in synthetic.result.tasks if t.detector == "mds:mini")))


def test_grades_and_notes_and_commands_are_there(reader: PageReader) -> None:
    for expected in (
        "160 ms",
        "The interval.",
        "They say nothing about how well it does on recordings of real people",
        "The intervals do not contain it",
        "learned from",
        "python -m benchmarks.run --detector mds:mini --predict clip.mp4",
        "python -m benchmarks.score path/to/deep",
        "a" * 64,
        "c" * 64,
        "No clear gap between mini-a and mini-b",
        "threshold .410, chosen on mini-a/validation",
    ):
        assert expected in reader.text, expected


def test_every_picture_is_described(reader: PageReader) -> None:
    labels = [attrs["aria-label"] for attrs in reader.all("div") if attrs.get("role") == "img"]
    assert len(labels) == 2 + 2 + 2 + 3  # kinds, ROC and histogram of two sets, three clips
    assert all(len(label) > 40 for label in labels)


HOSTILE = "x\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;{{7*7}}$\\frac$\x1b[31m\u202e"


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    long = "w" * 400
    names = Names(
        main=HOSTILE + long,
        first_set=HOSTILE + "-a",
        second_set="</style></title>" + long,
        kind_prefix=HOSTILE,
        error=HOSTILE + ": " + long,
        path="/home/somebody/secret/" + HOSTILE,
        run_id=HOSTILE,
    )
    run = make_run(names, clips=60)
    item = make_item(HOSTILE, title=HOSTILE + long, dataset=HOSTILE, detector=HOSTILE, error=HOSTILE)
    write_report(run.result, run.predictions, [item], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    reader = read(page)
    assert "<script" not in page and "<img" not in page and "</style></title>" not in page
    assert "\x1b" not in page and "\u202e" not in page
    assert "somebody" not in page  # folders of whoever ran it are not passed on
    assert reader.text.count("alert(1)") > 20
    assert ">49<" not in page


def test_pages_are_the_same_bytes_for_the_same_run(synthetic: Synthetic, page: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.html"
    write_report(synthetic.result, synthetic.predictions, make_items(3), path)
    assert path.read_text(encoding="utf-8") == page
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def _empty(result: RunResult, **changes: object) -> RunResult:
    return result.model_copy(update={"tasks": [], "comparisons": [], "detectors": [], "datasets": [], **changes})


def test_runs_without_results_still_give_a_page(synthetic: Synthetic, tmp_path: Path) -> None:
    nothing = synthetic.predictions.iloc[:0]
    for result in (
        _empty(synthetic.result),
        _empty(synthetic.result, status="error", error="<b>out of memory</b>", seed_spread=None, command=[]),
    ):
        write_report(result, nothing, [], tmp_path / "report.html")
        text = read((tmp_path / "report.html").read_text(encoding="utf-8")).text
        assert "There are no results." in text
    assert "The run stopped with an error: <b>out of memory</b>" in text


def test_one_set_one_class_and_missing_numbers(synthetic: Synthetic, tmp_path: Path) -> None:
    table = synthetic.predictions
    table = table[(table["dataset"] == "mini-b") & (table["detector"] == "random") & (table["label"] == 1)]
    nothing = Estimate(value=None, unreliable="no real clips")
    task = next(t for t in synthetic.result.tasks if (t.detector, t.dataset) == ("random", "mini-b"))
    rows = [row.model_copy(update={"metrics": {"auc": nothing}}) for row in task.kinds]
    task = task.model_copy(
        update={"pooled": {"auc": nothing}, "kinds": rows, "shared_kinds": None, "threshold": None, "n_real": 0}
    )
    result = synthetic.result.model_copy(update={"tasks": [task], "comparisons": [], "seed_spread": None})
    write_report(result, table, [], tmp_path / "report.html")
    text = read((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "could not be judged" in text
    assert "† no real clips" in text
    assert "no threshold, since nothing was named to choose it on" in text
    assert "--fit-seeds 3" not in text  # floors are not trained


def test_chance_and_reversed_scores_are_called_so(synthetic: Synthetic) -> None:
    def lead(value: float, low: float, high: float) -> str:
        first = Estimate(value=value, low=low, high=high)
        tasks = [t.model_copy(update={"pooled": {**t.pooled, "auc": first}}) for t in synthetic.result.tasks]
        found = headline(Reading(synthetic.result.model_copy(update={"tasks": tasks})))
        return "".join(part if isinstance(part, str) else part.text for part in found)

    assert "cannot be told from chance" in lead(0.55, 0.45, 0.65)
    assert "the wrong way round" in lead(0.2, 0.1, 0.3)
    assert "separates fakes from real clips" in lead(0.8, 0.7, 0.9)


def test_reading_orders_sets_and_detectors(synthetic: Synthetic) -> None:
    result = synthetic.result
    turned = result.model_copy(update={"tasks": result.tasks[::-1], "detectors": result.detectors[::-1]})
    reading = Reading(turned)
    assert [key.label for key in reading.sets] == ["mini-a/test", "mini-b/test"]
    assert reading.mains == ["mds:mini"]
    assert reading.floors[0] == "floor:container"
    assert reading.shared() == ["audio/desync", "audio/revoice", "audio/swap", "video/mouth_warp"]
    assert reading.shows_shared(SetKey("mini-a", "test")) and not reading.shows_shared(SetKey("mini-b", "test"))


def test_timelines_beyond_the_limit_are_named(synthetic: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert figures.MOST_TIMELINES >= 8
    monkeypatch.setattr(figures, "MOST_TIMELINES", 1)
    one = make_item(frames=[], frame_times=[])
    page = report_page(_empty(synthetic.result), synthetic.predictions.iloc[:0], [one] * 3)
    section = next(section for section in page.sections if section.id == "clips")
    assert len(section.blocks) == 1 + 1
    assert "2 further clips left out" in str(section.blocks[0])


@pytest.mark.slow
def test_large_run_is_small_and_quick(tmp_path: Path) -> None:
    run = make_run(clips=400)
    items = make_items(12)
    started = time.process_time()
    write_report(run.result, run.predictions, items, tmp_path / "report.html")
    assert time.process_time() - started < 8
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


def test_scores_are_sorted_by_id_so_that_pairs_meet(synthetic: Synthetic) -> None:
    table = synthetic.predictions.sample(frac=1, random_state=1)
    key = SetKey("mini-a", "test")
    one, other = (scores_of(table, name, key, "untrimmed") for name in ("mds:mini", "random"))
    assert (one.ids == other.ids).all() and (one.labels == other.labels).all()
    shuffled = auc_gap(one, other, 0)
    plain = [scores_of(synthetic.predictions, name, key, "untrimmed") for name in ("mds:mini", "random")]
    assert shuffled == auc_gap(plain[0], plain[1], 0)
    nothing = auc_gap(one, replace(other, ids=np.array(["?"] * len(other.ids))), 0)
    assert nothing.value is None and nothing.unreliable


def test_predictions_frame_is_left_alone(synthetic: Synthetic, tmp_path: Path) -> None:
    before = synthetic.predictions.copy(deep=True)
    write_report(synthetic.result, synthetic.predictions, [], tmp_path / "r.html")
    pd.testing.assert_frame_equal(before, synthetic.predictions)


def _failing(synthetic: Synthetic, share: int) -> RunResult:
    """The first detector fails on all clips of the first set (share 1), or on a third of them."""
    reasons = {"no_face: no face track was found": 7, "too_short: 3 frames": 2}
    tasks = []
    for task in synthetic.result.tasks:
        if (task.detector, task.dataset) == ("mds:mini", "mini-a"):
            failed = (task.n_real + task.n_fake) // share
            nothing = Estimate(value=0.0, low=0.0, high=0.0)
            changes = {"n_failed": failed, "failures": reasons, "pooled": {**task.pooled, "auc": nothing}}
            tasks.append(task.model_copy(update=changes))
        else:
            tasks.append(task)
    return synthetic.result.model_copy(update={"tasks": tasks})


def test_a_detector_that_fails_everywhere_is_said_to_fail_and_why(synthetic: Synthetic, tmp_path: Path) -> None:
    result = _failing(synthetic, 1)
    write_report(result, synthetic.predictions, [], tmp_path / "report.html")
    text = read((tmp_path / "report.html").read_text(encoding="utf-8")).text
    lead = text.split("Clips judged")[0]
    words = "all 120 clips failed, most often (7) for the reason “no_face: no face track was found”"
    assert "could score nothing on the set it was trained for (mini-a): " + words in " ".join(lead.split())
    assert "wrong way round" not in text and "best at" not in lead
    terminal = " ".join(closing_table(result).split())
    assert f"mds:mini on mini-a/test: {words}; its numbers say nothing else" in terminal


def test_partial_failures_stand_with_their_commonest_reason(synthetic: Synthetic) -> None:
    result = _failing(synthetic, 3)
    words = "40 of 120 clips failed, most often (7) for the reason “no_face: no face track was found”"
    parts = headline(Reading(result))
    assert words in "".join(part if isinstance(part, str) else part.text for part in parts)
    assert f"mds:mini on mini-a/test: {words}; they count as the worst scores" in " ".join(
        closing_table(result).split()
    )


def test_reasons_are_counted_by_their_code() -> None:
    errors = ["no_face: a", "no_face: b", "too_short: x", "too_short: x", "too_short: y", "odd: one", "odd: two"]
    assert failure_reasons(errors) == {
        "too_short: x": 3,
        "no_face: no face track was found": 2,
        "odd: one": 1,
        "odd: two": 1,
    }
    assert failure_reasons([]) == {}


def test_commands_name_the_same_detector_and_folders_as_typed(synthetic: Synthetic) -> None:
    typed = "python -m benchmarks.run --detector mds --train-on ../a/small --select-on ../a/small --limit 3 --seed 2"
    commands = [one.command for one in next_commands(Reading(synthetic.result), "runs/x", typed.split())]
    same = "--train-on ../a/small --select-on ../a/small --limit 3 --seed 2"
    assert commands[0] == f"python -m benchmarks.run --detector mds:mini --predict clip.mp4 {same}"
    assert commands[1] == f"python -m benchmarks.run --detector mds:mini --report-on path/to/set {same}"


def test_results_hold_no_places_of_folders(tmp_path: Path) -> None:
    (tmp_path / "home" / "small").mkdir(parents=True)
    folder = str(tmp_path / "home" / "small")
    config = RunConfig("mds", train_on=(folder,), select_on=(f"{folder}:train",), options={"k": "3", "name": "x"})
    words = " ".join(command(config))
    assert "--train-on path/to/small --select-on path/to/small:train" in words
    assert str(tmp_path) not in words + str(portable_config(config))
    assert f"--train-on {folder} --select-on {folder}:train" in " ".join(command(config, typed=True))
    assert portable_config(config)["report_on"] == ["mini-a/test", "mini-b/test"]
    args = flags(command(config), ["--detector-args"])[1:]
    assert keywords(args) == config.options


def test_versions_of_platforms_are_told_from_originals(synthetic: Synthetic) -> None:
    plain = synthetic.predictions.assign(platform="", original="")
    sent = plain.assign(platform="tube", original=plain["id"], id=plain["id"] + "-tube")
    table = kinds_table(Reading(synthetic.result), SetKey("mini-a", "test"), pd.concat([plain, sent]))
    row = next(row for row in table.groups[0].rows if row.header == "audio/swap")
    fakes = plain[(plain["dataset"] == "mini-a") & (plain["kind"] == "audio/swap")]
    assert row.cells[0].detail == f"of {fakes['id'].nunique()} originals"
    assert row.cells[1] == fakes["component"].nunique()
    without = kinds_table(Reading(synthetic.result), SetKey("mini-a", "test"), synthetic.predictions)
    assert all(isinstance(row.cells[0], int) for row in without.groups[0].rows)
