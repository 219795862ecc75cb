"""Label files whose structures are not those that the labels belong to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase
import numpy as np
import pytest

from mtt.data.read import read_frames
from mtt.options import DatasetOptions

Make = Callable[..., DatasetOptions]
Write = Callable[..., Path]


def crystal(cell: object = (3.0, 3.0, 3.0), pbc: object = True, **info: object) -> ase.Atoms:
    atoms = ase.Atoms("CuAu", [[0, 0, 0], [1.5, 1.5, 1.5]], cell=cell, pbc=pbc)
    atoms.info.update({"energy": -1.0, **info})
    return atoms


def test_other_cells_and_periodicity_are_refused_with_both_values(
    file: Write, energy_options: Make, refuse: Callable[[DatasetOptions], str]
) -> None:
    systems = file(*[crystal() for _ in range(5)], name="systems.xyz")
    labels = file(
        crystal(),
        crystal((3.0, 3.0, 3.01)),
        crystal(pbc=[True, True, False]),
        crystal(np.array([[3.0, 0, 0], [0, 3.0, 0], [0.5, 0, 3.0]])),
        crystal(pbc=False),
        name="labels.xyz",
    )
    found = refuse(energy_options(systems, read_from=labels)).replace(f"{systems.parent}/", "")
    assert found.splitlines() == [
        "labels.xyz, frames 1, 3: the cell differs: 3 0 0 | 0 3 0 | 0 0 3.01, and 3 0 0 | 0 3 0 | "
        "0 0 3 in systems.xyz, frame 1 (2 frames); both files must hold the same structures, in "
        "the same order",
        "labels.xyz, frames 2, 4: the periodicity (pbc) differs: T T F, and T T T in systems.xyz, "
        "frame 2 (2 frames); both files must hold the same structures, in the same order",
    ]


def test_atoms_in_another_order_are_refused_and_moved_atoms_are_a_notice(
    file: Write, energy_options: Make, refuse: Callable[[DatasetOptions], str]
) -> None:
    copper = crystal()
    copper.symbols[:] = "Cu"
    moved = copper.copy()
    moved.positions += 0.1
    systems = file(copper, copper, name="systems.xyz")
    found = refuse(energy_options(systems, read_from=file(moved, copper[::-1], name="labels.xyz")))
    assert found.replace(f"{systems.parent}/", "") == (
        "labels.xyz, frame 1: the atoms are in another order than in systems.xyz, frame 1; both "
        "files must hold the same structures, in the same order"
    )
    labels = file(moved, moved, name="labels.xyz")
    (notice,) = read_frames(energy_options(systems, read_from=labels)).notices
    assert "have different positions in 2 structures" in notice


def test_rounding_and_cells_without_effect_do_not_count_as_differences(
    file: Write, energy_options: Make
) -> None:
    open_cell = np.diag([3.0, 3.0, 0.0])
    systems = file(
        crystal((3.00004, 3.0, 3.0)),
        crystal(pbc=False),
        crystal(open_cell, [True, True, False]),
        name="systems.xyz",
    )
    labels = file(
        crystal((3.0, 3.0, 3.0)),
        crystal((9.0, 9.0, 9.0), pbc=False),
        crystal((3.0, 3.0, 30.0), [True, True, False]),
        name="labels.xyz",
    )
    found = read_frames(energy_options(systems, read_from=labels))
    assert found.notices == ()
    assert found.frames[0].cell[0, 0] == pytest.approx(3.00004)
