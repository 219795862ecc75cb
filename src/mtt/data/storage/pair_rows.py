"""What models need to know of neighbour lists beyond the pairs themselves, found once on the host.

A list is sorted by centre, neighbour and shift, and holds every pair in both directions. So the
pair seen from its other end needs no search: of the pairs from j to i, in their order, the last
is the counterpart of the first from i to j, since the opposite shifts have the opposite order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


def reverse_of(centers: NDArray[Any], neighbors: NDArray[Any]) -> Index:
    """[P] int64, the number of each pair's counterpart.

    :param centers: [P], sorted as above; atoms of several structures have different numbers.
    :param neighbors: [P], likewise numbered.
    """
    n = len(centers)
    # by neighbour, then by centre, then by shift: as the counterparts are, but for the shifts
    order = np.argsort(neighbors, kind="stable")
    by_neighbor, by_center = neighbors[order], centers[order]
    new = np.ones(n, dtype=bool)
    new[1:] = (np.diff(by_neighbor) != 0) | (np.diff(by_center) != 0)
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, n))
    # backwards within each group of periodic images
    mirrored = np.repeat(2 * starts + lengths - 1, lengths) - np.arange(n)
    reverse: Index = order[mirrored]
    return reverse


def are_opposite(
    centers: NDArray[Any], neighbors: NDArray[Any], shifts: NDArray[Any] | None, reverse: Index
) -> bool:
    """Whether ``reverse`` names the same pair seen from its other end, for all pairs."""
    return bool(
        (centers[reverse] == neighbors).all()
        and (neighbors[reverse] == centers).all()
        and (shifts is None or (shifts[reverse] == -shifts).all())
    )


def widths_of(n_pairs: Index, centers: NDArray[Any]) -> Index:
    """[n] int64, most neighbours of an atom of each structure; 0 without pairs.

    :param n_pairs: [n] pairs of each structure.
    :param centers: [P] ascending within each structure, atom within it.
    """
    widths = np.zeros(len(n_pairs), dtype=np.int64)
    if len(centers):
        structure = np.repeat(np.arange(len(n_pairs)), n_pairs)
        new = np.ones(len(centers), dtype=bool)
        new[1:] = (np.diff(structure) != 0) | (np.diff(centers) != 0)
        starts = np.flatnonzero(new)
        np.maximum.at(widths, structure[starts], np.diff(np.append(starts, len(centers))))
    return widths
