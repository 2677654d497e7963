"""Folders in ManualFake's layout: read as its readers do, with OpenCV, and against the set."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from toy_set import LIPSYNC_CROSS, PARTIAL, PLATFORMS, Kind, Platform, write_toy_set

from cmdfd.clip import Labels, Modality, Rights, Segment
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError, MediaError
from cmdfd.media.masks import read_mask, write_mask
from generators.export import EXPORTS, export_beside
from generators.export.manualfake import ManualfakeOptions, export_manualfake, main
from generators.export.mask_video import Clock, clock_of, convert_mask, write_grey
from generators.sheets.origins import origins

SOUND = Kind("audio/swap", Labels(1, 1, 0, 1, 0), segments=(Segment(0, 0.8, Modality.AUDIO),))
HEAD = Kind("head/self", Labels(1, 0, 1, 1, 0), "self", (Segment(0, 0.8, Modality.VIDEO),))
KINDS = (LIPSYNC_CROSS, PARTIAL, SOUND, HEAD)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("manual") / "set"
    return write_toy_set(
        folder, KINDS, splits=("train", "validation"), scenes=("interview", "portrait"), platforms=PLATFORMS
    )


def seen_by_opencv(path: Path) -> tuple[NDArray[np.uint8], list[float]]:
    """Frames as grey and their times in seconds, as the reference code reads them."""
    capture = cv2.VideoCapture(str(path))
    frames, times = [], []
    while True:
        good, frame = capture.read()
        if not good:
            break
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    return np.stack(frames), times


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_a_reader_finds_every_clip_and_its_mask(data: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = export_manualfake(data, out)
    # of 2 sets x 2 takes x 3 versions: a real and a sham; lips and partial edits have masks
    assert (made.n_real, made.n_fake, made.n_masks, made.kept, made.withheld) == (24, 24, 24, 0, ())
    by_name = {f"{clip.original or clip.id}__{clip.platform or 'original'}": clip for clip in data.clips()}
    n = 0
    for name, split in (("train", "train"), ("val", "validation")):
        for label, kind in ((0, "real"), (1, "fake")):
            videos = sorted((out / "data" / name / kind / "videos").glob("*.mp4"))
            assert len(videos) == 12
            assert [path.stem.count("__") for path in videos] == [1] * 12
            for video in videos:
                clip = by_name[video.stem]
                assert (clip.split, clip.labels.label) == (split, label)
                assert hashlib.sha256(video.read_bytes()).hexdigest() == clip.sha256
                if label == 0:
                    continue
                n += 1
                seen, times = seen_by_opencv(video.parent.parent / "masks" / video.name)
                path = data.mask_of(clip)
                assert path is not None
                truth = read_mask(path).frames
                assert (seen == truth).all() and (seen > 10).any()
                pictures, shown = seen_by_opencv(video)
                assert seen.shape == pictures.shape and np.abs(np.subtract(times, shown)).max() <= 0.001
    assert n == 24 and not (out / "data" / "train" / "real" / "masks").exists()
    assert sorted(path.name for path in out.iterdir()) == [
        "README.txt", "data", "left_out.csv", "manifest.csv", "manualfake.json",
    ]  # fmt: skip


def test_the_manifest_tells_what_folders_cannot(data: Dataset, tmp_path: Path) -> None:
    made = export_manualfake(data, tmp_path / "out")
    rows = rows_of(made.folder)
    assert len(rows) == 48 and len({row["name"] for row in rows}) == 48
    for row in rows:
        own = [clip for clip in data.clips() if clip.sha256 == row["sha256"] and clip.platform == row["platform"]]
        clip = next(one for one in own if (one.original or one.id) == row["clip"])
        assert row["name"] == f"{row['clip']}__{row['platform'] or 'original'}"
        assert (out := made.folder / row["video"]).is_file() and f"/{row['set']}/" in str(out)
        assert row["label"] == str(clip.labels.label) and ("/fake/" in row["video"]) == (row["label"] == "1")
        assert (row["mask"] != "") == (row["label"] == "1")
        assert row["kind"] == clip.kind and row["scene"] == clip.scene and row["component"] == clip.component
        assert [(one["start"], one["end"]) for one in json.loads(row["segments"])] == [
            (one.start, one.end) for one in clip.segments
        ]
        assert (row["licence"], row["consent"]) == (clip.rights.licence, clip.rights.consent)
    versions: dict[str, set[str]] = {}
    for row in rows:
        versions.setdefault(row["clip"], set()).add(row["set"])
    assert len(versions) == 16 and all(len(sets) == 1 for sets in versions.values())
    assert {row["video_label"] for row in rows if row["kind"] == "edit/part"} == {""}  # unknown stays unknown
    text = (made.folder / "README.txt").read_text()
    assert "48 videos of 16 clips, each as it is and as chat, chat+tube leave it." in text
    assert "the most restrictive of its parts: CC-BY-4.0" in text and "the least of them: given" in text
    assert "above 10 of 255" in text


def test_what_has_no_forged_pixels_is_left_out_or_empty(data: Dataset, tmp_path: Path) -> None:
    made = export_manualfake(data, tmp_path / "plain")
    sound, picture = "its picture is not forged (--unmasked empty takes it)", "its picture is forged, or nobody knows"
    assert made.left_out[sound] == 12 and sum(made.left_out.values()) == 24
    assert [number for reason, number in made.left_out.items() if reason.startswith(picture)] == [12]
    with (made.folder / "left_out.csv").open(newline="") as file:
        left = list(csv.DictReader(file))
    assert {(row["kind"], row["reason"][:14]) for row in left} == {
        ("audio/swap", "its picture is"), ("head/self", "its picture is")
    }  # fmt: skip
    options = ManualfakeOptions(unmasked="empty", empty_masks=True, splits=("validation",))
    whole = export_manualfake(data, tmp_path / "whole", options)
    assert (whole.n_real, whole.n_fake, whole.n_masks, sum(whole.left_out.values())) == (12, 18, 30, 6)
    rows = rows_of(whole.folder)
    assert {row["set"] for row in rows} == {"val"}
    for row in rows:
        seen, times = seen_by_opencv(whole.folder / row["mask"])
        assert bool(seen.any()) == (row["kind"] in ("lips/cross", "edit/part"))
        assert len(times) == int(row["n_frames"]) and seen.shape[1:] == (int(row["height"]), int(row["width"]))


def test_a_stopped_export_goes_on(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = export_manualfake(data, tmp_path / "whole")

    def stop(done: int, total: int) -> None:
        assert total == 48
        if done == 30:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        export_manualfake(data, out, progress=stop)
    assert not (out / "manifest.csv").exists()
    videos = sorted((out / "data").rglob("*.mp4"))
    (videos[0].parent / ".tmp-1-0123456789ab").write_bytes(b"half")
    next(path for path in videos if "videos" in path.parts).write_bytes(b"cut")  # no longer what the set has
    again = export_manualfake(data, out)
    assert again.kept == len(videos) - 1
    assert files_of(out) == files_of(whole.folder)
    third = export_manualfake(data, out)
    assert third.kept == 48 + 24 and files_of(out) == files_of(whole.folder)


def test_a_folder_of_something_else_is_not_touched(data: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("x")
    with pytest.raises(CmdfdError, match="holds something else than an export of this kind"):
        export_manualfake(data, out, ManualfakeOptions(overwrite=True))
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    for folder in (data.folder / "x", data.folder.parent):
        with pytest.raises(CmdfdError, match=r"lies inside the set .* or around it"):
            export_manualfake(data, folder)
    once = tmp_path / "once"
    export_manualfake(data, once, ManualfakeOptions(splits=("train",)))
    with pytest.raises(CmdfdError, match="holds an export of another set, or with other options; --overwrite"):
        export_manualfake(data, once, ManualfakeOptions(splits=("validation",)))
    made = export_manualfake(data, once, ManualfakeOptions(splits=("validation",), overwrite=True))
    assert [path.name for path in (made.folder / "data").iterdir()] == ["val"] and made.kept == 0
    for name, match in (("nope", "has no split 'nope'"), ("test", "has no split 'test'")):
        with pytest.raises(CmdfdError, match=match):
            export_manualfake(data, tmp_path / "no", ManualfakeOptions(splits=(name,)))
    with pytest.raises(CmdfdError, match="unknown value 'move'"):
        ManualfakeOptions(link="move")  # type: ignore[arg-type]
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("link", ["hard", "symbolic"])
def test_links_save_room(data: Dataset, tmp_path: Path, link: str) -> None:
    made = export_manualfake(data, tmp_path / "out", ManualfakeOptions(link=link))  # type: ignore[arg-type]
    places = {f"{clip.original or clip.id}__{clip.platform or 'original'}": data.path_of(clip) for clip in data.clips()}
    for row in rows_of(made.folder):
        path = made.folder / row["video"]
        assert path.is_symlink() == (link == "symbolic") and path.samefile(places[row["name"]])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
    again = export_manualfake(data, tmp_path / "out", ManualfakeOptions(link=link))  # type: ignore[arg-type]
    assert again.kept == 72


def test_withheld_splits_stay_at_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_ = write_toy_set(tmp_path / "set", (LIPSYNC_CROSS,), splits=("train", "test"), withheld=("test",))
    assert main([str(set_.folder)]) == 0
    told = capsys.readouterr().out
    assert "2 real and 2 fake videos, 2 masks" in told and "left out, its labels are withheld: test" in told
    out = tmp_path / "set-manualfake"
    assert [path.name for path in (out / "data").iterdir()] == ["train"]
    hidden = [clip.id for clip in set_.clips("test")]
    told = "".join(path.read_text() for path in out.iterdir() if path.is_file())
    assert not [name for name in hidden if name in told]
    assert main([str(set_.folder), "--split", "test", "--out", str(tmp_path / "x")]) == 2
    assert "the labels of 'test' are withheld" in capsys.readouterr().err
    alone = write_toy_set(tmp_path / "alone", (LIPSYNC_CROSS,), withheld=("test",))
    assert main([str(alone.folder)]) == 2
    assert "no clip to export; the labels of test are withheld" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2


def test_damaged_sets_and_hostile_names(tmp_path: Path) -> None:
    evil = Platform("../../../tmp/x y;$(id)", 1.0)
    hostile = write_toy_set(
        tmp_path / "set",
        (LIPSYNC_CROSS,),
        platforms=(evil,),
        change=lambda clip: replace(clip, rights=Rights("a\x1b[31m\nb", "")),
    )
    made = export_manualfake(hostile, tmp_path / "out")
    names = {path.name.partition("__")[2] for path in (made.folder / "data").rglob("*.mp4")}
    assert names == {"original.mp4", ".._.._.._tmp_x_y___id_.mp4"}
    assert "\x1b" not in (made.folder / "README.txt").read_text()
    twice = write_toy_set(tmp_path / "two", (LIPSYNC_CROSS,), platforms=(Platform("a b", 1.0), Platform("a;b", 1.0)))
    with pytest.raises(CmdfdError, match=r"'a b' and 'a;b' would both be called '\w{16}__a_b'"):
        export_manualfake(twice, tmp_path / "no")
    fake = next(clip for clip in hostile.clips() if clip.mask and clip.platform)
    mask = hostile.mask_of(fake)
    assert mask is not None
    frames = read_mask(mask).frames
    for wrong, fps, match in (
        (frames[:-1], fake.fps, "has not the 20 frames"),
        (np.concatenate([frames, frames[:1]]), fake.fps, "has not the 20 frames"),
        (frames[:, :-2], fake.fps, "64x62, but .* is 64x64"),
        (frames, 30.0, r"frame 1 is 7.0 ms off"),
    ):
        write_mask(mask, wrong, fps)
        with pytest.raises(CmdfdError, match=match):
            export_manualfake(hostile, tmp_path / "broken")
    mask.write_bytes(b"no film")
    with pytest.raises(MediaError):
        export_manualfake(hostile, tmp_path / "broken")
    hostile.path_of(fake).unlink()
    with pytest.raises(CmdfdError, match="missing; the set is damaged"):
        export_manualfake(hostile, tmp_path / "broken")
    left = list((tmp_path / "broken").rglob(".tmp-*"))
    assert not left and not (tmp_path / "broken" / "manifest.csv").exists()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1),
    st.sampled_from([Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 12800), Fraction(1, 90000)]),
)  # fmt: skip
def test_every_grey_comes_back_at_its_time(
    tmp_path_factory: pytest.TempPathFactory, n: int, width: int, height: int, seed: int, base: Fraction
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, height, width), dtype=np.uint8)
    stamps = np.cumsum(rng.integers(1, 4, n) * max(round(Fraction(1, 30) / base), 1)) - 1
    path = tmp_path_factory.getbasetemp() / "grey.mp4"
    clock = Clock(tuple(int(stamp) for stamp in stamps), base, width, height)
    write_grey(path, images, clock)
    seen, _ = seen_by_opencv(path)
    assert (seen == images).all()
    back = read_mask(path)
    assert (back.frames == images).all()
    assert np.abs(back.times - [float(stamp * base) for stamp in clock.stamps]).max() < 1e-4
    assert len(clock_of(path).stamps) == n


def test_masks_are_as_the_published_ones(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (30, 16, 1))
    write_grey(tmp_path / "a.mp4", ramp, Clock(tuple(range(0, 30 * 512, 512)), Fraction(1, 12800), 256, 16))
    write_grey(tmp_path / "b.mp4", ramp, Clock(tuple(range(0, 30 * 512, 512)), Fraction(1, 12800), 256, 16))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert b"x264" not in (tmp_path / "a.mp4").read_bytes()
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.profile) == ("h264", "High 4:4:4 Predictive")
        assert not container.streams.audio and "encoder" not in container.metadata
    with pytest.raises(ValueError, match="no picture"):
        write_grey(tmp_path / "c.mp4", [], Clock((), Fraction(1, 25), 4, 4))
    with pytest.raises(MediaError):
        convert_mask(None, tmp_path / "absent.mp4", tmp_path / "d.mp4")
    assert not (tmp_path / "d.mp4").exists()


def test_versions_and_bystanders_drive_nobody(data: Dataset, tmp_path: Path) -> None:
    found = origins(data)
    for clip in data.clips():
        assert found[clip.id].donor == found[clip.original or clip.id].donor
        assert clip.id not in {origin.donor for origin in found.values()}
    assert set(EXPORTS) == {"cmdfd", "manualfake"}
    with pytest.raises(CmdfdError, match="unknown export 'manual'"):
        export_beside(data, "manual")
    small = write_toy_set(tmp_path / "small", (LIPSYNC_CROSS,))
    assert export_beside(small, "manualfake")[0].startswith("2 real and 2 fake videos, 2 masks: ")
    place = "data/test/real/videos/old.mp4"
    (tmp_path / "small-manualfake" / place).write_bytes(b"of an older set")
    (tmp_path / "small-manualfake" / "manifest.csv").write_text(f"name,video,mask\nold,{place},\nx,../../small,/etc\n")
    (tmp_path / "small-manualfake" / "manualfake.json").write_text("{}")
    export_beside(small, "manualfake")
    assert len(list((tmp_path / "small-manualfake").rglob("*.mp4"))) == 6
    assert export_beside(small, "cmdfd") == [str((tmp_path / "small-cmdfd" / "lips_test.csv").resolve())]


def test_a_build_exports_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tiny_source import HARMONISE

    from generators.build import main as build

    recipe = {
        "schema_version": 1,
        "name": "tiny",
        "source": {"kind": "tiny_source:TinySource"},
        "splits": {"test": {"identities": 2, "clips": 1}},
        "kinds": [{"kind": "video/mouth_warp"}],
        "harmonise": {**HARMONISE, "crf": list(HARMONISE["crf"])},
        "audit": {"gate": False},
    }
    (tmp_path / "tiny.yaml").write_text(json.dumps(recipe))  # JSON is YAML
    command = [str(tmp_path / "tiny.yaml"), "--out", str(tmp_path / "set"), "--executor", "serial"]
    assert build([*command, "--export", "manualfake", "--dry-run"]) == 2
    assert "does not go with --dry-run" in capsys.readouterr().err and not (tmp_path / "set").exists()
    assert build([*command, "--export", "manualfake"]) == 0
    assert "2 real and 2 fake videos, 2 masks: " in capsys.readouterr().out
    assert len(rows_of(tmp_path / "set-manualfake")) == 4
    assert build([*command, "--export", "manualfake", "--export", "cmdfd"]) == 0  # a finished set, too
    assert (tmp_path / "set-cmdfd").is_dir()
