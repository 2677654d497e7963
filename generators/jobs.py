"""What the build's workers do: materialise a take, and make every clip of a take in one go.

Both are pure functions of a JSON-able payload, named by "generators.jobs:..." strings, and write below the folders
that the context names. Files are made in a private folder and moved to their places when all are there.
"""

from __future__ import annotations

import math
import os
import shutil
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import Clip, Rights, Segment, sha256_file
from cmdfd.errors import CmdfdError, MediaError
from cmdfd.faces.tracks import save_track
from cmdfd.tables import row_of
from generators.generator import Job, Outcome, Take
from generators.plan import PARTNER, stream
from generators.record import as_text, finite, most_restrictive
from generators.registry import donor_streams, make_generator
from generators.sources.contract import SourceItem
from generators.sources.registry import make_source
from generators.sources.store import CLIP, load_take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.media.encode import EncodedVideo, EncoderSettings
    from cmdfd.media.harmonise import Harmonised, HarmoniseSettings
    from generators.plan import PlannedTake

Payload = Mapping[str, Any]


def item_of(data: Mapping[str, Any]) -> SourceItem:
    """Read a source item back from `dataclasses.asdict`."""
    return SourceItem(**{**data, "source_ids": tuple(data["source_ids"]), "rights": Rights(**data["rights"])})


@contextmanager
def private_folder(work: Path, name: str) -> Iterator[Path]:
    """A folder of this process below `work/tmp`, emptied before and removed after."""
    folder = work / "tmp" / f"{name}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def materialise(payload: Payload, context: Payload) -> dict[str, Any]:
    """Have a source write one take.

    Args:
        payload: `source` {kind, options}, `item`, and `folder`, the take's name below `work/takes`; it carries the
            content address, and the folder appears whole by a rename, so one that is there already is used.
        context: `work`, the build's work area.

    Returns:
        `folder`, and `files`: SHA-256 of every file of the take, by name.
    """
    work, item = Path(context["work"]), item_of(payload["item"])
    place = work / "takes" / payload["folder"]
    if place.is_dir():
        return _described(place)
    source = make_source(payload["source"]["kind"], payload["source"]["options"])
    with private_folder(work, f"take-{item.key}") as folder:
        made = folder / "take"
        made.mkdir()
        source.materialise(item, made)
        if not (made / CLIP).is_file():
            raise MediaError("missing", item.key, f"the source wrote no {CLIP}")
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            made.rename(place)
        except OSError:
            if not place.is_dir():  # else another rank rendered the same take at the same time
                raise
    return _described(place)


def _described(place: Path) -> dict[str, Any]:
    return {"folder": place.name, "files": {path.name: sha256_file(path) for path in sorted(place.iterdir())}}


def clips_payload(
    take: PlannedTake, made: Mapping[str, Mapping[str, Any]], harmonise: Payload, seed: int
) -> dict[str, Any]:
    """Payload of `make_clips` for a planned take; `made` holds the answers of `materialise` by take key."""
    donor = take.donor if take.donor is not None and take.donor.key in made else None
    return {
        "item": asdict(take.item),
        "donor": asdict(donor) if donor is not None else None,
        "relation": take.relation,
        "made": {item.key: dict(made[item.key]) for item in (take.item, donor) if item is not None},
        "place": take.place,
        "crf": take.crf,
        "ordinal": take.ordinal,
        "clips": [asdict(clip) for clip in take.clips],
        "harmonise": dict(harmonise),
        "seed": seed,
    }


def start_of(place: float, available: float, settings: HarmoniseSettings) -> float:
    """Seconds at which the written window begins inside a take.

    Starts lie on the frame grid from 0 on. Their number is a power of two, which `audio/desync` needs to move the
    sound both ways without changing where it tends to begin.

    Args:
        place: In [0, 1).
        available: Seconds that both picture and sound cover.
        settings: Of the written clips.

    Raises:
        MediaError: "too_short" if the take is shorter than a clip.
    """
    count = math.floor((available - settings.seconds) * settings.fps + 1e-6) + 1
    if count < 1:
        raise MediaError("too_short", "take", f"{available:.2f} s, a clip needs {settings.seconds:g} s (--seconds)")
    usable = 1 << (count.bit_length() - 1)
    return math.floor(place * usable) / settings.fps


@dataclass(eq=False, slots=True)
class _Bench:
    """Everything that the clips of one take have in common."""

    payload: Payload
    out: Path
    item: SourceItem
    donor_item: SourceItem | None
    take: Take
    donor: Take | None
    settings: HarmoniseSettings
    encoder: EncoderSettings
    start: float
    pictures: dict[int, tuple[Any, EncodedVideo]] = field(default_factory=dict)


def make_clips(payload: Payload, context: Payload) -> dict[str, Any]:
    """Make the real clip and all fakes of one take.

    Args:
        payload: See `clips_payload`.
        context: `work` and `out`, the build's work area and the data set's folder.

    Returns:
        `clips` (rows of `metadata.parquet` with their split), `refused`, `provenance`, `stages`.

    Raises:
        MediaError: If the take itself cannot be used.
    """
    work = Path(context["work"])
    bench = _set_up(payload, work, Path(context["out"]))
    found: dict[str, list[Any]] = {"clips": [], "refused": [], "provenance": [], "stages": []}
    source_cues = _take_cues(bench, bench.take)
    with private_folder(work, f"clips-{bench.item.key}") as folder:
        moves: list[tuple[Path, Path]] = []
        for clip in payload["clips"]:
            try:
                made = _make_clip(bench, clip, folder)
            except MediaError as error:
                found["refused"].append(_refusal(clip, error.code, error.detail))
                continue
            except CmdfdError as error:
                found["refused"].append(_refusal(clip, "unsupported", str(error)))
                continue
            except MemoryError:
                raise
            except Exception as error:  # one broken generator must not take the others' clips with it
                text = "".join(traceback.format_exception_only(error)).strip()
                found["refused"].append(_refusal(clip, "internal", text))
                continue
            found["clips"].append(row_of(made.clip) | {"split": made.clip.split})
            found["provenance"].append(_provenance(bench, clip, made))
            for stage, cues in (("source", source_cues), ("raw", made.raw_cues), ("harmonised", made.cues)):
                found["stages"].append({"id": clip["id"], "split": made.clip.split, "stage": stage, **cues})
            moves += made.moves
        for here, there in moves:
            there.parent.mkdir(parents=True, exist_ok=True)
            here.replace(there)
    return found


def _refusal(clip: Payload, code: str, reason: str) -> dict[str, str]:
    return {"id": clip["id"], "kind": clip["kind"], "code": code, "reason": reason}


def _set_up(payload: Payload, work: Path, out: Path) -> _Bench:
    from cmdfd.media.harmonise import HarmoniseSettings, settings_for

    settings = HarmoniseSettings.from_dict(payload["harmonise"])
    item = item_of(payload["item"])
    take = load_take(work / "takes" / payload["made"][item.key]["folder"])
    donor_item = item_of(payload["donor"]) if payload["donor"] is not None else None
    donor = None
    if donor_item is not None:
        wanted = frozenset().union(*(donor_streams(clip["generator"]) for clip in payload["clips"]))
        place = work / "takes" / payload["made"][donor_item.key]["folder"]
        donor = load_take(place, frames="frames" in wanted) if wanted else None
    start = start_of(payload["place"], min(take.duration, len(take.audio) / take.sample_rate), settings)
    encoder = settings_for(settings, payload["crf"])
    return _Bench(payload, out, item, donor_item, take, donor, settings, encoder, start)


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    clip: Clip
    cues: dict[str, float | str | None]
    raw_cues: dict[str, float | str | None]
    rights: Rights
    used_donor: bool
    moves: list[tuple[Path, Path]]


def _make_clip(bench: _Bench, clip: Payload, folder: Path) -> _Made:
    generator = make_generator(clip["generator"])
    spec = generator.spec
    if spec.needs_face and bench.take.track is None:
        raise MediaError("no_face", bench.item.key)
    if spec.needs_speech and bench.take.speech is None:
        raise MediaError("unsupported", bench.item.key, "the words of the take are not known")
    if spec.needs_donor and bench.donor is None:
        raise MediaError("unsupported", bench.item.key, "there is no other take of this person and no partner")
    donor = bench.donor if spec.needs_donor else None
    rng = stream("clip", bench.payload["seed"], bench.item.key, clip["kind"], clip["index"])
    ordinal = int(bench.payload["ordinal"]) + int(clip["index"])
    job = Job(bench.take, donor, bench.start, bench.settings.seconds, clip["params"], rng, ordinal)
    outcome = _checked(generator.generate(job), bench.take)
    made = _harmonised(bench, outcome)
    name = Path(clip["paths"]["file"]).name
    moves = [(folder / name, bench.out / clip["paths"]["file"])]
    _write_media(bench, outcome, made, folder / name)
    mask = tracks = None
    if made.masks is not None:
        from cmdfd.media.masks import write_mask

        if not made.masks.any():
            raise MediaError("unsupported", bench.item.key, "no pixel inside the clip was changed")
        mask = clip["paths"]["mask"]
        write_mask(folder / f"{name}.mask.mkv", made.masks, made.fps)
        moves.append((folder / f"{name}.mask.mkv", bench.out / mask))
    if made.track is not None:
        tracks = clip["paths"]["tracks"]
        save_track(folder / f"{name}.npz", made.track)
        moves.append((folder / f"{name}.npz", bench.out / tracks))
    row = _clip_row(bench, clip, outcome, made, (sha256_file(folder / name), mask, tracks))
    return _Made(row, _file_cues(folder / name), _take_cues(bench, outcome.take), row.rights, donor is not None, moves)


def _checked(outcome: Outcome, take: Take) -> Outcome:
    """Hold a generator to its contract."""
    made = outcome.take
    same = (
        made.frames.shape == take.frames.shape
        and made.audio.shape == take.audio.shape
        and (made.fps, made.sample_rate) == (take.fps, take.sample_rate)
    )
    if not same or not np.isfinite(made.audio).all():
        raise MediaError("internal", "outcome", "the generator changed lengths or rates, or its sound is not finite")
    if outcome.masks is not None and outcome.masks.shape != take.frames.shape[:3]:
        raise MediaError("internal", "outcome", f"masks have the shape {outcome.masks.shape}")
    if outcome.labels.label == 1 and made.frames is take.frames and np.array_equal(made.audio, take.audio):
        raise MediaError("unsupported", "outcome", "nothing was changed")
    return outcome


def _harmonised(bench: _Bench, outcome: Outcome) -> Harmonised:
    from cmdfd.media.harmonise import harmonise

    take = outcome.take
    return harmonise(
        take.frames,
        take.fps,
        take.audio,
        take.sample_rate,
        start=bench.start,
        settings=bench.settings,
        masks=outcome.masks,
        track=take.track,
    )


def _write_media(bench: _Bench, outcome: Outcome, made: Harmonised, path: Path) -> None:
    """Encode and write; fakes of the sound alone share the encoded picture of their real clip."""
    from cmdfd.media.encode import encode_video, write_clip

    picture: Any = outcome.take.frames
    key = id(picture)
    if key not in bench.pictures:
        # the picture itself is kept too: an address names it only as long as it lives
        bench.pictures[key] = (picture, encode_video(made.frames, made.fps, bench.encoder))
    encoded = bench.pictures[key][1]
    write_clip(path, encoded, made.fps, made.audio, made.sample_rate, bench.encoder)


def _clip_row(
    bench: _Bench, clip: Payload, outcome: Outcome, made: Harmonised, files: tuple[str, str | None, str | None]
) -> Clip:
    item, donor = bench.item, bench.donor_item
    used = make_generator(clip["generator"]).spec.needs_donor and donor is not None
    labels, voice = outcome.labels, outcome.voice_id or item.voice_id
    if labels.identity_mismatch is None and used and donor is not None:  # the generator left it to us
        stranger = bench.payload["relation"] == PARTNER
        labels = replace(labels, identity_mismatch=int(stranger))
        voice = donor.voice_id if stranger else voice
    sources = {*item.source_ids, *(donor.source_ids if used and donor is not None else ())}
    sha256, mask, tracks = files
    return Clip(
        id=clip["id"],
        split=item.split or "",
        file=clip["paths"]["file"],
        sha256=sha256,
        labels=labels,
        kind=clip["kind"],
        variant=outcome.variant,
        generator=clip["generator"],
        face_id=item.face_id,
        voice_id=voice,
        source_ids=tuple(sorted(sources)),
        component="",  # known when all clips are
        segments=in_window(outcome.segments, bench.start, bench.settings.seconds),
        mask=mask,
        tracks=tracks,
        fps=made.fps,
        n_frames=len(made.frames),
        width=made.frames.shape[2],
        height=made.frames.shape[1],
        sample_rate=made.sample_rate,
        n_samples=len(made.audio),
        rights=most_restrictive([item.rights, *([donor.rights] if used and donor is not None else [])]),
    )


def in_window(segments: Sequence[Segment], start: float, seconds: float) -> tuple[Segment, ...]:
    """Move segments from a take's clock to that of the window, and drop what lies outside."""
    moved = [(max(one.start - start, 0.0), min(one.end - start, seconds), one.modality) for one in segments]
    return tuple(Segment(begin, end, modality) for begin, end, modality in moved if end > begin)


def _window(bench: _Bench, take: Take) -> NDArray[np.float32]:
    first = round(bench.start * take.sample_rate)
    return take.audio[first : first + round(bench.settings.seconds * take.sample_rate)]


def _take_cues(bench: _Bench, take: Take) -> dict[str, float | str | None]:
    from cmdfd.audit.measure import measure_take

    shape = (round(bench.settings.seconds * take.fps), *take.frames.shape[1:])
    return finite(measure_take(shape, take.fps, _window(bench, take), take.sample_rate))


def _file_cues(path: Path) -> dict[str, float | str | None]:
    from cmdfd.audit.measure import measure_file

    return finite(measure_file(path))


def _provenance(bench: _Bench, clip: Payload, made: _Made) -> dict[str, Any]:
    spec = make_generator(clip["generator"]).spec
    end = bench.start + bench.settings.seconds
    roles = [("target", bench.item), ("donor", bench.donor_item if made.used_donor else None)]
    parents = [
        {"role": role, "key": item.key, "sha256": bench.payload["made"][item.key]["files"][CLIP]}
        | {"start": bench.start if role == "target" else None, "end": end if role == "target" else None}
        for role, item in roles
        if item is not None
    ]
    rights = made.rights
    return {
        "id": clip["id"],
        "split": made.clip.split,
        "sha256": made.clip.sha256,
        "kind": clip["kind"],
        "generator": clip["generator"],
        "generator_licence": spec.licence,
        "params": as_text(clip["params"]),
        "seed": bench.payload["seed"],
        "take": bench.item.key,
        "start": bench.start,
        "crf": bench.payload["crf"],
        "parents": parents,
        "operations": ["decode", spec.name, "harmonise", "encode"],
        "known_cues": list(spec.known_cues),
        "licence": rights.licence,
        "consent": rights.consent,
        "pristine": rights.pristine,
    }
