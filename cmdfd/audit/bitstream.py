"""What the bytes of coded pictures tell without decoding them: the encoder's signature, the kind of the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of a UUID in front of the text of an SEI message (ITU-T H.264, D.1.7).
_UUID_BYTES = 16
#: NAL units of one packet, and bytes of one SEI unit, that are looked at.
_MAX_UNITS, _MAX_SEI = 256, 1 << 16
#: Payload type of an SEI message with text of the encoder's own (H.264 and H.265, "user data unregistered").
_UNREGISTERED = 5
#: Kinds of slices by `slice_type` modulo 5 (H.264, table 7-6).
_SLICES = "PBIPI"


def _length_width(codec: str, extradata: bytes) -> int:
    """Bytes in front of each unit that tell its length (ISO/IEC 14496-15); 0 where start codes part the units."""
    if not extradata or extradata[0] != 1:
        return 0
    place = 4 if codec == "h264" else 21
    return (extradata[place] & 3) + 1 if len(extradata) > place else 0


def _prefixed(data: bytes, width: int) -> Iterator[bytes]:
    at = 0
    for _ in range(_MAX_UNITS):
        if at + width >= len(data):
            return
        length = int.from_bytes(data[at : at + width], "big")
        at += width
        yield data[at : at + min(length, _MAX_SEI)]
        at += length


def _coded(data: bytes) -> Iterator[bytes]:
    """Units between start codes (H.264, annex B)."""
    at = data.find(b"\0\0\1")
    for _ in range(_MAX_UNITS):
        if at < 0:
            return
        at += 3
        end = data.find(b"\0\0\1", at)
        yield data[at : min(end if end >= 0 else len(data), at + _MAX_SEI)]
        at = end


def _configured(codec: str, extradata: bytes) -> Iterator[bytes]:
    """Units that a decoder configuration of H.265 holds (ISO/IEC 14496-15, 8.3.3.1); start codes elsewhere."""
    if not _length_width(codec, extradata):
        yield from _coded(extradata)
        return
    if codec != "hevc":
        return  # the configuration of H.264 holds parameter sets only
    at = 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        count = int.from_bytes(extradata[at + 1 : at + 3], "big")
        at += 3
        for _ in range(min(count, _MAX_UNITS)):
            length = int.from_bytes(extradata[at : at + 2], "big")
            yield extradata[at + 2 : at + 2 + length]
            at += 2 + length


def units(codec: str, extradata: bytes, packet: bytes) -> Iterator[bytes]:
    """NAL units of a packet of H.264 or H.265, each cut after 64 KiB; nothing for other codecs.

    Args:
        codec: FFmpeg's name.
        extradata: Decoder configuration of the stream.
        packet: Bytes of the packet.
    """
    if codec not in ("h264", "hevc"):
        return
    width = _length_width(codec, extradata)
    yield from (unit for unit in (_prefixed(packet, width) if width else _coded(packet)) if unit)


def _messages(unit: bytes, head: int) -> Iterator[bytes]:
    """Texts of an SEI unit (H.264, 7.3.2.3): messages of the encoder's own, without their UUID."""
    data = unit[head:].replace(b"\0\0\3", b"\0\0")  # the byte that keeps start codes from appearing (7.4.1)
    at = 0
    while at + 2 < len(data):
        kind, at = _stretched(data, at)
        size, at = _stretched(data, at)
        if kind == _UNREGISTERED and size > _UUID_BYTES:
            yield data[at + _UUID_BYTES : at + size]
        at += size


def _stretched(data: bytes, at: int) -> tuple[int, int]:
    """A number written as bytes of 255 and a rest, and where it ends."""
    value = 0
    while at < len(data) and data[at] == 0xFF:
        value, at = value + 255, at + 1
    return value + (data[at] if at < len(data) else 0), at + 1


def _is_sei(codec: str, unit: bytes) -> bool:
    return unit[0] & 31 == 6 if codec == "h264" else (unit[0] >> 1) & 63 in (39, 40)


def signature(codec: str, extradata: bytes, packet: bytes) -> bytes:
    """Text of the last unregistered SEI message before the first picture, as the decoder would hand it over.

    Args:
        codec: FFmpeg's name; only "h264" and "hevc" have such messages.
        extradata: Decoder configuration of the stream.
        packet: Bytes of the first key packet.

    Returns:
        The bytes behind the UUID; empty where there is none.
    """
    if codec not in ("h264", "hevc"):
        return b""
    found = b""
    for unit in (*(one for one in _configured(codec, extradata) if one), *units(codec, extradata, packet)):
        if _is_sei(codec, unit):
            for text in _messages(unit, 1 if codec == "h264" else 2):
                found = text
    return found


def first_kind(codec: str, extradata: bytes, packet: bytes, is_key: bool) -> str:
    """Kind of a stream's first picture.

    Args:
        codec: FFmpeg's name.
        extradata: Decoder configuration of the stream.
        packet: Bytes of the first packet.
        is_key: Whether the container calls it a key frame.

    Returns:
        H.264: "IDR", or "I", "P", "B" of its first slice; H.265: "IDR", "CRA", "BLA" or "trailing"; else "key" or
        "not key".
    """
    for unit in units(codec, extradata, packet):
        if codec == "h264" and unit[0] & 31 in (1, 5):
            return "IDR" if unit[0] & 31 == 5 else _slice(unit)
        if codec == "hevc" and (kind := (unit[0] >> 1) & 63) < 32:
            return _hevc_kind(kind)
    return "key" if is_key else "not key"


def _hevc_kind(kind: int) -> str:
    """H.265, table 7-1."""
    if kind in (19, 20):
        return "IDR"
    return "CRA" if kind == 21 else "BLA" if 16 <= kind <= 18 else "trailing"


def _slice(unit: bytes) -> str:
    """Kind of a slice: the second of two Exp-Golomb numbers behind the unit's head (H.264, 7.3.3 and 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in unit[1:17].replace(b"\0\0\3", b"\0\0"))
    at = value = 0
    for _ in range(2):
        zeros = bits.find("1", at) - at
        if zeros < 0 or at + 2 * zeros + 1 > len(bits):
            return "unknown"
        value = int(bits[at + zeros : at + 2 * zeros + 1], 2) - 1
        at += 2 * zeros + 1
    return _SLICES[value % 5]
