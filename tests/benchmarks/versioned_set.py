"""A set with scenes and one platform, and a detector that knows the truth: made without the build, in seconds."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "generators"))
from toy_set import FPS, FRAMES, RATE, SETTINGS, Kind, write_toy_set

from cmdfd.clip import Clip, Labels, Modality, Segment, content_id, sha256_file
from cmdfd.dataset import BUILD_FILE, Dataset, clip_paths, write_tables
from cmdfd.media.decode import read_video
from cmdfd.media.encode import write_clip
from cmdfd.media.masks import read_mask, write_mask

PLATFORM = "chat <app>"
SLOWER = 20.0
SMALLER = 48
PICTURE = Kind("splice/face", Labels(1, 0, 1, 0, 0), segments=(Segment(0.2, 0.6, Modality.VIDEO),), mask=True)
SOUND = Kind("audio/splice", Labels(1, 1, 0, 1, 0), segments=(Segment(0.4, 0.8, Modality.AUDIO),))


def write_versioned_set(folder: Path, people: int = 12) -> Dataset:
    """12 people with a real clip and two fakes in two layouts, each also at 20 frames a second and 48 x 48 pixels."""
    data = write_toy_set(folder, (PICTURE, SOUND), people=people)
    faces = sorted({clip.face_id for clip in data.clips()})
    scenes = {face: ("grid", "interview")[number % 2] for number, face in enumerate(faces)}
    clips = [replace(clip, scene=scenes[clip.face_id]) for clip in data.clips()]
    clips += [_version(data, clip) for clip in clips]
    write_tables(folder, clips)
    counts: dict[str, int] = {}
    for clip in clips:
        counts[clip.kind] = counts.get(clip.kind, 0) + 1
    build = data.build.model_copy(update={"counts": {"test": counts}, "name": "versions"})
    (folder / BUILD_FILE).write_text(build.to_json())
    return Dataset.open(folder)


def _version(data: Dataset, clip: Clip) -> Clip:
    """What a platform makes of a clip: every frame is the one that is nearest in time, made smaller."""
    import cv2

    name = content_id(clip.id, PLATFORM)
    paths = clip_paths(clip.split, name, 0)
    count = round(FRAMES / FPS * SLOWER)
    nearest = np.minimum(np.floor(np.arange(count) * FPS / SLOWER + 0.5).astype(int), FRAMES - 1)

    def small(frames: np.ndarray) -> np.ndarray:
        return np.stack([cv2.resize(frames[k], (SMALLER, SMALLER), interpolation=cv2.INTER_AREA) for k in nearest])

    sound = (0.2 * np.sin(np.arange(clip.n_samples) / 9)).astype(np.float32)
    write_clip(data.folder / paths.file, small(read_video(data.path_of(clip)).frames), SLOWER, sound, RATE, SETTINGS)
    mask = data.mask_of(clip)
    if mask is not None:
        write_mask(data.folder / paths.mask, small(read_mask(mask).frames), SLOWER)
    return replace(
        clip,
        id=name,
        file=paths.file,
        sha256=sha256_file(data.folder / paths.file),
        mask=paths.mask if mask is not None else None,
        fps=SLOWER,
        n_frames=count,
        width=SMALLER,
        height=SMALLER,
        platform=PLATFORM,
        original=clip.id,
    )


def write_truth(path: Path, data: Dataset, **changes: dict[str, Any]) -> Path:
    """What the oracle knows; `changes` say by clip id what it gets wrong."""
    known = {
        clip.id: {
            "label": clip.labels.label,
            "segments": [[s.start, s.end, str(s.modality)] for s in clip.segments],
            "mask": str(data.mask_of(clip)) if clip.mask else None,
            "shape": [clip.n_frames, clip.height, clip.width],
            "fps": clip.fps,
            **changes.get(clip.id, {}),
        }
        for clip in data.clips()
    }
    path.write_text(json.dumps(known))
    return path


ORACLE = '''
from __future__ import annotations
import json
from dataclasses import replace
from pathlib import Path
import numpy as np
from benchmarks.detector import DetectorSpec, PixelMaps, Prediction, ScoredSegment, silent
from cmdfd.clip import Modality, Segment
from cmdfd.media.masks import forged, read_mask

CALLS = []


class Oracle:
    """Says what is true of every clip."""

    spec = DetectorSpec(name="oracle", summary="knows", modalities=("audio", "video"), needs_training=False)
    NAMES_STRETCHES = True

    def __init__(self, preset="default", seed=0, truth=""):
        self.preset, self.seed, self.truth = preset, seed, truth

    def fit(self, train, select, progress=silent):
        return self

    def predict(self, views):
        known = json.loads(Path(self.truth).read_text())
        for view in views:
            CALLS.append(view.id)
            yield self.answer(view, known[view.id])

    def answer(self, view, one):
        if one.get("error"):
            return Prediction(view.id, None, error=one["error"])
        count, tall, wide = one["shape"]
        times = (np.arange(count) + 0.5) / view.fps
        spans = [Segment(a, b, Modality(m)) for a, b, m in one["segments"]]
        scores = np.array([float(any(s.start <= t < s.end for s in spans)) for t in times])
        maps = np.zeros((count, tall, wide), np.uint8)
        if one["mask"]:
            maps = forged(read_mask(Path(one["mask"])).frames).astype(np.uint8) * 255
        masks = None if one.get("mapless") else PixelMaps(np.arange(count) / view.fps, maps)
        found = tuple(ScoredSegment(s, 0.9) for s in spans) if self.NAMES_STRETCHES else ()
        return Prediction(view.id, float(one["label"]) + one.get("noise", 0.0), times, scores, found, None, masks)

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder):
        return cls()


class Mute(Oracle):
    """The same, but names no stretches."""

    NAMES_STRETCHES = False


class Painter(Oracle):
    """Marks the face of every clip, forged or not."""

    def answer(self, view, one):
        found = super().answer(view, one)
        count, tall, wide = one["shape"]
        maps = np.zeros((count, tall, wide), np.uint8)
        maps[:, tall * 40 // 64 : tall * 56 // 64, wide * 16 // 64 : wide * 48 // 64] = 200
        masks = PixelMaps(found.masks.times, maps)
        return replace(found, masks=masks)
'''
