"""croissant.json: the set for other tools (Croissant 1.0), with its responsible-AI fields."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.audit.report.prose import biases
from cmdfd.errors import CmdfdError, MissingExtraError
from cmdfd.publish.facts import counted
from cmdfd.publish.licences import hub_licence
from cmdfd.report.text import clean, listing
from cmdfd.tables import LABEL_COLUMNS, labels_schema, metadata_schema

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from cmdfd.audit.records import AuditReport
    from cmdfd.dataset import Dataset
    from cmdfd.publish.facts import SetFacts
    from cmdfd.publish.licences import Ledger
    from cmdfd.publish.records import Repo, Staged, StagedFile
    from cmdfd.publish.words import CardWords

FILE = "croissant.json"
#: Written beside the data, later than this file or together with it: their hashes cannot stand in it.
DOCUMENTS = frozenset({"README.md", FILE, "LICENSE", "eval.yaml"})
#: mlcroissant reads Parquet under this name only.
_PARQUET, _TAR = "application/x-parquet", "application/x-tar"
_FORMATS = {".parquet": _PARQUET, ".json": "application/json", ".tar": _TAR, ".jsonl": "application/jsonlines"}
_FORMATS |= {".csv": "text/csv", ".md": "text/markdown", ".yaml": "application/yaml", ".png": "image/png"}
_MEDIA = {".mp4": "video/mp4", ".mov": "video/quicktime", ".mkv": "video/x-matroska", ".avi": "video/x-msvideo"}
#: Columns in words; the rest says itself.
_MEANINGS = {
    "file_name": "path of the clip, relative to the folder of the split",
    "id": "opaque name of the clip",
    "sha256": "SHA-256 of the clip's file",
    "width": "width of the picture in pixels",
    "height": "height of the picture in pixels",
    "sample_rate": "samples of the sound in a second",
    "scene": "layout of the picture, e.g. interview; empty where a face fills it",
    "platform": "platform that this version went through, empty for the one it was made from",
    "tracks_sha256": "SHA-256 of the file of face points",
    "mask_sha256": "SHA-256 of the mask's file",
    "licence": "of the clip: the most restrictive of all that went into it",
    "fps": "frames per second",
    "n_frames": "frames of the picture",
    "n_samples": "samples of the sound",
    "tracks": "path of the face points, relative to the set's folder",
    "label": "1: the clip is fake; 0: it is not",
    "audio_label": "1: the sound is forged",
    "video_label": "1: the picture is forged",
    "sync_mismatch": "1: sound and picture do not fit in time",
    "identity_mismatch": "1: face and voice are those of two people",
    "kind": "'real' or the kind of fake",
    "variant": "grade inside the kind",
    "generator": "what made the clip",
    "face_id": "code of the person shown",
    "voice_id": "code of the person heard",
    "source_ids": "recordings that went into the clip",
    "component": "clips that share a face, a voice or a recording; the unit of splits and intervals",
    "segments": "forged stretches: seconds from the first frame, and what is forged there",
    "mask": "path of the mask of changed pixels, relative to the set's folder",
    "consent": "synthetic, given, public-figure or unknown",
    "pristine": "whether nothing in the sources had been edited or generated",
    "original": "id of the clip that this is a platform's version of",
}


@dataclass(frozen=True, slots=True)
class CroissantFile:
    """What was written.

    Args:
        text: Of croissant.json.
        warnings: What mlcroissant recommends and misses.
    """

    text: str
    warnings: tuple[str, ...]


def croissant(
    dataset: Dataset,
    facts: SetFacts,
    ledger: Ledger,
    staged: Staged,
    repo: Repo,
    words: CardWords,
    audit: AuditReport | None,
) -> CroissantFile:
    """Describe what goes public.

    Args:
        dataset: The set at home.
        facts: Of `set_facts`.
        ledger: Of `licence_ledger`.
        staged: What goes public; its files get their hashes.
        repo: Where it goes.
        words: What the publisher says.
        audit: As it goes public, or None.

    Raises:
        MissingExtraError: Without mlcroissant.
        CmdfdError: If mlcroissant finds an error in it.
    """
    try:
        import mlcroissant as mlc
    except ImportError as error:
        raise MissingExtraError("hub", "Croissant metadata") from error
    logging.getLogger("absl").setLevel(logging.ERROR)  # its warnings are returned instead
    licence = hub_licence(ledger.overall.licence, repo.id, repo.tag)
    files = [file for file in staged.files if file.path not in DOCUMENTS]
    try:
        made = mlc.Metadata(
            name=_name(dataset.name),
            description=_description(dataset, facts, words),
            url=f"https://huggingface.co/datasets/{repo.id}",
            license=[licence.url],
            version=_version(repo.tag),
            cite_as=clean(words.citation) if words.citation else None,
            date_published=_date(words, repo),
            keywords=["deepfake detection", "audio-visual", "forensics"],
            creators=[mlc.Organization(name=clean(name)) for name in words.maintainers],
            publisher=[mlc.Organization(name=repo.id.split("/")[0])],
            in_language=list(words.languages or (("en",) if facts.talkers else ())),
            distribution=_distribution(mlc, files, staged),
            record_sets=_record_sets(mlc, dataset, files, staged),
            **_responsible(facts, ledger, words, audit),
        )
    except mlc.ValidationError as error:
        raise CmdfdError(f"{FILE}: mlcroissant refuses it: {error}") from error
    return _gated(made)


def _gated(made: Any) -> CroissantFile:
    """The file of mlcroissant's metadata, with what it has no field for."""
    found = made.to_json()
    found["isAccessibleForFree"] = True
    found["conditionsOfAccess"] = (
        "Gated: access is asked for on the set's page and granted by hand; what is asked is in LICENSE."
    )
    text = json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n"
    return CroissantFile(text, tuple(sorted(str(one) for one in made.ctx.issues.warnings)))


def validate(path: Path) -> tuple[str, ...]:
    """Read a croissant.json as a stranger would.

    Args:
        path: The file.

    Returns:
        Warnings.

    Raises:
        CmdfdError: If mlcroissant finds errors.
    """
    try:
        import mlcroissant as mlc
    except ImportError as error:
        raise MissingExtraError("hub", "Croissant metadata") from error
    try:
        issues = mlc.Dataset(jsonld=str(path)).metadata.ctx.issues
    except mlc.ValidationError as error:
        raise CmdfdError(f"{path}: {error}") from error
    if issues.errors:
        raise CmdfdError(f"{path}: {'; '.join(sorted(map(str, issues.errors)))}")
    return tuple(sorted(map(str, issues.warnings)))


def _name(name: str) -> str:
    """Croissant's names have letters, digits and some signs."""
    return re.sub(r"[^A-Za-z0-9._ -]+", "-", clean(name)).strip("-. ")[:200] or "set"


def _version(tag: str) -> str:
    """The tag as a semantic version, if it is one."""
    return tag.removeprefix("v") if re.fullmatch(r"v\d+\.\d+\.\d+", tag) else tag


def _date(words: CardWords, repo: Repo) -> Any:
    from datetime import datetime

    for one in words.changes:
        if one.date and one.version.removeprefix("v") == repo.tag.removeprefix("v"):
            return datetime.fromisoformat(one.date)
    return None


def _description(dataset: Dataset, facts: SetFacts, words: CardWords) -> str:
    said = f" {clean(words.summary)}" if words.summary else ""
    return (
        f"{clean(words.title or dataset.name)}: {counted(facts)}, for the detection of audio-visual "
        f"deepfakes, genuine and forged in picture, sound or their agreement.{said}"
    )


def _distribution(mlc: Any, files: list[StagedFile], staged: Staged) -> list[Any]:
    """Every file with its hash, but media, masks and face points of a browsable set, which are file sets."""
    single = [file for file in files if not _in_set(file.path)]
    found: list[Any] = [
        mlc.FileObject(
            id=file.path,
            name=file.path,
            content_url=file.path,
            content_size=f"{file.size} B",
            encoding_formats=[_FORMATS.get(PurePosixPath(file.path).suffix, "application/octet-stream")],
            sha256=file.sha256,
        )
        for file in single
    ]
    groups: dict[str, set[str]] = {}
    for file in files:
        if _in_set(file.path):
            path = PurePosixPath(file.path)
            top = "/".join(path.parts[: 2 if "videos" in path.parts[:2] else 1])
            groups.setdefault(top, set()).add(path.suffix)
    for top, suffixes in sorted(groups.items()):
        formats = sorted({_MEDIA.get(suffix, "application/octet-stream") for suffix in suffixes})
        globs = [f"{top}/*/*{suffix}" for suffix in sorted(suffixes)]
        said = "SHA-256 of every file: columns sha256, mask_sha256 and tracks_sha256 of metadata.parquet"
        found.append(mlc.FileSet(id=top, name=top, description=said, includes=globs, encoding_formats=formats))
    return found


def _in_set(path: str) -> bool:
    parts = PurePosixPath(path).parts
    in_folder = len(parts) > 1 and (parts[1] == "videos" or parts[0] in ("masks", "tracks"))
    return in_folder and not path.endswith(".tar")


def _record_sets(mlc: Any, dataset: Dataset, files: list[StagedFile], staged: Staged) -> list[Any]:
    """One record set for each split: its name is the split's."""
    names = {file.path for file in files}
    found = []
    for split in dataset.splits:
        hidden = split in dataset.build.withheld
        table = next((name for name in (f"{split}/metadata.parquet",) if name in names), None)
        shards = sorted(name for name in names if re.fullmatch(rf"data/{split}-\d+-of-\d+\.parquet", name))
        if table is not None:
            found.append(_records(mlc, split, table, metadata_schema(), hidden))
        elif shards:
            found += _sharded(mlc, split, shards, hidden)
        elif f"{split}/labels.parquet" in names:  # tars: what they hold beside the media stands in this table, too
            found.append(_records(mlc, split, f"{split}/labels.parquet", labels_schema(), hidden=False))
    return found


def _sharded(mlc: Any, split: str, shards: list[str], hidden: bool) -> list[Any]:
    """A record set for each Parquet shard: mlcroissant joins no local files into one."""
    one = len(shards) == 1
    return [
        _records(mlc, split if one else f"{split}-{number:05d}", shard, metadata_schema(), hidden)
        for number, shard in enumerate(shards)
    ]


def _records(mlc: Any, name: str, table: str, columns: pa.Schema, hidden: bool) -> Any:
    fields = [_field(mlc, name, table, column) for column in columns if not (hidden and column.name in LABEL_COLUMNS)]
    said = "clips; what tells labels is withheld and null" if hidden else "clips with their labels"
    return mlc.RecordSet(id=name, name=name, description=said, key=[f"{name}/id"], fields=fields)


def _field(mlc: Any, prefix: str, table: str, column: pa.Field) -> Any:
    import pyarrow as pa

    def source(path: str | None = None) -> Any:
        extract = mlc.Extract(column=column.name)
        transforms = [mlc.Transform(json_path=path)] if path else []
        return mlc.Source(file_object=table, extract=extract, transforms=transforms)

    identity = f"{prefix}/{column.name}"
    said = _MEANINGS.get(column.name, column.name.replace("_", " "))
    listed = pa.types.is_list(column.type)
    if listed and pa.types.is_struct(column.type.value_type):
        inner = [
            mlc.Field(
                id=f"{identity}/{part.name}",
                name=part.name,
                data_types=[_data_type(mlc, part.type)],
                source=source(part.name),
            )
            for part in column.type.value_type
        ]
        return mlc.Field(id=identity, name=column.name, description=said, repeated=True, sub_fields=inner)
    kind = column.type.value_type if listed else column.type
    return mlc.Field(
        id=identity,
        name=column.name,
        description=said,
        data_types=[_data_type(mlc, kind)],
        source=source(),
        repeated=True if listed else None,
    )


def _data_type(mlc: Any, kind: pa.DataType) -> Any:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return mlc.DataType.BOOL
    if pa.types.is_integer(kind):
        return mlc.DataType.INTEGER
    return mlc.DataType.FLOAT if pa.types.is_floating(kind) else mlc.DataType.TEXT


def _responsible(facts: SetFacts, ledger: Ledger, words: CardWords, audit: AuditReport | None) -> dict[str, Any]:
    """Fields of Croissant RAI 1.0; what nobody said is left out, and stands as a blank on the card."""
    consents = listing(sorted({row.consent for row in ledger.rows} | {ledger.overall.consent}))
    real = consents != "synthetic"
    collection = (
        "Faces were drawn and sentences spoken by embedded talkers; nobody was recorded." if facts.talkers else ""
    )
    components = [f"{split.components} in {split.name}" for split in facts.splits if split.components is not None]
    limits = [f"Components (the unit of every interval): {listing(components)}."] if components else []
    if facts.talkers:
        limits.append("Faces are drawn and voices synthetic: a score is no evidence of accuracy on real people.")
    makers = sorted({name for kind in facts.kinds for name in kind.generators})
    people = (
        f"Faces and voices of people (consent: {clean(consents)}); people have codes instead of names."
        if real
        else "No real person is shown or heard."
    )
    plan = [f"Clips are withdrawn on request within {words.takedown_days} days."] if words.takedown_days else []
    plan += ["Published tags do not change; every withdrawal makes a new version."]
    found: dict[str, Any] = {
        "data_biases": [biases(audit)] if audit is not None else [],
        "data_limitations": [*limits, *_said(words.limits)],
        "data_use_cases": _said(words.intended_use),
        "personal_sensitive_information": [people, *_said(words.personal_data)],
        "data_collection": " ".join([*([collection] if facts.talkers else []), *_said(words.collection)]) or None,
        "machine_annotation_tools": [
            f"cmdfd {clean(facts.build.versions.get('cmdfd', ''))}: labels follow from how a clip was made",
            *(f"generator {clean(name)}" for name in makers),
        ],
        "data_social_impact": " ".join(_said(words.social_impact)) or None,
        "data_release_maintenance_plan": " ".join([*plan, *_said(words.maintenance)]),
        "data_preprocessing_protocol": [
            "All clips, real and fake, passed the same last stage: one canvas, frame rate, sample rate and loudness, a "
            "common end of sound and picture, one encoder setting, no tags."
        ],
    }
    return {name: value for name, value in found.items() if value}


def _said(text: str | None) -> list[str]:
    return [clean(text)] if text else []
