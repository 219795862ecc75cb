"""Techniques together: each does what it does alone, and none gets lost."""

import itertools
import json
import math

import pytest
import torch

from mtt.checkpoint import read
from mtt.errors import ConfigError
from mtt.interface import Run
from mtt.options.training import parse
from mtt.training import TrainingInterrupted
from mtt.training.datasets import TrainingData
from mtt.training.numerics.determinism import deterministic
from mtt.training.setup import TrainingSetup

TECHNIQUES = {
    "ema": {"ema": {"decay": 0.9}},
    "config": {"gradient_combination": "config"},
    "accumulation": {"gradient_accumulation": 2},
    "clip": {"grad_clip_norm": 0.3},
    "amp": {"amp": "bf16"},
    "stages": {"stages": [{"num_epochs": 1}, {"num_epochs": 3, "from": "best", "batch_size": 3}]},
    # only the first epoch of a stage is progress: it ends after the second one
    "early stopping": {"early_stopping": {"patience": 1, "min_delta": 1e9}},
}
"""Options that nothing else sets, so that those of several techniques are a plain union."""

FEW = {
    "num_epochs": 3,
    "batch_size": 4,
    "grad_clip_norm": None,
    "scheduler": "constant",
    "checkpoint_interval": None,
    "deterministic": True,
}


def subsets(*sizes):
    return [frozenset(each) for size in sizes for each in itertools.combinations(TECHNIQUES, size)]


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
def result(results, make_model, make_trainer, train, device, tmp_path):
    """The last checkpoint of a run with some techniques; in float32."""

    def run(names=frozenset(), **others):
        key = (device, names, json.dumps(others))
        if key not in results:
            folder = tmp_path / f"run {len(results)}"
            trainer = make_trainer(**options(names, **others))
            train(trainer, make_model(), checkpoints=folder, device=device, dtype=torch.float32)
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


def batches(names):
    """Of every epoch."""
    n_epochs = 2 if "early stopping" in names else 3
    return [4] + [6] * n_epochs if "stages" in names else [4] * n_epochs


def check(result, names, untrained):
    """It has run to its end, is finite and has learnt; returns the row of the best epoch."""
    history = rows(result)
    assert [row["epoch"] for row in history] == [i + 1 for i in range(len(batches(names)))]
    assert all(math.isfinite(value) for row in history for value in row.values())
    assert torch.isfinite(numbers(result)).all()
    best = history[result["best_epoch"] - 1]
    assert best["validation loss"] == min(row["validation loss"] for row in history)
    refit = result["provenance"].get("refit", {})
    before, after = refit.get("best_metric", [result["best_metric"]] * 2)
    assert best["validation loss"] == before < untrained
    # the refit may raise it within the scatter of eight validation structures
    assert result["best_metric"] == after <= before * (1 + 0.25)
    return best


@pytest.mark.parametrize("names", **named(subsets(1, 2, 3)))
def test_every_combination_learns_and_its_best_weights_score_what_is_recorded(
    result, make_model, dataset, validation, device, names
):
    checkpoint = result(names)
    check(checkpoint, names, start(result(learning_rate=1e-12)))
    model = make_model().to(device, torch.float32)
    model.load_state_dict(checkpoint["best_model_state_dict"])
    data = TrainingData(model, [dataset], [validation])
    parts = TrainingSetup(parse(checkpoint["train_hypers"]), Run(), model, data)
    with deterministic(True):
        found = parts.make_validation().run(model, lambda: None)
    assert found["loss"] == checkpoint["best_metric"]


@pytest.mark.parametrize("names", **named(subsets(1, 2, 3)))
def test_no_technique_of_a_combination_is_lost(result, names):
    """Without any one of them the weights are others, and the number of steps is as asked."""
    weights = numbers(result(names))
    for name in names:
        others = numbers(result(names - {name}))
        assert not torch.equal(weights, others), name
    per_step = 2 if "accumulation" in names else 1
    steps = sum(n // per_step for n in batches(names))
    assert result(names)["trainer_state"]["step"] == steps


@pytest.mark.parametrize("names", **named([each | {"ema"} for each in subsets(0, 1, 2)]))
def test_an_average_changes_no_step_of_any_combination(assert_equal, result, names):
    """Until a stage begins with the best weights, which are averages."""
    one, two = result(names), result(names - {"ema"})
    for row in (first := rows(one)) + (second := rows(two)):
        for name in [name for name in row if name.startswith(("validation", "seconds"))]:
            del row[name]
    n = 1 if "stages" in names else None
    assert first[:n] == second[:n]
    if "stages" not in names:
        assert_equal(one["model_state_dict"], two["model_state_dict"])


@pytest.mark.parametrize("names", **named(subsets(0, 1)))
def test_a_fp16_run_learns_with_any_other_technique(result, names):
    checkpoint = result(names, amp="fp16")
    check(checkpoint, names, start(result(learning_rate=1e-12)))
    assert checkpoint["trainer_state"]["parts"]["scaler"]["scale"] > 0


@pytest.mark.parametrize(
    ("clash", "message"),
    [
        ({"optimizer": "schedulefree_adamw", "ema": True}, "averages the weights itself"),
        ({"optimizer": "lbfgs", "gradient_combination": "config"}, "gradient of one function"),
        ({"optimizer": "lbfgs", "amp": "fp16"}, "float16 is too coarse"),
    ],
)
def test_what_cannot_go_together_is_refused_with_the_reason(
    make_model, train, clash, message, make_trainer
):
    for hypers in (clash, {"stages": [{"num_epochs": 1}, {"num_epochs": 1, **clash}]}):
        with pytest.raises(ConfigError, match=message):
            train(make_trainer(**hypers), make_model(), dtype=torch.float32)


def test_mixed_precision_of_float64_is_refused(make_model, make_trainer, train):
    with pytest.raises(ConfigError, match="mixed precision works on float32"):
        train(make_trainer(amp="bf16"), make_model())


@pytest.mark.parametrize("names", **named(subsets(0, 1, 2)))
def test_every_pair_resumes_bit_for_bit_after_a_stop(
    assert_equal,
    result,
    make_model,
    make_trainer,
    train,
    restart,
    terminate,
    device,
    tmp_path,
    names,
):
    straight = result(names)
    place = {"checkpoints": tmp_path / "stopped", "device": device, "dtype": torch.float32}
    last = tmp_path / "stopped" / "last.ckpt"
    stopped = make_trainer(listeners=[terminate(2, 2)], **options(names))
    with pytest.raises(TrainingInterrupted):
        train(stopped, make_model(), **place)
    model, resumed = restart(last, make_trainer(**options(names)))
    train(resumed, model, **place)
    assert_equal(read(last), straight)
