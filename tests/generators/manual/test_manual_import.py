from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from manual_media import FPS, RATE, Media, edited_patch, grey, speech, texture, write

from cmdfd.clip import Modality
from cmdfd.errors import MediaError
from cmdfd.media.decode import read_audio, read_video
from generators.generator import Take
from generators.manual.edits_csv import EditRow
from generators.manual.importing import EditFiles, ImportSettings, import_edit
from generators.manual.problems import word_of

SAMPLES = RATE // 25
USUAL = ImportSettings()


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    return texture("a")


@pytest.fixture(scope="module")
def patched(film: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The film with a disc of another one in frames 20 to 49, and its matte."""
    return edited_patch(film, texture("b"), 20, 50)


@pytest.fixture(scope="module")
def folder(film: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pairs")
    write(made / "original.mp4", Media(film, speech("a")))
    return made


def row(**changes: Any) -> EditRow:
    usual = {
        "original": "original.mp4", "edited": "edited.mp4", "operation": "splice", "tool": "test", "face_id": "anna",
        "licence": "CC0-1.0", "consent": "given", "pristine": True, "line": 1,
    }  # fmt: skip
    return EditRow.model_validate(usual | changes)


def imported(folder: Path, media: Media, settings: ImportSettings = USUAL, **changes: Any) -> Take:
    files = EditFiles(folder / "original.mp4", write(folder / "edited.mp4", media))
    for role in ("matte", "edl"):
        if changes.get(role):
            files = replace(files, **{role: folder / changes[role]})
    return import_edit(row(**changes), files, settings)


def refusal(folder: Path, media: Media, settings: ImportSettings = USUAL, **changes: Any) -> str:
    with pytest.raises(MediaError) as caught:
        imported(folder, media, settings, **changes)
    return word_of(caught.value)


def overlap(found: np.ndarray | None, truth: np.ndarray) -> float:
    assert found is not None
    ours, theirs = found > 10, truth > 10
    return float((ours & theirs).sum() / (ours | theirs).sum())


def spans(take: Take) -> list[tuple[float, float, Modality]]:
    assert take.edited is not None
    return [(one.start, one.end, one.modality) for one in take.edited.segments]


def test_a_matte_a_known_patch_and_codec_noise(folder: Path, patched: tuple[np.ndarray, np.ndarray]) -> None:
    made, matte = patched
    write(folder / "matte.mkv", Media(grey(matte), None, codec="ffv1", pixels="yuv444p", options={}))
    take = imported(folder, Media(made, speech("a")), matte="matte.mkv")
    assert take.edited is not None
    assert spans(take) == [(0.8, 2.0, Modality.VIDEO)]
    assert overlap(take.edited.masks, matte) > 0.95
    details = take.edited.details
    assert details["matte"] == "luma video" and details["mask_differs"] > 0.85 and details["outside_share"] < 0.001
    assert (take.fps, take.sample_rate, len(take.frames)) == (25.0, 16000, 75)
    assert take.edited.frames.shape == take.frames.shape and take.edited.audio.shape == take.audio.shape
    assert len(set(np.unique(take.edited.masks)) - {0, 255}) > 20  # the soft edge is kept


def rates(made: np.ndarray, fps: float) -> np.ndarray:
    n = round(len(made) / FPS * fps)
    return made[np.minimum((np.arange(n) / fps * FPS + 1e-6).astype(int), len(made) - 1)]


SLOW = ("other codec", "twice the size", "24 fps", "30 fps", "trimmed", "a little brighter", "no sound")
CASES: dict[str, tuple[Any, float, float]] = {
    # what the editor does; seconds by which the take begins later than the film; least overlap of the masks
    "other codec": (
        lambda f, s: Media(f, s, codec="mpeg4", options={"qmin": "4", "qmax": "4"}, audio="libmp3lame"), 0, 0.8,
    ),
    "30 fps": (lambda f, s: Media(rates(f, 30.0), s, fps=30.0, options={"crf": "20"}), 0, 0.75),
    "24 fps": (lambda f, s: Media(rates(f, 24.0), s, fps=24.0), 0, 0.75),
    "twice the size": (lambda f, s: Media(np.stack([cv2.resize(x, (384, 224)) for x in f]), s), 0, 0.75),
    "trimmed": (lambda f, s: Media(f[5:], s[5 * SAMPLES :]), 0.2, 0.75),
    "black before, half as loud": (
        lambda f, s: Media(np.concatenate([f[:6] * 0, f]), np.concatenate([s[: 6 * SAMPLES] * 0, s * 0.5])), 0, 0.75,
    ),
    "bars": (lambda f, s: Media(np.pad(f, ((0, 0), (16, 16), (0, 0), (0, 0))), s), 0, 0.75),
    "a little brighter": (lambda f, s: Media((f * 0.95 + 5).astype(np.uint8), s), 0, 0.75),
    "no sound": (lambda f, s: Media(f, None), 0, 0.75),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CASES]
)
def test_derived_masks_and_segments_are_right_whatever_the_export_did(
    folder: Path, patched: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    made, matte = patched
    export, late, least = CASES[name]
    take = imported(folder, export(made, speech("a")))
    ((start, end, modality),) = spans(take)
    assert modality is Modality.VIDEO
    assert start + late == pytest.approx(0.8, abs=0.0401) and end + late == pytest.approx(2.0, abs=0.0401)
    assert take.edited is not None
    assert overlap(take.edited.masks, matte[round(late * 25) :]) > least
    assert take.edited.details["matte"] == "derived from the difference"


def test_a_crop_is_undone_in_both(folder: Path, patched: tuple[np.ndarray, np.ndarray]) -> None:
    made = np.stack([cv2.resize(x[6:106, 10:182], (192, 112), interpolation=cv2.INTER_CUBIC) for x in patched[0]])
    take = imported(folder, Media(made, speech("a")))
    assert take.frames.shape[1:3] == (100, 172)  # what both show
    assert take.edited is not None
    sx, sy, tx, ty = take.edited.details["view"]
    assert (sx, sy, tx, ty) == pytest.approx((192 / 172, 112 / 100, -10 / 172, -6 / 100), abs=0.002)
    assert [one[2] for one in spans(take)] == [Modality.VIDEO]


def test_sound_that_was_replaced_is_found_to_a_window(folder: Path, film: np.ndarray) -> None:
    sound = speech("a")
    sound[2 * RATE : int(2.5 * RATE)] = speech("b")[2 * RATE : int(2.5 * RATE)]
    take = imported(folder, Media(film, sound, bit_rate=48_000))
    ((start, end, modality),) = spans(take)
    assert modality is Modality.AUDIO and (start, end) == pytest.approx((2.0, 2.5), abs=0.05)
    assert take.edited is not None and take.edited.masks is None


def test_an_alpha_matte_and_a_still_matte(folder: Path, patched: tuple[np.ndarray, np.ndarray]) -> None:
    made, matte = patched
    rgba = np.concatenate([np.full((*matte.shape, 3), 200, np.uint8), matte[..., None]], axis=3)
    write(folder / "alpha.mov", Media(rgba, None, codec="qtrle", pixels="argb", options={}))
    take = imported(folder, Media(made, speech("a")), matte="alpha.mov")
    assert take.edited is not None and take.edited.details["matte"] == "alpha video"
    assert overlap(take.edited.masks, matte) > 0.95
    cv2.imwrite(str(folder / "still.png"), matte.max(axis=0))
    take = imported(folder, Media(made, speech("a")), matte="still.png")
    assert take.edited is not None and take.edited.masks is not None
    on = (take.edited.masks > 10).any(axis=(1, 2))
    assert np.flatnonzero(on).tolist() == list(range(20, 50))  # a still says where, the difference says when


def test_named_segments_are_held_against_the_difference(folder: Path, patched: tuple[np.ndarray, np.ndarray]) -> None:
    media = Media(patched[0], speech("a"))
    assert spans(imported(folder, media, segments="0.76-2.04")) == [(0.76, 2.04, Modality.VIDEO)]
    assert refusal(folder, media, segments="0.8-2.0;2.4-2.8") == "empty_segment"
    assert refusal(folder, media, segments="a:0.8-2.0") == "empty_segment"
    assert refusal(folder, media, segments="0.8-1.4") == "outside_segments"
    lenient = imported(folder, media, ImportSettings(strict=False), segments="0.8-1.4")
    assert len(spans(lenient)) == 2 and lenient.edited is not None and lenient.edited.details["warnings"]
    (folder / "list.edl").write_text("001 X V C 00:00:00:00 00:00:01:05 01:00:00:20 01:00:02:00\n")
    take = imported(folder, media, edl="list.edl")
    assert spans(take) == [(0.8, 2.0, Modality.VIDEO)]
    assert take.edited is not None and take.edited.details["segments_from"] == "edl"


def test_a_long_pair_is_cut_around_its_edit(folder: Path, patched: tuple[np.ndarray, np.ndarray]) -> None:
    take = imported(folder, Media(patched[0], speech("a")), ImportSettings(seconds=1.6, draw=0.9))
    assert len(take.frames) == 40
    ((start, end, _),) = spans(take)
    assert end - start == pytest.approx(1.2, abs=0.05)


def wrong(name: str, film: np.ndarray, made: np.ndarray) -> tuple[Media, str]:
    """A pair's second file that must not pass, and the word of its refusal."""
    sound = speech("a")
    if name == "identical":
        return Media(film, sound, options={"crf": "20"}), "identical"
    if name == "other footage":
        return Media(texture("b"), speech("b")), "other_footage"
    if name == "turned":
        turn = cv2.getRotationMatrix2D((96, 56), 3, 1)
        return Media(np.stack([cv2.warpAffine(x, turn, (192, 112)) for x in made]), sound), "geometry"
    if name == "darker":
        return Media((made * 0.8).astype(np.uint8), sound), "outside_matte"
    if name == "cut":
        shorter = np.delete(sound, slice(50 * SAMPLES, 65 * SAMPLES))
        return Media(np.delete(made, range(50, 65), 0), shorter), "length"
    if name == "shorter":
        return Media(made[:65], sound[: 65 * SAMPLES]), "length"
    if name == "sound late":
        return Media(made, np.concatenate([np.zeros(RATE // 5, np.float32), sound])[: len(sound)]), "out_of_step"
    far = np.concatenate([np.zeros(int(1.6 * RATE), np.float32), sound])
    return Media(np.concatenate([made[:40] * 0, made]), far), "offset"


@pytest.mark.parametrize(
    "name", ["identical", "other footage", "turned", "darker", "cut", "shorter", "sound late", "far"]
)
def test_pairs_that_do_not_match_are_refused_by_name(
    folder: Path, film: np.ndarray, patched: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    media, word = wrong(name, film, patched[0])
    assert refusal(folder, media) == word


def test_a_matte_elsewhere_inverted_black_or_too_short_is_refused(
    folder: Path, patched: tuple[np.ndarray, np.ndarray]
) -> None:
    made, matte = patched
    media = Media(made, speech("a"))
    for name, levels, word in (
        ("elsewhere", np.roll(matte, 90, axis=2), "outside_matte"),
        ("black", matte * 0, "matte"),
        ("short", matte[:60], "matte"),
    ):
        write(folder / f"{name}.mkv", Media(grey(levels), None, codec="ffv1", pixels="yuv444p", options={}))
        assert refusal(folder, media, matte=f"{name}.mkv") == word, name


def test_another_utterance_of_one_speaker_is_other_footage(shared_clips: Path, tmp_path: Path) -> None:
    """Same person, same room, same camera, voices of one pitch."""
    video = shared_clips / "video"
    files = EditFiles(video / "grid_s1_02.mp4", video / "grid_s1_03.mp4")
    with pytest.raises(MediaError) as caught:
        import_edit(row(), files, USUAL)
    assert word_of(caught.value) == "other_footage"


@pytest.mark.slow
def test_a_real_clip_with_the_mouth_of_another_utterance(shared_clips: Path, tmp_path: Path) -> None:
    """Mouths of frames 30 to 59 come from another recording of the speaker, exported at 30 fps."""
    names = ("elospheres_talker_01.mkv", "elospheres_talker_02.mkv")
    film, other = (read_video(shared_clips / "video" / name).frames[:100] for name in names)
    sound = read_audio(shared_clips / "video" / names[0], sample_rate=RATE).samples[: 4 * RATE]
    disc = np.zeros(film.shape[1:3], np.float32)
    cv2.ellipse(disc, (365, 340), (75, 70), 0, 0, 360, 1, -1)
    disc = cv2.GaussianBlur(disc, (0, 0), 5)
    made = film.copy()
    for k in range(30, 60):
        away = (other[k + 7].astype(np.float32) - film[k]) * disc[..., None]
        made[k] = np.rint(film[k] + away).astype(np.uint8)
    write(tmp_path / "original.mp4", Media(film, sound))
    take = imported(tmp_path, Media(rates(made, 30.0), sound, fps=30.0, options={"crf": "23"}))
    ((start, end, modality),) = spans(take)
    assert modality is Modality.VIDEO and (start, end) == pytest.approx((1.2, 2.4), abs=0.0401)
    assert take.edited is not None and take.edited.masks is not None
    high, wide = take.frames.shape[1:3]
    allowed = cv2.resize(disc, (wide, high)) > 0.01
    yes = take.edited.masks > 10
    assert yes.any(axis=(1, 2)).sum() >= 28 and (yes & allowed).sum() > 0.97 * yes.sum()
