"""What becomes of a training where a loss or a gradient is not finite."""

import copy
import json
import logging

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from mtt.checkpoint import read
from mtt.errors import CheckpointError
from mtt.training import TrainingInterrupted
from mtt.training.recovery.faults import IN_A_ROW, NonFinite
from mtt.training.recovery.rollback import LIMIT


@pytest.fixture
def poison():
    """``poison(model, 2, 3)``: training steps 2 and 3 of this process give NaN.

    With ``gradient`` the values stay finite, and their derivative is not.
    """

    def spoil(model, *steps, gradient=False):
        count, now = iter(range(1, 10_000)), []

        def hook(module, inputs, output):
            if not module.training:
                return output
            now[:] = [next(count) in steps]
            return output * torch.nan if now[0] and not gradient else output

        if gradient:
            weight = model.network[0].weight
            weight.register_hook(lambda slope: slope * torch.inf if now[0] else slope)
        model.network.register_forward_hook(hook)
        return model

    return spoil


def copied(tree):
    return copy.deepcopy(tree)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints" / "last.ckpt"


ROLLBACK = {"on_nonfinite": "rollback", "num_epochs": 3}


# ------------------------------------------------------------------------------ stop


@pytest.mark.parametrize("gradient", [False, True])
def test_stop_is_the_default_and_saves_what_was_before_the_step(
    make_model, make_trainer, train, poison, path, restart, gradient
):
    """It names epoch, step, target and structures; a restart does the step that is missing."""
    culprit = "gradient of network" if gradient else "loss of energy, energy forces"
    match = (
        rf"on_nonfinite: epoch 2, step 9: the {culprit}.* is not finite "
        r"\(structures: molecules.xyz, frame \d+; .*\); no update was made"
    )
    model = poison(make_model(), 9, gradient=gradient)
    with pytest.raises(NonFinite, match=match):
        train(make_trainer(), model)
    stopped = read(path)
    state = stopped["trainer_state"]
    assert (state["epoch"], state["batch"], state["step"]) == (1, 2, 8)
    assert all(value.isfinite().all() for value in stopped["model_state_dict"].values())
    resumed, trainer = restart(path, make_trainer())
    train(trainer, resumed)
    straight = train(make_trainer(), make_model())
    for (name, one), other in zip(straight.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_weights_that_a_step_has_spoilt_are_never_saved(make_model, make_trainer, train, path):
    """A gradient that is finite, and a step that is not: what was saved before it stays."""
    trainer = make_trainer(
        optimizer="sgd", checkpoint_interval_steps=1, warmup_fraction=0.0, grad_clip_norm=None
    )
    model = make_model()

    def spoil(optimizer, args, kwargs):
        if trainer._fit.state.step == 4:
            with torch.no_grad():
                model.network[0].weight[0, 0] = torch.inf

    handle = register_optimizer_step_post_hook(spoil)
    try:
        with pytest.raises(NonFinite, match=r"not all weights are finite: network.0.weight"):
            train(trainer, model)
    finally:
        handle.remove()
    saved = read(path)
    assert saved["trainer_state"]["step"] == 4
    assert all(value.isfinite().all() for value in saved["model_state_dict"].values())


def test_a_stop_with_weights_that_are_not_finite_says_that_nothing_was_saved(
    make_model, make_trainer, train, terminate, path
):
    model = make_model()
    trainer = make_trainer(listeners=[terminate(1, 3)])

    def spoil(optimizer, args, kwargs):
        with torch.no_grad():
            model.network[0].weight[0, 0] = torch.inf if trainer._fit.state.step == 2 else 0.0

    handle = register_optimizer_step_post_hook(spoil)
    try:
        with pytest.raises(CheckpointError, match=r"not all weights are finite: network.0.weight"):
            train(trainer, model)
    finally:
        handle.remove()
    assert not path.exists()


# ------------------------------------------------------------------------------ skip


def test_skip_ends_the_training_where_too_many_in_a_row_are_skipped_restarts_included(
    make_model, make_trainer, train, poison, path, restart, terminate, rows
):
    skip = {"on_nonfinite": "skip", "batch_size": 1, "num_epochs": 2}
    with pytest.raises(TrainingInterrupted):
        trainer = make_trainer(listeners=[terminate(1, 8)], **skip)
        train(trainer, poison(make_model(), *range(3, 100)))
    assert read(path)["trainer_state"]["skipped_in_a_row"] == 6
    model, trainer = restart(path, make_trainer(**skip))
    with pytest.raises(NonFinite, match=rf"epoch 1, step 3: .*; the {IN_A_ROW} steps before"):
        train(trainer, poison(model, *range(1, 100)))
    assert read(path)["trainer_state"]["batch"] == 12
    model, trainer = restart(path, make_trainer(**skip))
    train(trainer, model)
    assert [row["skipped steps"] for row in rows(read(path))] == [10, 0]


# -------------------------------------------------------------------------- rollback


@pytest.mark.parametrize(
    "hypers",
    [
        {},
        {"ema": True, "scheduler": "plateau"},
        {"gradient_accumulation": 2, "optimizer": "muon"},
        {"optimizer": "soap", "weight_decay": 0.01},
        {"amp": "fp16"},
        {"checkpoint_interval_steps": 2},
    ],
    ids=["plain", "ema", "accumulation", "soap", "fp16", "saves"],
)
def test_rollback_takes_back_everything_and_continues_with_half_the_rate(
    make_model, make_trainer, train, poison, listen, rows, last, assert_equal, hypers, caplog
):
    """After it, all is as where it went back to; the only other difference is the rate."""
    trainer, seen, back = make_trainer(**ROLLBACK, **hypers), [], []
    dtype = torch.float32 if "amp" in hypers else torch.float64

    def listener(category, values, epoch):
        fit = trainer._fit
        if category != "progress" or fit is None:
            return
        state = fit.state
        now = {"model": copied(fit.model.state_dict()), **copied(fit.stage.state_dict())}
        seen.append((state.epoch, state.batch, state.rollbacks, now))
        if state.rollbacks and not back:
            back.append(copied(state.good))

    model = poison(make_model(dropout=0.2), 10)
    with caplog.at_level(logging.WARNING, "mtt"):
        train(listen(trainer, listener), model, dtype=dtype)
    (message,) = [m for m in caplog.messages if "rollback 1 of" in m]
    assert "with 0.5 of the learning rate" in message
    (good,) = back
    known = {(epoch, batch): now for epoch, batch, rollbacks, now in seen if not rollbacks}
    if good["batch"]:
        before = known[1, good["batch"]]
        assert_equal(before.pop("model"), good["model"])
        assert_equal(before, good["parts"])
    stored = last()
    column = [row["rollbacks"] for row in rows(stored)]
    assert column == sorted(column) and column[-1] == 1
    (told,) = stored["provenance"]["rollbacks"]
    assert "is not finite" in told["reason"]
    assert stored["trainer_state"]["rollbacks"] == 1
    assert stored["trainer_state"]["good"] == {}


def test_a_run_that_was_rolled_back_is_one_that_began_there_with_half_the_rate(
    make_model, make_trainer, train, poison, rows, last, tmp_path
):
    """Without the fault, and with the half from the start: the same weights, bit for bit."""
    options = {**ROLLBACK, "num_epochs": 2, "scheduler": "constant", "warmup_fraction": 0.0}
    spoilt = train(make_trainer(**options), poison(make_model(dropout=0.2), 4))
    half = {**options, "learning_rate": 0.005}
    straight = train(
        make_trainer(**half), make_model(dropout=0.2), checkpoints=tmp_path / "straight"
    )
    for (name, one), other in zip(spoilt.named_parameters(), straight.parameters(), strict=True):
        assert torch.equal(one, other), name
    assert {row["learning rate"] for row in rows(last())} == {0.005}


@pytest.mark.parametrize("stop", [(2, 3), (2, 5), (2, 6), (3, 1)])
def test_a_restart_rolls_back_to_the_same_and_keeps_the_lower_rate(
    make_model, make_trainer, train, poison, restart, terminate, path, assert_equal, stop, tmp_path
):
    """Faults in steps 5 and 10, a stop before, between or after the rollbacks."""
    options = {**ROLLBACK, "ema": True, "checkpoint_interval_steps": 4}
    steps = (5, 11)  # of the process: 5 is taken once more
    straight = tmp_path / "straight"
    train(make_trainer(**options), poison(make_model(dropout=0.2), *steps), checkpoints=straight)
    with pytest.raises(TrainingInterrupted):
        trainer = make_trainer(listeners=[terminate(*stop)], **options)
        train(trainer, poison(make_model(dropout=0.2), *steps))
    done = read(path)["trainer_state"]
    model, trainer = restart(path, make_trainer(**options))
    calls = {(2, 3): 10, (2, 5): 99, (2, 6): 99, (3, 1): 99}[stop]
    left = [step - calls for step in steps if step > calls]
    train(trainer, poison(model, *left))
    one, other = read(straight / "last.ckpt"), read(path)
    assert one["trainer_state"]["rollbacks"] == 2, done["rollbacks"]
    assert_equal(one, other)


def test_rollbacks_are_bounded_and_the_message_says_so(
    make_model, make_trainer, train, poison, path
):
    model = poison(make_model(), *range(3, 1000))
    with pytest.raises(NonFinite, match=rf"epoch 1, step 1: .*; {LIMIT} rollbacks did not help"):
        train(make_trainer(**ROLLBACK), model)
    saved = read(path)
    assert len(saved["provenance"]["rollbacks"]) == LIMIT
    assert all(value.isfinite().all() for value in saved["model_state_dict"].values())


def test_a_new_stage_has_its_own_rate_and_rollbacks(
    make_model, make_trainer, train, poison, last, rows
):
    stages = [{"num_epochs": 1}, {"num_epochs": 1}]
    options = {"scheduler": "constant", "warmup_fraction": 0.0, "stages": stages}
    train(make_trainer(on_nonfinite="rollback", **options), poison(make_model(), 2))
    first, second = rows(last())
    assert (first["learning rate"], second["learning rate"]) == (0.005, 0.01)
    assert (first["rollbacks"], second["rollbacks"]) == (1, 0)


def test_weights_that_the_last_step_of_an_epoch_has_spoilt_are_rolled_back(
    make_model, make_trainer, train, last
):
    model, trainer, spoilt = make_model(), make_trainer(**ROLLBACK), []

    def spoil(optimizer, args, kwargs):
        if trainer._fit.state.step == 5 and not spoilt:
            spoilt.append(True)
            with torch.no_grad():
                model.network[0].weight[0, 0] = torch.nan

    handle = register_optimizer_step_post_hook(spoil)
    try:
        train(trainer, model)
    finally:
        handle.remove()
    assert last()["trainer_state"]["rollbacks"] == 1
    assert all(value.isfinite().all() for value in model.state_dict().values())


# ------------------------------------------------------------------------ validation


def test_a_validation_that_is_not_finite_is_reported_with_its_structures_and_never_best(
    make_model, make_trainer, train, last, caplog
):
    """One structure of the second epoch's validation; the training goes on and is judged."""
    model, calls = make_model(), iter(range(1, 100))

    def spoil(module, inputs, output):
        if module.training or next(calls) not in (3, 5):  # and once more, to be found
            return output
        return torch.cat([output[:1] * torch.nan, output[1:]])

    model.network.register_forward_hook(spoil)
    with caplog.at_level(logging.WARNING, "mtt"):
        train(make_trainer(num_epochs=3), model)
    (message,) = caplog.messages
    assert message == (
        "the validation of epoch 2 is nan (structures: molecules.xyz, frame 16); "
        "this epoch is not best"
    )
    checkpoint = last()
    assert checkpoint["best_epoch"] != 2
    losses = [row["validation loss"] for row in json.loads(checkpoint["trainer_state"]["history"])]
    assert [loss == loss for loss in losses] == [True, False, True]
