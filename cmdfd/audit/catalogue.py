"""Every cue that an audit may meet, by name: measured ones, those of the whole set, of the target and of plug-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.cue import Cue
from cmdfd.errors import CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


def known_cues(extra: Iterable[Mapping[str, Cue]] = ()) -> dict[str, Cue]:
    """All cues by name.

    Args:
        extra: Records of a target's own columns and of plug-ins; the catalogue wins over them.
    """
    from cmdfd.audit.measure import CATALOGUE
    from cmdfd.audit.setcues import SET_CUES

    found: dict[str, Cue] = {}
    for records in extra:
        found |= records
    return found | {cue.name: cue for cue in SET_CUES} | CATALOGUE


def unknown_cue(name: str) -> Cue:
    """What is assumed of a column that nobody describes."""
    return Cue(
        name,
        f"the column {name!r}",
        "",
        "nuisance",
        "a column of the table",
        "find out which step writes it, and let real and fake clips pass that step alike",
        "the table",
        "none",
    )


def chosen_cues(words: Collection[str], cues: Mapping[str, Cue]) -> frozenset[str] | None:
    """Names of cues that `--cues` asks for; None for all.

    Args:
        words: Cues ("time.av_gap"), families ("time") or presets ("avh-align").
        cues: All cues by name.

    Raises:
        CmdfdError: For an unknown word, with the nearest right one.
    """
    from cmdfd.audit.cues.presets import PRESETS

    if not words:
        return None
    families = {cue.family for cue in cues.values()}
    found: set[str] = set()
    for word in words:
        if word in PRESETS:
            found |= set(PRESETS[word])
        elif word in families:
            found |= {name for name, cue in cues.items() if cue.family == word}
        elif word in cues:
            found.add(word)
        else:
            raise CmdfdError(f"unknown cue {word!r}: {nearest(word, (*PRESETS, *families, *cues))}")
    return frozenset(found)
