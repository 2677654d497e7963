"""The numbers of a data sheet, and how they are read back: `datasheet.json`."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from cmdfd.clip import Modality
from generators.sheets.origins import is_plain_real, is_version, kind_order, open_splits, origins
from generators.sheets.versions import CellRow, PlatformRow, count_cells, count_platforms, platform_order, scene_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cmdfd.clip import Clip, Labels
    from cmdfd.dataset import Dataset
    from generators.sheets.origins import Origin

#: E, A, V, S, I: the clip, its sound and its picture are forged; sync and identity mismatch.
LABEL_NAMES = ("label", "audio_label", "video_label", "sync_mismatch", "identity_mismatch")
#: Sentences of the audit that are repeated; the rest is in `build.json`.
_AUDIT_SENTENCES = 12
Label = Literal[0, 1] | None


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CountRow(_Row):
    """Clips of one split, kind and variant.

    Args:
        split: Its name.
        kind: "real" or the kind of fake.
        variant: Grade; of a real, the steps that it passed.
        clips: Number.
        people: Faces, or None where a clip's face is not known.
        components: Connected components over face, voice and recording.
        seconds: Length of the pictures.
        masks: Clips with a mask of changed pixels.
    """

    split: str
    kind: str
    variant: str
    clips: int
    people: int | None
    components: int
    seconds: float
    masks: int


class LabelRow(_Row):
    """Clips of a kind with one label vector.

    Args:
        kind: Its name.
        sham: Whether these are reals that passed a generator's steps.
        clips: Number.
        labels: `LABEL_NAMES` in order, 1 = fake or mismatch, None unknown.
        published: The same as CMDFD prints it: E, A, V, I, S with I and S inverted (1 = match).
    """

    kind: str
    sham: bool
    clips: int
    labels: tuple[Label, Label, Label, Label, Label]
    published: tuple[Label, Label, Label, Label, Label]


class SegmentRow(_Row):
    """Forged stretches of a kind in one modality.

    Args:
        kind: Its name.
        modality: What is forged.
        segments: Number.
        clips: Clips that have some.
        mean_seconds: Mean length of one.
        share: Share of these clips' time that they cover.
    """

    kind: str
    modality: Modality
    segments: int
    clips: int
    mean_seconds: float
    share: float


class RightsRow(_Row):
    """Clips of one licence and consent; "" is unknown."""

    licence: str
    consent: str
    pristine: bool
    clips: int


class RefusedRow(_Row):
    """What was not made: kind ("" for whole files), code, how many, and the commonest reason."""

    kind: str
    code: str
    count: int
    reason: str


class GeneratorRow(_Row):
    """A generator that took part; None where the set's provenance does not say.

    Args:
        generator: Its name.
        version: Of its output.
        licence: Of its code.
        output_licence: Terms on what it makes, "" for none.
        watermark: What it marks its output with, "" for nothing.
        known_cues: Traces that it is known to leave.
        fakes: Clips that it forged.
        shams: Reals that passed its steps.
    """

    generator: str
    version: int | None
    licence: str | None
    output_licence: str | None
    watermark: str | None
    known_cues: tuple[str, ...]
    fakes: int
    shams: int


class RelationRow(_Row):
    """Who drives a kind: "self", "same", "partner", "" for nobody, None where the provenance does not say."""

    kind: str
    relation: str | None
    clips: int


class WithheldRow(_Row):
    """All that is said of a split whose labels stay at home."""

    split: str
    clips: int
    seconds: float


class DataSheet(_Row):
    """Everything that the data sheet says; splits whose labels are withheld count nowhere but in `withheld`.

    A clip's versions from platforms are the same recording of the same people: they count in `cells` and `platforms`
    only, everything else counts originals.

    Args:
        schema_version: Version of this format: 2 with `cells` and `platforms`, 1 where both are empty and not written.
        name: Name of the set.
        recipe_hash: Its content address.
        counts: By split, kind and variant.
        labels: By kind and label vector.
        segments: By kind and modality.
        rights: By licence and consent.
        refused: By kind and code; None where nobody knows.
        generators: By name.
        relations: By kind.
        overrides: Reason for forging without licence or consent -> clips.
        audit_status: Of the gate, or None where it did not run.
        audit: Its sentences, the first of them.
        notes: Of `build.json`.
        withheld: Splits whose labels stay at home.
        components: Components over all splits shown.
        people: Faces over all splits shown, or None where one is not known.
        cells: By split, scene, platform and kind, versions too; empty for a set without scenes and platforms.
        platforms: What each platform does; empty for a set without any.
    """

    schema_version: Literal[1, 2] = 1
    name: str
    recipe_hash: str
    counts: tuple[CountRow, ...]
    labels: tuple[LabelRow, ...]
    segments: tuple[SegmentRow, ...]
    rights: tuple[RightsRow, ...]
    refused: tuple[RefusedRow, ...] | None
    generators: tuple[GeneratorRow, ...]
    relations: tuple[RelationRow, ...]
    overrides: dict[str, int]
    audit_status: str | None
    audit: tuple[str, ...]
    notes: tuple[str, ...]
    withheld: tuple[WithheldRow, ...]
    components: int
    people: int | None
    cells: tuple[CellRow, ...] = ()
    platforms: tuple[PlatformRow, ...] = ()

    def to_json(self) -> str:
        """Text of `datasheet.json`."""
        data = self.model_dump(mode="json")
        if self.schema_version == 1:
            del data["cells"], data["platforms"]
        return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def published(labels: Labels) -> tuple[Label, Label, Label, Label, Label]:
    """CMDFD's printed form E, A, V, I, S, whose I and S mean 1 = match; unknown stays unknown."""

    def match(value: int | None) -> Any:
        return None if value is None else 1 - value

    first: Any = (labels.label, labels.audio_label, labels.video_label)
    return (*first, match(labels.identity_mismatch), match(labels.sync_mismatch))


def count(dataset: Dataset, refused: Sequence[Mapping[str, Any]] | None) -> DataSheet:
    """Count everything in a set.

    Args:
        dataset: A finished set with its provenance.
        refused: Rows of `refused.parquet` (source, kind, code, reason), or None where they are not known.

    Raises:
        CmdfdError: If the set has no provenance.
    """
    shown = open_splits(dataset)
    everything = [clip for split in shown for clip in dataset.clips(split)]
    clips = [clip for clip in everything if not is_version(clip)]
    order = {kind: rank for rank, kind in enumerate(kind_order(dataset))}
    came = origins(dataset)
    audit = dataset.build.audit
    hidden = [split for split in dataset.splits if split not in shown]
    reasons = Counter(str(came[clip.id].row.get("rights_override") or "") for clip in clips)
    names = platform_order(dataset, everything)
    cells = count_cells(everything, (shown, [*scene_order(dataset, everything), ""], names, list(order)))
    return DataSheet(
        schema_version=2 if cells else 1,
        name=dataset.name,
        recipe_hash=dataset.build.recipe_hash,
        counts=_counts(shown, clips, order),
        labels=_labels(clips, order),
        segments=_segments(clips, order),
        rights=_rights(clips),
        refused=None if refused is None else _refused(refused),
        generators=_generators(clips, came),
        relations=_relations(clips, came, order),
        overrides={reason: number for reason, number in sorted(reasons.items()) if reason},
        audit_status=None if audit is None else str(audit.get("status", "")),
        audit=() if audit is None else tuple(str(text) for text in audit.get("sentences", [])[:_AUDIT_SENTENCES]),
        notes=tuple(dataset.build.notes),
        withheld=tuple(
            WithheldRow(split=split, clips=len(own), seconds=_seconds(own))
            for split in hidden
            for own in [[clip for clip in dataset.clips(split) if not is_version(clip)]]
        ),
        components=len({clip.component for clip in clips}),
        people=_people(clips),
        cells=cells,
        platforms=count_platforms(dataset, everything, came, names),
    )


def _seconds(clips: Iterable[Clip]) -> float:
    return round(sum(clip.duration for clip in clips), 3)


def _people(clips: Sequence[Clip]) -> int | None:
    faces = {clip.face_id for clip in clips}
    return None if "" in faces else len(faces)


def _counts(splits: Sequence[str], clips: Sequence[Clip], order: Mapping[str, int]) -> tuple[CountRow, ...]:
    groups: dict[tuple[str, str, str], list[Clip]] = {}
    for clip in clips:
        groups.setdefault((clip.split, clip.kind, clip.variant), []).append(clip)
    ranked = sorted(groups, key=lambda key: (splits.index(key[0]), order[key[1]], _natural(key[2])))
    return tuple(
        CountRow(
            split=key[0],
            kind=key[1],
            variant=key[2],
            clips=len(groups[key]),
            people=_people(groups[key]),
            components=len({clip.component for clip in groups[key]}),
            seconds=_seconds(groups[key]),
            masks=sum(clip.mask is not None for clip in groups[key]),
        )
        for key in ranked
    )


def _natural(text: str) -> list[tuple[int, int, str]]:
    """For sorting: "80 ms" before "160 ms"."""
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in text.split()]


def _labels(clips: Sequence[Clip], order: Mapping[str, int]) -> tuple[LabelRow, ...]:
    found: Counter[tuple[str, bool, Labels]] = Counter(
        (clip.kind, clip.labels.label == 0 and not is_plain_real(clip), clip.labels) for clip in clips
    )
    rows = []
    for (kind, sham, labels), number in found.items():
        ours: Any = tuple(getattr(labels, name) for name in LABEL_NAMES)
        rows.append(LabelRow(kind=kind, sham=sham, clips=number, labels=ours, published=published(labels)))
    return tuple(sorted(rows, key=lambda row: (order[row.kind], row.sham, -row.clips, str(row.labels))))


def _segments(clips: Sequence[Clip], order: Mapping[str, int]) -> tuple[SegmentRow, ...]:
    rows = []
    for kind in sorted({clip.kind for clip in clips}, key=lambda name: order[name]):
        for modality in Modality:
            found = [
                (clip, one) for clip in clips if clip.kind == kind for one in clip.segments if one.modality is modality
            ]
            if not found:
                continue
            holders = {clip.id: clip for clip, _ in found}
            total = sum(one.end - one.start for _, one in found)
            rows.append(
                SegmentRow(
                    kind=kind,
                    modality=modality,
                    segments=len(found),
                    clips=len(holders),
                    mean_seconds=round(total / len(found), 4),
                    share=round(total / sum(clip.duration for clip in holders.values()), 4),
                )
            )
    return tuple(rows)


def _rights(clips: Sequence[Clip]) -> tuple[RightsRow, ...]:
    found = Counter((clip.rights.licence, clip.rights.consent, clip.rights.pristine) for clip in clips)
    return tuple(
        RightsRow(licence=licence, consent=consent, pristine=pristine, clips=number)
        for (licence, consent, pristine), number in sorted(found.items())
    )


def _refused(rows: Sequence[Mapping[str, Any]]) -> tuple[RefusedRow, ...]:
    reasons: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        reasons.setdefault((str(row["kind"]), str(row["code"])), Counter())[str(row["reason"])] += 1
    return tuple(
        RefusedRow(
            kind=kind,
            code=code,
            count=sum(found.values()),
            reason=min(found, key=lambda text: (-found[text], text)),
        )
        for (kind, code), found in sorted(reasons.items())
    )


def _generators(clips: Sequence[Clip], came: Mapping[str, Origin]) -> tuple[GeneratorRow, ...]:
    groups: dict[tuple[str, Any], list[Clip]] = {}
    for clip in clips:
        if is_plain_real(clip) and clip.generator == "sham":
            continue  # a plain real clip passes no generator
        version = came[clip.id].row.get("generator_version")
        groups.setdefault((clip.generator, version), []).append(clip)
    rows = []
    for (name, version), members in sorted(groups.items(), key=lambda pair: str(pair[0])):
        first = came[members[0].id].row
        cues = {str(cue): None for clip in members for cue in came[clip.id].row.get("known_cues") or ()}
        rows.append(
            GeneratorRow(
                generator=name,
                version=version,
                licence=first.get("generator_licence"),
                output_licence=first.get("output_licence"),
                watermark=first.get("watermark"),
                known_cues=tuple(cues),
                fakes=sum(clip.labels.label != 0 for clip in members),
                shams=sum(clip.labels.label == 0 for clip in members),
            )
        )
    return tuple(rows)


def _relations(clips: Sequence[Clip], came: Mapping[str, Origin], order: Mapping[str, int]) -> tuple[RelationRow, ...]:
    found: Counter[tuple[str, str | None]] = Counter()
    for clip in clips:
        if clip.labels.label == 0:
            continue
        origin = came[clip.id]
        told = origin.relation or (None if origin.donor else "")
        found[clip.kind, told] += 1
    ranked = sorted(found.items(), key=lambda pair: (order[pair[0][0]], pair[0][1] or ""))
    return tuple(RelationRow(kind=kind, relation=relation, clips=number) for (kind, relation), number in ranked)
