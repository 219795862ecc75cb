"""Statistics of a data set, against numpy."""

from __future__ import annotations

import math
from pathlib import Path

import ase
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from mtt.data import Dataset, pack
from mtt.data.statistics import Row, statistics
from mtt.options import GradientOptions, TargetOptions

STRESS = np.array([[0.1, 0.0, 0.2], [0.0, -0.3, 0.0], [0.2, 0.0, 0.5]])


def gradient(key: str) -> GradientOptions:
    return GradientOptions("", None, key)


@pytest.fixture
def structures() -> list[ase.Atoms]:
    rng = np.random.default_rng(0)
    solid = ase.Atoms("CuAu", [[0, 0, 0], [1, 1, 1]], cell=np.eye(3) * 2, pbc=True)
    molecule = ase.Atoms("CHO", [[0, 0, 0], [0, 0, 1], [0, 1, 0]])
    for atoms, energy in ((solid, -2.0), (molecule, -4.5)):
        results = {"energy": energy, "forces": rng.normal(size=(len(atoms), 3))}
        if atoms is solid:
            results["stress"] = STRESS
        atoms.calc = SinglePointCalculator(atoms, **results)
    molecule.calc.results["forces"][1] = np.nan
    return [solid, molecule]


@pytest.fixture
def dataset(structures: list[ase.Atoms]) -> Dataset:
    energy = TargetOptions(
        "energy", "", None, "energy", "eV", forces=gradient("forces"), stress=gradient("stress")
    )
    return Dataset.from_atoms(structures, {"energy": energy})


def test_structures_and_elements_are_counted(dataset: Dataset) -> None:
    found = statistics(dataset)
    assert found.n_structures == 2
    assert found.n_atoms == 5
    assert found.atoms_per_structure == (2, 2.5, 3)
    assert found.elements == {"H": 1, "C": 1, "O": 1, "Cu": 1, "Au": 1}
    names = ["energy", "energy (per atom)", "energy forces", "energy stress"]
    assert [row.name for row in found.rows] == names
    assert [row.unit for row in found.rows] == ["eV", "eV", "eV/Å", "eV/Å³"]


def assert_row(row: Row, numbers: np.ndarray, labelled: int, total: int) -> None:
    assert (row.labelled, row.total, row.missing) == (labelled, total, total - labelled)
    expected = [
        numbers.mean(),
        numbers.std(),
        numbers.min(),
        numbers.max(),
        np.sqrt((numbers**2).mean()),
    ]
    np.testing.assert_allclose([row.mean, row.std, row.min, row.max, row.rms], expected)


def test_numbers_are_those_of_numpy_without_missing_labels(
    dataset: Dataset, structures: list[ase.Atoms]
) -> None:
    energy, per_atom, forces, stress = statistics(dataset).rows
    assert_row(energy, np.array([-2.0, -4.5]), 2, 2)
    assert_row(per_atom, np.array([-1.0, -1.5]), 2, 2)
    all_forces = np.concatenate([atoms.calc.results["forces"] for atoms in structures])
    assert_row(forces, all_forces[~np.isnan(all_forces)], 4, 5)
    assert_row(stress, STRESS.ravel(), 1, 2)


def test_a_packed_data_set_has_the_same_statistics(dataset: Dataset, tmp_path: Path) -> None:
    pack([dataset], tmp_path / "packed")
    one, two = statistics(dataset), statistics(Dataset.open(tmp_path / "packed"))
    assert repr(one) == repr(two)


def test_a_view_counts_its_own_structures_and_no_label_gives_nan(dataset: Dataset) -> None:
    found = statistics(dataset.select([1]))
    assert found.elements == {"H": 1, "C": 1, "O": 1}
    stress = found.rows[-1]
    assert stress.labelled == 0
    assert math.isnan(stress.mean)
    assert math.isnan(stress.std)


def test_properties_and_virials_have_separate_rows() -> None:
    solid = ase.Atoms("Cu", cell=np.eye(3) * 2, pbc=True)
    solid.info |= {"E": -2.0, "v": STRESS, "mu": np.array([1.0, np.nan])}
    energy = TargetOptions("energy", "", None, "E", "eV", virial=gradient("v"))
    mu = TargetOptions("", "", None, "mu", "Debye", num_subtargets=2)
    other = solid.copy()
    other.info["mu"] = np.array([3.0, 4.0])
    dataset = Dataset.from_atoms([solid, other], {"energy": energy, "mtt::mu": mu})
    rows = {row.name: row for row in statistics(dataset).rows}
    assert list(rows) == [
        "energy",
        "energy (per atom)",
        "energy virial",
        "mtt::mu[0]",
        "mtt::mu[1]",
    ]
    assert_row(rows["energy virial"], np.tile(STRESS, 2).ravel(), 2, 2)
    assert rows["energy virial"].unit == "eV"
    assert_row(rows["mtt::mu[0]"], np.array([1.0, 3.0]), 2, 2)
    assert_row(rows["mtt::mu[1]"], np.array([4.0]), 1, 2)
