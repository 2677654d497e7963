"""Partial fakes on talkers: the metadata against what can be heard and seen, and null edits."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError
from generators.edits.edit_list import EditList
from generators.generator import Job, Outcome, Speech, Take
from generators.registry import make_generator, resolve_params

pytest.importorskip("espeakng_loader")

RATE, FPS, FRAME = 16000, 25.0, 0.04
START, SECONDS = 0.4, 3.2
FADE = 0.012


@cache
def takes() -> list[Take]:
    """Two people, two takes each."""
    from generators.sources.talkers.source import TalkerSource, render_take

    options = {"cast": "a", "difficulty": 0.6, "seconds": 4.4, "size": 128}
    plan = TalkerSource(options).plan({"test": {"identities": 2, "clips": 2}}, seed=4)
    return [render_take(item) for item in plan.items]


def job(which: int, name: str, seed: int, relation: str = "same", **params: Any) -> Job:
    take = takes()[which]
    donors = {"same": takes()[which ^ 1], "partner": takes()[which ^ 2], "self": take, "": None}
    chosen = resolve_params(name, params)
    return Job(take, donors[relation], START, SECONDS, chosen, np.random.default_rng(seed), seed, relation)


def forge(which: int, name: str, seed: int, relation: str = "same", **params: Any) -> tuple[Take, Outcome]:
    made = make_generator(name).generate(job(which, name, seed, relation, **params))
    return takes()[which], made


def of(made: Outcome, modality: Modality) -> list[Segment]:
    return [one for one in made.segments if one.modality is modality]


def shifted(made: Outcome, times: np.ndarray) -> np.ndarray:
    """Source times of output times, by counting up what was put in and left out before; no use of `TimeMap`."""
    moved = times.copy()
    for edit in made.details["edit_list"]["edits"]:
        grown = (edit["end"] - edit["start"]) - (edit["source_end"] - edit["source_start"])
        moved -= np.where(times >= edit["end"], grown, 0.0)
    return moved


def genuine(take: Take, made: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Sound and picture of the source where they should be in the output, up to the clip's end."""
    end = START + SECONDS
    samples = np.arange(round(end * RATE))
    frames = np.arange(round(end * FPS))
    at = np.rint(shifted(made, samples / RATE) * RATE).astype(int)
    # a picture is cut at the border nearest to the sound's cut
    at_frames = np.rint(shifted(made, (frames + 0.5) / FPS) * FPS - 0.5).astype(int)
    return take.audio[at], take.frames[at_frames]


def extent(different: np.ndarray, rate: float) -> tuple[float, float]:
    found = np.flatnonzero(different)
    return float(found[0]) / rate, float(found[-1] + 1) / rate


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "audio": ("edit/partial", {"modality": "audio"}),
    "video": ("edit/partial", {"modality": "video"}),
    "both": ("edit/partial", {"modality": "both"}),
    "insert": ("edit/partial", {"modality": "both", "ops": ["insert"]}),
    "delete": ("edit/own", {"modality": "both", "ops": ["delete"]}),
    "voice": ("edit/own", {"modality": "audio", "replacement": "voice"}),
    "voice and lips": ("edit/own", {"modality": "both", "replacement": "voice"}),
    "own words": ("edit/own", {"modality": "audio"}),
    "donor's picture": ("edit/partial", {"modality": "both", "picture": "donor"}),
    "donor's picture inserted": ("edit/partial", {"modality": "both", "ops": ["insert"], "picture": "donor"}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("which", "seed"), [(0, 1), (1, 2), (3, 3)])
def test_segments_are_where_sound_and_picture_differ_from_the_source(kind: str, which: int, seed: int) -> None:
    name, params = KINDS[kind]
    take, made = forge(which, name, seed, "same" if name == "edit/partial" else "", **params)
    sound, picture = genuine(take, made)
    heard = made.take.audio[: len(sound)] != sound
    seen = (made.take.frames[: len(picture)] != picture).any(axis=(1, 2, 3))
    assert made.take.frames.shape == take.frames.shape and made.take.audio.shape == take.audio.shape
    for modality, different, rate in ((Modality.AUDIO, heard, RATE), (Modality.VIDEO, seen, FPS)):
        segments = of(made, modality)
        if modality is Modality.AUDIO and params["modality"] == "video":
            assert not different.any() and not segments
            continue
        if modality is Modality.VIDEO and params["modality"] == "audio":
            assert not different.any() and not segments and made.take.frames is take.frames
            continue
        assert len(segments) == 1
        (segment,) = segments
        assert segment.start >= START and segment.end <= START + SECONDS
        if kind == "delete" and modality is Modality.VIDEO:
            assert not different.any()  # a clean cut: every picture is a genuine one
            continue
        first, last = extent(different, rate)
        reach = FADE / 2 + 1 / rate if modality is Modality.AUDIO else 1e-9
        assert segment.start - reach <= first and last <= segment.end + reach  # nothing changed outside
        if kind != "delete":
            assert abs(first - segment.start) <= FRAME and abs(last - segment.end) <= FRAME
            inside = slice(round(segment.start * rate), round(segment.end * rate))
            assert different[inside].mean() > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_the_change_can_be_heard_and_seen(kind: str) -> None:
    """Not only in the last bit: the new sound is speech at the take's level, the new pictures differ."""
    name, params = KINDS[kind]
    take, made = forge(1, name, 5, "same" if name == "edit/partial" else "", **params)
    sound, picture = genuine(take, made)
    if kind == "delete":
        (edit,) = made.details["edit_list"]["edits"]
        gone = take.audio[round(edit["source_start"] * RATE) : round(edit["source_end"] * RATE)]
        assert np.sqrt(np.mean(gone**2)) > 0.1 * np.sqrt(np.mean(take.audio**2))
        return
    for segment in of(made, Modality.AUDIO):
        inside = slice(round(segment.start * RATE), round(segment.end * RATE))
        new, old = made.take.audio[inside], sound[inside]
        assert 0.2 < np.std(new) / np.std(take.audio) < 3
        # free of the old words: a plain mixture of old and new would correlate
        assert abs(np.corrcoef(new, old)[0, 1]) < 0.5
    for segment in of(made, Modality.VIDEO):
        inside = slice(round(segment.start * FPS), round(segment.end * FPS))
        difference = np.abs(made.take.frames[inside].astype(int) - picture[inside]).max(axis=(1, 2, 3))
        # the same words in another voice ask for much the same lips
        assert np.median(difference) > (3 if kind == "voice and lips" else 20)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_the_pixels_that_differ_inside_the_segments(kind: str) -> None:
    name, params = KINDS[kind]
    take, made = forge(0, name, 7, "same" if name == "edit/partial" else "", **params)
    if params["modality"] == "audio" or kind == "delete":
        assert made.masks is None
        return
    _, picture = genuine(take, made)
    assert made.masks is not None and set(np.unique(made.masks)) <= {0, 255}
    (segment,) = of(made, Modality.VIDEO)
    inside = np.zeros(len(made.masks), bool)
    inside[round(segment.start * FPS) : round(segment.end * FPS)] = True
    assert not made.masks[~inside].any()
    difference = np.abs(made.take.frames[: len(picture)].astype(int) - picture).max(axis=-1)
    assert difference[(made.masks[: len(picture)] == 0)].max() <= 6
    whole = "insert" in kind or params.get("ops") == ["insert"] or params.get("picture") == "donor"
    assert made.masks[inside].all() == whole


def test_sound_and_picture_stay_together_behind_an_edit() -> None:
    """Both streams are moved by the same whole number of pictures."""
    for ops in (["insert"], ["delete"]):
        take, made = forge(2, "edit/partial", 3, modality="both", ops=ops, seconds=[0.2, 0.6])
        (edit,) = made.details["edit_list"]["edits"]
        behind = edit["end"] + 0.2
        n = round(behind * FPS)
        frames = np.flatnonzero((take.frames == made.take.frames[n]).all(axis=(1, 2, 3)))
        assert len(frames) == 1
        moved = n - int(frames[0])
        assert moved == (1 if ops == ["insert"] else -1) * abs(moved) != 0
        first = round(behind * RATE)
        piece = made.take.audio[first : first + 2000]
        there = first - moved * round(RATE / FPS)
        np.testing.assert_array_equal(piece, take.audio[there : there + 2000])


@pytest.mark.parametrize("kind", KINDS)
def test_cuts_lie_between_words_and_inside_the_clip(kind: str) -> None:
    name, params = KINDS[kind]
    for which, seed in ((0, 11), (2, 12)):
        take, made = forge(which, name, seed, "same" if name == "edit/partial" else "", **params)
        assert take.speech is not None
        edits = EditList.from_json(made.details["edit_list"])
        for edit in edits.edits:
            # what changes the length is cut in whole pictures, half of the rest at either end
            slack = 0.25 / FPS + 1e-4 if edit.op == "delete" else 1e-4
            for cut in (edit.source_start, edit.source_end):
                assert not any(word.start + slack < cut < word.end - slack for word in take.speech.words), (cut, edit)
            assert edit.start >= START + 0.2 and edit.end <= START + SECONDS - 0.2
            assert edit.op == "insert" or edit.old in " ".join(word.text for word in take.speech.words)


def test_several_edits_of_several_kinds() -> None:
    everything = {"modality": "both", "ops": ["replace", "insert", "delete"], "count": 3, "seconds": [0.2, 0.5]}
    for which in (0, 1, 3):
        take, made = forge(which, "edit/partial", 2, **everything)
        edits = EditList.from_json(made.details["edit_list"])
        assert len(edits.edits) >= 2 and made.variant == "+".join(dict.fromkeys(edit.op for edit in edits.edits))
        sound, picture = genuine(take, made)
        clear, clear_frames = np.ones(len(sound), bool), np.ones(len(picture), bool)
        for segment in made.segments:
            if segment.modality is Modality.AUDIO:
                clear[round((segment.start - FADE / 2) * RATE) - 1 : round((segment.end + FADE / 2) * RATE) + 1] = False
            else:
                clear_frames[int(segment.start * FPS + 1e-6) : int(np.ceil(segment.end * FPS - 1e-6))] = False
        assert clear.sum() > RATE and clear_frames.sum() > 25
        np.testing.assert_array_equal(made.take.audio[: len(sound)][clear], sound[clear])
        np.testing.assert_array_equal(made.take.frames[: len(picture)][clear_frames], picture[clear_frames])


LABELS = {
    "audio": Labels(1, 1, 0, 1, None), "video": Labels(1, 0, 1, 1, 0), "both": Labels(1, 1, 1, 0, None),
    "insert": Labels(1, 1, 1, 0, None), "delete": Labels(1, 1, 1, 0, 0), "voice": Labels(1, 1, 0, 0, 1),
    "voice and lips": Labels(1, 1, 1, 0, 1), "own words": Labels(1, 1, 0, 1, 0),
    "donor's picture": Labels(1, 1, 1, 0, None), "donor's picture inserted": Labels(1, 1, 1, 0, None),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_determinism(kind: str) -> None:
    name, params = KINDS[kind]
    relation = "same" if name == "edit/partial" else ""
    _, made = forge(0, name, 7, relation, **params)
    assert made.labels == LABELS[kind]
    _, again = forge(0, name, 7, relation, **params)
    assert np.array_equal(made.take.audio, again.take.audio) and np.array_equal(made.take.frames, again.take.frames)
    assert (made.segments, made.details) == (again.segments, again.details)


@pytest.mark.parametrize("kind", KINDS)
def test_null_edits_are_the_source_outside_their_joints(kind: str) -> None:
    name, params = KINDS[kind]
    given = (1, name, 5, "same" if name == "edit/partial" else "")
    made = make_generator(name).generate(job(*given, **params))
    null = make_generator(name).sham(job(*given, **params))
    take = takes()[1]
    assert (null.labels, null.segments, null.masks, null.variant) == (REAL, (), None, "")
    assert null.details["null_edit_list"] == made.details["edit_list"]  # the same plan
    (edit,) = made.details["edit_list"]["edits"]
    joints = {edit["source_start"], edit["source_start"] + (0 if kind == "delete" else edit["end"] - edit["start"])}
    near = np.zeros(len(take.audio), bool)
    for joint in joints:
        near[round((joint - FADE / 2) * RATE) : round((joint + FADE / 2) * RATE)] = True
    assert np.array_equal(null.take.audio[~near], take.audio[~near])
    if params["modality"] == "video":
        assert null.take.audio is take.audio
    else:  # the joints themselves were made, each like those of the fake
        half = round(FADE / 2 * RATE)
        for joint in joints:
            at = slice(round(joint * RATE) - half, round(joint * RATE) + half)
            assert not np.array_equal(null.take.audio[at], take.audio[at])
    lips = params["modality"] != "audio" and kind != "delete" and params.get("picture") != "donor"
    different = np.abs(null.take.frames.astype(int) - take.frames)
    stretch = np.zeros(len(take.frames), bool)
    stretch[int(edit["source_start"] * FPS) : int(np.ceil(max(joints) * FPS))] = True
    assert not different[~stretch].any()
    assert different[stretch].any() == lips
    assert different[stretch].mean() < 0.5  # resampled by a fraction of a pixel: the same picture to the eye


def test_a_joint_sounds_the_same_in_a_null_edit() -> None:
    """The dip of a joint does not tell a null edit from a forgery: in its middle both are the room's tone."""
    fake, null, source = [], [], []
    for which in range(4):
        for seed in range(6):
            given = job(which, "edit/partial", seed, modality="audio")
            made = make_generator("edit/partial").generate(given)
            sham = make_generator("edit/partial").sham(job(which, "edit/partial", seed, modality="audio"))
            at = round(made.segments[0].start * RATE)
            window = slice(at - 16, at + 16)  # the middle 2 ms
            level = np.std(takes()[which].audio)
            for found, audio in ((fake, made.take.audio), (null, sham.take.audio), (source, takes()[which].audio)):
                found.append(np.std(audio[window]) / level)
    assert np.median(fake) == pytest.approx(np.median(null), rel=0.35)
    assert np.median(source) > np.median(null)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"ops": ["insert"]}, "say modality: both, not audio"),
        ({"ops": []}, "ops"),
        ({"ops": ["swap"]}, r"ops\.0"),
        ({"seconds": [0.9, 0.3]}, "least first"),
        ({"seconds": [0.3]}, "seconds"),
        ({"crossfade": 0.1}, "crossfade"),
        ({"count": 0}, "count"),
        ({"dissolve": 3}, "dissolve"),
        ({"replacement": "voice", "ops": ["insert"], "modality": "both"}, "use a donor"),
        ({"replacement": "voice", "modality": "video"}, "another voice is no picture"),
        ({"seconds": [9, 10]}, "no room for replace of 9 to 10 s"),
    ],
)
def test_wrong_parameters_are_named(params: dict[str, Any], told: str) -> None:
    with pytest.raises(JobError, match=told) as caught:
        forge(0, "edit/partial", 0, **params)
    assert caught.value.code == "input_unsupported"


def _without(take: Take, **changes: Any) -> Take:
    return dataclasses.replace(take, **changes)


def test_what_is_refused() -> None:
    take, donor = takes()[0], takes()[1]
    assert take.speech is not None
    mute = _without(take, speech=Speech("", {}, ()))
    silent = _without(take, audio=np.zeros_like(take.audio))
    short = _without(take, frames=take.frames[: round((START + SECONDS) * FPS)])
    faceless = _without(take, track=None)
    both = {"modality": "both"}
    partner_picture = {"modality": "both", "picture": "donor"}
    for target, lender, relation, params, code, told in (
        (mute, donor, "same", {}, "input_unsupported", "words.csv"),
        (take, _without(donor, speech=None), "same", {}, "input_unsupported", "of the donor is spoken"),
        (take, None, "", {}, "input_unsupported", "edit/own"),
        (silent, donor, "same", {}, "audio_invalid", "the take is silent"),
        (take, _without(donor, audio=np.zeros_like(donor.audio)), "same", {}, "audio_invalid", "donor is silent"),
        (short, donor, "same", {"ops": ["delete"], **both}, "input_unsupported", "0.00 s behind it"),
        (faceless, donor, "same", both, "face_not_found", "no face"),
        (take, takes()[2], "partner", partner_picture, "input_unsupported", "another person"),
    ):
        chosen = resolve_params("edit/partial", params)
        given = Job(target, lender, START, SECONDS, chosen, np.random.default_rng(0), 0, relation)
        with pytest.raises(JobError, match=told) as caught:
            make_generator("edit/partial").generate(given)
        assert caught.value.code == code, told
    # a synthetic voice without a reserved one
    nobody = _without(take, speech=dataclasses.replace(take.speech, voice={"name": "en"}))
    chosen = resolve_params("edit/own", {"replacement": "voice"})
    with pytest.raises(JobError, match="no other voice") as caught:
        make_generator("edit/own").generate(Job(nobody, None, START, SECONDS, chosen, np.random.default_rng(0)))
    assert (caught.value.code, caught.value.generator) == ("input_unsupported", "edit/own")


def test_words_without_sounds_are_enough() -> None:
    """A user's recording has word times and no phonemes; a donor without a track drives lips by its sound."""
    take, donor = takes()[2], takes()[3]
    assert take.speech is not None and donor.speech is not None
    plain = [_without(one, speech=Speech("", {}, (), one.speech.words)) for one in (take, donor) if one.speech]
    plain[1] = _without(plain[1], track=None)
    chosen = resolve_params("edit/partial", {"modality": "both"})
    made = make_generator("edit/partial").generate(
        Job(plain[0], plain[1], START, SECONDS, chosen, np.random.default_rng(0), 0, "same")
    )
    assert len(made.segments) == 2 and made.masks is not None
    chosen = resolve_params("edit/own", {"replacement": "voice"})
    spoken = dataclasses.replace(plain[0].speech, text=take.speech.text)
    person = _without(plain[0], speech=spoken)
    voiced = make_generator("edit/own").generate(Job(person, None, START, SECONDS, chosen, np.random.default_rng(0)))
    assert len(voiced.segments) == 1 and not np.array_equal(voiced.take.audio, take.audio)


def test_own_words_do_not_overlap_what_they_replace() -> None:
    for which in range(4):
        for seed in range(8):
            _, made = forge(which, "edit/own", seed, "", modality="audio")
            (edit,) = made.details["edit_list"]["edits"]
            ((start, end),) = made.details["lent"]
            assert end <= edit["source_start"] + 0.031 or start >= edit["source_end"] - 0.031
            assert edit["old"].lower() != edit["new"].lower()


def test_dissolves_soften_a_cut_of_the_picture() -> None:
    _, hard = forge(0, "edit/partial", 3, modality="both", ops=["delete"], seconds=[0.2, 0.6])
    _, soft = forge(0, "edit/partial", 3, modality="both", ops=["delete"], seconds=[0.2, 0.6], dissolve=4)
    cut = round((of(hard, Modality.VIDEO)[0].start + FRAME) * FPS)

    def steps(made: Outcome) -> np.ndarray:
        frames = made.take.frames[cut - 4 : cut + 4].astype(int)
        return np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))

    assert steps(soft).max() < 0.8 * steps(hard).max()
    assert soft.masks is not None and soft.masks.any()
    changed = np.flatnonzero((soft.take.frames != hard.take.frames).any(axis=(1, 2, 3)))
    assert changed.min() >= cut - 2 and changed.max() <= cut + 1
