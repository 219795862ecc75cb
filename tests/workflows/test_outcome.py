"""What leaves a training: exported, evaluated, frozen; nobody changes what is not theirs."""

from __future__ import annotations

import hashlib
import json
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from metatomic.torch import ModelEvaluationOptions, ModelOutput
from torch.func import functional_call

from mtt import Dataset, evaluate, export, load_model, train
from mtt.checkpoint import read
from mtt.cli.main import cli
from mtt.errors import MttError
from mtt.exporting import export_model
from mtt.ranks import SerialRanks
from mtt.testing import systems
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.train import begin, read_inputs

Fit = Callable[..., RunFolder]
WithPrior = Callable[..., dict[str, Any]]
Chain = tuple[dict[str, Any], Path]


def test_export_holds_the_best_weights_to_ten_digits_and_nothing_of_the_training(
    chain: Chain, equal_predictions: Callable[..., None]
) -> None:
    folder = chain[1]
    exported = load_model(folder / "model.pt")
    equal_predictions(load_model(folder / "model.ckpt"), exported, 1e-10)
    assert not any(parameter.requires_grad for parameter in exported.parameters())


def test_a_prediction_is_a_function_of_the_weights_that_are_given(chain: Chain) -> None:
    model = load_model(chain[1] / "model.ckpt")
    data = Dataset.from_atoms([systems.crystal((1, 6, 8))], {}, length_unit="angstrom")
    data.prepare(model.requested_neighbor_lists())
    wanted = {"energy": ModelOutput(unit="eV", sample_kind="system")}

    def energy(weights: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
        given = [data[0].system], wanted, None
        own = {} if weights is None else weights
        found: torch.Tensor = functional_call(model, own, given)["energy"].block().values
        return found.detach()

    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    before = energy(weights)
    assert torch.equal(energy(), before)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    assert torch.equal(energy(weights), before)
    assert not torch.equal(energy(), before)


def test_energies_of_atoms_add_up_to_that_of_the_structure_and_of_a_supercell(chain: Chain) -> None:
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
    chain: Chain, tiny: dict[str, Any], here: Path
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
    chain: Chain, stored: dict[str, Any], tiny: dict[str, Any], here: Path
) -> None:
    path = chain[1] / "model.ckpt"
    value = f"(loss {stored['best_metric']:.6g})"
    said = f"model.ckpt: the best weights, of epoch {stored['best_epoch']} {value}"
    Path("eval.yaml").write_text(json.dumps(tiny["training_set"]))
    for words in (["eval", str(path), "eval.yaml"], ["export", str(path), "-o", "a.zip"]):
        result = CliRunner().invoke(cli, words, catch_exceptions=False)
        assert said in "".join(result.output.split("\n")), result.output


def test_a_frozen_prior_stays_bit_for_bit_under_weight_decay(
    tiny: dict[str, Any], fit: Fit, caplog: pytest.LogCaptureFixture, with_prior: WithPrior
) -> None:
    options = with_prior(
        tiny,
        num_epochs=4,
        optimizer="adamw",
        weight_decay=0.1,
        learning_rate=0.05,
        prefit={"parameters": ["prior.*"], "max_steps": 4},
    )
    options["architecture"]["model"]["prior"]["trainable"] = False
    start = begin(read_inputs(options, Path("model.pt"), None, (), (), True, SerialRanks()))
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
