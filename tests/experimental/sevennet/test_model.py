"""Published networks predict what their package predicts; they are fine-tuned, stored, exported."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
import torch

from mtt import Dataset, DatasetInfo, TargetInfo, load_model, registry, train
from mtt.checkpoint import read
from mtt.mlip.trainable.freeze import choose_trainable
from mtt.mlip.trainable.lora import merge_adapters
from mtt.nn import building
from mtt.options.training.finetune import FinetuneOptions
from mtt.testing import ArchitectureTests
from mtt.testing.predictions import predictions
from mtt.workflows.finetune.replay.choose import structure_features

pytestmark = pytest.mark.skipif(
    find_spec("sevenn") is None, reason="needs sevenn: pip install 'mtt[sevennet]'"
)

SMALL = {
    "pretrained": None,
    "network": {"channels": 4, "layers": 3, "radial_width": 8, "cutoff": 3.5},
}
CASES = [("7net-0", None), ("7net-l3i5", None), ("7net-mf-0", None), ("7net-mf-0", "R2SCAN")]


def model_of(
    dtype: torch.dtype = torch.float32,
    unit: str = "eV",
    length: str = "angstrom",
    targets: tuple[str, ...] = ("energy",),
    **changed: Any,
) -> Any:
    architecture = registry.find("experimental.sevennet").load()
    defaults = architecture.default_hypers["model"]
    network = {**defaults["network"], **changed.pop("network", {})}
    of = {name: TargetInfo.energy(unit, forces=True, stress=True) for name in targets}
    info = DatasetInfo(length, (1, 6, 8, 14), of)
    with building(3, dtype):
        return architecture.model({**defaults, **changed, "network": network}, info).eval()


def structures() -> list[ase.Atoms]:
    generator = np.random.default_rng(2)
    molecule = ase.build.molecule("CH3CH2OH")
    molecule.positions += generator.normal(0.0, 0.05, molecule.positions.shape)
    crystal = ase.build.bulk("Si", cubic=True)
    strain = np.eye(3) + generator.normal(0.0, 0.02, (3, 3))
    crystal.set_cell(crystal.cell[:] @ strain, scale_atoms=True)
    crystal.positions += generator.normal(0.0, 0.05, crystal.positions.shape)
    return [molecule, crystal]


def calculator(name: str, modality: str | None) -> Any:
    """The package's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        more = {} if modality is None else {"modal": modality}
        if name == "7net-mf-0":
            more = {"modal": modality or "PBE"}
        return import_module("sevenn.calculator").SevenNetCalculator(name, device="cpu", **more)


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_first_predictions_are_those_of_the_package(name: str, modality: str | None) -> None:
    model = model_of(pretrained=name, modality=modality)
    theirs = calculator(name, modality)
    found = predictions(model, structures(), info=model.dataset_info)
    for atoms, ours in zip(structures(), found, strict=True):
        atoms.calc = theirs
        energy, (target,) = atoms.get_potential_energy(), ours.values()
        assert float(target.values) == pytest.approx(energy, abs=1e-5)
        np.testing.assert_allclose(target.forces, atoms.get_forces(), atol=1e-5)
        if all(atoms.pbc):
            strain = atoms.get_stress(voigt=False) * atoms.get_volume()
            np.testing.assert_allclose(target.strain.reshape(3, 3), strain, atol=3e-5)


def test_other_units_are_converted() -> None:
    plain, other = model_of(torch.float64), model_of(torch.float64, "kcal/mol", "nm")
    molecule = structures()[0]
    scaled = molecule.copy()
    scaled.positions *= 0.1
    (first,) = predictions(plain, [molecule], info=plain.dataset_info)
    (second,) = predictions(other, [scaled], info=other.dataset_info)
    kcal = 23.060548
    assert float(second["energy"].values) == pytest.approx(kcal * float(first["energy"].values))
    forces = 10 * kcal * first["energy"].forces.numpy()
    np.testing.assert_allclose(second["energy"].forces, forces, rtol=1e-6, atol=1e-6)
    assert other.cutoff == pytest.approx(0.5)


def test_a_precision_and_back_keeps_what_is_exact() -> None:
    model = model_of(torch.float64, network=SMALL["network"], pretrained=None)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.to(torch.float32).to(torch.float64)
    after = model.state_dict()
    constants = [name for name in before if "_w3j_" in name]
    assert constants
    assert all(torch.equal(before[name], after[name]) for name in constants)


@pytest.mark.parametrize(
    ("method", "trained"),
    [
        ({"method": "full"}, {"layers", "readouts"}),
        ({"method": "heads"}, {"readouts"}),
        ({"method": "freeze", "config": {"freeze": ["network.readouts"]}}, {"layers"}),
    ],
)
def test_methods_of_fine_tuning(method: dict[str, Any], trained: set[str]) -> None:
    model = model_of(**SMALL, targets=("energy", "energy/other"))
    options = FinetuneOptions.of({**method, "read_from": "x"})
    choose_trainable(model, options, [], model.head_modules())
    names = [name for name, one in model.named_parameters() if one.requires_grad]
    assert {name.split(".")[1] for name in names} == trained
    assert any(name.startswith("network.readouts.1.") for name in names) == ("readouts" in trained)


def test_low_rank_corrections_of_equivariant_layers() -> None:
    model = model_of(torch.float64, **SMALL)
    (before,) = predictions(model, structures()[:1], info=model.dataset_info)
    options = FinetuneOptions.of(
        {"method": "lora", "read_from": "x", "config": {"rank": 2, "alpha": 4}}
    )
    choose_trainable(model, options, [], {})
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert all(".parametrizations.weight.0." in name for name in trained)
    assert all(min(one.shape) <= 2 for one in trained.values())
    (start,) = predictions(model, structures()[:1], info=model.dataset_info)
    assert torch.equal(before["energy"].forces, start["energy"].forces)
    with torch.no_grad():
        for one in trained.values():
            one.add_(0.05)
    (moved,) = predictions(model, structures()[:1], info=model.dataset_info)
    assert (moved["energy"].forces - before["energy"].forces).abs().max() > 1e-3
    (copied,) = predictions(copy.deepcopy(model), structures()[:1], info=model.dataset_info)
    assert torch.equal(copied["energy"].forces, moved["energy"].forces)  # as averages are made
    turned = structures()[0]
    turned.rotate(40, (1, 2, 3))
    (other,) = predictions(model, [turned], info=model.dataset_info)
    torch.testing.assert_close(other["energy"].values, moved["energy"].values)
    merge_adapters(model)
    (merged,) = predictions(model, structures()[:1], info=model.dataset_info)
    torch.testing.assert_close(merged["energy"].forces, moved["energy"].forces)
    assert not any("parametrizations" in name for name in model.state_dict())


def test_features_of_structures_are_known() -> None:
    """Farthest points of a replay; some weights of the head are never trained."""
    model = model_of(**SMALL)
    features = structure_features(model, "energy", Dataset.from_atoms(structures(), {}), "cpu")
    assert len(features) == 2
    assert float((features[0] - features[1]).abs().max()) > 1e-4


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, ethanol: Path) -> Path:
    """A folder with the outcome of one small step away from 7net-0."""
    folder = tmp_path_factory.mktemp("tuned")
    ase.io.write(folder / "few.xyz", ase.io.read(ethanol, ":3"))
    energy = {"key": "energy", "unit": "eV", "forces": True, "stress": False}
    data = {
        "systems": {"read_from": str(folder / "few.xyz"), "length_unit": "angstrom"},
        "targets": {"energy": energy},
    }
    training = {"num_epochs": 1, "batch_size": 3, "learning_rate": 1e-9, "refit_baseline": False}
    options = {
        "seed": 1,
        "base_precision": 32,
        "device": "cpu",
        "architecture": {"name": "experimental.sevennet", "training": training},
        "training_set": data,
        "validation_set": data,
        "test_set": 0.0,
        "final_eval": False,
    }
    here = Path.cwd()
    try:
        os.chdir(folder)
        train(options, output="model.pt")
    finally:
        os.chdir(here)
    return folder


def test_a_training_starts_from_the_published_weights(tuned: Path) -> None:
    checkpoint = read(tuned / "model.ckpt")
    known = checkpoint["provenance"]
    assert (known["start"], known["method"]) == ("finetune", "full")
    assert known["source"]["path"] == "7net-0"
    assert max(known["step_0"]["differences"].values()) == 0.0
    assert known["step_0"]["labels"]["targets"]["energy"]["baseline"] == "refitted"
    assert checkpoint["model_state_dict"]["scale.values"].tolist() == [1.0]


def test_forces_are_the_package_s_and_the_baseline_takes_the_reference(tuned: Path) -> None:
    model = load_model(tuned / "model.ckpt")
    frames = ase.io.read(tuned / "few.xyz", ":")
    theirs, info = calculator("7net-0", None), model.dataset_info
    for atoms, ours in zip(frames, predictions(model, frames, info=info), strict=True):
        label, plain = atoms.get_potential_energy(), atoms.copy()
        plain.calc = theirs
        np.testing.assert_allclose(ours["energy"].forces, plain.get_forces(), atol=1e-5)
        assert abs(float(ours["energy"].values) - label) < 0.3  # of -300 eV
        assert abs(plain.get_potential_energy() - label) > 100.0


WITHOUT = """
import json, sys
sys.modules["e3nn"] = sys.modules["sevenn"] = None  # to import them is an error
import ase.io, torch
from metatomic_ase import MetatomicCalculator
torch.set_num_threads(1)
atoms = ase.io.read(sys.argv[2], 0)
atoms.calc = MetatomicCalculator(sys.argv[1], device="cpu")
energy, forces = atoms.get_potential_energy(), atoms.get_forces()
print(json.dumps([energy, forces.tolist()]))
"""


def test_the_exported_file_runs_without_the_packages(tuned: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT, "model.pt", "few.xyz"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tuned,
    )
    energy, forces = json.loads(done.stdout.splitlines()[-1])
    model = load_model(tuned / "model.ckpt")
    frames = ase.io.read(tuned / "few.xyz", ":1")
    (ours,) = predictions(model, frames, info=model.dataset_info)
    assert float(ours["energy"].values) == pytest.approx(energy, abs=1e-5)
    np.testing.assert_allclose(ours["energy"].forces, forces, atol=1e-5)


def test_more_elements_need_no_new_weights_where_they_are_published(tuned: Path) -> None:
    checkpoint = read(tuned / "model.ckpt")
    assert tuple(checkpoint["dataset_info"]["atomic_types"]) == (1, 6, 8)
    rows = checkpoint["model_state_dict"]["network.layers.onehot_to_feature_x.linear.weight"]
    assert len(rows) == 89 * 128


def test_the_example_begins(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    small = ["architecture.model.pretrained=null", "architecture.model.network.channels=2"]
    short = ["architecture.training.num_epochs=1", "test_set=0.98", "validation_set=0.01"]
    done = train("examples/sevennet/options.yaml", overrides=[*small, *short])
    assert done.model is not None


class TestPromises(ArchitectureTests):
    """A small network with random weights keeps what is promised of all architectures."""

    architecture = "experimental.sevennet"
    model_hypers = SMALL
