from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_source import make_take

from cmdfd.clip import Modality, Rights, Segment
from cmdfd.errors import MediaError
from cmdfd.rights import most_restrictive
from generators.generator import Phone, Speech, Take, Word
from generators.jobs import in_window
from generators.record import finite, tool_versions
from generators.sources.store import load_take, save_take

SPEECH = Speech("Ähm, yes.", {"name": "en", "rate": 160, "more": {"a": [1, None]}}, (Phone("ɛ", 0.1, 0.25),),
                (Word("Ähm", 0.05, 0.4), Word("yes", 0.4, 0.8)))  # fmt: skip


def with_speech(take: Take, rate: int = 16000, fps: float = 25.0) -> Take:
    return Take(take.frames, fps, take.audio, rate, take.track, SPEECH)


def test_a_take_comes_back(tmp_path: Path) -> None:
    take = with_speech(make_take("one"))
    save_take(tmp_path, take)
    back = load_take(tmp_path)
    assert (back.fps, back.sample_rate, back.speech) == (25.0, 16000, SPEECH)
    assert back.frames.shape == take.frames.shape
    assert np.abs(back.frames.astype(int) - take.frames).mean() < 6
    np.testing.assert_allclose(back.audio[: len(take.audio)], take.audio, atol=1.5 / 32768)
    assert back.track is not None and take.track is not None
    assert np.array_equal(back.track.points, take.track.points)
    sound_only = load_take(tmp_path, frames=False)
    assert sound_only.frames.shape[0] == 0 and np.array_equal(sound_only.audio, back.audio)


def test_a_take_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_take(tmp_path / name, with_speech(make_take("one")))
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["clip.mkv", "speech.json", "take.json", "track.npz"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_rates_survive_the_container(tmp_path: Path) -> None:
    base = make_take("one")
    save_take(tmp_path, Take(base.frames, 30000 / 1001, base.audio, 22050))
    assert load_take(tmp_path).fps == 30000 / 1001 and load_take(tmp_path).sample_rate == 22050
    (tmp_path / "take.json").unlink()  # a source of somebody else's that knows clip.mkv only
    back = load_take(tmp_path)
    assert back.fps == pytest.approx(30000 / 1001) and back.sample_rate == 22050
    assert back.track is None and back.speech is None


def test_speech_without_word_times_is_still_read(tmp_path: Path) -> None:
    save_take(tmp_path, with_speech(make_take("one")))
    first = {"schema_version": 1, "text": "old", "voice": {}, "phones": [{"label": "o", "start": 0.1, "end": 0.2}]}
    (tmp_path / "speech.json").write_text(json.dumps(first))
    assert load_take(tmp_path, frames=False).speech == Speech("old", {}, (Phone("o", 0.1, 0.2),))


@pytest.mark.parametrize("name", ["speech.json", "take.json"])
@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 9}', "[1]"])
def test_damaged_sidecars_are_refused(tmp_path: Path, name: str, text: str) -> None:
    save_take(tmp_path, with_speech(make_take("one")))
    (tmp_path / name).write_text(text)
    with pytest.raises(MediaError) as caught:
        load_take(tmp_path)
    assert caught.value.code == "not_media" and caught.value.path.endswith(name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([("CC0-1.0", "given"), ("CC-BY-4.0", "synthetic")], ("CC-BY-4.0", "given")),
        ([("CC-BY-NC-4.0", "public-figure"), ("Apache-2.0", "given")], ("CC-BY-NC-4.0", "public-figure")),
        ([("unclear", "unknown"), ("my own", "given")], ("unclear", "unknown")),
        ([("my own", "given"), ("CC-BY-NC-ND-4.0", "given")], ("my own", "given")),
        ([("your own", "given"), ("my own", "given")], ("my own AND your own", "given")),
        ([], ("unclear", "unknown")),
    ],
)
def test_the_most_restrictive_rights_are_inherited(given: list[tuple[str, str]], expected: tuple[str, str]) -> None:
    found = most_restrictive([Rights(*one) for one in given])
    assert (found.licence, found.consent) == expected
    assert found == most_restrictive([Rights(*one) for one in given[::-1]])
    assert most_restrictive([Rights("MIT", "given"), Rights("MIT", "given", pristine=False)]).pristine is False


def test_segments_move_into_the_window() -> None:
    given = [Segment(0, 9, Modality.AUDIO), Segment(1.5, 2, Modality.VIDEO), Segment(0, 0.9, Modality.VIDEO)]
    assert in_window(given, 1.0, 3.0) == (Segment(0, 3.0, Modality.AUDIO), Segment(0.5, 1.0, Modality.VIDEO))


def test_cues_and_versions_can_be_written() -> None:
    assert finite({"a": np.float32(1), "b": float("nan"), "c": float("inf"), "d": None, "e": "x", "f": 3}) == {
        "a": 1.0, "b": None, "c": None, "d": None, "e": "x", "f": 3.0,
    }  # fmt: skip
    found = tool_versions(["no-such-package"])
    assert found["no-such-package"] == "absent" and found["numpy"] == np.__version__ and "libavcodec" in found


def test_parameters_in_tables_name_no_place_of_the_machine() -> None:
    from generators.rows import without_places

    given = {
        "model_path": "/data/anna/m.pth",
        "other": "~/x/c.json",
        "c": "C:\\Users\\x\\v.pth",
        "a": "en-us+m1",
        "n": [1],
    }
    assert without_places(given) == {"model_path": "m.pth", "other": "c.json", "c": "v.pth", "a": "en-us+m1", "n": [1]}


def test_terms_of_the_model_win_over_those_of_the_generator() -> None:
    from generators.generator import GeneratorSpec, Outcome
    from generators.rows import terms_of

    spec = GeneratorSpec("x", "tts", "speaks", ("audio",), output_licence="CC-BY-4.0")
    assert terms_of(spec, Outcome(None, None, (), details={"output_licence": "CPML"})) == "CPML"  # type: ignore[arg-type]
    assert terms_of(spec, Outcome(None, None, ())) == "CC-BY-4.0"  # type: ignore[arg-type]
