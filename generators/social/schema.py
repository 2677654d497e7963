"""What a profile of a platform says: the records behind its YAML file."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from cmdfd.clip import content_id
from generators.social.x264 import X264Options, check_fits

#: Of the YAML format.
SCHEMA_VERSION = 1
#: Goes up when a profile of the same words would give other bytes.
CODE_VERSION = 1
#: Levels of ITU-T H.264, table A-1, that a profile may name.
Level = Literal["auto", "1.3", "2.0", "2.1", "2.2", "3.0", "3.1", "3.2", "4.0", "4.1", "4.2", "5.0", "5.1", "5.2"]
Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]  # fmt: skip
_Said = Annotated[str, Field(min_length=8, max_length=2000)]
#: What tables and exports call the clips before any platform.
_RESERVED = "original"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is meant: they would count as 1 and 0."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("must not be true or false")
        return value


class Size(_Part):
    """Caps of the displayed picture. It is never enlarged and keeps its shape.

    Args:
        long_edge: Most pixels of the longer side.
        short_edge: Most pixels of the shorter side.
    """

    long_edge: int = Field(ge=64, le=8192)
    short_edge: int = Field(ge=64, le=8192)

    @model_validator(mode="after")
    def _ordered(self) -> Size:
        if self.short_edge > self.long_edge:
            raise ValueError(f"short_edge {self.short_edge} is longer than long_edge {self.long_edge}")
        return self


class FrameRate(_Part):
    """What happens to the frame rate; the result is constant.

    Args:
        rule: "cap": a steady rate up to `rate` is kept; "resample": every clip comes out at `rate`.
        rate: Frames per second.
    """

    rule: Literal["cap", "resample"]
    rate: float = Field(ge=1, le=120)


class Step(_Part):
    """A bit rate for pictures whose shorter side has at least so many pixels.

    Args:
        short_edge: Pixels; 0 for all others.
        kbps: Thousand bits per second.
    """

    short_edge: int = Field(ge=0, le=8192)
    kbps: int = Field(ge=16, le=200_000)


class Rate(_Part):
    """Rate control: either a capped quality, or a bit rate by the size of the picture.

    Args:
        crf: x264's quality, with `maxrate` and `bufsize`.
        maxrate: Thousand bits per second at which the decoder's buffer fills.
        bufsize: Thousand bits of that buffer.
        bitrate: Instead of a quality: steps, the highest `short_edge` first, the last one 0. The peak is the same.
        buffer_seconds: With `bitrate`: size of the decoder's buffer, in seconds of that rate.
        never_above_source: With `bitrate`: no more than the source's own rate.
    """

    crf: float | None = Field(default=None, ge=0, le=51)
    maxrate: int | None = Field(default=None, ge=16, le=200_000)
    bufsize: int | None = Field(default=None, ge=16, le=400_000)
    bitrate: tuple[Step, ...] | None = Field(default=None, min_length=1)
    buffer_seconds: float = Field(default=2.0, ge=0.1, le=20)
    never_above_source: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Rate:
        if (self.crf is None) == (self.bitrate is None):
            raise ValueError("give either crf (with maxrate and bufsize) or bitrate")
        if self.crf is not None and (self.maxrate is None or self.bufsize is None):
            raise ValueError("crf needs maxrate and bufsize, or a clip's rate has no bound")
        if self.bitrate is not None:
            if self.maxrate is not None or self.bufsize is not None:
                raise ValueError("maxrate and bufsize go with crf; with bitrate the peak is the bit rate")
            edges = [step.short_edge for step in self.bitrate]
            if edges != sorted(set(edges), reverse=True) or edges[-1] != 0:
                raise ValueError(f"bitrate: the highest short_edge first and 0 last, got {edges}")
        return self

    def kbps_for(self, width: int, height: int) -> int | None:
        """Bit rate for a picture's size, or None where a quality rules."""
        if self.bitrate is None:
            return None
        return next(step.kbps for step in self.bitrate if min(width, height) >= step.short_edge)


class Gop(_Part):
    """Distance of key frames.

    Args:
        frames: In frames, or
        seconds: in seconds.
        keyint_min: Least distance in frames; x264's own choice if None.
        scenecut: Whether a change of scene brings a key frame of its own.
    """

    frames: int | None = Field(default=None, ge=1, le=10_000)
    seconds: float | None = Field(default=None, gt=0, le=60)
    keyint_min: int | None = Field(default=None, ge=1, le=10_000)
    scenecut: bool

    @model_validator(mode="after")
    def _one_unit(self) -> Gop:
        if (self.frames is None) == (self.seconds is None):
            raise ValueError("give either frames or seconds")
        # x264 would lower it without a word (x264_validate_parameters: at most half of keyint, plus one).
        if self.keyint_min is not None and self.frames is not None and self.keyint_min > self.frames // 2 + 1:
            raise ValueError(f"keyint_min is at most frames / 2 + 1 = {self.frames // 2 + 1}, got {self.keyint_min}")
        return self

    def at(self, rate: Fraction) -> int:
        """Distance in frames at a frame rate."""
        if self.frames is not None:
            return self.frames
        return max(1, round(Fraction(self.seconds or 0).limit_denominator(1000) * rate))


class Video(_Part):
    """The coded picture: H.264 by x264, 4:2:0, 8 bit, BT.709.

    Args:
        profile: H.264 profile.
        level: H.264 level, raised where size and rate need more; "auto" is the lowest legal one.
        preset: x264's.
        rate: Rate control.
        gop: Key frames.
        b_frames: Most B frames in a row.
        x264: Further options of x264, see `generators.social.x264`.
    """

    profile: Literal["baseline", "main", "high"]
    level: Level
    preset: Preset
    rate: Rate
    gop: Gop
    b_frames: int = Field(ge=0, le=16)
    x264: X264Options = Field(default_factory=dict)

    @model_validator(mode="after")
    def _legal(self) -> Video:
        if self.profile == "baseline" and self.b_frames:
            raise ValueError("the baseline profile has no B frames: b_frames must be 0")
        check_fits(self.x264, self.profile)
        return self


class Audio(_Part):
    """The coded sound: AAC-LC (FFmpeg's own encoder), the only one that every build has.

    Args:
        codec: "aac".
        sample_rate: Samples per second.
        kbps: Thousand bits per second.
        channels: Of a source with two or more.
        mono: Of a source with one: "stereo" gives both sides the same, "keep" leaves one.
        copy_aac: Whether AAC that is in step with the picture passes as it is.
    """

    codec: Literal["aac"]
    sample_rate: Literal[16000, 22050, 24000, 32000, 44100, 48000]
    kbps: int = Field(ge=16, le=512)
    channels: Literal[1, 2]
    mono: Literal["keep", "stereo"]
    copy_aac: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Audio:
        if self.channels == 1 and self.mono == "stereo":
            raise ValueError("mono: a platform that mixes down to one channel keeps one: say keep")
        return self

    def channels_for(self, source: int) -> int:
        """Channels of the result."""
        return 1 if self.channels == 1 or (source == 1 and self.mono == "keep") else 2


class Container(_Part):
    """The file around them: MP4 with its index in front, without metadata or chapters.

    Args:
        format: "mp4".
        handler: Name in the tracks' handler boxes; FFmpeg's "VideoHandler" and "SoundHandler" if None.
    """

    format: Literal["mp4"] = "mp4"
    handler: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,60}$")


class Sources(_Part):
    """Where each group of cells comes from, and why where it is a guess."""

    size: _Said
    fps: _Said
    codec: _Said
    rate: _Said
    gop: _Said
    b_frames: _Said
    audio: _Said
    container: _Said


class Profile(_Part):
    """One platform's way with video.

    Args:
        schema_version: Of this format.
        name: In recipes, tables and file names.
        summary: One line.
        confidence: "high": read in client source, in the platform's own stream listing, or measured on its files;
            "medium": several listings posted by users; "low": blogs or inference.
        size, fps, video, audio, container: What it does.
        source: Where the numbers come from.
    """

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    summary: str = Field(min_length=1, max_length=200)
    confidence: Literal["high", "medium", "low"]
    size: Size
    fps: FrameRate
    video: Video
    audio: Audio
    container: Container = Container()
    source: Sources

    @field_validator("name")
    @classmethod
    def _free(cls, value: str) -> str:
        if value == _RESERVED:
            raise ValueError(f"{value!r} is what clips before any platform are called; take another name")
        return value

    @property
    def address(self) -> str:
        """Content address of what decides the bytes: every cell, but no text about them."""
        cells = self.model_dump(mode="json", exclude={"summary", "confidence", "source"})
        return content_id("profile", CODE_VERSION, cells, length=32)
