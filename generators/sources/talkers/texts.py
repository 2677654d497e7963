"""What is said: sentences from a small grammar, rich in bilabials and rounded vowels.

The grammar has some millions of sentences. A sentence belongs to the cell (cast and split) that a hash of its words
names, so that no two cells can share one, whatever is drawn.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cmdfd.clip import SPLITS
from generators.sources.talkers.voices import CASTS, cell_index

if TYPE_CHECKING:
    import numpy as np

_WORDS: dict[str, tuple[str, ...]] = {
    "who": (
        "people", "my boys", "both women", "the farmers", "most workers", "our neighbours", "some pupils",
        "the old fishermen", "her brothers", "two bakers", "the new members", "my parents", "four painters",
        "the brave pilots", "your uncle and mother", "the whole family", "a poor musician", "the bus drivers",
    ),
    "name": ("Bob", "Emma", "Paul", "Amber", "Mum", "Papa", "Robin", "Phoebe", "Tom", "Barbara", "Oliver", "Mabel"),
    "did": (
        "bought", "moved", "found", "watched", "built", "broke", "brought", "borrowed", "painted", "followed",
        "wrapped", "pushed", "washed", "chose", "opened", "kept", "dropped", "saved", "emptied", "mended",
    ),
    "do": (
        "buy", "move", "find", "watch", "build", "break", "bring", "borrow", "paint", "follow", "wrap", "push",
        "wash", "choose", "open", "keep", "drop", "save", "empty", "mend",
    ),
    "many": ("five", "four", "a few", "both", "many", "two", "some", "more", "most of the", "all of the"),
    "how": (
        "big", "blue", "old", "wooden", "warm", "purple", "smooth", "broken", "empty", "beautiful", "brown", "small",
        "heavy", "white", "golden", "quiet", "bright", "cheap", "spare", "famous",
    ),
    "things": (
        "maps", "boots", "apples", "boats", "books", "bowls", "lamps", "windows", "pumpkins", "blankets", "wheels",
        "mirrors", "potatoes", "bottles", "brooms", "umbrellas", "spoons", "bananas", "flowers", "pianos", "plums",
        "bicycles", "cups", "puppets", "drums", "shoes",
    ),
    "where": (
        "before noon", "by the pool", "from the old town", "above the shop", "on the boat", "over the bridge",
        "behind my room", "in the village", "at the market", "below the window", "for the museum", "near the farm",
        "after the movie", "by the open door", "on the way home", "in the warm summer",
    ),
    "say": ("we know that", "maybe", "I am sure", "you told me", "everybody hopes", "she believes", "perhaps"),
}  # fmt: skip

_TEMPLATES = (
    "{who} {did} {many} {how} {things}",
    "{name} {did} the {how} {things} {where}",
    "{say} {name} {did} my {things}",
    "please {do} {many} {how} {things}",
    "{name} will {do} the {things} and {things2}",
    "{where} we {did} {many} {things}",
    "{name} and {name2} {did} {how} {things}",
    "{who} {did} more {things} than {things2}",
)


def _sentence(rng: np.random.Generator) -> str:
    chosen = {slot: words[int(rng.integers(len(words)))] for slot, words in _WORDS.items()}
    for slot in ("name", "things"):
        others = [word for word in _WORDS[slot] if word != chosen[slot]]
        chosen[f"{slot}2"] = others[int(rng.integers(len(others)))]
    text = _TEMPLATES[int(rng.integers(len(_TEMPLATES)))].format_map(chosen)
    return text[0].upper() + text[1:] + "."


def cell_of(sentence: str) -> int:
    """The cell that owns a sentence: a hash of its words, so every sentence has exactly one."""
    digest = hashlib.sha256(sentence.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") % (len(CASTS) * len(SPLITS))


def draw_sentences(cast: str, split: str, count: int, rng: np.random.Generator) -> list[str]:
    """Draw different sentences of one cell.

    Args:
        cast: One of `voices.CASTS`.
        split: One of `cmdfd.clip.SPLITS`.
        count: How many, at least 1.
        rng: The text's own stream.

    Returns:
        `count` sentences of 4 to 10 words, no two alike, each owned by the cell.
    """
    cell = cell_index(cast, split)
    found: list[str] = []
    while len(found) < count:
        sentence = _sentence(rng)
        if cell_of(sentence) == cell and sentence not in found:
            found.append(sentence)
    return found
