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


class Weights(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        weights = [nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in SHAPES]
        self.weights = nn.ParameterList(weights)


class InTurn(SerialRanks):
    """One of several ranks that are asked one after the other.

    :param said: what each of them has said last; shared by all.
    """

    def __init__(self, rank, size, said):
        self.rank, self.size, self.said = rank, size, said

    def gather(self, value):
        self.said[self.rank] = value
        return [one for one in self.said if one is not None]

    def share_owned(self, tensors, owners):
        self.said[self.rank] = tensors, owners


class Together:
    """Ranks that take steps together, and one alone that does the same."""

    def __init__(self, name, size):
        said = [None] * size
        self.each = [made(name, InTurn(rank, size, said)) for rank in range(size)]
        self.said = said

    def step(self, number):
        self.said[:] = [None] * len(self.said)
        for one in self.each:
            moved(one, number)
        for rank, (tensors, of) in enumerate(self.said):
            for i, owner in enumerate(of):
                if owner != rank:
                    tensors[i].data.copy_(self.said[owner][0][i].data)

    def states(self):
        self.said[:] = [None] * len(self.said)
        for one in self.each:  # all have said their part after it
            one.shares.state_dict()
        return [one.shares.state_dict() for one in self.each]


def made(name, ranks):
    """Weights and their optimizer on one rank."""
    model = Weights()
    options = parse({**default_hypers(), "optimizer": name, "weight_decay": 0.01})
    optimizer = make_optimizer(model, options)
    return SimpleNamespace(
        weights=list(model.weights), optimizer=optimizer, shares=Shares(optimizer, ranks)
    )


def moved(one, number):
    """Take a step by gradients that follow from its number; the fifth weight never has one."""
    torch.manual_seed(number)
    for i, weight in enumerate(one.weights):
        gradient = torch.randn_like(weight)
        weight.grad = None if i == 4 else gradient
    before = [weight.grad for weight in one.weights]
    one.shares.step(one.optimizer.step)
    assert all(w.grad is g for w, g in zip(one.weights, before, strict=True))


def assert_same(several, whole):
    """Weights and states, to rounding: products of other batches may round differently."""
    close, expected = {"rtol": 1e-12, "atol": 1e-14}, whole.shares.state_dict()
    for one, state in zip(several.each, several.states(), strict=True):
        torch.testing.assert_close(one.weights, whole.weights, **close)
        assert all(map(torch.equal, one.weights, several.each[0].weights))
        assert state["param_groups"] == expected["param_groups"]
        assert list(state["state"]) == list(expected["state"])
        torch.testing.assert_close(state["state"], expected["state"], **close)


@pytest.mark.parametrize("name", ["soap", "muon"])
@pytest.mark.parametrize("size", [2, 3])
def test_ranks_that_share_the_weights_out_move_them_as_one_rank_does(name, size):
    """Through a change of the bases, a save, and a restart on another number of ranks."""
    whole, several = made(name, SerialRanks()), Together(name, size)
    for number in range(12):
        several.step(number)
        moved(whole, number)
    assert_same(several, whole)
    kept = [
        {i for i, w in enumerate(one.weights) if w in one.optimizer.state} for one in several.each
    ]
    assert all(kept)
    assert sorted(i for own in kept for i in own) == [0, 1, 2, 3, 5, 6]

    # what they have saved, one takes; what it saves, others take
    heir, others = made(name, SerialRanks()), Together(name, 5 - size)
    heir.shares.load_state_dict(several.states()[0])
    saved = copy.deepcopy(heir.shares.state_dict())
    for one in others.each:
        for weight, trained in zip(one.weights, several.each[0].weights, strict=True):
            weight.data.copy_(trained.detach())
        one.shares.load_state_dict(saved)
        assert len(one.optimizer.state) < len(saved["state"])
    for number in range(12, 24):
        others.step(number)
        moved(whole, number)
    assert_same(others, whole)


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
    assert Shares(make_optimizer(Weights(), options), InTurn(0, 2, [])).owners == []
