"""Bounds of geometry beyond which no neighbour list is computed.

They are the same for every unit of length, as that of atoms at the same place is: they are far
beyond any computation, and keep damaged files out. What the neighbour list of a structure
within these bounds needs is another matter (:mod:`mtt.data.geometry.finder`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtt.data.frames import Float

FURTHEST = 1e8
"""Distance of an atom from the origin; float64 resolves 1.5e-8 there."""

WIDEST = 1e5
"""Extent along directions that are not periodic, and height of a cell along those that are."""

FLATTEST = 0.05
"""Height of a cell along periodic directions: the distance of two opposite faces."""

MOST_CELLS = int(np.iinfo(np.int16).max)
"""Cells between two atoms, along a periodic direction; shifts are stored as int16."""


class Extents(NamedTuple):
    """The size of some structures.

    :param furthest: [n] largest absolute coordinate.
    :param heights: [n, 3] distance between opposite faces of the cell; NaN along axes that are
        not periodic. 0 where periodic cell vectors are linearly dependent.
    :param widths: [n, 3] of the atoms: lengths along axes that are not periodic (perpendicular
        to the periodic ones and to each other), whole cells along periodic ones.
    """

    furthest: Float
    heights: Float
    widths: Float


class Fault(NamedTuple):
    """The bounds that one structure exceeds."""

    structure: int  # position among those measured
    what: str
    detail: str
    hint: str


def measure(
    points: Float, counts: NDArray[np.int64], cells: Float, pbc: NDArray[np.bool_]
) -> Extents:
    """The extents of some structures, each of at least one atom.

    :param points: [all atoms, 3], one structure after the other.
    :param counts: [n] atoms of each structure.
    :param cells: [n, 3, 3], rows are cell vectors; those without period are not looked at.
    :param pbc: [n, 3].
    """
    first = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(counts)), counts)
    inverse, heights = _inverted(complete_cells(cells, pbc))
    inside = np.einsum("ni,nij->nj", points, inverse[owner])
    inside = np.where(pbc[owner], np.floor(inside), inside)
    return Extents(
        np.maximum.reduceat(np.abs(points).max(axis=1), first),
        np.where(pbc, heights, np.nan),
        np.maximum.reduceat(inside, first) - np.minimum.reduceat(inside, first),
    )


def complete_cells(cells: Float, pbc: NDArray[np.bool_]) -> Float:
    """[n, 3, 3] ``cells`` with unit vectors across the periodic ones where they are not periodic.

    The vectors that take the place of the others are perpendicular to each other, too.
    """
    found = np.array(cells, dtype=np.float64)
    for pattern in np.unique(pbc, axis=0):
        if pattern.all():
            continue
        members = np.flatnonzero((pbc == pattern).all(axis=1))
        k = int(pattern.sum())
        across = np.broadcast_to(np.eye(3), (len(members), 3, 3))
        if k:
            across = np.linalg.svd(found[members][:, pattern])[2]
        found[np.ix_(members, np.flatnonzero(~pattern))] = across[:, k:]
    return found


def _inverted(cells: Float) -> tuple[Float, Float]:
    """Inverse and heights; 0 for both where a cell has no volume."""
    # row k: perpendicular to the two other vectors, as long as the face that they span
    faces = np.stack([np.cross(cells[:, k - 2], cells[:, k - 1]) for k in range(3)], axis=1)
    volume = np.einsum("ni,ni->n", cells[:, 0], faces[:, 0])
    area = np.linalg.norm(faces, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.swapaxes(faces, 1, 2) / volume[:, None, None]
        heights = np.abs(volume)[:, None] / area
    sound = np.isfinite(inverse).all(axis=(1, 2))
    return np.where(sound[:, None, None], inverse, 0.0), np.where(sound[:, None], heights, 0.0)


def beyond(extents: Extents) -> Iterator[Fault]:
    """The bounds that structures exceed; only the first one for each structure."""
    periodic = ~np.isnan(extents.heights)
    open_widths = np.where(periodic, 0.0, extents.widths)
    cells_apart = np.where(periodic, extents.widths, 0.0)
    flat = np.where(periodic, extents.heights, np.inf)
    high = np.where(periodic, extents.heights, 0.0)
    far = extents.furthest > FURTHEST
    wide = open_widths.max(axis=1) > WIDEST
    tall = high.max(axis=1) > WIDEST
    thin = flat.min(axis=1) < FLATTEST
    apart = cells_apart.max(axis=1) > MOST_CELLS
    for i in np.flatnonzero(far | wide | tall | thin | apart).tolist():
        if far[i]:
            detail = f": at {extents.furthest[i]:.6g} (at most {FURTHEST:.0e})"
            yield Fault(i, "an atom is too far from the origin", detail, _DAMAGED)
        elif wide[i]:
            detail = f": by {open_widths[i].max():.6g} (at most {WIDEST:.0e})"
            yield Fault(i, "the atoms are too far apart", detail, _LOST)
        elif tall[i]:
            vector = int(high[i].argmax())
            detail = f": {high[i, vector]:.6g} high along vector {vector} (at most {WIDEST:.0e})"
            yield Fault(i, "the cell is too large", detail, _VACUUM)
        elif thin[i]:
            vector = int(flat[i].argmin())
            detail = f": {flat[i, vector]:.3g} high along vector {vector} (at least {FLATTEST:g})"
            yield Fault(i, "the cell is too flat", detail, _FLAT)
        else:
            detail = f": {cells_apart[i].max():.6g}"
            what = f"atoms are more than {MOST_CELLS} cells apart"
            yield Fault(i, what, detail, "wrap the positions into the cell")


_DAMAGED = "is a number damaged, or the unit of length wrong?"
_LOST = "is an atom lost, or the unit of length wrong? Leave the structure out"
_VACUUM = "a vacuum of a few cutoffs is enough; where nothing repeats, set pbc to F"
_FLAT = "correct the cell; where nothing repeats, set pbc to F"
