"""Runs that are stopped anywhere go on through exactly the states of one that is not."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from mtt.checkpoint import read
from mtt.training import TrainingInterrupted

EVERYTHING = {
    "ema": {"decay": 0.9},
    "gradient_combination": "config",
    "gradient_accumulation": 2,
    "scheduler": {"name": "plateau", "patience": 0, "factor": 0.5, "threshold": 0.5},
    "early_stopping": {"patience": 2, "min_delta": 0.1},
    "stages": [
        {"num_epochs": 2},
        {"num_epochs": 3, "from": "best", "batch_size": 3, "learning_rate": 0.001},
    ],
}
BETWEEN = {"num_epochs": 2, "batch_size": 4, "deterministic": True}
RUNS = {
    "shuffle, dropout and warm-up": {"warmup_fraction": 0.8, "num_epochs": 3},
    "everything in two stages": EVERYTHING,
    "fp16": {"amp": "fp16", "ema": True},
    "lbfgs": {"optimizer": "lbfgs", "num_epochs": 1},
    "muon after a pre-fit": {
        "optimizer": "muon",
        "prefit": {"parameters": ["network.3.*"], "max_steps": 3},
    },
    "schedule-free": {"optimizer": "schedulefree_adamw", "warmup_fraction": 0.5},
    "augmentation": {
        "stages": [
            {"num_epochs": 1, "augmentation": "so3"},
            {"num_epochs": 2, "augmentation": "o3", "batch_size": 3},
        ],
    },
}
"""Options of short runs; what they have in common is in ``BETWEEN``."""


@pytest.fixture(params=RUNS)
def run(request, make_model, make_trainer, train, restart, device, tmp_path):
    """``run(folder, *listeners)`` trains, from the checkpoint in the folder if there is one."""
    options = {**BETWEEN, **RUNS[request.param], "checkpoint_interval": 1}
    dtype = torch.float32 if "amp" in options else torch.float64

    def fit(folder, *listeners, source="last.ckpt", **others):
        trainer = make_trainer(listeners=listeners, **options, **others)
        model = make_model(dropout=0.2, oriented=request.param == "augmentation")
        if (folder / source).exists():
            torch.rand(17, device=device)  # another process has other random numbers
            model, trainer = restart(folder / source, trainer)
        train(trainer, model, checkpoints=folder, device=device, dtype=dtype)
        return read(folder / "last.ckpt")

    return fit


def test_a_run_that_stops_after_every_single_step_passes_through_the_same_states(
    assert_equal, run, tmp_path
):
    """As one that is never stopped, at every step: so it may be stopped at any of them."""
    states = {}

    def keep(category, values, epoch):
        if category == "checkpoint":
            state = read(values["path"])
            states.setdefault((state["epoch"], state["trainer_state"]["batch"]), state)

    straight = run(tmp_path / "straight", keep, checkpoint_interval_steps=1)
    seen = []

    def stop(category, values, epoch):
        if category == "progress":
            seen.append((epoch - 1, values["batch"]))
            os.kill(os.getpid(), signal.SIGTERM)

    last = tmp_path / "stopped" / "last.ckpt"
    for _ in range(100):
        try:
            final = run(last.parent, stop, checkpoint_interval_steps=1)
            break
        except TrainingInterrupted:
            if seen[-1] in states:
                assert_equal(read(last), states[seen[-1]])
    assert_equal(final, straight)
    within = {at for at in states if at[1]}
    assert len(seen) == len(set(seen)) >= len(within) >= 4
    assert within <= set(seen)


def test_a_run_resumes_from_every_epoch_and_every_best_one_to_the_same_end(
    assert_equal, run, tmp_path
):
    kept = []

    def keep(category, values, epoch):
        path = Path(values.get("path", ""))
        if category == "checkpoint" and path.name != "last.ckpt":
            kept.append(tmp_path / f"from {len(kept)}" / path.name)
            kept[-1].parent.mkdir()
            shutil.copy(path, kept[-1])

    straight = run(tmp_path / "straight", keep)
    assert "best.ckpt" in {path.name for path in kept}
    for path in kept:
        assert_equal(run(path.parent, source=path.name), straight)


def test_a_run_that_stops_during_a_validation_validates_again_to_the_same_end(
    assert_equal, make_model, make_trainer, train, restart, tmp_path
):
    options = {**BETWEEN, **EVERYTHING}
    train(make_trainer(**options), make_model(dropout=0.2))
    epochs = []

    def stop(module, inputs, output):
        if not module.training and epochs == [1]:
            os.kill(os.getpid(), signal.SIGTERM)

    def count(category, values, epoch):
        if category == "epoch":
            epochs.append(epoch)

    model, folder = make_model(dropout=0.2), tmp_path / "stopped"
    model.network.register_forward_hook(stop)  # of the average too, which is a copy
    with pytest.raises(TrainingInterrupted, match="stopped by SIGTERM in epoch 2"):
        train(make_trainer(listeners=[count], **options), model, checkpoints=folder)
    assert read(folder / "last.ckpt")["trainer_state"]["batch"] == 4  # all of them
    model, trainer = restart(folder / "last.ckpt", make_trainer(**options))
    train(trainer, model, checkpoints=folder)
    for name in ("last.ckpt", "best.ckpt"):
        assert_equal(read(folder / name), read(tmp_path / "checkpoints" / name))


def test_without_any_part_of_the_state_a_resumed_run_differs(
    assert_equal, make_model, make_trainer, train, restart, terminate, tmp_path
):
    """The control of the tests above: they would notice."""
    options = {**EVERYTHING, "stages": None, "amp": "fp16", "num_epochs": 5, "batch_size": 4}
    options["early_stopping"] = {"patience": 3, "min_delta": 1e9}  # ends after epoch 4
    single = {"dtype": torch.float32}
    train(make_trainer(**options), make_model(dropout=0.2), **single)
    straight = read(tmp_path / "checkpoints" / "last.ckpt")
    folder = tmp_path / "stopped"
    with pytest.raises(TrainingInterrupted):
        stopped = make_trainer(listeners=[terminate(3, 2)], **options)
        train(stopped, make_model(dropout=0.2), checkpoints=folder, **single)
    parts = list(straight["trainer_state"]["parts"])
    assert parts == ["optimizer", "schedule", "average", "scaler", "early_stopping", "rng"]
    for part in (None, *parts):
        torch.manual_seed(99)
        model, resumed = restart(folder / "last.ckpt", make_trainer(**options))
        resumed._state.parts.pop(part, None)
        train(resumed, model, checkpoints=tmp_path / str(part), **single)
        end = read(tmp_path / str(part) / "last.ckpt")
        if part is None:
            assert_equal(end, straight)
            continue
        # weights, best or history are others, not only the part itself
        end["trainer_state"]["parts"] = straight["trainer_state"]["parts"]
        with pytest.raises(AssertionError):
            assert_equal(end, straight)
