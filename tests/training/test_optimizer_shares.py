"""Several ranks share an expensive step out: each weight is moved, and its state kept, by one."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mtt.options.training import parse
from mtt.ranks import SerialRanks
from mtt.training.optimizers import Shares, make_optimizer
from mtt.training.optimizers.named.ours.soap import cost
from mtt.training.optimizers.shares import owners
from mtt.training.options.defaults import default_hypers

SHAPES = [(6, 4), (5,), (2, 3, 4), (6, 4), (1, 3), (8, 6), (3, 6, 4)]


def random(shape, seed):
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=dice, dtype=torch.float64)


class Weights(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(random(shape, 3)) for shape in SHAPES)


class OneOfTwo(SerialRanks):
    """The first of two ranks, alone."""

    size = 2


def made(name, ranks):
    """Weights and their optimizer on one rank."""
    model = Weights()
    options = parse({**default_hypers(), "optimizer": name, "weight_decay": 0.01})
    optimizer = make_optimizer(model, options)
    return SimpleNamespace(
        weights=list(model.weights), optimizer=optimizer, shares=Shares(optimizer, ranks)
    )


GRADIENTS = [[random(shape, seed) for shape in SHAPES] for seed in range(24)]


def moved(one, numbers):
    """Take steps by gradients that follow from their number; the fifth weight never has one."""
    for number in numbers:
        for i, (weight, gradient) in enumerate(zip(one.weights, GRADIENTS[number], strict=True)):
            weight.grad = None if i == 4 else gradient.clone()
        before = [weight.grad for weight in one.weights]
        one.shares.step(one.optimizer.step)
        assert all(w.grad is g for w, g in zip(one.weights, before, strict=True))
    return one


def assert_same(one, whole):
    """Weights and states, to rounding: products of other batches may round differently."""
    close, expected = {"rtol": 1e-12, "atol": 1e-14}, whole.shares.state_dict()
    torch.testing.assert_close(one.weights, whole.weights, **close)
    assert one.state["param_groups"] == expected["param_groups"]
    assert list(one.state["state"]) == list(expected["state"])
    torch.testing.assert_close(one.state["state"], expected["state"], **close)


@pytest.mark.parametrize("name", ["soap", "muon"])
@pytest.mark.parametrize("size", [2, 3])
def test_ranks_that_share_the_weights_out_move_them_as_one_rank_does(together, name, size):
    """Through a change of the bases, a save, and a restart on another number of ranks."""
    whole = moved(made(name, SerialRanks()), range(12))

    def work(ranks):
        one = moved(made(name, ranks), range(12))
        kept = {i for i, weight in enumerate(one.weights) if weight in one.optimizer.state}
        one.state = copy.deepcopy(one.shares.state_dict())
        return one, kept

    several, kept = zip(*together(size, work), strict=True)
    assert all(kept)
    assert sorted(i for own in kept for i in own) == [0, 1, 2, 3, 5, 6]
    for one in several:
        assert_same(one, whole)
        assert all(map(torch.equal, one.weights, several[0].weights))

    # what they have saved, one takes; what it saves, others take
    heir = made(name, SerialRanks())
    heir.shares.load_state_dict(several[0].state)
    saved = copy.deepcopy(heir.shares.state_dict())
    moved(whole, range(12, 24))

    def resume(ranks):
        one = made(name, ranks)
        for weight, trained in zip(one.weights, several[0].weights, strict=True):
            weight.data.copy_(trained.detach())
        one.shares.load_state_dict(saved)
        assert len(one.optimizer.state) < len(saved["state"])
        moved(one, range(12, 24))
        one.state = one.shares.state_dict()
        return one

    for one in together(5 - size, resume):
        assert_same(one, whole)


@pytest.mark.parametrize("size", [2, 3, 50])
def test_parts_cost_about_the_same_and_weights_of_a_shape_are_neighbours(size):
    optimizer = made("soap", SerialRanks()).optimizer
    found = owners(optimizer, size)
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    costs = [cost(weight, optimizer.param_groups[0]) for weight in weights]
    loads = [
        sum(c for c, owner in zip(costs, found, strict=True) if owner == i) for i in range(size)
    ]
    assert sum(loads) == pytest.approx(sum(costs))
    assert max(loads) < sum(costs) / size + max(costs)
    by_cost = sorted(zip([-one for one in costs], found, strict=True))
    assert [owner for _, owner in by_cost] == sorted(found)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "lbfgs"])
def test_cheap_steps_and_those_of_all_weights_together_are_taken_by_every_rank(name):
    options = parse({**default_hypers(), "optimizer": name})
    assert Shares(make_optimizer(Weights(), options), OneOfTwo()).owners == []
