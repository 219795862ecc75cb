"""Averaged weights through a whole training: they are judged, kept and exported."""

from dataclasses import replace

import pytest
import torch

from mtt.checkpoint import read
from mtt.errors import ConfigError
from mtt.training.averaging.named.ema import EMA

TRAINED = ("network.0.weight", "network.0.bias", "network.3.weight", "network.3.bias")


@pytest.fixture
def validate(make_batch, validation):
    """The loss of the platform's defaults on the validation set, written out."""

    def loss_of(model):
        batch = make_batch(validation, model)
        predicted = model.eval().predict_targets(batch.graph)["energy"]
        labels, scale = batch.targets["energy"], model.scales["energy"]
        energies = (predicted.values - labels.values)[:, 0] / batch.n_atoms / scale
        forces = (predicted.forces - labels.forces) / scale
        return (energies.square().mean() + forces.square().mean()).item()

    return loss_of


def copied(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def recorder(trainer, steps, bests=None):
    """A listener that takes down the raw weights of every step, and the best ones."""

    def listener(category, values, epoch):
        if category == "progress":
            steps.append(copied(trainer._fit.model))
        if category == "best" and bests is not None:
            bests[epoch] = (values["value"], dict(trainer.best))

    return listener


@pytest.mark.parametrize("combination", ["sum", "config"])
def test_ema_takes_in_every_optimizer_step_once(make_model, make_trainer, train, last, combination):
    """The recurrence, on the raw weights after each step; also with one backward per term."""
    steps, model = [], make_model().double()
    start = copied(model)
    trainer = make_trainer(
        num_epochs=2, ema={"decay": 0.8}, gradient_combination=combination, batch_size=4
    )
    trainer.run = replace(trainer.run, listeners=[recorder(trainer, steps)])
    train(trainer, model)
    state = last()["trainer_state"]
    assert state["parts"]["average"]["n"] == state["step"] == len(steps) == 8
    for name, expected in start.items():
        for n, weights in enumerate(steps, start=1):
            decay = min(0.8, (1 + n) / (10 + n))
            expected = decay * expected + (1 - decay) * weights[name]
        found = state["parts"]["average"]["weights"][name]
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("k", [2, 4])
def test_ema_counts_optimizer_steps_and_not_batches(make_model, make_trainer, train, last, k):
    train(make_trainer(num_epochs=3, batch_size=3, gradient_accumulation=k, ema=True), make_model())
    state = last()["trainer_state"]
    assert state["parts"]["average"]["n"] == state["step"] == 3 * -(-6 // k)


def test_averaged_weights_are_those_validated_kept_as_best_and_exported(
    assert_equal, make_model, make_trainer, train, last, validate, tmp_path
):
    trainer = make_trainer(num_epochs=4, ema={"decay": 0.9})
    model = train(trainer, make_model())
    checkpoint = last()
    assert checkpoint["best_epoch"] == 4
    average = checkpoint["trainer_state"]["parts"]["average"]["weights"]
    best = checkpoint["best_model_state_dict"]
    assert_equal({name: best[name] for name in TRAINED}, {n: average[n] for n in TRAINED})
    exported = type(model).load_checkpoint(checkpoint, "export")
    assert_equal(dict(exported.state_dict()), dict(best))
    assert validate(exported) == pytest.approx(checkpoint["best_metric"], rel=1e-12)
    raw = type(model).load_checkpoint(checkpoint, "restart")
    assert validate(raw) != pytest.approx(checkpoint["best_metric"], rel=1e-6)


def test_every_checkpoint_holds_the_raw_weights_as_the_models_own(
    make_model, make_trainer, train, tmp_path
):
    """last, epoch_N and best alike: the average is beside them."""
    steps, trainer = [], make_trainer(num_epochs=4, ema={"decay": 0.9}, checkpoint_interval=1)
    trainer.run = replace(trainer.run, listeners=[recorder(trainer, steps)])
    train(trainer, make_model())
    found = {path.name: read(path) for path in (tmp_path / "checkpoints").iterdir()}
    assert set(found) >= {"last.ckpt", "best.ckpt", "epoch_1.ckpt", "epoch_3.ckpt"}
    for checkpoint in found.values():
        expected = steps[6 * checkpoint["epoch"] - 1]
        for name in TRAINED:
            assert torch.equal(checkpoint["model_state_dict"][name], expected[name])
            assert not torch.equal(
                checkpoint["trainer_state"]["parts"]["average"]["weights"][name], expected[name]
            )


@pytest.mark.parametrize("optimizer", [None, "schedulefree_adamw"])
def test_nothing_is_left_swapped_where_the_validation_raises(
    make_model, make_trainer, train, optimizer
):
    class Broken(RuntimeError):
        pass

    steps, model = [], make_model()
    validations = iter(range(100))

    def fail(module, inputs):
        if not module.training and next(validations) == 3:
            raise Broken

    model.network.register_forward_pre_hook(fail)
    trainer = make_trainer(ema=optimizer is None, optimizer=optimizer)
    trainer.run = replace(trainer.run, listeners=[recorder(trainer, steps)])
    with pytest.raises(Broken):
        train(trainer, model)
    assert len(steps) == 2 * 6
    assert all(torch.equal(steps[-1][name], p) for name, p in model.named_parameters())


def test_validating_more_often_changes_no_weight(make_model, make_trainer, train, validation):
    """Validation swaps nothing, and draws no random number: dropout stays in step."""
    runs = []
    for more in (False, True):
        trainer = make_trainer(num_epochs=2, ema=True)

        def listener(category, values, epoch, trainer=trainer, more=more):
            if more and category == "progress":
                fit = trainer._fit
                fit.validation.run(fit.stage.evaluated, lambda: None)
                fit.model.train()

        trainer.run = replace(trainer.run, listeners=[listener])
        runs.append(train(trainer, make_model(dropout=0.2)))
    for one, two in zip(*(model.parameters() for model in runs), strict=True):
        assert torch.equal(one, two)


# ------------------------------------------------------------------ schedule-free


@pytest.mark.parametrize("name", ["schedulefree_adamw", "schedulefree_sgd"])
def test_the_best_weights_of_a_schedule_free_run_are_its_averages(
    make_model, make_trainer, train, last, validate, name
):
    rate = {"schedulefree_adamw": 0.01, "schedulefree_sgd": 0.1}[name]
    trainer = make_trainer(num_epochs=3, optimizer=name, learning_rate=rate)
    model = train(trainer, make_model())
    checkpoint = last()
    assert checkpoint["best_epoch"] == 3
    raw = copied(model)
    stage = trainer._fit.stage
    # the optimizer's own switch, on the live weights
    stage.step.optimizer.eval()
    best = checkpoint["best_model_state_dict"]
    for key, value in model.named_parameters():
        torch.testing.assert_close(value.detach(), best[key], rtol=1e-12, atol=1e-14)
        assert not torch.equal(raw[key], best[key])
        assert torch.equal(checkpoint["model_state_dict"][key], raw[key])
    exported = type(model).load_checkpoint(checkpoint, "export")
    assert validate(exported) == pytest.approx(checkpoint["best_metric"], rel=1e-12)


def test_schedule_free_sgd_follows_its_recurrence(make_model, make_trainer, train, last):
    """y = (1 - β) z + β x; z ← z - γ g(y); x ← (1 - 1/t) x + z/t, with a constant γ."""
    gradients = []
    trainer = make_trainer(
        num_epochs=3,
        batch_size=16,
        optimizer={"name": "schedulefree_sgd", "momentum": 0.9},
        learning_rate=0.05,
        warmup_fraction=0.0,
        grad_clip_norm=None,
    )

    def listener(category, values, epoch):
        if category == "progress":
            gradients.append({n: p.grad.clone() for n, p in trainer._fit.model.named_parameters()})

    trainer.run = replace(trainer.run, listeners=[listener])
    model = make_model().double()
    start = copied(model)
    train(trainer, model)
    checkpoint = last()
    assert checkpoint["best_epoch"] == 3
    for name, z in start.items():
        x = z
        for t, found in enumerate(gradients, start=1):
            z = z - 0.05 * found[name]
            x = (1 - 1 / t) * x + z / t
        y = 0.1 * z + 0.9 * x
        best = checkpoint["best_model_state_dict"][name]
        torch.testing.assert_close(best, x, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(checkpoint["model_state_dict"][name], y, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["schedulefree_adamw", "schedulefree_sgd"])
def test_the_live_weights_of_a_schedule_free_run_come_back_bit_for_bit(
    make_model, make_trainer, train, name
):
    trainer = make_trainer(num_epochs=1, optimizer=name)
    model = train(trainer, make_model())
    before = copied(model)
    averaged = copied(trainer._fit.stage.evaluated)
    for _ in range(5):
        again = copied(trainer._fit.stage.evaluated)
        assert all(torch.equal(averaged[key], again[key]) for key in averaged)
    assert all(torch.equal(before[key], value) for key, value in model.named_parameters())
    groups = trainer._fit.stage.step.optimizer.param_groups
    assert [id(p) for group in groups for p in group["params"]] == [
        id(p) for p in model.parameters()
    ]


def test_a_stage_after_a_schedule_free_one_begins_with_its_averages(
    assert_equal, make_model, make_trainer, train, restart, tmp_path
):
    """Those that were validated last; also where a restart lies between the two."""
    first = {"num_epochs": 1, "optimizer": "schedulefree_adamw"}
    stages = [first, {"num_epochs": 1, "from": "last", "optimizer": "sgd"}]
    begun = []

    def look(module, inputs):
        if module.training:
            begun.append(module[0].weight.detach().clone())

    folder, model = tmp_path / "straight", make_model()
    model.network.register_forward_pre_hook(look)
    straight = train(make_trainer(stages=stages), model, checkpoints=folder)
    folder = tmp_path / "stopped"
    train(make_trainer(stages=[first]), make_model(), checkpoints=folder)
    checkpoint = read(folder / "last.ckpt")
    average = checkpoint["best_model_state_dict"]["network.0.weight"]
    assert torch.equal(begun[6], average)
    assert not torch.equal(checkpoint["model_state_dict"]["network.0.weight"], average)
    model, trainer = restart(folder / "last.ckpt", make_trainer(stages=stages))
    assert_equal(
        dict(train(trainer, model, checkpoints=folder).state_dict()), dict(straight.state_dict())
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (False, True, "ema is on since this restart: the average begins with these weights"),
        (True, False, "ema is off since this restart: the average is dropped, and the weights"),
        (True, True, ""),
        (False, False, ""),
    ],
)
def test_ema_that_comes_or_goes_at_a_restart_is_announced(
    make_model, make_trainer, train, restart, last, tmp_path, caplog, before, after, message
):
    train(make_trainer(num_epochs=1, ema=before), make_model())
    again = make_trainer(num_epochs=2, ema=after)
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", again)
    caplog.clear()
    train(trainer, model)
    told = [text for text in caplog.messages if text.startswith("ema is")]
    assert len(told) == bool(message)
    assert message in "".join(told)
    parts = last()["trainer_state"]["parts"]
    assert ("average" in parts) is after
    if after:
        assert parts["average"]["n"] == (12 if before else 6)


def test_a_schedule_free_optimizer_with_ema_is_refused(make_model, make_trainer, check):
    trainer = make_trainer(optimizer="schedulefree_adamw", ema=True)
    with pytest.raises(ConfigError, match=r"training.ema: .*averages the weights itself"):
        check(trainer, make_model())


def test_two_averages_of_one_model_share_nothing(make_model):
    model = make_model()
    one, two = EMA(model, 0.9), EMA(model, 0.9)
    storages = [p.data_ptr() for each in (model, one.model, two.model) for p in each.parameters()]
    assert len(set(storages)) == len(storages)
