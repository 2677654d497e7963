"""The rows of a clip: what the tables say of it, and where it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from cmdfd.clip import Clip, Rights, Segment
from cmdfd.errors import JobError
from cmdfd.rights import most_restrictive
from generators.pairing import PARTNER
from generators.record import as_text, finite
from generators.sources.store import CLIP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cmdfd.clip import Labels
    from cmdfd.media.harmonise import Harmonised
    from generators.bench import Bench, Lender
    from generators.generator import GeneratorSpec, Outcome, Take
    from generators.staging import Staged

Cues = dict[str, float | str | None]


def in_window(segments: Sequence[Segment], start: float, seconds: float) -> tuple[Segment, ...]:
    """Move segments from a take's clock to that of the window, and drop what lies outside."""
    moved = [(max(one.start - start, 0.0), min(one.end - start, seconds), one.modality) for one in segments]
    return tuple(Segment(begin, end, modality) for begin, end, modality in moved if end > begin)


def clip_row(
    bench: Bench,
    clip: Mapping[str, Any],
    spec: GeneratorSpec,
    outcome: Outcome,
    staged: Staged,
    made: Harmonised,
    lender: Lender | None,
    files: Mapping[str, str | None],
) -> Clip:
    """The clip's row, its component still open.

    Args:
        bench: What its take's clips share.
        clip: The clip of the payload.
        spec: Of its generator.
        outcome: What the generator made.
        staged: Where it was put.
        made: What was written.
        lender: Its donor, or None.
        files: `sha256`; `mask` and `tracks` with `mask_sha256` and `tracks_sha256`.
    """
    item = bench.item
    return Clip(
        id=clip["id"],
        split=item.split or "",
        file=clip["paths"]["file"],
        sha256=files["sha256"] or "",
        labels=_labels(clip, spec, outcome, lender),
        kind=clip["recorded"],
        variant=_variant(clip, outcome),
        generator=clip["generator"],
        face_id=outcome.face_id or item.face_id,
        voice_id=_voice(bench, clip, outcome, lender),
        source_ids=_sources(bench, lender),
        component="",  # known when all clips are
        segments=in_window(staged.segments, staged.start, bench.settings.seconds),
        mask=files["mask"],
        tracks=files["tracks"],
        fps=made.fps,
        n_frames=len(made.frames),
        width=made.frames.shape[2],
        height=made.frames.shape[1],
        sample_rate=made.sample_rate,
        n_samples=len(made.audio),
        rights=rights_of(bench, terms_of(spec, outcome), lender),
        scene="" if bench.scene is None else bench.scene.layout,
        mask_sha256=files["mask_sha256"] or "",
        tracks_sha256=files["tracks_sha256"] or "",
    )


def _voice(bench: Bench, clip: Mapping[str, Any], outcome: Outcome, lender: Lender | None) -> str:
    """Whose voice is heard: what the generator says, or the partner's where it left that to the pairing."""
    left_to_us = (outcome.labels.identity_mismatch, outcome.voice_id, outcome.face_id) == (None, None, None)
    if lender is not None and left_to_us and clip["relation"] == PARTNER:
        return lender.item.voice_id
    return outcome.voice_id or bench.item.voice_id


def _sources(bench: Bench, lender: Lender | None) -> tuple[str, ...]:
    """Recordings of everybody who is seen, heard or lent something."""
    others = [*([lender.item] if lender is not None else []), *(bench.lender(key).item for key in bench.bystanders)]
    return tuple(sorted({source for item in (bench.item, *others) for source in item.source_ids}))


def _labels(clip: Mapping[str, Any], spec: GeneratorSpec, outcome: Outcome, lender: Lender | None) -> Labels:
    """What the generator says, what it leaves to the pairing, and what the recipe says instead.

    Raises:
        JobError: "input_unsupported" where the recipe's labels leave nothing forged.
    """
    labels = outcome.labels
    if labels.identity_mismatch is None and lender is not None:  # the generator left it to us
        labels = replace(labels, identity_mismatch=int(clip["relation"] == PARTNER))
    labels = replace(labels, **clip["labels"])
    parts = (labels.audio_label, labels.video_label, labels.sync_mismatch, labels.identity_mismatch)
    if labels.label == 1 and set(parts) == {0}:
        raise JobError("input_unsupported", spec.name, "the recipe's labels say that nothing of this fake is forged")
    return labels


def _variant(clip: Mapping[str, Any], outcome: Outcome) -> str:
    if clip["sham"] and clip["kind"] != clip["recorded"]:
        return outcome.variant or f"sham of {clip['kind']}"
    return outcome.variant


def terms_of(spec: GeneratorSpec, outcome: Outcome) -> str:
    """Terms on what was made: of the model that ran, where the generator tells, else of the generator; "" for none."""
    return str(outcome.details.get("output_licence") or spec.output_licence)


def rights_of(bench: Bench, terms: str, lender: Lender | None) -> Rights:
    """The most restrictive rights of target, donor, everybody in the picture, and generator."""
    given = [bench.item.rights, *([lender.item.rights] if lender is not None else [])]
    given += [bench.lender(key).item.rights for key in bench.bystanders]
    if terms:  # a program gives no consent and takes none away
        given.append(Rights(terms, "synthetic"))
    return most_restrictive(given)


def without_places(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters for a table that others will read: of a file on this machine only its name is left."""
    return {
        name: PureWindowsPath(value).name if isinstance(value, str) and _is_place(value) else value
        for name, value in params.items()
    }


def _is_place(text: str) -> bool:
    return text.startswith("~") or PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def provenance_row(
    bench: Bench, clip: Mapping[str, Any], spec: GeneratorSpec, outcome: Outcome, row: Clip, lender: Lender | None
) -> dict[str, Any]:
    """Everything that went into a clip; times, hosts and memory are in the journal.

    The end of the build adds what is the same for all: tool versions, the recipe's hash, the reason of an override.
    """
    roles = [("target", bench.item), ("donor", lender.item if lender is not None else None)]
    roles += [("bystander", bench.lender(key).item) for key in bench.bystanders]
    end = bench.start + bench.settings.seconds
    parents = [
        {"role": role, "key": item.key, "sha256": bench.payload["made"][item.key]["files"][CLIP]}
        | {"start": None if role == "donor" else bench.start, "end": None if role == "donor" else end}
        for role, item in roles
        if item is not None
    ]
    details = dict(outcome.details)
    speech = bench.take.speech
    return {
        "id": clip["id"],
        "job": clip["job"],
        "split": row.split,
        "sha256": row.sha256,
        "raw_sha256": details.pop("raw_sha256", None),
        "kind": row.kind,
        "generator": clip["generator"],
        "generator_version": spec.version,
        "generator_licence": spec.licence,
        "output_licence": terms_of(spec, outcome),
        "params": as_text(without_places(clip["params"])),
        "seed": bench.payload["seed"],
        "take": bench.item.key,
        "index": clip["index"],
        "relation": clip["relation"],
        "start": bench.start,
        "crf": bench.payload["crf"],
        "parents": parents,
        "operations": _operations(bench, clip, spec.name),
        "known_cues": [] if clip["sham"] else list(spec.known_cues),
        "watermark": spec.watermark,
        "details": as_text(details) if details else "",
        "transcript": speech.text if speech is not None else None,
        "licence": row.rights.licence,
        "consent": row.rights.consent,
        "pristine": row.rights.pristine,
    }


def _operations(bench: Bench, clip: Mapping[str, Any], name: str) -> list[str]:
    """What was done, in order."""
    forge = f"{name} (sham)" if clip["sham"] else name
    if bench.scene is None:
        return ["decode", forge, "harmonise", "encode"]
    scene = f"scene:{bench.scene.layout}"
    order = [scene, forge] if clip["on"] == "scene" else [forge, scene]
    return ["decode", *order, "harmonise", "encode"]


def _window(bench: Bench, take: Take, start: float) -> NDArray[np.float32]:
    first = round(start * take.sample_rate)
    return take.audio[first : first + round(bench.settings.seconds * take.sample_rate)]


def take_cues(bench: Bench, take: Take, start: float) -> Cues:
    """Cheap cues of the window in memory that begins at `start` seconds."""
    from cmdfd.audit.measure import measure_take

    shape = (round(bench.settings.seconds * take.fps), *take.frames.shape[1:])
    return finite(measure_take(shape, take.fps, _window(bench, take, start), take.sample_rate))


def file_cues(path: Path) -> Cues:
    """Cheap cues of a written file."""
    from cmdfd.audit.measure import measure_file

    return finite(measure_file(path))
