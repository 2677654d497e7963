"""Finding and removing the words by which texts of a set name what was withdrawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.takedown.tombstones import STATE

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"[\w.\-]+")


@dataclass(frozen=True, slots=True)
class Names:
    """Words to be found in texts.

    Args:
        exact: Found as whole words, with or without a suffix (".mp4"), or in front of a "-".
        loose: Found anywhere; what the user named, so that names with blanks are found.
    """

    exact: frozenset[str]
    loose: tuple[str, ...] = ()

    @classmethod
    def of(cls, exact: Iterable[str], loose: Iterable[str] = ()) -> Names:
        """Names without the empty one."""
        return cls(frozenset(exact) - {""}, tuple(sorted(name for name in loose if name)))

    def hit(self, text: str) -> bool:
        """Whether a text names one of them."""
        return any(name in text for name in self.loose) or any(self._is(word) for word in _WORD.findall(text))

    def _is(self, word: str) -> bool:
        if word in self.exact or word.strip(".-") in self.exact or word.split(".", 1)[0] in self.exact:
            return True
        heads = [word[: match.start()] for match in re.finditer("-", word)]
        return any(head in self.exact for head in heads)

    def scrub(self, value: Any) -> Any:
        """A JSON-able value without them: items of lists and keys go, other texts become "withdrawn"."""
        if isinstance(value, dict):
            return {key: self.scrub(one) for key, one in value.items() if not self.hit(str(key))}
        if isinstance(value, list | tuple):
            return [self.scrub(one) for one in value if not (isinstance(one, str) and self.hit(one))]
        return STATE if isinstance(value, str) and self.hit(value) else value
