"""Who owns the weights: one owner, from the first draw to the exported file.

A prior below a tiny network is pre-fitted, trained by one optimizer and then by another one
from the best weights so far, with averaged weights; everybody who reads the outcome agrees.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from metatomic.torch import ModelEvaluationOptions, ModelOutput

from mtt import Dataset, evaluate, export, load_model, train
from mtt.checkpoint import read
from mtt.cli.main import cli
from mtt.errors import MttError
from mtt.evaluation import predict
from mtt.exporting import export_model
from mtt.interface import Run
from mtt.testing import predictions, systems
from mtt.training.parts import Parts
from mtt.workflows.folder import RunFolder
from mtt.workflows.train import begin, prepare

Fit = Callable[..., RunFolder]
History = Callable[[RunFolder], list[dict[str, Any]]]
Tensors = dict[str, torch.Tensor]

BONDS = {
    "C-C": {"k": 20.0, "r0": 1.5},
    "C-H": {"k": 21.0, "r0": 1.1},
    "C-O": {"k": 22.0, "r0": 1.4},
    "H-O": {"k": 23.0, "r0": 1.0},
}
PRIOR = {
    "topology": {"from": "connectivity"},
    "bonds": BONDS,
    "repulsion": {"sigma": 1.5, "epsilon": 0.03, "cutoff": 3.0},
}
PREFIT = {"parameters": ["prior.*"], "max_steps": 4}
STAGES = [
    {"name": "broad", "num_epochs": 2, "optimizer": "adabelief", "learning_rate": 0.01},
    {"name": "fine", "num_epochs": 2, "optimizer": "yogi", "from": "best"},
]


def with_prior(options: dict[str, Any], **training: Any) -> dict[str, Any]:
    changed = copy.deepcopy(options)
    changed["architecture"]["model"]["prior"] = copy.deepcopy(PRIOR)
    changed["architecture"]["training"].update(training)
    return changed


def of_prior(state: Tensors) -> Tensors:
    return {name: value for name, value in state.items() if name.startswith("prior.")}


def same(one: Tensors, two: Tensors) -> bool:
    return list(one) == list(two) and all(torch.equal(one[name], two[name]) for name in one)


def equal_predictions(one: Any, other: Any, tolerance: float = 0.0) -> None:
    structures = systems.ordinary((1, 6, 8))
    for a, b in zip(predictions(one, structures), predictions(other, structures), strict=True):
        for part in ("values", "forces", "strain"):
            mine, theirs = getattr(a["energy"], part), getattr(b["energy"], part)
            torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def chain(
    tiny_options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Any], Path]]:
    """Options, and the folder of a run: pre-fit, two stages, averages; exported."""
    folder = tmp_path_factory.mktemp("chain")
    options = with_prior(tiny_options, stages=STAGES, ema={"decay": 0.5}, prefit=PREFIT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(options)
    yield options, folder


@pytest.fixture
def stored(chain: tuple[dict[str, Any], Path]) -> dict[str, Any]:
    return read(chain[1] / "model.ckpt")


# ------------------------------------------------------------------ components create


def test_the_network_comes_from_the_seed_and_the_prior_from_the_options(
    tiny: dict[str, Any],
) -> None:
    def initial(seed: int) -> Tensors:
        options = {**with_prior(tiny), "seed": seed}
        start = begin(prepare(options, Path("model.pt"), None, (), (), True))
        return {name: value.clone() for name, value in start.model.named_parameters()}

    one, again, other = initial(1), initial(1), initial(2)
    assert same(one, again)
    assert same(of_prior(one), of_prior(other))
    network = set(one) - set(of_prior(one))
    drawn = {name for name in network if one[name].std() > 0}
    assert drawn
    assert not any(torch.equal(one[name], other[name]) for name in drawn)
    given = [torch.tensor([bond[key] for bond in BONDS.values()]).double() for key in ("k", "r0")]
    found = [one["prior.bonds.log_k"].exp(), one["prior.bonds.minimum"]]
    for values, expected in zip(found, given, strict=True):
        torch.testing.assert_close(values.double().sort()[0], expected.sort()[0])


def test_same_seed_same_run_and_another_seed_another_one(tiny: dict[str, Any], fit: Fit) -> None:
    options = with_prior(tiny, num_epochs=1)
    one, again = (read(fit(options).checkpoint) for _ in range(2))
    assert same(one["model_state_dict"], again["model_state_dict"])
    assert same(one["best_model_state_dict"], again["best_model_state_dict"])
    assert one["best_metric"] == again["best_metric"]
    other = read(fit({**options, "seed": 2}).checkpoint)
    assert other["best_metric"] != one["best_metric"]


# ------------------------------------------------------------------ one copy


def test_model_trainer_and_optimizer_hold_the_same_parameters_through_all_stages(
    chain: tuple[dict[str, Any], Path], fit: Fit
) -> None:
    options = copy.deepcopy(chain[0])
    plan = prepare(options, Path("model.pt"), None, (), (), True)
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
    tiny: dict[str, Any], fit: Fit, history: History, here: Path
) -> None:
    # an epoch that moves nothing: what is seen is the outcome of the pre-fit
    options = with_prior(tiny, num_epochs=1, learning_rate=1e-300, prefit=PREFIT)
    folder = fit(options)
    checkpoint = read(folder.checkpoint)
    start = begin(prepare(options, Path("model.pt"), None, (), (), True))
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
    chain: tuple[dict[str, Any], Path], stored: dict[str, Any], fit: Fit
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
    chain: tuple[dict[str, Any], Path], stored: dict[str, Any], history: History
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
    tiny["architecture"]["training"].update(stages=[{"num_epochs": 2}, wild])
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
    chain: tuple[dict[str, Any], Path], stored: dict[str, Any], history: History
) -> None:
    options, folder = chain
    rows = history(RunFolder(next((folder / "outputs").glob("*/*"))))
    row = rows[stored["best_epoch"] - 1]
    data = prepare(options, Path("m.pt"), None, (), (), True).data
    model = load_model(folder / "model.ckpt")
    parts = Parts(stored["train_hypers"], 1, model, data.training, data.validation)
    again = parts.validation.run(model, lambda: None)
    assert math.isclose(again["loss"], stored["best_metric"], rel_tol=1e-12)
    assert row["validation loss"] == stored["best_metric"]
    # and by numbers of our own
    (validation,) = data.validation
    found = [batch for batch in predict(model, validation, batch_size=1)]
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
    chain: tuple[dict[str, Any], Path], stored: dict[str, Any]
) -> None:
    (path,) = (chain[1] / "outputs").glob("*/*/checkpoints/best.ckpt")
    then = read(path)
    assert then["epoch"] == then["best_epoch"] == stored["best_epoch"]
    average = then["trainer_state"]["parts"]["average"]["weights"]
    best, latest = stored["best_model_state_dict"], then["model_state_dict"]
    assert all(torch.equal(best[name], value) for name, value in average.items())
    assert not any(torch.equal(latest[name], value) for name, value in of_prior(average).items())


# ------------------------------------------------------------------ export and evaluation


def test_export_holds_the_best_weights_to_ten_digits_and_nothing_of_the_training(
    chain: tuple[dict[str, Any], Path],
) -> None:
    folder = chain[1]
    exported = load_model(folder / "model.pt")
    equal_predictions(load_model(folder / "model.ckpt"), exported, 1e-10)
    assert not any(parameter.requires_grad for parameter in exported.parameters())


def test_energies_of_atoms_add_up_to_that_of_the_structure_and_of_a_supercell(
    chain: tuple[dict[str, Any], Path],
) -> None:
    exported = load_model(chain[1] / "model.pt")
    crystal = systems.crystal((1, 6, 8))

    def energies(atoms: Any, kind: str) -> torch.Tensor:
        data = Dataset.from_atoms([atoms], {}, length_unit="angstrom")
        data.prepare(exported.requested_neighbor_lists())
        output = ModelOutput(quantity="energy", unit="eV", sample_kind=kind)
        wanted = ModelEvaluationOptions(length_unit="angstrom", outputs={"energy": output})
        found: torch.Tensor = exported([data[0].system], wanted, False)["energy"].block().values
        return found

    whole = energies(crystal, "system")
    each = energies(crystal, "atom")
    assert each.shape == (len(crystal), 1)
    torch.testing.assert_close(each.sum(), whole.sum(), rtol=1e-12, atol=0)
    eightfold = energies(crystal.repeat(2), "system")
    torch.testing.assert_close(eightfold, 8 * whole, rtol=1e-10, atol=0)


def test_evaluation_and_export_leave_files_model_and_random_numbers_alone(
    chain: tuple[dict[str, Any], Path], tiny: dict[str, Any], here: Path
) -> None:
    folder = chain[1]
    files = [path for path in folder.rglob("*") if path.is_file()]
    model = load_model(folder / "model.ckpt")
    model.train()
    for k, parameter in enumerate(model.parameters()):
        parameter.requires_grad_(k % 2 == 0)

    def digests() -> dict[str, str]:
        weights = ((name, value.numpy().tobytes()) for name, value in model.state_dict().items())
        parameters = [(p.requires_grad, p.grad is None) for p in model.parameters()]
        found = {
            "files": [path.read_bytes() for path in files],
            "weights": list(weights),
            "modes": [module.training for module in model.modules()],
            "gradients": parameters,
            "torch": torch.get_rng_state().tolist(),
            "python": random.getstate(),
            "numpy": np.random.get_state()[1].tolist(),
        }
        return {name: hashlib.sha256(repr(one).encode()).hexdigest() for name, one in found.items()}

    before = digests()
    evaluate(model, tiny["training_set"], output=here / "output.xyz")
    assert digests() == before
    export_model(model, here / "model.pt")
    assert digests() == before
    evaluate(folder / "model.ckpt", tiny["training_set"])
    assert digests() == before
    export(folder / "model.ckpt", here / "again.zip")
    assert digests() == before


def test_evaluation_and_export_say_whose_weights_they_take(
    chain: tuple[dict[str, Any], Path], stored: dict[str, Any], tiny: dict[str, Any], here: Path
) -> None:
    path = chain[1] / "model.ckpt"
    said = f"model.ckpt: the best weights, of epoch {stored['best_epoch']} (loss {stored['best_metric']:.6g})"
    Path("eval.yaml").write_text(json.dumps(tiny["training_set"]))
    for words in (["eval", str(path), "eval.yaml"], ["export", str(path), "-o", "a.zip"]):
        result = CliRunner().invoke(cli, words, catch_exceptions=False)
        assert said in "".join(result.output.split("\n")), result.output


# ------------------------------------------------------------------ frozen, refused


def test_a_frozen_prior_stays_bit_for_bit_under_weight_decay(
    tiny: dict[str, Any], fit: Fit, caplog: pytest.LogCaptureFixture
) -> None:
    options = with_prior(
        tiny,
        num_epochs=4,
        optimizer="adamw",
        weight_decay=0.1,
        learning_rate=0.05,
        prefit=PREFIT,
    )
    options["architecture"]["model"]["prior"]["trainable"] = False
    start = begin(prepare(options, Path("model.pt"), None, (), (), True))
    with caplog.at_level(logging.WARNING, "mtt"):
        stored = read(fit(options).checkpoint)
    assert "prefit is left out: prior.* can not be trained" in caplog.text
    initial = dict(start.model.named_parameters())
    latest = stored["model_state_dict"]
    for name, value in initial.items():
        assert torch.equal(value, latest[name]) == name.startswith("prior."), name
    groups = stored["trainer_state"]["parts"]["optimizer"]["param_groups"]
    assert not [name for group in groups for name in group["param_names"] if "prior" in name]


def test_without_validation_nothing_can_be_best_and_the_run_is_refused(
    tiny: dict[str, Any], here: Path
) -> None:
    for nothing in (0.0, 0):
        tiny["validation_set"] = nothing
        with pytest.raises(MttError, match="validation"):
            train(tiny)
    assert not list(here.iterdir())
