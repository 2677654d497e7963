"""What the build's workers do: materialise a take, and make every clip of a take in one go.

Both are pure functions of a JSON-able payload, named by "generators.jobs:..." strings, and write below the folders
that the context names. Files are made in a private folder and moved to their places when all are there. Every clip
is a job of its own with a content address and a record, so that a stopped build loses at most the clips in flight, and
a recipe that got another kind makes only what is new.
"""

from __future__ import annotations

import json
import os
import shutil
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.cache import write_atomic
from cmdfd.clip import REAL, content_id, sha256_file
from cmdfd.errors import RETRY_CODES, CmdfdError, JobError, MediaError, job_code
from cmdfd.faces.tracks import save_track
from cmdfd.tables import clip_of, row_of
from generators.bench import Bench, Lender, item_of, set_up, start_of
from generators.chance import stream
from generators.folders import JOURNAL
from generators.generator import Job, Outcome, Take
from generators.registry import make_generator, make_sham
from generators.rows import Cues, clip_row, file_cues, in_window, provenance_row, take_cues
from generators.sources.registry import make_source
from generators.sources.store import CLIP
from generators.stopwatch import ENCODE, GENERATE, HARMONISE, LOAD, MEASURE, REST, Stopwatch

if TYPE_CHECKING:
    from cmdfd.clip import Clip
    from cmdfd.media.harmonise import Harmonised
    from generators.generator import Generator
    from generators.plan import PlannedTake

__all__ = ["clips_payload", "in_window", "item_of", "make_clips", "materialise", "start_of"]

Payload = Mapping[str, Any]
#: Of a job's record in the work area.
SCHEMA_VERSION = 1


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
    take: PlannedTake, made: Mapping[str, Mapping[str, Any]], harmonise: Payload, seed: int, jobs: Mapping[str, str]
) -> dict[str, Any]:
    """Payload of `make_clips` for a planned take.

    Args:
        take: The take.
        made: Answers of `materialise` by take key; takes that failed are absent.
        harmonise: Settings of the common stage.
        seed: The recipe's.
        jobs: Job id by clip id.
    """
    donors = {key: item for key, item in take.donors.items() if key in made}
    clips = [
        {
            "id": clip.id,
            "job": jobs[clip.id],
            "kind": clip.slot.kind,
            "recorded": clip.slot.recorded,
            "generator": clip.slot.generator,
            "params": dict(clip.params),
            "index": clip.slot.index,
            "sham": clip.slot.sham,
            "labels": dict(clip.slot.labels),
            "donor": clip.donor.item.key if clip.donor else None,
            "relation": clip.donor.relation if clip.donor else "",
            "paths": asdict(clip.paths),
        }
        for clip in take.clips
        if clip.refused is None
    ]
    return {
        "item": asdict(take.item),
        "donors": {key: asdict(item) for key, item in donors.items()},
        "made": {key: dict(made[key]) for key in (take.item.key, *donors)},
        "place": take.place,
        "within": take.within,
        "crf": take.crf,
        "ordinal": take.ordinal,
        "clips": clips,
        "harmonise": dict(harmonise),
        "seed": seed,
    }


def job_id(address: str, versions: Mapping[str, str], state: str = "") -> str:
    """Content address of a job: of its clip, of all tools, and of an external generator's files."""
    return content_id("job", address, dict(versions), state, length=64)


def job_path(work: Path, job: str) -> Path:
    """Record of a job."""
    return work / "records" / "jobs" / job[:2] / f"{job}.json"


def read_job(work: Path, out: Path, job: str) -> dict[str, Any] | None:
    """Record of a finished job whose files are still there, or None."""
    try:
        data = json.loads(job_path(work, job).read_text("utf-8"))
        if data["schema_version"] != SCHEMA_VERSION:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(data) if data["clip"] is None or _all_there(out, data["clip"]) else None


def _all_there(out: Path, row: Payload) -> bool:
    clip = clip_of(row["split"], row)
    return all((out / name).is_file() for name in (clip.file, clip.mask, clip.tracks) if name is not None)


def write_job(work: Path, job: str, record: Mapping[str, Any]) -> None:
    """Write the record of a job that is done; the last thing that happens to it."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, **record}, sort_keys=True, allow_nan=False)
    write_atomic(job_path(work, job), text.encode())


def make_clips(payload: Payload, context: Payload) -> dict[str, Any]:
    """Make the real clip and all fakes of one take, but for those whose job is done.

    Args:
        payload: See `clips_payload`.
        context: `work` and `out`, the build's work area and the data set's folder.

    Returns:
        `jobs`: for every clip its record {job, clip, refused, provenance, stages, seconds}, see `write_job`.

    Raises:
        MediaError: If the take itself cannot be used.
    """
    work, out = Path(context["work"]), Path(context["out"])
    watch = Stopwatch()
    done = {clip["job"]: read_job(work, out, clip["job"]) for clip in payload["clips"]}
    if all(done.values()):
        return {"jobs": [done[clip["job"]] for clip in payload["clips"]]}
    with watch.lap(LOAD):
        bench = set_up(payload, work, out, watch)
    with watch.lap(MEASURE):
        source_cues = take_cues(bench, bench.take)
    found = []
    with private_folder(work, f"clips-{bench.item.key}") as folder:
        for clip in payload["clips"]:
            record = done[clip["job"]] or _do(bench, clip, folder, source_cues)
            found.append(record)
    return {"jobs": found}


def _do(bench: Bench, clip: Payload, folder: Path, source_cues: Cues) -> dict[str, Any]:
    """Do one job and write its record, unless it ended with a code that may go away by itself."""
    with bench.watch.lap(REST):
        record = _attempt(bench, clip, folder, source_cues)
    record |= {"job": clip["job"], "kind": clip["kind"], "seconds": bench.watch.since()}
    if record["refused"] is None or record["refused"]["code"] not in RETRY_CODES:
        write_job(bench.work, clip["job"], record)
    return record


def _attempt(bench: Bench, clip: Payload, folder: Path, source_cues: Cues) -> dict[str, Any]:
    try:
        made = _make_clip(bench, clip, folder, source_cues)
    except (MediaError, JobError) as error:
        return _refusal(clip, job_code(error.code), error.detail)
    except CmdfdError as error:
        return _refusal(clip, "input_unsupported", str(error))
    except MemoryError:
        raise
    except Exception as error:  # one broken generator must not take the others' clips with it
        return _refusal(clip, "crashed", "".join(traceback.format_exception_only(error)).strip())
    for here, there in made.moves:
        there.parent.mkdir(parents=True, exist_ok=True)
        here.replace(there)
    stages = [
        {"id": clip["id"], "split": made.clip.split, "stage": stage, **cues}
        for stage, cues in (("source", source_cues), ("raw", made.raw_cues), ("harmonised", made.cues))
    ]
    row = row_of(made.clip) | {"split": made.clip.split}
    return {"clip": row, "refused": None, "provenance": made.provenance, "stages": stages}


def _refusal(clip: Payload, code: str, reason: str) -> dict[str, Any]:
    told = {"id": clip["id"], "kind": clip["kind"], "code": code, "reason": reason}
    return {"clip": None, "refused": told, "provenance": None, "stages": []}


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    clip: Clip
    provenance: dict[str, Any]
    cues: Cues
    raw_cues: Cues
    moves: list[tuple[Path, Path]]


def _make_clip(bench: Bench, clip: Payload, folder: Path, source_cues: Cues) -> _Made:
    generator = make_sham(clip["generator"]) if clip["sham"] else make_generator(clip["generator"])
    spec = generator.spec
    if hasattr(generator, "journal_to"):  # external ones have times and memory of their own to tell
        generator.journal_to(bench.out / JOURNAL)
    with bench.watch.lap(LOAD):
        lender = bench.lender(clip["donor"]) if clip["donor"] is not None else None
    with bench.watch.lap(GENERATE):
        outcome = _generated(bench, clip, generator, lender)
    with bench.watch.lap(HARMONISE):
        made = _harmonised(bench, outcome)
    if outcome.masks is not None and (made.masks is None or not made.masks.any()):
        raise MediaError("unsupported", bench.item.key, "no pixel inside the clip was changed")
    name = Path(clip["paths"]["file"]).name
    with bench.watch.lap(ENCODE):
        moves = _write_files(bench, clip, outcome, made, folder / name)
    with bench.watch.lap(LOAD):  # what was written is read again, as others will read it
        cues = file_cues(folder / name)
    with bench.watch.lap(MEASURE):
        same = outcome.take.audio is bench.take.audio  # the cues of a take see its sound and its shape alone
        raw_cues = source_cues if same else take_cues(bench, outcome.take)
        files = {
            "sha256": sha256_file(folder / name),
            "mask": clip["paths"]["mask"] if made.masks is not None else None,
            "tracks": clip["paths"]["tracks"] if made.track is not None else None,
        }
    row = clip_row(bench, clip, spec, outcome, made, lender, files)
    return _Made(row, provenance_row(bench, clip, spec, outcome, row, lender), cues, raw_cues, moves)


def _generated(bench: Bench, clip: Payload, generator: Generator, lender: Lender | None) -> Outcome:
    spec, take = generator.spec, bench.take
    if spec.needs_face and take.track is None:
        raise MediaError("no_face", bench.item.key)
    if spec.needs_speech and take.speech is None:
        raise MediaError(
            "unsupported",
            bench.item.key,
            "the words of the take are not known; put a .words.csv or .words.json beside the recording",
        )
    # a null edit has the same draws as its fake, so that the two differ in nothing but the content
    rng = stream("clip", bench.payload["seed"], bench.item.key, clip["kind"], clip["index"])
    job = Job(
        take,
        None if lender is None else lender.take,
        bench.start,
        bench.settings.seconds,
        clip["params"],
        rng,
        ordinal=int(bench.payload["ordinal"]) + int(clip["index"]),
        relation=clip["relation"],
        donor_face="" if lender is None else lender.item.face_id,
        donor_voice="" if lender is None else lender.item.voice_id,
        key=clip["job"],
    )
    outcome = generator.sham(job) if clip["sham"] else generator.generate(job)
    return _checked(outcome, take, sham=clip["sham"] or clip["recorded"] == "real")


def _checked(outcome: Outcome, take: Take, *, sham: bool) -> Outcome:
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
    if sham:
        if outcome.labels != REAL or outcome.segments or outcome.masks is not None:
            raise MediaError("internal", "outcome", "a sham must not forge, but it has labels, segments or masks")
    elif np.array_equal(made.audio, take.audio) and (
        made.frames is take.frames or np.array_equal(made.frames, take.frames)
    ):
        raise JobError("output_identical", "outcome", "nothing was changed")
    return outcome


def _harmonised(bench: Bench, outcome: Outcome) -> Harmonised:
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


def _write_files(
    bench: Bench, clip: Payload, outcome: Outcome, made: Harmonised, path: Path
) -> list[tuple[Path, Path]]:
    """Write clip, mask and track beside each other; returns where each shall go."""
    _write_media(bench, outcome, made, path)
    moves = []
    if made.masks is not None:
        from cmdfd.media.masks import write_mask

        mask = path.with_name(f"{path.name}.mask.mkv")
        write_mask(mask, made.masks, made.fps)
        moves.append((mask, bench.out / clip["paths"]["mask"]))
    if made.track is not None:
        track = path.with_name(f"{path.name}.npz")
        save_track(track, made.track)
        moves.append((track, bench.out / clip["paths"]["tracks"]))
    return [*moves, (path, bench.out / clip["paths"]["file"])]


def _write_media(bench: Bench, outcome: Outcome, made: Harmonised, path: Path) -> None:
    """Encode and write; fakes of the sound alone share the encoded picture of their real clip."""
    from cmdfd.media.encode import encode_video, write_clip

    picture: Any = outcome.take.frames
    key = id(picture)
    if key in bench.pictures:
        encoded = bench.pictures[key][1]
    else:
        encoded = encode_video(made.frames, made.fps, bench.encoder)
        if picture is bench.take.frames:  # no other picture is written twice
            bench.pictures[key] = (picture, encoded)
    write_clip(path, encoded, made.fps, made.audio, made.sample_rate, bench.encoder)
