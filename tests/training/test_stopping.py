"""Trainings that end before their last epoch: by max_time, or for want of progress."""

import logging
import os
import signal

import pytest
import torch

from mtt.checkpoint import read
from mtt.stopping import Stopped
from mtt.training import TrainingInterrupted
from mtt.training.stopping.timing import Deadline

FLAT = {"learning_rate": 1e-300, "optimizer": "sgd"}
"""No weight ever moves: the first epoch is the best one."""


def test_max_time_stops_after_a_batch_with_everything_saved(
    make_model, make_trainer, train, last, tmp_path
):
    model = make_model()
    with pytest.raises(TrainingInterrupted) as caught:
        train(make_trainer(max_time=1e-6, ema=True), model)
    assert caught.value.exit_code == 143
    text = "stopped by max_time in epoch 1 and saved; resume with --restart auto"
    assert str(caught.value) == text
    checkpoint = last()
    state = checkpoint["trainer_state"]
    assert (state["epoch"], state["batch"], state["step"]) == (0, 1, 1)
    assert set(state["parts"]) == {"optimizer", "schedule", "average", "rng"}
    assert torch.equal(checkpoint["model_state_dict"]["network.0.weight"], model.network[0].weight)


@pytest.mark.parametrize("max_time", ["00:00:00.000001", 1e-6])
def test_a_run_that_ran_out_of_time_resumes_to_the_same_end_bit_for_bit(
    assert_equal, make_model, make_trainer, train, restart, rows, tmp_path, max_time
):
    """As often as it takes; each restart has the time again."""
    options = {"num_epochs": 2, "ema": True, "gradient_accumulation": 2}
    straight = train(make_trainer(**options), make_model(dropout=0.2))
    folder, model = tmp_path / "late", make_model(dropout=0.2)
    trainer = make_trainer(max_time=max_time, **options)
    for steps in range(1, 3):
        with pytest.raises(TrainingInterrupted, match="stopped by max_time in epoch 1"):
            train(trainer, model, checkpoints=folder)
        assert read(folder / "last.ckpt")["trainer_state"]["step"] == steps
        torch.rand(3)
        model, trainer = restart(folder / "last.ckpt", make_trainer(max_time=max_time, **options))
    trainer.hypers["max_time"] = "01:00:00"
    train(trainer, model, checkpoints=folder)
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    one, two = (read(path / "last.ckpt") for path in (tmp_path / "checkpoints", folder))
    assert rows(one) == rows(two)
    assert_equal(dict(one["best_model_state_dict"]), dict(two["best_model_state_dict"]))


def test_max_time_within_the_validation_repeats_it_and_no_training_step(
    assert_equal, make_model, make_trainer, train, listen, restart, last, rows, tmp_path
):
    straight = train(make_trainer(num_epochs=2), make_model())
    folder, trainer = tmp_path / "late", make_trainer(num_epochs=2)
    model = make_model()

    def pass_deadline(module, inputs):
        """The time is over in the first batch of the first validation."""
        if not module.training and trainer._fit is not None:
            trainer._fit.deadline = Deadline(0.0)

    hook = model.network.register_forward_pre_hook(pass_deadline)
    with pytest.raises(TrainingInterrupted, match="in epoch 1"):
        train(trainer, model, checkpoints=folder)
    hook.remove()
    state = read(folder / "last.ckpt")["trainer_state"]
    assert (state["epoch"], state["batch"], state["step"]) == (0, 6, 6)
    seen = []
    model, trainer = restart(folder / "last.ckpt", make_trainer(num_epochs=2))
    listen(trainer, lambda c, v, e: c in ("progress", "epoch") and seen.append((c, e)))
    train(trainer, model, checkpoints=folder)
    assert seen[:2] == [("epoch", 1), ("progress", 2)]
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    assert rows(last()) == rows(read(folder / "last.ckpt"))


def test_a_max_time_shorter_than_a_validation_still_gets_ahead(
    assert_equal, make_model, make_trainer, train, restart, rows, tmp_path
):
    """Every process has time for one batch: three of training, then one for the validation."""
    options = {"num_epochs": 2, "batch_size": 6}
    straight = train(make_trainer(**options), make_model())
    folder, model = tmp_path / "late", make_model()
    trainer, starts = make_trainer(max_time=1e-6, **options), 1
    with pytest.raises(TrainingInterrupted):
        train(trainer, model, checkpoints=folder)
    while True:
        assert starts < 10
        model, trainer = restart(folder / "last.ckpt", make_trainer(max_time=1e-6, **options))
        starts += 1
        try:
            train(trainer, model, checkpoints=folder)
            break
        except TrainingInterrupted:
            pass
    assert starts == 7
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    one, two = (read(path / "last.ckpt") for path in (tmp_path / "checkpoints", folder))
    assert rows(one) == rows(two)


def test_a_signal_in_the_prefit_stops_after_its_batch_and_leaves_the_weights_as_they_were(
    make_model, make_trainer, train, tmp_path
):
    model = make_model().double()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    batches = []

    def terminate(module, inputs):
        batches.append(module.training)
        if len(batches) == 8:  # the second of the second evaluation
            os.kill(os.getpid(), signal.SIGTERM)

    model.network.register_forward_pre_hook(terminate)
    with pytest.raises(Stopped, match="stopped by SIGTERM; nothing half-made") as e:
        train(make_trainer(prefit={"parameters": ["network.*"]}), model)
    assert e.value.exit_code == 143
    assert batches == [False] * 8
    assert all(torch.equal(before[name], value) for name, value in model.named_parameters())
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_generous_max_time_changes_nothing(
    assert_equal, make_model, make_trainer, train, tmp_path
):
    runs = [
        train(make_trainer(max_time=time, num_epochs=2), make_model(), checkpoints=tmp_path / name)
        for name, time in (("free", None), ("limited", "7-00:00:00"))
    ]
    assert_equal(*(dict(model.state_dict()) for model in runs))


# ------------------------------------------------------------------ early stopping


def test_a_training_without_progress_ends_after_the_stated_epoch(
    make_model, make_trainer, train, last, rows, caplog
):
    """8 epochs, start 0.5, patience 2: epochs 4 and 5 count."""
    stopping = {"patience": 2, "start": 0.5}
    with caplog.at_level(logging.INFO, "mtt"):
        train(make_trainer(num_epochs=8, early_stopping=stopping, **FLAT), make_model())
    checkpoint = last()
    assert [row["epoch"] for row in rows(checkpoint)] == [1, 2, 3, 4, 5]
    assert checkpoint["epoch"] == 5
    assert checkpoint["best_epoch"] == 1
    assert checkpoint["trainer_state"]["parts"]["early_stopping"]["count"] == 2
    assert "ends early after epoch 5: no progress in 2 epochs (best value" in caplog.text


def test_progress_by_less_than_min_delta_is_none_but_may_be_best(
    make_model, make_trainer, train, last
):
    stopping = {"patience": 2, "min_delta": 1e6}
    train(make_trainer(num_epochs=8, early_stopping=stopping), make_model())
    checkpoint = last()
    assert checkpoint["epoch"] == 3
    assert checkpoint["best_epoch"] > 1


@pytest.mark.parametrize("kill", [1, 2, 3])
def test_the_counter_survives_a_restart(
    make_model, make_trainer, train, listen, terminate, restart, last, rows, tmp_path, kill
):
    """Stopped within any epoch, the run ends after the same one as undisturbed."""
    options = {"num_epochs": 9, "early_stopping": {"patience": 3}, **FLAT}
    with pytest.raises(TrainingInterrupted):
        train(listen(make_trainer(**options), terminate(kill + 1, 2)), make_model())
    assert last()["trainer_state"]["parts"]["early_stopping"]["count"] == kill - 1
    path = tmp_path / "checkpoints" / "last.ckpt"
    model, trainer = restart(path, make_trainer(**options))
    train(trainer, model)
    assert [row["epoch"] for row in rows(last())] == [1, 2, 3, 4]


def test_a_restart_of_a_run_that_stopped_early_returns_cleanly_without_training(
    assert_equal, make_model, make_trainer, train, listen, restart, last, rows, tmp_path, caplog
):
    options = {"num_epochs": 9, "early_stopping": {"patience": 1}, **FLAT}
    train(make_trainer(**options), make_model())
    before = last()
    seen = []
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", make_trainer(**options))
    listen(trainer, lambda c, v, e: seen.append((c, e)))
    with caplog.at_level(logging.INFO, "mtt"):
        train(trainer, model)
    assert seen == [("run_start", 2), ("checkpoint", 2), ("end", 2)]
    assert "already ended early, after epoch 2; nothing to do" in caplog.text
    after = last()
    assert rows(after) == rows(before)
    for checkpoint in (after, before):
        # the file's learning rate, until the first step takes that of the schedule
        del checkpoint["trainer_state"]["parts"]["optimizer"]["param_groups"]
    assert_equal(after, before)


def test_more_patience_lets_a_run_that_stopped_early_continue(
    make_model, make_trainer, train, restart, last, tmp_path
):
    train(make_trainer(num_epochs=9, early_stopping={"patience": 1}, **FLAT), make_model())
    assert last()["epoch"] == 2
    path, more = tmp_path / "checkpoints" / "last.ckpt", {"early_stopping": {"patience": 3}}
    model, trainer = restart(path, make_trainer(num_epochs=9, **more, **FLAT))
    train(trainer, model)
    assert last()["epoch"] == 4


def test_an_early_stop_in_one_stage_does_not_stop_the_others_after_a_restart(
    make_model, make_trainer, train, listen, terminate, restart, last, rows, tmp_path
):
    options = {
        **FLAT,
        "early_stopping": {"patience": 1},
        "stages": [{"num_epochs": 5}, {"num_epochs": 5}],
    }
    with pytest.raises(TrainingInterrupted, match="in epoch 3"):
        train(listen(make_trainer(**options), terminate(3, 1)), make_model())
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", make_trainer(**options))
    train(trainer, model)
    assert [row["stage"] for row in rows(last())] == [1, 1, 2, 2]


def test_a_validation_that_is_not_finite_ends_a_stage_with_early_stopping(
    make_model, make_trainer, train, last, caplog
):
    model, validations = make_model(), iter(range(100))

    def spoil(module, inputs, output):
        # two batches per validation, from the third one on
        return output * torch.nan if not module.training and next(validations) > 3 else output

    model.network.register_forward_hook(spoil)
    with caplog.at_level(logging.INFO, "mtt"):
        train(make_trainer(num_epochs=9, early_stopping={"patience": 5}), model)
    checkpoint = last()
    assert (checkpoint["epoch"], checkpoint["best_epoch"]) == (3, 2)
    assert "ends early after epoch 3: the validation of epoch 3 is nan" in caplog.text
