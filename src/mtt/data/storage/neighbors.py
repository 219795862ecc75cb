"""Neighbour lists: computed once per cutoff with vesin, kept beside the columns.

A list holds all ordered pairs of a structure closer than the cutoff, with periodic images
along the periodic axes, sorted by centre, neighbour and shift. The order is part of the
promise that a run can be repeated bit for bit, and does not depend on vesin or its threads. With
each list is kept what models would have to find in it on the device: see
:mod:`mtt.data.storage.pair_rows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mtt.data.findings import listed
from mtt.data.geometry.expected import KEPT
from mtt.data.geometry.extents import MOST_CELLS, beyond, measure
from mtt.data.geometry.finder import REMEDY, Finder, Geometries
from mtt.data.memory import GIB, OutOfMemory, free_memory, in_words
from mtt.data.storage.columns import Columns
from mtt.data.storage.pair_rows import are_opposite, reverse_of, widths_of
from mtt.data.storage.pairs import Pairs
from mtt.errors import DataError, Problem
from mtt.progress import Work
from mtt.stopping import stop_if_asked

_FEW = 16 * 2**20  # bytes that are there


class PairBlock(NamedTuple):
    """Neighbour lists of a few structures, as numpy arrays."""

    n_pairs: NDArray[np.int64]  # [m]
    centers: NDArray[np.int32]
    neighbors: NDArray[np.int32]
    shifts: NDArray[np.int16]
    widths: NDArray[np.int32]  # [m], see Pairs
    reverse: NDArray[np.int32]


def pair_blocks(columns: Columns, cutoff: float) -> Iterator[PairBlock]:
    """Compute the neighbour lists of all structures, some at a time.

    :raises DataError: lists cannot be computed; of all such structures, before the first list.
    :raises OutOfMemory: the memory does not suffice after all.
    """
    check_geometry(columns, cutoff)
    finder = Finder(cutoff, full_list=True, ordered=True)
    work, n = Work(f"neighbour lists within {cutoff:g}"), len(columns)
    for chunk in columns.chunks(np.arange(n)):
        lists = []
        source = partial(_source, columns, chunk)
        for k, (pairs, shifts) in enumerate(finder.each(geometries(columns, chunk), "PS", source)):
            stop_if_asked()
            work(int(chunk[k]), float(chunk[k]) / n)
            if len(shifts) and np.abs(shifts).max() > MOST_CELLS:
                what = f"atoms are more than {MOST_CELLS} cells apart"
                raise DataError(what, where=source(k), hint="wrap the positions into the cell")
            lists.append((pairs.astype(np.int32), shifts.astype(np.int16)))
        yield _sorted(lists)
    work.over()


def check_geometry(columns: Columns, cutoff: float) -> None:
    """Refuse structures whose neighbour lists cannot be computed, before any is.

    :raises DataError: collects all that are beyond the bounds of
        :mod:`mtt.data.geometry.extents`, and all whose lists take more memory than is free, or
        hours.
    """
    finder = Finder(cutoff, full_list=True, ordered=True)
    problems: list[Problem] = []
    for chunk in columns.chunks(np.arange(len(columns))):
        some = geometries(columns, chunk)
        full = np.flatnonzero(some.counts)
        beyond_bounds = {}
        if len(full):
            extents = measure(some.points, some.counts[full], some.cells[full], some.pbc[full])
            beyond_bounds = {int(full[fault.structure]): fault for fault in beyond(extents)}
        hard = set(np.flatnonzero(~(some.plain(cutoff) & some.short(cutoff))).tolist())
        for k in sorted(hard | set(beyond_bounds)):
            where = columns.source(int(chunk[k]))
            fault = beyond_bounds.get(k)
            if fault is not None:
                problems.append(Problem(fault.what + fault.detail, where, fault.hint))
                continue
            stop_if_asked()
            wrong = finder.refusal(*some.one(k))
            problems += [Problem(wrong[1], where, REMEDY)] if wrong else []
    if problems:
        raise DataError.collect(listed(problems))


def geometries(columns: Columns, structures: NDArray[np.int64]) -> Geometries:
    """Positions, cells and periodicity of ``structures``."""
    return Geometries(
        columns.take("positions", structures, per_atom=True).numpy(),
        columns.n_atoms[structures],
        columns.take("cells", structures, per_atom=False).numpy(),
        columns.take("pbc", structures, per_atom=False).numpy(),
    )


def _source(columns: Columns, structures: NDArray[np.int64], k: int) -> str:
    return columns.source(int(structures[k]))


def pairs_in_memory(blocks: Iterator[PairBlock]) -> Pairs:
    """All ``blocks`` as one list in memory.

    :raises OutOfMemory: they do not fit, which is known as soon as they fill half of it.
    """
    collected = []
    for block in blocks:
        collected.append(block)
        _check_memory(collected)
    n_pairs = np.concatenate([np.zeros(1, np.int64), *[block.n_pairs for block in collected]])
    shifts = np.concatenate([np.empty((0, 3), np.int16), *[b.shifts for b in collected]])
    centers = np.concatenate([np.empty(0, np.int32), *[b.centers for b in collected]])
    neighbors = np.concatenate([np.empty(0, np.int32), *[b.neighbors for b in collected]])
    widths = np.concatenate([np.empty(0, np.int64), *[b.widths for b in collected]])
    reverse = np.concatenate([np.empty(0, np.int32), *[b.reverse for b in collected]])
    return Pairs(
        n_pairs.cumsum(),
        torch.from_numpy(centers),
        torch.from_numpy(neighbors),
        torch.from_numpy(shifts) if shifts.any() else None,
        widths,
        torch.from_numpy(reverse),
    )


def _check_memory(blocks: Sequence[PairBlock]) -> None:
    """Whether ``blocks`` can be copied into one array."""
    n_pairs = sum(len(block.centers) for block in blocks)
    if n_pairs * KEPT < _FEW or n_pairs * KEPT < free_memory(torch.device("cpu")):
        return
    n_structures = sum(len(block.n_pairs) for block in blocks)
    what = (
        "the neighbour lists do not fit into memory: those of the first "
        f"{n_structures:,} structures have {n_pairs:,} pairs ({n_pairs * KEPT / GIB:.1f} GiB); "
        f"{in_words(torch.device('cpu'))}"
    )
    raise OutOfMemory(what, hint="pack the data with `mtt data pack`: packed data stay on the disk")


def _sorted(lists: Sequence[tuple[NDArray[np.int32], NDArray[np.int16]]]) -> PairBlock:
    """The lists of a few structures, each sorted by centre, neighbour and shift."""
    n_pairs = np.array([len(pairs) for pairs, _ in lists], dtype=np.int64)
    pairs = np.concatenate([pairs for pairs, _ in lists])
    shifts = np.concatenate([shifts for _, shifts in lists])
    structure = np.repeat(np.arange(len(lists)), n_pairs)
    order = np.lexsort((*shifts.T[::-1], pairs[:, 1], pairs[:, 0], structure))
    pairs, shifts = pairs[order], np.ascontiguousarray(shifts[order])
    centers, neighbors = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    # atoms of all structures have different numbers here
    most = int(pairs.max(initial=0)) + 1
    reverse = reverse_of(structure * most + centers, structure * most + neighbors)
    assert are_opposite(centers, neighbors, shifts, reverse), "pairs in one direction only"
    reverse -= (np.cumsum(n_pairs) - n_pairs)[structure]
    widths = widths_of(n_pairs, centers).astype(np.int32)
    return PairBlock(n_pairs, centers, neighbors, shifts, widths, reverse.astype(np.int32))
