"""Tiny lists in the forms of published sets, with made-up names, and what every opened list must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cmdfd.audit.measure import CATALOGUE
from cmdfd.audit.targets.target import Target

CMDFD_HEADER = (
    "ID_Name,Audio_Path,Video_Path,ENtire_Label,Audio_Label,Video_Label,Identi_Label,Sync_Label,"
    "Frame_Len,Audio_Len,FPS,AudioSamRate"
)


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_json(path: Path, found: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def cmdfd(path: Path, n: int = 30, header: str = CMDFD_HEADER) -> Path:
    """n reals and n fakes of swapped neighbours; reals 32 ms, fakes 96 ms longer in sound than in picture."""
    rows = []
    for k in range(n):
        frames = 100 + k
        samples = frames * 640
        me, other = f"id{k:05d}", f"id{k ^ 1:05d}"
        rows.append(
            f"origin+{me}_abc,/d/o/{me}_abc.wav,/d/o/{me}_abc.mp4,0,0,0,1,1,{frames}.0,{samples + 512},25.0,16000"
        )
        rows.append(
            f"wav2lip+{me}-{other},/d/o/{other}.wav,/d/w/{me}-{other}.mp4,1,0,1,0,1,{frames}.0,{samples + 1536},"
            "25.0,16000"
        )
    return write(path, header, *rows)


def favc(path: Path) -> Path:
    """FakeAVCeleb's own table: the column "path" holds file names, the last one has no name and holds the folders."""
    rows = []
    for k in range(8):
        who = f"id{k:05d}"
        donor = f"id{k + 100:05d}"
        race, gender = ("African", "men") if k % 2 else ("Asian (East)", "women")
        for letter, kind, method in (
            ("A", "RealVideo-RealAudio", "real"),
            ("B", "RealVideo-FakeAudio", "rtvc"),
            ("C", "FakeVideo-RealAudio", "faceswap"),
            ("D", "FakeVideo-FakeAudio", "faceswap-wav2lip"),
        ):
            lender = "-" if letter in "AB" else donor
            rows.append(
                f"{who},{lender},-,{method},{letter},{kind},{race},{gender},0010{k}.mp4,FakeAVCeleb/{kind}/{race}/{gender}/{who}"
            )
    return write(path, "source,target1,target2,method,category,type,race,gender,path,", *rows)


def av1m(path: Path) -> Path:
    """AV-Deepfake1M's metadata: the label stands in modify_type and in the segments."""
    records = []
    for k in range(10):
        original = f"id{k:05d}/vid{k}/00001/real.mp4"
        for kind, audio, visual in (
            ("real", [], []),
            ("audio_modified", [[0.5, 1.0]], []),
            ("visual_modified", [], [[0.25, 0.75]]),
            ("both_modified", [[0.5, 1.0]], [[0.5, 1.0]]),
        ):
            name = original if kind == "real" else f"id{k:05d}/vid{k}/00001/{kind}.mp4"
            records.append(
                {
                    "file": name, "original": None if kind == "real" else original, "split": "val", "modify_type": kind,
                    "audio_model": "yourtts" if audio else "real", "fake_segments": audio or visual,
                    "audio_fake_segments": audio, "visual_fake_segments": visual, "video_frames": 175,
                    "audio_frames": 112640 if audio else 111680,
                }
            )  # fmt: skip
    return write_json(path, records)


def lav_df(path: Path) -> Path:
    records = [
        {
            "file": f"test/{k:06d}.mp4", "n_fakes": k % 2, "fake_periods": [[1.0, 1.5]] if k % 2 else [],
            "duration": 4.0, "original": None if k % 2 == 0 else f"test/{k - 1:06d}.mp4",
            "modify_video": bool(k % 2), "modify_audio": False, "split": "test", "video_frames": 100,
            "audio_channels": 1, "audio_frames": 64000,
        }
        for k in range(60)
    ]  # fmt: skip
    return write_json(path, records)


def dfdc(path: Path) -> Path:
    found: dict[str, Any] = {}
    for k in range(30):
        found[f"real{k}.mp4"] = {"label": "REAL", "split": "train", "original": None}
        for n in range(3):
            found[f"x{k}{n}.mp4"] = {"label": "FAKE", "split": "train", "original": f"real{k}.mp4"}
    return write_json(path, found)


def asvspoof_2021(path: Path) -> Path:
    rows = [
        f"LA_{k % 30:04d} LA_E_{k:07d} {('alaw', 'pstn')[k % 3 == 0]} ita_tx "
        f"{'bonafide' if k % 4 == 0 else f'A{7 + k % 5:02d}'} "
        f"{'bonafide' if k % 4 == 0 else 'spoof'} notrim {('eval', 'progress')[k % 7 == 0]}"
        for k in range(120)
    ]
    return write(path, *rows)


def cues(target: Target) -> set[str]:
    return {name for name in target.clips.columns if "." in name}


def counts(target: Target) -> tuple[int, int]:
    return int((target.clips["label"] == 0).sum()), int((target.clips["label"] == 1).sum())


def well_formed(target: Target) -> None:
    """What every other room relies on."""
    clips = target.clips
    assert clips["id"].is_unique and (clips["id"] != "").all()
    assert (clips["component"] != "").all()
    assert clips["label"].dtype == np.float64 and set(clips["label"].dropna()) <= {0.0, 1.0}
    assert list(clips.index) == list(range(len(clips)))
    for name in cues(target):
        assert name in CATALOGUE or name in target.extra_cues, name
        text = (target.extra_cues.get(name) or CATALOGUE[name]).categorical
        kinds = {type(one) for one in clips[name].dropna()}
        assert kinds <= ({str} if text else {float, np.float64}), (name, kinds)
    for name in ("generator", "split", "file", "component", "id"):
        if name in clips.columns:
            assert not clips[name].isna().any(), name
    assert all(isinstance(note, str) and note for note in target.notes)
