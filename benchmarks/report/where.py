"""The section "Where the forgery is": stretches of time and regions of the picture, metric by metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.columns import BOOTSTRAP_DRAWS
from benchmarks.detector import ScoredSegment
from benchmarks.localize import segments_of
from benchmarks.metrics.spatial import TWIN_METRICS
from benchmarks.metrics.temporal import evaluate_temporal
from benchmarks.report.reading import NAME_LENGTH, Reading, value_of
from cmdfd.clip import Modality, Segment
from cmdfd.report.blocks import Block, Cell, Column, Paragraph, Row, RowGroup, Section, Table, Text
from cmdfd.report.text import clean, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from benchmarks.report.reading import SetKey
    from benchmarks.results import Estimate, Localization
    from cmdfd.report.blocks import Figure


@dataclass(frozen=True, slots=True)
class Named:
    """A metric as the report names it.

    Args:
        key: In the result.
        label: In print.
        meaning: A few words for who does not know it.
    """

    key: str
    label: str
    meaning: str


FRAMES = (
    Named("within_clip", "Frame AUC within clips", "can it tell when, inside a forged clip? chance .5"),
    Named(
        "pooled", "Frame AUC over all clips", "moments of all clips together; knowing which clips are fake helps too"
    ),
)
STRETCHES = (
    Named("score", "Challenge score", "1/8 of the sum of the four AP + 1/10 of the sum of the five AR; at best 1"),
    Named("ap@0.5", "AP @ IoU .5", "precision of the ranked stretches; one counts where it overlaps by half"),
    Named("ap@0.75", "AP @ IoU .75", "three quarters of overlap asked for"),
    Named("ap@0.9", "AP @ IoU .9", "nine tenths"),
    Named("ap@0.95", "AP @ IoU .95", "nearly exact ends"),
    Named("ar@50", "AR @ 50", "share of the forged stretches found among the 50 surest of a clip"),
    Named("ar@30", "AR @ 30", "among 30"),
    Named("ar@20", "AR @ 20", "among 20"),
    Named("ar@10", "AR @ 10", "among 10"),
    Named("ar@5", "AR @ 5", "among 5"),
    Named("ar@an=10", "AR @ AN 10", "with 10 stretches a clip on average, shared out in proportion"),
)
PIXELS = (
    Named("pixel_auc", "Pixel AUC within clips", "can it tell which pixels, inside a forged clip? chance .5"),
    Named("pixel_auc_twin", "Control: the real twin", "pixel AUC of the unforged clip's map under the fake's mask"),
    Named(
        "pixel_auc_gain", "Gain over the control", "pixel AUC minus the twin's, on the fakes that have one; chance 0"
    ),
    Named("patch_auc", "Patch AUC within clips", "the same for squares of 16 pixels"),
    Named("pixel_auc_pooled", "Pixel AUC over all clips", "pixels of all clips together"),
    Named("pixel_f1@0.5", "Pixel F1", "overlap of called and forged pixels, called from .5 on; frames with forgery"),
    Named("pixel_iou@0.5", "Pixel IoU", "the same as overlap over union"),
    Named(
        "pixel_best_f1",
        "Pixel F1, best threshold",
        "of all pixels of a clip, its unforged frames too, so it may lie below the F1 of forged frames above",
    ),
    Named("false_positive_area", "False alarm area", "share of unforged clips' pixels called forged; lower is better"),
)

_TIME_NOTE = (
    "Overlap (IoU) counts from the threshold on (>=); the surest stretch chooses first, and AP counts each true one "
    "once; precision is interpolated at all points; AR is the mean over IoU .5 to .95 in steps of .05. Unforged clips "
    "count: their stretches are false alarms. A clip that failed has no stretches. A moment is forged where the centre "
    "of its unit lies in a forged stretch, start included, end not."
)
_WHOLE_NOTE = (
    " “Whole clip as one stretch” calls every clip forged from its beginning to its end, as surely as the clip's score "
    "says: it looks for nothing, and what lies no higher than it has not found when."
)
_PIXEL_NOTE = (
    "A pixel is forged where its mask is above 10 of 255 and called forged from 128 of 255 on. F1 and IoU are taken in "
    "each frame that has forged pixels, then averaged over frames and over clips; frames without have neither and are "
    "judged by the false alarm area. The F1 at the best threshold counts the pixels of all frames of a clip together; "
    "that threshold is chosen on these very clips, so no other does better by this way of counting. Ties count half. A "
    "clip without maps counts as the worst maps there are; a fake whose mask is unknown is left out."
)
_TWIN_NOTE = (
    " The control is what the map of the unforged twin scores under the same mask: what is left is what tells forged "
    "from genuine."
)
#: What is missing, in words, by its name in `Localization.absent`.
_NOT_JUDGED = {
    "frame_auc": "is not judged on moments",
    "temporal": "is not judged on stretches",
    "pixel": "is not judged on pixels",
    "pixel_twin": "has no control by real twins, so its pixel AUC may be owed to finding faces alone",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A detector on a set, with what is known of where it looks."""

    detector: str
    key: SetKey
    found: Localization


def judged(reading: Reading) -> list[Judged]:
    """Detectors and sets that have anything to show, floors last."""
    rows = []
    for detector in (*reading.mains, *reading.floors):
        for key in reading.sets:
            task = reading.task(detector, key)
            found = task.localization if task is not None else None
            if found is not None and (found.frame_auc or found.temporal or found.pixel):
                rows.append(Judged(detector, key, found))
    return rows


#: Rows of the trivial baseline: the challenge score and AP @ IoU .5 of one stretch over each whole clip.
_WHOLE = ("score", "ap@0.5")
WholeClip = dict[tuple[str, "SetKey"], dict[str, "Estimate"]]


def whole_clips(reading: Reading, predictions: pd.DataFrame, seed: int) -> WholeClip:
    """What comes of calling every clip forged from its beginning to its end, as surely as its score says.

    Where fakes are forged throughout, that alone is rewarded; it is what a detector's stretches have to beat.

    Args:
        reading: The result.
        predictions: The table of the run.
        seed: Of the draws, as in the result.

    Returns:
        (detector, set) -> "score" and "ap@0.5", for all that is judged on stretches.
    """
    found: WholeClip = {}
    for row in judged(reading):
        rows = predictions[
            (predictions["detector"] == row.detector)
            & (predictions["dataset"] == row.key.dataset)
            & (predictions["split"] == row.key.split)
            & (predictions["condition"] == "untrimmed")
        ]
        if row.found.temporal and len(rows) and "duration" in rows and rows["duration"].gt(0).all():
            values = evaluate_temporal(
                [segments_of(spans) for spans in rows["true_segments"]],
                [_whole(*pair) for pair in zip(rows["score"], rows["duration"], strict=True)],
                rows["component"].to_numpy(dtype=str),
                n_draws=BOOTSTRAP_DRAWS,
                seed=seed,
            )
            found[row.detector, row.key] = {name: values[name] for name in _WHOLE}
    return found


def _whole(score: float, duration: float) -> tuple[ScoredSegment, ...] | None:
    if not math.isfinite(score):
        return None
    return (ScoredSegment(Segment(0.0, float(duration), Modality.BOTH), float(score)),)


def where_section(
    reading: Reading, pictures: Sequence[Figure], whole: Mapping[tuple[str, SetKey], Mapping[str, Estimate]]
) -> list[Section]:
    """The section, or nothing where no set has stretches or masks, or no detector tells where it looks.

    Args:
        reading: The result.
        pictures: Masks over frames.
        whole: The trivial baseline, see `whole_clips`.
    """
    rows = judged(reading)
    if not rows:
        return []
    blocks: list[Block] = [Paragraph((_words(rows),))]
    times = [row for row in rows if row.found.frame_auc or row.found.temporal]
    if times:
        blocks.append(_time_table(times, reading, whole))
    maps = [row for row in rows if row.found.pixel]
    if maps:
        caption = "Which pixels are forged: each value with its 95 % interval over components."
        groups = [_group("", PIXELS, [row.found.pixel for row in maps])]
        controlled = any("pixel_auc_twin" in (row.found.pixel or {}) for row in maps)
        note = _PIXEL_NOTE + (_TWIN_NOTE if controlled else "")
        blocks.append(_table(caption, "Pixels", maps, groups, note, reading))
    blocks += _missing(reading)
    if pictures:
        words = (
            "A few clips with their maps, each with the median score of its kind. The blue line goes round what is "
            "forged in truth; red is what the detector marks, the stronger the surer."
        )
        blocks += [Paragraph((words,)), *pictures]
    return [Section("where", "Where the forgery is", tuple(blocks))]


def _words(rows: Sequence[Judged]) -> str:
    """What there is to find."""
    sentences = ["Finding out where a clip is forged is harder than finding out whether."]
    for key in dict.fromkeys(row.key for row in rows):
        found = next(row.found for row in rows if row.key == key)
        there = f"On {key.label}, {plural(found.n_forged, 'clip has', 'clips have')} forged stretches"
        if found.n_partial:
            there += f", and {found.n_partial} of them {'is' if found.n_partial == 1 else 'are'} unforged elsewhere"
        else:
            there += ", all from beginning to end, so that finding when asks no more than finding whether"
        masked = max(row.found.n_masked for row in rows if row.key == key)
        sentences.append(there + (f"; {plural(masked, 'clip has a mask', 'clips have masks')}." if masked else "."))
    made = sorted({clean(row.detector) for row in rows if row.found.proposal_rule and row.found.temporal})
    if made:
        sentences.append(
            f"{', '.join(made)} names no stretches by itself: they are made of its scores over time, by one rule for "
            "all such detectors."
        )
    return " ".join(sentences)


def _missing(reading: Reading) -> list[Block]:
    """What a detector that is no floor does not tell, in one line each."""
    lines: dict[str, list[str]] = {}
    for row in judged(reading):
        if row.detector in reading.mains:
            for name, why in row.found.absent.items():
                words = _NOT_JUDGED.get(name, f"is not judged on {name}")
                lines.setdefault(f"{shorten(row.detector, NAME_LENGTH)} {words}: {clean(why)}", []).append(
                    row.key.label
                )
    return [Paragraph((f"{words} ({', '.join(keys)}).",), "muted") for words, keys in lines.items()]


def _time_table(
    rows: Sequence[Judged], reading: Reading, whole: Mapping[tuple[str, SetKey], Mapping[str, Estimate]]
) -> Table:
    caption = "When the forgery happens: each value with its 95 % interval over components."
    groups = []
    if any(row.found.frame_auc for row in rows):
        groups.append(_group("Scores over time", FRAMES, [row.found.frame_auc for row in rows]))
    if any(row.found.temporal for row in rows):
        stretches = _group("Stretches", STRETCHES, [row.found.temporal for row in rows])
        groups.append(_beside(stretches, [whole.get((row.detector, row.key)) for row in rows]))
    return _table(caption, "Time", rows, groups, _TIME_NOTE + (_WHOLE_NOTE if whole else ""), reading)


def _beside(group: RowGroup, whole: Sequence[Mapping[str, Estimate] | None]) -> RowGroup:
    """The rows with the trivial baseline beneath those that have one."""
    if not any(whole):
        return group
    names = {named.label: named.key for named in STRETCHES}
    rows = []
    for row in group.rows:
        rows.append(row)
        key = names[row.header]
        if key in _WHOLE:
            cells = tuple(Text("–", tone="muted") if one is None else value_of(one[key], tone="muted") for one in whole)
            rows.append(Row("whole clip as one stretch", cells, "floor", "as sure as the clip's score"))
    return RowGroup(tuple(rows), group.header)


def _table(
    caption: str, head: str, rows: Sequence[Judged], groups: Sequence[RowGroup], note: str, reading: Reading
) -> Table:
    columns = [
        Column(shorten(row.detector, 40), row.key.label + (" (floor)" if row.detector in reading.floors else ""))
        for row in rows
    ]
    return Table(caption, (Column(head), *columns), tuple(groups), note)


def _group(header: str, names: Sequence[Named], found: Sequence[Mapping[str, Estimate] | None]) -> RowGroup:
    rows = []
    for named in names:
        if any(named.key in (values or {}) for values in found):
            cells = [_cell(named.key, values) for values in found]
            rows.append(Row(named.label, tuple(cells), "", named.meaning))
    return RowGroup(tuple(rows), header)


def _cell(key: str, values: Mapping[str, Estimate] | None) -> Cell:
    if values is None or (key in TWIN_METRICS and key not in values):  # the reason stands in a line of its own
        return Text("–", tone="muted")
    return value_of(values.get(key), signed=key == "pixel_auc_gain")
