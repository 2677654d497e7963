"""The first or last moments of a few clips' sound, where silence was flagged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from cmdfd.audit.cues import silence
from cmdfd.audit.report.distributions import classes_of
from cmdfd.audit.report.words import plain, title_of
from cmdfd.errors import MediaError
from cmdfd.report.blocks import Block, Figure, Paragraph
from cmdfd.report.plots import SoundStrip, waveform_plot
from cmdfd.report.text import MINUS, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.targets.target import Target

Side = Literal["lead", "trail"]
#: Clips of each class.
CLIPS = 4
#: Files that are tried for each class, since some may not decode.
TRIES = 12
#: Shortest and longest time shown, seconds.
SHORTEST, LONGEST = 0.15, 2.0
#: What is shown is this much longer than the longest silence in the picture.
ROOM = 1.5
_LEAD = ("silence.lead", "silence.avh", "silence.onset", "silence.zero_lead", "audio.priming")
_TRAIL = ("silence.trail", "silence.zero_trail")


def side_of(cue: str) -> Side | None:
    """At which end of a clip a cue listens to silence; None for other cues."""
    if cue.startswith(_LEAD):
        return "lead"
    return "trail" if cue.startswith(_TRAIL) else None


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which measurement draws the mark, and at which amplitude the line stands."""

    cue: str
    threshold: float | None


def _rule(cue: str, side: Side) -> _Rule:
    if cue.endswith("60dbfs"):
        return _Rule(cue, silence.DBFS_60)
    if cue.startswith("silence.zero"):
        return _Rule(cue, None)
    if cue.endswith("40db_speech"):
        return _Rule(cue, None)
    return _Rule("silence.lead_5e-4" if side == "lead" else "silence.trail_5e-4", silence.AVH_THRESHOLD)


def sound_blocks(
    report: AuditReport, table: pd.DataFrame, target: Target | None, finding: Finding, seed: int = 0
) -> tuple[Block, ...]:
    """The sound of the most typical clips of each class near the end at which a cue listens.

    Args:
        report: The audit.
        table: The cue table.
        target: Where the media lie.
        finding: A finding on silence or priming.
        seed: Decides between clips that are equally typical.

    Returns:
        A picture, or a sentence that says why there is none; nothing for other cues.
    """
    side = side_of(finding.cue)
    if side is None:
        return ()
    found = classes_of(report, table, finding.cue, finding.analysis)
    if target is None or not target.has_media or found is None or "id" not in table.columns:
        return (Paragraph(("The sound itself cannot be shown: this audit has no media.",), "muted"),)
    paths = _paths(target)
    strips: list[SoundStrip] = []
    for fake, values in ((False, found.real), (True, found.fake)):
        names = _typical(table, values, seed)
        strips += _strips(names, paths, _rule(finding.cue, side), fake)
    if not strips:
        return (Paragraph(("The sound itself cannot be shown: none of its files could be decoded.",), "muted"),)
    return (_figure(strips, side, finding),)


def _paths(target: Target) -> dict[str, Path]:
    known = target.clips[["id", "path"]].drop_duplicates("id")
    return {str(name): Path(str(path)) for name, path in zip(known["id"], known["path"], strict=True) if path}


def _typical(table: pd.DataFrame, values: pd.Series, seed: int) -> list[str]:
    """Ids of a class, the nearest to its median first, one of each component before a second one."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    numbers = numbers[np.isfinite(numbers.to_numpy(np.float64))]
    if numbers.empty:
        numbers = pd.Series(0.0, index=values.index)
    chance = np.random.default_rng(seed).permutation(len(numbers))
    far = (numbers - numbers.median()).abs().to_numpy(np.float64)
    order = np.lexsort((chance, far))
    chosen = table.loc[numbers.index[order]]
    seen = chosen["component"].duplicated() if "component" in chosen.columns else pd.Series(False, index=chosen.index)
    return [str(name) for name in (*chosen.loc[~seen.to_numpy(bool), "id"], *chosen.loc[seen.to_numpy(bool), "id"])][
        :TRIES
    ]


def _strips(names: list[str], paths: dict[str, Path], rule: _Rule, fake: bool) -> list[SoundStrip]:
    found: list[SoundStrip] = []
    for name in names:
        if len(found) == CLIPS:
            break
        path = paths.get(name)
        found += [] if path is None else list(_read(name, path, rule, fake))
    return found


def _read(name: str, path: Path, rule: _Rule, fake: bool) -> Iterator[SoundStrip]:
    """The sound of a file at its own rate; nothing where it has none or cannot be decoded."""
    from cmdfd.media.decode import read_audio
    from cmdfd.media.probe import probe

    try:
        info = probe(path)
        if info.audio is None:
            return
        sound = read_audio(path, sample_rate=info.audio.sample_rate)
    except (MediaError, ValueError):
        return
    measured = silence.measure(sound.samples, sound.sample_rate).get(rule.cue)
    seconds = float(measured) if isinstance(measured, int | float) else None
    yield SoundStrip(name, fake, sound.samples, sound.sample_rate, seconds, rule.threshold)


def _figure(strips: list[SoundStrip], side: Side, finding: Finding) -> Figure:
    longest = max((strip.silence or 0.0 for strip in strips), default=0.0)
    seconds = float(np.clip(ROOM * longest, SHORTEST, LONGEST))
    marks = {fake: [strip.silence for strip in strips if strip.fake == fake] for fake in (False, True)}
    told = "; ".join(
        f"{'fakes' if fake else 'reals'} " + ", ".join("–" if one is None else f"{1000 * one:.1f} ms" for one in times)
        for fake, times in marks.items()
        if times
    )
    where = "first" if side == "lead" else "last"
    level = strips[0].threshold
    rule = (
        ""
        if level is None
        else f" Dotted: the amplitude of {plain(level)} ({_decibels(level)}) up to which it is silent."
    )
    return Figure(
        alt=f"Level of the {where} {1000 * seconds:.0f} ms of {plural(len(strips), 'clip')}. Silence: {told}.",
        svg=waveform_plot(strips, seconds, from_end=side == "trail"),
        title=f"The {where} {1000 * seconds:.0f} ms of the most typical clips",
        caption=(
            f"Level of the loudest sample in dB of full scale; −100 dB stands for noughts. Grey: the silence that is "
            f"measured.{rule} Clips are those nearest to the median of {title_of(finding)} in their class, at most "
            "one of a component where there are enough."
        ),
        wide=True,
    )


def _decibels(level: float) -> str:
    return f"{20 * np.log10(level):.0f} dB".replace("-", MINUS)
