"""What a written clip is encoded with, checked before anything is encoded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(CmdfdError, ValueError):
    """A setting that is unknown or out of range; the text names the field and the fix."""


#: Containers with the codecs whose picture and sound stay in step to the sample when read back. Not offered, since
#: measured to be out of step or inexact: MPEG-TS (64 ms of priming are heard), MP3 and AAC in AVI (no place for the
#: encoder delay), H.264 in AVI with reordering. libx265 is not offered, since its bytes differed between runs.
CONTAINERS: dict[str, dict[str, tuple[str, ...]]] = {
    "mp4": {
        "video": ("libx264", "libvpx-vp9", "mpeg4"),
        "audio": ("aac", "libopus", "libmp3lame", "flac"),
    },
    "mov": {"video": ("libx264", "mpeg4"), "audio": ("aac", "pcm_s16le")},
    "matroska": {
        "video": ("libx264", "libvpx-vp9", "mpeg4", "ffv1"),
        "audio": ("pcm_s16le", "flac", "libopus"),
    },
    "webm": {"video": ("libvpx-vp9",), "audio": ("libopus",)},
    "avi": {"video": ("libx264", "mpeg4", "ffv1"), "audio": ("pcm_s16le",)},
}
#: Audio codecs without loss, which take no bit rate.
LOSSLESS_AUDIO = ("pcm_s16le", "flac")
#: Meaning of `crf` per codec: range of its own quality scale (0 best). For mpeg4 it is the fixed quantiser.
CRF_RANGE = {"libx264": (0, 51), "libvpx-vp9": (0, 63), "mpeg4": (1, 31), "ffv1": (0, 51)}
PIXEL_FORMATS = ("yuv420p", "yuv444p", "gray")
_PIXELS_OF = {"mpeg4": ("yuv420p",), "libvpx-vp9": ("yuv420p", "yuv444p")}
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


def _check_word(where: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{where}: unknown value {value!r}; {nearest(str(value), allowed)}")


def check_range(where: str, value: object, low: float, high: float, *, whole: bool = True) -> None:
    """Check that a number lies in [low, high].

    Raises:
        SettingsError: If it does not, is not a number, or is not whole where it must be.
    """
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        noun = "a whole number" if whole else "a number"
        raise SettingsError(f"{where}: must be {noun} from {low:g} to {high:g}, got {value!r}")


def check_fields(where: str, kind: Any, data: Mapping[str, Any]) -> None:
    """Check that a mapping names only fields of a dataclass.

    Raises:
        SettingsError: If a name is unknown; the nearest right one is told.
    """
    allowed = [field.name for field in fields(kind)]
    for name in data:
        if name not in allowed:
            raise SettingsError(f"{where}: unknown field {name!r}; {nearest(str(name), allowed)}")


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How a clip is written.

    Args:
        container: A key of `CONTAINERS`.
        video_codec: FFmpeg's encoder name; which ones fit is in `CONTAINERS`.
        crf: Constant quality, lower is better; see `CRF_RANGE`.
        preset: x264's name for speed, mapped for other encoders; without effect for mpeg4 and ffv1.
        gop: Most frames from one key frame to the next.
        pixel_format: "yuv420p" (even sizes only), "yuv444p" or "gray".
        audio_codec: FFmpeg's encoder name.
        audio_bit_rate: Bits per second; None for lossless codecs.
    """

    container: str = "mp4"
    video_codec: str = "libx264"
    crf: int = 23
    preset: str = "veryfast"
    gop: int = 25
    pixel_format: str = "yuv420p"
    audio_codec: str = "aac"
    audio_bit_rate: int | None = 64000

    def __post_init__(self) -> None:
        _check_word("encoder.container", self.container, tuple(CONTAINERS))
        fitting = CONTAINERS[self.container]
        _check_word(f"encoder.video_codec in {self.container}", self.video_codec, fitting["video"])
        _check_word(f"encoder.audio_codec in {self.container}", self.audio_codec, fitting["audio"])
        check_range("encoder.crf", self.crf, *CRF_RANGE[self.video_codec])
        _check_word("encoder.preset", self.preset, PRESETS)
        check_range("encoder.gop", self.gop, 1, 1000)
        _check_word("encoder.pixel_format", self.pixel_format, _PIXELS_OF.get(self.video_codec, PIXEL_FORMATS))
        if self.audio_codec in LOSSLESS_AUDIO:
            if self.audio_bit_rate is not None:
                raise SettingsError(f"encoder.audio_bit_rate: must be None for {self.audio_codec}")
        else:
            check_range("encoder.audio_bit_rate", self.audio_bit_rate, 6000, 512_000)

    @property
    def picture(self) -> tuple[str, str, int, str, int, str]:
        """All that the encoded picture depends on."""
        return (self.container, self.video_codec, self.crf, self.preset, self.gop, self.pixel_format)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EncoderSettings:
        """Read the fields back.

        Raises:
            SettingsError: If a field is unknown or out of range.
        """
        check_fields("encoder", cls, data)
        return cls(**data)


#: Pristine takes on disk: visually lossless, all chroma kept (so odd sizes work too), sound exact.
LOSSLESS_SOURCE = EncoderSettings(
    container="matroska",
    crf=12,
    preset="ultrafast",
    pixel_format="yuv444p",
    audio_codec="pcm_s16le",
    audio_bit_rate=None,
)
