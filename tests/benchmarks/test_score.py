"""The one scorer of the accuracy tables, against numpy and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

Import = Callable[[str], ModuleType]


@pytest.fixture
def score(module: Import) -> ModuleType:
    return module("score")


def labels(score: ModuleType, seed: int, n_atoms: list[int], stress: bool = True) -> Any:
    random = np.random.default_rng(seed)
    n = len(n_atoms)
    tensors = random.normal(size=(n, 3, 3)) if stress else np.full((n, 3, 3), np.nan)
    return score.Labels(
        random.normal(size=n), random.normal(size=(sum(n_atoms), 3)), np.array(n_atoms), tensors
    )


def test_errors_of_constant_offsets_are_these_offsets(score: ModuleType) -> None:
    one = labels(score, 0, [2, 5, 3])
    other = score.Labels(
        one.energies + np.array([0.002, -0.01, 0.006]),
        one.forces - 0.04,
        one.n_atoms,
        one.stress + 0.003,
    )
    errors = score.errors(one, other)
    assert errors.energy_rmse == pytest.approx(np.sqrt((4 + 100 + 36) / 3))
    assert errors.energy_mae == pytest.approx(6.0)
    assert errors.energy_per_atom_rmse == pytest.approx(np.sqrt((1 + 4 + 4) / 3))
    assert errors.energy_per_atom_mae == pytest.approx(5 / 3)
    assert errors.forces_rmse == pytest.approx(40.0)
    assert errors.forces_mae == pytest.approx(40.0)
    assert errors.stress_rmse == pytest.approx(3.0)


def test_errors_equal_those_of_numpy(score: ModuleType) -> None:
    one, other = labels(score, 1, [4, 1, 7, 2]), labels(score, 2, [4, 1, 7, 2])
    errors = score.errors(one, other)
    energy = 1e3 * (one.energies - other.energies)
    forces = 1e3 * (one.forces - other.forces).ravel()
    assert errors.energy_rmse == pytest.approx(np.linalg.norm(energy) / 2)
    assert errors.energy_per_atom_mae == pytest.approx(np.mean(abs(energy) / [4, 1, 7, 2]))
    assert errors.forces_rmse == pytest.approx(np.linalg.norm(forces) / np.sqrt(42))
    assert errors.forces_mae == pytest.approx(np.abs(forces).sum() / 42)


def test_a_large_total_energy_does_not_cost_digits(score: ModuleType) -> None:
    one = labels(score, 3, [15])
    far = score.Labels(one.energies - 9391.0, one.forces, one.n_atoms, one.stress)
    near = score.Labels(far.energies + 1e-6, one.forces, one.n_atoms, one.stress)
    assert score.errors(far, near).energy_rmse == pytest.approx(1e-3, rel=1e-5)


def test_stress_counts_where_both_sides_have_it(score: ModuleType) -> None:
    one, none = labels(score, 4, [1, 2]), labels(score, 4, [1, 2], stress=False)
    assert score.errors(one, none).stress_rmse is None
    half = score.Labels(one.energies, one.forces, one.n_atoms, one.stress + 0.001)
    half.stress[1] = np.nan
    assert score.errors(one, half).stress_rmse == pytest.approx(1.0)


def test_other_structures_and_values_that_are_not_finite_are_refused(score: ModuleType) -> None:
    one = labels(score, 5, [3, 2])
    with pytest.raises(ValueError, match="not of the same structures"):
        score.errors(one, labels(score, 5, [2, 3]))
    broken = labels(score, 5, [3, 2])
    broken.forces[0, 0] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        score.errors(one, broken)


def test_labels_and_predictions_come_back_from_their_files(
    score: ModuleType, tmp_path: Path
) -> None:
    molecule = ase.Atoms("OH", [[0, 0, 0], [0, 0, 1]])
    crystal = ase.Atoms("Si", cell=[3, 3, 3], pbc=True)
    forces = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, -0.5]])
    molecule.calc = SinglePointCalculator(molecule, energy=-1.25, forces=forces)
    voigt = np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3])
    crystal.calc = SinglePointCalculator(
        crystal, energy=-5.5, forces=np.zeros((1, 3)), stress=voigt
    )
    ase.io.write(tmp_path / "frames.xyz", [molecule, crystal], format="extxyz")
    read = score.read_labels(tmp_path / "frames.xyz")
    assert read.energies.tolist() == [-1.25, -5.5]
    assert read.n_atoms.tolist() == [2, 1]
    assert np.allclose(read.forces[:2], forces, atol=0)
    assert np.isnan(read.stress[0]).all()
    assert np.allclose(read.stress[1], [[1, 0.3, 0.2], [0.3, 2, 0.1], [0.2, 0.1, 3]])
    np.savez(
        tmp_path / "p.npz", energies=read.energies, forces=read.forces,
        n_atoms=read.n_atoms, stress=read.stress,
    )  # fmt: skip
    errors = score.errors(read, score.read_predictions(tmp_path / "p.npz"))
    assert errors.energy_rmse == errors.forces_rmse == errors.stress_rmse == 0.0
