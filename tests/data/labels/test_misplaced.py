"""Forces per structure, in ASE's ``atoms.info``."""

from __future__ import annotations

from collections.abc import Callable

import ase
import ase.io
import numpy as np
import pytest

from mtt.data.read import frames_from_atoms, read_frames
from mtt.options import DatasetOptions, GradientOptions, TargetOptions

Make = Callable[..., DatasetOptions]


def water(generator: np.random.Generator) -> tuple[ase.Atoms, np.ndarray]:
    """Three atoms, and forces that add up to zero."""
    forces = generator.normal(size=(3, 3))
    forces -= forces.mean(axis=0)
    atoms = ase.Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [0, 0.96, 0]], info={"energy": 1.0})
    return atoms, forces


@pytest.mark.parametrize("form", [lambda f: f, lambda f: f.flatten(), lambda f: f.tolist()])
def test_forces_of_info_are_read_by_atom_and_said(
    file, energy_options: Make, h2, form: Callable[[np.ndarray], object]
) -> None:
    forces = np.arange(6.0).reshape(2, 3)
    atoms = h2(energy=1.0)
    atoms.info["forces"] = form(forces)
    path = file(atoms)
    frames, info, (notice,) = read_frames(energy_options(path, forces=("forces", True)))
    np.testing.assert_array_equal(frames[0].labels["energy"].forces, forces)
    assert info.targets["energy"].has_forces
    assert notice == (
        f"{path}: 'forces' is per structure (atoms.info), with 3 numbers for each atom: it is "
        "read per atom, for targets.energy.forces"
    )


@pytest.mark.parametrize("order", ["C", "F"])
def test_nine_numbers_of_three_atoms_are_ordered_by_their_sum(
    tmp_path, energy_options: Make, order: str
) -> None:
    """ASE has written 3 × 3 arrays of ``info`` column by column."""
    atoms, forces = water(np.random.default_rng(0))
    atoms.info["forces"] = forces.flatten(order=order)  # type: ignore[call-overload]
    ase.io.write(tmp_path / "w.xyz", atoms)
    frames, _, _ = read_frames(energy_options(tmp_path / "w.xyz", forces=("forces", True)))
    np.testing.assert_allclose(frames[0].labels["energy"].forces, forces)


def test_what_is_in_doubt_or_of_another_size_says_what_to_do(
    file, energy_options: Make, h2, refuse
) -> None:
    atoms, _ = water(np.random.default_rng(0))
    atoms.info["forces"] = np.arange(9.0)  # adds up to zero in neither order
    text = refuse(energy_options(file(atoms), forces=("forces", True)))
    assert text.endswith(
        "'forces' exists per structure, with 9 numbers for 3 atoms in frame 0; store it per atom, "
        "3 × 3, as a column of Properties: atoms.arrays['forces'] = ..."
    )
    path = file(h2(energy=1.0, forces=[1.0, 2.0, 3.0]))
    frames = read_frames(energy_options(path, forces=("forces", False)))
    assert frames.frames[0].labels["energy"].forces is None
    assert "with 3 numbers for 2 atoms in frame 0; store it per atom" in frames.notices[0]


def test_frames_without_such_a_key_are_named(file, energy_options: Make, h2, refuse) -> None:
    path = file(h2(energy=1.0, forces=[0.0] * 6), h2(energy=1.0))
    assert "frame 1: no 'forces' for targets.energy.forces" in refuse(
        energy_options(path, forces=("forces", True))
    )


def test_charges_of_info_are_read_by_atom(h2) -> None:
    atoms = h2()
    atoms.info["q"] = [0.5, -0.5]
    charge = TargetOptions("", "", None, "q", sample_kind="atom")
    (frame,), _, (notice,) = frames_from_atoms([atoms], {"mtt::q": charge})
    assert frame.labels["mtt::q"].values.tolist() == [[0.5], [-0.5]]
    assert "with a number for each atom: it is read per atom" in notice


def test_a_stress_per_atom_is_said_as_one(energy_options: Make, refuse, file, h2) -> None:
    atoms = h2(energy=1.0, stress=np.zeros((2, 9)))
    atoms.set_cell(np.eye(3) * 9)
    atoms.pbc = True
    stress = GradientOptions("", None, "stress", True)
    assert stress.others == ()
    text = refuse(energy_options(file(atoms), stress=("stress", True)))
    assert "'stress' exists per atom; it belongs to structures: atoms.info['stress']" in text
