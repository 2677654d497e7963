"""What the headers say beyond the container's cues: marks, dates, clocks, the pattern of the pictures.

They are apart from `cmdfd.audit.cues.container`, on whose cues the published figures of a floor rest. Everything here
is read without decoding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import CATEGORY, TOKENS, Cue, CueKind, CueValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cmdfd.audit.facts import FileFacts, Packets, VideoFacts

_REWRITE = "write every clip, unforged ones too, with one encoder setting and scrubbed metadata (harmonise)"
_PIXELS = "Güera et al., 'We need no pixels', arXiv 1906.08743: stream descriptors alone detect manipulation"
_TOOLS = "tools stamp their own containers: mp4v of OpenCV, Lavf tags of ffmpeg, prompts of ComfyUI"
_C2PA = "generators of companies sign what they make with Content Credentials (C2PA), cameras of the press do, too"
_COMFY = "ComfyUI's SaveVideo node embeds prompt and workflow unless it is started with --disable-metadata"
_CAMERA = "cameras and phones write dates, places and Exif; generators do not"
_CMDFD = "in CMDFD's lists the gap alone gives AUC .976 (Wav2Lip) to 1.000 (MakeItTalk)"


def _cue(name: str, title: str, kind: CueKind, rule: str, source: str = _PIXELS, unit: str = CATEGORY) -> Cue:
    return Cue(f"meta.{name}", title, unit, kind, rule, _REWRITE, source)


CUES = (
    _cue("c2pa", "the C2PA manifest", "leak", "whether there is a C2PA box or a JUMBF box with a manifest", _C2PA),
    _cue("prompt", "the generator's prompt in the tags", "leak", "whether a tag holds a prompt or workflow", _COMFY),
    _cue("xmp", "the XMP packet", "leak", "whether there is XMP: in boxes, or in the first or last 64 KiB", _CAMERA),
    _cue("exif", "the Exif data", "leak", "whether there is Exif: in boxes, or in the first or last 64 KiB", _CAMERA),
    _cue("creation", "the month of the creation time", "leak", "year and month of the tag creation_time", _CAMERA),
    _cue("udta", "the boxes of user data", "leak", "kinds of the boxes in udta of an ISO file", _CAMERA, TOKENS),
    _cue("tags", "the metadata tags", "leak", "names of all tags of container and streams", _TOOLS, TOKENS),
    _cue("languages", "the language tags", "leak", "language tag of picture and sound", _TOOLS),
    _cue("moov", "the place of the index", "leak", "whether moov stands before mdat in an ISO file", _TOOLS),
    _cue("padding", "the padding at the end of the file", "leak", "bytes that no box accounts for", _TOOLS, "bytes"),
    _cue("timescale", "the clock of the film", "leak", "ticks per second of mvhd in an ISO file", _TOOLS, "1/s"),
    _cue("chapters", "the number of chapters", "leak", "chapters of the container", _TOOLS, "chapters"),
    _cue("extra_streams", "the number of further streams", "leak", "all but one picture and one sound", unit="streams"),
    _cue("level", "the level of the video codec", "nuisance", "codec, profile and level of the first video stream"),
    _cue("scan", "the scan of the picture", "nuisance", "declared order of fields: progressive or interlaced"),
    _cue("first_picture", "the kind of the first picture", "nuisance", "IDR, CRA, BLA, I, P, B of the first packet"),
    _cue(
        "keys",
        "the spacing of key frames",
        "nuisance",
        "'every' with the distance between key frames in frames, 'first only', 'uneven' or 'none'",
    ),
    _cue("pattern", "the pattern of frame types", "nuisance", "first 8 stored frames: I key, B shown earlier, P other"),
    _cue("b_run", "the longest run of B frames", "nuisance", "frames stored after one shown later", unit="frames"),
    _cue("b_share", "the share of B frames", "nuisance", "share of frames stored after one shown later", unit="share"),
    _cue(
        "declared_gap",
        "the declared gap between sound and picture",
        "leak",
        "declared length of the sound minus that of the picture",
        _CMDFD,
        "ms",
    ),
    _cue(
        "declared_start",
        "the declared later start of the sound",
        "leak",
        "declared start of the sound minus that of the picture",
        "muxers that do not signal encoder delay",
        "ms",
    ),
    _cue(
        "frames_missing",
        "the number of declared frames that are not there",
        "leak",
        "frames that the header declares minus stored ones",
        "AV-Deepfake1M, issue 7: declared lengths differ from the true ones in fakes only",
        "frames",
    ),
)

#: Names of tags that hold a prompt or workflow, and words that betray one in a tag of JSON.
_PROMPT_TAGS = frozenset({"prompt", "workflow", "parameters", "sd-metadata", "generation_data"})
_PROMPT_WORDS = ('"prompt"', '"workflow"', '"class_type"', '"inputs"', '"nodes"', '"last_node_id"')
_SCANS = {1: "progressive", 2: "top field first", 3: "bottom field first", 4: "top, bottom", 5: "bottom, top"}
_MONTH = re.compile(r"\d{4}-\d{2}(?=-\d{2})")
#: Frames of the pattern: adaptive encoders choose B frames by content, so the first few tell the setting best.
_PATTERN = 8


def measure(facts: FileFacts) -> dict[str, CueValue]:
    """Cues of the headers.

    Args:
        facts: What `read_facts` gives at any depth.

    Returns:
        A value for every cue of `CUES`; None where the stream or box is missing.
    """
    video, audio, boxes = facts.video, facts.audio, facts.boxes
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    streams = [stream.tags for stream in (video, audio) if stream]
    tags: list[Mapping[str, str]] = [facts.tags, *streams]
    n_own = (video is not None) + (audio is not None)
    found |= {
        "meta.c2pa": _yes(facts.marks.c2pa),
        "meta.xmp": _yes(facts.marks.xmp),
        "meta.exif": _yes(facts.marks.exif),
        "meta.prompt": _yes(any(_is_prompt(name, value) for one in tags for name, value in one.items())),
        "meta.creation": _month(tags),
        "meta.tags": " ".join(sorted({_word(name) for one in tags for name in one})) or "none",
        "meta.languages": " ".join(one.get("language", "none") for one in streams) or None,
        "meta.chapters": float(facts.chapters),
        "meta.extra_streams": float(len(facts.streams) - n_own),
    }
    if boxes:
        found["meta.udta"] = " ".join(boxes.user_data) or "none"
        found["meta.moov"] = _place(boxes.order.replace("+", "").split())
        found["meta.padding"] = float(boxes.padding)
        found["meta.timescale"] = None if boxes.timescale is None else float(boxes.timescale)
    if video:
        found |= _video(video)
    if video and audio:
        found["meta.declared_gap"] = _milliseconds(audio.duration, video.duration)
        found["meta.declared_start"] = _milliseconds(audio.start, video.start)
    return found


def _video(video: VideoFacts) -> dict[str, CueValue]:
    packets = video.packets
    found: dict[str, CueValue] = {
        "meta.level": f"{video.codec}/{video.profile}@{video.level if video.level >= 0 else 'none'}",
        "meta.scan": _SCANS.get(video.scan, "not told"),
        "meta.first_picture": video.first_kind or None,
        "meta.frames_missing": float(video.n_declared - packets.n_stored) if video.n_declared else None,
    }
    if not len(packets.times):
        return found
    early = shown_early(packets.times)
    letters = np.where(packets.keys, "I", np.where(early, "B", "P"))
    found["meta.pattern"] = "".join(letters[:_PATTERN])
    found["meta.b_run"] = float(_longest(early))
    found["meta.b_share"] = round(float(early.mean()), 6)
    found["meta.keys"] = _spacing(packets)
    return found


def shown_early(times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[P] whether a frame is shown before one that is stored ahead of it: what B frames do.

    Args:
        times: [P] seconds at which the frames are shown, in order of storage.
    """
    return times < np.maximum.accumulate(times)


def _longest(flags: NDArray[np.bool_]) -> int:
    ends = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((ends[1::2] - ends[::2]).max()) if len(ends) else 0


def _spacing(packets: Packets) -> str:
    places = np.flatnonzero(packets.keys)
    if len(places) < 2:
        return "first only" if len(places) and places[0] == 0 else "none" if not len(places) else "uneven"
    steps = np.diff(places)
    return f"every {steps[0]}" if (steps == steps[0]).all() else "uneven"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _is_prompt(name: str, value: str) -> bool:
    return name in _PROMPT_TAGS or (value.lstrip().startswith("{") and any(word in value for word in _PROMPT_WORDS))


def _month(tags: list[Mapping[str, str]]) -> str:
    dates = [one[name] for one in tags for name in ("creation_time", "com.apple.quicktime.creationdate") if name in one]
    if not dates:
        return "none"
    month = _MONTH.match(dates[0])
    return month.group() if month else "other"


def _word(name: str) -> str:
    return "_".join(name.split()) or "_"


def _place(order: list[str]) -> str:
    if "moov" not in order:
        return "none"
    return "before mdat" if "mdat" not in order or order.index("moov") < order.index("mdat") else "after mdat"


def _milliseconds(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else round((later - earlier) * 1000, 3) + 0.0
