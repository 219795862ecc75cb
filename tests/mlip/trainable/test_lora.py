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


class InBlocks(torch.nn.Module):
    """Two matrices [in, out] in one list of numbers, as in equivariant layers."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(3 * 4 + 2 * 1, dtype=torch.float64))
        self.weight_blocks = [(3, 4), (2, 1)]


def test_a_row_of_matrices_gets_a_correction_for_each():
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"first": InBlocks()})
    assert linear_layers(model) == ["first"]
    before = model["first"].weight.detach().clone()
    added = add_adapters(model, ["first"], rank=2, alpha=3.0)
    assert torch.equal(model["first"].weight, before)
    assert [tuple(one.shape) for one in added] == [(3, 2), (2, 1), (2, 4), (1, 1)]
    with torch.no_grad():
        for one in added[2:]:
            one.add_(1.0)
    products = [1.5 * added[0] @ added[2], 1.5 * added[1] @ added[3]]
    wanted = before + torch.cat([one.detach().flatten() for one in products])
    torch.testing.assert_close(model["first"].weight.detach(), wanted)
    merge_adapters(model)
    assert list(model.state_dict()) == ["first.weight"]
    torch.testing.assert_close(model["first"].weight.detach(), wanted)


def test_blocks_are_those_of_the_whole_weight():
    layer = InBlocks()
    layer.weight_blocks = [(3, 4)]
    with pytest.raises(AssertionError, match="are not all of"):
        add_adapters(torch.nn.ModuleDict({"first": layer}), ["first"], rank=2, alpha=3.0)
