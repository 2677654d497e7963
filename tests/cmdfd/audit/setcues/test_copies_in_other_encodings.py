"""Fingerprints: copies in another encoding are found, and other clips of one person are not taken for copies."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from talking import FPS, RATE, copy, picture, prints, voice, write

from cmdfd.audit.setcues import PRINT_COLUMNS, fingerprint
from cmdfd.audit.setcues.bits import count_bits
from cmdfd.audit.setcues.near import Alike, alike_pairs, same_picture, same_sound
from cmdfd.audit.setcues.prints import audio_print, read_audio, read_video, video_print
from cmdfd.media.sound import Audio

#: Ways to code a clip again, by name.
WAYS: dict[str, tuple[object, ...]] = {
    "worse.mp4": ("-c:v", "libx264", "-crf", 34, "-c:a", "aac", "-b:a", "32k"),
    "half.mkv": ("-vf", "scale=64:64", "-c:v", "libx264", "-crf", 26, "-c:a", "libmp3lame", "-b:a", "48k"),
    "old.avi": ("-c:v", "mpeg4", "-q:v", 9, "-ar", 22050, "-c:a", "mp2", "-b:a", "64k"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two persons with two clips each, and copies of the first clip."""
    out = tmp_path_factory.mktemp("talking")
    for person, clip in itertools.product((1, 2), (1, 2)):
        write(out / f"p{person}c{clip}.mp4", picture(person, clip), voice(person, clip))
    for name, options in WAYS.items():
        copy(out / "p1c1.mp4", out / name, *options)
    return out


@pytest.fixture(scope="module")
def known(folder: Path) -> dict[str, dict[str, str | None]]:
    return {path.name: prints(path) for path in sorted(folder.iterdir()) if path.suffix not in (".rgb", ".f32")}


def pairs_of(known: dict[str, dict[str, str | None]], names: list[str]) -> list[Alike]:
    return alike_pairs([known[n]["print_video"] or "" for n in names], [known[n]["print_audio"] or "" for n in names])


def test_copies_are_found_by_picture_and_by_sound_and_nothing_else_is(known: dict[str, dict[str, str | None]]) -> None:
    names = list(known)
    copies = {k for k, name in enumerate(names) if name in (*WAYS, "p1c1.mp4")}
    found = pairs_of(known, names)
    assert {(one.first, one.second) for one in found} == set(itertools.combinations(sorted(copies), 2))
    assert all(one.picture and one.sound for one in found)


def test_clips_of_one_person_look_alike_yet_are_no_copies(known: dict[str, dict[str, str | None]]) -> None:
    a, b = (read_video(known[f"p1c{k}.mp4"]["print_video"] or "") for k in (1, 2))
    assert a is not None and b is not None
    n = min(len(a.looks), len(b.looks))
    assert count_bits(a.looks[:n] ^ b.looks[:n]).max() <= 6  # a search by looks alone would call them copies
    assert same_picture(a, b) is False


def test_a_fake_with_the_picture_of_one_clip_and_the_sound_of_another_shares_one_stream_with_each(
    known: dict[str, dict[str, str | None]],
) -> None:
    fake = {"print_video": known["worse.mp4"]["print_video"], "print_audio": known["p2c1.mp4"]["print_audio"]}
    whole = {**known, "fake": fake}
    found = pairs_of(whole, ["p1c1.mp4", "p2c1.mp4", "fake"])
    assert found == [Alike(0, 2, True, False), Alike(1, 2, False, True)]


def test_another_container_around_the_same_streams_has_equal_hashes(
    folder: Path, tmp_path: Path, known: dict[str, dict[str, str | None]]
) -> None:
    moved = prints(copy(folder / "p2c2.mp4", tmp_path / "moved.mov", "-c", "copy"))
    assert moved == known["p2c2.mp4"]
    worse = known["worse.mp4"]
    assert (
        worse["hash_video"] != known["p1c1.mp4"]["hash_video"]
        and worse["hash_audio"] != known["p1c1.mp4"]["hash_audio"]
    )


def test_a_copy_that_begins_later_is_found_by_its_sound_which_tells_where_its_picture_begins(
    folder: Path, tmp_path: Path, known: dict[str, dict[str, str | None]]
) -> None:
    options = ("-ss", 0.62, "-c:v", "libx264", "-crf", 28, "-c:a", "aac", "-b:a", "64k")
    later = prints(copy(folder / "p1c1.mp4", tmp_path / "later.mp4", *options))
    found = pairs_of({**known, "later": later}, ["p1c1.mp4", "p1c2.mp4", "later"])
    assert found == [Alike(0, 2, True, True)]


def test_louder_softer_and_filtered_sound_is_one_sound() -> None:
    sound = voice(3, 1)
    filtered = np.convolve(sound, [0.5, 0.3, 0.2], "same").astype(np.float32) * 0.2
    assert same_sound(read_audio(audio_print(sound, RATE)), read_audio(audio_print(filtered, RATE))) is True
    assert same_sound(read_audio(audio_print(sound, RATE)), read_audio(audio_print(voice(3, 2), RATE))) is False


def test_still_pictures_silence_and_grey_tell_nothing() -> None:
    still = np.repeat(np.random.default_rng(0).integers(0, 255, (1, 18, 32), dtype=np.uint8), 50, axis=0)
    times = np.arange(50) / FPS
    print_ = read_video(video_print(still, times))
    assert print_ is not None and len(print_.moves) == 0
    assert same_picture(print_, print_) is None
    assert fingerprint(None, Audio(np.zeros(RATE, np.float32), RATE, 0.0)) == dict.fromkeys(PRINT_COLUMNS)
    assert fingerprint(None, None) == dict.fromkeys(PRINT_COLUMNS)
    assert alike_pairs([video_print(still, times)] * 3, [""] * 3) == []


def test_hostile_texts_are_no_prints() -> None:
    for text in (
        "",
        "-",
        "zz-",
        "00-00",
        "0011223344556677",
        "0011223344556677-0",
        "0011223344556677-00",
        "\ud800",
        "é" * 16,
    ):
        assert read_video(text) is None, text
    for text in ("", "0", "zz", "001122", "\ud800"):
        assert read_audio(text) is None, text
    assert alike_pairs(["zz", "-"], ["0", "xyz"]) == [] and alike_pairs([], []) == []


@given(
    st.integers(1, 80), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1),
    st.sampled_from([1 / 25, 1.7, 1e9, 0.0, -1.0]),
)  # fmt: skip
def test_any_thumbs_have_a_print_that_is_one_with_itself(
    n: int, height: int, width: int, seed: int, step: float
) -> None:
    thumbs = np.random.default_rng(seed).integers(0, 256, (n, height, width), dtype=np.uint8)
    print_ = read_video(video_print(thumbs, np.arange(n) * step))
    assert print_ is not None
    assert same_picture(print_, print_) is (True if len(print_.moves) else None)


@given(st.integers(1, 40_000), st.sampled_from([8, 8000, 16000, 44101]), st.integers(0, 2**32 - 1))
def test_any_sound_has_a_print(n: int, rate: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = rng.normal(size=n).astype(np.float32)
    sound[rng.random(n) < 0.01] = np.nan
    print_ = read_audio(audio_print(sound, rate))
    assert print_ is not None and same_sound(print_, print_) in (True, None)


def test_copies_are_found_among_thousands_in_time_that_grows_with_n_log_n() -> None:
    rng = np.random.default_rng(5)
    n, steps = 2000, 80
    sounds = rng.integers(1, 2**32, (n, steps), dtype=np.uint64).astype(">u4")
    for k in range(20):  # copies with 8 % wrong bits
        wrong = (rng.random((steps, 32)) < 0.08) @ (1 << np.arange(32, dtype=np.uint64))
        sounds[n - 1 - k] = np.maximum(sounds[k] ^ wrong.astype(np.uint32), 1)
    found = alike_pairs([""] * n, [one.tobytes().hex() for one in sounds])
    assert [(one.first, one.second) for one in found] == [(k, n - 1 - k) for k in range(20)]


def test_many_copies_of_one_clip_do_not_blow_up() -> None:
    text = audio_print(voice(4, 1), RATE)
    found = alike_pairs([""] * 300, [text] * 300)
    assert {row for one in found for row in (one.first, one.second)} == set(range(300))
    assert len(found) < 300 * 20


def test_real_clips_of_one_speaker_are_no_copies_but_one_that_is(shared_clips: Path) -> None:
    names = [f"grid_s1_0{k}" for k in range(1, 8)]
    found = [prints(next((shared_clips / "video").glob(f"{name}.*"))) for name in names]
    pairs = alike_pairs([one["print_video"] or "" for one in found], [one["print_audio"] or "" for one in found])
    # the seventh is the first one's MPEG-1 original ("bbaf2n"), which its inventory does not say
    assert pairs == [Alike(0, 6, True, True)]


@pytest.mark.slow
def test_rendered_talkers_of_one_cast_are_no_copies() -> None:
    pytest.importorskip("espeakng_loader")
    from generators.sources.talkers.source import TalkerSource, render_take

    plan = TalkerSource({"cast": "a", "difficulty": 0.7, "seconds": 3.6}).plan(
        {"test": {"identities": 2, "clips": 3}}, 1
    )
    videos, sounds = [], []
    for item in plan.items:
        take = render_take(item)
        luma = (take.frames @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[:, ::8, ::8]
        videos.append(video_print(luma, np.arange(len(luma)) / FPS))
        sounds.append(audio_print(take.audio, RATE))
    assert alike_pairs(videos, sounds) == []
