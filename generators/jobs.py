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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.cache import write_atomic
from cmdfd.clip import content_id, sha256_file
from cmdfd.errors import RETRY_CODES, CmdfdError, JobError, MediaError, job_code
from cmdfd.tables import clip_of, row_of
from generators.bench import Bench, item_of, set_up, start_of
from generators.making import MadeClip, make_clip
from generators.rows import in_window, take_cues
from generators.sources.registry import make_source
from generators.sources.store import CLIP
from generators.stopwatch import LOAD, MEASURE, REST, Stopwatch
from generators.versions import make_version

if TYPE_CHECKING:
    from generators.plan import PlannedClip, PlannedTake

__all__ = ["clips_payload", "in_window", "item_of", "make_clips", "materialise", "start_of"]

Payload = Mapping[str, Any]
#: Begin of the reason where a version has nothing that it could be a version of.
ORIGINAL_LACKS = "its original was not made"
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
    clips = [_clip_payload(clip, jobs[clip.id]) for clip in take.clips if clip.refused is None]
    return {
        "item": asdict(take.item),
        "donors": {key: asdict(item) for key, item in donors.items()},
        "made": {key: dict(made[key]) for key in (take.item.key, *donors)},
        "place": take.place,
        "within": take.within,
        "scene": None if take.scene is None else dict(take.scene.drawn),
        "bystanders": [] if take.scene is None else [item.key for item in take.scene.bystanders],
        "crf": take.crf,
        "ordinal": take.ordinal,
        "clips": clips,
        "harmonise": dict(harmonise),
        "seed": seed,
    }


def _clip_payload(clip: PlannedClip, job: str) -> dict[str, Any]:
    slot = clip.slot
    return {
        "id": clip.id,
        "job": job,
        "kind": slot.kind,
        "recorded": slot.recorded,
        "generator": slot.generator,
        "params": dict(clip.params),
        "index": slot.index,
        "sham": slot.sham,
        "labels": dict(slot.labels),
        "on": slot.on,
        "panels": slot.panels,
        "platform": slot.platform,
        "chain": slot.chain,
        "chain_address": slot.chain_address,
        "original": clip.original,
        "donor": clip.donor.item.key if clip.donor else None,
        "relation": clip.donor.relation if clip.donor else "",
        "paths": asdict(clip.paths),
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
        source_cues = take_cues(bench, bench.take, bench.start)
    found: dict[str, dict[str, Any]] = {}
    with private_folder(work, f"clips-{bench.item.key}") as folder:
        for clip in payload["clips"]:  # originals stand before their versions
            action = partial(make_clip, bench, clip, folder, source_cues)
            if clip["original"]:
                action = partial(_version, bench, clip, found[clip["original"]], folder)
            found[clip["id"]] = done[clip["job"]] or _do(bench, clip, action)
    return {"jobs": [found[clip["id"]] for clip in payload["clips"]]}


def _version(bench: Bench, clip: Payload, original: Payload, folder: Path) -> MadeClip:
    if original["refused"] is not None:
        told = original["refused"]
        raise JobError(told["code"], clip["platform"], f"{ORIGINAL_LACKS}: {told['reason']}")
    return make_version(bench, clip, original, folder)


def _do(bench: Bench, clip: Payload, action: Callable[[], MadeClip]) -> dict[str, Any]:
    """Do one job and write its record, unless it ended with a code that may go away by itself."""
    with bench.watch.lap(REST):
        record = _attempt(clip, action)
    record |= {"job": clip["job"], "kind": clip["kind"], "seconds": bench.watch.since()}
    if record["refused"] is None or record["refused"]["code"] not in RETRY_CODES:
        write_job(bench.work, clip["job"], record)
    return record


def _attempt(clip: Payload, action: Callable[[], MadeClip]) -> dict[str, Any]:
    try:
        made = action()
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
    stages = [{"id": clip["id"], "split": made.clip.split, "stage": stage, **cues} for stage, cues in made.stages]
    row = row_of(made.clip) | {"split": made.clip.split}
    return {"clip": row, "refused": None, "provenance": made.provenance, "stages": stages}


def _refusal(clip: Payload, code: str, reason: str) -> dict[str, Any]:
    told = {"id": clip["id"], "kind": clip["kind"], "code": code, "reason": reason}
    return {"clip": None, "refused": told, "provenance": None, "stages": []}
