"""Scales far from the forces of the data."""

import ase.build
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.mlip.finetune.fine_tune import fine_tune
from mtt.mlip.finetune.rescale import FAR, refold_scales
from mtt.options.training import parse
from mtt.registry import find
from mtt.testing import predictions

INFO = DatasetInfo("angstrom", (1, 8), {"energy": TargetInfo.energy(forces=True)})
ARCHITECTURES = ["soap_bpnn", "density_messages", "pet"]


def make(name, scale):
    """A model of a single precision that is its own last layer times ``scale``."""
    architecture = find(name).load()
    torch.manual_seed(0)
    model = architecture.model(architecture.default_hypers["model"], INFO).to(torch.float32)
    model.scale.values.fill_(scale)
    return model


@pytest.fixture(scope="module")
def dataset():
    """Forces with a root mean square of 2 eV/Å."""
    frames = []
    for i in range(3):
        atoms = ase.build.molecule("H2O")
        atoms.rattle(0.05, seed=i)
        atoms.calc = SinglePointCalculator(atoms, energy=-470.0, forces=np.full((3, 3), 2.0))
        frames.append(atoms)
    return Dataset.from_atoms(frames, {"energy": {"forces": True, "stress": False}})


def assert_same(one, other):
    atoms = [ase.build.molecule("H2O")]
    for part in ("values", "forces"):
        found = [getattr(predictions(model, atoms)[0]["energy"], part) for model in (one, other)]
        torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("scale", "factor"), [(0.0625, 32.0), (300.0, 2.0**-7)])
def test_a_power_of_two_moves_between_last_layer_and_scale_bit_for_bit(
    name, scale, factor, dataset
):
    source, model = make(name, scale), make(name, scale)
    (note,) = refold_scales(model, dataset, ["energy"])
    assert f"the last layer is divided by {factor:g}; no prediction changes" in note
    assert model.scales["energy"] == scale * factor
    assert_same(source, model)


def test_a_scale_that_is_near_stays_and_nothing_changes(dataset):
    model = make("soap_bpnn", 2.0 / (0.99 * FAR))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert refold_scales(model, dataset, ["energy"]) == []
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_a_head_that_is_not_known_keeps_its_scale(dataset):
    model = make("soap_bpnn", 0.01)
    model.head_modules = dict
    (note,) = refold_scales(model, dataset, ["energy"])
    assert "it stays, since the last layer of its head is not known" in note
    assert model.scales["energy"] == 0.01


def test_forces_that_are_noise_move_nothing():
    atoms = ase.build.molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=-470.0, forces=np.full((3, 3), 1e-6))
    dataset = Dataset.from_atoms([atoms], {"energy": {"forces": True, "stress": False}})
    assert refold_scales(make("soap_bpnn", 1.0), dataset, ["energy"]) == []


@pytest.mark.parametrize(
    ("given", "scale"),
    [
        ({}, 2.0),
        ({"finetune": {"method": "lora"}}, 0.0625),  # frozen weights stay bit for bit
        ({"fixed_scaling_weights": {"energy": 0.5}}, 0.5),
        ({"scale_targets": False}, 0.0625),
    ],
)
def test_a_fine_tuning_moves_the_scale_unless_the_options_decide(given, scale, dataset):
    source = make("soap_bpnn", 0.0625)
    tuned = {"read_from": "source.ckpt", **given.get("finetune", {})}
    made = fine_tune(source, source.hypers, INFO, dataset, parse({**given, "finetune": tuned}))
    assert made.model.scales["energy"] == scale
    assert_same(source, made.aligned)
