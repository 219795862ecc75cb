"""Trainings of several stages that stop and go on."""

import json

import pytest
import torch

from mtt.checkpoint import read
from mtt.errors import ConfigError
from mtt.training import TrainingInterrupted

FIRST = {"name": "first", "num_epochs": 2, "optimizer": "adabelief"}
SECOND = {"name": "second", "num_epochs": 3, "optimizer": "yogi", "learning_rate": 0.002}


def test_a_restart_with_fewer_stages_is_refused(
    make_model, make_trainer, train, check, restart, tmp_path
):
    train(make_trainer(stages=[{"num_epochs": 1}, {"num_epochs": 1}]), make_model())
    path = tmp_path / "checkpoints" / "last.ckpt"
    before = path.read_bytes()
    for options in ({"num_epochs": 5}, {"stages": [{"num_epochs": 5}]}):
        model, trainer = restart(path, make_trainer(**options))
        for use in (check, train):
            with pytest.raises(ConfigError, match="is in stage 2, the options have 1"):
                use(trainer, model)
    assert path.read_bytes() == before


def test_a_restart_may_add_a_stage(make_model, make_trainer, train, restart, last, tmp_path, rows):
    stages = [{"num_epochs": 1}, {"num_epochs": 1}]
    train(make_trainer(stages=stages), make_model())
    more = [*stages, {"num_epochs": 2, "from": "best", "optimizer": "sgd"}]
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", make_trainer(stages=more))
    train(trainer, model)
    checkpoint = last()
    assert [row["stage"] for row in rows(checkpoint)] == [1, 2, 3, 3]
    assert [one["name"] for one in checkpoint["provenance"]["stages"]] == [
        "stage_1",
        "stage_2",
        "stage_3",
    ]


@pytest.mark.parametrize("batch", [1, 6])
def test_a_run_that_is_stopped_in_its_second_stage_ends_bit_for_bit_the_same(
    assert_equal, make_model, make_trainer, train, listen, terminate, restart, tmp_path, batch, rows
):
    options = {"stages": [FIRST, {**SECOND, "from": "best", "ema": True}]}
    straight = train(make_trainer(**options), make_model(dropout=0.2))
    folder = tmp_path / "stopped"
    with pytest.raises(TrainingInterrupted, match="stopped by SIGTERM in epoch 3"):
        train(
            listen(make_trainer(**options), terminate(3, batch)),
            make_model(dropout=0.2),
            checkpoints=folder,
        )
    torch.rand(5)
    model, trainer = restart(folder / "last.ckpt", make_trainer(**options))
    train(trainer, model, checkpoints=folder)
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    one, two = (read(path / "last.ckpt") for path in (tmp_path / "checkpoints", folder))
    for checkpoint in (one, two):
        checkpoint["trainer_state"]["history"] = json.dumps(rows(checkpoint))
    assert_equal(one, two)


def test_a_run_that_is_stopped_between_two_stages_ends_bit_for_bit_the_same(
    assert_equal, make_model, make_trainer, train, listen, restart, tmp_path
):
    class Kill(BaseException):
        pass

    def kill(category, values, epoch):
        if category == "progress" and epoch == 3:
            raise Kill

    options = {"stages": [FIRST, {**SECOND, "from": "best"}], "checkpoint_interval": 1}
    straight = train(make_trainer(**options), make_model(dropout=0.2))
    folder = tmp_path / "killed"
    with pytest.raises(Kill):
        train(listen(make_trainer(**options), kill), make_model(dropout=0.2), checkpoints=folder)
    assert read(folder / "last.ckpt")["epoch"] == 2
    torch.rand(5)
    model, trainer = restart(folder / "last.ckpt", make_trainer(**options))
    train(trainer, model, checkpoints=folder)
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
