"""The rule that every declared target is used, or the run does not start."""

from __future__ import annotations

from collections.abc import Callable

import ase
import numpy as np

from mtt.data.frames import FrameSet
from mtt.data.read import read_frames
from mtt.options import DatasetOptions

Make = Callable[..., DatasetOptions]


def gradients_of(frames: FrameSet) -> tuple[str, ...]:
    return frames.info.targets["energy"].gradients


# ---- every declared target is used


def test_a_wrong_key_names_the_keys_that_exist(file, energy_options: Make, h2, refuse) -> None:
    path = file(h2(energi=1.0), h2(energi=2.0))
    assert refuse(energy_options(path)) == (
        "set.xyz: no 'energy' in any structure, for targets.energy "
        "(keys per structure: energi); did you mean 'energi'?"
    )
    path = file(h2(energy=np.array([1.0, 2.0])))
    assert "'energy' exists per atom; set sample_kind" in refuse(energy_options(path))


def test_a_key_that_some_frames_lack_is_refused_and_the_frames_are_named(
    file, energy_options: Make, h2, refuse
) -> None:
    some = [h2(E=1.0, f=np.zeros((2, 3))), h2(E=1.0), h2(f=np.zeros((2, 3)))]
    options = energy_options(file(*some), key="E", forces=("f", True))
    assert refuse(options).splitlines() == [
        "set.xyz, frame 2: no 'E' for targets.energy (keys per structure: none); "
        "write nan where a structure has no label",
        "set.xyz, frame 1: no 'f' for targets.energy.forces (keys per atom: none); "
        "write nan where a structure has no label",
    ]
    implied = energy_options(file(*some[:2]), key="E", forces=("f", False))
    assert "frame 1: no 'f' for targets.energy.forces" in refuse(implied)


def test_forces_that_were_asked_for_and_are_nowhere_are_refused(
    file, energy_options: Make, h2, refuse
) -> None:
    path = file(h2(energy=1.0, force=np.zeros((2, 3))))
    assert refuse(energy_options(path, forces=("forces", True))) == (
        "set.xyz: no 'forces' in any structure, for targets.energy.forces "
        "(keys per atom: force); did you mean 'force'?"
    )


def test_missing_forces_are_switched_off_with_a_notice(file, energy_options: Make, h2) -> None:
    path = file(h2(energy=1.0, force=np.zeros((2, 3))))
    frames = read_frames(energy_options(path, forces=("forces", False), stress=("stress", False)))
    assert gradients_of(frames) == ()
    assert frames.frames[0].labels["energy"].forces is None
    assert frames.notices == (  # and no word about the stress of a molecule
        f"{path}: no 'forces' in any structure: energy is trained without forces; "
        "did you mean 'force'?",
    )


def test_labels_that_are_all_nan_are_refused_or_switched_off(
    file, energy_options: Make, h2, refuse
) -> None:
    nothing = np.full((2, 3), np.nan)
    path = file(h2(E=1.0, f=nothing, nope=np.nan))
    assert refuse(energy_options(path, key="nope")) == (
        "set.xyz: every 'nope' is NaN, a missing label, for targets.energy"
    )
    assert "every 'f' is NaN" in refuse(energy_options(path, key="E", forces=("f", True)))
    frames = read_frames(energy_options(path, key="E", forces=("f", False)))
    assert gradients_of(frames) == ()
    assert "every 'f' is NaN, a missing label: energy is trained without" in frames.notices[0]


def test_missing_labels_are_nan_and_counted(file, energy_options: Make, h2) -> None:
    forces = np.zeros((2, 3))
    partial = np.array([[0.0, np.nan, 0.0], [1.0, 2.0, 3.0]])
    path = file(h2(E=1.0, f=partial), h2(E=np.nan, f=forces), h2(E=2.0, f=forces))
    frames, _, notices = read_frames(energy_options(path, key="E", forces=("f", True)))
    assert np.isnan(frames[1].labels["energy"].values).all()
    assert np.isnan(frames[0].labels["energy"].forces).tolist() == [[True] * 3, [False] * 3]
    assert notices == (
        f"{path}: 'E' is NaN, a missing label, in 1 of 3 structures (frame 1)",
        f"{path}: 'f' is NaN, a missing label, in 1 of 3 structures, 1 atoms (frame 0)",
    )


def test_nonfinite_labels_are_reported_by_frame_all_at_once(
    file, energy_options: Make, h2, refuse
) -> None:
    bad = np.array([[0.0, np.inf, 0.0], [0.0, 0.0, 0.0]])
    good = np.zeros((2, 3))
    path = file(
        h2(E=1.0, f=good),
        h2(E="abc", f=good),
        h2(E=np.array([1.0, 2.0, 3.0]), f=good),
        h2(E=np.inf, f=bad),
        h2(E="none", f=good),
    )
    assert refuse(energy_options(path, key="E", forces=("f", True))).splitlines() == [
        "set.xyz, frames 1, 4: 'E' for targets.energy: not a number: 'abc' (2 frames)",
        "set.xyz, frame 2: 'E' for targets.energy: 3 values where 1 is expected "
        "(num_subtargets 1); a vector is type: {cartesian: {rank: 1}}, several numbers are "
        "num_subtargets: 3",
        "set.xyz, frame 3: 'E' for targets.energy: infinite",
        "set.xyz, frame 3: 'f' for targets.energy.forces: infinite (atom 0)",
    ]


def test_bad_structures_and_bad_labels_are_reported_together(
    file, energy_options: Make, refuse
) -> None:
    twice = ase.Atoms("H2", np.zeros((2, 3)), info={"E": "abc"})
    text = refuse(energy_options(file(twice), key="E", forces=("f", True)))
    assert len(text.splitlines()) == 3


# ---- stress of mixed sets


def solid(**labels: object) -> ase.Atoms:
    return ase.Atoms("Cu", cell=np.eye(3) * 2, pbc=True, info=labels)


STRESS = np.diag([1.0, 2.0, 3.0])


def test_molecules_and_solids_mix_stress_is_missing_for_molecules(
    file, energy_options: Make, h2
) -> None:
    boxed = ase.Atoms("He", cell=np.eye(3) * 50, info={"E": 1.0})
    path = file(solid(E=1.0, s=STRESS), h2(E=1.0), boxed)
    for explicit in (True, False):
        frames, info, notices = read_frames(energy_options(path, key="E", stress=("s", explicit)))
        strains = [frame.labels["energy"].strain for frame in frames]
        np.testing.assert_allclose(strains[0], 8 * STRESS)
        assert np.isnan(strains[1]).all()
        assert np.isnan(strains[2]).all()
        assert info.targets["energy"].gradients == ("strain",)
        assert notices == ()


def test_a_solid_without_stress_among_others_is_refused(
    file, energy_options: Make, h2, refuse
) -> None:
    path = file(solid(E=1.0, s=STRESS), solid(E=1.0), h2(E=1.0))
    for explicit in (True, False):
        text = refuse(energy_options(path, key="E", stress=("s", explicit)))
        assert text.startswith("set.xyz, frame 1: no 's' for targets.energy.stress")


def test_stress_of_a_molecule_is_refused_where_asked_for_else_left_out(
    file, energy_options: Make, refuse
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
    assert notice.endswith("not periodic in three directions (pbc T T F) (frame 1)")


def test_a_missing_stress_of_a_molecule_may_be_written_as_nan(
    file, energy_options: Make, h2
) -> None:
    path = file(solid(E=1.0, s=STRESS), h2(E=1.0, s=np.full((3, 3), np.nan)))
    frames = read_frames(energy_options(path, key="E", stress=("s", True)))
    assert gradients_of(frames) == ("strain",)
    assert frames.notices == ()


def test_stress_asked_for_in_a_set_of_molecules_is_refused(
    file, energy_options: Make, h2, refuse
) -> None:
    path = file(h2(E=1.0))
    assert "no 'stress' in any structure" in refuse(
        energy_options(path, key="E", stress=("stress", True))
    )


def test_molecules_have_a_virial(file, energy_options: Make, h2) -> None:
    path = file(h2(E=1.0, v=STRESS), solid(E=1.0, v=STRESS))
    frames = read_frames(energy_options(path, key="E", virial=("v", True)))
    for frame in frames.frames:
        np.testing.assert_array_equal(frame.labels["energy"].strain, -STRESS)


def test_unknown_units_are_refused_with_the_known_ones(
    file, energy_options: Make, h2, refuse
) -> None:
    path = file(h2(E=1.0))
    assert refuse(
        energy_options(path, key="E", length_unit="angstroms", unit="evolt")
    ).splitlines() == [
        "systems.length_unit: unknown unit 'angstroms'; did you mean 'angstrom'?",
        "targets.energy.unit: unknown unit 'evolt'; "
        "known: eV, meV, Hartree, Ry, kcal/mol, kJ/mol, J",
    ]
