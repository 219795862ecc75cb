"""The grid of cells that vesin makes, and its limits.

vesin sorts atoms into a grid of cells, one cutoff or more high, and looks for neighbours around
each. Some geometries end the process there, or keep it for hours. The limits of vesin 0.6.2
on the CPU, found by bisection (tests/data/test_vesin_limits.py), in cutoffs:

====================================================  ==================  =====================
structure                                             last that it takes  the next one
====================================================  ==================  =====================
atoms along one axis, not periodic                    99,010              division by zero
atoms over two axes, not periodic                     313.8 × 313.8       division by zero
atoms over three axes, not periodic                   any                 none
cell one cutoff wide and high                         100,000 long        division by zero
cell one cutoff high                                  316 × 316           division by zero
cell ten cutoffs high                                 3,150 × 3,150       division by zero
an atom outside of a cell of 1 cutoff                 2,147,483,647 away  pairs lost silently
cell lower than the cutoff                            as memory allows    segmentation fault
slab, or wire, with atoms far apart without a period  time grows with the square: 43 s at 20,000
cutoff longer than a molecule, or a slab              time grows with its cube, or its height
====================================================  ==================  =====================

The grid has 100,000 cells at most; where that many would be less than one along an axis, it has
none.
"""

from __future__ import annotations

from math import ceil, inf, trunc

import numpy as np

from mtt.data.frames import Float, Mask
from mtt.data.geometry.extents import complete_cells, measure

MOST_IN_GRID = 1e5
"""Of a grid."""

ROUNDING = 1.0 + 1e-9
"""Factor that makes whole numbers of cells certain before they are rounded down."""


def box_heights(points: Float, box: Float, pbc: Mask) -> list[float]:
    """The three heights that vesin divides by the cutoff.

    Along an axis that is not periodic, that of the Cartesian axis of the same number: 1.01
    times the extent of the atoms, and not less than 1.
    """
    extent = (points.max(axis=0) - points.min(axis=0)).tolist()
    heights = [max(1.01 * (width if width >= 1e-6 else 1.0), 1.0) for width in extent]
    if pbc.any():
        full = complete_cells(box[None], pbc[None])
        within = measure(np.zeros((1, 3)), np.ones(1, dtype=np.int64), full, pbc[None]).heights
        for axis in np.flatnonzero(pbc).tolist():
            heights[axis] = float(within[0, axis])
    return heights


def grid(heights: list[float], cutoff: float) -> list[int]:
    """Cells of vesin's grid along each axis; zeros where it might divide by zero.

    vesin rounds all of these numbers down, so that rounding errors decide where one is whole.
    """
    a, b, c = (float(max(trunc(height / cutoff * ROUNDING), 1)) for height in heights)
    if a * b * c > MOST_IN_GRID:
        ab, bc = a / b, b / c
        c = float(trunc(np.cbrt(MOST_IN_GRID / (ab * bc * bc))))
        b = float(trunc(bc * c))
        a = float(trunc(ab * b))
        if min(a, b, c) < 2.0:
            return [0, 0, 0]
    return [int(a), int(b), int(c)]


def visits(heights: list[float], pbc: Mask, cutoff: float) -> float:
    """Pairs of cells that vesin looks at; infinite where it would divide by zero."""
    shape = grid(heights, cutoff)
    if min(shape) < 1:
        return inf
    mixed = pbc.any() and not pbc.all()
    total = 1.0
    for cells, height, periodic in zip(shape, heights, pbc.tolist(), strict=True):
        around = max(ceil(cutoff * cells / height), 1)
        if mixed and not periodic:
            around = max(around, cells - 1)
        total *= cells * (2 * around + 1)
    return total
