"""Parameters of `edit/partial` and `edit/own`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cmdfd.clip import Modality
from cmdfd.errors import JobError
from generators.edits.edit_list import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODALITY = {"audio": Modality.AUDIO, "video": Modality.VIDEO, "both": Modality.BOTH}


class PartialParams(BaseModel):
    """What shall be edited, and how.

    Args:
        ops: Operations; the takes of a split get them in turn.
        modality: "audio", "video" or "both". What changes the length (insert, delete) needs "both".
        count: Edits of one clip; fewer where no more find room.
        seconds: Least and greatest length of an edit.
        crossfade: Seconds of every cross-fade in the sound.
        replacement: "donor": other words of the donor (of the take itself for `edit/own`); "voice": the same words
            as `audio/revoice` speaks them, in their old places.
        picture: "mouth": the speaker's own picture with its lips moved to the new words (an insertion goes back and
            forth over the pictures before it); "donor": the donor's picture of these words.
        dissolve: Pictures of a cross-dissolve at every cut of the picture, even; 0 for clean cuts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ops: tuple[Op, ...] = Field(default=("replace",), min_length=1, max_length=12)
    modality: Literal["audio", "video", "both"] = "audio"
    count: int = Field(default=1, ge=1, le=8)
    seconds: tuple[float, float] = (0.3, 0.9)
    crossfade: float = Field(default=0.012, ge=0.005, le=0.02)
    replacement: Literal["donor", "voice"] = "donor"
    picture: Literal["mouth", "donor"] = "mouth"
    dissolve: int = Field(default=0, ge=0, le=8, multiple_of=2)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        low, high = self.seconds
        if not 0.1 <= low <= high <= 10:
            raise ValueError(f"seconds must be a range inside 0.1 ... 10, least first, got [{low:g}, {high:g}]")
        if self.modality != "both" and set(self.ops) - {"replace"}:
            raise ValueError(
                f"insert and delete change the length of both streams: say modality: both, not {self.modality}"
            )
        if self.replacement == "voice" and "insert" in self.ops:
            raise ValueError("a voice can replace words, but there are none to say for an insert; use a donor")
        if self.replacement == "voice" and (self.modality == "video" or self.picture == "donor"):
            raise ValueError("another voice is no picture: say modality: audio or both, and picture: mouth")
        return self

    @property
    def streams(self) -> Modality:
        """What is edited."""
        return _MODALITY[self.modality]

    @property
    def sound(self) -> bool:
        """Whether the sound is edited."""
        return self.modality != "video"

    @property
    def sight(self) -> bool:
        """Whether the picture is edited."""
        return self.modality != "audio"

    @property
    def lends(self) -> bool:
        """Whether words come from a donor."""
        return self.replacement == "donor" and set(self.ops) != {"delete"}

    @classmethod
    def read(cls, params: Mapping[str, Any], generator: str) -> PartialParams:
        """Check parameters as a recipe gives them.

        Raises:
            JobError: "input_unsupported", naming the parameter and the fix.
        """
        try:
            return cls.model_validate(dict(params))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "params"
            message = first["msg"].removeprefix("Value error, ")
            raise JobError("input_unsupported", generator, f"{name}: {message}") from error
