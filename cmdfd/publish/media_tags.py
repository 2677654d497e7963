"""What the containers of the media say about people, places and machines; their bytes are refused, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError
from cmdfd.publish.records import Problem
from cmdfd.publish.rights_check import Found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cmdfd.dataset import Dataset
    from cmdfd.publish.scrub import Private

#: Parts of tag names that hold people, places or devices (QuickTime, ID3, Matroska and EXIF by FFmpeg's names).
_PERSONAL = (
    "location", "gps", "xyz", "author", "artist", "composer", "performer", "director", "publisher", "comment",
    "description", "synopsis", "title", "make", "model", "serial", "device", "software", "encoded_by", "copyright",
    "owner", "keywords", "album", "url", "filename",
)  # fmt: skip
#: Tags that name the form, not the maker.
_TECHNICAL = frozenset({
    "major_brand", "minor_version", "compatible_brands", "encoder", "handler_name", "language", "vendor_id",
    "duration", "bps", "number_of_frames", "number_of_bytes",
})  # fmt: skip
#: Name that stands for the kind of a stream.
STREAM = "stream"
#: Shorter words occur in coded pictures by chance.
_MIN_BYTES = 8
_FIX = "build the set again, which writes no such tag; this program never changes the bytes of a clip"


def tags_found(dataset: Dataset) -> Found:
    """Look at the tags of every clip and mask.

    Args:
        dataset: The set at home.
    """
    from cmdfd.publish.scrub import private_of

    private = private_of(dataset.folder, [dataset.build.recipe])
    problems: list[Problem] = []
    for clip in dataset.rows:
        paths = [dataset.path_of(clip)]
        if (mask := dataset.mask_of(clip)) is not None and not dataset.lacks_masks:
            paths.append(mask)
        for path in paths:
            problems += tag_problems(path, path.relative_to(dataset.folder).as_posix(), private)
    return Found(tuple(problems))


def tag_problems(path: Path, where: str, private: Private) -> Iterator[Problem]:
    """What one file gives away; a file that cannot be read is told by others.

    Args:
        path: The file.
        where: How it is called in the problem.
        private: What must not be read in its tags and bytes.
    """
    try:
        tags = tags_of(path)
        content = path.read_bytes()
    except (CmdfdError, OSError):
        return
    for name, value in tags:
        bare = name.split(":")[-1].lower()
        if name.endswith(STREAM):
            yield Problem("personal_data", where, f"it has a {value} stream, which cameras fill with places", _FIX)
        elif bare not in _TECHNICAL and value.strip() and any(word in bare for word in _PERSONAL):
            yield Problem("personal_data", where, f"its tag {name!r} says {value[:80]!r}", _FIX)
        elif told := private.found(value):
            yield Problem("personal_data", where, f"its tag {name!r} holds {told[0]}", _FIX)
    for word in (*private.places, *private.names):
        if len(word) >= _MIN_BYTES and word.encode() in content:
            yield Problem("personal_data", where, f"its bytes hold {word!r}", _FIX)


def tags_of(path: Path) -> list[tuple[str, str]]:
    """All tags of a container and its streams; streams that are neither picture nor sound as "N:stream".

    Args:
        path: A media file.

    Raises:
        MediaError: If it cannot be opened.
    """
    from cmdfd.media.open import open_media

    with open_media(path) as container:
        found = sorted(container.metadata.items())
        for stream in container.streams:
            found += [(f"{stream.index}:{name}", value) for name, value in sorted(stream.metadata.items())]
            if stream.type not in ("video", "audio"):
                found.append((f"{stream.index}:{STREAM}", stream.type))
    return found
