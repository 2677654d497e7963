"""The graph of ffmpeg-python that does what a profile says to one clip."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cmdfd.errors import MediaError
from cmdfd.media.encode import rational_rate
from cmdfd.media.ffmpeg import local
from generators.social.levels import Stream, level_for

if TYPE_CHECKING:
    from pathlib import Path

    from generators.social.schema import Profile
    from generators.social.source import Source

#: Smallest side that is coded: one macroblock.
_LEAST_EDGE = 16
#: A rate this little above a cap is the cap: clocks of 1 ms cannot tell them apart.
_SAME_RATE = Fraction(1001, 1000)
#: Gaps of the sound up to this (seconds) are the jitter of coarse clocks; longer ones are filled.
_GAP_SECONDS = 0.02
#: x264's rate control needs room for a key frame: at less than this (kb/s) nothing but grey is left.
_LEAST_KBPS = 32
_TURN = {90: "clock", 270: "cclock"}
#: macroblock tree off: in current x264 its AVX-512 code reads memory that it does not own where a row has no multiple
#: of 32 macroblocks, so the bytes followed what lay in the heap (measured with ffmpeg 9.0.2: other bytes in 4 of 6
#: picture sizes when MALLOC_PERTURB_ was changed; without it none).
_FIXED = {"threads": 1, "mbtree": 0}


@dataclass(frozen=True, slots=True)
class Target:
    """What a profile comes to for one clip.

    Args:
        width, height: Pixels, even.
        rate: Frames per second, constant.
        level: H.264 level to declare.
        kbps: Bit rate, or None where a quality rules.
        maxrate: Peak, thousand bits per second.
        bufsize: Thousand bits of the decoder's buffer.
        gop: Frames between key frames.
        channels: Of the sound; None without sound.
        copied: Whether the sound passes uncoded.
    """

    width: int
    height: int
    rate: Fraction
    level: str
    kbps: int | None
    maxrate: int
    bufsize: int
    gop: int
    channels: int | None
    copied: bool


def target_size(profile: Profile, width: int, height: int) -> tuple[int, int]:
    """Size of the result: inside the caps, never larger than the source, even, the shape kept.

    Args:
        profile: Caps.
        width: Displayed width of the source.
        height: Displayed height of the source.

    Returns:
        Width and height.
    """
    scale = min(
        Fraction(1),
        Fraction(profile.size.long_edge, max(width, height)),
        Fraction(profile.size.short_edge, min(width, height)),
    )

    def even(length: int) -> int:
        nearest = 2 * int(length * scale / 2 + Fraction(1, 2))
        cap = profile.size.long_edge if length == max(width, height) else profile.size.short_edge
        return min(nearest, length // 2 * 2, cap // 2 * 2)

    return even(width), even(height)


def target_rate(profile: Profile, source: Source) -> Fraction:
    """Frame rate of the result."""
    rate = rational_rate(profile.fps.rate)
    if profile.fps.rule == "resample" or source.rate > rate * _SAME_RATE:
        return rate
    return source.rate


def target_of(profile: Profile, source: Source) -> Target:
    """Work out size, rate, level and bit rate for one clip.

    Raises:
        MediaError: "unsupported" where the result would be too small to be coded, or more than H.264 has a level for.
    """
    width, height = target_size(profile, source.width, source.height)
    if min(width, height) < _LEAST_EDGE:
        detail = f"{source.width}x{source.height} comes to {width}x{height}; {_LEAST_EDGE} pixels are the least"
        raise MediaError("unsupported", source.path, detail)
    rate = target_rate(profile, source)
    control = profile.video.rate
    kbps = control.kbps_for(width, height)
    if kbps is not None and control.never_above_source:
        kbps = min(kbps, max(_LEAST_KBPS, int(source.kbps)))
    maxrate = kbps if kbps is not None else int(control.maxrate or 0)
    bufsize = round(kbps * control.buffer_seconds) if kbps is not None else int(control.bufsize or 0)
    try:
        level = level_for(profile.video.level, Stream(width, height, rate, maxrate, bufsize, profile.video.profile))
    except ValueError as error:
        raise MediaError("unsupported", source.path, str(error)) from error
    sound = source.sound
    return Target(
        width=width,
        height=height,
        rate=rate,
        level=level,
        kbps=kbps,
        maxrate=maxrate,
        bufsize=bufsize,
        gop=profile.video.gop.at(rate),
        channels=None if sound is None else profile.audio.channels_for(sound.channels),
        copied=_can_copy(profile, source),
    )


def _can_copy(profile: Profile, source: Source) -> bool:
    """Coded sound cannot be moved or cut on the clock, so it must begin with the picture."""
    sound = source.sound
    if not profile.audio.copy_aac or sound is None or sound.codec != "aac":
        return False
    return source.demuxer == "mov" and source.first == 0 and abs(sound.start) < 1e-3


def build_graph(profile: Profile, source: Source, target: Target, out: Path) -> Any:
    """Build the graph.

    Args:
        profile: What to do.
        source: What to do it to.
        target: What it comes to.
        out: File to write; its suffix means nothing.

    Returns:
        An output node of ffmpeg-python, for `cmdfd.media.ffmpeg.run_graph`.
    """
    import ffmpeg

    opened = ffmpeg.input(
        local(source.path),
        format=source.demuxer,
        protocol_whitelist="file",
        threads=1,
        noautorotate=None,  # the turn is done below, by the one rule that masks and tracks follow too
    )
    streams = [_picture(opened[str(source.index)], source, target)]
    options = _general(profile, source) | _video_options(profile, target)
    if source.sound is not None:
        sound = opened[str(source.sound.index)]
        streams.append(sound if target.copied else _sound(sound, profile, source, target))
        options |= _audio_options(profile, target)
    return ffmpeg.output(*streams, local(out), **options).overwrite_output()


def _picture(stream: Any, source: Source, target: Target) -> Any:
    """Turn, put on the clock, scale and tag."""
    orientation = source.orientation
    if orientation.mirrored:
        stream = stream.filter("hflip")
    if orientation.rotation == 180:
        stream = stream.filter("hflip").filter("vflip")
    elif orientation.rotation:
        stream = stream.filter("transpose", dir=_TURN[orientation.rotation])
    period = 1 / source.rate
    clock = f"N*{period.numerator}/{period.denominator}/TB" if source.counted else "PTS-STARTPTS"
    stream = stream.filter("setpts", clock)
    stream = stream.filter("fps", fps=f"{target.rate.numerator}/{target.rate.denominator}", round="near")
    stream = stream.filter(
        "scale", target.width, target.height, flags="bicubic+accurate_rnd+bitexact",
        out_color_matrix="bt709", out_range="tv",
    )  # fmt: skip
    stream = stream.filter("format", "yuv420p").filter("setsar", 1)
    stream = stream.filter(
        "setparams", range="tv", color_primaries="bt709", color_trc="bt709", colorspace="bt709", field_mode="prog"
    )
    return stream.filter("sidedata", mode="delete")


def _sound(stream: Any, profile: Profile, source: Source, target: Target) -> Any:
    """Move it with the picture, cut what lies before, fill what lacks, and bring it to rate and channels."""
    if source.first:
        # floor(x + 1/2): the filter cuts fractions off, and a product of doubles may lie just below a whole number
        move = f"floor(PTS-{source.first.numerator}/{source.first.denominator}/TB+0.5)"
        stream = stream.filter("asetpts", move)
    stream = stream.filter(
        "aresample", profile.audio.sample_rate, **{"async": 1, "first_pts": 0, "min_hard_comp": _GAP_SECONDS},
        rematrix_maxval=1.0,
    )  # fmt: skip
    if source.sound is not None and source.sound.channels == 1 and target.channels == 2:
        stream = stream.filter("channelmap", map="0|0", channel_layout="stereo")  # the same level on both
    layout = "mono" if target.channels == 1 else "stereo"
    return stream.filter("aformat", sample_fmts="fltp", channel_layouts=layout)


def _general(profile: Profile, source: Source) -> dict[str, Any]:
    """Container: no metadata, no chapters, index in front, nothing that differs between equal runs."""
    options: dict[str, Any] = {
        "format": profile.container.format,
        "copyts": None,
        "fps_mode": "passthrough",
        "filter_complex_threads": 1,
        "threads": 1,
        "fflags": "+bitexact",
        "flags": "+bitexact",
        "map_metadata": -1,
        "map_chapters": -1,
        "movflags": "+faststart",
        # Edit lists count in this clock; FFmpeg's 1 ms would cut the sound to whole milliseconds.
        "movie_timescale": profile.audio.sample_rate,
    }
    for kind in "v" if source.sound is None else "va":
        options[f"metadata:s:{kind}"] = "encoder="  # its name would stand in the sample description
        if profile.container.handler is not None:  # the same option again, by another name of the same stream
            options[f"metadata:s:{kind}:0"] = f"handler_name={profile.container.handler}"
    return options


def _video_options(profile: Profile, target: Target) -> dict[str, Any]:
    video = profile.video
    extra = {name: int(value) if isinstance(value, bool) else value for name, value in video.x264.items()} | _FIXED
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": video.preset,
        "profile:v": video.profile,
        "level:v": target.level,
        "maxrate": f"{target.maxrate}k",
        "bufsize": f"{target.bufsize}k",
        "g": target.gop,
        "sc_threshold": 40 if video.gop.scenecut else 0,  # 40 is x264's own
        "bf": video.b_frames,
        "x264-params": ":".join(f"{name}={value}" for name, value in sorted(extra.items())),
        "bsf:v": "filter_units=remove_types=6",
    }
    options |= {"crf": video.rate.crf} if target.kbps is None else {"b:v": f"{target.kbps}k"}
    if video.gop.keyint_min is not None:
        options["keyint_min"] = video.gop.keyint_min
    return options


def _audio_options(profile: Profile, target: Target) -> dict[str, Any]:
    if target.copied:
        return {"c:a": "copy"}
    return {"c:a": "aac", "b:a": f"{profile.audio.kbps}k", "ar": profile.audio.sample_rate, "ac": target.channels}
