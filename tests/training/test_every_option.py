"""Every training option does something: two runs that differ in it alone differ in what they do.

What no two runs can differ in is listed with the reason; an option that is new and in neither
list fails.
"""

import json
import logging
from pathlib import Path

import pytest
import torch

from mtt.checkpoint import read
from mtt.training import TrainingInterrupted, default_hypers

PREVIOUS = "last.previous.ckpt"
BASE = {"num_epochs": 2, "batch_size": 4, "learning_rate": 0.02}

# option to the value that it changes to, and to what must stand beside it in both runs
WEIGHTS = {
    "batch_size": (6, {}),
    "batch_size_per_rank": (6, {}),
    "gradient_accumulation": (2, {}),
    "max_atoms_per_batch": (9, {}),
    "num_epochs": (3, {}),
    "stages": ([{"num_epochs": 1}, {"num_epochs": 1}], {}),
    "prefit": ({"parameters": ["network.0.*"], "max_steps": 2}, {}),
    "optimizer": ("sgd", {}),
    "learning_rate": (0.01, {}),
    "learning_rate_factors": ({"network.0.*": 0.1}, {}),
    "weight_decay": (0.1, {}),
    "scheduler": ("linear", {}),
    "warmup_fraction": (0.5, {}),
    "grad_clip_norm": (1e-3, {"optimizer": "sgd"}),
    "gradient_combination": ("config", {}),
    "loss": ("mae", {}),
    "per_structure_targets": (["energy"], {}),
    "atomic_baseline": ({"energy": {1: -90.0, 6: -90.0}}, {}),
    "scale_targets": (False, {}),
    "fixed_scaling_weights": ({"energy": 3.0}, {}),
}
"""The latest weights differ."""

NOT_SEEN_HERE = {
    "on_nonfinite": "where something is not finite alone; tests/training/test_on_nonfinite.py",
    "rank_timeout": "several processes alone; tests/processes/test_ends.py",
    "batch_atoms": "tests/training/batch_size/test_auto.py",
    "compile": "the same to the last digits; tests/training/test_compile.py",
    "tf32": "CUDA alone; tests/training/numerics/test_precision.py",
    "deterministic": "CUDA alone, whose order of sums it fixes",
    "augmentation": "these models are invariant; tests/training/test_augmentation.py",
    "finetune": "the workflow's: tests/workflows/test_finetune.py",
}

ELSEWHERE = {
    *("min_atoms_per_batch", "ema", "amp", "best_model_metric", "early_stopping", "max_time"),
    "refit_baseline",
    *("extended_metrics", "log_mae", "log_interval", "checkpoint_interval", "keep_checkpoints"),
    *("checkpoint_interval_steps", "checkpoint_interval_minutes"),
}
"""Tested one by one below."""


@pytest.fixture
def outcome(make_model, make_trainer, train, tmp_path, caplog):
    """``outcome(**hypers)``: the latest checkpoint, files, rows, and lines on the console."""
    runs = []

    def run(**hypers):
        folder = tmp_path / f"run{len(runs)}"
        folder.mkdir()
        runs.append(folder)
        caplog.clear()
        model = make_model()
        trainer = make_trainer(folder, **{**BASE, "checkpoint_interval": None, **hypers})
        train(trainer, model, checkpoints=folder)
        stored = read(folder / "last.ckpt")
        rows = json.loads(stored["trainer_state"]["history"])
        return (
            stored,
            sorted({path.name for path in folder.glob("*.ckpt")} - {PREVIOUS}),
            rows,
            caplog.text,
        )

    with caplog.at_level(logging.INFO, "mtt"):
        yield run


def weights(stored, key="model_state_dict"):
    return torch.cat([value.double().flatten() for value in stored[key].values()])


def same(one, two):
    return one.shape == two.shape and torch.equal(one, two)


def test_no_option_is_forgotten():
    assert {*WEIGHTS, *NOT_SEEN_HERE, *ELSEWHERE} == set(default_hypers())


def test_two_runs_of_the_same_options_are_the_same(outcome):
    """The control of all tests here: they would notice."""
    (one, *_), (two, *_) = outcome(), outcome()
    assert same(weights(one), weights(two))


@pytest.mark.parametrize("option", WEIGHTS)
def test_it_changes_what_is_learnt(outcome, option):
    value, beside = WEIGHTS[option]
    assert value != default_hypers()[option]
    (one, *_), (two, *_) = outcome(**beside), outcome(**{**beside, option: value})
    assert not same(weights(one), weights(two))


def test_batches_with_few_atoms_are_left_out(outcome):
    beside = {"max_atoms_per_batch": 20}  # molecules of 4 and 5 atoms: batches of 16 to 20
    steps = [
        outcome(min_atoms_per_batch=least, **beside)[0]["trainer_state"]["step"]
        for least in (0, 18)
    ]
    assert steps[1] < steps[0]


def test_averages_change_what_is_best_and_nothing_that_is_learnt(outcome):
    (one, *_), (two, *_), (three, *_) = outcome(), outcome(ema=True), outcome(ema={"decay": 0.1})
    assert same(weights(one), weights(two))
    best = [weights(each, "best_model_state_dict") for each in (one, two, three)]
    assert not same(best[0], best[1])
    assert not same(best[1], best[2])


def test_the_refit_changes_the_best_baselines_and_nothing_that_is_learnt(outcome):
    (one, *_), (two, *_) = outcome(), outcome(refit_baseline=False)
    assert same(weights(one), weights(two))
    changed = {
        name
        for name, value in one["best_model_state_dict"].items()
        if not torch.equal(value, two["best_model_state_dict"][name])
    }
    assert changed == {"composition.values"}
    assert one["best_metric"] < two["best_metric"]


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_rounds_what_is_learnt(
    make_model, make_trainer, dataset, validation, tmp_path, amp
):
    found = []
    for wish in (None, amp):
        model = make_model()
        arguments = [dataset], [validation], str(tmp_path / "checkpoints")
        trainer = make_trainer(**BASE, amp=wish)
        trainer.train(model, torch.float32, [torch.device("cpu")], *arguments)
        found.append(weights({"model_state_dict": model.state_dict()}))
    assert not same(*found)
    torch.testing.assert_close(*found, rtol=0, atol=0.1)


def test_another_metric_chooses_by_other_values(outcome):
    plain = {"refit_baseline": False}
    (one, _, rows, _), (two, *_) = (
        outcome(**plain),
        outcome(best_model_metric="forces MAE", **plain),
    )
    assert one["best_metric"] == min(row["validation loss"] for row in rows)
    assert two["best_metric"] != one["best_metric"]
    assert same(weights(one), weights(two))


def test_early_stopping_ends_the_run(outcome):
    stopping = {"patience": 1, "min_delta": 1e9}
    rows = [outcome(num_epochs=4, early_stopping=each)[2] for each in (None, stopping)]
    assert [len(each) for each in rows] == [4, 2]
    late = outcome(num_epochs=4, early_stopping={**stopping, "start": 0.75})[2]
    assert len(late) == 3


def test_more_errors_are_reported_where_they_are_asked_for(outcome):
    plain = set(outcome()[2][0])
    with_mae, extended = (
        set(outcome(**{key: True})[2][0]) for key in ("log_mae", "extended_metrics")
    )
    assert with_mae - plain == {
        f"{part} {name} MAE" for part in ("training", "validation") for name in ("energy", "forces")
    }
    assert "validation forces cosine" in extended - plain
    assert plain < with_mae
    assert plain < extended


def test_fewer_epochs_are_reported_on_the_console(outcome):
    every, some = (outcome(num_epochs=4, log_interval=each)[3].count("epoch ") for each in (1, 3))
    assert some < every


def test_checkpoints_are_written_and_kept_as_asked(outcome):
    assert outcome(num_epochs=4)[1] == ["best.ckpt", "last.ckpt"]
    every = outcome(num_epochs=4, checkpoint_interval=1)[1]
    assert every == ["best.ckpt", "epoch_1.ckpt", "epoch_2.ckpt", "epoch_3.ckpt", "last.ckpt"]
    kept = outcome(num_epochs=4, checkpoint_interval=1, keep_checkpoints=1)[1]
    assert kept == ["best.ckpt", "epoch_3.ckpt", "last.ckpt"]


@pytest.mark.parametrize(
    ("option", "value", "saves"),
    [("checkpoint_interval_steps", 3, 2), ("checkpoint_interval_minutes", 1e-9, 8)],
)
def test_checkpoints_are_written_within_epochs(
    make_model, make_trainer, train, option, value, saves
):
    """Eight steps: those of numbers 3 and 6, or all of them; and one at the end."""
    written = []

    def listener(category, values, epoch):
        if category == "checkpoint" and Path(values["path"]).name == "last.ckpt":
            written.append(epoch)

    for hypers, count in (({}, 1), ({option: value}, 1 + saves)):
        written.clear()
        listeners = [listener]
        train(
            make_trainer(None, listeners, **{**BASE, "checkpoint_interval": None, **hypers}),
            make_model(),
        )
        assert len(written) == count


def test_max_time_stops(make_model, make_trainer, train):
    with pytest.raises(TrainingInterrupted, match="max_time"):
        train(make_trainer(**{**BASE, "max_time": 1e-6}), make_model())
