"""Copies of a built set in which one class begins with digital silence; both classes are written anew, alike.

The protocol is that of Shim et al., "How to construct perfect and worse-than-coin-flip spoofing countermeasures"
(arXiv 2306.00044): an intervention on one class, everything else equal. Here it is the leading silence that AVH-Align
(arXiv 2412.00175) found in public sets.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.cache import write_atomic
from cmdfd.clip import content_id, sha256_file
from cmdfd.dataset import BUILD_FILE, BuildFile, Dataset
from cmdfd.media.decode import read_audio, read_video
from cmdfd.media.encode import write_clip
from cmdfd.media.settings import EncoderSettings
from cmdfd.tables import write_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.progress import Reporter
    from cmdfd.clip import Clip

#: Written anew at a quality at which the generation before is kept.
COPY_SETTINGS = EncoderSettings(crf=18)
#: Raised when the copies change, so that old ones are made again.
CODE_VERSION = 1
#: Same time for all files: reals and fakes are written at different moments.
_NEUTRAL_TIME = 946_684_800


def plant_silence(data: Dataset, out: Path, seconds: float, splits: Sequence[str], reporter: Reporter) -> Dataset:
    """Copy a set; the first `seconds` of the sound of its fakes become digital zero, its reals are written alike.

    Ids, labels, components and face tracks stay, so that clips of two copies can be paired. A copy that is there
    already is taken as it is.

    Args:
        data: A built set.
        out: Folder of the copy.
        seconds: Length of the silence; 0 for a copy without any.
        splits: Splits to copy.
        reporter: Told about progress.
    """
    address = content_id(CODE_VERSION, data.manifest_sha256, seconds, list(splits), COPY_SETTINGS.to_dict())
    if (out / BUILD_FILE).is_file() and Dataset.open(out).build.recipe_hash == address:
        return Dataset.open(out)
    chosen = [clip for clip in data.clips() if clip.split in splits]
    made: list[Clip] = []
    with reporter.bar(f"write {out.name}") as bar:
        for done, clip in enumerate(chosen, 1):
            made.append(_copy(data, clip, out, seconds))
            bar(done, len(chosen))
    write_tables(out, made)
    counts: dict[str, dict[str, int]] = {}
    for clip in made:
        kinds = counts.setdefault(clip.split, {})
        kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
    note = f"a copy of {data.name} for an experiment: {seconds * 1000:g} ms of digital zero before the sound of fakes"
    build = BuildFile(
        format_version=data.build.format_version,
        name=f"{data.name}-silence-{seconds * 1000:g}ms",
        recipe=data.build.recipe,
        recipe_hash=address,
        versions=data.build.versions,
        encoder=COPY_SETTINGS.to_dict(),
        counts=counts,
        refused={},
        notes=[note],
    )
    write_atomic(out / BUILD_FILE, build.to_json().encode())
    return Dataset.open(out)


def _copy(data: Dataset, clip: Clip, out: Path, seconds: float) -> Clip:
    source, path = data.path_of(clip), out / clip.file
    video = read_video(source)
    audio = read_audio(source, sample_rate=clip.sample_rate)
    samples = np.array(audio.samples[: clip.n_samples], np.float32)
    if clip.labels.label == 1:
        samples[: round(seconds * clip.sample_rate)] = 0.0
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, video.frames, clip.fps, samples, clip.sample_rate, COPY_SETTINGS)
    os.utime(path, (_NEUTRAL_TIME, _NEUTRAL_TIME))
    track = data.track_of(clip)
    if track is not None and clip.tracks is not None:
        (out / clip.tracks).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out / clip.tracks, track.read_bytes())
    return replace(clip, sha256=sha256_file(path), mask=None, mask_sha256="")
