"""Sums with weights over the atoms of structures, as engines compile them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtt.mlip.aggregation.pool import of_atoms, pooled, with_logits
from mtt.mlip.physics import without_atoms

SYSTEM = torch.tensor([0, 0, 0, 2, 2])  # the second of three structures has no atoms


def pool(atomic: Tensor, pooling: str) -> Tensor:
    scripted = torch.jit.script(pooled)(atomic, SYSTEM, 3, pooling)
    assert torch.equal(scripted, pooled(atomic, SYSTEM, 3, pooling))
    return scripted


@pytest.mark.parametrize("pooling", ["sum", "mean", "max", "learned"])
def test_structures_without_atoms_are_zero(pooling: str) -> None:
    atomic = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = pool(atomic, pooling)
    assert values.shape == (3, 3 - (pooling == "learned"))
    assert not values[1].any()
    assert values[0].all()
    assert of_atoms(atomic, pooling).shape == (5, values.shape[1])
    nothing = without_atoms({"x": [3]}, atomic)["x"]
    assert not pooled(nothing, SYSTEM[:0], 2, pooling).any()


def test_largest_values_share_a_gradient_and_others_have_none() -> None:
    atomic = torch.tensor([[1.0, 5.0], [3.0, 2.0], [3.0, -1.0], [-7.0, 0.0], [-8.0, 0.0]])
    atomic.requires_grad_(True)
    values = pool(atomic, "max")
    assert values.tolist() == [[3.0, 5.0], [0.0, 0.0], [-7.0, 0.0]]
    (slopes,) = torch.autograd.grad(values.sum(), atomic)
    assert slopes.tolist() == [[0.0, 1.0], [0.5, 0.0], [0.5, 0.0], [1.0, 0.5], [0.0, 0.5]]


def test_learned_weights_are_a_softmax_without_overflow() -> None:
    values = torch.tensor([[1.0], [2.0], [4.0], [3.0], [5.0]], dtype=torch.float64)
    logits = torch.tensor([[900.0], [900.0], [-900.0], [0.0], [1.0]])
    (atomic,) = with_logits({"x": values}, {"x": logits}).values()
    found = pool(atomic.requires_grad_(True), "learned")
    last = (3.0 + 5.0 * torch.e) / (1.0 + torch.e)
    torch.testing.assert_close(found[:, 0].tolist(), [1.5, 0.0, last])
    assert torch.autograd.gradcheck(lambda x: pooled(x, SYSTEM, 3, "learned"), atomic * 1e-3)
