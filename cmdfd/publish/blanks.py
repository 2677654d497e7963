"""What neither a set nor its publisher says: left visible on the card, and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.publish.words import prose

if TYPE_CHECKING:
    from cmdfd.publish.words import CardWords


class Blanks:
    """What neither the set nor the publisher says: kept, and left visible.

    Args:
        words: What the publisher says.
    """

    def __init__(self, words: CardWords) -> None:
        self.words = words
        self._left: dict[str, None] = {}

    @property
    def left(self) -> tuple[str, ...]:
        """Every blank once."""
        return tuple(self._left)

    def blank(self, what: str, key: str = "") -> str:
        """A visible blank.

        Args:
            what: What is lacking.
            key: Field of `CardWords` that fills it; named in the blank, since whoever sees it looks for it.
        """
        told = f"{what} ({key})" if key else what
        self._left[told] = None
        return f"[to be filled: {told}]"

    def said(self, name: str, what: str) -> str:
        """The publisher's words for a field of `CardWords` as Markdown, or a blank."""
        text = getattr(self.words, name)
        return prose(str(text)) if text else self.blank(what, name)
