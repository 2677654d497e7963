"""The sections "Where the forgery is" and "Platform by platform" of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from page_checks import read
from synthetic_run import Synthetic, make_item, make_items

from benchmarks.metrics.spatial import PIXEL_METRICS, TWIN_METRICS
from benchmarks.metrics.temporal_bootstrap import KEYS
from benchmarks.report.marks import MOST_MARKED, MarkedItem, mark_figures
from benchmarks.report.reading import Reading, SetKey
from benchmarks.report.report import write_report
from benchmarks.report.tables import main_table
from benchmarks.report.terminal import closing_table
from benchmarks.report.where import PIXELS, STRETCHES, whole_clips
from benchmarks.results import Estimate, Localization, RunResult, TaskResult, VersionResult
from cmdfd.report.text import number

HOSTILE = "x\"'><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e"


def estimates(names: tuple[str, ...], start: float) -> dict[str, Estimate]:
    return {name: Estimate(value=start + 0.007 * k, low=start - 0.05, high=start + 0.2) for k, name in enumerate(names)}


def localization(start: float = 0.5, rule: str = "") -> Localization:
    return Localization(
        frame_auc=estimates(("pooled", "within_clip"), start + 0.1),
        temporal=estimates(KEYS, start),
        pixel=estimates((*PIXEL_METRICS, *TWIN_METRICS), start + 0.2),
        proposal_rule=rule,
        n_forged=40,
        n_partial=30,
        n_masked=20,
    )


def version(name: str, auc: float, gap: Estimate | None, found: Localization | None) -> VersionResult:
    metrics = {"auc": Estimate(value=auc, low=auc - 0.04, high=auc + 0.03), "eer": Estimate(value=0.2)}
    return VersionResult(
        name=name, n_real=40, n_fake=80, n_failed=1, n_components=20, metrics=metrics, localization=found, gap=gap
    )


def located(result: RunResult, name: str = "whatsapp", rule: str = "") -> RunResult:
    """The first task of the detector gets everything; the floors get platforms without localization."""

    def changed(task: TaskResult) -> TaskResult:
        if task.condition != "untrimmed" or task.dataset != "mini-a":
            return task
        main = task.detector == "mds:mini"
        found = localization(rule=rule) if main else None
        gap = Estimate(value=-0.123, low=-0.2, high=-0.05) if main else None
        return task.model_copy(
            update={
                "localization": found or Localization(absent={"pixel": "the detector gives no maps"}),
                "platforms": [version("", 0.91, None, found), version(name, 0.787, gap, found)],
                "scenes": [version("grid", 0.81, None, found), version("news", 0.9, None, found)],
            }
        )

    return result.model_copy(update={"tasks": [changed(task) for task in result.tasks]})


def page_of(result: RunResult, run: Synthetic, folder: Path, marks: tuple[MarkedItem, ...] = ()) -> str:
    write_report(result, run.predictions, make_items(1), folder / "report.html", marks)
    return (folder / "report.html").read_text(encoding="utf-8")


def mark(**changes: object) -> MarkedItem:
    truth = np.zeros((2, 40, 60), bool)
    truth[:, 10:20, 10:30] = True
    fields = {
        "title": "mini-a: splice/face", "kind": "splice/face", "detector": "mds:mini", "score": 0.7,
        "frames": np.full((2, 40, 60, 3), 90, np.uint8), "times": np.array([0.2, 0.4]),
        "heat": truth.astype(np.uint8) * 200, "truth": truth,
    }  # fmt: skip
    return MarkedItem(**{**fields, **changes})


def test_nothing_appears_without_stretches_masks_or_platforms(synthetic: Synthetic, tmp_path: Path) -> None:
    page = page_of(synthetic.result, synthetic, tmp_path)
    assert 'id="where"' not in page and 'id="platforms"' not in page
    assert "where, mds:mini" not in closing_table(synthetic.result)


def test_every_number_and_its_meaning_is_printed(synthetic: Synthetic, tmp_path: Path) -> None:
    assert {named.key for named in STRETCHES} == set(KEYS)
    assert {named.key for named in PIXELS} == {*PIXEL_METRICS, *TWIN_METRICS}
    result = located(synthetic.result)
    reader = read(page_of(result, synthetic, tmp_path, (mark(),)))
    text = reader.text.partition("Where the forgery is Finding out")[2]
    found = localization()
    for part in (found.frame_auc, found.temporal, found.pixel):
        for estimate in (part or {}).values():
            assert number(estimate.value) in text
    for named in (*STRETCHES, *PIXELS):
        assert named.label in text and named.meaning in text
    assert "40 clips have forged stretches, and 30 of them are unforged elsewhere; 20 clips have masks" in text
    assert "names no stretches by itself" not in text
    assert "In these frames 100 % of the forged pixels are called forged, and 0 % of the others." in text
    line = next(one for one in closing_table(result).splitlines() if one.startswith("where, mds:mini on mini-a/test"))
    assert number((found.frame_auc or {})["within_clip"].value) in line


def test_a_pixel_auc_without_its_control_says_so(synthetic: Synthetic, tmp_path: Path) -> None:
    reason = "no unchanged real clip of its take was judged"

    def bare(task: TaskResult) -> TaskResult:
        if task.localization is None or task.localization.pixel is None:
            return task
        pixel = {name: value for name, value in task.localization.pixel.items() if name not in TWIN_METRICS}
        found = task.localization.model_copy(update={"pixel": pixel, "absent": {"pixel_twin": reason}})
        return task.model_copy(update={"localization": found})

    result = located(synthetic.result)
    text = read(page_of(result, synthetic, tmp_path)).text
    assert "under the same mask: what is left is what tells forged from genuine." in text
    assert f"+{number(estimates(('gain',), 0.756)['gain'].value)}" in text  # the gain is signed
    result = result.model_copy(update={"tasks": [bare(task) for task in result.tasks]})
    text = read(page_of(result, synthetic, tmp_path)).text
    assert (
        f"mds:mini has no control by real twins, so its pixel AUC may be owed to finding faces alone: {reason}" in text
    )
    assert "what is left is what tells" not in text and "not computed" not in text.partition("Where the forgery")[2]


def test_platforms_say_what_each_costs(synthetic: Synthetic, tmp_path: Path) -> None:
    text = read(page_of(located(synthetic.result, rule="made"), synthetic, tmp_path)).text
    part = text.partition("Platforms of mini-a/test")[2].partition("Curves and scores")[0]
    assert "AUC is clearly lower than on the originals after whatsapp" in part
    assert "−.123 [−.200, −.050]" in part and part.index("original") < part.index("whatsapp")
    assert "Scenes of mini-a/test" in part and "1 failed" in part and "40 + 80" in part
    assert "floor:container" in part and "floor:rate" not in part  # the floor that could give a version away
    assert "mds:mini names no stretches by itself" in text
    assert "originals and their versions of 1 platform together" in text


def test_shared_numbers_are_over_shared_platforms(synthetic: Synthetic) -> None:
    rows = [version("", 0.9, None, None), version("chat <app>", 0.7, None, None)]

    def told(*sets: str) -> tuple[Reading, list[str]]:
        tasks = [
            task.model_copy(update={"platforms": rows if task.dataset in sets else []})
            for task in synthetic.result.tasks
        ]
        found = Reading(synthetic.result.model_copy(update={"tasks": tasks}))
        return found, [group.detail for group in main_table(found, {}).groups]

    key = SetKey("mini-b", "test")
    one, words = told("mini-b")
    assert one.shared_platforms() == [""] and one.shows_shared(key)
    assert words[-1].endswith("only the 4 kinds that all sets share, on the platforms that all share: originals")
    assert words[-2].endswith("originals and their versions of 1 platform together")
    both, words = told("mini-a", "mini-b")
    assert both.shared_platforms() == ["", "chat <app>"] and not both.shows_shared(key)
    assert not any("platforms that all share" in text for text in words)
    assert all(text.endswith("originals and their versions of 1 platform together") for text in words)


def test_hostile_names_of_platforms_and_clips_stay_text(synthetic: Synthetic, tmp_path: Path) -> None:
    item = mark(title=HOSTILE, kind=HOSTILE, detector=HOSTILE)
    page = page_of(located(synthetic.result, HOSTILE), synthetic, tmp_path, (item,))
    read(page)
    assert "<script" not in page and "<img" not in page and "\x1b" not in page and "\u202e" not in page
    assert page.count("alert(1)") > 5


def test_pictures_say_what_is_true_of_them() -> None:
    empty = np.zeros((2, 40, 60), bool)
    called = np.full((2, 4, 6), 255, np.uint8)
    captions = [
        figure.caption
        for figure in mark_figures(
            [
                mark(truth=empty, heat=0 * called),
                mark(truth=empty, heat=called),
                mark(truth=None, heat=called),
                mark(score=None),
            ]
        )
    ]
    assert "in these frames 0 % of the picture is called forged" in captions[0]
    assert "100 % of the picture" in captions[1]
    assert captions[2].startswith("Which pixels are forged is not known here; 100 % of them are called so.")
    assert "Score" not in captions[3]
    assert len(mark_figures([mark()] * (MOST_MARKED + 3))) == MOST_MARKED


@pytest.mark.parametrize("count", [1, 4])
def test_proposals_stand_on_lines_of_their_own(count: int, synthetic: Synthetic, tmp_path: Path) -> None:
    proposals = [
        {"start": 0.1 * k, "end": 2.9, "modality": "video", "confidence": 0.875 - 0.125 * k} for k in range(count)
    ]
    item = make_item(predicted_segments=[], proposals=proposals)
    write_report(synthetic.result, synthetic.predictions, [item], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = page.partition('<section id="clips"')[2].partition("</section>")[0]
    assert "surest first" in section and "Surest proposal: 0.0 to 2.9 s." in section
    assert all(f">{number(one['confidence'])}<" in section for one in proposals)


def test_one_stretch_over_each_whole_clip_stands_beside_the_stretches(synthetic: Synthetic, tmp_path: Path) -> None:
    """Fakes are forged throughout here: with perfect scores that alone gives the best score there is."""
    result = located(synthetic.result)
    table = synthetic.predictions
    perfect = table.assign(score=table["label"].astype(float), error=None)
    key = ("mds:mini", SetKey("mini-a", "test"))
    found = whole_clips(Reading(result), perfect, 0)
    assert list(found) == [key]
    assert {name: one.value for name, one in found[key].items()} == pytest.approx({"score": 1.0, "ap@0.5": 1.0})

    turned = whole_clips(Reading(result), perfect.assign(score=1 - perfect["score"]), 0)[key]
    rows = perfect[(perfect["detector"] == "mds:mini") & (perfect["dataset"] == "mini-a")]
    rows = rows[rows["condition"] == "untrimmed"]
    n_real, n_fake = (int((rows["label"] == label).sum()) for label in (0, 1))
    # all reals stand before the fakes, so precision is highest where the last fake is reached
    assert turned["ap@0.5"].value == pytest.approx(n_fake / (n_real + n_fake))

    write_report(result, table, [], tmp_path / "report.html")
    text = read((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert text.count("whole clip as one stretch") == 2
    value = whole_clips(Reading(result), table, 0)[key]["score"].value
    assert number(value) in text.partition("whole clip as one stretch")[2][:60]
    assert not whole_clips(Reading(result), table.drop(columns="duration"), 0)
