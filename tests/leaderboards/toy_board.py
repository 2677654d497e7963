"""Boards and submissions without media: truths with kinds, platforms, stretches, pixels; systems as good as asked.

Other tests import it by its bare name: `from toy_board import make_board, make_submission`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from leaderboards.predictions import write_submitted, write_submitted_pixels
from leaderboards.truth import write_truth

#: Kinds in turn, with their variants; "audio/swap" leaves the picture genuine.
KINDS = (("audio/swap", "splice"), ("video/face_swap", ""), ("audio/desync", "160 ms"))
PLATFORMS = ("", "feed")
SECONDS = 2.0
#: Stretch of a fake that is forged, seconds.
FORGED = (0.4, 1.2)
FPS = 5
FRAME_PIXELS = 256
FRAMES = int(SECONDS * FPS)
SETS = ("toy-a/test", "toy-b/test")


def digest(*parts: Any) -> str:
    """A hash that depends on the parts only."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def truth_rows(
    name: str, clips: int, components: int, masks: bool = True, forged: tuple[float, float] = FORGED
) -> list[dict[str, Any]]:
    """Every third clip is real; clips go round the components, and two platforms where there are enough clips."""
    rows = []
    for number in range(clips):
        real = number % 3 == 0
        kind, variant = ("real", "") if real else KINDS[(number - number // 3) % len(KINDS)]
        start, end = forged
        segments = [] if real else [{"start": start, "end": end, "modality": kind.partition("/")[0]}]
        masked = 40 * FRAMES if kind.startswith("video") else 0
        platform = PLATFORMS[number // 3 % 4 == 3]
        rows.append(
            {
                "id": digest("id", name, number)[:16],
                "sha256": digest("clip", name, number),
                "label": int(not real),
                "kind": kind,
                "variant": variant,
                "component": f"c{number // 3 % components:03d}",
                "platform": platform,
                "scene": "",
                "original": digest("id", name, number - 9)[:16] if platform else "",
                "duration": SECONDS,
                "true_segments": segments,
                "masked_pixels": masked if masks else -1,
                "pixels": FRAMES * FRAME_PIXELS if masks else -1,
            }
        )
    return rows


def make_board(
    folder: Path,
    sets: tuple[str, ...] = SETS,
    clips: int = 60,
    components: int = 14,
    seed: int = 0,
    *,
    name: str = "toy",
    masks: bool = True,
    forged: tuple[float, float] = FORGED,
    floors: tuple[str, ...] = (),
    metadata_floor: str | None = None,
    same_data: dict[str, list[str]] | None = None,
    **more: Any,
) -> Path:
    """Write `folder/NAME` with board.yaml, truth tables and an empty folder of submissions.

    Args:
        folder: Where boards lie.
        sets: "NAME/SPLIT" of each set.
        clips: In each set.
        components: In each set.
        seed: Other seeds are other clips (ids and hashes).
        name: Of the board.
        masks: Whether pixels are known.
        forged: Stretch of every fake that is forged.
        floors: Slugs of floors.
        metadata_floor: Slug.
        same_data: As in the board's file.
        **more: Other fields of the board's file.

    Returns:
        The board's folder.
    """
    board = folder / name
    (board / "submissions").mkdir(parents=True)
    listed = []
    for one in sets:
        table = f"truth/{one.replace('/', '-').lower()}.parquet"
        salted = one if seed == 0 else f"{one}#{seed}"
        sha256 = write_truth(board / table, truth_rows(salted, clips, components, masks, forged))
        listed.append({"name": one, "title": f"The set {one}", "truth": table, "truth_sha256": sha256})
    write_yaml(
        board / "board.yaml",
        {
            "schema_version": 1,
            "name": name,
            "title": f"Board {name}",
            "summary": "A board for tests.",
            "rules": 1,
            "sets": listed,
            "same_data": same_data or {},
            "metadata_floor": metadata_floor,
            "floors": list(floors),
            **more,
        },
    )
    return board


def read_truth(board: Path) -> dict[str, list[dict[str, Any]]]:
    """Set name -> rows of its truth, straight from the files."""
    data = YAML(typ="safe").load((board / "board.yaml").read_text("utf-8"))
    return {one["name"]: pq.read_table(board / one["truth"]).to_pylist() for one in data["sets"]}


def answer_rows(
    board: Path,
    quality: float = 1.0,
    *,
    seed: int = 0,
    failed: int = 0,
    over_time: bool = False,
    trimmed: bool = False,
) -> list[dict[str, Any]]:
    """Predictions of a system for all clips of a board.

    Args:
        board: Its folder.
        quality: How many standard deviations fakes lie above reals; 0 = chance.
        seed: Of its noise.
        failed: So many clips of each set fail.
        over_time: Give times, frame scores and own stretches.
        trimmed: Answer for the trimmed condition, too.
    """
    rows = []
    for number, (name, truths) in enumerate(sorted(read_truth(board).items())):
        rng = np.random.default_rng([seed, number])
        for condition in ("untrimmed", "trimmed")[: 1 + trimmed]:
            for place, truth in enumerate(truths):
                fails = place < failed
                whole = not fails and over_time and condition == "untrimmed"
                row = _answer(truth, quality, rng, whole)
                rows.append({"set": name, "condition": condition, **row, **(_failure() if fails else {})})
    return rows


def _failure() -> dict[str, Any]:
    return {"score": None, "error": "no_face: no face track was found"}


def _answer(truth: dict[str, Any], quality: float, rng: np.random.Generator, whole: bool) -> dict[str, Any]:
    score = float(quality * truth["label"] + rng.normal())
    times = np.arange(FRAMES) / FPS
    forged = [any(s["start"] <= t < s["end"] for s in truth["true_segments"]) for t in times]
    frames = quality * np.array(forged, dtype=float) + rng.normal(size=FRAMES)
    start = float(rng.uniform(0, 0.8))
    stretch = {"start": start, "end": start + 0.8, "modality": "audiovisual", "confidence": score}
    return {
        "id": truth["id"],
        "sha256": truth["sha256"],
        "score": score,
        "error": None,
        "times": times.tolist() if whole else None,
        "frame_scores": frames.tolist() if whole else None,
        "proposals": [stretch] if whole else [],
        "proposal_rule": "",
    }


def pixel_rows(board: Path, quality: float = 1.0, *, failed: int = 0) -> list[dict[str, Any]]:
    """Pixel counts of a system: forged pixels have the value 100 + 50 x quality, genuine ones 100."""
    level = int(np.clip(100 + 50 * quality, 0, 255))
    rows = []
    for name, truths in sorted(read_truth(board).items()):
        for place, truth in enumerate(truths):
            if truth["masked_pixels"] < 0:
                continue
            rows.append({"set": name, **_pixels(truth, level, place < failed)})
    return rows


def _pixels(truth: dict[str, Any], level: int, fails: bool) -> dict[str, Any]:
    forged, genuine = truth["masked_pixels"], truth["pixels"] - truth["masked_pixels"]
    pixels = np.zeros((2, 256), dtype=int)
    pixels[0, 255 if fails else 100] += genuine
    pixels[1, 0 if fails else level] += forged
    called = pixels[:, 128:].sum(axis=1) // FRAMES
    return {
        "id": truth["id"],
        "pixels": pixels.ravel().tolist(),
        "patches": [0] * 512,
        "tp": [int(called[1])] * FRAMES,
        "fp": [int(called[0])] * FRAMES,
        "fn": [int(forged // FRAMES - called[1])] * FRAMES,
        "frame_pixels": FRAME_PIXELS,
        "unreached": FRAMES if fails else 0,
        "failed": fails,
        "twin": None,
        "twin_pixels": None,
        "no_twin": "no real twin was looked for" if forged else None,
    }


def make_submission(
    board: Path,
    slug: str,
    quality: float = 1.0,
    *,
    seed: int = 0,
    failed: int = 0,
    over_time: bool = False,
    trimmed: bool = False,
    pixels: bool = False,
    rows: list[dict[str, Any]] | None = None,
    trained_on: Sequence[str] | None = ("other-set/train",),
    system: dict[str, Any] | None = None,
    **more: Any,
) -> Path:
    """Write a submission with its predictions into the board's folder of submissions.

    Args:
        board: The board's folder.
        slug: Of the system.
        quality: See `answer_rows`.
        seed: Of its noise; equal seeds and qualities are equal systems.
        failed: See `answer_rows`.
        over_time: See `answer_rows`.
        trimmed: See `answer_rows`.
        pixels: Add a file of pixel counts.
        rows: Predictions to write instead.
        trained_on: As declared.
        system: Fields of the system to replace.
        **more: Fields of the submission to replace or add, e.g. `withdrawn={...}`, `reproduction={...}`.

    Returns:
        The submission's YAML.
    """
    folder = board / "submissions"
    found = rows
    if found is None:
        found = answer_rows(board, quality, seed=seed, failed=failed, over_time=over_time, trimmed=trimmed)
    write_submitted(folder / f"{slug}.parquet", found)
    if pixels:
        write_submitted_pixels(folder / f"{slug}.pixels.parquet", pixel_rows(board, quality, failed=failed))
    data = submission_data(board, slug, None if trained_on is None else list(trained_on), system or {}, pixels)
    return write_yaml(folder / f"{slug}.yaml", {**data, **more})


def submission_data(
    board: Path, slug: str, trained_on: list[str] | None, system: dict[str, Any], pixels: bool = False
) -> dict[str, Any]:
    """The YAML of a submission as data."""
    folder = board / "submissions"
    data: dict[str, Any] = {
        "schema_version": 1,
        "board": board.name,
        "submitted_at": "2026-11-27",
        "system": {
            "name": f"System {slug}",
            "slug": slug,
            "description": "A system for tests.",
            "modalities": ["audio", "video"],
            "code": "https://example.org/code",
            "code_commit": "0123456789abcdef",
            "checkpoint": "https://example.org/weights.safetensors",
            "checkpoint_sha256": "0" * 64,
            "licence": "Apache-2.0",
            **system,
        },
        "trained_on": trained_on,
        "selected_on": [],
        "score_direction": "higher_is_fake",
        "predictions": reference(folder / f"{slug}.parquet"),
        "harness": "cmdfd 0.1.0",
        "submitter": {"name": "A Person", "contact": "person@example.org"},
    }
    return {**data, "pixels": reference(folder / f"{slug}.pixels.parquet")} if pixels else data


def reference(path: Path) -> dict[str, Any]:
    """Name, hash and size of a file."""
    data = path.read_bytes()
    return {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def write_yaml(path: Path, data: dict[str, Any]) -> Path:
    """Write YAML in the order of the keys."""
    writer = YAML(typ="rt")
    writer.width = 1000
    with path.open("w", encoding="utf-8") as stream:
        writer.dump(data, stream)
    return path


def write_raw(path: Path, rows: list[dict[str, Any]], schema: pa.Schema, **options: Any) -> Path:
    """Write a table as any stranger's program would, with the options of `pyarrow.parquet.write_table`."""
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, **options)
    return path
