"""Tiny structures that show what goes wrong: no symmetry, every kind of boundary. Deterministic.

Lengths are such that neighbours are a bond apart if the unit is the angstrom.
"""

from __future__ import annotations

from collections.abc import Sequence

import ase
import numpy as np
from numpy.typing import NDArray

Numbers = Sequence[int]

SPACING = 1.5


def cluster(elements: Numbers) -> ase.Atoms:
    """Seven atoms like those of a molecule, without any symmetry."""
    return ase.Atoms(_spread(elements, 7), _grid((2, 2, 2), seed=1)[:7])


def crystal(elements: Numbers) -> ase.Atoms:
    """Four atoms in a skewed cell that is smaller than most cutoffs."""
    cell = [[3.1, 0.0, 0.0], [0.5, 3.3, 0.0], [-0.4, 0.6, 2.7]]
    return ase.Atoms(_spread(elements, 4), _grid((2, 2, 1), seed=2), cell=cell, pbc=True)


def slab(elements: Numbers) -> ase.Atoms:
    """Five atoms, periodic in two directions, with vacuum in the third."""
    positions = np.concatenate([_grid((2, 2, 1), seed=3), [[0.7, 0.9, 1.6]]])
    cell = [[3.2, 0.0, 0.0], [0.4, 3.0, 0.0], [0.0, 0.0, 15.0]]
    return ase.Atoms(_spread(elements, 5), positions, cell=cell, pbc=(True, True, False))


def rod(elements: Numbers, cells: int) -> ase.Atoms:
    """A row of ``cells`` crystals of four atoms, periodic along the row; long enough for most
    cutoffs.
    """
    one = crystal(elements)
    one.pbc = (True, False, False)
    return one * (cells, 1, 1)


def chain(elements: Numbers, n: int, spacing: float) -> ase.Atoms:
    """``n`` atoms in a bent row; those ``k`` places apart are nearly ``k`` spacings apart."""
    steps = np.arange(n)[:, None]
    bend = 0.1 * (steps % 2) * np.array([0.6, -0.48, 0.0])
    return ase.Atoms(_spread(elements, n), spacing * (steps * DIRECTION + bend))


def atom(element: int) -> ase.Atoms:
    """One atom, far from everything."""
    return ase.Atoms([element], [[0.1, -0.2, 0.3]])


def dimer(elements: Numbers, distance: float) -> ase.Atoms:
    """Two atoms at ``distance``, in a general direction."""
    return ase.Atoms(_spread(elements, 2), [[0.0, 0.0, 0.0], distance * DIRECTION])


def trimer(elements: Numbers, distance: float) -> ase.Atoms:
    """Two bonded atoms, and a third at ``distance`` from the first, further from the second."""
    positions = [[0.0, 0.0, 0.0], [-0.3, -1.1, 0.2], distance * DIRECTION]
    return ase.Atoms(_spread(elements, 3), positions)


def ordinary(elements: Numbers) -> list[ase.Atoms]:
    """One structure of each kind of boundary: cluster, crystal, slab."""
    return [cluster(elements), crystal(elements), slab(elements)]


def joined(first: ase.Atoms, second: ase.Atoms, distance: float) -> ase.Atoms:
    """Both in one structure without a cell, ``distance`` or more apart."""
    moved = second.copy()
    moved.positions += DIRECTION * (distance + np.ptp(first.positions) + np.ptp(second.positions))
    both: ase.Atoms = first + moved
    return both


DIRECTION: NDArray[np.float64] = np.array([0.48, 0.6, 0.64])  # of length 1


def _spread(elements: Numbers, n: int) -> NDArray[np.int64]:
    """``n`` of the elements, from first to last; they repeat where there are fewer."""
    chosen = np.asarray(elements)
    if len(chosen) > n:
        chosen = chosen[np.linspace(0, len(chosen) - 1, n).astype(int)]
    return np.resize(chosen, n)


def _grid(shape: tuple[int, int, int], seed: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    jittered: NDArray[np.float64] = SPACING * (
        points + generator.uniform(-0.15, 0.15, points.shape)
    )
    return jittered
