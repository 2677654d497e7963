"""What detectors see: views of clips on disk, in memory, and trimmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import CmdfdError, MediaError
from cmdfd.faces.tracks import FaceTrack, load_track

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.detector import ClipView, Features, Featuriser
    from cmdfd.cache import FeatureCache
    from cmdfd.media.decode import AvClip

#: 10 ms frames whose level stays this far below the clip's speech level count as leading silence.
SILENCE_BELOW_SPEECH_DB = 40.0


@dataclass(frozen=True, slots=True)
class FileView:
    """A clip of a built set. Decodes at every call and keeps nothing, so that memory does not grow with the set.

    Args:
        id: Opaque id.
        path: Media file.
        track_path: Sidecar with the face track, or None where there is none.
        fps: Constant frame rate of the set.
        sample_rate: Sample rate at which detectors get the sound.
        cues: Container facts of the file where the set's tables hold them already.
    """

    id: str
    path: Path
    track_path: Path | None
    fps: float
    sample_rate: int
    cues: Mapping[str, float | str | None] | None = None

    def _read(self) -> AvClip:
        from cmdfd.media.decode import read_clip

        return read_clip(self.path, sample_rate=self.sample_rate)

    def frames(self) -> NDArray[np.uint8]:
        """[T, H, W, 3] RGB."""
        from cmdfd.media.decode import read_video

        return read_video(self.path).frames

    def audio(self) -> NDArray[np.float32]:
        """[N] mono."""
        from cmdfd.media.decode import read_audio

        return read_audio(self.path, sample_rate=self.sample_rate).samples

    def track(self) -> FaceTrack:
        """Face track from the sidecar."""
        if self.track_path is None:
            raise MediaError("no_face", self.id)
        return load_track(self.track_path)

    def features(self) -> Features:
        """Not available: the harness wraps views in `FeatureView` for detectors that have features."""
        raise CmdfdError("this detector has no featurise(), so views carry no features")

    def headers(self) -> Mapping[str, float | str | None]:
        """Container facts, measured unless the set's tables hold them."""
        if self.cues is not None:
            return self.cues
        from cmdfd.audit.measure import measure_file

        return measure_file(self.path)


@dataclass(frozen=True, slots=True, eq=False)
class MemoryView:
    """A clip in memory, for single files and tests. The arrays are as in `benchmarks.detector.ClipView`."""

    id: str
    fps: float
    sample_rate: int
    video: NDArray[np.uint8]
    sound: NDArray[np.float32] | None
    face: FaceTrack | None
    cues: Mapping[str, float | str | None] | None = None

    def frames(self) -> NDArray[np.uint8]:
        """[T, H, W, 3] RGB."""
        return self.video

    def audio(self) -> NDArray[np.float32]:
        """[N] mono."""
        if self.sound is None:
            raise MediaError("no_audio", self.id)
        return self.sound

    def track(self) -> FaceTrack:
        """Face track."""
        if self.face is None:
            raise MediaError("no_face", self.id)
        return self.face

    def features(self) -> Features:
        """Not available: wrap in `FeatureView`."""
        raise CmdfdError("this detector has no featurise(), so views carry no features")

    def headers(self) -> Mapping[str, float | str | None]:
        """Container facts where they were given."""
        if self.cues is None:
            raise CmdfdError("a clip in memory has no container")
        return self.cues


@dataclass(frozen=True, slots=True, eq=False)
class TrimmedView:
    """Another view without its first frames and the sound that belongs to them; both streams are cut alike.

    Args:
        inner: The whole clip.
        skip: Frames to leave out at the start.
    """

    inner: ClipView
    skip: int

    @property
    def id(self) -> str:
        """Same id as the whole clip."""
        return self.inner.id

    @property
    def fps(self) -> float:
        """Frame rate."""
        return self.inner.fps

    @property
    def sample_rate(self) -> int:
        """Sample rate."""
        return self.inner.sample_rate

    def frames(self) -> NDArray[np.uint8]:
        """Frames from `skip` on."""
        return self.inner.frames()[self.skip :]

    def audio(self) -> NDArray[np.float32]:
        """Samples from the first kept frame on."""
        return self.inner.audio()[round(self.skip / self.fps * self.sample_rate) :]

    def track(self) -> FaceTrack:
        """Track of the kept frames, on a clock that starts at the first of them."""
        whole = self.inner.track()
        kept = slice(self.skip, None)
        return FaceTrack(whole.times[kept] - self.skip / self.fps, whole.points[kept], whole.found[kept], whole.backend)

    def features(self) -> Features:
        """Not available: wrap in `FeatureView`."""
        return self.inner.features()

    def headers(self) -> Mapping[str, float | str | None]:
        """Container facts of the whole file: trimming does not reach them."""
        return self.inner.headers()


@dataclass(frozen=True, slots=True, eq=False)
class FeatureView:
    """Another view with the features of one detector, taken from the cache where they are.

    Args:
        inner: The clip.
        featuriser: The detector.
        cache: Where features are kept, or None to compute them at every call.
        key: Cache key of this clip under this detector's feature configuration.
        failed: Code and reason where a worker could not compute them.
    """

    inner: ClipView
    featuriser: Featuriser
    cache: FeatureCache | None = None
    key: str | None = None
    failed: tuple[str, str] | None = None

    @property
    def id(self) -> str:
        """Same id as the clip."""
        return self.inner.id

    @property
    def fps(self) -> float:
        """Frame rate."""
        return self.inner.fps

    @property
    def sample_rate(self) -> int:
        """Sample rate."""
        return self.inner.sample_rate

    def frames(self) -> NDArray[np.uint8]:
        """[T, H, W, 3] RGB."""
        return self.inner.frames()

    def audio(self) -> NDArray[np.float32]:
        """[N] mono."""
        return self.inner.audio()

    def track(self) -> FaceTrack:
        """Face track."""
        return self.inner.track()

    def headers(self) -> Mapping[str, float | str | None]:
        """Container facts."""
        return self.inner.headers()

    def features(self) -> Features:
        """Arrays of `featurise`, or the MediaError that it ended with."""
        if self.failed is not None:
            raise MediaError(self.failed[0], self.id, self.failed[1])
        if self.cache is None or self.key is None:
            return self.featuriser.featurise(self.inner)
        found = self.cache.get(self.key)
        if found is None:
            found = compute_features(self.inner, self.featuriser, self.cache, self.key)
        if "error_code" in found:
            raise MediaError(str(found["error_code"]), self.id, str(found["error_detail"]))
        return found


def compute_features(view: ClipView, featuriser: Featuriser, cache: FeatureCache, key: str) -> dict[str, NDArray[Any]]:
    """Featurise one clip into the cache; a clip that cannot be read is cached as its error."""
    try:
        arrays = dict(featuriser.featurise(view))
    except MediaError as error:
        arrays = {"error_code": np.array(error.code), "error_detail": np.array(error.detail)}
    cache.put(key, arrays)
    return arrays


def leading_silence(samples: NDArray[np.float32], sample_rate: int) -> float:
    """Seconds before the sound first comes within 40 dB of the clip's speech level.

    The speech level is the 90th percentile of the RMS of 10 ms frames, so that the rule is relative and a noise
    floor does not hide a silence; AVH-Align's absolute rule (|A| > 5e-4) is a cue of the auditor.

    Args:
        samples: [N] mono.
        sample_rate: Samples per second.

    Returns:
        Seconds in steps of 10 ms; 0 for an empty or fully silent clip (there is nothing to align to).
    """
    hop = max(round(0.010 * sample_rate), 1)
    n = len(samples) // hop
    if n == 0:
        return 0.0
    frames = samples[: n * hop].reshape(n, hop).astype(np.float64)
    rms = np.sqrt(np.mean(frames * frames, axis=1))
    speech = float(np.percentile(rms, 90))
    if speech <= 0:
        return 0.0
    loud = rms >= speech * 10 ** (-SILENCE_BELOW_SPEECH_DB / 20)
    return float(np.argmax(loud)) * hop / sample_rate if loud.any() else 0.0
