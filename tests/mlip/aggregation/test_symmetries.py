"""Declared symmetries of tensors hold in predictions of any architecture."""

from __future__ import annotations

from typing import Any

import ase.build
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.mlip.aggregation.readout import constrained
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.testing import graph_of

SMALL: dict[str, Any] = {
    **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4),
    **dict.fromkeys(("num_heads", "num_gnn_layers", "num_attention_layers"), 1),
    "cutoff": 3.0,
}
KIND = 'cartesian {"rank": 2, "symmetric": true, "traceless": true}'


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_unconstrained_network_predicts_symmetric_tensors_without_trace(
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(3)
    folder = find("pet").load()
    targets = {"mtt::q": TargetInfo(kind=KIND), "mtt::t": TargetInfo(kind='cartesian {"rank": 2}')}
    hypers = deep_merge(folder.default_hypers["model"], SMALL)
    model = folder.model(hypers, DatasetInfo("angstrom", (1, 8), targets)).to(dtype).eval()
    found = model.predict_targets(graph_of(model, [ase.build.molecule("H2O")]))
    q, t = found["mtt::q"].values[0, :, :, 0], found["mtt::t"].values[0, :, :, 0]
    assert torch.equal(q, q.T)
    assert float(q.trace().abs()) < 1e-14 * float(q.abs().max())
    assert float((t - t.T).abs().max()) > 1e-3


def test_tensors_that_have_the_symmetry_stay_as_they_are_bit_for_bit() -> None:
    tensors = torch.randn(5, 3, 3, 2, generator=torch.Generator().manual_seed(0))
    symmetric = tensors + tensors.transpose(1, 2)
    assert torch.equal(constrained(symmetric, True, False), symmetric)
    assert constrained(tensors, False, False) is tensors
