"""Neighbour lists: computed once per cutoff with vesin, kept beside the columns.

A list holds all ordered pairs of a structure closer than the cutoff, with periodic images
along the periodic axes, sorted by centre, neighbour and shift. The order is part of the
promise that a run can be repeated bit for bit, and does not depend on vesin or its threads.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import vesin
from numpy.typing import NDArray

from mtt.data.columns import Column, Columns, Pieces, join_offsets
from mtt.errors import DataError
from mtt.progress import Work
from mtt.stopping import stop_if_asked


@dataclass(eq=False)
class Pairs:
    """The neighbour lists of all structures of some columns, for one cutoff.

    :param offsets: [n + 1] int64 in memory; pairs of structure i are rows offsets[i]:offsets[i+1].
    :param centers: [P] int32, atom within its structure.
    :param neighbors: [P] int32, likewise.
    :param shifts: [P, 3] int16, cell vectors to add to the neighbour; None if all are zero.
    """

    offsets: NDArray[np.int64]
    centers: Column
    neighbors: Column
    shifts: Column | None
    maps: list[mmap.mmap] = field(default_factory=list)

    @cached_property
    def n_pairs(self) -> NDArray[np.int64]:
        """[n] pairs of each structure."""
        return np.diff(self.offsets)

    def release(self) -> None:
        """See :meth:`Columns.release`."""
        for mapped in self.maps:
            mapped.madvise(mmap.MADV_DONTNEED)


class PairBlock(NamedTuple):
    """Neighbour lists of a few structures, as numpy arrays."""

    n_pairs: NDArray[np.int64]  # [m]
    centers: NDArray[np.int32]
    neighbors: NDArray[np.int32]
    shifts: NDArray[np.int16]


def pair_blocks(columns: Columns, cutoff: float) -> Iterator[PairBlock]:
    """Compute the neighbour lists of all structures, some at a time.

    :raises DataError: an atom lies so far outside of its cell that a shift overflows.
    """
    calculator = vesin.NeighborList(cutoff=cutoff, full_list=True, sorted=True)
    work, n = Work(f"neighbour lists within {cutoff:g}"), len(columns)
    for chunk in columns.chunks(np.arange(n)):
        positions = columns.take("positions", chunk, per_atom=True).numpy()
        cells = columns.take("cells", chunk, per_atom=False).numpy()
        pbc = columns.take("pbc", chunk, per_atom=False).numpy()
        first = columns.offsets[chunk] - columns.offsets[chunk[0]]
        lists = []
        for k in range(len(chunk)):
            stop_if_asked()
            work(int(chunk[k]), float(chunk[k]) / n)
            atoms = positions[first[k] : first[k] + columns.n_atoms[chunk[k]]]
            pairs, shifts = calculator.compute(atoms, _cell(cells[k], pbc[k]), pbc[k], "PS")
            if len(shifts) and np.abs(shifts).max() > np.iinfo(np.int16).max:
                raise DataError(
                    "an atom lies more than 32767 cells away from its neighbours",
                    where=columns.source(int(chunk[k])),
                    hint="wrap the positions into the cell",
                )
            lists.append((pairs.astype(np.int32), shifts.astype(np.int16)))
        yield _sorted(lists)
    work.over()


def joined(parts: Sequence[Pairs]) -> Pairs:
    """The lists of several columns one after the other, without copying."""
    lengths = [int(part.offsets[-1]) for part in parts]
    no_atom = torch.zeros((), dtype=torch.int32)
    no_shift = torch.zeros(3, dtype=torch.int16)
    shifts: Column | None = None
    if any(part.shifts is not None for part in parts):
        shifts = Pieces([part.shifts for part in parts], lengths, no_shift)
    return Pairs(
        join_offsets([part.offsets for part in parts]),
        Pieces([part.centers for part in parts], lengths, no_atom),
        Pieces([part.neighbors for part in parts], lengths, no_atom),
        shifts,
    )


def pairs_in_memory(blocks: Iterator[PairBlock]) -> Pairs:
    """All ``blocks`` as one list in memory."""
    collected = list(blocks)
    n_pairs = np.concatenate([np.zeros(1, np.int64), *[block.n_pairs for block in collected]])
    shifts = np.concatenate([np.empty((0, 3), np.int16), *[b.shifts for b in collected]])
    centers = np.concatenate([np.empty(0, np.int32), *[b.centers for b in collected]])
    neighbors = np.concatenate([np.empty(0, np.int32), *[b.neighbors for b in collected]])
    return Pairs(
        n_pairs.cumsum(),
        torch.from_numpy(centers),
        torch.from_numpy(neighbors),
        torch.from_numpy(shifts) if shifts.any() else None,
    )


def _cell(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``cell`` without the vectors of axes that are not periodic."""
    return np.where(pbc[:, None], cell, 0.0)


def _sorted(lists: Sequence[tuple[NDArray[np.int32], NDArray[np.int16]]]) -> PairBlock:
    """The lists of a few structures, each sorted by centre, neighbour and shift."""
    n_pairs = np.array([len(pairs) for pairs, _ in lists], dtype=np.int64)
    pairs = np.concatenate([pairs for pairs, _ in lists])
    shifts = np.concatenate([shifts for _, shifts in lists])
    structure = np.repeat(np.arange(len(lists)), n_pairs)
    order = np.lexsort((*shifts.T[::-1], pairs[:, 1], pairs[:, 0], structure))
    pairs = pairs[order]
    return PairBlock(
        n_pairs,
        np.ascontiguousarray(pairs[:, 0]),
        np.ascontiguousarray(pairs[:, 1]),
        np.ascontiguousarray(shifts[order]),
    )
