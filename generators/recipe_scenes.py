"""The parts of a recipe that are about scenes of several people and about social platforms."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Part(BaseModel):
    """A block of a recipe: no unknown keys, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenesRecipe(Part):
    """Scenes: every take becomes one panel of a picture with others of its split; see `generators.splice.scenes`.

    The people of a split are put together in small fixed casts, so that no more of them hang together than stand in
    one picture. A take's real clip and its fakes are the same scene.

    Args:
        layouts: Layouts, in equal shares; a lone person gets "address".
        long_edge: Longer side of the picture in pixels, even; the layout gives the shape.
        captions: Running captions: "pool" (neutral lines), "speech" (the words of the genuine take) or "none"; true and
            false mean the first and the last. Name plates and headlines always stand.
        sound: "mix": the others are heard too, more quietly; "target": they are mute.
    """

    layouts: list[str] = Field(default_factory=lambda: ["interview", "news", "grid", "portrait"], min_length=1)
    long_edge: int = Field(default=960, ge=160, le=1920, multiple_of=2)
    captions: bool | Literal["pool", "speech", "none"] = True
    sound: Literal["mix", "target"] = "mix"

    @field_validator("layouts")
    @classmethod
    def _distinct(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError(f"a layout stands twice: {', '.join(value)}")
        return value


class SocialRecipe(Part):
    """Social platforms: every finished clip, real or fake, is also sent through each chain.

    Args:
        chains: Profiles of `generators.social`, own YAML files, or several joined by "+", one after the other.
    """

    chains: list[str] = Field(default_factory=list)

    @field_validator("chains", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("chains")
    @classmethod
    def _distinct(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError(f"a chain stands twice: {', '.join(value)}")
        return value
