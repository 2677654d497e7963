"""Placeholders into arguments, and arguments into what may be published."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Placeholders besides `{weights.NAME}` and `{param.NAME}`; paths are relative to `run.cwd` unless said otherwise.
PLACEHOLDERS = {
    "face": "staged picture of the target",
    "audio": "staged driving sound",
    "source_face": "staged picture of the donor's face",
    "driving": "staged picture whose movement is taken",
    "reference": "staged sound of the voice to imitate",
    "text": "the words to speak, as one argument",
    "text_file": "staged file with the words to speak",
    "reference_text": "the words of the reference, as one argument",
    "seed": "an integer in [0, 2**31)",
    "python": "the interpreter",
    "driver": "the copied script of generators/external/drivers/",
    "device": '"cpu" or "cuda"',
    "out": "`output.path`, where it has no wildcard",
    "out_dir": "the folder of `output.path`",
    "root": "absolute path of the shadow checkout",
}
#: Inputs that can also be named without folder or suffix, e.g. `{face.name}` and `{face.stem}`.
FILES = ("face", "audio", "source_face", "driving", "reference", "text_file")
_ANY = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_]+)?)\}")


def placeholders(text: str) -> Iterator[str]:
    """Names between braces; other braces are text."""
    return (match.group(1) for match in _ANY.finditer(text))


_WHOLE = re.compile(r"\{param\.([A-Za-z0-9_]+)\}")


def as_argument(value: Any) -> str:
    """A parameter as one argument."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return " ".join(as_argument(one) for one in value)
    return str(value)


@dataclass(frozen=True, slots=True)
class Values:
    """What placeholders stand for.

    Args:
        words: Values of plain placeholders and of "weights.NAME".
        params: Parameters by name.
    """

    words: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """Replace the placeholders of one text; braces that hold no known name stay.

        A value is never looked at again: words to speak may hold braces.
        """
        return _ANY.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        name = match[1]
        if name in self.words:
            return self.words[name]
        base, _, part = name.partition(".")
        if base == "param" and part in self.params:
            return as_argument(self.params[part])
        if base in FILES and base in self.words and part in {"name", "stem"}:
            return str(getattr(PurePosixPath(self.words[base]), part))
        return match[0]

    def arguments(self, texts: Iterable[str]) -> list[str]:
        """Replace placeholders in a command; an argument that is one list parameter becomes several."""
        found: list[str] = []
        for text in texts:
            whole = _WHOLE.fullmatch(text)
            value = self.params.get(whole[1]) if whole else None
            if isinstance(value, (list, tuple)):
                found += [as_argument(one) for one in value]
            else:
                found.append(self.fill(text))
        return found


def published(arguments: Iterable[str], places: Mapping[str, str]) -> list[str]:
    """Arguments as they may be written down: machine paths become names in braces.

    Args:
        arguments: A command.
        places: Absolute paths by the name that shall stand for them; longer ones win.
    """
    ordered = sorted(((path, name) for name, path in places.items() if path), key=lambda one: -len(one[0]))
    found = []
    for argument in arguments:
        text = argument
        for path, name in ordered:
            text = text.replace(path, f"{{{name}}}")
        found.append(text)
    return found
