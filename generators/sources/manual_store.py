"""What an editor made of a take, on disk beside it: `edited.mkv`, `matte.mkv`, `edit.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cmdfd.cache import write_atomic
from cmdfd.clip import Modality, Segment
from cmdfd.errors import MediaError
from generators.generator import EditedTake

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.media.encode import EncoderSettings
    from generators.generator import Take

EDITED, MATTE, EDIT = "edited.mkv", "matte.mkv", "edit.json"


class _Segment(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    start: float = Field(ge=0)
    end: float
    modality: Modality


class _EditFile(BaseModel):
    """`edit.json`: segments in seconds of the take's clock, and facts for the provenance table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    segments: list[_Segment]
    matte: bool
    details: dict[str, Any]


def save_edited(folder: Path, take: Take, settings: EncoderSettings) -> None:
    """Write the edited version of a take beside it; nothing where there is none.

    Args:
        folder: Existing folder.
        take: The take.
        settings: Those of the take itself, so that both are coded alike.
    """
    from cmdfd.media.encode import write_clip
    from cmdfd.media.masks import write_mask

    edited = take.edited
    if edited is None:
        return
    write_clip(folder / EDITED, edited.frames, take.fps, edited.audio, take.sample_rate, settings)
    if edited.masks is not None:
        write_mask(folder / MATTE, edited.masks, take.fps)
    segments = [_Segment(start=one.start, end=one.end, modality=one.modality) for one in edited.segments]
    data = _EditFile(segments=segments, matte=edited.masks is not None, details=dict(edited.details))
    text = json.dumps(data.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / EDIT, text.encode())


def load_edited(folder: Path, sample_rate: int) -> EditedTake | None:
    """Read the edited version of a take; None where there is none.

    Args:
        folder: Where a source wrote the take.
        sample_rate: Of the take.

    Raises:
        MediaError: If it cannot be read, or its parts do not belong together.
    """
    from cmdfd.media.decode import read_clip
    from cmdfd.media.masks import read_mask

    path = folder / EDITED
    if not path.is_file():
        return None
    try:
        data = _EditFile.model_validate_json((folder / EDIT).read_text("utf-8"))
        segments = tuple(Segment(one.start, one.end, one.modality) for one in data.segments)
    except (OSError, ValueError, ValidationError) as error:
        raise MediaError("not_media", folder / EDIT, f"not the record of an edit: {error}") from error
    clip = read_clip(path, sample_rate=sample_rate)
    if clip.audio is None:
        raise MediaError("no_audio", path)
    masks = read_mask(folder / MATTE).frames if data.matte else None
    if masks is not None and masks.shape != clip.video.frames.shape[:3]:
        raise MediaError("decode_failed", folder / MATTE, "the matte has another length or size than the edit")
    return EditedTake(clip.video.frames, clip.audio.samples, masks, segments, data.details)
