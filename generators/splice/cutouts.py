"""Things that the user cut out of pictures: RGBA images, read with care and made ready to be laid into a recording."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.errors import JobError
from generators.splice.drawings import Drawing, hull_of

if TYPE_CHECKING:
    from generators.video.mesh_warp import Bytes

#: Formats that hold an alpha channel, and the ends of their names.
_FORMATS, _ENDS = ("PNG", "WEBP", "TIFF"), (".png", ".webp", ".tif", ".tiff")
#: Larger files and sides are no cut-outs but attempts to fill the memory; a folder of more is not looked through.
_MOST_BYTES, _MOST_SIDE, _MOST_FILES = 64 << 20, 8192, 10_000
#: Pixels of the longer side of a cut-out below which it would be a smear.
_LEAST_SIDE = 16
#: Sides of the squares into which a cut-out is brought; the least is taken in which it is not smaller than it is laid.
_SIDES = (64, 128, 256, 512, 1024)
#: Opacity from which a pixel's colour is its own, that from which a pixel belongs to the thing at all, and the least
#: share of the thing's pixels that must be solid: the colours of soft ones come from them.
_SOLID, _THERE, _LEAST_SOLID = 250, 20, 0.2
#: The colour of soft pixels is that of solid ones so many pixels around.
_BLEED = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A thing and the file it comes from.

    Args:
        colours: [h, w, 3] uint8, going on beyond its edge.
        alpha: [h, w] uint8; what is seen of it fills the picture.
        name: The file's name without its folder.
        sha256: Of the file.
    """

    colours: Bytes
    alpha: Bytes
    name: str
    sha256: str

    def thing(self, radius: float) -> Drawing:
        """The cut-out as a thing whose longer side is twice a radius in pixels."""
        return _thing(self, next((side for side in _SIDES if Drawing.SHARE * side >= radius), _SIDES[-1]))


def cutout_files(place: str, generator: str) -> list[Path]:
    """The image itself, or all images of a folder, in the order of their names.

    Raises:
        JobError: "input_unsupported" where there is none.
    """
    path = Path(place).expanduser()
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise JobError("input_unsupported", generator, f"cutout: there is no file or folder {path.name!r}")
    found = []
    for each in path.iterdir():
        if each.suffix.lower() in _ENDS and not each.name.startswith(".") and each.is_file():
            found.append(each)
        if len(found) > _MOST_FILES:
            detail = f"cutout: folder {path.name!r} holds more than {_MOST_FILES} images; name a smaller one"
            raise JobError("input_unsupported", generator, detail)
    if not found:
        detail = f"cutout: folder {path.name!r} has no image that ends in {', '.join(_ENDS)}"
        raise JobError("input_unsupported", generator, detail)
    return sorted(found, key=lambda each: each.name)


def read_cutout(path: Path, generator: str) -> Cutout:
    """Read a cut-out.

    The colours of soft pixels are taken from the solid ones beside them. So it does not matter whether the file holds
    them as they are or multiplied by their opacity, and nothing of the old background shines through the edge.

    Raises:
        JobError: "input_unsupported", naming the file, where it is no image with an alpha channel, too large, too
            small, animated, empty, or has hardly a solid pixel.
    """
    try:
        stat = path.stat()
        if stat.st_size > _MOST_BYTES:
            raise _refusal(generator, path.name, f"has {stat.st_size >> 20} MiB, at most {_MOST_BYTES >> 20} are read")
    except OSError as error:
        raise _refusal(generator, path.name, f"cannot be read: {error.strerror}") from error
    return _read(path, stat.st_mtime_ns, stat.st_size, generator)


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, size: int, generator: str) -> Cutout:
    del changed, size  # they tell that the file is still the one that was read
    data = path.read_bytes()
    pixels = _cropped(_decoded(data, path.name, generator), path.name, generator)
    colours = _bled(pixels)
    colours.flags.writeable = pixels.flags.writeable = False
    return Cutout(colours, pixels[..., 3], path.name, hashlib.sha256(data).hexdigest())


def _refusal(generator: str, name: str, why: str) -> JobError:
    return JobError("input_unsupported", generator, f"cutout: {name!r} {why}")


def _decoded(data: bytes, name: str, generator: str) -> Bytes:
    """[h, w, 4]."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if max(image.size) > _MOST_SIDE:
                why = f"is {image.width} x {image.height} pixels, at most {_MOST_SIDE} a side are read"
                raise _refusal(generator, name, why)
            if getattr(image, "n_frames", 1) > 1:
                raise _refusal(generator, name, "holds several pictures; give each its own file")
            if image.mode not in {"RGBA", "RGBa", "LA", "La", "PA"} and "transparency" not in image.info:
                raise _refusal(generator, name, f"has no alpha channel (mode {image.mode}); cut the thing out first")
            upright = ImageOps.exif_transpose(image)
            return np.asarray(upright.convert("RGBA"), np.uint8)
    except JobError:
        raise
    except Exception as error:  # whatever a decoder raises on a stranger's bytes
        why = f"is no image that can be read ({', '.join(_FORMATS)}): {error}"
        raise _refusal(generator, name, why) from error


def _cropped(pixels: Bytes, name: str, generator: str) -> Bytes:
    """What is seen of a picture."""
    there = pixels[..., 3] >= _THERE
    if there.all():
        raise _refusal(generator, name, "has an alpha channel that is opaque everywhere; cut the thing out first")
    if not there.any():
        raise _refusal(generator, name, "shows nothing: its alpha channel is empty")
    solid = float((pixels[..., 3] >= _SOLID).sum()) / float(there.sum())
    if solid < _LEAST_SOLID:
        why = f"is a veil: {solid:.0%} of it are opaque, {_LEAST_SOLID:.0%} must be"
        raise _refusal(generator, name, why)
    ys, xs = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    found = pixels[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    if max(found.shape[:2]) < _LEAST_SIDE:
        why = f"shows {found.shape[1]} x {found.shape[0]} pixels, the longer side must have {_LEAST_SIDE}"
        raise _refusal(generator, name, why)
    return np.ascontiguousarray(found)


@lru_cache(maxsize=16)
def _thing(cutout: Cutout, side: int) -> Drawing:
    """A cut-out in the middle of a square."""
    height, width = cutout.alpha.shape
    scale = 2 * Drawing.SHARE * side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    sides = (top, side - size[1] - top, left, side - size[0] - left)
    colours, alpha = (cv2.resize(each, size, interpolation=how) for each in (cutout.colours, cutout.alpha))
    picture = np.asarray(cv2.copyMakeBorder(colours, *sides, cv2.BORDER_REPLICATE), np.uint8)
    opacity = np.asarray(cv2.copyMakeBorder(alpha, *sides, cv2.BORDER_CONSTANT, value=(0,)), np.uint8)
    picture.flags.writeable = opacity.flags.writeable = False
    return Drawing(picture, opacity, hull_of(opacity))


def _bled(pixels: Bytes) -> Bytes:
    """Colours in which those of soft pixels are replaced by those of the nearest solid ones, a little blurred."""
    solid = (pixels[..., 3] >= _SOLID).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        1 - solid, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    table[nearest[solid > 0]] = pixels[..., :3][solid > 0]
    filled = table[nearest]
    calm = cv2.GaussianBlur(filled, (0, 0), _BLEED)
    return np.asarray(np.where(solid[..., None] > 0, filled, calm), np.uint8)
