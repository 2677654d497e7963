"""Loss terms against the written formula and a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detectors.mds.losses import contrastive, embedding_distance, head_loss, rms_over_frames

distances = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 1)), min_size=1, max_size=12)


@given(distances, st.floats(0.1, 2))
def test_contrastive_is_the_papers_sum(rows: list[tuple[float, int]], margin: float) -> None:
    total = 0.0
    for d, fake in rows:
        y = 1 - fake  # the paper's label: 1 = real
        total += y * d**2 + (1 - y) * max(margin - d, 0) ** 2
    d = torch.tensor([row[0] for row in rows], dtype=torch.float64)
    fake = torch.tensor([row[1] for row in rows])
    assert contrastive(d, fake, margin).item() == pytest.approx(total / len(rows), abs=1e-9)


def test_contrastive_pulls_reals_and_pushes_only_near_fakes() -> None:
    d = torch.tensor([0.5, 0.5, 1.5], requires_grad=True)
    contrastive(d, torch.tensor([0, 1, 1]), 0.99).backward()
    assert d.grad is not None
    assert d.grad[0] > 0 > d.grad[1]
    assert d.grad[2] == 0


def test_embedding_distance_with_and_without_unit_length() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)), rng.normal(size=(5, 7))
    plain = embedding_distance(torch.tensor(a), torch.tensor(b), normalise=False)
    np.testing.assert_allclose(plain, np.linalg.norm(a - b, axis=1), rtol=1e-9)
    unit = embedding_distance(torch.tensor(a), torch.tensor(b), normalise=True)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(unit, np.sqrt(2 - 2 * cosine), rtol=1e-6)


def test_distance_of_equal_embeddings_has_a_finite_gradient() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    embedding_distance(x, torch.ones(2, 3), normalise=False).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_rms_sees_streams_that_agree_on_average_only() -> None:
    t = torch.arange(100) / 100 * 2 * torch.pi
    lip = torch.stack([torch.cos(t), torch.sin(t)], 1)
    late = torch.roll(lip, 50, 0)
    assert (lip.mean(0) - late.mean(0)).norm() < 1e-6
    assert rms_over_frames((lip - late).square().sum(1)).item() == pytest.approx(2.0, rel=1e-5)


def test_unknown_labels_do_not_count() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.3, 0.1], [5.0, 5.0]], requires_grad=True)
    loss = head_loss(logits, torch.tensor([1, 0, -1]))
    wanted = np.mean([np.log(1 + np.exp(3.0)), np.log(1 + np.exp(-0.2))])
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[2].any()
    assert head_loss(logits, torch.tensor([-1, -1, -1])).item() == 0
