"""Lists of ``mtt[nvalchemi]``, which calculators of metatomic take on a GPU, against the host's."""

from __future__ import annotations

import math
from typing import Any

import ase
import numpy as np
import pytest
import torch
from ase.build import bulk, fcc111, molecule

from mtt.data.geometry.finder import Finder, Geometries

device = pytest.importorskip("nvalchemiops.torch.neighbors")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

Pairs = list[tuple[int, ...]]


def on_the_host(atoms: ase.Atoms, cutoff: float) -> Pairs:
    """(i, j, S) of all pairs."""
    one = Geometries(
        atoms.positions, np.array([len(atoms)]), np.array(atoms.cell)[None], atoms.pbc[None]
    )
    finder = Finder(cutoff, full_list=True, ordered=True)
    pairs, shifts = next(finder.each(one, "PS", lambda _: "a structure"))
    return [tuple(row) for row in np.hstack([pairs, shifts]).astype(int).tolist()]


def on_the_device(atoms: ase.Atoms, cutoff: float) -> Pairs:
    """As metatomic-ase and metatomic-torchsim call it, with the cell that a system has."""

    def there(values: Any) -> torch.Tensor:
        return torch.tensor(values, device=DEVICE)

    pairs, _, shifts = device.neighbor_list(
        there(atoms.positions),
        cutoff,
        cell=there(np.where(atoms.pbc[:, None], np.array(atoms.cell), 0.0)),
        pbc=there(atoms.pbc),
        max_neighbors=math.ceil(max(128, cutoff**3)),
        return_neighbor_list=True,
    )
    return [tuple(row) for row in torch.hstack([pairs.T, shifts]).tolist()]


def triclinic() -> ase.Atoms:
    """A crystal without a right angle, of which atoms are some cells away."""
    random = np.random.default_rng(0)
    atoms = bulk("Cu", cubic=True).repeat(2)
    shear = np.array([[1.0, 0.3, 0.0], [0.0, 1.0, 0.2], [0.1, 0.0, 1.0]])
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    atoms.rattle(0.1, rng=random)
    atoms.positions += random.integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array
    return atoms


@pytest.mark.parametrize(
    ("atoms", "cutoff"),
    [
        (triclinic(), 5.0),
        (bulk("Cu"), 8.0),  # atoms are neighbours of their own images
        (bulk("C", cubic=True), 5.0),
        (molecule("CH3CH2OH"), 4.0),
        (ase.Atoms("H"), 4.0),
    ],
    ids=["triclinic", "primitive", "diamond", "molecule", "atom"],
)
def test_the_pairs_are_those_of_the_host(atoms: ase.Atoms, cutoff: float) -> None:
    assert sorted(on_the_device(atoms, cutoff)) == sorted(on_the_host(atoms, cutoff))


def test_no_pair_is_lost_where_there_are_too_many_or_the_cell_is_not_whole() -> None:
    """An error: the page about ASE says so."""
    with pytest.raises(Exception, match="larger than the maximum allowed: 934 > 216"):
        on_the_device(bulk("H", "fcc", a=1.6), 6.0)
    slab = fcc111("Al", (2, 2, 3), vacuum=8.0)
    slab.pbc = [True, True, False]
    with pytest.raises(RuntimeError, match="No neighbor-list method fits"):
        on_the_device(slab, 5.0)
