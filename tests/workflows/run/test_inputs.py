"""Inputs of models in trainings: missing and impossible ones, restarts, and fine-tuning to more."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest

from mtt import load_model
from mtt.checkpoint import read
from mtt.errors import ArchitectureError, ConfigError, DataError, MttError
from mtt.workflows.train import check_only

Options = dict[str, Any]
CHARGE = {"charge": {"key": "q"}}
BOTH = {**CHARGE, "temperature": {"key": "T"}}


def hydrogens(path: Path, charges: list[float], **info: float) -> str:
    """A file of bent molecules of three hydrogens."""
    generator, frames = np.random.default_rng(0), []
    for i, charge in enumerate(charges):
        atoms = ase.Atoms("H3", [[0, 0, 0], [0, 0, 1], [0, 0.9, 0.5]])
        atoms.positions += generator.normal(0, 0.05, (3, 3))
        atoms.info |= {"energy": 1.0 + charge, "q": charge, "T": 300.0 + i, **info}
        frames.append(atoms)
    ase.io.write(path, frames)
    return str(path)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Density messages that take a charge, on eight structures."""
    monkeypatch.chdir(tmp_path)
    file = hydrogens(tmp_path / "ions.xyz", [0, 1, -1, 0, 1, -1, 2, 0])
    data = {
        "systems": {"read_from": file, "length_unit": "angstrom"},
        "targets": {"energy": {"key": "energy", "unit": "eV", "forces": False, "stress": False}},
        "extra_data": CHARGE,
    }
    small = {"cutoff": 2.0, "num_channels": 2, "num_features": 4, "num_radial": 2}
    small |= {"max_angular": 1, "num_layers": 1, "inputs": ["charge"]}
    training = {"num_epochs": 1, "batch_size": 4}
    return {
        "seed": 0,
        "base_precision": 64,
        "report": False,
        "architecture": {"name": "density_messages", "model": small, "training": training},
        "training_set": data,
        "validation_set": 0.25,
        "test_set": 0.0,
    }


def refused(options: Options, match: str, error: type[MttError] = DataError) -> None:
    with pytest.raises(error, match=match):
        check_only(options)


def test_data_in_order_are_accepted_and_nothing_is_said(
    options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mtt"):
        check_only(options)
    assert [line for line in caplog.messages if "extra_data" in line] == []


def test_inputs_that_the_data_lack_are_refused(options: Options, tmp_path: Path) -> None:
    whole = options["training_set"]
    without = {key: value for key, value in whole.items() if key != "extra_data"}
    said = r"ions\.xyz, frame \d+: the model takes charge as an input, and extra_data has no charge"
    refused({**options, "training_set": without}, said)
    # one of several data sets, or of the parts
    refused({**options, "training_set": [whole, without]}, said)
    refused({**options, "validation_set": without}, said)
    model = {**options["architecture"]["model"], "inputs": ["charge", "temprature"]}
    misspelt = {**options["architecture"], "model": model}
    said = r"architecture\.model\.inputs: extra_data has no temprature.*did you mean 'temperature'"
    training = {**whole, "extra_data": BOTH}
    refused(
        {**options, "architecture": misspelt, "training_set": training}, said, ArchitectureError
    )
    hydrogens(tmp_path / "ions.xyz", [0, 1, 0.5, 0, float("nan"), 0.25, 1, 1])
    refused(options, r"ions\.xyz, frame 2: charge is 0\.5, which is not a whole number")
    refused(options, r"ions\.xyz, frame 4: charge is missing \(nan\)")


def test_an_option_that_the_architecture_does_not_take_is_refused(options: Options) -> None:
    options["architecture"] = {"name": "soap_bpnn", "model": {"inputs": ["charge"]}}
    refused(options, "takes structures alone, not charge", ArchitectureError)
    extra = {"site": {"key": "T"}}
    options["training_set"]["extra_data"] = extra
    options["architecture"] = {"name": "pet", "model": {"inputs": ["site"]}}
    refused(options, r"PET does not take numbers of each structure \(site\)", ArchitectureError)


def test_pet_takes_what_is_listed_and_names_a_charge_that_is_too_large(options: Options) -> None:
    tiny = dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4)
    tiny |= {"cutoff": 2.0, "num_heads": 1, "num_attention_layers": 1, "num_gnn_layers": 1}
    model = {**tiny, "inputs": ["charge"], "max_charge": 1}
    options["architecture"] = {"name": "pet", "model": model}
    said = r"ions\.xyz, frame 6: charge is 2: the model takes -1 to 1.*max_charge of a new model"
    refused(options, said)
    model["max_charge"] = 2
    _, start = check_only(options)
    assert list(start.model.requested_inputs()) == ["charge"]  # type: ignore[attr-defined]


def test_what_could_be_an_input_is_named_with_the_option(
    options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    options["training_set"]["extra_data"] = BOTH
    with caplog.at_level(logging.WARNING, "mtt"):
        check_only(options)
    (said,) = [line for line in caplog.messages if "extra_data" in line]
    assert said.startswith("extra_data: temperature changes nothing: density_messages predicts")
    assert said.endswith("write architecture.model.inputs: [charge, temperature]")


def test_a_run_with_inputs_resumes_and_is_fine_tuned_to_more_of_them(
    options: Options, fit: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    longer, source = copy.deepcopy(options), fit(options).path / "model.ckpt"
    longer["architecture"]["training"]["num_epochs"] = 2
    resumed = fit(longer, source).path / "model.ckpt"
    stored = read(resumed)
    assert stored["model_hypers"]["inputs"] == ["charge"]
    moved = stored["model_state_dict"]["conditioning.parts.0.last.weight"]
    assert float(moved.abs().max()) > 1e-4, "it begins with zeros, and learns"

    tuned = copy.deepcopy(options)
    tuned["training_set"]["extra_data"] = BOTH
    tuned["architecture"]["model"]["inputs"] = ["temperature", "charge"]
    tuned["architecture"]["training"]["finetune"] = {"read_from": str(source)}
    with caplog.at_level(logging.INFO, "mtt"):
        _, start = check_only(tuned)
    assert any("temperature is a new input" in line for line in caplog.messages)
    assert any("both predict the same energy" in line for line in caplog.messages)
    temperature, charge = start.model.conditioning.parts  # type: ignore[attr-defined,misc,union-attr]
    assert float(temperature.mean) == pytest.approx(303.5, abs=3)
    known = load_model(source).conditioning.parts[0]  # type: ignore[union-attr,index]
    for one, other in zip(charge.parameters(), known.parameters(), strict=True):
        assert one.equal(other)

    heads = copy.deepcopy(tuned)
    heads["architecture"]["training"]["finetune"] |= {"method": "heads"}
    refused(heads, "temperature would not be learnt: .* frozen by method heads", ConfigError)
    tuned["architecture"]["model"]["inputs"] = ["temperature"]
    refused(tuned, r"the source takes charge, .* would not; write inputs: \[charge\]", ConfigError)
