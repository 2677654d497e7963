from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from manual_media import Media, edited_patch, grey, listed, speech, texture, write

from cmdfd.clip import Modality
from cmdfd.errors import MediaError
from generators.generator import Take
from generators.manual.__main__ import main
from generators.manual.edits_csv import EditRow
from generators.manual.importing import EditFiles, ImportSettings, import_edit
from generators.manual.problems import word_of

BOX = (slice(30, 80), slice(50, 110))  # of a picture of 112 x 192


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film, and the same with a box of another one from 1 to 2 s."""
    made = tmp_path_factory.mktemp("mattes")
    film, other = texture("a"), texture("b")
    write(made / "original.mp4", Media(film, speech("a")))
    edit = film.copy()
    edit[25:50, BOX[0], BOX[1]] = other[25:50, BOX[0], BOX[1]]
    write(made / "edited.mp4", Media(edit, speech("a")))
    return made


def imported(folder: Path, levels: np.ndarray, strict: bool = True, edited: str = "edited.mp4") -> Take:
    """The edit under a matte, [T, H, W] or [H, W] for an image."""
    if levels.ndim == 2:
        matte = folder / "matte.png"
        cv2.imwrite(str(matte), levels)
    else:
        matte = folder / "matte.mkv"
        write(matte, Media(grey(levels), None, codec="ffv1", pixels="yuv444p", options={}))
    row: dict[str, Any] = {
        "original": "original.mp4", "edited": edited, "operation": "splice", "tool": "test", "face_id": "anna",
        "licence": "CC0-1.0", "consent": "given", "pristine": True, "line": 1,
    }  # fmt: skip
    files = EditFiles(folder / "original.mp4", folder / edited, matte)
    return import_edit(EditRow.model_validate(row), files, ImportSettings(strict=strict))


def box(grow: int = 0) -> np.ndarray:
    levels = np.zeros((112, 192), np.uint8)
    levels[30 - grow : 80 + grow, 50 - grow : 110 + grow] = 255
    return levels


def static(levels: np.ndarray, first: int = 0, last: int = 75) -> np.ndarray:
    held = np.zeros((75, *levels.shape), np.uint8)
    held[first:last] = levels
    return held


def refused(folder: Path, levels: np.ndarray, edited: str = "edited.mp4") -> str:
    with pytest.raises(MediaError) as caught:
        imported(folder, levels, edited=edited)
    return word_of(caught.value)


@pytest.mark.parametrize(
    ("margin", "image"),
    [
        (0, True),
        (12, False),
        (None, False),
        pytest.param(0, False, marks=pytest.mark.slow),
        pytest.param(12, True, marks=pytest.mark.slow),
        pytest.param(None, True, marks=pytest.mark.slow),
    ],
)
def test_a_white_matte_is_not_the_truth_of_a_box(folder: Path, image: bool, margin: int | None) -> None:
    """White all over, and a frame that leaves a margin free."""
    levels = np.full((112, 192), 255, np.uint8)
    if margin:
        levels = np.pad(levels[margin:-margin, margin:-margin], margin)
    elif margin is None:  # half of the picture
        levels[:, 120:] = 0
    levels = levels if image else static(levels)
    assert refused(folder, levels) == "matte"
    take = imported(folder, levels, strict=False)
    assert take.edited is not None and take.edited.details["mask_extent"] < 0.45


@pytest.mark.parametrize("grow", [pytest.param(0, marks=pytest.mark.slow), 8])
def test_a_matte_that_keeps_its_shape_is_cut_to_the_frames_that_differ(folder: Path, grow: int) -> None:
    take = imported(folder, static(box(grow)))
    assert take.edited is not None and take.edited.masks is not None
    ((start, end, modality),) = [(one.start, one.end, one.modality) for one in take.edited.segments]
    assert (start, modality) == (1.0, Modality.VIDEO)
    assert 2.0 <= end <= 2.0401  # of a frame behind a cut a codec may show what was before
    on = (take.edited.masks > 10).any(axis=(1, 2))
    assert np.flatnonzero(on).tolist() == list(range(25, round(end * 25)))
    assert (take.edited.masks[25:50] > 10).mean() == pytest.approx((box(grow) > 10).mean(), rel=0.02)
    assert not any("nothing differs" in one for one in take.edited.details["warnings"])


def test_a_matte_that_moves_keeps_its_own_time(folder: Path) -> None:
    """A moving matte was drawn frame by frame: its first and last frame count though nothing may be seen there yet."""
    made, matte = edited_patch(texture("a"), texture("b"), 20, 50)
    made[20:23] = texture("a")[20:23]
    write(folder / "moving.mp4", Media(made, speech("a")))
    take = imported(folder, matte, edited="moving.mp4")
    assert take.edited is not None
    assert [(one.start, one.end) for one in take.edited.segments] == [(0.8, 2.0)]


@pytest.mark.parametrize(
    ("operation", "crf"),
    [
        ("blur", "30"),
        ("tint", "23"),
        pytest.param("blur", "23", marks=pytest.mark.slow),
        pytest.param("tint", "30", marks=pytest.mark.slow),
    ],
)
def test_mattes_of_weak_edits_pass(folder: Path, operation: str, crf: str) -> None:
    """Blurring leaves what was smooth as it was, so few pixels differ, but all over the matte."""
    film = texture("a")
    soft = cv2.GaussianBlur((box() > 0).astype(np.float32), (0, 0), 3.0)
    made = film.copy()
    for k in range(25, 50):
        other = cv2.GaussianBlur(film[k], (0, 0), 2.5) if operation == "blur" else np.clip(film[k] + 15.0, 0, 255)
        made[k] = np.rint(film[k] + (other.astype(np.float32) - film[k]) * soft[..., None]).astype(np.uint8)
    write(folder / "weak.mp4", Media(made, speech("a"), options={"crf": crf}))
    take = imported(folder, static(np.rint(soft * 255).astype(np.uint8)), edited="weak.mp4")
    assert take.edited is not None
    ((start, end),) = [(one.start, one.end) for one in take.edited.segments]
    assert (start, end) == pytest.approx((1.0, 2.0), abs=0.0801)


def test_a_picture_that_was_changed_all_over_keeps_its_white_matte(folder: Path) -> None:
    made, other = texture("a"), texture("b")
    made[25:50] = np.rint(0.5 * made[25:50] + 0.5 * other[25:50]).astype(np.uint8)
    write(folder / "all.mp4", Media(made, speech("a")))
    take = imported(folder, static(np.full((112, 192), 255, np.uint8)), edited="all.mp4")
    assert take.edited is not None and take.edited.masks is not None
    ((start, end),) = [(one.start, one.end) for one in take.edited.segments]
    assert (start, end) == pytest.approx((1.0, 2.0), abs=0.25)  # no part is free to measure the codec's noise in


def test_a_long_list_of_missing_files_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(tmp_path, *({"original": "o.mp4", "edited": f"missing{k}.mp4"} for k in range(1234)))
    assert main([str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "1234 edits, 1234 cannot be used" in told.replace("\n", " ") and "and 1134" in told
    assert len(told.splitlines()) < 1200
