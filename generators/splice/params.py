"""Parameters of the splices, checked where a recipe's words come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cmdfd.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping

Blend = Literal["feather", "poisson"]
Drawing = Literal["badge", "poster", "cup", "ball"]


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"a range goes from its least to its greatest value, got [{value[0]:g}, {value[1]:g}]")
    return value


#: Diameter of a region as a share of the picture's shorter side: below .05 it is a dot, above .6 most of the picture.
_Side = Annotated[float, Field(ge=0.05, le=0.6)]
Size = Annotated[tuple[_Side, _Side], AfterValidator(_ordered)]
_Length = Annotated[float, Field(ge=0.12, le=20.0)]
Seconds = Annotated[tuple[_Length, _Length], AfterValidator(_ordered)]


class SpliceParams(BaseModel):
    """Reads a recipe's parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, params: Mapping[str, Any], generator: str) -> Self:
        """Check parameters as a recipe gives them.

        Raises:
            JobError: "input_unsupported", naming the parameter, the value and what is allowed.
        """
        try:
            return cls.model_validate(dict(params))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "params"
            message = first["msg"].removeprefix("Value error, ")
            raise JobError("input_unsupported", generator, f"{name}: {message}, got {first['input']!r}") from error


class FaceParams(SpliceParams):
    """Of `splice/face`.

    Args:
        region: "face": brows, cheeks and chin with some forehead; "inner": brows, eyes, nose and mouth only.
        blend: "feather": a soft edge; "poisson": the donor's gradients inside, the take's colours at the rim.
        feather: Width of the soft edge in distances of the outer eye corners.
        occlusion: "skin": hair and things before the face are left alone, see `generators.splice.visible`; "none".
    """

    region: Literal["face", "inner"] = "face"
    blend: Blend = "feather"
    feather: float = Field(default=0.14, ge=0.02, le=0.4)
    occlusion: Literal["skin", "none"] = "skin"


class MouthParams(SpliceParams):
    """Of `splice/mouth`: `blend` and `feather` as of `FaceParams`."""

    blend: Blend = "poisson"
    feather: float = Field(default=0.12, ge=0.02, le=0.3)


class ObjectParams(SpliceParams):
    """Of `splice/object`.

    Args:
        draw: What may be drawn; one is drawn by chance.
        cutout: Instead of a drawing: an RGBA image (PNG, WebP, TIFF) of a thing that was cut out, or a folder of such
            images, one of which is drawn by chance. Its rights are the user's to know.
        size: Range of its diameter (a cut-out's longer side), a share of the picture's shorter side.
    """

    draw: tuple[Drawing, ...] = Field(default=("badge", "poster", "cup", "ball"), min_length=1, max_length=8)
    cutout: str | None = Field(default=None, min_length=1, max_length=4096)
    size: Size = (0.14, 0.22)


class RegionParams(SpliceParams):
    """Of `splice/region`: `size` as of `ObjectParams`; `blend` and `feather` (a share of the diameter)."""

    size: Size = (0.14, 0.24)
    blend: Blend = "poisson"
    feather: float = Field(default=0.15, ge=0.02, le=0.4)


class RemoveParams(SpliceParams):
    """Of `splice/remove`.

    Args:
        method: "telea" or "ns" (OpenCV's inpainting), or "clone": another place of the same picture.
        size: As of `ObjectParams`.
        feather: As of `RegionParams`.
    """

    method: Literal["telea", "ns", "clone"] = "telea"
    size: Size = (0.12, 0.22)
    feather: float = Field(default=0.12, ge=0.02, le=0.4)


class CopyMoveParams(SpliceParams):
    """Of `splice/copy_move`.

    Args:
        size: As of `ObjectParams`.
        blend: As of `FaceParams`.
        feather: As of `RegionParams`.
        turn: Greatest rotation either way in degrees.
        scale: Range of the scale.
        flip: Whether the copy may be mirrored.
    """

    size: Size = (0.12, 0.22)
    blend: Blend = "poisson"
    feather: float = Field(default=0.15, ge=0.02, le=0.4)
    turn: float = Field(default=8.0, ge=0.0, le=45.0)
    scale: Annotated[
        tuple[Annotated[float, Field(ge=0.5, le=2.0)], Annotated[float, Field(ge=0.5, le=2.0)]],
        AfterValidator(_ordered),
    ] = (0.9, 1.1)
    flip: bool = False


class TemporalParams(SpliceParams):
    """Of `splice/temporal`.

    Args:
        generator: Registry name of an in-process generator whose outcome is spliced in.
        generator_params: Its parameters over its defaults.
        seconds: Range of the stretch's length, fades included.
        fade_frames: Pictures of the cross-dissolve at each joint, inside the stretch; 0 for clean cuts.
        crossfade: Seconds of the cross-fade of the sound at each joint.
    """

    generator: str = "video/face_swap"
    generator_params: dict[str, Any] = Field(default_factory=dict)
    seconds: Seconds = (0.6, 1.2)
    fade_frames: int = Field(default=2, ge=0, le=12)
    crossfade: float = Field(default=0.015, ge=0.01, le=0.02)
