from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from folder_media import BACKEND, clip, ledger_of_inventory, tone, write_ledger

from cmdfd.errors import MEDIA_CODES, CmdfdError, MediaError, MissingExtraError
from cmdfd.faces import mediapipe_solutions, mediapipe_tasks
from cmdfd.media.encode import write_clip
from cmdfd.media.settings import EncoderSettings
from generators.sources.contract import SourceItem
from generators.sources.folder import FolderSource
from generators.sources.sources_csv import SourcesCsvError
from generators.sources.store import load_take
from generators.sources.words_file import WordsFileError

FAST = EncoderSettings(preset="ultrafast", crf=16)


def record(path: Path, seconds: float = 3.0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = clip(seconds, **options)  # type: ignore[arg-type]
    write_clip(path, frames, 25.0, tone(seconds), 48000, FAST)
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of Anna, a long one of Bob, and their ledger."""
    folder = tmp_path_factory.mktemp("recordings")
    record(folder / "anna 1.mp4")
    record(folder / "sub" / "anna_2.mp4", 3.4, drift=5)
    record(folder / "bob.mp4", 8.2, size=100)
    rows = [
        ("anna 1.mp4", "anna", "CC-BY-4.0", "given", "true"),
        ("sub/anna_2.mp4", "anna", "CC-BY-4.0", "given", "true"),
        ("bob.mp4", "bob", "unclear", "unknown", "yes"),
    ]
    write_ledger(folder / "sources.csv", rows)
    return folder


@pytest.fixture
def copied(recordings: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copied"
    shutil.copytree(recordings, folder)
    return folder


def source(folder: Path, **options: object) -> FolderSource:
    return FolderSource({"folder": str(folder), "face_backend": BACKEND, **options})


def test_plan_lists_takes_with_people_rights_and_spans(recordings: Path) -> None:
    plan = source(recordings).plan({}, 0)
    assert plan.refused == ()
    assert [(item.spec["file"], item.spec["start"], item.spec["seconds"]) for item in plan.items] == [
        ("anna 1.mp4", 0.0, 3.0),
        ("sub/anna_2.mp4", 0.0, 3.4),
        ("bob.mp4", 0.0, 3.8),
        ("bob.mp4", 3.8, 3.8),
    ]
    assert [item.face_id for item in plan.items] == ["anna", "anna", "bob", "bob"]
    assert all(item.voice_id == item.face_id and item.split is None for item in plan.items)
    assert len({item.key for item in plan.items}) == 4
    assert plan.items[2].source_ids == plan.items[3].source_ids
    assert len({item.source_ids for item in plan.items}) == 3
    assert plan.items[0].rights.licence == "CC-BY-4.0"
    assert plan.items[2].rights.consent == "unknown"


def test_a_plan_is_json_repeats_and_does_not_tell_where_the_folder_is(recordings: Path, copied: Path) -> None:
    def told(folder: Path) -> str:
        return json.dumps([[item.key, item.source_ids, dict(item.spec)] for item in source(folder).plan({}, 0).items])

    assert told(recordings) == told(recordings) == told(copied)
    assert str(recordings) not in told(recordings)


def test_content_and_not_the_name_makes_the_ids(copied: Path) -> None:
    before = source(copied).plan({}, 0).items[0]
    (copied / "anna 1.mp4").rename(copied / "renamed.mp4")
    write_ledger(copied / "sources.csv", [("renamed.mp4", "anna", "MIT", "given", "true")])
    after = source(copied).plan({}, 0).items[0]
    assert (before.key, before.source_ids) == (after.key, after.source_ids)
    assert "anna" not in before.key


def test_materialise_writes_a_take_that_can_be_read_back(recordings: Path, tmp_path: Path) -> None:
    made = source(recordings, size=128)
    item = made.plan({}, 0).items[1]
    made.materialise(item, tmp_path)
    take = load_take(tmp_path)
    assert take.frames.shape == (85, 128, 128, 3)
    assert (take.fps, take.sample_rate) == (25.0, 16000)
    assert len(take.audio) == 54400
    assert np.abs(take.audio).max() > 0.2
    assert take.track is not None
    assert take.track.backend == "dots 1"
    assert len(take.track.times) == 85
    assert take.speech is None


def test_materialise_is_a_pure_function_of_the_item(recordings: Path, tmp_path: Path) -> None:
    item = source(recordings).plan({}, 0).items[0]
    through_json = SourceItem(**{**_fields(item), "spec": json.loads(json.dumps(dict(item.spec)))})
    for name, each in (("a", item), ("b", through_json)):
        (tmp_path / name).mkdir()
        source(recordings).materialise(each, tmp_path / name)
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {"clip.mkv", "track.npz"} <= set(written)
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def _fields(item: SourceItem) -> dict:
    return {name: getattr(item, name) for name in item.__slots__}


def test_options_may_be_keywords_too(recordings: Path) -> None:
    made = FolderSource(folder=str(recordings), face_backend=BACKEND, max_takes_per_file=1)
    assert len(made.plan({}, 0).items) == 3


def test_length_of_takes_can_be_chosen(recordings: Path) -> None:
    plan = source(recordings, seconds=2.0, min_seconds=2.0, max_takes_per_file=3).plan({}, 0)
    assert [item.spec["start"] for item in plan.items if item.spec["file"] == "bob.mp4"] == [0.0, 2.0, 4.0]
    short = source(recordings, min_seconds=3.2).plan({}, 0)
    assert [(each.file, each.code) for each in short.refused] == [("anna 1.mp4", "too_short")]
    assert "3.00 s" in short.refused[0].reason


# --- word times ----------------------------------------------------------------------------------------------------

WORDS = "word,start,end\nthe,0.5,0.8\nbig,3.6,4.0\nred,4.0,4.4\nboat,7.2,7.8\n"


def test_word_times_beside_a_recording_come_to_its_takes(copied: Path, tmp_path: Path) -> None:
    before = {item.key: dict(item.spec) for item in source(copied).plan({}, 0).items}
    (copied / "bob.words.csv").write_text(WORDS)
    (copied / "sub" / "anna_2.mp4.words.json").write_text('[{"word": "yes", "start": 1, "end": 1.5}]')
    made = source(copied, size=64)
    items = {item.spec["file"] + str(item.spec["start"]): item for item in made.plan({}, 0).items}
    assert items["bob.mp43.8"].spec["words"] == "bob.words.csv"
    assert items["sub/anna_2.mp40.0"].spec["words"] == "sub/anna_2.mp4.words.json"
    assert "words" not in items["anna 1.mp40.0"].spec
    # a recording without word times keeps its address
    assert before[items["anna 1.mp40.0"].key] == {**items["anna 1.mp40.0"].spec, "size": 256}
    made.materialise(items["bob.mp43.8"], tmp_path)
    speech = load_take(tmp_path, frames=False).speech
    assert speech is not None and speech.text == "big red boat" and not speech.phones and not speech.voice
    assert [(word.text, round(word.start, 6), round(word.end, 6)) for word in speech.words] == [
        ("big", 0.0, 0.2),  # cut at the take's border
        ("red", 0.2, 0.6),
        ("boat", 3.4, 3.8),
    ]


def test_changed_word_times_are_another_item(copied: Path, tmp_path: Path) -> None:
    (copied / "bob.words.csv").write_text(WORDS)
    first = next(item for item in source(copied).plan({}, 0).items if item.spec["file"] == "bob.mp4")
    (copied / "bob.words.csv").write_text(WORDS.replace("red", "blue"))
    second = next(item for item in source(copied).plan({}, 0).items if item.spec["file"] == "bob.mp4")
    assert first.key == second.key and first.spec != second.spec
    with pytest.raises(MediaError, match="has changed since"):
        source(copied).materialise(first, tmp_path)


def test_wrong_word_times_stop_the_plan_and_are_told_all_at_once(copied: Path, tmp_path: Path) -> None:
    (copied / "bob.words.csv").write_text("word,start,end\nlate,7,99\n")
    (copied / "anna 1.words.json").write_text("{}")
    with pytest.raises(WordsFileError) as caught:
        source(copied).plan({}, 0)
    told = str(caught.value).splitlines()
    assert len(told) == 2 and "anna 1.words.json: must be a list" in told[0]
    assert "bob.words.csv: line 2: ends at 99 s, but the recording's sound has 8.2" in told[1]
    (copied / "anna 1.words.json").unlink()
    (tmp_path / "elsewhere.csv").write_text(WORDS)
    (copied / "bob.words.csv").unlink()
    (copied / "bob.words.csv").symlink_to(tmp_path / "elsewhere.csv")
    plan = source(copied).plan({}, 0)
    assert [(each.file, each.code) for each in plan.refused] == [("bob.mp4", "unsafe_reference")]


# --- hostile folders -----------------------------------------------------------------------------------------------


def test_every_unfit_file_is_refused_with_a_reason_and_stops_nothing(copied: Path, tmp_path: Path) -> None:
    rows = [("anna 1.mp4", "anna", "MIT", "given", "true")]

    def add(name: str, code: str, pristine: str = "true") -> None:
        expected[name] = code
        rows.append((name, f"person {len(rows)}", "MIT", "given", pristine))

    expected: dict[str, str] = {}
    (copied / "empty.mp4").touch()
    add("empty.mp4", "empty")
    (copied / "text.mp4").write_text("hello " * 500)
    add("text.mp4", "not_media")
    (copied / "list.mp4").write_text("#EXTM3U\nhttp://127.0.0.1:1/a.ts\n")
    add("list.mp4", "unsafe_reference")
    (copied / "cut.mp4").write_bytes((copied / "bob.mp4").read_bytes()[:8])
    add("cut.mp4", "not_media")
    write_clip(copied / "mute.mp4", clip(3.0), 25.0, None, 48000, FAST)
    add("mute.mp4", "no_audio")
    record(copied / "short.mp4", 1.0)
    add("short.mp4", "too_short")
    add("gone.mp4", "missing")
    (copied / "folder.mp4").mkdir()
    add("folder.mp4", "missing")
    add("x" * 300 + ".mp4", "missing")
    (copied / "loop.mp4").symlink_to(copied / "loop.mp4")
    add("loop.mp4", "missing")
    record(tmp_path / "outside.mp4")
    (copied / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    add("link.mp4", "unsafe_reference")
    shutil.copy(copied / "anna 1.mp4", copied / "same.mp4")
    add("same.mp4", "unsupported")
    add("bob.mp4", "unsupported", pristine="false")
    rows.append(("sub/anna_2.mp4", "anna", "MIT", "given", "true"))
    write_ledger(copied / "sources.csv", rows)

    plan = source(copied).plan({}, 0)
    assert {item.spec["file"] for item in plan.items} == {"anna 1.mp4", "sub/anna_2.mp4"}
    assert {each.file: each.code for each in plan.refused} == expected
    assert all(each.code in MEDIA_CODES and each.reason for each in plan.refused)
    reasons = {each.file: each.reason for each in plan.refused}
    assert "not pristine" in reasons["bob.mp4"]
    assert "same bytes as 'anna 1.mp4'" in reasons["same.mp4"]


def test_recordings_that_nobody_listed_are_left_out_and_told(copied: Path) -> None:
    shutil.copy(copied / "bob.mp4", copied / "sub" / "extra.MOV")
    (copied / ".hidden").mkdir()
    shutil.copy(copied / "bob.mp4", copied / ".hidden" / "cache.mp4")
    (copied / "notes.txt").write_text("no recording")
    plan = source(copied).plan({}, 0)
    assert [(each.file, each.code) for each in plan.refused] == [("sub/extra.MOV", "unsupported")]
    assert "not listed in sources.csv" in plan.refused[0].reason


def test_the_ledger_may_lie_elsewhere(copied: Path, tmp_path: Path) -> None:
    shutil.move(copied / "sources.csv", tmp_path / "mine.csv")
    with pytest.raises(SourcesCsvError, match="no such file"):
        source(copied).plan({}, 0)
    assert len(source(copied, csv=str(tmp_path / "mine.csv")).plan({}, 0).items) == 4


def test_open_identities_are_an_error_with_both_fixes(copied: Path) -> None:
    rows = [
        ("anna 1.mp4", "", "MIT", "given", "true"),
        ("bob.mp4", "bob", "MIT", "given", "true"),
        ("sub/anna_2.mp4", "", "MIT", "given", "true"),
    ]
    write_ledger(copied / "sources.csv", rows)
    with pytest.raises(SourcesCsvError) as caught:
        source(copied).plan({}, 0)
    for part in ("sources.csv", "line 2", "'anna 1.mp4'", "write who it is", "identity_per_file: true"):
        assert part in str(caught.value)
    people = [item.face_id for item in source(copied, identity_per_file=True).plan({}, 0).items]
    assert len(set(people)) == 3
    assert people.count("bob") == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"identity_per_fil": True}, "unknown option 'identity_per_fil': did you mean 'identity_per_file'"),
        ({"seconds": 0}, "seconds: "),
        ({"seconds": 2.0}, "min_seconds 2.6 is more than seconds 2.0"),
        ({"size": 255}, "size: "),
        ({"max_takes_per_file": 0}, "max_takes_per_file: "),
        ({"faces": "all"}, "faces: "),
    ],
)
def test_wrong_options_are_told_by_name(tmp_path: Path, options: dict, why: str) -> None:
    with pytest.raises(CmdfdError) as caught:
        source(tmp_path, **options)
    assert why in str(caught.value)


def test_a_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(CmdfdError, match="folder: Field required"):
        FolderSource({})
    with pytest.raises(CmdfdError, match="there is no such folder"):
        source(tmp_path / "nowhere").plan({}, 0)


def test_without_a_backend_the_plan_says_so_and_names_a_file(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mediapipe_solutions, mediapipe_tasks):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"finding faces in real video \(anna 1\.mp4\)"):
        FolderSource({"folder": str(recordings)}).plan({}, 0)


def test_an_item_planned_with_another_backend_is_refused(recordings: Path, tmp_path: Path) -> None:
    made = source(recordings)
    item = made.plan({}, 0).items[0]
    assert item.spec["backend"] == "dots 1"
    other = SourceItem(**{**_fields(item), "spec": {**item.spec, "backend": "dots 2"}})
    with pytest.raises(CmdfdError, match="planned with 'dots 2', but here faces are found by 'dots 1'"):
        made.materialise(other, tmp_path)


def test_a_file_that_changed_after_the_plan_is_refused(copied: Path, tmp_path: Path) -> None:
    made = source(copied)
    item = made.plan({}, 0).items[0]
    shutil.copy(copied / "bob.mp4", copied / "anna 1.mp4")
    with pytest.raises(MediaError, match="changed since"):
        made.materialise(item, tmp_path)
    (copied / "anna 1.mp4").unlink()
    with pytest.raises(MediaError, match="missing"):
        made.materialise(item, tmp_path)


def test_a_recording_that_breaks_off_is_refused_when_it_is_decoded(copied: Path, tmp_path: Path) -> None:
    whole = (copied / "bob.mp4").read_bytes()
    (copied / "bob.mp4").write_bytes(whole[: len(whole) // 2])
    made = source(copied)
    takes = [item for item in made.plan({}, 0).items if item.spec["file"] == "bob.mp4"]
    with pytest.raises(MediaError) as caught:
        made.materialise(takes[-1], tmp_path)
    assert caught.value.code in {"decode_failed", "too_short"}
    assert not list(tmp_path.glob("clip*"))


def test_an_item_that_was_tampered_with_reaches_no_other_file(recordings: Path, tmp_path: Path) -> None:
    made = source(recordings)
    item = made.plan({}, 0).items[0]
    outside = record(tmp_path / "outside.mp4")
    for file in (str(outside), "../" + outside.name):
        forged = SourceItem(**{**_fields(item), "spec": {**item.spec, "file": file}})
        with pytest.raises(MediaError) as caught:
            made.materialise(forged, tmp_path)
        assert caught.value.code in {"unsafe_reference", "missing"}


def test_installed_packages_that_change_the_bytes_are_named() -> None:
    from importlib.metadata import version

    names = FolderSource({"folder": "."}).neutral()
    assert {"av", "numpy"} <= set(names)
    assert any(name.startswith("opencv") for name in names)
    for name in names:
        assert version(name)


# --- real clips ----------------------------------------------------------------------------------------------------


def test_a_ledger_for_the_shared_clips(shared_clips: Path, tmp_path: Path) -> None:
    ledger = ledger_of_inventory(shared_clips / "INVENTORY.csv", tmp_path / "sources.csv")
    plan = source(shared_clips, csv=str(ledger)).plan({}, 0)
    refused = {Path(each.file).stem: each.reason for each in plan.refused if each.file.startswith("video/")}
    assert set(refused) == {"kennedy_01", "wav2lip288_p1_01"}
    assert all("not pristine" in reason for reason in refused.values())
    takes = Counter(Path(item.spec["file"]).stem for item in plan.items)
    assert len(takes) == 21
    assert takes["latentsync_demo2_01"] == 4  # 20 s of HEVC, portrait
    assert takes["marlin_video02_01"] == 3  # 13 s at 15 fps
    assert takes["grid_a_01"] == 1  # 3 s of MPEG-1


@pytest.mark.slow
@pytest.mark.face
@pytest.mark.parametrize(
    "name",
    ["grid_a_01.mpg", "grid_s1_01.mp4", "elospheres_talker_02.mkv", "retalking_face1_01.mp4", "marlin_video02_01.mp4",
     "kennedy_02.mp4", "latentsync_demo3_01.mp4"],
)  # fmt: skip
def test_real_clips_become_takes(shared_clips: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    ledger = write_ledger(tmp_path / "sources.csv", [(f"video/{name}", "someone", "unclear", "unknown", "true")])
    made = FolderSource({"folder": str(shared_clips), "csv": str(ledger), "max_takes_per_file": 1})
    (item,) = made.plan({}, 0).items
    made.materialise(item, tmp_path)
    take = load_take(tmp_path)
    assert take.track is not None
    assert len(take.frames) >= 73
    assert take.track.found.mean() > 0.95
    pixels = take.track.points * 256
    eyes = np.linalg.norm(pixels[:, 45] - pixels[:, 36], axis=1)
    assert np.median(eyes) == pytest.approx(256 / (1.7 * 1.94), rel=0.05)
    assert pixels[:, 8, 1].min() > 0
    assert pixels[:, 8, 1].max() < 256  # the chin stays in the picture
