"""Low-rank corrections of linear layers."""

import copy

import numpy as np
import pytest
import torch

from mtt.mlip.trainable.lora import LowRank, add_adapters, linear_layers, merge_adapters
from mtt.nn import SpeciesLinear


@pytest.fixture
def layers():
    torch.manual_seed(0)
    return torch.nn.ModuleDict(
        {
            "plain": torch.nn.Linear(5, 3),
            "each": SpeciesLinear(2, 5, 1),
            "norm": torch.nn.LayerNorm(5),
        }
    ).double()


def moved(model):
    """Corrections as after training."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, LowRank):
                module.up.add_(torch.randn_like(module.up))
    return model


def test_linear_layers_are_those_with_matrices(layers):
    assert linear_layers(layers) == ["plain", "each"]


def test_the_weight_is_base_plus_alpha_over_rank_times_the_product(layers):
    base = {name: layers[name].weight.detach().numpy().copy() for name in ("plain", "each")}
    add_adapters(layers, ["plain", "each"], rank=2, alpha=6.0)
    moved(layers)
    for name, weight in base.items():
        (correction,) = layers[name].parametrizations["weight"].children()
        up, down = correction.up.detach().numpy(), correction.down.detach().numpy()
        assert down.shape[-2] == (2 if name == "plain" else 1), "no more than the matrix has"
        wanted = weight + 3.0 * np.einsum("...or,...ri->...oi", up, down)
        np.testing.assert_allclose(layers[name].weight.detach().numpy(), wanted, rtol=1e-14)


def test_corrections_begin_as_none_and_keep_the_parameter_object(layers):
    before = {
        name: (layers[name].weight, layers[name].weight.detach().clone())
        for name in ("plain", "each")
    }
    added = add_adapters(layers, ["plain", "each"], rank=4, alpha=8.0)
    for name, (parameter, values) in before.items():
        assert torch.equal(layers[name].weight, values)
        assert layers[name].parametrizations["weight"].original is parameter
        assert not parameter.requires_grad
    assert len(added) == 4
    assert all(parameter.requires_grad and parameter.dtype == torch.float64 for parameter in added)


def test_merged_weights_are_plain_again(layers):
    names = list(layers.state_dict())
    add_adapters(layers, ["plain", "each"], rank=2, alpha=2.0)
    moved(layers)
    merged = copy.deepcopy(layers)
    merge_adapters(merged)
    assert sorted(merged.state_dict()) == sorted(names)
    assert not any(isinstance(module, LowRank) for module in merged.modules())
    for name in ("plain", "each"):
        assert type(merged[name]) in (torch.nn.Linear, SpeciesLinear)
        assert torch.equal(merged[name].weight, layers[name].weight), "what it came from lives on"
    merge_adapters(merged)  # nothing left to do
