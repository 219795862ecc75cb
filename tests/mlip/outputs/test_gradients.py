"""Derivatives of vectors and tensors, against finite differences and closed forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ase
import ase.build
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, Target, TargetInfo
from mtt.data import Dataset
from mtt.data.batching.augmentation import rotations, turn_forces, turn_strain
from mtt.errors import MttError
from mtt.evaluation import evaluate, predict
from mtt.exporting import export_model, load_exported
from mtt.registry import find

VECTOR = TargetInfo(kind='cartesian {"rank": 1}', unit="e*Å", gradients=("positions", "strain"))
TENSOR = TargetInfo(kind='cartesian {"rank": 2, "symmetric": true}', gradients=("positions",))
GAP = TargetInfo(extensive=False, gradients=("positions",))
TARGETS = {"mtt::mu": VECTOR, "mtt::alpha": TENSOR, "mtt::gap": GAP}
TINY = {
    **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
    "cutoff": 3.0,
    "cutoff_width": 2.0,
    "max_angular": 2,
    "num_layers": 2,
}
STEP = 1e-4
BORN_CHARGES = {
    "key": False,
    "unit": "e*Å",
    "type": {"cartesian": {"rank": 1}},
    "gradients": {"positions": {"key": "dipole_gradient"}},
}


def make(targets: dict[str, TargetInfo]) -> Any:
    torch.manual_seed(3)
    folder = find("density_messages").load()
    hypers = {**folder.default_hypers["model"], **TINY}
    return folder.model(hypers, DatasetInfo("angstrom", (1, 6, 8), targets)).double().eval()


@pytest.fixture(scope="module")
def model() -> Any:
    return make(TARGETS)


def ethanol() -> ase.Atoms:
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=1)
    return atoms


def predicted(model: Any, *structures: ase.Atoms) -> dict[str, Target]:
    data = Dataset.from_atoms(list(structures), {})
    (batch,) = predict(model, data, batch_size=len(structures))
    return batch.targets


def test_derivatives_of_components_are_finite_differences(model: Any) -> None:
    atoms = ethanol()
    found = predicted(model, atoms)
    moved = []
    for i, axis in ((0, 0), (4, 1), (8, 2)):
        for sign in (1, -1):
            other = atoms.copy()
            other.positions[i, axis] += sign * STEP
            moved.append(other)
    values = predicted(model, *moved)
    for name, sign in (("mtt::mu", 1.0), ("mtt::alpha", 1.0), ("mtt::gap", -1.0)):
        slopes = found[name].forces
        assert slopes is not None
        tail = () if name == "mtt::gap" else TARGETS[name].shape
        assert slopes.shape == (9, 3, *tail)
        numbers = values[name].values
        for k, (i, axis) in enumerate(((0, 0), (4, 1), (8, 2))):
            slope = (numbers[2 * k] - numbers[2 * k + 1]) / (2 * STEP)
            own = sign * slopes[i, axis].reshape(slope.shape)
            torch.testing.assert_close(own, slope, rtol=0, atol=1e-6 * float(slopes.abs().max()))


def test_the_derivative_by_strain_is_a_finite_difference(model: Any) -> None:
    atoms = ethanol()
    slope = predicted(model, atoms)["mtt::mu"].strain
    assert slope is not None
    assert slope.shape == (1, 3, 3, 3, 1)
    strain = np.zeros((3, 3))
    strain[0, 1] = strain[1, 0] = STEP / 2
    strained = []
    for sign in (1, -1):
        other = atoms.copy()
        other.positions = atoms.positions @ (np.eye(3) + sign * strain)
        strained.append(other)
    values = predicted(model, *strained)["mtt::mu"].values
    wanted = (values[0] - values[1]) / (2 * STEP)
    torch.testing.assert_close(slope[0, 0, 1], wanted, rtol=1e-6, atol=1e-9)


def test_born_charges_sum_to_zero(model: Any) -> None:
    slopes = predicted(model, ethanol())["mtt::mu"].forces
    assert slopes is not None
    assert float(slopes.sum(0).abs().max()) < 1e-12


def test_an_exported_file_gives_the_same_derivatives(model: Any) -> None:
    structures = [ethanol(), ase.build.molecule("H2O")]
    own, exported = predicted(model, *structures), predicted(model.export(), *structures)
    for name, target in own.items():
        other = exported[name]
        assert target.forces is not None
        assert other.forces is not None
        torch.testing.assert_close(other.forces, target.forces, rtol=1e-9, atol=1e-11)
    assert own["mtt::mu"].strain is not None
    torch.testing.assert_close(exported["mtt::mu"].strain, own["mtt::mu"].strain)


def test_a_file_with_both_derivatives_is_verified_and_knows_sizes_and_energies(
    tmp_path: Path,
) -> None:
    targets = {
        "mtt::mu": replace(VECTOR, properties=2),
        "mtt::levels": TargetInfo(properties=3, gradients=("positions",), extensive=False),
        "mtt::U0": TargetInfo("energy", "eV"),
    }
    model, structures = make(targets), [ethanol(), ase.build.molecule("H2O")]
    path = export_model(model, tmp_path / "model.pt")
    own, exported = predicted(model, *structures), predicted(load_exported(path), *structures)
    assert exported["mtt::mu"].forces is not None
    assert exported["mtt::U0"].values.shape == (2, 1)
    for name, target in own.items():
        for mine, other in zip(target, exported[name], strict=True):
            if mine is not None:
                torch.testing.assert_close(other, mine)


def test_derivatives_of_turned_structures_are_turned_derivatives(model: Any) -> None:
    atoms = ethanol()
    turn = rotations(np.array([[0.2, 0.5, 0.7]]))
    turned = atoms.copy()
    turned.positions = atoms.positions @ turn[0].T
    before, after = predicted(model, atoms), predicted(model, turned)
    matrix, owner = torch.from_numpy(turn), torch.zeros(9, dtype=torch.long)
    for name, info in TARGETS.items():
        slopes, others = before[name].forces, after[name].forces
        assert slopes is not None
        assert others is not None
        wanted = turn_forces(slopes, info, matrix, owner)
        torch.testing.assert_close(others, wanted, rtol=1e-9, atol=1e-10)
    strains = before["mtt::mu"].strain, after["mtt::mu"].strain
    assert strains[0] is not None
    wanted = turn_strain(strains[0], VECTOR, matrix)
    torch.testing.assert_close(strains[1], wanted, rtol=1e-9, atol=1e-10)


def test_derivatives_that_are_not_asked_for_are_not_computed() -> None:
    targets = {"mtt::mu": TargetInfo(kind=VECTOR.kind)}
    found = predicted(make(targets), ethanol())["mtt::mu"]
    assert found.forces is None
    assert found.strain is None


def point_charges(n: int, seed: int) -> list[ase.Atoms]:
    """Water-like molecules of fixed charges: μ = Σ q r, and Z*_i = q_i 1."""
    random = np.random.default_rng(seed)
    charges = {1: 0.4, 8: -0.8}
    found = []
    for _ in range(n):
        atoms = ase.build.molecule("H2O")
        atoms.positions += random.normal(0, 0.15, (3, 3))
        q = np.array([charges[z] for z in atoms.numbers])
        atoms.info["dipole"] = q @ atoms.positions
        atoms.arrays["dipole_gradient"] = (q[:, None, None] * np.eye(3)).reshape(3, 9)
        found.append(atoms)
    return found


def test_a_model_learns_born_charges_alone(tmp_path: Path) -> None:
    data = Dataset.from_atoms(point_charges(6, 0), {"mtt::mu": BORN_CHARGES})
    folder = find("density_messages").load()
    hypers = {**folder.trainer.platform_hypers(), **folder.default_hypers["training"]}
    hypers |= {"num_epochs": 15, "batch_size": 3, "learning_rate": 0.1, "loss": "mse"}
    torch.manual_seed(3)
    model = folder.model({**folder.default_hypers["model"], **TINY}, data.info)
    trainer = folder.trainer(hypers)
    cpu = torch.device("cpu")
    trainer.train(model, torch.float64, [cpu], [data], [data], str(tmp_path))
    errors = evaluate(model, data).errors
    assert errors["mtt::mu gradient RMSE"] < 0.1  # charges are 0.4 and -0.8 e
    assert "mtt::mu RMSE" not in errors


def test_a_training_on_derivatives_is_not_compiled(tmp_path: Path) -> None:
    data = Dataset.from_atoms(point_charges(2, 0), {"mtt::mu": BORN_CHARGES})
    folder = find("density_messages").load()
    hypers = {**folder.trainer.platform_hypers(), **folder.default_hypers["training"]}
    model = folder.model({**folder.default_hypers["model"], **TINY}, data.info)
    trainer = folder.trainer({**hypers, "loss": "mse", "compile": True})
    cpu = torch.device("cpu")
    with pytest.raises(MttError, match="derivatives of mtt::mu cannot be compiled"):
        trainer.train(model, torch.float64, [cpu], [data], [data], str(tmp_path))


def test_derivatives_of_values_of_atoms_are_refused() -> None:
    info = TargetInfo(sample_kind="atom", gradients=("positions",))
    with pytest.raises(MttError, match="derivatives of 'mtt::q' cannot be trained"):
        make({"mtt::q": info})
