"""Preparing clips for detectors: views, features in parallel, leading silence; all cached by content."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.code_version import code_version
from benchmarks.detector import ClipView, Featuriser
from benchmarks.fits import SEEN_THROUGH
from benchmarks.registry import DetectorRef, make
from benchmarks.views import FeatureView, FileView, TrimmedView, compute_features, leading_silence
from cmdfd.cache import FeatureCache
from cmdfd.clip import content_id, sha256_file
from cmdfd.errors import MediaError
from cmdfd.tables import STAGES, read_table
from cmdfd.work import OK, WorkItem, WorkPlan, open_executor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.detector import Detector
    from benchmarks.progress import Bar
    from benchmarks.protocol import Selection
    from cmdfd.clip import Clip
    from cmdfd.work import Executor

#: Stages of `stages.parquet` that were measured on the files of the set: originals, and their versions on platforms.
WRITTEN_STAGES = ("harmonised", "social")
#: Seconds after which a clip that cannot be prepared is given up.
CLIP_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class PreparedClip:
    """A clip with its content address and the frames that trimming takes off.

    Args:
        clip: The row of its set.
        path: Media file.
        track_path: Face track or None.
        content: Hash of media and track: the address of everything computed from them.
        cues: Container facts from the set's tables, or None.
        changed: Whether the file is not the one that the set's manifest names.
    """

    clip: Clip
    path: Path
    track_path: Path | None
    content: str
    cues: Mapping[str, float | str | None] | None
    changed: bool

    def view(self) -> FileView:
        """View of the whole clip."""
        return FileView(
            self.clip.id, self.path, self.track_path, self.clip.fps, self.clip.sample_rate or 16000, self.cues
        )


def prepare(part: Selection) -> list[PreparedClip]:
    """Address the clips of a split by what their files hold now.

    The set's own table of cues is used for files that are still those of its manifest; a file that was changed since
    is measured and addressed as it is.
    """
    cues = written_cues(part.data.folder)
    prepared = []
    for clip in part.clips:
        path, track = part.data.path_of(clip), part.data.track_of(clip)
        digest = sha256_file(path) if path.is_file() else "missing"
        address = content_id(digest, sha256_file(track) if track and track.is_file() else None, length=40)
        same = digest == clip.sha256
        prepared.append(PreparedClip(clip, path, track, address, cues.get(clip.id) if same else None, not same))
    return prepared


def written_cues(folder: Path) -> dict[str, dict[str, float | str | None]]:
    """Cues of the written files by clip id, from `stages.parquet`; empty where a set has none."""
    path = folder / STAGES
    if not path.is_file():
        return {}
    return {
        row["id"]: {name: value for name, value in row.items() if name not in ("id", "split", "stage")}
        for row in read_table(path)
        if row["stage"] in WRITTEN_STAGES
    }


@dataclass(frozen=True, slots=True)
class FeatureBank:
    """Features of one detector over a cache.

    Args:
        ref: The detector.
        options: Its constructor keywords.
        cache: Where arrays are kept.
        failures: Clips whose worker died or ran out of time, by cache key; never kept beyond a run.
    """

    ref: DetectorRef
    options: Mapping[str, Any]
    cache: FeatureCache
    failures: dict[str, Failure] = field(default_factory=dict)

    def config(self, detector: Featuriser) -> dict[str, Any]:
        """What decides the features, besides the clip."""
        return {**detector.feature_config(), "seen_through": code_version(*SEEN_THROUGH)}

    def view(self, detector: Detector, prepared: PreparedClip, skip: int = 0) -> ClipView:
        """View of a clip for this detector, trimmed by `skip` frames."""
        inner: ClipView = prepared.view()
        if skip:
            inner = TrimmedView(inner, skip)
        if not isinstance(detector, Featuriser):
            return inner
        key = self._key(detector, prepared, skip)
        failure = self.failures.get(key)
        failed = (failure.code, failure.reason) if failure else None
        return FeatureView(inner, detector, self.cache, key, failed)

    def _key(self, detector: Featuriser, prepared: PreparedClip, skip: int) -> str:
        return FeatureCache.key(prepared.content, {**self.config(detector), "skip": skip})

    def missing(self, wanted: Sequence[tuple[PreparedClip, int]]) -> list[tuple[PreparedClip, int]]:
        """Those whose features are not cached; none for detectors without features."""
        detector = make(self.ref, **self.options)
        if not isinstance(detector, Featuriser):
            return []
        return [item for item in wanted if self._key(detector, *item) not in self.cache]

    def forget(self, wanted: Sequence[tuple[PreparedClip, int]]) -> None:
        """Drop cached features, so that they are computed again."""
        detector = make(self.ref, **self.options)
        if isinstance(detector, Featuriser):
            for item in wanted:
                self.cache.path(self._key(detector, *item)).unlink(missing_ok=True)

    def fill(self, wanted: Sequence[tuple[PreparedClip, int]], pool: Pool, bar: Bar) -> None:
        """Compute features in worker processes; what fails there is remembered as that clip's error.

        Args:
            wanted: Clips and the frames trimmed from each.
            pool: The processes.
            bar: Told how far it is.
        """
        detector = make(self.ref, **self.options)
        if not isinstance(detector, Featuriser):
            return
        payloads = {}
        for prepared, skip in wanted:
            key = self._key(detector, prepared, skip)
            payloads[key] = self._payload(prepared, skip, key)
        for failure in pool.run("benchmarks.features:featurise_item", payloads, bar):
            self.failures[failure.key] = failure

    def _payload(self, prepared: PreparedClip, skip: int, key: str) -> dict[str, Any]:
        return {
            "detector": [self.ref.name, self.ref.preset, dict(self.options)],
            "cache": str(self.cache.folder),
            "key": key,
            "skip": skip,
            **_clip_payload(prepared),
        }


def _clip_payload(prepared: PreparedClip) -> dict[str, Any]:
    return {
        "id": prepared.clip.id,
        "path": str(prepared.path),
        "track": str(prepared.track_path) if prepared.track_path else None,
        "fps": prepared.clip.fps,
        "sample_rate": prepared.clip.sample_rate or 16000,
    }


def _view_of(payload: Mapping[str, Any]) -> FileView:
    track = Path(payload["track"]) if payload["track"] else None
    return FileView(payload["id"], Path(payload["path"]), track, payload["fps"], payload["sample_rate"])


def featurise_item(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: compute the features of one clip into the cache."""
    name, preset, options = payload["detector"]
    detector = make(DetectorRef(name, preset), **options)
    view: ClipView = _view_of(payload)
    if payload["skip"]:
        view = TrimmedView(view, payload["skip"])
    if not isinstance(detector, Featuriser):
        raise TypeError(f"detector {name!r} has no features")
    compute_features(view, detector, FeatureCache(Path(payload["cache"])), payload["key"])
    return {}


def silence_item(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: measure how many whole frames of leading silence a clip has."""
    view = _view_of(payload)
    try:
        skip = int(leading_silence(view.audio(), view.sample_rate) * view.fps)
    except MediaError:
        skip = 0
    FeatureCache(Path(payload["cache"])).put(payload["key"], {"skip": np.array(skip)})
    return {}


def silent_frames(prepared: Sequence[PreparedClip], cache: FeatureCache, pool: Pool, bar: Bar) -> dict[str, int]:
    """Whole frames of leading silence by clip id; clips without sound have 0."""
    config = {"rule": "leading_silence", "code": code_version("benchmarks.views", "cmdfd.media.decode")}
    keys = {item.clip.id: FeatureCache.key(item.content, config) for item in prepared}
    payloads = {
        keys[item.clip.id]: {"cache": str(cache.folder), "key": keys[item.clip.id], **_clip_payload(item)}
        for item in prepared
        if keys[item.clip.id] not in cache
    }
    pool.run("benchmarks.features:silence_item", payloads, bar)
    found = {}
    for item in prepared:
        stored = cache.get(keys[item.clip.id])
        found[item.clip.id] = int(stored["skip"]) if stored else 0
    return found


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that did not end well."""

    key: str
    code: str
    reason: str


class Pool:
    """Worker processes that live as long as a run, so that their imports are paid once.

    Args:
        workers: Number of processes; 1 works in this process, without a time limit.
        timeout: Seconds for each item.
    """

    def __init__(self, workers: int, timeout: float = CLIP_TIMEOUT) -> None:
        self._workers = workers
        self._timeout = timeout
        self._executor: Executor | None = None

    def run(self, function: str, payloads: Mapping[str, Mapping[str, Any]], bar: Bar) -> list[Failure]:
        """Run a worker function over JSON-able payloads by key; returns what failed."""
        if not payloads:
            return []
        if self._executor is None:
            name = "local" if self._workers > 1 else "serial"
            self._executor = open_executor(name, self._workers, self._timeout)
        items = tuple(WorkItem.of(key, payload) for key, payload in payloads.items())
        failures = []
        with tempfile.TemporaryDirectory(prefix="cmdfd-records-") as folder:
            results = self._executor.run(WorkPlan(function, items), Path(folder))
            for done, result in enumerate(results, start=1):
                bar(done, len(items))
                if result.status != OK:
                    failures.append(Failure(result.key, result.status, result.detail.strip().splitlines()[-1:][0]))
        return failures

    def close(self) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.__exit__(None, None, None)
            self._executor = None
