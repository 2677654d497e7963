"""Texts of words as columns of numbers, one for each word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import component_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

#: A word that occurs in fewer components can be no sign of a class (as rare levels of a category).
MIN_TOKEN_COMPONENTS = 3
#: Cells of a token matrix (160 MB); of more clips there are fewer words.
MAX_TOKEN_CELLS = 20_000_000


@dataclass(frozen=True, slots=True, eq=False)
class TokenMatrix:
    """Which clips hold which words.

    Args:
        values: [n, t] 1 where the clip holds the word, else 0; NaN where it has no text.
        tokens: [t] words.
    """

    values: NDArray[np.float64]
    tokens: tuple[str, ...]


def token_matrix(texts: Sequence[object], components: ArrayLike, max_tokens: int = 300) -> TokenMatrix:
    """One column for each word that some clips have and others lack.

    Args:
        texts: [n] words parted by blanks, of which order and number do not count; anything but text, or "" = no text.
        components: [n].
        max_tokens: Words, at most: those that part the components most evenly. Of words that the very same clips
            hold only the first by name is kept.

    Returns:
        The columns, in order of the words.
    """
    n = len(texts)
    index = component_codes(components, n)
    words = [set(text.split()) if isinstance(text, str) else set() for text in texts]
    holders: dict[str, list[int]] = {}
    for row, found in enumerate(words):
        for word in found:
            holders.setdefault(word, []).append(row)
    kept = _most_even(holders, index, sum(bool(found) for found in words))
    tokens = tuple(sorted(kept[: min(max_tokens, MAX_TOKEN_CELLS // max(n, 1))]))
    values = np.zeros((n, len(tokens)))
    for column, word in enumerate(tokens):
        values[holders[word], column] = 1.0
    values[np.array([not found for found in words], dtype=bool)] = np.nan
    return TokenMatrix(values, tokens)


def _most_even(holders: dict[str, list[int]], index: NDArray[np.intp], with_text: int) -> list[str]:
    """Words that vary, those that half of the components hold first; each set of clips once."""
    total = int(index.max()) + 1 if len(index) else 0
    seen: set[tuple[int, ...]] = set()
    ranked: list[tuple[float, str]] = []
    for word in sorted(holders):
        rows = tuple(holders[word])
        if len(rows) < MIN_TOKEN_COMPONENTS or len(rows) == with_text or rows in seen:
            continue
        spread = len(np.unique(index[list(rows)]))
        if spread < MIN_TOKEN_COMPONENTS:
            continue
        seen.add(rows)
        # clips decide among words that all components hold, as where each has a real and a fake
        ranked.append((abs(len(rows) / with_text - 0.5) + abs(spread / total - 0.5), word))
    return [word for _, word in sorted(ranked)]
