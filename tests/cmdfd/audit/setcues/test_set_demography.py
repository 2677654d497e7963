"""Declared demographics: records, Cramér's V, and what is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from set_targets import checks

from cmdfd.audit.setcues import demographic_cues, demographic_table
from cmdfd.audit.setcues.demography import cramers_v


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2)), min_size=0, max_size=80))
def test_cramers_v_is_bergsmas_formula_over_scipys_chi_square(rows: list[tuple[int, int]]) -> None:
    first, second = (np.array([row[k] for row in rows], np.intp) for k in (0, 1))
    found = cramers_v(first, second)
    known = (first >= 0) & (second >= 0)
    table = pd.crosstab(first[known], second[known]).to_numpy()
    if known.sum() < 2 or min(table.shape, default=0) < 2:
        assert found is None
        return
    n, (r, c) = table.sum(), table.shape
    phi = max(0.0, chi2_contingency(table, correction=False).statistic / n - (r - 1) * (c - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    assert found is None if smaller <= 0 else found == pytest.approx(np.sqrt(phi / smaller))


def test_known_answers() -> None:
    half = np.array([0, 1] * 500)
    assert cramers_v(half, half) == pytest.approx(1, abs=2e-3)
    assert cramers_v(half, np.repeat([0, 1], 500)) == 0
    assert cramers_v(half, np.zeros(1000, np.intp)) is None


def test_records_are_nuisances_to_be_matched_and_nothing_else_is_taken_for_demographic() -> None:
    clips = pd.DataFrame({"demog.gender": ["f"], "demog.": [1], "gender": ["f"], "demog.skin_tone": [3]})
    found = demographic_cues(clips)
    assert set(found) == {"demog.gender", "demog.skin_tone"}
    cue = found["demog.skin_tone"]
    assert (cue.kind, cue.fix, cue.categorical, cue.title) == ("nuisance", "match", True, "the declared skin tone")


def test_the_table_and_the_sentence_tell_label_split_and_generator() -> None:
    n = 200
    columns = {
        "label": [0, 1] * (n // 2), "split": ["train"] * (n // 2) + ["test"] * (n // 2),
        "generator": ["", "a", "", "b"] * (n // 4),
        "demog__gender": ["F", "m "] * (n // 2), "demog__age": [20.0 + k % 60 for k in range(n)],
    }  # fmt: skip
    found = checks(**columns)
    assert found["demog.gender"].severity == "none" and "1.00 with label" in found["demog.gender"].sentence
    assert found["demog.gender"].sentence.startswith("Declared gender (2 groups)")
    table = demographic_table(pd.DataFrame({k.replace("__", "."): v for k, v in columns.items()}))
    assert table["against"].tolist() == ["label", "split", "generator"] * 2
    assert table.set_index(["cue", "against"])["levels"]["demog.age", "label"] == 5  # ages fall into five groups
    assert np.isnan(table.set_index(["cue", "against"])["v"]["demog.gender", "generator"])  # all fakes are of one group
