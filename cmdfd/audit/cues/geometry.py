"""Size, shape and turn of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.cue import Cue, CueValue

if TYPE_CHECKING:
    from cmdfd.audit.reading import FileFacts

_CANVAS = "bring every clip to one canvas with one scaler; never scale up one class only (harmonise)"
_SOURCE = "image size separates real from generated in GenImage ('Fake or JPEG?', arXiv 2403.17608)"

CUES = (
    Cue("geometry.width", "the picture's width", "pixels", "nuisance", "coded width", _CANVAS, _SOURCE),
    Cue("geometry.height", "the picture's height", "pixels", "nuisance", "coded height", _CANVAS, _SOURCE),
    Cue(
        "geometry.sample_aspect",
        "the shape of the pixels",
        "category",
        "nuisance",
        "sample aspect ratio; 0 and none count as 1",
        _CANVAS,
        _SOURCE,
    ),
    Cue(
        "geometry.turn",
        "the rotation flag",
        "category",
        "nuisance",
        "degrees clockwise of the display matrix, and whether it mirrors",
        _CANVAS,
        "phones write it, generators do not",
    ),
)


def measure(facts: FileFacts) -> dict[str, CueValue]:
    """Cues of the picture's geometry; None without video."""
    video = facts.video
    if video is None:
        return dict.fromkeys(cue.name for cue in CUES)
    seen = video.orientation
    turn = None if seen is None else f"{seen.rotation}{' mirrored' if seen.mirrored else ''}"
    return {
        "geometry.width": float(video.width),
        "geometry.height": float(video.height),
        "geometry.sample_aspect": video.sample_aspect if video.sample_aspect != "0" else "1",
        "geometry.turn": turn,
    }
