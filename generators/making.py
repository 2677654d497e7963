"""Making one original clip: generate, stage, harmonise, write, measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import REAL, REAL_KIND, sha256_file
from cmdfd.errors import JobError, MediaError
from cmdfd.faces.tracks import save_track
from generators.chance import stream
from generators.folders import JOURNAL
from generators.generator import Job, Outcome, Take
from generators.pairing import PARTNER
from generators.registry import make_generator, make_sham
from generators.rows import Cues, clip_row, file_cues, provenance_row, take_cues
from generators.staging import Staged, joined, plain_scene, stage
from generators.stopwatch import ENCODE, GENERATE, HARMONISE, LOAD, MEASURE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmdfd.clip import Clip
    from cmdfd.media.harmonise import Harmonised
    from generators.bench import Bench, Lender
    from generators.generator import Generator

    Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class MadeClip:
    """A clip whose files lie beside each other and wait to be moved.

    Args:
        clip: Its row, the component still open.
        provenance: Its row of provenance.
        stages: Name of each stage with the cheap cues that it has there.
        moves: Where each file lies and where it goes.
    """

    clip: Clip
    provenance: dict[str, Any]
    stages: list[tuple[str, Cues]]
    moves: list[tuple[Path, Path]]


def make_clip(bench: Bench, clip: Payload, folder: Path, source_cues: Cues) -> MadeClip:
    """Make one original clip.

    Args:
        bench: What the clips of its take share.
        clip: The clip, as the payload has it.
        folder: Where to write.
        source_cues: Cues of the take.

    Raises:
        MediaError, JobError: If it cannot be made.
    """
    from cmdfd.media.masks import forged

    generator = make_sham(clip["generator"]) if clip["sham"] else make_generator(clip["generator"])
    spec = generator.spec
    if hasattr(generator, "journal_to"):  # external ones have times and memory of their own to tell
        generator.journal_to(bench.out / JOURNAL)
    with bench.watch.lap(LOAD):
        lender = bench.lender(clip["donor"]) if clip["donor"] is not None else None
        beside = [bench.lender(key) for key in bench.bystanders]
    with bench.watch.lap(GENERATE):
        outcome = _generated(bench, clip, generator, lender)
        others = {index: _beside(bench, clip, generator, beside[index]) for index in range(clip["panels"] - 1)}
    with bench.watch.lap(HARMONISE):
        staged = stage(bench, outcome, clip["on"], others)
        outcome = joined(outcome, others)
        made = _harmonised(bench, staged)
    if outcome.masks is not None and (made.masks is None or not forged(made.masks).any()):
        raise MediaError("unsupported", bench.item.key, "no pixel inside the clip was changed")
    name = Path(clip["paths"]["file"]).name
    with bench.watch.lap(ENCODE):
        moves = _write_files(bench, clip, staged.take, made, folder / name)
    with bench.watch.lap(LOAD):  # what was written is read again, as others will read it
        cues = file_cues(folder / name)
    with bench.watch.lap(MEASURE):
        same = staged.take.audio is bench.take.audio  # the cues of a take see its sound and its shape alone
        raw_cues = source_cues if same else take_cues(bench, staged.take, staged.start)
        files = {
            "sha256": sha256_file(folder / name),
            **side_files(bench, clip, moves),
        }
    row = clip_row(bench, clip, spec, outcome, staged, made, lender, files)
    told = provenance_row(bench, clip, spec, outcome, row, lender)
    return MadeClip(row, told, [("source", source_cues), ("raw", raw_cues), ("harmonised", cues)], moves)


def side_files(bench: Bench, clip: Payload, moves: list[tuple[Path, Path]]) -> dict[str, str | None]:
    """Where mask and track of a clip go, and their hashes; None for what it does not have."""
    found: dict[str, str | None] = {}
    for name in ("mask", "tracks"):
        here = [source for source, place in moves if place == bench.out / clip["paths"][name]]
        found[name] = clip["paths"][name] if here else None
        found[f"{name}_sha256"] = sha256_file(here[0]) if here else None
    return found


def _generated(bench: Bench, clip: Payload, generator: Generator, lender: Lender | None) -> Outcome:
    on_scene = bench.scene is not None and clip["on"] == "scene"
    take = plain_scene(bench) if on_scene else bench.take
    _check_needs(generator, take, bench.item.key)
    # a null edit has the same draws as its fake, so that the two differ in nothing but the content
    rng = stream("clip", bench.payload["seed"], bench.item.key, clip["kind"], clip["index"])
    job = Job(
        take,
        None if lender is None else lender.take,
        0.0 if on_scene else bench.start,
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
    return _checked(outcome, take, sham=clip["sham"] or clip["recorded"] == REAL_KIND)


def _beside(bench: Bench, clip: Payload, generator: Generator, other: Lender) -> Outcome:
    """Forge one who stands beside the take, who lends what the generator needs."""
    _check_needs(generator, other.take, other.item.key)
    rng = stream("clip", bench.payload["seed"], bench.item.key, clip["kind"], clip["index"], other.item.key)
    needed = generator.spec.needs_donor
    job = Job(
        other.take,
        bench.take if needed else None,
        bench.start,
        bench.settings.seconds,
        clip["params"],
        rng,
        ordinal=int(bench.payload["ordinal"]) + int(clip["index"]),
        relation=PARTNER if needed else "",
        donor_face=bench.item.face_id if needed else "",
        donor_voice=bench.item.voice_id if needed else "",
        key=f"{clip['job']}-{other.item.key}",
    )
    outcome = generator.sham(job) if clip["sham"] else generator.generate(job)
    return _checked(outcome, other.take, sham=clip["sham"])


def _check_needs(generator: Generator, take: Take, key: str) -> None:
    if generator.spec.needs_face and take.track is None:
        raise MediaError("no_face", key)
    if generator.spec.needs_speech and take.speech is None:
        raise MediaError(
            "unsupported",
            key,
            "the words of the take are not known; put a .words.csv or .words.json beside the recording",
        )


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


def _harmonised(bench: Bench, staged: Staged) -> Harmonised:
    from cmdfd.media.harmonise import harmonise

    take = staged.take
    return harmonise(
        take.frames,
        take.fps,
        take.audio,
        take.sample_rate,
        start=staged.start,
        settings=bench.settings,
        masks=staged.masks,
        track=take.track,
    )


def _write_files(bench: Bench, clip: Payload, take: Take, made: Harmonised, path: Path) -> list[tuple[Path, Path]]:
    """Write clip, mask and track beside each other; returns where each shall go."""
    _write_media(bench, take, made, path)
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


def _write_media(bench: Bench, take: Take, made: Harmonised, path: Path) -> None:
    """Encode and write; fakes of the sound alone share the encoded picture of their real clip."""
    from cmdfd.media.encode import encode_video, write_clip

    picture: Any = take.frames
    key = id(picture)
    if key in bench.pictures:
        encoded = bench.pictures[key][1]
    else:
        encoded = encode_video(made.frames, made.fps, bench.encoder)
        genuine = bench.take if bench.plain is None else bench.plain
        if picture is genuine.frames:  # no other picture is written twice
            bench.pictures[key] = (picture, encoded)
    write_clip(path, encoded, made.fps, made.audio, made.sample_rate, bench.encoder)
