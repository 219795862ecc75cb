"""vesin within its limits: every neighbour list of the platform is computed here.

A structure that is near a limit of vesin (:mod:`mtt.data.geometry.vesin_grid`) is not given to
it as it is. The list stays the same where it is (a) moved into its cell, (b) without the empty
space along directions that are not periodic, where a gap is wider than the cutoff, (c) searched
with a longer cutoff, whose pairs beyond the real one are left out; what remains impossible is
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Any, NamedTuple

import numpy as np
import torch
import vesin
from numpy.typing import NDArray

from mtt.data.frames import Float, Mask
from mtt.data.geometry.expected import BYTES, expected_pairs, most_pairs
from mtt.data.geometry.extents import complete_cells, measure
from mtt.data.geometry.vesin_grid import MOST_IN_GRID, ROUNDING, box_heights, visits
from mtt.data.memory import GIB, OutOfMemory, free_memory, in_words
from mtt.errors import DataError, MttError

_MOST_INDEX = 2.0**30  # of a cell, an int32 in vesin
_EASY, _MOST_VISITS = 1e7, 1e11  # pairs of cells that are looked at: 0.1 s, some minutes
_LITTLE = 64 * 2**20  # bytes
_WIDER = 1.05  # factor of the cutoff that is tried next
_SPACE = 1.5  # cutoffs that are left of a gap

Index = NDArray[np.int64]


class Finder:
    """Computes neighbour lists.

    :param cutoff: in the unit of the positions.
    :param full_list: every pair in both directions, or once.
    :param ordered: sorted by the first atom.
    """

    def __init__(self, cutoff: float, *, full_list: bool, ordered: bool) -> None:
        self.cutoff = cutoff
        self._options = {"full_list": full_list, "sorted": ordered}
        self._vesin = vesin.NeighborList(cutoff=cutoff, **self._options)

    def each(
        self, some: Geometries, quantities: str, source: Callable[[int], str]
    ) -> Iterator[list[NDArray[Any]]]:
        """The ``quantities`` of all pairs of each structure, arrays with one row per pair.

        :param some: within the bounds of :mod:`mtt.data.geometry.extents`.
        :param quantities: letters of vesin: ``P`` both atoms, ``i``, ``j`` each of them, ``S``
            shift, ``d`` distance, ``D`` vector.
        :param source: of a structure, by its position in ``some``, for messages.
        :raises OutOfMemory: a list does not fit into the memory that is free.
        :raises DataError: the search would take hours, or vesin refuses.
        """
        plain, short = some.plain(self.cutoff), some.short(self.cutoff)
        for k in range(len(some.counts)):
            points, box, pbc = some.one(k)
            if not (plain[k] and short[k]):
                wrong = self.refusal(points, box, pbc)
                if wrong:
                    raise wrong[0](wrong[1], where=source(k), hint=REMEDY)
            if plain[k]:
                yield self._run(self._vesin, points, box, pbc, quantities, source(k))
            else:
                yield self._apart(points, box, pbc, quantities, source(k))

    def refusal(self, points: Float, box: Float, pbc: Mask) -> tuple[type[MttError], str] | None:
        """The problem of a structure whose list cannot be computed; else None."""
        lack = _lack(points, box, pbc, self.cutoff)
        if lack:
            return OutOfMemory, lack
        moved = _without_gaps(_wrapped(points, box, pbc)[0], box, pbc, self.cutoff)
        heights = box_heights(moved, box, pbc)
        if visits(heights, pbc, _reach(moved, heights, pbc, self.cutoff)) > _MOST_VISITS:
            what = f"the search for neighbours within {self.cutoff:g} would take hours"
            return DataError, what
        return None

    def _apart(
        self, points: Float, box: Float, pbc: Mask, quantities: str, source: str
    ) -> list[NDArray[Any]]:
        """Find the pairs of a structure that vesin cannot take as it is."""
        moved, cells = _wrapped(points, box, pbc)
        moved = _without_gaps(moved, box, pbc, self.cutoff)
        heights = box_heights(moved, box, pbc)
        reach = _reach(moved, heights, pbc, self.cutoff)
        calculator = vesin.NeighborList(cutoff=reach, **self._options)
        pairs, shifts = self._run(calculator, moved, box, pbc, "PS", source)
        pairs = pairs.astype(np.int64)
        shifts = shifts.astype(np.int64)
        vectors = moved[pairs[:, 1]] - moved[pairs[:, 0]] + shifts @ box
        distances = np.linalg.norm(vectors, axis=1)
        near = distances < self.cutoff
        pairs, distances, vectors = pairs[near], distances[near], vectors[near]
        shifts = shifts[near] + cells[pairs[:, 0]] - cells[pairs[:, 1]]
        found = {"P": pairs, "i": pairs[:, 0], "j": pairs[:, 1], "S": shifts}
        found |= {"d": distances, "D": vectors}
        return [found[letter] for letter in quantities]

    def _run(
        self,
        calculator: vesin.NeighborList,
        points: Float,
        box: Float,
        pbc: Mask,
        quantities: str,
        source: str,
    ) -> list[NDArray[Any]]:
        try:
            return list(calculator.compute(points, box, pbc, quantities))
        except RuntimeError as error:
            # after a lack of memory, vesin would free the same arrays twice
            calculator.__dict__.pop("_neighbors", None)
            self._vesin = vesin.NeighborList(cutoff=self.cutoff, **self._options)
            if "memory" not in str(error):
                raise DataError(f"no neighbour list: {error}", where=source) from error
            what = f"no memory is left for the neighbour list; {in_words(_CPU)}"
            raise OutOfMemory(what, where=source, hint=REMEDY) from error


_CPU = torch.device("cpu")
REMEDY = "is the cell too small, or the cutoff too long?"


def _lack(points: Float, box: Float, pbc: Mask, cutoff: float) -> str:
    heights = measure(points, np.array([len(points)]), box[None], pbc[None]).heights
    free = free_memory(_CPU)
    if BYTES * most_pairs(np.array([len(points)]), heights, cutoff)[0] < free:
        return ""
    pairs = expected_pairs(points, box, pbc, cutoff)
    if BYTES * pairs < free:
        return ""
    return (
        f"about {pairs:.2g} pairs of neighbours within {cutoff:g} would take "
        f"{BYTES * pairs / GIB:,.1f} GiB; {in_words(_CPU)}"
    )


class Geometries(NamedTuple):
    """Some structures, one after the other."""

    points: Float  # [all atoms, 3]
    counts: Index  # [n] atoms of each
    cells: Float  # [n, 3, 3]; vectors along axes that are not periodic are not looked at
    pbc: Mask  # [n, 3]

    def one(self, k: int) -> tuple[Float, Float, Mask]:
        """Positions, cell (zero along axes that are not periodic) and periodicity of one."""
        start = int(self.counts[:k].sum())
        points = self.points[start : start + int(self.counts[k])]
        return points, np.where(self.pbc[k][:, None], self.cells[k], 0.0), self.pbc[k]

    def only(self, k: int) -> Geometries:
        """One of them alone."""
        points, box, pbc = self.one(k)
        return Geometries(points, self.counts[k : k + 1], box[None], pbc[None])

    def plain(self, cutoff: float) -> Mask:
        """[n] whether vesin takes each of them as it is, and needs no time to speak of."""
        found = np.ones(len(self.counts), dtype=bool)
        some = np.flatnonzero(self.counts)
        if not len(some):
            return found
        counts, pbc = self.counts[some], self.pbc[some]
        size = measure(self.points, counts, self.cells[some], pbc)
        first = np.cumsum(counts) - counts
        extent = np.maximum.reduceat(self.points, first) - np.minimum.reduceat(self.points, first)
        open_heights = np.maximum(1.01 * np.where(extent < 1e-6, 1.0, extent), 1.0)
        heights = np.where(pbc, size.heights, open_heights)
        cells = np.maximum(np.trunc(heights / cutoff * ROUNDING), 1.0)
        around = np.maximum(np.ceil(cutoff * cells / heights), 1.0)
        n_periodic = pbc.sum(axis=1, keepdims=True)
        mixed = ~pbc & (n_periodic > 0)
        around = np.where(mixed, np.maximum(around, cells - 1.0), around)
        # no coordinate is more cells away than its length by the lowest height
        index = 2.0 * size.furthest / heights.min(axis=1) * cells.max(axis=1)
        found[some] = (
            (cells.prod(axis=1) <= MOST_IN_GRID)
            & ((cells * (2.0 * around + 1.0)).prod(axis=1) < _EASY)
            & (~pbc.any(axis=1) | (index < _MOST_INDEX))
        )
        return found

    def short(self, cutoff: float) -> Mask:
        """[n] whether each list takes little memory, whatever the positions are."""
        heights = measure(np.zeros((len(self.counts), 3)), np.ones_like(self.counts), *self[2:])[1]
        return np.asarray(BYTES * most_pairs(self.counts, heights, cutoff) < _LITTLE)


def _wrapped(points: Float, box: Float, pbc: Mask) -> tuple[Float, Index]:
    """Positions in the cell, and the cells [n, 3] that each was moved by."""
    if not pbc.any():
        return points, np.zeros(points.shape, dtype=np.int64)
    inverse = np.linalg.inv(complete_cells(box[None], pbc[None])[0])
    cells = np.where(pbc, np.floor(points @ inverse), 0.0)
    return points - cells @ box, cells.astype(np.int64)


def _without_gaps(points: Float, box: Float, pbc: Mask, cutoff: float) -> Float:
    """``points`` with no gap wider than 1.5 cutoffs along directions that are not periodic.

    Atoms within a cutoff of each other have no wider gap between them in any direction, so that
    they move together, and those beyond a gap stay further than a cutoff away.
    """
    across = complete_cells(box[None], pbc[None])[0][~pbc]
    moved = points
    for direction in across:
        along = points @ direction
        order = np.argsort(along, kind="stable")
        gaps = np.diff(along[order])
        surplus = np.where(gaps > _SPACE * cutoff, gaps - _SPACE * cutoff, 0.0)
        back = np.empty(len(points))
        back[order] = np.concatenate([[0.0], np.cumsum(surplus)])
        moved = moved - back[:, None] * direction
    return moved


def _reach(points: Float, heights: list[float], pbc: Mask, cutoff: float) -> float:
    """A cutoff that vesin is given: the real one or longer, or no longer than a molecule.

    With a longer one, there are fewer cells to search and more pairs to leave out.
    """
    if not pbc.any():
        # all pairs of a structure are within its diagonal
        cutoff = min(cutoff, float(np.linalg.norm(heights)))
    periodic = np.where(pbc, heights, np.nan)[None]
    effort, wider = visits(heights, pbc, cutoff), cutoff
    while effort > _EASY:
        wider *= _WIDER
        if effort < inf and most_pairs(np.array([len(points)]), periodic, wider)[0] > _EASY:
            break
        if visits(heights, pbc, wider) < effort:
            cutoff, effort = wider, visits(heights, pbc, wider)
        elif effort < inf and wider > 4 * cutoff:  # grids are not smooth, but this was the best
            break
    return cutoff
