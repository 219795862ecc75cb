"""Which keys are labels, in which units: by name, size and distance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase
import ase.build
import ase.io
import numpy as np
import pytest

from mtt.drafting.content import read_content
from mtt.drafting.labels import choose_labels
from mtt.drafting.sizes import epochs_within, sizes_for
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
    frames = [
        water(i, {key: -float(i) for key in keys}, {"my_forces": np.ones((3, 3))})
        for i in range(12)
    ]
    path.write_text("")
    found = choose_labels(read_content([written(path, frames)]))
    assert (found.energy, found.others, found.forces) == (energy, others, "my_forces")
    assert bool(found.remarks) == bool(others)


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
    assert any("1 of 12 structures have 'forces'" in one for one in found.remarks)


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
    assert epochs_within(3600.0, 10.0, 100.0) == 315
    with pytest.raises(DataError, match="one structure is too little"):
        sizes(1)
