from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.clip import REAL, Clip, Rights
from cmdfd.splits import DEFAULT_FRACTIONS, Identity, SplitError, assign, check_disjoint, components

ids = st.sampled_from(["", "a", "b", "c", "d", "e", "f"])
identities = st.lists(st.builds(Identity, ids, ids, st.lists(ids, max_size=3).map(tuple)), min_size=0, max_size=25)


def clip(**changes: object) -> Clip:
    base = Clip(
        id="1", split="train", file="train/videos/000/1.mp4", sha256="00", labels=REAL, kind="real", variant="",
        generator="sham", face_id="f", voice_id="v", source_ids=("s",), component="c", segments=(), mask=None,
        tracks=None, fps=25.0, n_frames=75, width=224, height=224, sample_rate=16000, n_samples=48000,
        rights=Rights("Apache-2.0", "synthetic"),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@settings(deadline=None)  # the first example pays for scipy's import
@given(identities)
def test_components_are_those_of_a_graph_library(rows: list[Identity]) -> None:
    graph = nx.Graph()
    for index, row in enumerate(rows):
        graph.add_node(index)
        named = [("f", row.face_id), ("v", row.voice_id), *(("s", one) for one in row.source_ids)]
        graph.add_edges_from((index, node) for node in named if node[1])
    found = components(rows)
    expected = [
        {node for node in nx.node_connected_component(graph, index) if isinstance(node, int)}
        for index in range(len(rows))
    ]
    assert [{i for i, name in enumerate(found) if name == found[k]} for k in range(len(rows))] == expected


@settings(deadline=None)
@given(identities, st.randoms(use_true_random=False))
def test_components_do_not_depend_on_order(rows: list[Identity], random: object) -> None:
    rows = [row for row in rows if row.nodes()]
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found, shuffled = components(rows), components([rows[k] for k in order])
    assert [found[k] for k in order] == shuffled


def test_a_face_and_a_voice_of_one_name_are_two_things() -> None:
    first, second = Identity("x", "", ()), Identity("", "x", ())
    assert len(set(components([first, second]))) == 2
    assert len(set(components([first, second, Identity("x", "x", ())]))) == 1


def test_unknown_ids_join_nobody() -> None:
    assert len(set(components([Identity("", "", ())] * 3))) == 3


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), st.integers(0, 5))
def test_a_split_never_tears_a_component(rows: list[int], seed: int) -> None:
    names = [f"c{row}" for row in rows]
    chosen = assign(names, seed=seed)
    assert set(chosen) == set(names) and set(chosen.values()) <= set(DEFAULT_FRACTIONS)
    assert len(set(chosen.values())) == min(3, len(set(names)))  # small sets have all splits that they can have
    assert chosen == assign(names[::-1], seed=seed)


def test_fractions_are_met_with_many_components() -> None:
    rng = np.random.default_rng(3)
    names = [f"c{index}" for index in range(300) for _ in range(int(rng.integers(1, 6)))]
    chosen = assign(names, {"train": 5, "validation": 2, "test": 3}, seed=1)
    share = {split: sum(chosen[name] == split for name in names) / len(names) for split in DEFAULT_FRACTIONS}
    assert share == pytest.approx(DEFAULT_FRACTIONS, abs=0.01)
    assert chosen != assign(names, {"train": 5, "validation": 2, "test": 3}, seed=2)


def test_few_components_serve_the_largest_shares() -> None:
    assert assign(["a"]) == {"a": "train"}
    assert set(assign(["a", "b"]).values()) == {"train", "test"}


@pytest.mark.parametrize("fractions", [{}, {"train": 0.0}, {"train": -1}, {"train": float("nan")}])
def test_senseless_fractions_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(SplitError, match="positive"):
        assign(["a"], fractions)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"face_id": "f"}, "face id, for example f"),
        ({"voice_id": "v"}, "voice id, for example v"),
        ({"source_ids": ("q", "s")}, "source id, for example s"),
        ({"component": "c"}, "component id, for example c"),
        ({"sha256": "00"}, "sha256 id, for example 00"),
    ],
)
def test_overlap_is_named(change: dict[str, object], named: str) -> None:
    apart = {"face_id": "F", "voice_id": "V", "source_ids": ("S",), "component": "C", "sha256": "11"}
    check_disjoint([clip()], [clip(**apart)])
    with pytest.raises(SplitError, match=f"my train and my test share 1 {named}"):
        check_disjoint([clip()], [clip(**{**apart, **change})], ("my train", "my test"))


def test_unknown_ids_are_no_overlap() -> None:
    unknown = {"face_id": "", "voice_id": "", "source_ids": ()}
    check_disjoint([clip(**unknown)], [clip(**unknown, component="C", sha256="11")])
