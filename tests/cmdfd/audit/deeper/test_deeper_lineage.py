"""In which stage of a build a cue came in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from deeper_sets import cue

from cmdfd.audit.deeper.lineage import lineage, sentence
from cmdfd.audit.records import Stage
from cmdfd.errors import CmdfdError


def cue_of(name: str):
    return cue(name, "category" if name == "x.encoder" else "s")


def built(n_components: int = 30, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A paired set: a leading silence that the raw forgery has, an encoder of the last step, and a harmless cue."""
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1, 1], n_components)
    ids = [f"c{k}" for k in range(len(labels))]
    clips = pd.DataFrame({"id": ids, "label": labels, "component": np.repeat(np.arange(n_components), 3).astype(str)})
    rows = []
    for stage in ("harmonised", "raw", "source"):
        lead = rng.normal(0.1, 0.02, len(labels)) + 0.2 * labels * (stage == "raw")
        late = stage == "harmonised"
        rows.append(
            pd.DataFrame(
                {
                    "id": ids,
                    "split": "test",
                    "stage": stage,
                    "x.lead": lead,
                    "x.calm": rng.normal(size=len(labels)),
                    "x.encoder": pd.array(
                        [("odd" if y else "plain") if late else None for y in labels], dtype="object"
                    ),
                    "x.frames": 75.0,
                }
            )
        )
    return pd.concat(rows, ignore_index=True), clips


def test_each_cue_is_followed_through_the_stages() -> None:
    stages, clips = built()
    found = {
        one.cue: one for one in lineage(stages, clips, ["x.lead", "x.encoder", "x.calm", "x.none"], cue_of, n_draws=299)
    }
    assert set(found) == {"x.lead", "x.encoder", "x.calm"}
    lead = found["x.lead"]
    assert [one.stage for one in lead.stages] == ["source", "raw", "harmonised"]
    assert lead.appeared == "raw"
    assert lead.sentence.startswith(
        "The lead appears in the generator's raw output (AUC 1.000); it is absent at the source"
    )
    assert "it is gone after harmonise" in lead.sentence
    encoder = found["x.encoder"]
    assert [one.stage for one in encoder.stages] == ["harmonised"]
    assert encoder.appeared == "harmonised"
    assert "earlier stages do not have it" in encoder.sentence
    assert found["x.calm"].appeared == ""
    assert "not shown" in found["x.calm"].sentence


def test_a_cue_of_the_source_and_one_that_stays() -> None:
    stages, clips = built()
    labels = stages["id"].map(clips.set_index("id")["label"])
    stages["x.lead"] = np.random.default_rng(1).normal(size=len(stages)) + 3 * labels
    found = lineage(stages, clips, ["x.lead"], cue_of, n_draws=299)[0]
    assert found.appeared == "source"
    assert "before anything was forged" in found.sentence
    assert found.sentence.count("still there") == 2


def test_constant_cues_and_sets_that_cannot_be_tested() -> None:
    stages, clips = built()
    found = lineage(stages, clips, ["x.frames"], cue_of, n_draws=99)[0]
    assert {(one.auc, one.p) for one in found.stages} == {(0.5, 1.0)}
    stages, clips = built(5)
    few = lineage(stages, clips, ["x.lead", "x.frames"], cue_of, n_draws=99)
    assert all("could not be tested" in one.sentence for one in few)
    one_class = lineage(stages, clips.assign(label=1), ["x.lead"], cue_of, n_draws=99)[0]
    assert one_class.appeared == ""
    assert lineage(stages.iloc[:0], clips, ["x.lead"], cue_of) == ()


def test_tables_that_lack_a_column_are_told() -> None:
    stages, clips = built(12)
    with pytest.raises(CmdfdError, match="table of clips lacks component"):
        lineage(stages, clips.drop(columns="component"), ["x.lead"], cue_of)
    with pytest.raises(CmdfdError, match="table of stages lacks stage"):
        lineage(stages.drop(columns="stage"), clips, ["x.lead"], cue_of)


def test_sentences() -> None:
    way = [
        Stage("source", 0.51, 0.9),
        Stage("raw", 0.98, 0.001),
        Stage("harmonised", 0.5, 1.0),
        Stage("social", 0.7, 0.002),
    ]
    assert sentence("the leading silence", way) == (
        "The leading silence appears in the generator's raw output (AUC .980); it is absent at the source (AUC .510); "
        "it is gone after harmonise (AUC .500); it is still there after the platform (AUC .700)."
    )
