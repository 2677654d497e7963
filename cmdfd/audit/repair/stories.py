"""Cues that are one story: all ways of measuring the leading silence, all lengths, ..."""

from __future__ import annotations

import re

#: Patterns of cue names, in order, with what the story is called as the subject of a sentence.
_STORIES: tuple[tuple[str, str], ...] = (
    (
        r"silence\.(lead_.*|avh_.*|onset_.*|zero_lead)|audio\.(start_ramp.*|first_sample|priming.*)",
        "the leading silence",
    ),
    (r"silence\.(trail_.*|zero_trail)|audio\.end_ramp", "the trailing silence"),
    (r"silence\..*", "the silence inside"),
    (r"time\.(.*_mod_.*|.*grid.*)", "the length on the grid of codec frames"),
    (r"time\.(av_gap|start_difference)", "the gap between sound and picture"),
    (r"time\.(.*duration|.*span|n_frames|n_samples|n_.*)", "the duration"),
    (r"time\..*", "the frame rate"),
    (r"container\.sample_rate|audio\.(cutoff|bandwidth|rolloff|above|tilt).*", "the bandwidth"),
    (r"container\..*", "the container"),
    (r"geometry\..*", "the shape of the picture"),
    (r"level\..*", "the loudness"),
    (r"rate\..*", "the bit rate"),
    (r"audio\.(noise|hum|speech_to_noise|decay).*", "the background noise"),
    (r"audio\.(splice|step|floor_jump|loudness_jump).*", "the trace of splices"),
    (r"audio\..*", "the trace in the sound"),
    (r"history\..*", "the history of encoding"),
    (r"picture\..*", "the look of the picture"),
    (r"freeze\..*", "the stillness of the picture"),
    (r"face\..*", "the place of the face"),
    (r"meta\.(path.*|name_.*|order|mtime)", "the name or order of the files"),
    (r"meta\.(level|scan|first_picture|keys|pattern|b_run|b_share|frames_missing)", "the history of encoding"),
    (r"meta\..*", "the container"),
    (r"split\..*", "the split"),
    (r"text\..*", "the text"),
    (r"demog\..*", "the declared group of people"),
    (r"label\..*", "the consistency of the labels"),
    (r"sampling\..*", "the sampling"),
    (r"missing\..*", "the lack of something to measure"),
)
_COMPILED = tuple((re.compile(pattern), title) for pattern, title in _STORIES)


def story_of(cue: str) -> str:
    """What a cue is about, as the subject of a sentence; cues of one story are told together.

    >>> story_of("silence.avh_lead"), story_of("time.n_frames"), story_of("column.height")
    ('the leading silence', 'the duration', "the column 'height'")
    """
    if cue.startswith("column."):
        return f"the column {cue.removeprefix('column.')!r}"
    return next((title for pattern, title in _COMPILED if pattern.fullmatch(cue)), f"the cue {cue!r}")
