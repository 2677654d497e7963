"""Pictures for the tests of the picture cues: from arrays, and from files by a reader of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cmdfd.audit.pictures import MAX_PICTURES, THUMB_SIDE, Pictures


def pictures_of(luma: np.ndarray, fps: float = 25.0, types: str | None = None, qp: Any = None) -> Pictures:
    """Of a whole clip [T, H, W] uint8."""
    n = len(luma)
    indices = np.unique(np.round(np.linspace(0, n - 1, min(n, MAX_PICTURES))).astype(np.intp))
    step = max(-(-max(luma.shape[1:]) // THUMB_SIDE), 1)
    return Pictures(
        luma=np.ascontiguousarray(luma[indices]),
        chroma=np.full((len(indices), 2), 128.0),
        indices=indices,
        times=np.arange(n) / fps,
        thumbs=np.ascontiguousarray(luma[:, ::step, ::step]),
        types=types if types is not None else "?" * n,
        qp=np.full(n, np.nan) if qp is None else np.asarray(qp, np.float64),
    )


def empty_pictures() -> Pictures:
    """Of a stream of which nothing could be decoded."""
    none = np.zeros(0)
    nothing = np.zeros((0, 0, 0), np.uint8)
    return Pictures(nothing, np.zeros((0, 2)), none.astype(np.intp), none, nothing, "", none)


def scene(n: int, height: int, width: int, seed: int = 0, noise: float = 2.0) -> np.ndarray:
    """[n, height, width] uint8: a soft random texture on which a sharper disc wanders, with noise of a camera."""
    import cv2

    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 6)
    ground = 120 + 30 * ground / ground.std()
    disc = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.2)
    disc = 130 + 40 * disc / disc.std()
    y, x = np.mgrid[:height, :width]
    path = np.cumsum(rng.normal(0, 1.5, (n, 2)), axis=0)
    clip = np.empty((n, height, width), np.uint8)
    for index, (dy, dx) in enumerate(path):
        inside = (y - height / 2 - dy) ** 2 + (x - width / 2 - dx) ** 2 < (min(height, width) / 4) ** 2
        moved = cv2.warpAffine(disc, np.float32([[1, 0, dx], [0, 1, dy]]), (width, height), borderMode=cv2.BORDER_WRAP)
        picture = np.where(inside, moved, ground) + rng.normal(0, noise, (height, width))
        clip[index] = np.clip(np.round(picture), 16, 235)
    return clip


def encode(path: Path, luma: np.ndarray, fps: int = 25, codec: str = "libx264", **options: str) -> Path:
    """Write a grey clip [T, H, W] as 4:2:0 with the code values as they are."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = luma.shape[2], luma.shape[1], "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in luma:
            height, width = picture.shape
            planes = np.full((height * 3 // 2, width), 128, np.uint8)
            planes[:height] = picture
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
    return path


def decode(path: Path) -> tuple[np.ndarray, str]:
    """Every picture's luma as stored [T, H, W], and the types in order of display."""
    import av

    planes, types = [], ""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            eight_bit = frame.format.name.startswith(("yuv", "gray")) and frame.format.components[0].bits == 8
            plane = (frame if eight_bit else frame.reformat(format="yuv420p")).planes[0]
            pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
            planes.append(pixels.copy())
            types += {1: "I", 2: "P", 3: "B"}.get(int(frame.pict_type), "?")
    return np.stack(planes), types
