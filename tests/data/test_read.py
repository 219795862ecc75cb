"""From files to frames: keys, conventions, several files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

import mtt.data.files.readers.extxyz as reader
from mtt.data.read import frames_from_atoms, read_frames
from mtt.errors import DataError
from mtt.options import DatasetOptions, TargetOptions

Make = Callable[..., DatasetOptions]


def copper(seed: int = 0) -> ase.Atoms:
    """A strained, rattled crystal with EMT labels."""
    atoms = ase.build.bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=seed)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * np.arange(9).reshape(3, 3) / 9), True)
    atoms.calc = EMT()
    return atoms


# ---- what is read


def test_energy_forces_and_stress_are_read_with_ases_signs(file, energy_options: Make) -> None:
    atoms = copper()
    energy, forces, stress = (
        atoms.get_potential_energy(),
        atoms.get_forces(),
        atoms.get_stress(False),
    )
    frames, info, notices = read_frames(
        energy_options(file(atoms), forces=("forces", True), stress=("stress", True))
    )
    (frame,) = frames
    label = frame.labels["energy"]
    assert label.values.shape == (1, 1)
    assert label.values.dtype == np.float64
    np.testing.assert_allclose(label.values, energy, rtol=1e-12)
    np.testing.assert_allclose(label.forces, forces, atol=1e-8)
    np.testing.assert_allclose(label.strain, stress * atoms.get_volume(), atol=1e-7)
    assert info.atomic_types == (29,)
    assert info.length_unit == "angstrom"
    assert info.targets["energy"].gradients == ("positions", "strain")
    assert notices == ()
    assert frame.source.endswith("set.xyz, frame 0")


def test_strain_is_the_derivative_of_the_energy_by_a_strain(file, energy_options: Make) -> None:
    atoms, h = copper(), 1e-4
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.set_cell(atoms.cell @ (np.eye(3) + sign * h * np.eye(3)), True)
        strained.calc = EMT()
        energies.append(strained.get_potential_energy())
    atoms.get_stress()
    frames = read_frames(energy_options(file(atoms), stress=("stress", True))).frames
    trace = np.trace(frames[0].labels["energy"].strain)
    assert trace == pytest.approx((energies[0] - energies[1]) / (2 * h), rel=1e-4)


@pytest.mark.parametrize("spelling", ["3x3", "9", "6"])
@pytest.mark.parametrize("kind", ["stress", "virial"])
def test_stress_and_virial_in_every_spelling_give_the_same_strain(
    file, energy_options: Make, kind: str, spelling: str
) -> None:
    atoms = copper()
    expected = atoms.get_stress(voigt=False) * atoms.get_volume()
    matrix = expected / atoms.get_volume() if kind == "stress" else -expected
    voigt = matrix[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    value = {"3x3": matrix, "9": matrix.ravel(), "6": voigt}[spelling]
    energy = atoms.get_potential_energy()
    atoms.calc = None
    atoms.info |= {"dft_energy": energy, "dft_x": value}
    frames = read_frames(energy_options(file(atoms), key="dft_energy", **{kind: ("dft_x", True)}))
    np.testing.assert_allclose(frames.frames[0].labels["energy"].strain, expected, atol=1e-7)
    assert frames.info.targets["energy"].strain_name == kind


def test_six_values_under_the_name_stress_are_read_although_ase_refuses_them(
    tmp_path: Path, energy_options: Make
) -> None:
    path = tmp_path / "set.xyz"
    path.write_text('1\nLattice="2 0 0 0 2 0 0 0 2" energy=1 stress="1 2 3 4 5 6"\nH 0 0 0\n')
    strain = read_frames(energy_options(path, stress=("stress", True))).frames[0].labels
    np.testing.assert_allclose(strain["energy"].strain / 8, [[1, 6, 5], [6, 2, 4], [5, 4, 3]])


@pytest.mark.parametrize("name", ["a.xyz", "a.traj"])
def test_both_spellings_of_labels_give_equal_numbers(
    file, energy_options: Make, h2, name: str
) -> None:
    forces = np.array([[0.0, 0.1, -0.3], [0.0, -0.1, 0.3]])
    known = h2()
    known.calc = SinglePointCalculator(known, energy=-1.25, forces=forces)
    unknown = h2(REF_energy=-1.25, REF_forces=forces)
    one = read_frames(energy_options(file(known, name=name), forces=("forces", True)))
    two = read_frames(
        energy_options(file(unknown, name="b.xyz"), key="REF_energy", forces=("REF_forces", True))
    )
    first, second = one.frames[0].labels["energy"], two.frames[0].labels["energy"]
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.forces, second.forces)


@pytest.mark.parametrize("name", ["set.xyz", "set.traj", "set.db", "set.json"])
def test_formats_of_ase_give_the_same_and_constraints_do_not_zero_forces(
    file, energy_options: Make, name: str
) -> None:
    atoms = copper()
    forces = atoms.get_forces()
    energy = atoms.get_potential_energy()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    atoms.set_constraint(FixAtoms([0, 1]))
    assert not atoms.get_forces()[:2].any()
    path = file(atoms, atoms, name=name)
    frames = read_frames(energy_options(path, forces=("forces", True)))
    assert len(frames.frames) == 2
    np.testing.assert_allclose(frames.frames[1].labels["energy"].forces, forces, atol=1e-8)


def test_targets_per_structure_and_per_atom_with_several_properties(
    file, energy_options: Make, h2
) -> None:
    path = str(
        file(h2(dft=-1.0, mu="1 2 3", q=np.array([0.5, -0.5]), pair=np.array([[1, 2], [3, 4]])))
    )
    options = energy_options(
        path,
        key="dft",
        extra={"charges": TargetOptions("", path, None, "q", sample_kind="atom")},
    )
    options.targets["mtt::mu"] = TargetOptions("", path, None, "mu", num_subtargets=3)
    options.targets["mtt::pair"] = TargetOptions(
        "", path, None, "pair", sample_kind="atom", num_subtargets=2
    )
    (frame,), info, _ = read_frames(options)
    assert list(info.targets) == ["energy", "mtt::mu", "mtt::pair"]
    assert frame.labels["mtt::mu"].values.tolist() == [[1.0, 2.0, 3.0]]
    assert frame.labels["mtt::pair"].values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert frame.extra["charges"].tolist() == [[0.5], [-0.5]]
    assert info.targets["mtt::pair"].per_atom
    assert info.targets["mtt::pair"].properties == 2
    assert list(info.extra_data) == ["charges"]


def test_structures_in_memory_are_read_like_files(file, energy_options: Make) -> None:
    atoms = copper()
    atoms.get_stress()
    options = energy_options(file(atoms), forces=("forces", True), stress=("stress", True))
    one, two = read_frames(options), frames_from_atoms([atoms], options.targets)
    assert one.info == two.info
    np.testing.assert_allclose(
        one.frames[0].labels["energy"].strain, two.frames[0].labels["energy"].strain, atol=1e-7
    )
    assert two.frames[0].source == "atoms, frame 0"


def test_results_of_other_positions_are_not_taken(energy_options: Make) -> None:
    atoms = copper()
    atoms.get_forces()
    atoms.rattle(0.1)
    options = energy_options("unused.xyz", forces=("forces", True))
    with pytest.raises(DataError, match="no 'energy' in any structure"):
        frames_from_atoms([atoms], options.targets)
    with pytest.raises(DataError, match="no structures"):
        frames_from_atoms([], options.targets)


# ---- several files


def test_each_file_is_parsed_once(file, energy_options: Make, monkeypatch, h2) -> None:
    opened = []
    genuine = reader.read_extxyz
    monkeypatch.setattr(reader, "read_extxyz", lambda path: opened.append(path) or genuine(path))
    path = file(h2(energy=1.0, forces=np.zeros((2, 3))))
    read_frames(energy_options(path, forces=("forces", True), stress=("stress", False)))
    assert opened == [str(path)]


def test_labels_may_be_in_another_file_of_the_same_structures(
    file, energy_options: Make, h2
) -> None:
    systems = file(h2(), h2(), name="systems.xyz")
    labels = file(h2(energy=1.0), h2(energy=2.0), name="labels.xyz")
    frames, _, notices = read_frames(energy_options(systems, read_from=labels))
    assert [frame.labels["energy"].values.item() for frame in frames] == [1.0, 2.0]
    assert frames[1].source == f"{systems}, frame 1"
    assert notices == ()

    moved = h2(energy=2.0)
    moved.positions += 0.1
    file(h2(energy=1.0), moved, name="labels.xyz")
    (notice,) = read_frames(energy_options(systems, read_from=labels)).notices
    assert "different positions in 1 structures, first in frame 1" in notice


def test_label_files_of_other_structures_are_refused(
    file, energy_options: Make, h2, refuse
) -> None:
    systems = file(h2(), h2(), name="systems.xyz")
    labels = file(h2(energy=1.0), name="labels.xyz")
    text = refuse(energy_options(systems, read_from=labels))
    assert text.startswith("labels.xyz: 1 structures for targets.energy, but ")
    file(
        h2(energy=1.0),
        ase.Atoms("He2", [[0, 0, 0], [0, 0, 1]], info={"energy": 1}),
        name="labels.xyz",
    )
    text = refuse(energy_options(systems, read_from=labels))
    assert text.startswith(
        "labels.xyz, frame 1: the atoms differ from those of systems.xyz, frame 1"
    )


def test_indices_select_structures_in_their_order(file, energy_options: Make, h2) -> None:
    path = file(*[h2(energy=float(i)) for i in range(5)], h2())
    frames = read_frames(energy_options(path, indices=[4, 1])).frames
    assert [frame.labels["energy"].values.item() for frame in frames] == [4.0, 1.0]
    assert frames[0].source == f"{path}, frame 4"


def test_all_bad_indices_are_reported(file, energy_options: Make, h2, refuse) -> None:
    path = file(*[h2(energy=float(i)) for i in range(5)])
    assert refuse(energy_options(path, indices=[1, 7, 1, -1])).splitlines() == [
        "set.xyz: indices [7, -1] (2 in all) are not in 0 … 4; "
        "the file has 5 structures, counted from 0",
        "set.xyz: indices [1] occur more than once (1 in all); name every structure once",
    ]
    assert refuse(energy_options(path, indices=[])) == "set.xyz: indices selects no structures"


# ---- reference data


def test_reference_data_are_read(real_data: Path, energy_options: Make) -> None:
    frames, info, notices = read_frames(
        energy_options(
            real_data / "silicon/train.xyz", forces=("forces", True), stress=("stress", True)
        )
    )
    assert len(frames) == 214
    assert info.targets["energy"].gradients == ("positions", "strain")
    frames, info, notices = read_frames(
        energy_options(
            real_data / "periodic/carbon_reduced_100.xyz",
            forces=("forces", False),
            stress=("stress", False),
        )
    )
    assert len(frames) == 100
    assert info.targets["energy"].gradients == ()
    assert len(notices) == 2
    assert "did you mean 'force'?" in notices[0]


def test_moved_atoms_keep_their_forces_where_a_file_says_which_may_move(
    tmp_path: Path, energy_options: Make
) -> None:
    path = tmp_path / "set.xyz"
    path.write_text(
        "2\nProperties=species:S:1:pos:R:3:move_mask:L:1:forces:R:3 energy=1\n"
        "H 0 0 0 F 1 2 3\nH 0 0 1 T -1 -2 -3\n"
    )
    (frame,) = read_frames(energy_options(path, forces=("forces", True))).frames
    np.testing.assert_array_equal(frame.labels["energy"].forces, [[1, 2, 3], [-1, -2, -3]])
