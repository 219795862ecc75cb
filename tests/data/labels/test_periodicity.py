"""Stress that is in a file and cannot be used: never without a word."""

from __future__ import annotations

from collections.abc import Callable

import ase
import numpy as np
import pytest

from mtt.data.read import read_frames
from mtt.options import DatasetOptions

Make = Callable[..., DatasetOptions]
STRESS = np.diag([1.0, 2.0, 3.0])


def copper(pbc: object = False, cell: float = 2.0, stress: np.ndarray = STRESS) -> ase.Atoms:
    info = {"energy": 1.0, "stress": stress}
    return ase.Atoms("Cu", cell=np.eye(3) * cell, pbc=pbc, info=info)


def said(path: object, options: DatasetOptions) -> list[str]:
    return [one.removeprefix(f"{path}: ") for one in read_frames(options).notices]


def test_a_cell_without_periodicity_is_named_as_the_cause(file, energy_options: Make) -> None:
    path = file(copper(), copper())
    (notice,) = said(path, energy_options(path, stress=("stress", False)))
    assert notice == (
        "'stress' is not used where a structure is not periodic in three directions (pbc F F F), "
        'although there is a cell (Lattice) (frames 0, 1); for a solid write pbc="T T T"'
    )


@pytest.mark.parametrize(
    ("atoms", "why"),
    [
        (copper([True, True, False]), "(pbc T T F)"),
        (copper(cell=0.0), "(pbc F F F), and there is no cell (Lattice)"),
        (copper(stress=np.zeros((3, 3))), "(Lattice); it is zero there"),
    ],
)
def test_each_reason_is_said(file, energy_options: Make, atoms: ase.Atoms, why: str) -> None:
    path = file(atoms)
    (notice,) = said(path, energy_options(path, stress=("stress", False)))
    assert why in notice


def test_reasons_are_said_apart_by_frame(file, energy_options: Make) -> None:
    path = file(copper(True), copper(), copper(cell=0.0), copper())
    assert [
        "frames 1, 3" in one for one in said(path, energy_options(path, stress=("stress", False)))
    ] == [
        True,
        False,
    ]


def test_molecules_without_stress_are_not_spoken_of(file, energy_options: Make, h2) -> None:
    path = file(h2(energy=1.0))
    assert said(path, energy_options(path, stress=("stress", False))) == []
    missing = file(copper(stress=np.full((3, 3), np.nan)))
    assert said(missing, energy_options(missing, stress=("stress", False))) == []


def test_a_stress_that_was_asked_for_is_refused_with_the_reason(
    file, energy_options: Make, refuse
) -> None:
    text = refuse(energy_options(file(copper()), stress=("stress", True)))
    assert (
        "not periodic in three directions (pbc F F F), although there is a cell (Lattice)" in text
    )
