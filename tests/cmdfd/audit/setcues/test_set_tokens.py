"""Words of paths: what must stay readable, what must go, and what may never break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.audit.setcues.tokens import looks_random, path_words, text_words


def words(*files: str, ids: list[str] | None = None, components: list[int] | None = None) -> list[str | None]:
    n = len(files)
    names = np.array(ids or [""] * n, dtype=object)
    owners = np.array(components if components is not None else range(n), dtype=np.intp)
    return list(path_words(np.array(files, dtype=object), names, owners))


@pytest.mark.parametrize(
    "name", ["faceswap", "wav2lip", "FakeVideo", "MakeItTalk", "Audio2Head", "XTTSv2", "20230101", "REAL_A"]
)
def test_names_of_methods_do_not_look_random(name: str) -> None:
    assert not looks_random(name)


@pytest.mark.parametrize(
    "name", ["cKsB2dym7Ms", "quCElxMhW6g", "3f9a07bc", "DEADBEEF00112233", "k3j9x2mq8v1z", "RJPBPhJB8TA"]
)
def test_drawn_ids_look_random(name: str) -> None:
    assert looks_random(name)


def test_words_are_split_at_signs_and_digits_and_long_numbers_are_left_out() -> None:
    assert words("train/FakeVideo-RealAudio/id00076/clip_12.MP4") == ["train fakevideo realaudio id clip 12 .mp4"]


def test_ids_are_read_too_and_every_word_stands_once() -> None:
    assert words("a/real/real.mp4", ids=["x+ARVR"]) == ["a real x arvr .mp4"]


def test_a_name_with_a_number_stays_whole_where_its_parts_occur_nowhere_else() -> None:
    assert words(*["d/wav2lip/a.mp4"] * 3)[0] == "d wav2lip a .mp4"
    assert words(*["d/wav2lip/wav.mp4"] * 3)[0] == "d wav2lip wav .mp4"


def test_an_id_is_a_word_only_where_it_names_no_single_recording() -> None:
    shared = words(*[f"cKsB2dym7Ms/{sign}.mp4" for sign in "abc"])
    assert all("cksb2dym7ms" in str(one) for one in shared)
    own = words(*[f"cKsB2dym7Ms/{sign}.mp4" for sign in "abc"], components=[0, 0, 0])
    assert own == ["a .mp4", "b .mp4", "c .mp4"]


def test_nothing_to_read_is_none_and_no_row_is_no_word() -> None:
    assert words("", "a.wav") == [None, "a .wav"]
    assert words() == []
    assert words("00045") == [""]


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_text_gives_clean_words(files: list[str]) -> None:
    for file, found in zip(files, words(*files), strict=True):
        assert (found is None) == (file == "")
        if found:
            parts = found.split(" ")
            assert len(set(parts)) == len(parts)
            assert all(part and not (part.isdecimal() and len(part) > 2) for part in parts)


@given(
    st.lists(st.sampled_from(["real/a1.mp4", "fake/w2l_7.mp4", "x/3f9a07bc.mp4", ""]), min_size=1, max_size=12),
    st.randoms(),
)
def test_words_do_not_depend_on_the_order_of_rows(files: list[str], chance: object) -> None:
    order = list(range(len(files)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    straight = words(*files)
    mixed = words(*[files[k] for k in order], components=order)
    assert [straight[k] for k in order] == mixed


def test_transcripts_are_read_word_by_word_and_sign_by_sign_in_languages_without_blanks() -> None:
    assert text_words(["It's 5 o'clock, it's LATE.", "你好 world", ""]) == [
        ["it's", "5", "o'clock", "it's", "late"], ["你", "好", "world"], [],
    ]  # fmt: skip
