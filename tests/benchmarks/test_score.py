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


def test_the_mean_error_is_signed_and_the_spread_is_what_is_left(score: ModuleType) -> None:
    one = labels(score, 6, [2, 4])
    other = score.Labels(
        one.energies + np.array([-0.004, -0.006]), one.forces, one.n_atoms, one.stress
    )
    errors = score.errors(one, other)
    assert errors.energy_mean == pytest.approx(-5.0)
    assert errors.energy_spread == pytest.approx(1.0)
    assert errors.energy_per_atom_mean == pytest.approx(-1.75)
    assert errors.energy_per_atom_spread == pytest.approx(0.25)
    assert errors.energy_rmse**2 == pytest.approx(errors.energy_mean**2 + errors.energy_spread**2)


def test_errors_of_a_group_are_those_of_its_structures_alone(score: ModuleType) -> None:
    one, other = labels(score, 7, [4, 1, 7, 2]), labels(score, 8, [4, 1, 7, 2])
    found = score.errors_by_group(one, other, ["melt", "solid", "melt", "solid"])
    assert list(found) == ["melt", "solid"]
    assert {name: errors.n_structures for name, errors in found.items()} == {"melt": 2, "solid": 2}
    energy, forces = 1e3 * (other.energies - one.energies), 1e3 * (other.forces - one.forces)
    assert found["melt"].energy_mae == pytest.approx(np.abs(energy[[0, 2]]).mean())
    melt = np.concatenate([forces[:4], forces[5:12]])
    assert found["melt"].forces_rmse == pytest.approx(np.sqrt(np.mean(melt**2)))
    solid = 1e3 * (other.stress - one.stress)[[1, 3]]
    assert found["solid"].stress_rmse == pytest.approx(np.sqrt(np.mean(solid**2)))


def test_groups_are_read_where_every_structure_has_one(score: ModuleType, tmp_path: Path) -> None:
    frames = [ase.Atoms("H"), ase.Atoms("H")]
    frames[0].info["kind"] = "a"
    ase.io.write(tmp_path / "frames.xyz", frames, format="extxyz")
    assert score.read_groups(tmp_path / "frames.xyz", "kind") == []
    frames[1].info["kind"] = "b"
    ase.io.write(tmp_path / "frames.xyz", frames, format="extxyz")
    assert score.read_groups(tmp_path / "frames.xyz", "kind") == ["a", "b"]
