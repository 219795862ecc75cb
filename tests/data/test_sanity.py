"""Structures that cannot be trained on."""

from __future__ import annotations

import ase
import ase.build
import numpy as np
import pytest

from mtt.data.files.raw_frame import RawFrame, from_ase
from mtt.data.findings import Findings, name_frames
from mtt.data.sanity import check_structures, coincident_atoms
from mtt.errors import DataError


def raw(*structures: ase.Atoms) -> list[RawFrame]:
    return [from_ase(atoms, "set.xyz", number) for number, atoms in enumerate(structures)]


def refuse(*structures: ase.Atoms) -> str:
    findings = Findings()
    check_structures(raw(*structures), findings)
    with pytest.raises(DataError) as caught:
        findings.raise_if_any()
    return str(caught.value)


def with_positions(atoms: ase.Atoms, positions: list[list[float]]) -> ase.Atoms:
    atoms = atoms.copy()
    atoms.positions[:] = positions
    return atoms


H2 = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])


def test_sound_structures_pass_molecules_in_a_box_crystals_slabs_and_single_atoms() -> None:
    boxed = ase.Atoms("H2", H2.positions, cell=np.eye(3) * 50)
    flat = ase.build.graphene(vacuum=None)  # two periodic directions, third vector zero
    silicon = ase.build.bulk("Si", cubic=True)
    primitive = ase.build.bulk("Cu")
    wire = ase.Atoms("H", cell=[0, 0, 2.0], pbc=[False, False, True])
    findings = Findings()
    check_structures(
        raw(H2, boxed, flat, silicon, silicon * 3, primitive, wire, ase.Atoms("He")), findings
    )
    findings.raise_if_any()


def test_every_kind_of_mistake_is_reported_with_its_frame() -> None:
    text = refuse(
        H2,
        ase.Atoms(),
        ase.Atoms("XH", [[0, 0, 0], [0, 0, 1]]),
        with_positions(H2, [[0, 0, 0], [0, np.nan, 0]]),
        ase.Atoms("H", pbc=True),
        ase.Atoms("H", cell=[[1, 0, 0], [0, 1, 0], [1, 1, 0]], pbc=True),
        ase.Atoms("H", cell=[[1, 0, 0], [0, 1, 0], [0, 0, np.inf]], pbc=True),
        with_positions(H2, [[0, 0, 0], [0, 0, 1e-4]]),
    )
    assert text.splitlines() == [
        "set.xyz, frame 1: no atoms",
        "set.xyz, frame 2: unknown element: atomic number 0 (atom 0); "
        "dummy atoms ('X') cannot be trained on",
        "set.xyz, frame 3: positions are not finite: [0.0, nan, 0.0] (atom 1)",
        "set.xyz, frame 4: periodic (pbc), but a cell vector is zero; "
        "give the cell (Lattice), or set pbc to F",
        "set.xyz, frame 5: the periodic cell vectors are linearly dependent",
        "set.xyz, frame 6: the cell is not finite",
        "set.xyz, frame 7: atoms at the same place: atoms 0 and 1 are 0.0001 apart; "
        "remove one of them, or correct the cell",
    ]


def test_frames_with_the_same_mistake_are_counted_and_the_first_are_named() -> None:
    text = refuse(*[ase.Atoms()] * 7, H2)
    assert text == "set.xyz, frames 0, 1, 2, 3, 4 and 2 more: no atoms (7 frames)"
    assert name_frames([3]) == "frame 3"


@pytest.mark.parametrize("shift", [[0, 0, 0], [1, 0, 0], [-1, 2, 1], [0, 0, 3]])
def test_atoms_at_the_same_place_are_found_across_periodic_boundaries(shift: list[int]) -> None:
    cell = np.array([[5.0, 0.3, 0.0], [1.0, 4.0, 0.2], [-0.5, 0.7, 6.0]])
    for corner in ([0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [1 - 1e-9, 0.3, 1e-9]):
        place = np.array(corner) @ cell
        atoms = ase.Atoms("OH", [place, place + np.array(shift) @ cell + 4e-4], cell=cell, pbc=True)
        atoms = atoms + ase.Atoms("C", [place + 1.0])
        (found,) = coincident_atoms(raw(H2, atoms))
        assert found[:3] == (1, 0, 1)
        assert found.distance == pytest.approx(4e-4 * 3**0.5)
        atoms.pbc = False
        assert bool(list(coincident_atoms(raw(atoms)))) == (shift == [0, 0, 0])


def test_only_periodic_directions_have_images() -> None:
    place = [[0, 0, 0], [5.0, 0, 0]]
    for pbc, n in (([True, False, False], 1), ([False, True, True], 0)):
        atoms = ase.Atoms("H2", place, cell=[5, 5, 5], pbc=pbc)
        assert len(list(coincident_atoms(raw(atoms)))) == n


def test_coincident_atoms_agree_with_ase_on_random_crystals() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        cell = np.diag(rng.uniform(2, 4, 3)) + rng.uniform(-0.8, 0.8, (3, 3))
        positions = rng.uniform(-5, 5, (6, 3))
        image = rng.integers(-2, 3, 3) @ cell
        positions[3] = positions[1] + image + rng.normal(0, 6e-4, 3)
        pbc = rng.integers(0, 2, 3).astype(bool)
        atoms = ase.Atoms("H6", positions, cell=cell, pbc=pbc)
        closest = atoms.get_distance(1, 3, mic=True)
        assert bool(list(coincident_atoms(raw(atoms)))) == (closest < 1e-3)


def test_an_atom_on_its_own_image_is_found() -> None:
    text = refuse(ase.Atoms("H", cell=[5e-4, 5, 5], pbc=True))
    assert "atom 0 is 0.0005 from its own periodic image" in text


def test_geometry_beyond_all_bounds_is_refused_with_everything_else_that_is_wrong() -> None:
    far = ase.Atoms("H2", [[0, 0, 0], [0, 0, 1e8]])
    lost = ase.Atoms("H2", [[0, 0, 0], [0, 0, 1e6]], cell=[5, 5, 0], pbc=[True, True, False])
    long = ase.Atoms("H", cell=[5, 5, 1e6], pbc=True)
    flat = ase.Atoms("H", cell=[0.01, 0.01, 0.01], pbc=True)
    leaning = ase.Atoms("H", cell=[[5, 0, 0], [9e4, 5, 0], [0, 0, 5]], pbc=True)
    apart = ase.Atoms("H2", [[0, 0, 0], [9e4, 0, 1]], cell=[2, 2, 2], pbc=True)
    away = ase.Atoms("H", [[0, 0, 3e9]], cell=[2, 2, 2], pbc=True)
    nowhere = with_positions(H2, [[0, 0, np.nan], [0, 0, 0]])
    found = refuse(far, lost, long, flat, leaning, apart, away, nowhere, H2)
    assert [line.partition("; ")[0] for line in found.splitlines()] == [
        "set.xyz, frame 7: positions are not finite: [0.0, 0.0, nan] (atom 0)",
        "set.xyz, frames 0, 1: the atoms are too far apart: by 1e+08 (at most 1e+05) (2 frames)",
        "set.xyz, frame 2: the cell is too large: 1e+06 high along vector 2 (at most 1e+05)",
        "set.xyz, frames 3, 4: the cell is too flat: 0.01 high along vector 0 (at least 0.05) "
        "(2 frames)",
        "set.xyz, frame 5: atoms are more than 32767 cells apart: 45000",
        "set.xyz, frame 6: an atom is too far from the origin: at 3e+09 (at most 1e+08)",
    ]


def test_a_wide_vacuum_a_far_dimer_and_a_drift_are_within_the_bounds() -> None:
    dimer = ase.Atoms("H2", [[0, 0, 0], [1000, 1000, 0]])
    slab = ase.Atoms("H2", H2.positions, cell=[5, 5, 1e4], pbc=True)
    box = ase.Atoms("H2", H2.positions, cell=[1e9, 1e9, 1e9])  # not periodic: of no effect
    drifted = ase.Atoms("H2", H2.positions + 1e6, cell=[3, 3, 3], pbc=True)
    findings = Findings()
    check_structures(raw(dimer, slab, box, drifted), findings)
    findings.raise_if_any()


def test_structures_are_checked_in_large_groups_with_their_own_numbers() -> None:
    silicon = ase.build.bulk("Si", cubic=True) * 5
    double = silicon + ase.Atoms("Si", [silicon.positions[17]])
    structures = raw(silicon, double) * 60  # more than one group of 100,000 atoms
    found = list(coincident_atoms(structures))
    assert [pair.frame for pair in found] == list(range(1, 120, 2))
    assert {(pair.first, pair.second) for pair in found} == {(17, 1000)}
