"""Estimate the pairs and the memory of a neighbour list before it is made."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import pi

import numpy as np
from numpy.typing import NDArray

from mtt.data.frames import Float, Mask
from mtt.data.geometry.extents import complete_cells, measure

BYTES = 180
"""Of memory that a pair takes at most while its list is computed and sorted."""

KEPT = 18
"""Of memory that a pair takes afterwards: int32 for both atoms and for the number of the same pair
seen from its other end, three int16 for the shift."""

_SAMPLE = 1000  # atoms of a structure whose distances to each other are looked at
_REACH = 2  # cells that a cutoff is long


def most_pairs(counts: NDArray[np.int64], heights: Float, cutoff: float) -> Float:
    """[n] no list of a structure is longer; far more than there are, in large structures.

    :param counts: [n] atoms of each structure.
    :param heights: [n, 3] of the cells, NaN along axes that are not periodic.
    """
    images = 2.0 * np.ceil(cutoff / heights) + 1.0
    most: Float = counts.astype(np.float64) ** 2 * np.where(np.isnan(images), 1.0, images).prod(1)
    return most


def expected_pairs(points: Float, cell: Float, pbc: Mask, cutoff: float) -> float:
    """Ordered pairs within ``cutoff``, periodic images included, to about a tenth.

    Where cells are smaller than the cutoff, from the density of lattice points; else from
    counts of atoms in a grid of half a cutoff.

    :param points: [n, 3].
    :param cell: [3, 3]; vectors without period are not looked at.
    :param pbc: [3].
    """
    full = complete_cells(cell[None], pbc[None])[0]
    heights = measure(points, np.array([len(points)]), cell[None], pbc[None]).heights[0]
    if pbc.any() and np.nanmin(heights) < cutoff:
        return _from_lattice(points, full, pbc, cutoff)
    return _from_grid(points, full, pbc, heights, cutoff)


def _from_lattice(points: Float, full: Float, pbc: Mask, cutoff: float) -> float:
    """Images of one atom that the sphere around another holds, times the number of both."""
    n = len(points)
    some = points[np.linspace(0, n - 1, min(n, _SAMPLE)).astype(int)]
    across = some @ full[~pbc].T
    away = ((across[:, None] - across[None]) ** 2).sum(axis=2)
    square = np.clip(cutoff**2 - away, 0.0, None)
    k = int(pbc.sum())
    ball = {1: 2.0 * square**0.5, 2: pi * square, 3: 4.0 / 3.0 * pi * square**1.5}[k]
    # unit vectors are the others, so that this is a length, an area or a volume
    return n * n * float(ball.mean()) / abs(float(np.linalg.det(full)))


def _from_grid(points: Float, full: Float, pbc: Mask, heights: Float, cutoff: float) -> float:
    everything = _with_images(points, full, pbc, cutoff / np.where(pbc, heights, np.inf))
    places = np.floor((everything - everything.min(axis=0)) * (_REACH / cutoff)).astype(np.int64)
    places += _REACH
    size = places.max(axis=0) + _REACH + 1
    if float(np.prod(size.astype(np.float64))) > 2**62:  # too wide to be numbered: count them all
        return float(len(points)) ** 2
    stride = np.array([size[1] * size[2], size[2], 1])
    cells, count = np.unique(places @ stride, return_counts=True)
    own, n_own = np.unique(places[: len(points)] @ stride, return_counts=True)
    total = 0.0
    for offset, share in _shares():
        there = np.searchsorted(cells, own + int(np.dot(offset, stride)))
        there = np.minimum(there, len(cells) - 1)
        met = cells[there] == own + int(np.dot(offset, stride))
        total += share * float((n_own * count[there] * met).sum())
    return max(total - len(points), 0.0)


def _with_images(points: Float, full: Float, pbc: Mask, margins: Float) -> Float:
    """``points`` in the cell, and their periodic images within a cutoff of it."""
    inside = points @ np.linalg.inv(full)
    inside -= np.where(pbc, np.floor(inside), 0.0)
    for axis in np.flatnonzero(pbc).tolist():
        unit = np.eye(3)[axis]
        above = inside[inside[:, axis] < margins[axis]] + unit
        below = inside[inside[:, axis] > 1.0 - margins[axis]] - unit
        inside = np.concatenate([inside, above, below])
    moved: Float = inside @ full
    return moved


@lru_cache(maxsize=1)
def _shares() -> tuple[tuple[tuple[int, int, int], float], ...]:
    """Cells around a cell, and the share of pairs between both that is within a cutoff.

    From the differences of points that are uniform in both, whose density is a triangle.
    """
    fine = (np.arange(16) + 0.5) / 8 - 1  # differences of two points in cells of length 1
    weight = (1 - np.abs(fine)) / (1 - np.abs(fine)).sum()
    joint = weight[:, None, None] * weight[:, None] * weight
    found = []
    steps = range(-_REACH, _REACH + 1)
    for a, b, c in product(steps, steps, steps):
        x, y, z = fine + a, fine + b, fine + c
        near = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < _REACH**2
        found.append(((a, b, c), float((joint * near).sum())))
    return tuple(found)
