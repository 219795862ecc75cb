"""Techniques together: each does what it does alone, and none gets lost."""

import itertools
import json
import math

import pytest
import torch

from mtt.checkpoint import read
from mtt.errors import ConfigError
from mtt.training import TrainingInterrupted
from mtt.training.parts import Parts

TECHNIQUES = {
    "ema": {"ema": {"decay": 0.9}},
    "config": {"gradient_combination": "config"},
    "accumulation": {"gradient_accumulation": 2},
    "clip": {"grad_clip_norm": 0.3},
    "amp": {"amp": "bf16"},
    "stages": {"stages": [{"num_epochs": 2}, {"num_epochs": 2, "from": "best", "batch_size": 3}]},
    # only the first epoch is progress: each stage ends after its second one
    "early stopping": {"early_stopping": {"patience": 1, "min_delta": 1e9}},
}
"""Options that nothing else sets, so that those of several techniques are a plain union."""

FEW = {"num_epochs": 3, "batch_size": 4, "grad_clip_norm": None, "scheduler": "constant"}


def subsets(*sizes):
    return [
        frozenset(each) for size in sizes for each in itertools.combinations(TECHNIQUES, size)
    ]


def named(sets):
    return {"argvalues": sets, "ids": lambda names: "+".join(n for n in TECHNIQUES if n in names)}


def options(names, **others):
    chosen = dict(FEW)
    for name in names:
        chosen |= TECHNIQUES[name]
    return chosen | others


@pytest.fixture(scope="module")
def results():
    """Checkpoints of the runs that are done."""
    return {}


@pytest.fixture
def result(results, make_model, make_trainer, train, tmp_path):
    """The last checkpoint of a run with some techniques; in float32."""

    def run(names=frozenset(), **others):
        key = (names, json.dumps(others))
        if key not in results:
            folder = tmp_path / f"run {len(results)}"
            trainer = make_trainer(**options(names, **others))
            train(trainer, make_model(), checkpoints=folder, dtype=torch.float32)
            results[key] = read(folder / "last.ckpt")
        return results[key]

    return run


def rows(checkpoint):
    return json.loads(checkpoint["trainer_state"]["history"])


def numbers(checkpoint):
    """All weights, the latest and the best ones."""
    parts = (checkpoint["model_state_dict"], checkpoint["best_model_state_dict"])
    return torch.cat([p.double().flatten() for part in parts for p in part.values()])


def start(checkpoint):
    """Validation loss before the first step, from that after a first epoch of tiny steps."""
    return rows(checkpoint)[0]["validation loss"]


def check(result, untrained, n_epochs):
    """It has run to its end, is finite and has learnt; returns the row of the best epoch."""
    history = rows(result)
    assert [row["epoch"] for row in history] == list(range(1, n_epochs + 1))
    assert all(math.isfinite(value) for row in history for value in row.values())
    assert torch.isfinite(numbers(result)).all()
    best = history[result["best_epoch"] - 1]
    assert best["validation loss"] == min(row["validation loss"] for row in history)
    assert best["validation loss"] == result["best_metric"] < untrained
    return best


@pytest.mark.parametrize("names", **named(subsets(1, 2, 3)))
def test_every_combination_learns_and_its_best_weights_score_what_is_recorded(
    result, make_model, dataset, validation, names
):
    untrained = start(result(learning_rate=1e-12))
    n_epochs = 4 if "stages" in names else 2 if "early stopping" in names else 3
    checkpoint = result(names)
    best = check(checkpoint, untrained, n_epochs)
    model = make_model().to(torch.float32)
    model.load_state_dict(checkpoint["best_model_state_dict"])
    parts = Parts(checkpoint["train_hypers"], 0, model, [dataset], [validation])
    found = parts.validation.run(model, lambda: None)
    assert found["loss"] == best["validation loss"]
    steps = 2 if "accumulation" in names else 4
    # batches of 4 and then of 3 in the stages
    second = 2 * (3 if "accumulation" in names else 6) if "stages" in names else 0
    first = 2 if "stages" in names else n_epochs
    assert checkpoint["trainer_state"]["step"] == first * steps + second
