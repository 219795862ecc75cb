"""Cells that can be inverted, whatever is periodic."""

from __future__ import annotations

import numpy as np

from mtt.scanning.tools.structures import Float, Index, Structures


def full_cells(structures: Structures, chosen: Index) -> Float:
    """[m, 3, 3] cells, with unit vectors across the periodic ones where it is not periodic."""
    cells = structures.cells[chosen].copy()
    pbc = structures.pbc[chosen]
    cells[~pbc.any(axis=1)] = np.eye(3)
    for k in np.flatnonzero(pbc.any(axis=1) & ~pbc.all(axis=1)):
        across = np.linalg.svd(cells[k][pbc[k]])[2]
        cells[k][~pbc[k]] = across[int(pbc[k].sum()) :]
    return cells
