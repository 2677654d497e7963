"""Provenance and camera marks in a file: C2PA manifests, XMP and Exif. Only whether they are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.audit.isobmff import IsoBoxes

#: Boxes of type uuid: C2PA (Content Credentials specification 2.1, A.5.1), XMP (ISO 16684-1, part 3, 2.1.1) and the
#: Exif of JPEG 2000, which cameras put into films ("JpgTiffExif->JP2").
C2PA_UUID = "d8fec3d61b0e483c92975828877ec481"
XMP_UUID = "be7acfcb97a942e89c71999491e3afac"
EXIF_UUID = "4a706754696666457869662d3e4a5032"
#: Bytes at each end of a file without boxes that are searched.
_END = 1 << 16
_XMP = (b"<x:xmpmeta", b"http://ns.adobe.com/xap/1.0/")
_EXIF = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Marks:
    """Which marks a file bears.

    Args:
        c2pa: A manifest of Content Credentials (C2PA box, or a JUMBF box that holds one).
        xmp: An XMP packet.
        exif: Exif of a camera.
    """

    c2pa: bool = False
    xmp: bool = False
    exif: bool = False


NO_MARKS = Marks()


def read_marks(path: Path, boxes: IsoBoxes | None) -> Marks:
    """Look for marks: by boxes in an ISO file, else in the first and last 64 KiB.

    Args:
        path: A regular file.
        boxes: Its structure where it is an ISO file.
    """
    if boxes is not None:
        data, uuids = boxes.side, boxes.uuids
    else:
        data, uuids = _ends(path), ()
    return Marks(
        C2PA_UUID in uuids or (b"jumb" in data and b"c2pa" in data),
        XMP_UUID in uuids or "XMP_" in (boxes.user_data if boxes else ()) or any(word in data for word in _XMP),
        EXIF_UUID in uuids or _EXIF in data,
    )


def _ends(path: Path) -> bytes:
    with path.open("rb") as stream:
        head = stream.read(_END)
        stream.seek(max(path.stat().st_size - _END, _END))
        return head + stream.read(_END)
