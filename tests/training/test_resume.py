"""Runs that are stopped and go on: the result is that of a run that was not stopped."""

import copy
import json
import logging
import os
import signal

import pytest
import torch

from mtt.checkpoint import read
from mtt.errors import ConfigError
from mtt.training import TrainingInterrupted


def without_times(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


class Kill(BaseException):
    """The process ends here: nothing may catch it."""


def kill_in(epoch):
    def listener(category, values, at):
        if category == "progress" and at == epoch:
            raise Kill

    return listener


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_killed_run_resumes_bit_for_bit(
    assert_equal, history, make_model, make_trainer, train, restart, tmp_path, stop
):
    options = {"num_epochs": 4, "checkpoint_interval": 1}
    straight = make_trainer(tmp_path / "straight", **options)
    (tmp_path / "straight").mkdir()
    one = train(straight, make_model(dropout=0.2), checkpoints=tmp_path / "straight")

    (tmp_path / "killed").mkdir()
    killed = make_trainer(tmp_path / "killed", [kill_in(stop + 1)], **options)
    with pytest.raises(Kill):
        train(killed, make_model(dropout=0.2), checkpoints=tmp_path / "killed")
    torch.rand(17)  # another process has other random numbers
    fresh = make_trainer(tmp_path / "killed", **options)
    model, resumed = restart(tmp_path / "killed" / "last.ckpt", fresh)
    two = train(resumed, model, checkpoints=tmp_path / "killed")

    assert_equal(dict(one.state_dict()), dict(two.state_dict()))
    for name in ("last.ckpt", "best.ckpt"):
        assert_equal(read(tmp_path / "straight" / name), read(tmp_path / "killed" / name))
    lines = [history(tmp_path / run / "history.jsonl") for run in ("straight", "killed")]
    assert without_times(lines[0]) == without_times(lines[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("batch", [1, 4, 6])
def test_a_signal_saves_within_the_epoch_and_the_run_resumes_bit_for_bit(
    assert_equal, make_model, make_trainer, train, restart, tmp_path, number, batch
):
    straight = train(make_trainer(num_epochs=3), make_model(dropout=0.2))

    def stop(category, values, epoch):
        if category == "progress" and (epoch, values["batch"]) == (2, batch):
            os.kill(os.getpid(), number)

    folder = tmp_path / "stopped"
    with pytest.raises(TrainingInterrupted, match=f"stopped by {number.name} in epoch 2") as error:
        train(
            make_trainer(listeners=[stop], num_epochs=3),
            make_model(dropout=0.2),
            checkpoints=folder,
        )
    assert error.value.exit_code == 128 + number
    model, resumed = restart(folder / "last.ckpt", make_trainer(num_epochs=3))
    train(resumed, model, checkpoints=folder)
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    one, two = (
        read(path / "last.ckpt")["trainer_state"] for path in (tmp_path / "checkpoints", folder)
    )
    rows = [without_times(json.loads(state.pop("history"))) for state in (one, two)]
    assert rows[0] == rows[1]
    assert_equal(one, two)


def test_a_restart_takes_its_options_from_the_file_and_its_moments_from_the_checkpoint(
    make_model, make_trainer, train, restart, tmp_path
):
    train(make_trainer(num_epochs=2), make_model())
    last = tmp_path / "checkpoints" / "last.ckpt"
    rates = []
    listener = [lambda c, v, e: c == "epoch" and rates.append((e, v["metrics"]["learning rate"]))]
    model, trainer = restart(
        last, make_trainer(listeners=listener, num_epochs=3, learning_rate=1e-9, batch_size=8)
    )
    before = copy.deepcopy(model.state_dict())
    train(trainer, model)
    assert [epoch for epoch, _ in rates] == [3]
    assert 0 < rates[0][1] <= 1e-9
    after = read(last)
    optimizer = after["trainer_state"]["parts"]["optimizer"]
    assert optimizer["param_groups"][0]["lr"] <= 1e-9
    assert optimizer["state"][0]["step"] == 2 * 6 + 2
    torch.testing.assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=1e-6)


def test_a_finished_run_says_so_and_changes_nothing(
    assert_equal, make_model, make_trainer, train, restart, tmp_path, caplog
):
    one = train(make_trainer(num_epochs=2), make_model())
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", make_trainer(num_epochs=2))
    with caplog.at_level(logging.INFO, "mtt"):
        train(trainer, model)
    assert "already trained for 2 epochs (num_epochs: 2); nothing to do" in caplog.text
    assert "epochs 3 to 2" not in caplog.text
    assert_equal(dict(one.state_dict()), dict(model.state_dict()))


def test_the_best_of_another_metric_is_not_compared(
    make_model, make_trainer, train, restart, tmp_path, caplog
):
    train(make_trainer(num_epochs=2), make_model())
    model, trainer = restart(
        tmp_path / "checkpoints" / "last.ckpt",
        make_trainer(num_epochs=3, best_model_metric="rmse_prod"),
    )
    with caplog.at_level(logging.WARNING, "mtt"):
        train(trainer, model)
    assert "the search for the best starts again" in caplog.text
    assert read(tmp_path / "checkpoints" / "last.ckpt")["best_epoch"] == 3


def test_fine_tuning_starts_from_the_best_weights_with_fresh_counters(
    make_model, make_trainer, train, tmp_path
):
    source = train(make_trainer(num_epochs=3), make_model())
    checkpoint = read(tmp_path / "checkpoints" / "last.ckpt")
    model = type(source).load_checkpoint(checkpoint, "finetune").restart(source.dataset_info)
    fixed = {
        name: model.state_dict()[name].clone() for name in ("composition.values", "scale.values")
    }
    starts = []
    trainer = make_trainer(
        listeners=[lambda c, v, e: c == "run_start" and starts.append((e, len(v["history"])))],
        finetune={"read_from": "last.ckpt"},
        num_epochs=1,
    )
    model.scale.values.mul_(2.0)  # a fit of the baselines would undo it
    train(trainer, model, checkpoints=tmp_path / "fine")
    assert starts == [(0, 0)]
    assert torch.equal(model.composition.values, fixed["composition.values"])
    assert torch.equal(model.scale.values, 2 * fixed["scale.values"])
    assert read(tmp_path / "fine" / "last.ckpt")["epoch"] == 1


def test_a_stopped_epoch_restarts_when_its_batches_are_others(
    make_model, make_trainer, train, restart, terminate, tmp_path, caplog
):
    with pytest.raises(TrainingInterrupted):
        train(make_trainer(listeners=[terminate(2, 3)]), make_model())
    last = tmp_path / "checkpoints" / "last.ckpt"
    seen = []
    listener = [lambda c, v, e: c == "progress" and seen.append((e, v["batch"], v["n_batches"]))]
    model, trainer = restart(last, make_trainer(listeners=listener, batch_size=8, num_epochs=2))
    with caplog.at_level(logging.WARNING, "mtt"):
        train(trainer, model)
    assert "have changed since the stop in epoch 2; it is repeated from its start" in caplog.text
    assert seen == [(2, 1, 2), (2, 2, 2)]


def test_another_precision_is_refused_by_name(
    make_model, make_trainer, train, check, restart, tmp_path
):
    train(make_trainer(num_epochs=1), make_model(), dtype=torch.float64)
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", make_trainer(num_epochs=2))
    message = "base_precision: the run trains in 64 bits, not in 32; set base_precision: 64"
    with pytest.raises(ConfigError, match=message):
        check(trainer, model, dtype=torch.float32)
    with pytest.raises(ConfigError, match=message):
        train(trainer, model, dtype=torch.float32)
    assert model.dtype == torch.float64
    train(trainer, model, dtype=torch.float64)
