"""What a run may train and report on, and how splits are named and limited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.protocol import Protocol, Selection, SplitRef, limit_components, parse_split
from cmdfd.clip import REAL, Clip, Rights, content_id
from cmdfd.dataset import BuildFile, Dataset
from cmdfd.errors import CmdfdError
from cmdfd.splits import SplitError


def clip(name: str, component: str, split: str = "train", **changes: object) -> Clip:
    facts = {
        **{"id": name, "split": split, "file": f"{name}.mp4", "sha256": content_id(name, length=64), "labels": REAL},
        **{"kind": "real", "variant": "", "generator": "sham", "face_id": f"face-{component}"},
        **{"voice_id": f"voice-{component}", "source_ids": (f"take-{name}",), "component": component},
        **{"segments": (), "mask": None, "tracks": None, "fps": 25.0, "n_frames": 75, "width": 64, "height": 64},
        **{"sample_rate": 16000, "n_samples": 48000, "rights": Rights("Apache-2.0", "synthetic")},
    }
    return Clip(**{**facts, **changes})  # type: ignore[arg-type]


def part(split: str, clips: list[Clip], name: str = "set") -> Selection:
    build = BuildFile(
        format_version=1, name=name, recipe={}, recipe_hash="0", versions={}, encoder={}, counts={}, refused={}
    )
    return Selection(SplitRef(name, split), Dataset(Path(name), build, tuple(clips)), tuple(clips))


def test_disjoint_parts_pass() -> None:
    Protocol(
        (part("train", [clip("a", "1")]),), (part("validation", [clip("b", "2")]),), (part("test", [clip("c", "3")]),)
    ).check()


@pytest.mark.parametrize("what", ["face_id", "voice_id", "source_ids", "sha256", "component"])
@pytest.mark.parametrize("place", ["train", "select"])
def test_any_overlap_with_the_report_is_refused(what: str, place: str) -> None:
    first = clip("a", "1")
    other = replace(clip("b", "2"), **{what: getattr(first, what)})
    seen, report = (part("train", [first]),), (part("test", [other], "elsewhere"),)
    protocol = Protocol(seen, (), report) if place == "train" else Protocol((), seen, report)
    with pytest.raises(SplitError, match="share") as caught:
        protocol.check()
    assert "--report-on" in str(caught.value)


def test_training_clips_may_not_choose_the_threshold() -> None:
    with pytest.raises(SplitError, match="--select-on"):
        Protocol((part("train", [clip("a", "1")]),), (part("validation", [clip("a", "1")]),), ()).check()


@pytest.mark.parametrize(
    ("text", "dataset", "split"),
    [
        ("mini-a/test", "mini-a", "test"),
        ("mini-a/validation", "mini-a", "validation"),
        ("mini-a", "mini-a", "train"),
        ("some/folder:test", "some/folder", "test"),
        ("mini-a/testing", "mini-a/testing", "train"),
    ],
)
def test_split_references(text: str, dataset: str, split: str) -> None:
    assert parse_split(text, "train") == SplitRef(dataset, split)


def test_folders_are_named_with_a_colon(tmp_path: Path) -> None:
    folder = tmp_path / "my set: one"
    folder.mkdir()
    assert parse_split(str(folder), "test") == SplitRef(str(folder), "test")
    assert parse_split(f"{folder}:validation", "test") == SplitRef(str(folder), "validation")
    with pytest.raises(CmdfdError, match="did you mean 'validation'"):
        parse_split(f"{folder}:validaton", "test")


def test_limit_keeps_components_whole() -> None:
    clips = [clip(f"{c}-{k}", f"c{c:02d}") for c in range(10) for k in range(3)]
    for limit, kept in ((1, 1), (4, 4), (0.25, 2), (0.01, 1), (99, 10), (None, 10)):
        found = limit_components(clips, limit)
        assert len({one.component for one in found}) == kept
        assert len(found) == 3 * kept
    with pytest.raises(CmdfdError, match="--limit"):
        limit_components(clips, 0)
