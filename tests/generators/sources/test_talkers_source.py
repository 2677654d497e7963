"""Takes of talkers: planning without leaks, speech that fills them, lips that follow it, one result everywhere."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from cmdfd.clip import SPLITS
from cmdfd.errors import CmdfdError
from cmdfd.faces.tracks import INNER_LIP_BOTTOM, INNER_LIP_TOP, OUTER_EYES
from generators.generator import Take
from generators.sources.contract import SourceItem
from generators.sources.talkers import sound, speech
from generators.sources.talkers.identity import draw_identity
from generators.sources.talkers.source import TalkerSource, perform, render_take, revoice_voice
from generators.sources.talkers.voices import CASTS, POOLS

pytest.importorskip("espeakng_loader")

SMALL = {split: {"identities": 6, "clips": 2} for split in SPLITS}


def items(cast: str = "a", seed: int = 0, **options: object) -> tuple[SourceItem, ...]:
    return TalkerSource({"cast": cast, **options}).plan(SMALL, seed).items


def digest(take: Take) -> str:
    assert take.track is not None and take.speech is not None
    whole = hashlib.sha256(take.frames.tobytes() + take.audio.tobytes() + take.track.points.tobytes())
    whole.update(take.speech.text.encode())
    return whole.hexdigest()


def digest_of(item: SourceItem) -> str:
    return digest(render_take(item))


def opening(take: Take) -> np.ndarray:
    assert take.track is not None
    p = take.track.points
    gap = np.linalg.norm(p[:, INNER_LIP_TOP] - p[:, INNER_LIP_BOTTOM], axis=1)
    return gap / np.linalg.norm(p[:, OUTER_EYES[0]] - p[:, OUTER_EYES[1]], axis=1)


@pytest.fixture(scope="module")
def takes() -> list[Take]:
    """One take each of five people, cast b, default difficulty."""
    return [render_take(item) for item in [item for item in items("b") if item.key.endswith("-0")][:5]]


def test_plan_is_complete_and_json() -> None:
    sizes = {"train": {"identities": 3, "clips": 2}, "test": {"identities": 1, "clips": 4}}
    plan = TalkerSource({}).plan(sizes, 7)
    assert [item.split for item in plan.items] == ["train"] * 6 + ["test"] * 4
    assert len({item.key for item in plan.items}) == 10
    assert len({item.face_id for item in plan.items}) == 4
    for item in plan.items:
        assert json.loads(json.dumps(item.spec)) == item.spec
        assert item.rights.licence == "Apache-2.0" and item.rights.consent == "synthetic"
        assert item.face_id != item.voice_id and len(item.source_ids) == 1
    assert plan == TalkerSource({}).plan(
        {"test": {"identities": 1, "clips": 4}, "train": {"identities": 3, "clips": 2}}, 7
    )


def test_more_people_keep_the_first_ones() -> None:
    few = TalkerSource({}).plan({"test": {"identities": 2, "clips": 1}}, 0).items
    many = (
        TalkerSource({}).plan({"train": {"identities": 9, "clips": 1}, "test": {"identities": 5, "clips": 3}}, 0).items
    )
    assert {item.key: item for item in few}.items() <= {item.key: item for item in many}.items()


def test_casts_splits_and_seeds_share_no_face() -> None:
    cells = {}
    for seed in (0, 1):
        for cast in CASTS:
            for item in items(cast, seed):
                cells.setdefault((seed, cast, item.split), set()).add((item.face_id, item.spec["face_seed"]))
    for first, second in combinations(cells, 2):
        assert not cells[first] & cells[second]
        assert not {f for f, _ in cells[first]} & {f for f, _ in cells[second]}


def test_reserved_voices_belong_to_nobody() -> None:
    for cast in CASTS:
        for item in items(cast):
            sex = draw_identity(item.spec["face_seed"]).sex
            reserved = revoice_voice(item)
            assert reserved["variant"] in POOLS[cast, str(item.split), sex].reserved
            twin = next(i for i in items(cast) if i.face_id == item.face_id)
            assert revoice_voice(twin) == reserved  # one per person


@pytest.mark.parametrize(
    "options", [{"cast": "c"}, {"size": 32}, {"seconds": 0.2}, {"difficulty": 2}, {"colour": 1}, {"size": "big"}]
)
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TalkerSource(options)


def test_wrong_splits_are_refused() -> None:
    with pytest.raises(CmdfdError, match="did you mean 'train'"):
        TalkerSource({}).plan({"trian": {"identities": 1, "clips": 1}}, 0)
    for wrong in (-1, "many"):
        with pytest.raises(CmdfdError, match=r"splits.train.identities: .*talkers take identities, clips"):
            TalkerSource({}).plan({"train": {"identities": wrong, "clips": 1}}, 0)


def test_take_is_whole(takes: list[Take]) -> None:
    for take in takes:
        assert take.frames.shape == (95, 224, 224, 3) and take.frames.dtype == np.uint8
        assert take.audio.dtype == np.float32 and take.sample_rate == 16000
        assert len(take.audio) / 16000 >= take.duration
        assert 0.2 < np.abs(take.audio).max() <= 1.0
        assert take.track is not None and take.track.found.all() and take.track.backend == "renderer"
        assert take.track.points.min() > 0 and take.track.points.max() < 1
        np.testing.assert_allclose(take.track.times, np.arange(95) / 25)
        first, last = take.frames[0].astype(int), take.frames[-1].astype(int)
        assert first.std() > 15 and np.abs(first - last).mean() > 0.5


def test_any_window_holds_speech(takes: list[Take]) -> None:
    for take in takes:
        assert take.speech is not None
        spoken = [p for p in take.speech.phones if p.label]
        assert take.speech.text.count(".") >= 2
        assert len(take.audio) / take.sample_rate < take.duration + 2.5
        assert spoken[0].start < 0.4 and spoken[-1].end >= take.duration
        for start in np.arange(0, take.duration - 0.8, 0.1):
            share = sum(max(min(p.end, start + 0.8) - max(p.start, start), 0) for p in spoken)
            assert share > 0.25


def test_lips_follow_the_voice(takes: list[Take]) -> None:
    """Opening against loudness: highest in step, far lower five frames off; the mean over several people."""
    rows = []
    for take in takes:
        gap, loud = opening(take), np.sqrt(sound.envelope(take.audio, len(take.frames), take.fps))
        rows.append([np.corrcoef(gap[12:-12], loud[12 + s : len(loud) - 12 + s])[0, 1] for s in (-5, -1, 0, 1, 5)])
    early, _, now, _, late = np.mean(rows, axis=0)
    assert now > 0.3
    assert max(early, late) < 0.5 * now


def test_lips_close_on_bilabials(takes: list[Take]) -> None:
    closed, other = [], []
    for take in takes:
        assert take.speech is not None
        gap = opening(take)
        wide = np.percentile(gap, 90)
        for p in take.speech.phones:
            frame = round((p.start + p.end) / 2 * take.fps)
            if not 1 <= frame < len(gap) - 1:
                continue
            low = gap[frame - 1 : frame + 2].min() / wide
            if p.label in {"p", "b", "m"}:
                closed.append(low)
            elif any(vowel in p.label for vowel in "aæɑɐ"):
                other.append(gap[frame] / wide)
    assert len(closed) > 20
    assert np.median(closed) < 0.12 < np.median(other)
    assert np.mean(np.array(closed) < 0.3) > 0.8


@pytest.mark.slow
def test_same_bytes_in_another_process() -> None:
    chosen = [items("a", seconds=1.0, size=128)[i] for i in (3, 0)]
    here = [digest_of(item) for item in chosen]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = list(pool.map(digest_of, chosen[::-1], timeout=120))
    assert here == there[::-1]
    assert here[0] != here[1]


def spoken_by(take: Take) -> dict[str, Any]:
    """The voices of a take; the room that it was recorded in is another matter."""
    assert take.speech is not None
    return {name: value for name, value in take.speech.voice.items() if name != "room"}


def test_a_room_gives_the_take_its_sound_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dry words of a take, recorded in its room again, are the take's sound to the last bit."""
    from generators.sources.talkers import sound, source

    heard = []
    record = sound.record

    def listening(speech: Any, length: int, room: Any, other: Any, rng: Any) -> Any:
        heard.append((speech, length, room))
        return record(speech, length, room, other, rng)

    monkeypatch.setattr(sound, "record", listening)
    item = items("a", seconds=1.0, size=96)[0]
    done = perform(item)
    speech, length, room = heard[0]
    start = round(room.lead * 16000)
    on_clock = np.zeros(length, np.float32)
    on_clock[start : start + len(speech)] = speech[: length - start]
    np.testing.assert_array_equal(source.in_room(done.speech.voice["room"], on_clock), done.audio)


def test_knobs_leave_the_other_streams_alone() -> None:
    """Difficulty changes lips and noise, but not face, framing, words or the first picture's head."""
    easy, hard = (render_take(items("a", seconds=1.0, size=96, difficulty=h)[0]) for h in (0.0, 1.0))
    assert easy.speech is not None and hard.speech is not None and easy.track is not None and hard.track is not None
    assert (easy.speech.text, easy.speech.phones) == (hard.speech.text, hard.speech.phones)
    assert spoken_by(easy) == spoken_by(hard)
    rigid = [36, 39, 42, 45, 27, 28]
    np.testing.assert_array_equal(easy.track.points[:, rigid], hard.track.points[:, rigid])
    assert np.abs(opening(easy) - opening(hard)).max() > 0.01
    assert not np.array_equal(easy.audio, hard.audio)


def test_visemes_of_a_take_move_its_points() -> None:
    """The sidecar of lip parameters without drawing, and the points of the drawn take, tell the same."""
    item = items("a", seconds=2.0, size=96)[4]
    done, take = perform(item), render_take(item)
    assert done.speech == take.speech
    np.testing.assert_array_equal(done.audio, take.audio)
    parted = done.lips.open * np.clip(1 - 1.5 * done.lips.press, 0, 1)
    assert np.corrcoef(parted, opening(take))[0, 1] > 0.95


def test_sidecars_lie_beside_the_take(tmp_path: Path) -> None:
    """Landmarks, words with phonemes, and visemes; all on the clock of the frames."""
    item = items("a", seconds=1.0, size=96)[0]
    TalkerSource({"cast": "a", "seconds": 1.0, "size": 96}).materialise(item, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"clip.mkv", "track.npz", "speech.json", "visemes.npz"}
    done = perform(item)
    with np.load(tmp_path / "visemes.npz", allow_pickle=False) as stored:
        assert set(stored.files) == {"open", "wide", "press", "bite", "tongue"}
        np.testing.assert_array_equal(stored["open"], done.lips.open)
        assert len(stored["wide"]) == 25
    phones = json.loads((tmp_path / "speech.json").read_text())["phones"]
    assert [phone["label"] for phone in phones] == [phone.label for phone in done.speech.phones]


def test_revoiced_words_have_the_same_sounds(takes: list[Take]) -> None:
    """Same accent and rate: the reserved voice says the same phones, so that an adapter can align them."""
    same = 0
    chosen = [item for item in items("b") if item.key.endswith("-0")][:5]
    for item, take in zip(chosen, takes, strict=True):
        assert take.speech is not None
        other = speech.speak(take.speech.text, revoice_voice(item), 0)
        same += [p.label for p in other.phones if p.label] == [p.label for p in take.speech.phones if p.label]
    assert same >= 4


def test_clips_of_a_person_share_face_and_voice_but_not_words() -> None:
    first, second = (render_take(item) for item in items("a", seconds=1.0, size=96)[:2])
    assert first.speech is not None and second.speech is not None
    assert spoken_by(first) == spoken_by(second) and first.speech.text != second.speech.text


def test_fast_enough() -> None:
    """A default run draws 22 000 frames; the bound is loose because test machines are shared."""
    item = items("a", 5)[0]
    render_take(item)
    start = time.process_time()
    take = render_take(item)
    assert (time.process_time() - start) / len(take.frames) < 0.020


def test_materialise_keeps_everything(tmp_path: Path) -> None:
    store = pytest.importorskip("generators.sources.store")
    item = items("a", seconds=1.0, size=96)[0]
    folder = tmp_path / "take"
    folder.mkdir()
    TalkerSource({}).materialise(item, folder)
    back, take = store.load_take(folder), render_take(item)
    assert back.speech == take.speech
    np.testing.assert_array_equal(back.track.points, take.track.points)
    assert np.abs(back.frames.astype(int) - take.frames).mean() < 4
    n = round(take.duration * take.sample_rate)
    assert np.corrcoef(back.audio[:n], take.audio[:n])[0, 1] > 0.999


@pytest.mark.slow
@pytest.mark.face
def test_an_independent_tracker_agrees() -> None:
    """MediaPipe's face mesh finds every face and sees the points where the renderer has them."""
    mediapipe = pytest.importorskip("mediapipe")
    if not hasattr(mediapipe, "solutions"):
        pytest.skip("this mediapipe has no legacy solutions")
    pairs = {36: 33, 39: 133, 42: 362, 45: 263, 48: 61, 54: 291, 51: 0, 57: 17, 62: 13, 66: 14}
    found = total = 0
    correlations, errors = [], []
    for item in [i for i in items("a") + items("b") if i.key.endswith("-0")][:24]:
        take = render_take(item)
        assert take.track is not None
        mesh = mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True)
        seen, true = [], []
        for frame, points in zip(take.frames, take.track.points, strict=True):
            total += 1
            faces = mesh.process(frame).multi_face_landmarks
            if not faces:
                continue
            found += 1
            marks = np.array([(m.x, m.y) for m in faces[0].landmark])
            eyes = np.linalg.norm(points[36] - points[45])
            errors.append(np.mean([np.linalg.norm(marks[m] - points[i]) for i, m in pairs.items()]) / eyes)
            seen.append(np.linalg.norm(marks[13] - marks[14]))
            true.append(np.linalg.norm(points[62] - points[66]))
        mesh.close()
        correlations.append(np.corrcoef(seen, true)[0, 1])
    assert found / total >= 0.995
    assert np.mean(correlations) > 0.85
    assert np.mean(errors) < 0.04
