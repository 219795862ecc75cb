"""A prior that is fitted before the first epoch of a training."""

import numpy as np
import pytest
import torch

from mtt.checkpoint import read
from mtt.training import TrainingInterrupted

PRIOR = {"repulsion": {"sigma": 1.2, "epsilon": 0.3, "cutoff": 4.0, "power": 4}}
PREFIT = {"prefit": {"parameters": ["prior.*"], "max_steps": 20}}


@pytest.fixture
def make_prior_model(make_model):
    return lambda **more: make_model(prior={**PRIOR, **more}).double()


def prior_of(model):
    return {name: p.detach().clone() for name, p in model.named_parameters() if "prior" in name}


def first_prior(model):
    """Fills with the prior's values at the first training forward."""
    found = {}

    def look(module, inputs):
        if module.training and not found:
            found.update(prior_of(model))

    model.network.register_forward_pre_hook(look)
    return found


def test_a_prefit_comes_before_the_first_epoch_and_moves_the_prior_alone(
    make_prior_model, make_trainer, train, listen, last
):
    model = make_prior_model()
    before, network = prior_of(model), model.network[0].weight.detach().clone()
    assert before
    seen = {}

    def listener(category, values, epoch):
        if category == "run_start":
            seen["prior"] = prior_of(model)
            seen["network"] = model.network[0].weight.detach().clone()
            seen["modes"] = {p.grad is None for p in model.parameters()}

    train(listen(make_trainer(num_epochs=1, **PREFIT), listener), model)
    assert any(not torch.equal(before[name], value) for name, value in seen["prior"].items())
    assert torch.equal(seen["network"], network)
    assert seen["modes"] == {True}
    told = last()["provenance"]["prefit"]
    assert set(told["parameters"]) == set(before)
    assert 0 < told["steps"] <= 20
    assert told["loss_after"] < told["loss_before"]


def test_after_the_prefit_all_parameters_train(make_prior_model, make_trainer, train):
    model = make_prior_model()
    started = first_prior(model)
    train(make_trainer(num_epochs=2, **PREFIT), model)
    assert all(not torch.equal(started[name], value) for name, value in prior_of(model).items())


@pytest.mark.parametrize("ema", [False, True])
def test_a_prefit_is_done_once_and_not_again_after_a_restart(
    assert_equal, make_prior_model, make_trainer, train, listen, terminate, restart, tmp_path, ema
):
    options = {"num_epochs": 3, "ema": ema, **PREFIT}
    straight = train(make_trainer(**options), make_prior_model())
    folder = tmp_path / "stopped"
    for batch in (1, 4):  # stopped twice in its first epoch
        if batch == 1:
            trainer, model = make_trainer(**options), make_prior_model()
        with pytest.raises(TrainingInterrupted):
            train(listen(trainer, terminate(1, batch)), model, checkpoints=folder)
        stopped = prior_of(model)
        model, trainer = restart(folder / "last.ckpt", make_trainer(**options))
        loaded = prior_of(model)
        assert all(torch.equal(stopped[name], value) for name, value in loaded.items())
    started = first_prior(model)
    listen(trainer)
    train(trainer, model, checkpoints=folder)
    assert all(torch.equal(started[name], value) for name, value in loaded.items())
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    one, two = (read(path / "last.ckpt") for path in (tmp_path / "checkpoints", folder))
    assert one["provenance"]["prefit"] == two["provenance"]["prefit"]


def test_the_average_begins_with_the_fitted_prior(make_prior_model, make_trainer, train, listen):
    model, seen = make_prior_model(), []
    trainer = make_trainer(num_epochs=1, ema={"decay": 0.9}, **PREFIT)

    def listener(category, values, epoch):
        if category == "run_start":
            average = trainer._fit.stage.average.model
            seen.append(all(map(torch.equal, average.parameters(), model.parameters())))

    train(listen(trainer, listener), model)
    assert seen == [True]


@pytest.mark.parametrize("ema", [False, True])
def test_a_prior_that_is_not_trainable_never_moves(
    make_prior_model, make_trainer, train, last, caplog, ema
):
    model = make_prior_model(trainable=False)
    before = prior_of(model)
    train(make_trainer(num_epochs=3, weight_decay=0.1, ema=ema, **PREFIT), model)
    assert all(torch.equal(before[name], value) for name, value in prior_of(model).items())
    checkpoint = last()
    for weights in (checkpoint["model_state_dict"], checkpoint["best_model_state_dict"]):
        assert all(torch.equal(before[name], weights[name]) for name in before)
    held = checkpoint["trainer_state"]["parts"]["optimizer"]["param_groups"]
    assert not [n for group in held for n in group["param_names"] if n.startswith("prior")]
    assert checkpoint["provenance"]["prefit"]["parameters"] == []
    assert "prefit is left out" in caplog.text


def test_a_prefit_takes_the_weights_of_the_first_epoch_of_the_first_stage(
    make_prior_model, make_trainer, train, last
):
    """What it minimised is the loss of that epoch on the whole training set."""

    def loss(energy, forces):
        return {"energy": {"weight": energy, "gradients": {"positions": {"weight": forces}}}}

    found = []
    for weight in (1.0, 4.0):
        train(
            make_trainer(
                stages=[{"num_epochs": 1, "loss": loss({0: weight, 1: 9.0}, 0.0)}],
                loss=loss(0.0, 1.0),
                **PREFIT,
            ),
            make_prior_model(),
        )
        found.append(last()["provenance"]["prefit"])
    assert found[1]["loss_before"] == pytest.approx(4.0 * found[0]["loss_before"], rel=1e-12)
    assert np.isfinite(found[0]["gradient_norm"])
