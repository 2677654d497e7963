"""Things that the user cut out: how they are read, what is refused, and what lies in the picture afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from splice_takes import busy, null, shares, splice

from cmdfd.clip import REAL
from cmdfd.errors import JobError
from generators.splice.cutouts import cutout_files, read_cutout

TAKE = busy("one")
GREEN, RED = (30, 160, 60), (230, 20, 20)


def thing(*, stored: str = "straight", size: tuple[int, int] = (90, 60)) -> np.ndarray:
    """A green ellipse with a soft edge; `stored` says what its soft and empty pixels hold."""
    width, height = size
    alpha = np.zeros((height, width), np.uint8)
    axes = (width // 2 - 12, height // 2 - 12)
    cv2.ellipse(alpha, (width // 2, height // 2), axes, 0, 0, 360, (255,), -1, cv2.LINE_AA)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 2.0), np.uint8)
    colours = np.full((height, width, 3), GREEN, np.uint8)
    if stored == "premultiplied":
        colours = np.rint(colours * (alpha[..., None] / 255.0)).astype(np.uint8)
    elif stored == "old background":
        colours[alpha < 250] = RED
    return np.dstack([colours, alpha])


def saved(folder: Path, name: str, pixels: np.ndarray, **how: object) -> Path:
    Image.fromarray(pixels).save(folder / name, **how)  # type: ignore[arg-type]
    return folder / name


@pytest.mark.parametrize("stored", ["straight", "premultiplied", "old background"])
@pytest.mark.parametrize("end", ["png", "webp", "tiff"])
def test_edges_have_the_things_own_colour_however_they_are_stored(tmp_path: Path, stored: str, end: str) -> None:
    how = {"lossless": True} if end == "webp" else {}
    path = saved(tmp_path, f"cup.{end}", thing(stored=stored), **how)
    found = read_cutout(path, "test")
    laid = found.thing(30.0)
    assert np.abs(laid.picture.astype(int) - GREEN).max() <= 4  # what counts as solid may be dimmed by 2 %
    assert len(laid.opacity) == 128 and laid.radius >= 30
    assert found.name == f"cup.{end}" and found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    outline = laid.outline  # in radii: the longer side reaches from -1 to 1, the other in proportion
    assert np.abs(np.abs(outline).max(axis=0) - (1.0, 41 / 71)).max() < 0.06
    assert 0 < ((laid.opacity > 20) & (laid.opacity < 235)).mean() < 0.4


@pytest.mark.parametrize("stored", ["premultiplied", "old background"])
def test_a_cut_out_lies_in_the_picture_with_a_soft_mask_and_no_fringe(tmp_path: Path, stored: str) -> None:
    path = saved(tmp_path, "cup.png", thing(stored=stored))
    how = {"seed": 3, "size": [0.3, 0.3], "cutout": str(path)}
    made = splice("object", TAKE, **how)
    judged = shares(TAKE.frames, made)
    assert judged.inside >= 0.99 and judged.differs >= 0.8 and made.variant == "cutout"
    assert made.details["cutout"] == "cup.png" and len(made.details["cutout_sha256"]) == 64
    assert str(tmp_path) not in str(made.details)
    assert made.masks is not None
    frame, mask, old = made.take.frames[18].astype(float), made.masks[18], TAKE.frames[18].astype(float)
    xs = np.flatnonzero((mask > 127).any(axis=0))
    assert abs((xs[-1] - xs[0] + 1) / (0.3 * 160) - 1) < 0.15  # its longer side is the size
    soft = (mask > 60) & (mask < 200)
    weight = mask[soft][:, None] / 255.0
    laid = (frame[soft] - (1 - weight) * old[soft]) / weight  # what was laid on, solved from the blend
    solid = frame[mask == 255].mean(axis=0)
    assert soft.sum() > 30 and np.abs(laid.mean(axis=0) - solid).max() < 14
    bare = null("object", TAKE, **how)
    assert bare.labels == REAL and bare.masks is None
    assert not ((bare.take.frames != TAKE.frames).any(axis=-1) & (made.masks == 0)).any()


def test_one_of_a_folder_is_drawn_by_chance_and_the_same_again(tmp_path: Path) -> None:
    for k in range(4):
        saved(tmp_path, f"{k}.png", thing(size=(80 + 8 * k, 60)))
    (tmp_path / "notes.txt").write_text("no image")
    saved(tmp_path, ".hidden.png", thing())
    assert [path.name for path in cutout_files(str(tmp_path), "test")] == ["0.png", "1.png", "2.png", "3.png"]
    drawn = [splice("object", TAKE, seed=seed, cutout=str(tmp_path)).details["cutout"] for seed in range(8)]
    assert len(set(drawn)) > 1
    one, again = (splice("object", TAKE, seed=5, cutout=str(tmp_path)) for _ in range(2))
    assert one.details == again.details and np.array_equal(one.take.frames, again.take.frames)


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = saved(tmp_path, "cup.png", thing())
    before = read_cutout(path, "test")
    saved(tmp_path, "cup.png", thing(size=(150, 60)))
    assert read_cutout(path, "test").sha256 != before.sha256


def hostile(tmp_path: Path) -> None:
    """Files that are no cut-outs, each in its own way."""
    blank, full = thing(), thing()
    blank[..., 3], full[..., 3] = 0, 255
    veil = thing()
    veil[..., 3] //= 3
    (tmp_path / "text.png").write_text("<html>")
    (tmp_path / "cut.png").write_bytes(saved(tmp_path, "good.png", thing()).read_bytes()[:300])
    bomb = Image.new("LA", (9000, 9000))
    bomb.save(tmp_path / "bomb.png")
    with (tmp_path / "heavy.png").open("wb") as stream:
        stream.truncate(65 << 20)
    saved(tmp_path, "flat.png", thing()[..., :3])
    saved(tmp_path, "photo.jpg", thing()[..., :3])
    saved(tmp_path, "blank.png", blank)
    saved(tmp_path, "full.png", full)
    saved(tmp_path, "veil.png", veil)
    dot = np.zeros((40, 40, 4), np.uint8)
    dot[10:22, 10:25] = 255
    saved(tmp_path, "dot.png", dot)
    frames = [Image.fromarray(thing()), Image.fromarray(255 - thing())]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    (tmp_path / "empty").mkdir()


def test_hostile_files_are_refused_by_name(tmp_path: Path) -> None:
    hostile(tmp_path)
    for name, told in (
        ("text.png", "no image that can be read"),
        ("cut.png", "no image that can be read"),
        ("photo.jpg", "no image that can be read"),
        ("bomb.png", "9000 x 9000 pixels"),
        ("heavy.png", "65 MiB"),
        ("flat.png", "no alpha channel"),
        ("blank.png", "is empty"),
        ("full.png", "opaque everywhere"),
        ("veil.png", "a veil"),
        ("dot.png", "longer side must have 16"),
        ("moving.png", "several pictures"),
        ("empty", "no image that ends in"),
        ("none.png", "no file or folder"),
    ):
        with pytest.raises(JobError, match=told) as caught:
            splice("object", TAKE, cutout=str(tmp_path / name))
        assert caught.value.code == "input_unsupported" and caught.value.generator == "splice/object"
        assert name in str(caught.value) and str(tmp_path) not in str(caught.value)
