"""One clip on its time axis: inside the report of a run, and alone for `--predict FILE`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmdfd.report.plots.timeline import Span, Thumbnail, Timeline, timeline_plot, timeline_png
from cmdfd.report.text import clean, listing, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_MODALITIES = {"audio": "sound", "video": "picture", "audiovisual": "sound and picture"}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TimelineItem:
    """What a timeline is drawn from.

    Args:
        title: Name of the clip for people.
        dataset: Set that it comes from, "" for a file from outside.
        kind: "real" or the fake kind; "" where nobody knows, and then the truth is not drawn.
        detector: Label.
        frames: A few frames, [h, w, 3] uint8 RGB.
        frame_times: Seconds of each of `frames`.
        envelope: [N] loudness envelope, >= 0, spread evenly over the clip; empty for no sound.
        times: [K] seconds of the scores over time; empty where the detector gives none.
        frame_scores: [K] the scores.
        threshold: Decision threshold of the clip's score, None where none is known.
        true_segments: Forged stretches as mappings with `start`, `end` and `modality`.
        predicted_segments: The same with `confidence`.
        duration: Seconds.
        score: Score of the clip, None where it could not be scored.
        error: Why there is no score.
        domain: Whether the clip is of a set that the detector was trained on; for files from outside "unknown".
        proposals: The same, surest first, made of the scores for a detector that names no stretches by itself.
        threshold_origin: What the threshold was chosen on, e.g. "mini-a/validation".
    """

    title: str
    dataset: str
    kind: str
    detector: str
    frames: Sequence[NDArray[np.uint8]]
    frame_times: Sequence[float]
    envelope: NDArray[np.floating[Any]]
    times: NDArray[np.float64]
    frame_scores: NDArray[np.float64]
    threshold: float | None
    true_segments: Sequence[Mapping[str, Any]]
    predicted_segments: Sequence[Mapping[str, Any]]
    duration: float
    score: float | None = None
    error: str | None = None
    domain: Literal["in", "cross", "unknown"] = "unknown"
    threshold_origin: str = ""
    proposals: Sequence[Mapping[str, Any]] = ()

    @property
    def clip_score(self) -> float | None:
        """The score where it is a finite number."""
        return self.score if self.score is not None and math.isfinite(self.score) else None

    @property
    def outside(self) -> bool:
        """Whether the clip is a file from outside every set that the detector knows."""
        return self.domain != "in" and not self.dataset

    @property
    def limit(self) -> float | None:
        """The threshold where it is a finite number."""
        return self.threshold if self.threshold is not None and math.isfinite(self.threshold) else None


def write_timeline(item: TimelineItem, path: Path) -> None:
    """Write the picture of one clip as PNG, with a sentence that says what it shows.

    Args:
        item: The clip.
        path: File to write; its folder is made, and the file appears whole or not at all.
    """
    content = timeline_png(timeline_of(item, words=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


def draw_timeline(item: TimelineItem) -> str:
    """The picture of one clip as SVG for a page; its sentence belongs into the caption."""
    return timeline_plot(timeline_of(item, words=False))


def timeline_of(item: TimelineItem, *, words: bool) -> Timeline:
    """Translate an item into what is drawn.

    Args:
        item: The clip.
        words: With headline and notes.
    """
    return Timeline(
        duration=max(item.duration, 1e-3),
        thumbnails=[Thumbnail(image, float(time)) for image, time in zip(item.frames, item.frame_times, strict=True)],
        waveform=item.envelope,
        times=item.times,
        scores=item.frame_scores,
        threshold=item.limit,
        truth=[_span(segment) for segment in item.true_segments] if item.kind else None,
        found=[_span(segment) for segment in item.predicted_segments],
        ranked=[
            Span(float(one["start"]), float(one["end"]), plain(float(one["confidence"]))) for one in item.proposals
        ],
        headline=verdict(item) if words else "",
        subtitle=_subtitle(item) if words else "",
        notes=caveats(item) if words else (),
    )


def _span(segment: Mapping[str, Any]) -> Span:
    words = _MODALITIES.get(str(segment.get("modality")), "")
    confidence = segment.get("confidence")
    if isinstance(confidence, int | float) and math.isfinite(confidence):
        words = f"{words} {plain(float(confidence))}".strip()
    return Span(float(segment["start"]), float(segment["end"]), words)


def plain(value: float) -> str:
    """A score: three decimals where it is small, four digits where it is large."""
    return number(value) if abs(value) < 100 else f"{value:.4g}"


def _subtitle(item: TimelineItem) -> str:
    length = f"{item.duration:.2f} s"
    truth = {"": "", "real": "; in truth real"}.get(item.kind, f"; in truth fake ({clean(item.kind)})")
    return f"{clean(item.title)}, {length}{truth}; detector {clean(item.detector)}"


def verdict(item: TimelineItem) -> str:
    """What the detector says of the clip, in one or two sentences that need no glossary."""
    if item.clip_score is None:
        why = f": {clean(item.error)}" if item.error else "."
        return f"{clean(item.detector)} could not score this clip{why}"
    score = plain(item.clip_score)
    if item.limit is None:
        return (
            f"{clean(item.detector)} gives this clip a score of {score} (higher = more fake). "
            "No threshold is known, so the number alone says neither fake nor real."
        )
    side, looks = ("above", "fake") if item.clip_score >= item.limit else ("below", "real")
    sentence = f"{clean(item.detector)} gives this clip {score}, {side} its threshold of {plain(item.limit)}"
    if item.outside:
        where = _where(item, looks)
        return f"{sentence}. That points to {looks}{where}, but clips like this one were not in its training."
    sentence += f": it looks {looks}"
    if item.dataset and item.kind:
        right = (item.kind != "real") == (looks == "fake")
        sentence += f", which is {'right' if right else 'wrong'}"
    return sentence + _where(item, looks) + "."


def _where(item: TimelineItem, looks: str) -> str:
    if looks != "fake" or not item.predicted_segments:
        return ""
    spans = sorted((float(s["start"]), float(s["end"])) for s in item.predicted_segments)
    if len(spans) == 1 and spans[0][0] <= 0.02 * item.duration and spans[0][1] >= 0.98 * item.duration:
        return ", from beginning to end"
    return ", most of all from " + listing([f"{start:.1f} to {end:.1f} s" for start, end in spans], 3)


def caveats(item: TimelineItem) -> list[str]:
    """What a person who never saw the tool should know before believing the picture."""
    found = ["Higher scores mean more fake."]
    if item.predicted_segments:
        found[0] += " Shaded: stretches that the detector calls forged."
    if item.proposals:
        found[0] += " Proposals: stretches made of the scores by one rule, since the detector names none; surest first."
    if item.limit is not None:
        origin = (
            f" on {clean(item.threshold_origin)}" if item.threshold_origin else " on validation clips of its own set"
        )
        found[0] += f" Dashed: the threshold of the whole clip's score, chosen{origin}."
    if item.outside:
        lost = "Its error rates do not" if item.limit is None else "Neither its threshold nor its error rates"
        found.append(
            f"This clip comes from outside the set that the detector was trained on. {lost} carry over: take the score "
            "as a hint that calls for a closer look, not as proof."
        )
    elif item.domain == "cross":
        found.append("This clip is of another set than the detector was trained on; its threshold may not carry over.")
    if item.kind == "":
        found.append("Whether the clip is forged is not known here, so no truth is drawn.")
    return found


def alt_text(item: TimelineItem) -> str:
    """What the picture shows, for readers who do not see it."""
    parts = [f"Timeline of {clean(item.title)}, {item.duration:.1f} seconds. {verdict(item)}"]
    if item.kind:
        spans = [f"{float(s['start']):.1f} to {float(s['end']):.1f} s" for s in item.true_segments]
        parts.append(f"Forged in truth: {listing(spans, 4) or 'nothing'}.")
    if item.proposals:
        first = item.proposals[0]
        parts.append(f"Surest proposal: {float(first['start']):.1f} to {float(first['end']):.1f} s.")
    finite = np.asarray(item.frame_scores, np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size:
        parts.append(f"Scores over time run from {plain(float(finite.min()))} to {plain(float(finite.max()))}.")
    return " ".join(parts)
