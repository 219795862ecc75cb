"""L2 towards the weights of a source."""

import pytest
import torch

from mtt.data import Batching, Loader
from mtt.errors import TrainingError
from mtt.options.training import parse
from mtt.ranks import SerialRanks
from mtt.training.losses.anchor import Anchor, weights_of_source
from mtt.training.losses.from_options import make_loss
from mtt.training.losses.gradients import SummedGradient
from mtt.training.step import Step


@pytest.fixture
def moved(make_model):
    """A model, and the weights that it had before it was moved."""
    model = make_model().to(torch.float64)
    start = weights_of_source(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    return model, start


def differences(model, start):
    return {name: p.detach() - start[name] for name, p in model.named_parameters()}


def test_the_term_and_its_gradient_have_their_closed_form(moved):
    model, start = moved
    away = differences(model, start)
    anchor = Anchor(model, 0.3, start)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    anchor.pull()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, 1 + 2 * 0.3 * away[name])
    square = sum(float(one.square().sum()) for one in away.values())
    assert float(anchor.penalty()) == pytest.approx(0.3 * square)


def test_weights_without_a_gradient_get_none(moved):
    model, start = moved
    Anchor(model, 0.3, start).pull()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_frozen_and_new_weights_are_not_held(make_model):
    model = make_model()
    model.network[0].bias.requires_grad_(False)
    model.finetuning = {"fresh": ["network.3.weight"]}
    assert set(weights_of_source(model)) == {"network.0.weight", "network.3.bias"}


def test_a_weight_that_the_model_does_not_train_is_an_error(moved):
    model, start = moved
    with pytest.raises(TrainingError, match="holds lost, which are not trained"):
        Anchor(model, 0.1, {**start, "lost": torch.zeros(1)})


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "lbfgs", "soap", "muon"])
def test_it_composes_with_every_kind_of_optimizer(optimizer, make_trainer, train, make_model):
    """A strong anchor ends nearer to the start than none, whatever divides the gradient."""
    ends = []
    for given in (0.0, 10.0):
        model = make_model()
        finetune = {"read_from": "source.ckpt", "anchor": given}
        trainer = make_trainer(num_epochs=1, optimizer=optimizer, finetune=finetune)
        start = weights_of_source(model)
        train(trainer, model)
        assert bool(trainer._state.anchor) == bool(given)
        ends.append(sum(float(one.square().sum()) for one in differences(model, start).values()))
    assert 0 < ends[1] < ends[0]


def test_the_gradient_of_a_step_is_that_of_the_loss_and_of_the_anchor(moved, dataset):
    model, start = moved
    loss = make_loss(parse({}), model.dataset_info, {"energy": 1.0}, dataset)
    how = {"batching": Batching(structures=4), "dtype": torch.float64, "shuffle": False}
    (batch, *_) = Loader(dataset, (1, 6), cutoff=model.list_cutoff(), **how).epoch()
    parameters = [*model.parameters()]
    found = []
    for anchor in (None, Anchor(model, 0.2, start)):
        optimizer = torch.optim.SGD([{"params": parameters, "lr_factor": 1.0, "l2": 0.0}])
        given = (model, optimizer, SummedGradient(parameters), None)
        Step(*given, ranks=SerialRanks(), anchor=anchor)(loss, [batch], 0.0)
        found.append({name: p.grad.clone() for name, p in model.named_parameters()})
    for name, away in differences(model, start).items():
        torch.testing.assert_close(found[1][name], found[0][name] + 2 * 0.2 * away)
