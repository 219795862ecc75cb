"""A network is evaluated as the caller asks for; the model keeps no mode."""

import pytest
import torch

from mtt.mlip.networks import NetworkValues, PlainNetwork


@pytest.fixture
def single(model, ethanol, crystal, make_graph):
    """The model without a baseline in float32, and a graph for it."""
    model = model.to(torch.float32)
    model.composition.values.zero_()
    return model, make_graph([ethanol, crystal], (1, 6, 8), 3.5, torch.float32)


def test_predictions_are_those_of_the_network_that_is_passed(single):
    model, graph = single
    alone = model.predict_targets(graph)["energy"]

    def doubled(within):
        found = PlainNetwork(model)(within)
        return NetworkValues({name: 2 * value for name, value in found.values.items()}, {})

    twice = model.predict_targets(graph, network=doubled)["energy"]
    for one, two in zip(alone, twice, strict=True):
        torch.testing.assert_close(two, 2 * one)
    for one, two in zip(alone, model.predict_targets(graph)["energy"], strict=True):
        assert torch.equal(one, two)


def test_mixed_precision_rounds_products_and_not_sums_over_atoms(single):
    model, graph = single
    exact = model.predict_targets(graph)["energy"]
    rounded = model.predict_targets(graph, network=PlainNetwork(model, torch.bfloat16))["energy"]
    assert [value.dtype for value in rounded] == [torch.float64, torch.float32, torch.float32]
    for one, two in zip(rounded, exact, strict=True):
        assert 0 < (one - two).norm() < 0.05 * two.norm()


def test_a_plain_network_ignores_the_autocast_around_it(single):
    model, graph = single
    exact = PlainNetwork(model)(graph).values["energy"]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(PlainNetwork(model)(graph).values["energy"], exact)
        assert torch.is_autocast_enabled("cpu")
