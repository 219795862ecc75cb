"""Layers with weights for every element against a loop over atoms."""

import pytest
import torch

from mtt.nn import SpeciesLinear, SpeciesNormLinear, sort_by_species

TYPES = torch.tensor([2, 0, 2, 3, 0, 0])


def test_order_groups_types_and_keeps_atoms_in_order():
    order = sort_by_species(TYPES, 4)
    assert order.counts == [3, 0, 2, 1]
    assert order.row_of_atom.tolist() == [3, 0, 4, 5, 1, 2]


def test_linear_multiplies_each_atom_by_the_weights_of_its_type():
    torch.manual_seed(0)
    layer, order = SpeciesLinear(4, 5, 3), sort_by_species(TYPES, 4)
    x = torch.randn(6, 5)
    sorted_x = torch.empty_like(x)
    sorted_x[order.row_of_atom] = x
    ours = layer(sorted_x, order.counts)[order.row_of_atom]
    expected = torch.stack([layer.weight[t] @ row for t, row in zip(TYPES, x, strict=True)])
    torch.testing.assert_close(ours, expected)


def test_weights_start_as_those_of_torch_do():
    torch.manual_seed(0)
    weight = SpeciesLinear(3, 100, 200).weight.detach()
    assert float(weight.abs().max()) <= 0.1
    assert float(weight.std()) == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_normalised_layer_is_layer_norm_and_linear():
    torch.manual_seed(0)
    layer = SpeciesNormLinear(4, 7, 3).double()
    torch.nn.init.normal_(layer.gain)
    torch.nn.init.normal_(layer.shift)
    x = torch.randn(6, 7, dtype=torch.float64)
    ours = layer(x, [3, 0, 2, 1])
    for row, t in enumerate([0, 0, 0, 2, 2, 3]):
        normed = torch.nn.functional.layer_norm(x[row], (7,), layer.gain[t], layer.shift[t])
        torch.testing.assert_close(ours[row], layer.linear.weight[t] @ normed)


def test_normalised_layer_is_finite_where_there_is_nothing_to_normalise():
    layer = SpeciesNormLinear(1, 4, 2)
    x = torch.stack([torch.zeros(4), torch.full((4,), 1e4)]).requires_grad_(True)
    y = layer(x, [2])
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert bool(torch.isfinite(y).all() and torch.isfinite(gradient).all())


def test_both_layers_are_differentiable_twice():
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    for layer in (SpeciesLinear(2, 4, 2).double(), SpeciesNormLinear(2, 4, 2).double()):
        assert torch.autograd.gradcheck(lambda v, f=layer: f(v, [2, 1]), x)
        assert torch.autograd.gradgradcheck(lambda v, f=layer: f(v, [2, 1]), x)


def test_torchscript_gives_the_same():
    layer = SpeciesNormLinear(2, 4, 2)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.jit.script(layer)(x, [0, 3]), layer(x, [0, 3]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_layer_normalises_over_the_features_that_are_named(dtype):
    torch.manual_seed(0)
    layer = SpeciesNormLinear(2, 6, 3)
    counted = torch.tensor([[True, False, True, True, False, True], [True] * 6])
    layer.normalise_over(counted)
    layer.to(dtype)
    with torch.no_grad():
        layer.gain.uniform_(0.5, 2.0)
        layer.shift.normal_()
    x = torch.randn(5, 6, dtype=dtype)
    for row, t in enumerate([0, 0, 1, 1, 1]):
        seen = x[row, counted[t]]
        scaled = (x[row] - seen.mean()) / torch.sqrt(seen.var(correction=0) + 1e-5)
        wanted = layer.linear.weight[t] @ (layer.gain[t] * scaled + layer.shift[t])
        torch.testing.assert_close(layer(x, [2, 3])[row], wanted)
    assert "normalised over 4, 6 of 6" in repr(layer)
    assert list(layer.state_dict()) == ["gain", "shift", "linear.weight"]
