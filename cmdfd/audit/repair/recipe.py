"""A repair as a record: which steps every clip of a set passes, with every parameter.

No step knows a class, so a one-sided remedy cannot be written down: cutting, filtering or dropping clips of one class
only moves a cue elsewhere. A recipe depends on nothing but itself, so it can be applied to another set.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.media.harmonise import HarmoniseSettings

SCHEMA_VERSION = 1
#: Name of the file in a repaired set.
REPAIR_FILE = "repair.yaml"
#: Steps in the only order in which they are applied.
ORDER = ("deduplicate", "resplit", "crop", "harmonise", "match", "rename")
#: Steps that change or move files.
NEEDS_MEDIA = frozenset({"crop", "harmonise", "rename"})
#: A recipe is a page of text; more is none.
_MAX_BYTES = 1 << 20


class RepairError(CmdfdError, ValueError):
    """A repair that cannot be planned, read or applied; the text says why and what to do."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Deduplicate(_Record):
    """Keep one of several copies; none where copies have different labels.

    Args:
        by: What counts as a copy: "bytes" (equal files), "streams" (equal coded packets in any container), "decoded"
            (equal pictures and samples, where the audit hashed them), "alike" (one picture and one sound in another
            encoding, in another split, of one label and generator; a fake is a near copy of its real, so never across
            labels), "row" (equal rows of a list without media).
    """

    step: Literal["deduplicate"] = "deduplicate"
    by: list[Literal["bytes", "streams", "decoded", "alike", "row"]] = Field(
        default=["bytes", "streams", "decoded", "alike", "row"], min_length=1
    )


class Resplit(_Record):
    """Give whole components to splits (`cmdfd.splits.assign`).

    Args:
        fractions: Share of clips of each split.
        seed: Breaks ties.
    """

    step: Literal["resplit"] = "resplit"
    fractions: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)
    seed: int = Field(default=0, ge=0)

    @field_validator("fractions")
    @classmethod
    def _folders(cls, value: dict[str, float]) -> dict[str, float]:
        wrong = [name for name in value if not is_plain(name)]
        if wrong:
            raise ValueError(f"a split names a folder: letters, digits, '-' and '_' only, got {wrong[0]!r}")
        return value


class Crop(_Record):
    """Cut both streams of every clip to one length at random offsets of one distribution.

    The window begins `lead + u * spread` seconds after the moment from which both streams run, u uniform in [0, 1) and
    the same for all clips of a pair.

    Args:
        lead: Seconds that are cut from every start.
        trail: Seconds that are cut from every end, at least.
        spread: Width of the random offset in seconds.
        seconds: Length of every clip afterwards.
        min_forged: A fake is dropped where less than this (seconds) of a forged stream's stretches is left.
        seed: Seed of the offsets.
    """

    step: Literal["crop"] = "crop"
    lead: float = Field(ge=0, le=600)
    trail: float = Field(ge=0, le=600)
    spread: float = Field(ge=0, le=600)
    seconds: float = Field(ge=0.1, le=600)
    min_forged: float = Field(default=0.04, gt=0, le=600)
    seed: int = Field(default=0, ge=0)


class Harmonise(_Record):
    """Decode every clip and write it anew in one form with one encoder setting and no metadata.

    Args:
        fps: Frames per second.
        width: Pixels of the canvas; every picture is cut in the middle to its shape and scaled to it.
        height: Pixels of the canvas.
        sample_rate: Samples per second.
        lufs: Loudness (EBU R 128).
        crf: Quality of x264, the same for all.
        preset: x264's.
        gop: Most frames between key frames.
        audio_bit_rate: Bits per second of AAC.
        container: "mp4" or "mov".
        lowpass_hz: Every sound is cut off here, or None.
        noise_dbfs: Level of the white noise laid under every sound (RMS, dB of full scale), or None.
        sound: "keep", or "remove" it from every clip.
    """

    step: Literal["harmonise"] = "harmonise"
    fps: float = Field(default=25.0, ge=1, le=240)
    width: int = Field(default=224, ge=16, le=4096, multiple_of=2)
    height: int = Field(default=224, ge=16, le=4096, multiple_of=2)
    sample_rate: int = Field(default=16000, ge=8000, le=96000)
    lufs: float = Field(default=-23.0, ge=-70, le=0)
    crf: int = Field(default=20, ge=0, le=51)
    preset: str = "veryfast"
    gop: int = Field(default=25, ge=1, le=1000)
    audio_bit_rate: int = Field(default=64000, ge=6000, le=512_000)
    container: Literal["mp4", "mov"] = "mp4"
    lowpass_hz: float | None = Field(default=None, ge=500, le=48000)
    noise_dbfs: float | None = Field(default=None, ge=-100, le=-40)
    sound: Literal["keep", "remove"] = "keep"

    @model_validator(mode="after")
    def _encodable(self) -> Harmonise:
        self.settings(1.0)
        if self.lowpass_hz is not None and self.lowpass_hz >= self.sample_rate / 2:
            raise ValueError(f"lowpass_hz must be below {self.sample_rate / 2:g} Hz, got {self.lowpass_hz:g}")
        return self

    def settings(self, seconds: float) -> HarmoniseSettings:
        """Settings of the common stage for a clip of `seconds`."""
        from cmdfd.media.harmonise import HarmoniseSettings

        return HarmoniseSettings(
            fps=self.fps,
            width=self.width,
            height=self.height,
            sample_rate=self.sample_rate,
            seconds=seconds,
            lufs=self.lufs,
            crf=(self.crf, self.crf),
            preset=self.preset,
            gop=self.gop,
            audio_bit_rate=self.audio_bit_rate,
            container=self.container,
        )


class Match(_Record):
    """Keep a subset in which both classes look alike in some cues.

    Args:
        cues: The cues.
        categorical: Those of them whose values are names.
        seed: Seed.
    """

    step: Literal["match"] = "match"
    cues: list[str] = Field(min_length=1)
    categorical: list[str] = []
    seed: int = Field(default=0, ge=0)


class Rename(_Record):
    """Opaque ids (HMAC-SHA256 of the source file's bytes), the order of these ids, and one time for all files.

    Args:
        key: Key of the HMAC.
        mtime: Seconds since 1970 of every file.
    """

    step: Literal["rename"] = "rename"
    key: str = Field(min_length=1, max_length=200)
    mtime: int = Field(default=946_684_800, ge=0, le=1 << 33)


Step = Annotated[Deduplicate | Resplit | Crop | Harmonise | Match | Rename, Field(discriminator="step")]
_Kind = TypeVar("_Kind", Deduplicate, Resplit, Crop, Harmonise, Match, Rename)


class Repair(_Record):
    """Steps in their order; `repair.yaml`.

    Args:
        schema_version: Version of the format.
        name: Name of the set that it was planned for.
        steps: What is done, each step at most once, in the order of `ORDER`; a crop needs a harmonise.
        notes: How the parameters were found, and what is lost or left.
    """

    schema_version: Literal[1] = 1
    name: str = ""
    steps: list[Step] = []
    notes: list[str] = []

    @model_validator(mode="after")
    def _ordered(self) -> Repair:
        names = self.names
        if list(names) != sorted(set(names), key=ORDER.index):
            raise ValueError(f"steps stand once each in the order {', '.join(ORDER)}; got {', '.join(names)}")
        if "crop" in names and "harmonise" not in names:
            raise ValueError("crop needs harmonise, since what is cut must be encoded anew")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps, in order."""
        return tuple(one.step for one in self.steps)

    def get(self, kind: type[_Kind]) -> _Kind | None:
        """The step of a kind, or None."""
        return next((one for one in self.steps if isinstance(one, kind)), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_yaml(self) -> str:
        """Text of `repair.yaml`."""
        import io

        from ruamel.yaml import YAML

        yaml = YAML()
        yaml.width = 120
        stream = io.StringIO()
        yaml.dump(self.to_dict(), stream)
        return stream.getvalue()

    @classmethod
    def from_dict(cls, data: Any) -> Repair:
        """Read the fields back.

        Raises:
            RepairError: Naming the field and what is wrong with it.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the recipe"
            raise RepairError(f"repair: {place}: {first['msg']}") from error

    @classmethod
    def read(cls, path: Path) -> Repair:
        """Read `repair.yaml` (or JSON, which is YAML too).

        Raises:
            RepairError: If it is missing, no YAML, or no repair.
        """
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            if path.stat().st_size > _MAX_BYTES:
                raise RepairError(f"{path}: larger than {_MAX_BYTES} bytes, so no repair recipe")
            data = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
        except OSError as error:
            raise RepairError(f"{path}: cannot be read: {error.strerror}") from error
        except (YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
            if isinstance(error, RepairError):
                raise
            raise RepairError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
        return cls.from_dict(data)


def is_plain(name: str) -> bool:
    """Whether a name can stand in a path as it is: letters, digits, "-" and "_" of ASCII, at most 64."""
    return 0 < len(name) <= 64 and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
