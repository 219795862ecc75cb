"""Crystals of the same atoms as points, so that the most similar ones are the nearest."""

from __future__ import annotations

import numpy as np

from mtt.scanning.tools.structures import Float, Index, Structures

_ATOMS = 60  # of a crystal that make it comparable with another one


def crystal_points(structures: Structures, members: Index) -> Float:
    """[m, d] of crystals with the same atoms in the same order; about root mean squares in Å.

    Positions enter by their phases in the cell, which borders of the cell do not cut, against
    the first atom's; cells enter by their vectors.
    """
    n = int(structures.n_atoms[members[0]])
    some = np.unique(np.linspace(0, n - 1, min(n, _ATOMS)).astype(np.int64))
    cells = structures.cells[members] / structures.angstrom
    lengths = np.linalg.norm(cells, axis=2).mean(axis=0)
    rows = []
    for block in structures.blocks(("positions",), members):
        here = structures.cells[block.structures]
        points = block.columns["positions"].reshape(-1, n, 3)
        fraction = (points - points[:, :1])[:, some] @ np.linalg.inv(here)
        phases = 2.0 * np.pi * fraction
        waves = np.concatenate([np.cos(phases), np.sin(phases)], axis=1) * lengths / (2.0 * np.pi)
        rows.append(waves.reshape(len(here), -1) / np.sqrt(len(some)))
    return np.concatenate([np.concatenate(rows), cells.reshape(len(members), 9)], axis=1)
