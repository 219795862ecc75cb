"""Which keys are labels, in which units: by name, size and distance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ase
import ase.build
import ase.io
import numpy as np
import pytest

from mtt.drafting.content import read_content
from mtt.drafting.labels import choose_labels
from mtt.drafting.sizes import epochs_within, fitting, sizes_for
from mtt.errors import DataError


def water(i: int, info: dict[str, Any], arrays: dict[str, Any]) -> ase.Atoms:
    atoms = ase.build.molecule("H2O")
    atoms.positions += np.random.default_rng(i).normal(0.0, 0.02, (3, 3))
    atoms.info |= info
    for name, values in arrays.items():
        atoms.arrays[name] = np.asarray(values, dtype=float)
    return atoms


def written(path: Path, frames: list[ase.Atoms]) -> str:
    ase.io.write(path, frames, format="extxyz")
    return str(path)


def waters(path: Path, n: int = 12, **info: Any) -> str:
    forces = {"forces": np.ones((3, 3))}
    return written(
        path,
        [water(i, {k: v + 0.1 * i for k, v in info.items()}, forces) for i in range(n)],
    )


@pytest.mark.parametrize(
    ("keys", "energy", "others"),
    [
        (("free_energy", "energy"), "energy", ("free_energy",)),
        (("xtb_energy", "dft_energy"), "dft_energy", ("xtb_energy",)),
        (("fermi_energy", "U0", "zpve"), "U0", ()),
        (("formation_energy",), "formation_energy", ()),
    ],
)
def test_the_energy_is_chosen_by_its_name_and_the_choice_is_reported(
    tmp_path: Path, keys: tuple[str, ...], energy: str, others: tuple[str, ...]
) -> None:
    path = tmp_path / "a.xyz"
    values = [{key: -float(i) - 0.1 * n for n, key in enumerate(keys)} for i in range(12)]
    frames = [water(i, each, {"my_forces": np.ones((3, 3))}) for i, each in enumerate(values)]
    found = choose_labels(read_content([written(path, frames)]))
    assert (found.energy, found.others, found.forces) == (energy, others, "my_forces")
    assert bool(found.remarks) == bool(others)
    smeared = "forces are the derivatives of 'free_energy'"
    assert any(smeared in one for one in found.remarks) == ("free_energy" in others)


def test_a_second_energy_with_the_same_numbers_is_not_another_choice(tmp_path: Path) -> None:
    frames = [water(i, {"energy": -float(i), "free_energy": -float(i)}, {}) for i in range(12)]
    found = choose_labels(read_content([written(tmp_path / "a.xyz", frames)]))
    assert (found.energy, found.others, found.remarks) == ("energy", (), [])


def test_settings_of_a_calculation_are_not_offered_as_targets(tmp_path: Path) -> None:
    info = {"castep_run_time": 1.0, "step": 1.0, "mu": 1.0, "energy": -1.0}
    found = choose_labels(read_content([waters(tmp_path / "a.xyz", **info)]))
    assert found.scalars == ("mu",)


def test_single_atoms_are_baselines_and_not_a_training_set(tmp_path: Path) -> None:
    atoms = [ase.Atoms(symbol, info={"energy": -1.0}) for symbol in "HCO"]
    with pytest.raises(DataError, match=r"holds single atoms only: .*; their energies are basel"):
        read_content([written(tmp_path / "a.xyz", atoms)])


def test_forces_are_those_that_are_called_like_the_energy(tmp_path: Path) -> None:
    arrays = {name: np.ones((3, 3)) for name in ("xtb_forces", "REF_forces")}
    frames = [water(i, {"REF_energy": -float(i)}, arrays) for i in range(12)]
    found = choose_labels(read_content([written(tmp_path / "a.xyz", frames)]))
    assert (found.energy, found.forces) == ("REF_energy", "REF_forces")
    assert "'xtb_forces' could be it too" in found.remarks[0]


@pytest.mark.parametrize(
    ("energy", "unit"),
    [(-76.4, "Hartree"), (-76.4 * 27.2114, "eV"), (-76.4 * 627.509, "kcal/mol"), (-14.2, "eV")],
)
def test_the_unit_of_energies_of_all_electrons_is_guessed(
    tmp_path: Path, energy: float, unit: str
) -> None:
    path = waters(tmp_path / "a.xyz", U=energy)
    found = choose_labels(read_content([path]))
    assert found.unit == unit
    assert ("guessed" in found.unit_reason) == (energy < -15.0)


@pytest.mark.parametrize(("factor", "unit"), [(1.0, "angstrom"), (1.8897, "bohr"), (0.1, "nm")])
def test_lengths_are_in_the_unit_in_which_atoms_are_a_bond_apart(
    tmp_path: Path, factor: float, unit: str
) -> None:
    frames = [ase.build.bulk("Cu", cubic=True) for _ in range(4)]
    for atoms in frames:
        atoms.set_cell(atoms.cell * factor, scale_atoms=True)
        atoms.info["energy"] = -1.0
    content = read_content([written(tmp_path / "a.xyz", frames)])
    assert content.length_unit == (unit, True)
    sizes = sizes_for(content, choose_labels(content))
    assert sizes.cutoff == pytest.approx(5.0 * factor, rel=1e-3)
    assert sizes.neighbors == pytest.approx(42, rel=0.15)


def test_a_stress_without_periodicity_and_labels_of_some_structures_are_left_out(
    tmp_path: Path,
) -> None:
    frames = [water(i, {"energy": -float(i), "stress": np.eye(3)}, {}) for i in range(12)]
    frames[3].arrays["forces"] = np.ones((3, 3))
    found = choose_labels(read_content([written(tmp_path / "a.xyz", frames)]))
    assert (found.stress, found.virial, found.forces) == ("", "", "")
    assert any("is pbc right?" in one for one in found.remarks)
    assert any("'forces' is left out: only 1 of 12" in one for one in found.remarks)


def test_without_an_energy_forces_or_another_number_are_the_target(tmp_path: Path) -> None:
    forces = [water(i, {}, {"forces": np.ones((3, 3))}) for i in range(12)]
    found = choose_labels(read_content([written(tmp_path / "a.xyz", forces)]))
    assert (found.energy, found.forces, found.scalar) == ("", "forces", "")
    numbers = [water(i, {"mu": 0.1 * i, "setting": 2.0, "charge": i % 2}, {}) for i in range(12)]
    found = choose_labels(read_content([written(tmp_path / "b.xyz", numbers)]))
    assert (found.scalar, found.scalars, found.states) == ("mu", (), ("charge",))
    assert "'mu' is taken for the target" in found.remarks[0]


def test_what_cannot_be_a_label_or_is_missing_is_an_error(tmp_path: Path) -> None:
    bare = [water(i, {"config_type": "a"}, {}) for i in range(3)]
    with pytest.raises(DataError, match=r"looks like a label; the keys are config_type \(text per"):
        choose_labels(read_content([written(tmp_path / "a.xyz", bare)]))
    bare[0].info["energy"] = -1.0
    bare[1].info["energy"] = -2.0
    with pytest.raises(DataError, match=r"frame 2: no 'energy' in 1 of 3 structures; write nan"):
        choose_labels(read_content([written(tmp_path / "a.xyz", bare)]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("options.yaml", "is an options file, not a data file"),
        ("model.ckpt", r"is a model, not a data file; mtt show"),
        ("missing.xyz", "no such file"),
        ("a.unknown", "neither extended XYZ nor a format that ASE knows"),
    ],
)
def test_other_files_are_refused_by_what_they_are(tmp_path: Path, name: str, message: str) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_text("architecture: {name: pet}\n")
    with pytest.raises(DataError, match=message):
        read_content([str(tmp_path / name)])


def test_sizes_follow_from_the_data(tmp_path: Path) -> None:
    def sizes(n: int) -> Any:
        content = read_content([waters(tmp_path / f"{n}.xyz", n, energy=-1.0)])
        return sizes_for(content, choose_labels(content))

    few, many = sizes(12), sizes(1000)
    assert (few.validation, few.test, few.batch_size) == (0.2, 0.0, 4)
    assert (many.validation, many.test, many.batch_size) == (0.1, 0.1, 16)
    assert many.n_labels == 10 * many.n_training == 8000
    assert (few.epochs, many.epochs) == (2000, 400), "20,000 steps, and not too many epochs"
    assert epochs_within(3600.0, 10.0, 100.0) == 314
    assert epochs_within(60.0, 0.5, 5.0) == 80, "15 s for the export and the report"
    with pytest.raises(DataError, match="one structure is too little"):
        sizes(1)


def test_batches_shrink_until_a_step_takes_half_of_the_free_memory(tmp_path: Path) -> None:
    content = read_content([waters(tmp_path / "a.xyz", 1000, energy=-1.0)])
    sizes = sizes_for(content, choose_labels(content))
    assert (sizes.batch_size, sizes.n_largest, sizes.epochs) == (16, 16, 400)
    assert fitting(sizes, 10, 20) == sizes
    less = fitting(sizes, 40, 20)
    assert (less.batch_size, less.batch_atoms, less.epochs) == (4, None, 100)
    assert fitting(sizes, 10_000, 20).batch_size == 1
    by_atoms = replace(sizes, batch_atoms=48, largest=20)
    assert by_atoms.n_largest == 2
    assert fitting(by_atoms, 30, 30).batch_atoms == 24
    assert fitting(by_atoms, 300, 30).batch_atoms == 20, "the largest structure"
