"""Small sets with planted traits, and audits of them: 24 people, each with one real clip and one fake twin."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
from scipy.signal import butter, sosfilt

from cmdfd.audit.finding import Finding, Probe
from cmdfd.audit.gate import cue_of, gate
from cmdfd.audit.measure import measure_file
from cmdfd.audit.records import AuditReport, Comparison
from cmdfd.audit.targets.target import Target
from cmdfd.media.decode import read_audio
from cmdfd.media.encode import write_clip
from cmdfd.media.settings import EncoderSettings

SR, FPS, SECONDS, SIDE = 16000, 25.0, 1.5, 64
SETTINGS = EncoderSettings(preset="ultrafast")


@dataclass(frozen=True)
class Draft:
    """A clip before it is written; a plant changes it."""

    frames: np.ndarray
    audio: np.ndarray
    fps: float = FPS
    settings: EncoderSettings = field(default=SETTINGS)
    tags: dict[str, str] = field(default_factory=dict)


Plant = Callable[[Draft], Draft]


def draft(seed: int, seconds: float = SECONDS) -> Draft:
    rng = np.random.default_rng(seed)
    n = round(seconds * FPS)
    base = rng.integers(40, 215, (8, 8, 3), dtype=np.uint8).repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
    frames = np.stack([np.roll(base, k, axis=1) for k in range(n)])
    slow = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(round(seconds * SR)) / SR + rng.uniform(0, 6))
    audio = 0.1 * slow * rng.standard_normal(len(slow))
    return Draft(frames, audio.astype(np.float32))


def fake_of(real: Draft, seed: int) -> Draft:
    """The forgery itself: a patch of the picture is another, as it should be; nothing else changes."""
    frames = real.frames.copy()
    frames[:, 24:40, 24:40] = np.random.default_rng(seed).integers(40, 215, (1, 1, 1, 3), dtype=np.uint8)
    return replace(real, frames=frames)


def lead_silence(seconds: float = 0.03) -> Plant:
    def plant(one: Draft) -> Draft:
        audio = one.audio.copy()
        audio[: round(seconds * SR)] = 0
        return replace(one, audio=audio)

    return plant


def other_fps(one: Draft) -> Draft:
    n = round(len(one.frames) / one.fps * 30)
    picks = np.minimum(np.round(np.arange(n) / 30 * one.fps).astype(int), len(one.frames) - 1)
    return replace(one, frames=one.frames[picks], fps=30.0)


def narrow(one: Draft) -> Draft:
    sos = butter(12, 4000, fs=SR, output="sos")
    return replace(one, audio=sosfilt(sos, one.audio).astype(np.float32))


def louder(one: Draft) -> Draft:
    return replace(one, audio=one.audio * np.float32(10 ** (2 / 20)))


def tagged(one: Draft) -> Draft:
    return replace(one, tags={"comment": "made by a tool"})


def write_draft(path: Path, one: Draft) -> None:
    write_clip(path, one.frames, one.fps, one.audio, SR, one.settings)
    if one.tags:
        remux(path, path, one.tags)


def remux(source: Path, target: Path, tags: dict[str, str]) -> None:
    """Copy the packets into a new file with other tags."""
    temporary = target.with_name("remux.mp4")
    with av.open(str(source)) as given, av.open(str(temporary), "w") as made:
        made.metadata.update(tags)
        streams = {one.index: made.add_stream_from_template(one) for one in given.streams}
        for packet in given.demux():
            if packet.dts is None:
                continue
            packet.stream = streams[packet.stream.index]
            made.mux(packet)
    temporary.replace(target)


def write_pairs(folder: Path, plant: Plant | None = None, n: int = 24, seconds: float = SECONDS) -> Target:
    """Two folders of twins; `plant` changes the fakes only."""
    rows = []
    for kind in ("real", "fake"):
        (folder / kind).mkdir(parents=True)
    for person in range(n):
        real = draft(person, seconds)
        fake = fake_of(real, 1000 + person)
        for kind, one in (("real", real), ("fake", plant(fake) if plant else fake)):
            path = folder / kind / f"p{person:02d}.mp4"
            write_draft(path, one)
            rows.append(row_of(path, folder, kind, f"p{person:02d}"))
    return Target("pairs", "folder pair", pd.DataFrame(rows), root=folder)


def row_of(path: Path, folder: Path, kind: str, person: str) -> dict[str, Any]:
    return {
        "id": f"{kind}-{person}",
        "label": int(kind == "fake"),
        "component": person,
        "generator": "patch" if kind == "fake" else "",
        "split": "",
        "modality": "video" if kind == "fake" else "",
        "file": path.relative_to(folder).as_posix(),
        "path": str(path),
    }


def cutoff(path: Path) -> float:
    """Frequency below which 99.5 % of the power lies: an independent stand-in for `audio.cutoff`."""
    samples = read_audio(path, sample_rate=SR).samples
    power = np.abs(np.fft.rfft(samples)) ** 2
    edge = int(np.searchsorted(np.cumsum(power), 0.995 * power.sum()))
    return round(edge * SR / len(samples) / 50) * 50.0


def measured(target: Target) -> pd.DataFrame:
    """Cheap cues of every file beside its facts."""
    rows = []
    for row in target.clips.to_dict("records"):
        path = Path(row["path"])
        rows.append({**row, **measure_file(path), "audio.cutoff": cutoff(path)})
    table = pd.DataFrame(rows)
    table["label"] = table["label"].astype("int64")
    return table


def folder_target(out: Path) -> Target:
    """A repaired set as a target again."""
    tables = [pd.read_parquet(path).assign(folder=str(path.parent)) for path in sorted(out.glob("*/metadata.parquet"))]
    clips = pd.concat(tables, ignore_index=True)
    clips["path"] = [str(Path(row.folder) / row.file_name) for row in clips.itertuples()]
    clips["file"] = clips["file_name"]
    return Target("repaired", "video folder", clips.drop(columns=["folder", "file_name"]), root=out)


def audit(table: pd.DataFrame, fixes: dict[str, Any] | None = None) -> AuditReport:
    """An audit report by the gate as it is."""
    found = gate(table, n_draws=499)
    findings = tuple(record(one, (fixes or {}).get(one.cue)) for one in found.findings)
    return report(findings, found.constant, found.not_measured)


def record(one: Any, fix: Any = None) -> Finding:
    cue = cue_of(one.cue)
    return finding(one.cue, one.auc, one.p, one.severity, one.low, one.high, one.cue_kind, fix or cue.fix, cue.unit)


def finding(
    cue: str,
    auc: float = 1.0,
    p: float | None = 0.001,
    severity: Any = "critical",
    low: float | None = 0.99,
    high: float | None = 1.0,
    kind: Any = "nuisance",
    fix: Any = "harmonise",
    unit: str = "",
) -> Finding:
    return Finding(
        cue=cue, title=f"the cue {cue}", unit=unit, cue_kind=kind, analysis="all", view="value",
        rank=Probe("rank", auc, low, high), tree=None, p=p, p_single=p, p_holm=p, p_bh=p, severity=severity,
        higher_in_fakes=True, rule=None, marker=None, typical="", n=48, n_missing=0, remedy="", fix=fix,
    )  # fmt: skip


def report(
    findings: Collection[Finding] = (),
    constant: Collection[str] = (),
    not_measured: Collection[str] = (),
    checks: Collection[Any] = (),
    testable: bool = True,
    depth: str = "full",
) -> AuditReport:
    comparison = Comparison("all", "", "", 24, 24, 24, 499, testable, "paired")
    return AuditReport(
        name="pairs", kind="folder pair", notes=(), checks=tuple(checks), findings=tuple(findings),
        comparisons=(comparison,), constant=tuple(constant), not_measured=tuple(not_measured), unread=(), n_real=24,
        n_fake=24, n_components=24, n_unlabelled=0, floor=None, conditional=(), splits=(), controls=None, lineage=(),
        depth=depth,
    )  # fmt: skip
