"""Who owns the weights: one owner, from the first draw to the exported file.

A prior below a tiny network is pre-fitted, trained by one optimizer and then by another one
from the best weights so far, with averaged weights; everybody who reads the outcome agrees.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch

from mtt import export, load_model
from mtt.checkpoint import read
from mtt.evaluation import predict
from mtt.interface import Run
from mtt.options.training import parse
from mtt.ranks import SerialRanks
from mtt.training.datasets import TrainingData
from mtt.training.setup import TrainingSetup
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.train import begin, read_inputs

Fit = Callable[..., RunFolder]
History = Callable[[RunFolder], list[dict[str, Any]]]
WithPrior = Callable[..., dict[str, Any]]
Chain = tuple[dict[str, Any], Path]
Tensors = dict[str, torch.Tensor]


def of_prior(state: Tensors) -> Tensors:
    return {name: value for name, value in state.items() if name.startswith("prior.")}


def same(one: Tensors, two: Tensors) -> bool:
    return list(one) == list(two) and all(torch.equal(one[name], two[name]) for name in one)


# ------------------------------------------------------------------ components create


def test_the_network_comes_from_the_seed_and_the_prior_from_the_options(
    tiny: dict[str, Any], with_prior: WithPrior
) -> None:
    def initial(seed: int) -> Tensors:
        options = {**with_prior(tiny), "seed": seed}
        start = begin(read_inputs(options, Path("model.pt"), None, (), (), True, SerialRanks()))
        return {name: value.clone() for name, value in start.model.named_parameters()}

    one, again, other = initial(1), initial(1), initial(2)
    assert same(one, again)
    assert same(of_prior(one), of_prior(other))
    network = set(one) - set(of_prior(one))
    drawn = {name for name in network if one[name].std() > 0}
    assert drawn
    assert not any(torch.equal(one[name], other[name]) for name in drawn)
    bonds = with_prior(tiny)["architecture"]["model"]["prior"]["bonds"]
    given = [torch.tensor([bond[key] for bond in bonds.values()]).double() for key in ("k", "r0")]
    found = [one["prior.bonds.log_k"].exp(), one["prior.bonds.minimum"]]
    for values, expected in zip(found, given, strict=True):
        torch.testing.assert_close(values.double().sort()[0], expected.sort()[0])


def test_same_seed_same_run_and_another_seed_another_one(
    tiny: dict[str, Any], fit: Fit, with_prior: WithPrior
) -> None:
    options = with_prior(tiny, num_epochs=1)
    one, again = (read(fit(options).checkpoint) for _ in range(2))
    assert same(one["model_state_dict"], again["model_state_dict"])
    assert same(one["best_model_state_dict"], again["best_model_state_dict"])
    assert one["best_metric"] == again["best_metric"]
    other = read(fit({**options, "seed": 2}).checkpoint)
    assert other["best_metric"] != one["best_metric"]


# ------------------------------------------------------------------ one copy


def test_model_trainer_and_optimizer_hold_the_same_parameters_through_all_stages(
    chain: Chain, fit: Fit
) -> None:
    options = copy.deepcopy(chain[0])
    plan = read_inputs(options, Path("model.pt"), None, (), (), True, SerialRanks())
    start = begin(plan)
    mine = {name: id(p) for name, p in start.model.named_parameters()}
    seen: list[set[int]] = []

    def held(category: str, values: Any, epoch: int) -> None:
        if category == "epoch":
            groups = start.trainer._fit.stage.step.optimizer.param_groups  # type: ignore[attr-defined]
            seen.append({id(p) for group in groups for p in group["params"]})

    start.trainer.run = Run(seed=1, architecture="soap_bpnn", listeners=(held,), own_loggers=False)
    data = plan.data
    start.trainer.train(
        start.model, plan.dtype, [plan.device], data.training, data.validation, "checkpoints"
    )
    assert {name: id(p) for name, p in start.model.named_parameters()} == mine
    assert seen == [set(mine.values())] * 4


def test_after_a_pre_fit_trainer_checkpoint_and_export_agree(
    tiny: dict[str, Any],
    fit: Fit,
    history: History,
    here: Path,
    with_prior: WithPrior,
    equal_predictions: Callable[..., None],
) -> None:
    # an epoch that moves nothing: what is seen is the outcome of the pre-fit
    options = with_prior(
        tiny,
        num_epochs=1,
        learning_rate=1e-300,
        prefit={"parameters": ["prior.*"], "max_steps": 4},
        refit_baseline=False,
    )
    folder = fit(options)
    checkpoint = read(folder.checkpoint)
    start = begin(read_inputs(options, Path("model.pt"), None, (), (), True, SerialRanks()))
    initial = {name: value.detach() for name, value in start.model.named_parameters()}
    latest = checkpoint["model_state_dict"]
    for name, value in initial.items():
        moved = float((latest[name] - value).abs().max())
        assert moved > 1e-9 if name.startswith("prior.") else moved < 1e-290, name
    fitted = checkpoint["provenance"]["prefit"]
    assert fitted["loss_after"] < fitted["loss_before"]
    row = history(folder)[0]
    assert math.isclose(row["training loss"], fitted["loss_after"], rel_tol=1e-10)
    assert same(latest, checkpoint["best_model_state_dict"])
    best = load_model(folder.checkpoint)
    equal_predictions(best, load_model(export(folder.checkpoint, here / "fitted.zip")))
    equal_predictions(best, load_model(export(folder.checkpoint, here / "fitted.pt")), 1e-10)


# ------------------------------------------------------------------ stages


def test_a_chain_of_pre_fit_and_stages_is_read_back_from_the_checkpoint(
    chain: Chain, stored: dict[str, Any], fit: Fit
) -> None:
    origin = stored["provenance"]
    assert origin["start"] == "new"
    assert origin["prefit"]["parameters"] == [
        "prior.bonds.log_k",
        "prior.bonds.minimum",
        "prior.repulsion.log_epsilon",
    ]
    assert origin["stages"] == [
        {"name": "broad", "from": "last", "epoch": 0},
        {"name": "fine", "from": "best", "epoch": 2},
    ]
    options, folder = copy.deepcopy(chain[0]), chain[1]
    training = options["architecture"]["training"]
    source = str(folder / "model.ckpt")
    training.update(stages=None, prefit=None, num_epochs=1, finetune={"read_from": source})
    tuned = read(fit(options).checkpoint)["provenance"]
    assert tuned["start"] == "finetune"
    assert tuned["source"]["sha256"] == hashlib.sha256(Path(source).read_bytes()).hexdigest()
    assert tuned["source"]["epoch"] == stored["best_epoch"]
    assert tuned["source"]["provenance"] == origin
    assert "prefit" not in tuned


def test_every_stage_has_its_optimizer_schedule_and_row_and_epochs_count_on(
    chain: Chain, stored: dict[str, Any], history: History
) -> None:
    rows = history(RunFolder(next((chain[1] / "outputs").glob("*/*"))))
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["stage"] for row in rows] == [1, 1, 2, 2]
    rates = [row["learning rate"] for row in rows]
    assert rates[0] > rates[1] < 0.01  # falls to the end of the stage
    assert rates[2] > rates[3] < 0.001
    assert rates[2] < 0.001 < rates[0]
    state = stored["trainer_state"]
    assert {group["optimizer"] for group in state["parts"]["optimizer"]["param_groups"]} == {"yogi"}
    assert state["step"] == 4 * 4
    assert state["parts"]["average"]["n"] == 2 * 4  # of the second stage alone


@pytest.mark.parametrize("source", ["best", "last"])
def test_a_stage_begins_with_the_weights_that_it_names(
    tiny: dict[str, Any], fit: Fit, source: str
) -> None:
    wild = {"optimizer": {"name": "sgd"}, "learning_rate": 10.0, "scheduler": "constant"}
    still = {"num_epochs": 1, "learning_rate": 1e-300, "optimizer": "sgd", "from": source}
    stages = [
        {"num_epochs": 1},
        {"num_epochs": 1, **wild, "grad_clip_norm": 100.0, "warmup_fraction": 0.0},
        {**still, "name": "still"},
    ]
    tiny["architecture"]["training"].update(stages=stages, checkpoint_interval=1)
    folder = fit(tiny)
    before, after = read(folder.checkpoints / "epoch_2.ckpt"), read(folder.checkpoint)
    assert before["best_epoch"] == after["best_epoch"] == 1
    best, last = before["best_model_state_dict"], before["model_state_dict"]
    assert not same(best, last)
    assert same(after["model_state_dict"], {"best": best, "last": last}[source])


# ------------------------------------------------------------------ best


def test_a_later_stage_that_worsens_leaves_the_best_alone(
    tiny: dict[str, Any], fit: Fit, history: History
) -> None:
    wild = {"num_epochs": 2, "optimizer": "sgd", "learning_rate": 10.0, "grad_clip_norm": 100.0}
    training = tiny["architecture"]["training"]
    training.update(stages=[{"num_epochs": 2}, wild], refit_baseline=False)
    folder = fit(tiny)
    losses = [row["validation loss"] for row in history(folder)]
    stored, first = read(folder.checkpoint), read(folder.checkpoints / "best.ckpt")
    assert min(losses[2:]) > 10 * min(losses[:2])
    assert stored["best_epoch"] == 1 + losses.index(min(losses)) <= 2
    assert stored["best_metric"] == min(losses)
    # written before the second stage began: a deep snapshot does not move with the model
    assert first["epoch"] <= 2
    assert same(first["best_model_state_dict"], stored["best_model_state_dict"])
    assert same(first["best_model_state_dict"], first["model_state_dict"])
    assert not same(stored["best_model_state_dict"], stored["model_state_dict"])


def test_scoring_the_best_weights_again_gives_the_recorded_value(
    chain: Chain, stored: dict[str, Any], history: History
) -> None:
    options, folder = chain
    rows = history(RunFolder(next((folder / "outputs").glob("*/*"))))
    row = rows[stored["best_epoch"] - 1]
    data = read_inputs(options, Path("m.pt"), None, (), (), True, SerialRanks()).data
    model = load_model(folder / "model.ckpt")
    sets = TrainingData(model, data.training, data.validation)
    parts = TrainingSetup(parse(stored["train_hypers"]), Run(seed=1), model, sets)
    again = parts.make_validation().run(model, lambda: None)
    assert math.isclose(again["loss"], stored["best_metric"], rel_tol=1e-12)
    assert [row["validation loss"], again["loss"]] == [
        pytest.approx(value, rel=1e-12) for value in stored["provenance"]["refit"]["best_metric"]
    ]
    # and by numbers of our own
    (validation,) = data.validation
    found = list(predict(model, validation, batch_size=1))
    frames = [ase.io.read(source_of(validation.source(i))) for i in range(len(validation))]
    assert len(found) == len(frames) == 4
    forces = np.concatenate([batch.targets["energy"].forces.numpy() for batch in found])
    errors = forces - np.concatenate([frame.get_forces() for frame in frames])
    rmse = 1000 * math.sqrt(np.mean(errors**2))
    assert math.isclose(row["validation forces RMSE"], rmse, rel_tol=1e-10)


def source_of(source: str) -> str:
    """As ase reads one frame."""
    path, frame = source.rsplit(", frame ", 1)
    return f"{path}@{frame}"


def test_what_is_validated_best_and_exported_is_the_average(
    chain: Chain, stored: dict[str, Any]
) -> None:
    (path,) = (chain[1] / "outputs").glob("*/*/checkpoints/best.ckpt")
    then = read(path)
    assert then["epoch"] == then["best_epoch"] == stored["best_epoch"]
    average = then["trainer_state"]["parts"]["average"]["weights"]
    best, latest = stored["best_model_state_dict"], then["model_state_dict"]
    assert all(torch.equal(best[name], value) for name, value in average.items())
    assert not any(torch.equal(latest[name], value) for name, value in of_prior(average).items())
