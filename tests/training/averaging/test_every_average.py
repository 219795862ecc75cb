"""Every average that is found, by its recurrence, from what the options ask for."""

import pytest
import torch

from mtt.discovery import AVERAGES
from mtt.errors import ConfigError, TrainingError
from mtt.options.training import parse
from mtt.training.averaging.make import make_average
from mtt.training.optimizers import make_optimizer

PATH = [5.0, -1.0, 0.25, 3.0]
"""Weights of a training after each optimizer step; it begins with 0."""


def ema(weights, average, n):
    decay = min(0.4, (1 + n) / (10 + n))
    return decay * average + (1 - decay) * weights


def schedule_free(weights, average, n):
    return average + (weights - average) / n  # of equal learning rates: the mean


CASES = {
    "ema": ({"optimizer": "sgd", "ema": {"name": "ema", "decay": 0.4}}, ema),
    "schedule_free": ({"optimizer": "schedulefree_sgd"}, schedule_free),
}
"""Options, and the average after step n, by the weights and the average before."""


def started(**hypers):
    layer = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.zeros_(layer.weight)
    options = parse({"learning_rate": 1.0, **hypers})
    optimizer = make_optimizer(layer, options)
    return layer, optimizer, make_average(layer, optimizer, options.ema)


@pytest.mark.parametrize("name", AVERAGES.names())
def test_every_average_follows_its_recurrence(name):
    hypers, recurrence = CASES[name]
    layer, optimizer, average = started(**hypers)
    expected, weights = 0.0, 0.0
    for n, place in enumerate(PATH, start=1):
        # the gradient with which plain gradient descent goes there
        layer.weight.grad = torch.full_like(layer.weight, weights - place)
        optimizer.step()
        average.update()
        weights = place
        expected = recurrence(weights, expected, n)
        assert average.model.weight.item() == pytest.approx(expected, rel=1e-12)
    # a separate model: what is trained does not become the average by being looked at
    assert average.model is not layer


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "emma"}, r"training.ema: unknown average 'emma'; did you mean 'ema'\?"),
        (
            {"name": "ema", "dekay": 0.9},
            r"training.ema.dekay: unknown option; did you mean 'decay'",
        ),
        ({"name": "ema", "decay": 1.0}, "ema.decay: expected a number from 0 to below 1, not 1.0"),
        ({"name": "schedule_free"}, "schedule_free belongs to optimizers that average"),
    ],
)
def test_what_makes_no_average_is_refused(asked, message):
    with pytest.raises(ConfigError, match=message):
        started(optimizer="sgd", ema=asked)


def test_no_average_is_made_unless_it_is_asked_for():
    assert started(optimizer="sgd")[2] is None


def test_the_state_of_another_kind_is_refused():
    average = started(optimizer="sgd", ema=True)[2]
    with pytest.raises(TrainingError, match="the checkpoint is of another kind; restart with the"):
        average.load_state_dict({"sum": 1.0})
