"""Cues of other people: what a plug-in must have, and how it is found and kept from stopping an audit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.registry import Registry, RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from cmdfd.audit.facts import FileFacts
    from cmdfd.audit.pictures import Pictures
    from cmdfd.media.sound import Audio

#: What a plug-in must be given: the headers alone, the decoded sound, or the pictures, too.
Needs = Literal["headers", "sound", "pictures"]

#: Packages add cues through this group; a file of one's own goes by "path/to/file.py:Name".
CUE_PLUGINS = Registry(noun="cue plug-in", group="cmdfd.cues")
#: Text of a plug-in's category or error is cut here, so that it cannot fill the tables.
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True, eq=False)
class ClipMedia:
    """What a plug-in measures.

    Args:
        path: The file.
        facts: Headers and packets.
        sound: Decoded sound at the file's own rate; None without sound, or where only headers were read.
        pictures: Samples of the pictures; None without video, or where they were not decoded.
    """

    path: Path
    facts: FileFacts
    sound: Audio | None
    pictures: Pictures | None


class CuePlugin(Protocol):
    """Cues of one's own: an object, or a class that is made without arguments."""

    cues: tuple[Cue, ...]
    needs: Needs

    def measure(self, clip: ClipMedia) -> Mapping[str, CueValue]:
        """Values by the names of `cues`; what is left out counts as not measurable."""


@dataclass(frozen=True, slots=True, eq=False)
class NamedPlugin:
    """A plug-in under the name by which it was asked for."""

    name: str
    plugin: CuePlugin

    def names(self) -> tuple[str, ...]:
        """Names of its cues."""
        return tuple(cue.name for cue in self.plugin.cues)

    def measure(self, clip: ClipMedia) -> tuple[dict[str, CueValue], str]:
        """Measure one clip, whatever the plug-in does.

        Args:
            clip: The clip.

        Returns:
            A value for each of its cues, all None where it failed, and what went wrong, "" if nothing did.
        """
        nothing: dict[str, CueValue] = dict.fromkeys(self.names())
        try:
            found = dict(self.plugin.measure(clip))
            unknown = sorted(set(found) - set(nothing))
            if unknown:
                return nothing, f"it gave the undeclared cue {unknown[0]!r}"
            texts = {cue.name for cue in self.plugin.cues if cue.categorical or cue.tokenised}
            return nothing | {name: plain(value, name in texts) for name, value in found.items()}, ""
        except Exception as error:
            return nothing, f"{type(error).__name__}: {error}"[:_MAX_TEXT]


def plain(value: object, text: bool) -> CueValue:
    """A value as it goes into the table: text, a finite number, or None.

    Args:
        value: What was measured; numbers of NumPy are fine, NaN and infinity count as not measurable.
        text: Whether the cue is a category or tokens.

    Raises:
        TypeError: For anything else.
    """
    if value is None:
        return None
    if text:
        return str(value)[:_MAX_TEXT]
    if isinstance(value, str):
        raise TypeError(f"a number is needed, got the text {value[:40]!r}")
    number = float(cast("Any", value))
    return number if math.isfinite(number) else None


def load_plugins(names: Sequence[str], taken: Collection[str] = ()) -> tuple[NamedPlugin, ...]:
    """Load plug-ins and check what they declare.

    Args:
        names: Names of installed plug-ins, "pkg.mod:Name" or "path/to/file.py:Name".
        taken: Names of cues that exist already.

    Raises:
        RegistryError: For one that cannot be loaded, lacks a part, or has a cue whose name is taken or has no family.
    """
    found: list[NamedPlugin] = []
    seen = set(taken)
    for name in names:
        plugin = CUE_PLUGINS.load(name)
        try:
            plugin = plugin() if isinstance(plugin, type) else plugin
        except Exception as error:
            raise RegistryError(f"cue plug-in {name!r} cannot be made: {type(error).__name__}: {error}") from error
        _check(name, plugin, seen)
        seen.update(cue.name for cue in plugin.cues)
        found.append(NamedPlugin(name, plugin))
    return tuple(found)


def _check(name: str, plugin: Any, taken: Collection[str]) -> None:
    cues = getattr(plugin, "cues", None)
    if not isinstance(cues, tuple) or not cues or not all(isinstance(cue, Cue) for cue in cues):
        raise RegistryError(f"cue plug-in {name!r} needs `cues`, a tuple of cmdfd.audit.cue.Cue, got {cues!r:.80}")
    if getattr(plugin, "needs", None) not in get_args(Needs):
        allowed = ", ".join(get_args(Needs))
        got = getattr(plugin, "needs", None)
        raise RegistryError(f"cue plug-in {name!r} needs `needs`, one of {allowed}, got {got!r}")
    if not callable(getattr(plugin, "measure", None)):
        raise RegistryError(f"cue plug-in {name!r} needs a method `measure(clip)`")
    for cue in cues:
        if cue.name in taken:
            raise RegistryError(f"cue plug-in {name!r}: the name {cue.name!r} is taken; choose another family")
        if cue.name.count(".") != 1 or not all(cue.name.split(".")):
            raise RegistryError(f"cue plug-in {name!r}: the name {cue.name!r} is not of the form 'family.cue'")
    if len({cue.name for cue in cues}) != len(cues):
        raise RegistryError(f"cue plug-in {name!r} declares one cue twice")
