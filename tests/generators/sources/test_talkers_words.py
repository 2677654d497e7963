"""Sentences and voices: casts and splits share nothing."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from cmdfd.clip import SPLITS
from generators.sources.talkers import texts, voices

CELLS = [(cast, split) for cast in voices.CASTS for split in SPLITS]


def drawn(cast: str, split: str, draws: int) -> set[str]:
    found: set[str] = set()
    for seed in range(draws):
        found.update(texts.draw_sentences(cast, split, 40, np.random.default_rng([seed])))
    return found


def test_no_sentence_in_two_cells() -> None:
    """The same seeds in every cell, which is the worst case: overlaps would show at once."""
    pools = {cell: drawn(*cell, 12) for cell in CELLS}
    for first, second in combinations(CELLS, 2):
        assert not pools[first] & pools[second]
    assert min(len(pool) for pool in pools.values()) > 400  # of the thousands that there are
    for cell, pool in pools.items():
        assert {texts.cell_of(sentence) for sentence in pool} == {voices.cell_index(*cell)}


def test_there_are_thousands_of_sentences() -> None:
    """Birthday rule: k equal pairs among n draws mean about n^2 / 2k different sentences."""
    draws = [texts.draw_sentences("a", "train", 1, np.random.default_rng([seed, 1]))[0] for seed in range(1500)]
    pairs = len(draws) - len(set(draws))
    assert 1500**2 / (2 * (pairs + 3)) > 5000


def test_sentences_are_rich_in_lip_sounds() -> None:
    found = " ".join(sorted(drawn("a", "train", 5))).lower()
    letters = sum(found.count(letter) for letter in "bpmwov")
    assert letters / sum(letter.isalpha() for letter in found) > 0.20  # about 0.14 in running English
    lengths = [len(sentence.split()) for sentence in drawn("b", "test", 5)]
    assert min(lengths) >= 4 and max(lengths) <= 12


def test_no_sentence_twice_in_a_take() -> None:
    sentences = texts.draw_sentences("b", "validation", 64, np.random.default_rng(5))
    assert len(set(sentences)) == 64


def test_every_variant_has_exactly_one_place() -> None:
    everywhere = [v for pool in voices.POOLS.values() for v in pool.talkers + pool.reserved]
    assert len(everywhere) == len(set(everywhere)) == 33
    assert set(voices.POOLS) == {(c, s, x) for c, s in CELLS for x in ("male", "female")}
    assert all(pool.talkers and pool.reserved for pool in voices.POOLS.values())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sex", ["male", "female"])
def test_reserved_voice_is_another_with_the_same_accent_and_rate(cell: tuple[str, str], sex: str) -> None:
    talkers = voices.POOLS[(*cell, sex)].talkers
    for seed in range(20):
        rng = np.random.default_rng([seed])
        own = voices.draw_voice(*cell, sex, rng)
        other = voices.draw_reserved(*cell, sex, own, rng)
        assert own["variant"] in talkers and other["variant"] not in talkers
        assert (own["accent"], own["rate"]) == (other["accent"], other["rate"])
        assert other["name"] == f"{own['accent']}+{other['variant']}"
        assert abs(own["pitch"] - other["pitch"]) >= 8
