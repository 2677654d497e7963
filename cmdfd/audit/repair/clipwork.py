"""The work on one clip: read, cut, harmonise, write; or copy, where nothing is to be changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.reading import read_facts
from cmdfd.audit.repair.fates import forgery_lost
from cmdfd.audit.repair.levelled import write_levelled
from cmdfd.audit.repair.picture_cut import Pictures, pick, pick_masks, whole_frames
from cmdfd.audit.repair.recipe import Harmonise
from cmdfd.audit.repair.segments import in_window, lost_stream, segments_of, to_rows
from cmdfd.audit.repair.sound_cut import window_of
from cmdfd.clip import sha256_file
from cmdfd.errors import MediaError
from cmdfd.media.encode import atomic_path, encode_video, write_clip
from cmdfd.media.harmonise import Harmonised, harmonise, settings_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cmdfd.media.decode import Audio

#: Goes up when the same payload would give other bytes; part of every item's hash.
CODE_VERSION = 1
#: A clip shorter than this (seconds) is none.
_SHORTEST = 0.1


def repair_clip(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Write one clip of a repaired set; a function for `cmdfd.work`.

    Args:
        payload: `path`, `out` (relative), `harmonise` (fields of the step, or None to copy), `start`, `seconds`,
            `min_forged` (None without a crop), `segments`, `fake`, `source_sha256`; `mask`, `mask_out`, `tracks`,
            `tracks_out` or None.
        context: `out`: folder of the new set.

    Returns:
        What was written: hashes, sizes, the window and the segments in it; or `lost`: why the clip cannot stay.

    Raises:
        MediaError: Where the file cannot be read or is too short.
    """
    folder = Path(context["out"])
    if payload["harmonise"] is None:
        return _copied(payload, folder)
    return _rewritten(payload, folder, Harmonise.model_validate(payload["harmonise"]))


def _copied(payload: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"segments": to_rows(segments_of(payload["segments"])), "start": None, "seconds": None}
    # a stranger's "x.mp4" may be a link to somebody's private file, which must not come into a set for others
    read_facts(Path(payload["path"]), depth="headers")
    for source, target, name in (
        ("path", "out", "sha256"),
        ("mask", "mask_out", "mask_sha256"),
        ("tracks", "tracks_out", "tracks_sha256"),
    ):
        if payload[source] is None:
            continue
        path = folder / payload[target]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_path(path) as temporary:
                shutil.copyfile(payload[source], temporary)
        except FileNotFoundError as error:
            raise MediaError("missing", payload[source]) from error
        found[name] = sha256_file(path)
    if found["sha256"] != payload["source_sha256"]:
        raise MediaError("decode_failed", payload["path"], "the file changed while it was copied")
    return found


def _rewritten(payload: Mapping[str, Any], folder: Path, step: Harmonise) -> dict[str, Any]:
    pictures, sound, start = _read(payload, step)
    seconds = len(pictures.frames) / step.fps
    before = segments_of(payload["segments"])
    after = in_window(before, start, seconds)
    least = payload["min_forged"]
    if payload["fake"] and (lost := lost_stream(before, after, least if least is not None else 1 / step.fps)):
        return {"lost": forgery_lost(lost)}
    masks = None
    if payload["mask"] is not None:
        masks = pick_masks(Path(payload["mask"]), pictures, step.fps, start)
        if payload["fake"] and not _forged(masks):
            return {"lost": "no forged pixel lies inside the window"}
    made = _harmonised(payload, step, pictures, sound, start, masks)
    found = _write(payload, folder, step, made)
    return {
        **found,
        "start": round(start, 6),
        "seconds": seconds,
        "segments": to_rows(after),
        "fps": made.fps,
        "n_frames": len(made.frames),
        "width": step.width,
        "height": step.height,
        "sample_rate": made.sample_rate,
        "n_samples": 0 if step.sound == "remove" else len(made.audio),
    }


def _forged(masks: NDArray[np.uint8]) -> bool:
    from cmdfd.media.masks import forged

    return bool(forged(masks).any())


def _read(payload: Mapping[str, Any], step: Harmonise) -> tuple[Pictures, Audio | None, float]:
    """Pictures of the window, all of the sound, and seconds from the first frame to the window."""
    from cmdfd.media.decode import DEFAULT_LIMITS, iter_frames, read_audio

    path = Path(payload["path"])
    sound = read_audio(path, sample_rate=step.sample_rate) if step.sound == "keep" else None
    start, seconds = payload["start"], payload["seconds"]
    canvas = (step.width, step.height)
    frames = iter_frames(path)
    if seconds is not None:
        pictures = pick(frames, canvas, step.fps, start, seconds, seconds)
        if sound is not None:
            _check_sound(sound, pictures.first + start, seconds)
        return pictures, sound, start
    # without a crop a clip begins when both streams run, and ends when the first of them does
    first = next(frames, None)
    if first is None:
        raise MediaError("too_short", path, "there is no frame")
    start = max(sound.start - first.time, 0.0) if sound is not None else 0.0
    longest = DEFAULT_LIMITS.max_seconds
    if sound is not None:
        longest = min(longest, whole_frames(sound.start + sound.duration - first.time - start, step.fps) / step.fps)
    if longest < _SHORTEST:
        raise MediaError("too_short", path, f"picture and sound run together for {longest:.3f} s only")
    pictures = pick(_again(first, frames), canvas, step.fps, start, None, longest)
    if len(pictures.frames) / step.fps < _SHORTEST:
        raise MediaError("too_short", path, f"picture and sound run together for {len(pictures.frames)} frames only")
    return pictures, sound, start


def _again(first: Any, rest: Any) -> Any:
    yield first
    yield from rest


def _check_sound(sound: Audio, start: float, seconds: float) -> None:
    """The window must have sound from its first to its last sample, but for the rounding of a clock."""
    slack = 1e-3
    if sound.start > start + slack or sound.start + sound.duration < start + seconds - slack:
        detail = f"the sound runs from {sound.start:.3f} to {sound.start + sound.duration:.3f} s of the file"
        raise MediaError("too_short", "take", f"{detail}, the window from {start:.3f} to {start + seconds:.3f} s")


def _harmonised(
    payload: Mapping[str, Any],
    step: Harmonise,
    pictures: Pictures,
    sound: Audio | None,
    start: float,
    masks: NDArray[np.uint8] | None,
) -> Harmonised:
    seconds = len(pictures.frames) / step.fps
    settings = step.settings(seconds)
    if sound is None:
        window = np.zeros(settings.n_samples, np.float32)
    else:
        window = window_of(sound, pictures.first + start, seconds, step.lowpass_hz)
    track = None
    if payload["tracks"] is not None:
        from cmdfd.faces.tracks import load_track

        try:
            whole = load_track(Path(payload["tracks"]))
        except ValueError as error:
            raise MediaError("unsupported", payload["tracks"], str(error)) from error
        track = pictures.cut.place(whole.window(start, np.arange(len(pictures.frames)) / step.fps))
    return harmonise(
        pictures.frames,
        step.fps,
        window,
        step.sample_rate,
        start=0.0,
        settings=settings,
        masks=masks,
        track=track,
    )


def _write(payload: Mapping[str, Any], folder: Path, step: Harmonise, made: Harmonised) -> dict[str, Any]:
    """Mask and track first, the clip last: where the clip is, all of it is."""
    found: dict[str, Any] = {}
    if made.masks is not None:
        from cmdfd.media.masks import write_mask

        path = _place(folder, payload["mask_out"])
        write_mask(path, made.masks, made.fps)
        found["mask_sha256"] = sha256_file(path)
    if made.track is not None:
        from cmdfd.faces.tracks import save_track

        path = _place(folder, payload["tracks_out"])
        with atomic_path(path) as temporary:
            save_track(temporary, made.track)
        found["tracks_sha256"] = sha256_file(path)
    path = _place(folder, payload["out"])
    encoder = settings_for(step.settings(len(made.frames) / made.fps), step.crf)
    video = encode_video(made.frames, made.fps, encoder)
    with atomic_path(path) as temporary:
        if step.sound == "keep":
            write_levelled(temporary, video, made.audio, step, encoder, payload["source_sha256"])
        else:
            write_clip(temporary, video, made.fps, None, made.sample_rate, encoder)
    found["sha256"] = sha256_file(path)
    return found


def _place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
