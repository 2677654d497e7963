"""Reading of an original and its edit: small and grey for their alignment, then full for the take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import MediaError
from generators.manual.geometry import View, cut_out
from generators.manual.problems import refusal
from generators.manual.timing import Film

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.media.decode import Audio
    from cmdfd.media.harmonise import Placement
    from cmdfd.media.probe import MediaInfo

SAMPLE_RATE = 16000
#: Longer side of the small pictures, and the longest file, in seconds: its small pictures are held in memory.
SIDE, MAX_SECONDS = 192, 180.0


@dataclass(frozen=True, slots=True, eq=False)
class Reel:
    """A file as it was read for the alignment.

    Args:
        path: The file.
        name: As the user named it.
        info: Its headers.
        film: Small grey pictures; times from the first one.
        first: Seconds of the first frame on the container's clock.
        audio: Mono sound at `SAMPLE_RATE` on the clock of `film`, or None.
    """

    path: Path
    name: str
    info: MediaInfo
    film: Film
    first: float
    audio: Audio | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as displayed."""
        return video_size(self.info)


def video_size(info: MediaInfo) -> tuple[int, int]:
    """Width and height of the picture as displayed.

    Raises:
        MediaError: "no_video".
    """
    if info.video is None:
        raise MediaError("no_video", info.path)
    return info.video.width, info.video.height


def read_reel(path: Path, name: str) -> Reel:
    """Read a file small and grey, with its sound.

    Raises:
        MediaError: If it cannot be read, has no picture, or lasts longer than `MAX_SECONDS`.
    """
    from cmdfd.media.decode import iter_frames, read_audio
    from cmdfd.media.probe import probe

    info = probe(path)
    width, height = video_size(info)
    scale = min(1.0, SIDE / max(width, height))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    images: list[NDArray[np.uint8]] = []
    times: list[float] = []
    for frame in iter_frames(path, pixel_format="gray", size=size):
        if times and frame.time - times[0] > MAX_SECONDS:
            raise refusal("too_long", name, f"longer than {MAX_SECONDS:g} s")
        images.append(frame.image)
        times.append(frame.time)
    film = Film(np.stack(images), np.array(times) - times[0])
    audio = None
    if info.audio is not None:
        heard = read_audio(path, sample_rate=SAMPLE_RATE)
        audio = replace(heard, start=heard.start - times[0])
    return Reel(path, name, info, film, times[0], audio)


def seen_through(film: Film, view: View, shape: tuple[int, int]) -> Film:
    """The edited film as it shows the original's picture: cut and scaled to [h, w] `shape`."""
    rect = view.forward((0.0, 0.0, 1.0, 1.0))
    if view == View() and film.frames.shape[1:3] == shape:
        return film
    return Film(np.stack([cut_out(frame, rect, shape[1], shape[0]) for frame in film.frames]), film.times)


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where the take's picture comes from and goes to.

    Args:
        rect: What is shown of the original, in fractions: left, top, right, bottom.
        view: From the original to the edited picture.
        place: Where it lies on the canvas.
    """

    rect: tuple[float, float, float, float]
    view: View
    place: Placement

    @classmethod
    def fit(cls, size: tuple[int, int], view: View, canvas: tuple[int, int] | None, long_edge: int) -> Canvas:
        """Lay it out.

        Args:
            size: Width and height of the original.
            view: From the original to the edited picture.
            canvas: Width and height to fill, letterboxed; None for the picture's own shape.
            long_edge: Longest side where `canvas` is None; a smaller original is not enlarged.
        """
        from cmdfd.media.harmonise import Placement

        rect = view.shared
        width, height = size[0] * (rect[2] - rect[0]), size[1] * (rect[3] - rect[1])
        if canvas is None:
            scale = min(1.0, long_edge / max(width, height))
            canvas = (max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2)))
            place = Placement(*canvas, 0, 0, *canvas)
        else:
            place = Placement.fit(max(1, round(width)), max(1, round(height)), *canvas)
        return cls(rect, view, place)

    def onto(self, image: NDArray[np.uint8], *, edited: bool) -> NDArray[np.uint8]:
        """One picture, [H, W] or [H, W, 3], on the canvas."""
        place = self.place
        rect = self.view.forward(self.rect) if edited else self.rect
        inner = cut_out(image, rect, place.width, place.height)
        if (place.width, place.height) == (place.canvas_width, place.canvas_height):
            return inner
        out = np.zeros((place.canvas_height, place.canvas_width, *image.shape[2:]), np.uint8)
        out[place.top : place.top + place.height, place.left : place.left + place.width] = inner
        return out


def read_frames(reel: Reel, indices: NDArray[np.intp], canvas: Canvas, *, edited: bool) -> NDArray[np.uint8]:
    """Chosen frames of a file on the canvas, [K, H, W, 3].

    Args:
        reel: The file.
        indices: [K] frames by their number.
        canvas: Where to.
        edited: Whether it is the edited file.

    Raises:
        MediaError: "decode_failed" where the file gives fewer frames than the first time.
    """
    from cmdfd.media.decode import iter_frames

    wanted: dict[int, list[int]] = {}
    for row, index in enumerate(indices.tolist()):
        wanted.setdefault(index, []).append(row)
    place, last = canvas.place, int(indices.max())
    out = np.zeros((len(indices), place.canvas_height, place.canvas_width, 3), np.uint8)
    seen = 0
    for number, frame in enumerate(iter_frames(reel.path)):
        for row in wanted.get(number, ()):
            out[row] = canvas.onto(frame.image, edited=edited)
            seen += 1
        if number >= last:
            break
    if seen != len(indices):
        raise MediaError("decode_failed", reel.name, "two passes over the file gave different pictures")
    return out
