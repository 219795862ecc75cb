"""Every optimizer learns, and goes on from its state as if it had never stopped."""

import io

import pytest
import torch

from mtt.discovery import OPTIMIZERS
from mtt.errors import TrainingError
from mtt.options.training import TrainingOptions, parse
from mtt.training.optimizers import (
    averages,
    make_optimizer,
    needs_closure,
    preset,
    restore_optimizer,
)
from mtt.training.optimizers.kind import OptimizerKind

RATES = {
    "lion": 1e-3,
    "sgd": 1e-3,
    "radam": 1e-3,
    "adabelief": 1e-3,
    "schedulefree_sgd": 1e-2,
    "lbfgs": 1.0,
    "prodigy": 1.0,
}
CHOICES = [
    *OPTIMIZERS.names(),
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
    {"name": "adabelief", "rectify": True, "ams_bound": True},
    {"name": "soap", "shampoo_beta": 0.9, "precondition_frequency": 2},
    {"name": "lbfgs", "max_iter": 3, "history_size": 4},
]

DECAYING = [name for name, how in OPTIMIZERS.facts("decay", "argument").items() if how]


def make(model, choice, **hypers):
    name = choice if isinstance(choice, str) else choice["name"]
    decay = {"weight_decay": 0.01 if OPTIMIZERS.load(name, OptimizerKind).decay else None}
    rate = {"learning_rate": RATES.get(name, 1e-2)}
    chosen = parse({"optimizer": choice, **decay, **rate, **hypers})
    return make_optimizer(model, preset(chosen))


def learn(model, made, batch, steps):
    """``steps`` updates; the loss before each."""
    labels = batch.targets["energy"].values
    losses = []

    def closure():
        made.zero_grad()
        predicted = model.predict_targets(batch.graph, create_graph=True)["energy"].values
        loss = (predicted - labels).square().mean()
        loss.backward()
        return loss

    for _ in range(steps):
        if needs_closure(made):
            losses.append(made.step(closure).item())
        else:
            losses.append(closure().item())
            made.step()
    return losses


def through_a_file(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.fixture
def started(make_model, make_batch, dataset):
    """A model with its baselines, in ``dtype``, and all of the data as one batch."""

    def start(dtype=torch.float64):
        model = make_model()
        model.fit_baselines(dataset, TrainingOptions())
        model.to(dtype)
        return model, make_batch(dataset, model)

    return start


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_optimizer_learns(choice, started):
    model, batch = started()
    made = make(model, choice)
    losses = learn(model, made, batch, 5 if needs_closure(made) else 40)
    assert losses[-1] < 0.9 * losses[0]
    if averages(made):
        raw = [p.detach().clone() for p in model.parameters()]
        made.eval()
        assert not all(map(torch.equal, raw, model.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_optimizer_resumes_bit_for_bit(choice, dtype, started, make_model, assert_equal):
    model, batch = started(dtype)
    made = make(model, choice)
    learn(model, made, batch, 5)
    stored = through_a_file({"model": model.state_dict(), "optimizer": made.state_dict()})

    other, _ = started(dtype)
    other.load_state_dict(stored["model"])
    again = make(other, choice)
    restore_optimizer(again, stored["optimizer"])
    assert_equal(again.state_dict(), made.state_dict())
    kept = through_a_file(stored["optimizer"])
    assert learn(model, made, batch, 5) == learn(other, again, batch, 5)
    assert_equal(dict(other.state_dict()), dict(model.state_dict()))
    assert_equal(again.state_dict(), made.state_dict())
    assert_equal(stored["optimizer"], kept)  # the loaded state is not worked on


@pytest.mark.parametrize(
    "choice", [n for n, d in OPTIMIZERS.facts("decay", "argument").items() if d]
)
def test_options_come_from_the_file_and_not_from_the_state(choice, started):
    model, batch = started()
    made = make(model, choice)
    learn(model, made, batch, 2)
    fresh = make(model, choice, weight_decay=0.123)
    decays = [(group.get("weight_decay"), group.get("l2")) for group in fresh.param_groups]
    restore_optimizer(fresh, made.state_dict())
    found = [(group.get("weight_decay"), group.get("l2")) for group in fresh.param_groups]
    assert found == decays
    assert 0.123 in decays[0]
    learn(model, fresh, batch, 1)


def stepped(model, **hypers):
    made = make_optimizer(model, parse(hypers))
    model(torch.ones(1, 2)).sum().backward()
    made.step()
    return made.state_dict()


def test_moments_find_their_parameters_in_other_groups():
    model = torch.nn.Linear(2, 1)
    state = stepped(model)
    fresh = make_optimizer(model, parse({"weight_decay": 0.3, "learning_rate": 0.5}))
    restore_optimizer(fresh, state)
    assert [group["weight_decay"] for group in fresh.param_groups] == [0.3, 0.0]
    assert fresh.param_groups[0]["decoupled_weight_decay"] is True
    torch.testing.assert_close(fresh.state[model.weight]["exp_avg"], torch.full((1, 2), 0.1))
    torch.testing.assert_close(fresh.state[model.bias]["exp_avg"], torch.full((1,), 0.1))


@pytest.mark.parametrize("other", [torch.nn.Linear(3, 1), torch.nn.Linear(2, 1, bias=False)])
def test_moments_of_other_parameters_are_refused(other):
    state = stepped(torch.nn.Linear(2, 1))
    with pytest.raises(TrainingError, match="belongs to other parameters"):
        restore_optimizer(make_optimizer(other, TrainingOptions()), state)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("sgd", "was 'adam', not 'sgd'"),
        ("amsgrad", "was 'adam', not 'amsgrad'"),
        ({"name": "adam", "amsgrad": True}, "had another amsgrad"),
    ],
)
def test_a_state_of_another_optimizer_is_refused(choice, message):
    model = torch.nn.Linear(2, 1)
    fresh = make_optimizer(model, parse({"optimizer": choice}))
    with pytest.raises(TrainingError, match=message):
        restore_optimizer(fresh, stepped(model))
