"""Skipped steps in a training: nothing advances, and the user learns why."""

import copy
import json
import logging

import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.data.frames import FrameLabels
from mtt.errors import TrainingError
from mtt.training import TrainingInterrupted

INFO = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy(forces=True)})


def poison(network, *, training=(), validation=False):
    """Make the output of ``network`` NaN in the training's steps number ``training``."""
    steps = iter(range(1, 1000))

    def spoil(module, inputs, output):
        spoilt = next(steps) in training if module.training else validation
        return output * torch.nan if spoilt else output

    network.register_forward_hook(spoil)


def test_a_skipped_step_advances_neither_schedule_nor_optimizer(
    make_model, make_trainer, train, tmp_path, caplog
):
    model = make_model()
    poison(model.network, training=[2, 3])
    with caplog.at_level(logging.WARNING, "mtt"):
        train(make_trainer(num_epochs=1, on_nonfinite="skip"), model)
    state = read(tmp_path / "checkpoints" / "last.ckpt")["trainer_state"]
    assert state["step"] == 4
    assert state["parts"]["optimizer"]["state"][0]["step"] == 4
    assert all(np.isfinite(value) for value in json.loads(state["history"])[0].values())
    assert len(caplog.records) == 2
    message = caplog.messages[0]
    assert message.startswith("epoch 1, step 2: the loss of energy, energy forces is not finite")
    assert "molecules.xyz, frame" in message
    assert message.endswith("the update is skipped")


def test_an_epoch_without_any_finite_step_ends_the_training(make_model, make_trainer, train):
    model = make_model()
    poison(model.network, training=range(7, 13))
    with pytest.raises(TrainingError, match=r"epoch 2 had no step that could be taken: the loss"):
        train(make_trainer(num_epochs=4, on_nonfinite="skip"), model)


def test_a_validation_that_is_never_finite_is_an_error(make_model, make_trainer, train, tmp_path):
    model = make_model()
    poison(model.network, validation=True)
    with pytest.raises(TrainingError, match="the validation was never finite"):
        train(make_trainer(num_epochs=2), model)
    checkpoint = read(tmp_path / "checkpoints" / "last.ckpt")
    assert checkpoint["best_model_state_dict"] is None
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_an_epoch_lost_to_the_search_for_the_loss_scale_does_not_fail_even_after_a_stop(
    make_model, make_trainer, train, restart, terminate, tmp_path
):
    weight = {"weight": 1e4}  # too much for the scale that float16 begins with
    loss = {"energy": {**weight, "gradients": {"positions": weight}}}
    options = {"amp": "fp16", "batch_size": 16, "num_epochs": 1, "loss": loss}
    with pytest.raises(TrainingInterrupted):
        trainer = make_trainer(listeners=[terminate(1, 1)], **options)
        train(trainer, make_model(), dtype=torch.float32)
    last = tmp_path / "checkpoints" / "last.ckpt"
    model, trainer = restart(last, make_trainer(**options))
    before = copy.deepcopy(model.state_dict())
    train(trainer, model, dtype=torch.float32)
    state = read(last)["trainer_state"]
    row = json.loads(state["history"])[0]
    assert (state["epoch"], state["step"]) == (1, 0)
    assert state["parts"]["scaler"]["scale"] == 2.0**15
    assert np.isnan([row["training loss"], row["gradient norm"]]).all()
    assert np.isfinite(row["validation loss"])
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("combination", ["sum", "config"])
@pytest.mark.parametrize("amp", [None, "fp16"])
def test_forces_of_isolated_atoms_teach_nothing_and_stop_nothing(
    make_model, make_trainer, train, frames, amp, combination, tmp_path
):
    lone = [
        frames[0]._replace(
            numbers=np.array([1]),
            positions=np.zeros((1, 3)),
            labels={"energy": FrameLabels(np.array([[-1.0]]), np.zeros((1, 3)))},
            source=f"molecules.xyz, frame {i}",
        )
        for i in (30, 31)
    ]
    mixed = Dataset.from_frames([*frames[:2], *lone], INFO)
    loss = {"energy": {"weight": 0.0, "gradients": {"positions": {"weight": 1.0}}}}
    trainer = make_trainer(
        num_epochs=2, batch_size=1, loss=loss, gradient_combination=combination, amp=amp
    )
    train(trainer, make_model(), training=mixed, dtype=torch.float32)
    state = read(tmp_path / "checkpoints" / "last.ckpt")["trainer_state"]
    moved = state["step"] - 4  # steps of the pairs; fewer while fp16 looks for its scale
    assert (amp and moved > 0) or moved == 4
    assert {int(one["step"]) for one in state["parts"]["optimizer"]["state"].values()} == {moved}
    assert all(np.isfinite(row["training loss"]) for row in json.loads(state["history"]))
