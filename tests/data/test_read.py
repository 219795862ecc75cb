"""From files to frames: keys, conventions, and the rule that every declared target is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase
import ase.build
import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

import mtt.data.files
from mtt.data.frames import FrameSet
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


def labelled(**labels: object) -> ase.Atoms:
    """Two hydrogen atoms; labels under keys that ASE does not know stay where they are."""
    atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
    for key, value in labels.items():
        per_atom = isinstance(value, np.ndarray) and len(value) == 2
        (atoms.arrays if per_atom else atoms.info)[key] = value
    return atoms


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(*structures: ase.Atoms, name: str = "set.xyz", **keywords: object) -> Path:
        ase.io.write(tmp_path / name, list(structures), **keywords)
        return tmp_path / name

    return write


def refuse(options: DatasetOptions) -> str:
    with pytest.raises(DataError) as caught:
        read_frames(options)
    return str(caught.value).replace(str(Path(options.systems.read_from).parent) + "/", "")


def gradients_of(frames: FrameSet) -> tuple[str, ...]:
    return frames.info.targets["energy"].gradients


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


def test_both_spellings_of_labels_give_equal_numbers(file, energy_options: Make) -> None:
    forces = np.array([[0.0, 0.1, -0.3], [0.0, -0.1, 0.3]])
    known = labelled()
    known.calc = SinglePointCalculator(known, energy=-1.25, forces=forces)
    unknown = labelled(REF_energy=-1.25, REF_forces=forces)
    one = read_frames(energy_options(file(known, name="a.xyz"), forces=("forces", True)))
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
    file, energy_options: Make
) -> None:
    path = str(
        file(
            labelled(dft=-1.0, mu="1 2 3", q=np.array([0.5, -0.5]), pair=np.array([[1, 2], [3, 4]]))
        )
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


def test_each_file_is_parsed_once(file, energy_options: Make, monkeypatch) -> None:
    opened = []
    genuine = mtt.data.files.read_extxyz
    monkeypatch.setattr(
        mtt.data.files, "read_extxyz", lambda path: opened.append(path) or genuine(path)
    )
    path = file(labelled(energy=1.0, forces=np.zeros((2, 3))))
    read_frames(energy_options(path, forces=("forces", True), stress=("stress", False)))
    assert opened == [str(path)]


def test_labels_may_stand_in_another_file_of_the_same_structures(
    file, energy_options: Make
) -> None:
    systems = file(labelled(), labelled(), name="systems.xyz")
    labels = file(labelled(energy=1.0), labelled(energy=2.0), name="labels.xyz")
    frames, _, notices = read_frames(energy_options(systems, read_from=labels))
    assert [frame.labels["energy"].values.item() for frame in frames] == [1.0, 2.0]
    assert frames[1].source == f"{systems}, frame 1"
    assert notices == ()

    moved = labelled(energy=2.0)
    moved.positions += 0.1
    file(labelled(energy=1.0), moved, name="labels.xyz")
    (notice,) = read_frames(energy_options(systems, read_from=labels)).notices
    assert "different positions in 1 frames, first in frame 1" in notice


def test_label_files_of_other_structures_are_refused(file, energy_options: Make) -> None:
    systems = file(labelled(), labelled(), name="systems.xyz")
    labels = file(labelled(energy=1.0), name="labels.xyz")
    text = refuse(energy_options(systems, read_from=labels))
    assert text.startswith("labels.xyz: 1 frames for targets.energy, but ")
    file(
        labelled(energy=1.0),
        ase.Atoms("He2", [[0, 0, 0], [0, 0, 1]], info={"energy": 1}),
        name="labels.xyz",
    )
    text = refuse(energy_options(systems, read_from=labels))
    assert text.startswith(
        "labels.xyz, frame 1: the atoms differ from those of systems.xyz, frame 1"
    )


def test_indices_select_structures_in_their_order(file, energy_options: Make) -> None:
    path = file(*[labelled(energy=float(i)) for i in range(5)], labelled())
    frames = read_frames(energy_options(path, indices=[4, 1])).frames
    assert [frame.labels["energy"].values.item() for frame in frames] == [4.0, 1.0]
    assert frames[0].source == f"{path}, frame 4"


def test_bad_indices_are_all_told(file, energy_options: Make) -> None:
    path = file(*[labelled(energy=float(i)) for i in range(5)])
    assert refuse(energy_options(path, indices=[1, 7, 1, -1])).splitlines() == [
        "set.xyz: indices [7, -1] (2 in all) are not in 0 … 4; "
        "the file has 5 structures, counted from 0",
        "set.xyz: indices [1] stand more than once (1 in all); name every structure once",
    ]
    assert refuse(energy_options(path, indices=[])) == "set.xyz: indices selects no structures"


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, file, energy_options: Make) -> None:
    path = file(labelled(energy=1.0))
    assert refuse(energy_options(tmp_path / "sett.xyz")) == (
        "sett.xyz: no such file; did you mean 'set.xyz'?"
    )
    assert "does not exist" in refuse(energy_options(tmp_path / "no" / "set.xyz"))
    assert refuse(energy_options(tmp_path)).endswith("this is a folder, not a file")
    for name, text in (("a.zip", "not available"), ("a.xyz", "holds no structures")):
        (tmp_path / name).write_text("\n")
        assert text in refuse(energy_options(tmp_path / name))
    (tmp_path / "notes.abc").write_text("nothing at all\n")
    assert "ASE does not know the format" in refuse(energy_options(tmp_path / "notes.abc"))
    (tmp_path / "POSCAR").write_text("cut off\n1.0\n")
    assert "POSCAR, frame 0: ASE cannot read it (" in refuse(energy_options(tmp_path / "POSCAR"))
    assert path.exists()


# ---- every declared target is used


def test_a_wrong_key_names_the_keys_that_exist(file, energy_options: Make) -> None:
    path = file(labelled(energi=1.0), labelled(energi=2.0))
    assert refuse(energy_options(path)) == (
        "set.xyz: no 'energy' in any structure, for targets.energy "
        "(keys per structure: energi); did you mean 'energi'?"
    )
    path = file(labelled(energy=np.array([1.0, 2.0])))
    assert "'energy' exists per atom; set sample_kind" in refuse(energy_options(path))


def test_a_key_that_some_frames_lack_is_refused_and_the_frames_are_named(
    file, energy_options: Make
) -> None:
    some = [labelled(E=1.0, f=np.zeros((2, 3))), labelled(E=1.0), labelled(f=np.zeros((2, 3)))]
    options = energy_options(file(*some), key="E", forces=("f", True))
    assert refuse(options).splitlines() == [
        "set.xyz, frame 2: no 'E' for targets.energy (keys per structure: none); "
        "write nan where a structure has no label",
        "set.xyz, frame 1: no 'f' for targets.energy.forces (keys per atom: none); "
        "write nan where a structure has no label",
    ]
    implied = energy_options(file(*some[:2]), key="E", forces=("f", False))
    assert "frame 1: no 'f' for targets.energy.forces" in refuse(implied)


def test_forces_that_were_asked_for_and_are_nowhere_are_refused(file, energy_options: Make) -> None:
    path = file(labelled(energy=1.0, force=np.zeros((2, 3))))
    assert refuse(energy_options(path, forces=("forces", True))) == (
        "set.xyz: no 'forces' in any structure, for targets.energy.forces "
        "(keys per atom: force); did you mean 'force'?"
    )


def test_forces_that_nobody_wrote_are_switched_off_and_told(file, energy_options: Make) -> None:
    path = file(labelled(energy=1.0, force=np.zeros((2, 3))))
    frames = read_frames(energy_options(path, forces=("forces", False), stress=("stress", False)))
    assert gradients_of(frames) == ()
    assert frames.frames[0].labels["energy"].forces is None
    assert frames.notices == (  # and no word about the stress of a molecule
        f"{path}: no 'forces' in any structure: energy is trained without forces; "
        "did you mean 'force'?",
    )


def test_labels_that_are_all_nan_are_refused_or_switched_off(file, energy_options: Make) -> None:
    nothing = np.full((2, 3), np.nan)
    path = file(labelled(E=1.0, f=nothing, nope=np.nan))
    assert refuse(energy_options(path, key="nope")) == (
        "set.xyz: every 'nope' is NaN, a missing label, for targets.energy"
    )
    assert "every 'f' is NaN" in refuse(energy_options(path, key="E", forces=("f", True)))
    frames = read_frames(energy_options(path, key="E", forces=("f", False)))
    assert gradients_of(frames) == ()
    assert "every 'f' is NaN, a missing label: energy is trained without" in frames.notices[0]


def test_missing_labels_are_nan_and_counted(file, energy_options: Make) -> None:
    forces = np.zeros((2, 3))
    partial = np.array([[0.0, np.nan, 0.0], [1.0, 2.0, 3.0]])
    path = file(labelled(E=1.0, f=partial), labelled(E=np.nan, f=forces), labelled(E=2.0, f=forces))
    frames, _, notices = read_frames(energy_options(path, key="E", forces=("f", True)))
    assert np.isnan(frames[1].labels["energy"].values).all()
    assert np.isnan(frames[0].labels["energy"].forces).tolist() == [[True] * 3, [False] * 3]
    assert notices == (
        f"{path}: 'E' is NaN, a missing label, in 1 of 3 structures (frame 1)",
        f"{path}: 'f' is NaN, a missing label, in 1 of 3 structures, 1 atoms (frame 0)",
    )


def test_numbers_that_are_none_are_told_by_frame_all_at_once(file, energy_options: Make) -> None:
    bad = np.array([[0.0, np.inf, 0.0], [0.0, 0.0, 0.0]])
    good = np.zeros((2, 3))
    path = file(
        labelled(E=1.0, f=good),
        labelled(E="abc", f=good),
        labelled(E=np.array([1.0, 2.0, 3.0]), f=good),
        labelled(E=np.inf, f=bad),
        labelled(E="none", f=good),
    )
    assert refuse(energy_options(path, key="E", forces=("f", True))).splitlines() == [
        "set.xyz, frames 1, 4: 'E' for targets.energy: not a number: 'abc' (2 frames)",
        "set.xyz, frame 2: 'E' for targets.energy: 3 values where 1 is expected",
        "set.xyz, frame 3: 'E' for targets.energy: infinite",
        "set.xyz, frame 3: 'f' for targets.energy.forces: infinite (row 0)",
    ]


def test_bad_structures_and_bad_labels_are_told_together(file, energy_options: Make) -> None:
    twice = ase.Atoms("H2", np.zeros((2, 3)), info={"E": "abc"})
    text = refuse(energy_options(file(twice), key="E", forces=("f", True)))
    assert len(text.splitlines()) == 3


# ---- stress of mixed sets


def solid(**labels: object) -> ase.Atoms:
    return ase.Atoms("Cu", cell=np.eye(3) * 2, pbc=True, info=labels)


STRESS = np.diag([1.0, 2.0, 3.0])


def test_molecules_and_solids_mix_stress_is_missing_for_molecules(
    file, energy_options: Make
) -> None:
    boxed = ase.Atoms("He", cell=np.eye(3) * 50, info={"E": 1.0})
    path = file(solid(E=1.0, s=STRESS), labelled(E=1.0), boxed)
    for explicit in (True, False):
        frames, info, notices = read_frames(energy_options(path, key="E", stress=("s", explicit)))
        strains = [frame.labels["energy"].strain for frame in frames]
        np.testing.assert_allclose(strains[0], 8 * STRESS)
        assert np.isnan(strains[1]).all()
        assert np.isnan(strains[2]).all()
        assert info.targets["energy"].gradients == ("strain",)
        assert notices == ()


def test_a_solid_without_stress_among_others_is_refused(file, energy_options: Make) -> None:
    path = file(solid(E=1.0, s=STRESS), solid(E=1.0), labelled(E=1.0))
    for explicit in (True, False):
        text = refuse(energy_options(path, key="E", stress=("s", explicit)))
        assert text.startswith("set.xyz, frame 1: no 's' for targets.energy.stress")


def test_stress_of_a_molecule_is_refused_where_asked_for_else_left_out(
    file, energy_options: Make
) -> None:
    slab = ase.Atoms(
        "Cu", cell=np.eye(3) * 2, pbc=[True, True, False], info={"E": 1.0, "s": STRESS}
    )
    path = file(solid(E=1.0, s=STRESS), slab)
    text = refuse(energy_options(path, key="E", stress=("s", True)))
    assert text.startswith(
        "set.xyz, frame 1: 's' for targets.energy.stress, but not periodic in three directions"
    )
    frames, _, (notice,) = read_frames(energy_options(path, key="E", stress=("s", False)))
    assert np.isnan(frames[1].labels["energy"].strain).all()
    assert notice.endswith("not periodic in three directions (frame 1)")


def test_a_missing_stress_of_a_molecule_may_be_written_as_nan(file, energy_options: Make) -> None:
    path = file(solid(E=1.0, s=STRESS), labelled(E=1.0, s=np.full((3, 3), np.nan)))
    frames = read_frames(energy_options(path, key="E", stress=("s", True)))
    assert gradients_of(frames) == ("strain",)
    assert frames.notices == ()


def test_stress_asked_for_in_a_set_of_molecules_is_refused(file, energy_options: Make) -> None:
    path = file(labelled(E=1.0))
    assert "no 'stress' in any structure" in refuse(
        energy_options(path, key="E", stress=("stress", True))
    )


def test_molecules_have_a_virial(file, energy_options: Make) -> None:
    path = file(labelled(E=1.0, v=STRESS), solid(E=1.0, v=STRESS))
    frames = read_frames(energy_options(path, key="E", virial=("v", True)))
    for frame in frames.frames:
        np.testing.assert_array_equal(frame.labels["energy"].strain, -STRESS)


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


def test_unknown_units_are_refused_with_the_known_ones(file, energy_options: Make) -> None:
    path = file(labelled(E=1.0))
    assert refuse(
        energy_options(path, key="E", length_unit="angstroms", unit="evolt")
    ).splitlines() == [
        "length_unit: unknown unit 'angstroms'; did you mean 'angstrom'?",
        "targets.energy.unit: unknown unit 'evolt'; "
        "known: eV, meV, Hartree, Ry, kcal/mol, kJ/mol, J",
    ]
