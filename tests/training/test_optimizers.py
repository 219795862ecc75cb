"""The optimizer that the options ask for, and its state after a restart."""

import pytest
import torch

from mtt.errors import ConfigError, TrainingError
from mtt.training import default_hypers
from mtt.training.optimizers import make_optimizer, restore_optimizer


def optimizer(model, **hypers):
    return make_optimizer(model, {**default_hypers(), **hypers})


@pytest.mark.parametrize(
    ("hypers", "kind", "decay"),
    [
        ({}, torch.optim.Adam, 0.0),
        ({"weight_decay": 0.1}, torch.optim.AdamW, 0.1),
        ({"optimizer": "adam", "weight_decay": 0.1}, torch.optim.Adam, 0.1),
        ({"optimizer": "adamw"}, torch.optim.AdamW, 0.0),
    ],
)
def test_weight_decay_makes_adam_adamw(hypers, kind, decay):
    made = optimizer(torch.nn.Linear(2, 1), **hypers)
    assert type(made) is kind
    assert made.param_groups[0]["weight_decay"] == decay
    assert made.param_groups[0]["lr"] == 1e-3


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ConfigError, match=r"unknown optimizer 'adamww'; did you mean 'adamw'\?"):
        optimizer(torch.nn.Linear(2, 1), optimizer="adamww")


def test_a_model_without_parameters_is_refused():
    with pytest.raises(TrainingError, match="Identity has no parameters to train"):
        optimizer(torch.nn.Identity())


def stepped(model):
    made = optimizer(model)
    model(torch.ones(1, 2)).sum().backward()
    made.step()
    return made.state_dict()


def test_moments_come_from_the_checkpoint_and_options_from_the_file():
    model = torch.nn.Linear(2, 1)
    state = stepped(model)
    fresh = optimizer(model, weight_decay=0.3, learning_rate=0.5)
    restore_optimizer(fresh, state)
    assert fresh.param_groups[0]["weight_decay"] == 0.3
    assert fresh.param_groups[0]["lr"] == 0.5
    for mine, theirs in zip(
        fresh.state_dict()["state"].values(), state["state"].values(), strict=True
    ):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("other", [torch.nn.Linear(3, 1), torch.nn.Linear(2, 1, bias=False)])
def test_moments_of_other_parameters_are_refused(other):
    state = stepped(torch.nn.Linear(2, 1))
    with pytest.raises(TrainingError, match="belongs to other parameters"):
        restore_optimizer(optimizer(other), state)
