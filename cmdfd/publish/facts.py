"""What a set says about itself: everything on the card that nobody has to write."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import REAL_KIND, SPLITS
from cmdfd.publish.disclosure import scrubbed
from cmdfd.publish.public_tables import public_build
from cmdfd.report.text import clean, listing, plural
from cmdfd.tables import PROVENANCE, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cmdfd.clip import Clip
    from cmdfd.dataset import BuildFile, Dataset
    from cmdfd.publish.scrub import Private

#: Steps of `operations` that only real clips have: "NAME (sham)", written by the build.
_SHAM = " (sham)"
#: A forged stretch that covers this much of a clip is called the whole clip.
_WHOLE = 0.95


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One split; None where labels are withheld.

    Args:
        name: "train", "validation" or "test".
        clips: In all.
        real: Unforged.
        fake: Forged.
        unknown: Without a label.
        components: Groups of clips that share a face, a voice or a recording.
        faces: People who are shown.
        voices: People who are heard.
        seconds: Length in all.
    """

    name: str
    clips: int
    real: int | None
    fake: int | None
    unknown: int | None
    components: int | None
    faces: int | None
    voices: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class KindFacts:
    """One kind of fake in the open splits.

    Args:
        kind: The recipe's name.
        generators: "NAME VERSION", each once.
        forged: What is forged, in words.
        stretches: How much of a clip, in words.
        variants: Grades inside the kind.
        clips: How many.
        splits: Splits that have some.
        licences: Of the generators' code, and terms on what they make.
        known_cues: Traces that the generator is known to leave.
    """

    kind: str
    generators: tuple[str, ...]
    forged: tuple[str, ...]
    stretches: str
    variants: tuple[str, ...]
    clips: int
    splits: tuple[str, ...]
    licences: tuple[str, ...]
    known_cues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShamFacts:
    """Real clips that passed a generator's steps without being forged.

    Args:
        generators: Generator -> real clips that passed its steps.
        others: Real clips that passed the common last stage alone.
        without: Generators of fakes that no real clip passed.
    """

    generators: dict[str, int]
    others: int
    without: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two splits share: numbers of faces, voices, recordings and whole transcripts."""

    first: str
    second: str
    faces: int
    voices: int
    recordings: int
    transcripts: int | None


@dataclass(frozen=True, slots=True)
class SetFacts:
    """A set in numbers.

    Args:
        splits: In the Hub's order.
        kinds: Of fakes, in the order of their names; open splits only.
        sham: None where the provenance does not say.
        marks: Watermark -> clips (real, fake) that carry it; open splits only.
        overlaps: Every two splits.
        sizes: (width, height) of pictures, the commonest first.
        fps: Frames per second, the commonest first.
        rates: Sample rates in Hz, the commonest first.
        seconds: Shortest and longest clip.
        platforms: Platform versions -> clips.
        originals: Clips that are no platform's version.
        scenes: Scene layouts -> clips.
        masks: Clips with a mask; open splits only.
        segments: Whether some clips are forged in part.
        build: `build.json` as it goes public: without recipe, hash, refusals and notes where labels are withheld.
        talkers: Whether every voice and face is drawn by the embedded talkers.
    """

    splits: tuple[SplitFacts, ...]
    kinds: tuple[KindFacts, ...]
    sham: ShamFacts | None
    marks: dict[str, tuple[int, int]]
    overlaps: tuple[Overlap, ...]
    sizes: tuple[tuple[int, int], ...]
    fps: tuple[float, ...]
    rates: tuple[int, ...]
    seconds: tuple[float, float]
    platforms: dict[str, int]
    originals: int
    scenes: dict[str, int]
    masks: int
    segments: bool
    build: BuildFile
    talkers: bool

    @property
    def clips(self) -> int:
        """Clips in all."""
        return sum(split.clips for split in self.splits)


def counted(facts: SetFacts, who: str = "") -> str:
    """How many clips there are; versions of one clip are not counted as if they were clips of their own.

    Args:
        facts: Of `set_facts`.
        who: Put behind the number, e.g. " of 9 people".
    """
    if not facts.platforms or not facts.originals:
        return f"{plural(facts.clips, 'clip')}{who}"
    names = listing([clean(name) for name in facts.platforms])
    clips = f"{plural(facts.originals, 'clip')}{who}"
    if all(count == facts.originals for count in facts.platforms.values()):
        return f"{clips}, {'each ' if facts.originals > 1 else ''}also sent through {names} (emulated)"
    versions = plural(sum(facts.platforms.values()), "version")
    return f"{clips}, and {versions} of them sent through {names} (emulated)"


def set_facts(dataset: Dataset, private: Private) -> SetFacts:
    """Count a set.

    Args:
        dataset: A built set, with its labels.
        private: What must not be read in names and texts.
    """
    hidden = frozenset(dataset.build.withheld)
    clips = dataset.rows
    shown = [clip for clip in clips if clip.split not in hidden]
    rows = _provenance(dataset)
    source = dataset.build.recipe.get("source")
    lengths = [clip.duration for clip in clips] or [0.0]
    found = SetFacts(
        splits=tuple(_split(name, dataset.clips(name), name in hidden) for name in dataset.splits),
        kinds=_kinds(shown, rows),
        sham=_sham(shown, rows),
        marks=_marks(shown, rows),
        overlaps=_overlaps(dataset, rows),
        sizes=_common((clip.width, clip.height) for clip in clips),
        fps=_common(clip.fps for clip in clips),
        rates=_common(clip.sample_rate for clip in clips),
        seconds=(min(lengths), max(lengths)),
        platforms=dict(sorted(Counter(clip.platform for clip in clips if clip.platform).items())),
        originals=sum(not clip.platform for clip in clips),
        scenes=dict(sorted(Counter(clip.scene for clip in clips if clip.scene).items())),
        masks=sum(clip.mask is not None for clip in shown),
        segments=any(_share(clip) < _WHOLE for clip in shown if clip.segments),
        build=public_build(dataset, private),
        talkers=isinstance(source, dict) and source.get("kind") == "talkers",
    )
    return scrubbed(found, private)


def _provenance(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Rows of the provenance by clip; empty where there is none."""
    path = dataset.folder / PROVENANCE
    return {str(row["id"]): row for row in read_table(path)} if path.is_file() else {}


def _common(values: Iterable[Any]) -> tuple[Any, ...]:
    counts = Counter(values)
    return tuple(sorted(counts, key=lambda value: (-counts[value], value)))


def _split(name: str, clips: Sequence[Clip], hidden: bool) -> SplitFacts:
    seconds = sum(clip.duration for clip in clips)
    if hidden:
        return SplitFacts(name, len(clips), None, None, None, None, None, None, seconds)
    labels = Counter(clip.labels.label for clip in clips)
    return SplitFacts(
        name=name,
        clips=len(clips),
        real=labels[0],
        fake=labels[1],
        unknown=labels[None],
        components=len({clip.component or clip.id for clip in clips}),
        faces=len({clip.face_id for clip in clips if clip.face_id}),
        voices=len({clip.voice_id for clip in clips if clip.voice_id}),
        seconds=seconds,
    )


def _share(clip: Clip) -> float:
    """How much of a clip its forged stretches cover, 0 to 1."""
    ends = sorted((one.start, one.end) for one in clip.segments)
    covered, reached = 0.0, 0.0
    for start, end in ends:
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered / clip.duration if clip.duration > 0 else 0.0


def _kinds(clips: Sequence[Clip], rows: Mapping[str, Mapping[str, Any]]) -> tuple[KindFacts, ...]:
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.kind != REAL_KIND and clip.kind:
            groups[clip.kind].append(clip)
    return tuple(_kind(kind, members, rows) for kind, members in sorted(groups.items()))


def _kind(kind: str, clips: Sequence[Clip], rows: Mapping[str, Mapping[str, Any]]) -> KindFacts:
    generators, licences, cues = set(), set(), set()
    for clip in clips:
        row = rows.get(clip.id, {})
        version = row.get("generator_version")
        generators.add(clip.generator if version is None else f"{clip.generator} {version}")
        licences |= {str(text) for text in (row.get("generator_licence"), row.get("output_licence")) if text}
        cues |= set(row.get("known_cues") or ())
    present = {clip.split for clip in clips}
    return KindFacts(
        kind=kind,
        generators=tuple(sorted(generators)),
        forged=_forged(clips),
        stretches=_stretches(clips),
        variants=tuple(sorted({clip.variant for clip in clips if clip.variant}, key=_natural)),
        clips=len(clips),
        splits=tuple(split for split in SPLITS if split in present),
        licences=tuple(sorted(licences)),
        known_cues=tuple(sorted(cues)),
    )


def _natural(text: str) -> tuple[bool, float, str]:
    """Grades that begin with a number in the order of their numbers."""
    first = text.split(" ", 1)[0]
    try:
        return False, float(first), text
    except ValueError:
        return True, 0.0, text


def _forged(clips: Sequence[Clip]) -> tuple[str, ...]:
    """What is forged in some clips of a kind, in words."""
    words = {
        "audio_label": "sound",
        "video_label": "picture",
        "sync_mismatch": "fit of sound and picture",
        "identity_mismatch": "whose face and voice",
    }
    found = []
    for name, word in words.items():
        values = Counter(getattr(clip.labels, name) for clip in clips)
        if values[1]:
            found.append(word if values[1] == len(clips) else f"{word} ({values[1]} of {len(clips)})")
    return tuple(found)


def _stretches(clips: Sequence[Clip]) -> str:
    told = [clip for clip in clips if clip.segments]
    if not told:
        return ""
    if all(_share(clip) >= _WHOLE for clip in told):
        return "the whole clip"
    lengths = [one.end - one.start for clip in told for one in clip.segments]
    low, high = f"{min(lengths):.1f}", f"{max(lengths):.1f}"
    if low == high:
        return f"{low} s at a time"
    return f"{low} to {high} s at a time, median {float(np.median(lengths)):.1f} s"


def _sham(clips: Sequence[Clip], rows: Mapping[str, Mapping[str, Any]]) -> ShamFacts | None:
    reals = [clip for clip in clips if clip.labels.label == 0]
    known = [rows[clip.id].get("operations") for clip in reals if clip.id in rows]
    if len(known) < len(reals) or any(steps is None for steps in known):
        return None
    passed: Counter[str] = Counter()
    for steps in known:
        passed.update({step.removesuffix(_SHAM) for step in steps or () if step.endswith(_SHAM)})
    others = sum(not any(step.endswith(_SHAM) for step in steps or ()) for steps in known)
    makers = {clip.generator for clip in clips if clip.labels.label == 1}
    return ShamFacts(dict(sorted(passed.items())), others, tuple(sorted(makers - set(passed))))


def _marks(clips: Sequence[Clip], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    found: dict[str, list[int]] = {}
    for clip in clips:
        mark = str(rows.get(clip.id, {}).get("watermark") or "")
        if mark and clip.labels.label is not None:
            found.setdefault(mark, [0, 0])[clip.labels.label] += 1
    return {mark: (counts[0], counts[1]) for mark, counts in sorted(found.items())}


def _overlaps(dataset: Dataset, rows: Mapping[str, Mapping[str, Any]]) -> tuple[Overlap, ...]:
    found = []
    for index, first in enumerate(dataset.splits):
        for second in dataset.splits[index + 1 :]:
            both = [dataset.clips(name) for name in (first, second)]
            faces, voices, recordings, said = (
                len(one & other) for one, other in zip(_names(both[0], rows), _names(both[1], rows), strict=True)
            )
            spoken = any(_transcript(rows.get(clip.id, {})) for clip in dataset.rows)
            found.append(Overlap(first, second, faces, voices, recordings, said if spoken else None))
    return tuple(found)


def _names(clips: Sequence[Clip], rows: Mapping[str, Mapping[str, Any]]) -> tuple[set[str], ...]:
    return (
        {clip.face_id for clip in clips if clip.face_id},
        {clip.voice_id for clip in clips if clip.voice_id},
        {source for clip in clips for source in clip.source_ids},
        {said for clip in clips if (said := _transcript(rows.get(clip.id, {})))},
    )


def _transcript(row: Mapping[str, Any]) -> str:
    return " ".join(str(row.get("transcript") or "").casefold().split())
