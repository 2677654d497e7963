"""What an external generator is: a TOML file, checked before anything runs.

The commented example is `specs/README.md`. A spec holds facts only: it never holds code, and nothing in it reaches a
shell.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from cmdfd.errors import JOB_CODES, CmdfdError, nearest

if TYPE_CHECKING:
    from typing import Self

SCHEMA_VERSION = 1
RUNTIMES = ("python", "uv", "conda", "container", "cog", "http")


class SpecError(CmdfdError):
    """A spec that cannot be used; the text names file, line and field."""


def _relative(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or "\\" in value or "\0" in value:
        raise ValueError(f"must be a relative path with forward slashes that stays in the checkout, got {value!r}")
    return value


def _below(value: str) -> str:
    if not PurePosixPath(value).parts:
        raise ValueError(f"must name something inside the checkout, got {value!r}")
    return value


RelativePath = Annotated[str, AfterValidator(_relative)]
#: A path that is not the checkout itself.
PathBelow = Annotated[RelativePath, AfterValidator(_below)]
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
Param = bool | int | float | str | list[int | float | str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PictureInput(_Part):
    """A picture to stage.

    Args:
        kind: "video", or "image": one frame of the take.
        container: mp4, avi, mkv; png, jpg.
        square: Whether the largest centred square (around the face, where a track is known) is cut out.
        size: Side in pixels (of the shorter side where not square); as in the take if None.
        fps: Frames per second; as in the take if None.
        pad_seconds: The video runs on for so long behind its end, backwards, so that a tail loss falls outside.
        sound: Whether the video carries the sound of its take.
        frame: Which frame the image is: the one nearest to the clip's beginning, or near to it with closed lips.
        folder: Where in the shadow it lies, relative to `run.cwd`.
    """

    kind: Literal["video", "image"] = "video"
    container: Literal["mp4", "avi", "mkv", "png", "jpg"] = "mp4"
    square: bool = False
    size: int | None = Field(default=None, ge=32, le=4096)
    fps: float | None = Field(default=None, gt=0, le=240)
    pad_seconds: float = Field(default=0.0, ge=0, le=10)
    sound: bool = True
    frame: Literal["start", "closed"] = "closed"
    folder: RelativePath = "inputs"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind == "image") != (self.container in {"png", "jpg"}):
            raise ValueError(f"an input of kind {self.kind!r} cannot be a {self.container}")
        return self


class SoundInput(_Part):
    """A sound to stage, as a mono 16-bit wav.

    Args:
        of: Whose: "target", "donor", or "driver": the donor's where the job has one, else the target's.
        sample_rate: Samples per second.
        pad_seconds: How much more follows behind the picture's end: what the take has, else very quiet noise.
        max_seconds: Cut to so much, from the loudest part on; for references of a voice only.
        dither: Whether digital silence gets noise of one least significant bit.
        folder: As `PictureInput`.
    """

    of: Literal["target", "donor", "driver"] | None = None
    sample_rate: int = Field(default=16000, ge=8000, le=96000)
    pad_seconds: float = Field(default=0.0, ge=0, le=10)
    max_seconds: float | None = Field(default=None, gt=0)
    dither: bool = True
    folder: RelativePath = "inputs"


class TextInput(_Part):
    """Words to stage: of the target for `text`, of the donor for `reference_text`."""

    form: Literal["file", "argument"] = Field(default="argument", alias="as")
    folder: RelativePath = "inputs"


class Inputs(_Part):
    """What the generator takes; what is absent is not wanted."""

    face: PictureInput | None = None
    audio: SoundInput | None = None
    source_face: PictureInput | None = None
    driving: PictureInput | None = None
    reference: SoundInput | None = None
    text: TextInput | None = None
    reference_text: TextInput | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not any(getattr(self, name) is not None for name in type(self).model_fields):
            raise ValueError("there must be at least one input")
        return self


class Output(_Part):
    """What comes out.

    Args:
        path: File, or glob, relative to the shadow checkout; the newest match is taken.
        crop: x, y, width, height of the panel that is the fake.
        fps_true: True frame rate, where the container lies about it.
        picture: Whether the file holds the forged picture.
        sound: "driving": the staged driving sound, on its own clock; "own": what the file holds; "source": the
            target's sound, untouched.
        lead_samples: By how many samples (of the file's rate) its own sound comes late.
        fit: "clock": the result runs on the clock of its inputs; "stretch": speech of another length is stretched,
            without a change of pitch, to where the take's speech lies (tts).
        max_tail_seconds: More loss at the end than this is av_mismatch, even outside the clip.
    """

    path: PathBelow
    crop: tuple[int, int, int, int] | None = None
    fps_true: float | None = Field(default=None, gt=0, le=240)
    picture: bool = True
    sound: Literal["driving", "own", "source"] = "driving"
    lead_samples: int = Field(default=0, ge=-96000, le=96000)
    fit: Literal["clock", "stretch"] = "clock"
    max_tail_seconds: float = Field(default=0.3, ge=0, le=10)

    @field_validator("crop")
    @classmethod
    def _area(cls, value: tuple[int, int, int, int] | None) -> tuple[int, int, int, int] | None:
        if value is not None and (min(value[:2]) < 0 or min(value[2:]) < 16):
            raise ValueError(f"crop is [x, y, width, height] with a width and height from 16, got {list(value)}")
        return value


class TextFile(_Part):
    """A small text file that is written into the shadow before the start; `text` may hold placeholders."""

    path: PathBelow
    text: str = Field(max_length=1 << 16)


class Run(_Part):
    """How it is called.

    Args:
        argv: The command; a list, never a shell. An argument that is one list parameter becomes several.
        cwd: Folder inside the shadow checkout.
        checkout: Whether a checkout of its repository is needed; False for what pip installs.
        modules: Python modules that the interpreter must be able to find.
        files_needed: Paths that the checkout must have.
        private: Real, empty folders of the shadow. Everything else is a copy (small files) or a link.
        keep: Paths inside private folders that are carried over all the same.
        leave_out: Paths of the checkout that are not carried over: files that it writes, which an earlier run by hand
            may have left there.
        driver: A script of generators/external/drivers/.
        seed_arg: Appended, with `{seed}`.
        flags: Arguments that are appended where a boolean parameter is true.
        cpu_args: Appended where the device is the CPU.
        gpu: "required" makes the doctor refuse a machine without one.
        timeout: Seconds.
        memory_gb: Limit of address space of the process group; None for none (CUDA reserves far more than it uses).
        max_output_gb: Limit of every file that is written.
        retries: How often oom, timeout and crashed are tried again.
        min_seconds, max_seconds: Lengths of a take that it can do.
        needs: Programs on PATH; ffmpeg is supplied where there is none.
        env: Fixed variables; values may hold placeholders.
        files: Written before the start.
        determinism: "bitwise" (same bytes for the same seed, tried), "seeded" (it takes a seed), or "unknown".
    """

    argv: list[str] = Field(min_length=1)
    cwd: RelativePath = "."
    checkout: bool = True
    modules: list[str] = []
    files_needed: list[RelativePath] = []
    private: list[PathBelow] = []
    keep: list[RelativePath] = []
    leave_out: list[RelativePath] = []
    driver: str | None = Field(default=None, pattern=r"^[a-z0-9_]+\.py$")
    seed_arg: list[str] = []
    flags: dict[str, list[str]] = {}
    cpu_args: list[str] = []
    gpu: Literal["optional", "required", "unused"] = "optional"
    timeout: float = Field(default=1800, gt=0, le=7 * 86400)
    memory_gb: float | None = Field(default=None, gt=0, le=65536)
    max_output_gb: float = Field(default=4, gt=0, le=65536)
    retries: int = Field(default=1, ge=0, le=5)
    min_seconds: float = Field(default=0, ge=0)
    max_seconds: float = Field(default=600, gt=0)
    needs: list[str] = []
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}
    files: list[TextFile] = []
    determinism: Literal["bitwise", "seeded", "unknown"] = "unknown"


class Weight(_Part):
    """A file (or folder) of weights.

    Args:
        name: Word of the placeholder `{weights.NAME}` and of the user's config.
        path: Where in the checkout it belongs; it is linked there, wherever the user keeps it.
        sha256: Of the file; "" where nobody verified one. It is measured and recorded in any case.
        get: Where a person gets it and under which terms.
        optional: Whether the generator runs without it.
    """

    name: Name
    path: PathBelow
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    get: str = Field(min_length=1)
    optional: bool = False


class Message(_Part):
    """Text of stdout or stderr (any case) that tells a code where the output is missing or broken."""

    match: str = Field(min_length=4)
    code: str

    @field_validator("code")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in JOB_CODES:
            raise ValueError(f"unknown code {value!r}: {nearest(value, JOB_CODES)}")
        return value


class Licences(_Part):
    """Terms. `output` is what clips inherit ("" for none): an SPDX id, or "research-only"."""

    code: str = Field(min_length=1)
    weights: str = Field(min_length=1)
    data: str = "unknown"
    output: str = ""
    commercial: bool
    redistribution: bool


class CogRuntime(_Part):
    """A Cog image: its name, and its inputs; an input that is a file is written "@{face}"."""

    image: str = ""
    inputs: dict[Name, str] = Field(min_length=1)


class HttpRuntime(_Part):
    """A server: form fields (files as "@{face}"), and the path that takes them; it answers with the file itself."""

    path: str = Field(default="/", pattern=r"^/")
    fields: dict[Name, str] = Field(min_length=1)


class Runtimes(_Part):
    """Where it can run. `python_version` and `conda` (a file of the checkout) are hints for the doctor."""

    default: Literal["python", "uv", "conda", "container", "cog", "http"] = "python"
    python_version: str = ""
    conda: str = ""
    container: str = ""
    cog: CogRuntime | None = None
    http: HttpRuntime | None = None


class Marks(_Part):
    """What it marks its output with, and which safety features stay on."""

    watermark: str = ""
    filter: str = ""


class Encode(_Part):
    """One generation of coding. `crf` is the codec's own scale: x264 0-51, VP9 0-63, mpeg4's quantiser 1-31."""

    codec: Literal["libx264", "mpeg4", "libvpx-vp9", "ffv1"]
    crf: int = Field(default=23, ge=0, le=63)


class Sham(_Part):
    """What its writer does to a picture (and to `sound = "own"`) besides forging it; real clips go the same way.

    Args:
        encodes: Generations of coding, first to last.
        size: Side in pixels through which the picture is scaled; None for none.
        sample_rate: Rate through which its own sound goes.
        aac: Bits per second of the AAC through which its own sound goes; None for none.
    """

    encodes: list[Encode] = []
    size: int | None = Field(default=None, ge=32, le=4096)
    sample_rate: int | None = Field(default=None, ge=8000, le=96000)
    aac: int | None = Field(default=None, ge=8000, le=512_000)


class ExternalSpec(_Part):
    """A generator that the user installs. See `specs/README.md`."""

    schema_version: Literal[1]
    id: Word
    title: str = Field(min_length=1)
    family: Literal["lipsync", "talking-head", "reenact", "faceswap", "tts", "vc"]
    makes: Literal["RVFA", "FVRA", "FVFA"]
    summary: str = Field(min_length=1)
    version: int = Field(default=1, ge=1)
    homepage: str = ""
    citation: str = ""
    verified: Literal["run", "argv"] = "argv"
    cost: float | None = Field(default=None, gt=0)
    inputs: Inputs
    output: Output
    run: Run
    params: dict[Name, Param] = {}
    weights: list[Weight] = []
    messages: list[Message] = []
    licences: Licences
    runtimes: Runtimes = Runtimes()
    marks: Marks = Marks()
    sham: Sham = Sham()
    known_cues: list[str] = []
    install: list[str] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        from generators.external.spec_checks import contradictions

        found = contradictions(self)
        if found:
            raise ValueError("; ".join(found))
        return self

    @property
    def name(self) -> str:
        """Name in recipes."""
        return f"external/{self.id}"

    @property
    def uses_donor(self) -> bool:
        """Whether any input comes from a donor."""
        inputs = self.inputs
        other = (inputs.source_face, inputs.driving, inputs.reference, inputs.reference_text)
        return any(one is not None for one in other) or self.audio_of != "target"

    @property
    def audio_of(self) -> str:
        """Whose sound `inputs.audio` is; "target" where there is none."""
        if self.inputs.audio is None:
            return "target"
        return self.inputs.audio.of or ("driver" if self.family in {"lipsync", "talking-head", "reenact"} else "target")

    @property
    def sounds_like_donor(self) -> bool:
        """Whether the result has the donor's sound, where a job has a donor."""
        return self.output.sound != "source" and (self.audio_of != "target" or self.inputs.driving is not None)

    def as_data(self) -> dict[str, Any]:
        """JSON-able content, for addresses."""
        return self.model_dump(mode="json", by_alias=True)
