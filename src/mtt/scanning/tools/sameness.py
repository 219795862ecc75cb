"""Which structures are the same, up to translation, cell vectors and the order of atoms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.tools.structures import Block, Float, Index, Mask, Structures, full_cells

_SAME = 1e-3  # Å: positions closer than this are the same
_GRID = 1e-3  # of fingerprints, which are numbers of order 0.1 … 1
_CELL = 1e-2  # Å, of the components of cells
_ROUNDS = 20  # different structures of one fingerprint that are distinguished
_LARGEST = 300  # atoms of structures whose order of atoms is looked into
_WAVES = np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, -1], [2, 1, 1], [1, -2, 3]], dtype=float
)
_FREE = 0.173  # 1/Å: a wave along an axis that is not periodic
_WEIGHTS = 0.5 + np.random.default_rng(3).random(256)  # of elements


def originals(structures: Structures) -> Index:
    """[n] for each structure the first one that is the same, often itself."""
    prints = _fingerprints(structures)
    fixed = np.stack([structures.composition, structures.pbc @ np.array([1, 2, 4])], axis=1)
    original = np.arange(len(structures))
    for shift in (0.0, 0.5):  # what a border of one grid divides, the other one does not
        alive = np.flatnonzero(original == np.arange(len(structures)))
        grid = np.floor(prints[alive] + shift).astype(np.int64)
        keys = np.concatenate([fixed[alive], grid], axis=1)
        bins = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        for copy, first in _rounds(structures, alive, bins):
            original[copy] = first
    return original[original]


def _rounds(structures: Structures, alive: Index, bins: Index) -> Iterator[tuple[Index, Index]]:
    """Copies and their originals; all of a bin are compared with its first that is left."""
    for _ in range(_ROUNDS):
        _, first, of, sizes = np.unique(
            bins, return_index=True, return_inverse=True, return_counts=True
        )
        head = first[of.reshape(-1)]
        rest = np.flatnonzero((sizes[of.reshape(-1)] > 1) & (head != np.arange(len(alive))))
        if not len(rest):
            return
        pairs = np.stack([alive[rest], alive[head[rest]]], axis=1)
        same = _same(structures, pairs)
        yield pairs[same, 0], pairs[same, 1]
        alive, bins = alive[rest[~same]], bins[rest[~same]]


def _fingerprints(structures: Structures) -> Float:
    """[n, w + 9] sizes of plane waves over the atoms, and cells, in units of the grid."""
    found = np.empty((len(structures), len(_WAVES) + 9))
    angstrom = structures.angstrom
    for block in structures.blocks(("positions", "numbers")):
        here = block.structures
        weight = _WEIGHTS[block.columns["numbers"].astype(np.int64)]
        points = _fractional(structures, block)
        pbc = structures.pbc[here]
        scale = np.where(pbc, 1.0, _FREE / angstrom)[block.owner]
        phases = 2j * np.pi * (points * scale) @ _WAVES.T
        waves = np.abs(block.total(weight[:, None] * np.exp(phases)))
        found[here, : len(_WAVES)] = waves / structures.n_atoms[here][:, None] / _GRID
        cells = np.where(pbc[:, :, None], structures.cells[here], 0.0)
        found[here, len(_WAVES) :] = cells.reshape(-1, 9) / (_CELL * angstrom)
    return found


def _fractional(structures: Structures, block: Block) -> Float:
    inverse = np.linalg.inv(full_cells(structures, block.structures))
    points: Float = np.einsum("ai,aij->aj", block.columns["positions"], inverse[block.owner])
    return points


def _same(structures: Structures, pairs: Index) -> Mask:
    """[m] whether the two structures of each pair are the same."""
    found = [np.empty(0, dtype=bool)]
    one, two = (structures.blocks(("positions", "numbers"), pairs[:, k]) for k in (0, 1))
    for a, b in zip(one, two, strict=True):
        found.append(_same_in_blocks(structures, a, b))
    return np.concatenate(found)


def _same_in_blocks(structures: Structures, one: Block, two: Block) -> Mask:
    near = _SAME * structures.angstrom
    points = [_fractional(structures, block) for block in (one, two)]
    cells = full_cells(structures, one.structures)
    pbc = structures.pbc[one.structures]
    step = points[1] - points[0]
    step -= step[one.starts][one.owner]
    step -= np.where(pbc[one.owner], np.round(step), 0.0)
    moved = np.einsum("ai,aij->aj", step, cells[one.owner])
    moved -= (one.total(moved) / structures.n_atoms[one.structures][:, None])[one.owner]
    same: Mask = one.largest(np.abs(moved).max(axis=1)) < near
    same &= structures.order[one.structures] == structures.order[two.structures]
    for k in np.flatnonzero(~same):
        n = structures.n_atoms[one.structures[k]]
        if n <= _LARGEST:
            here = slice(one.starts[k], one.starts[k] + n)
            numbers = [block.columns["numbers"][here] for block in (one, two)]
            both = [some[here] for some in points]
            same[k] = _same_reordered(numbers, both, cells[k], pbc[k], near)
    return same


def _same_reordered(
    numbers: list[Float], points: list[Float], cell: Float, pbc: Mask, near: float
) -> bool:
    """Whether some translation maps every atom onto one of the same element."""
    kinds, counts = np.unique(numbers[0], return_counts=True)
    rarest = kinds[counts.argmin()]
    other = numbers[0][:, None] != numbers[1]
    start = points[0][np.argmax(numbers[0] == rarest)]
    for end in points[1][numbers[1] == rarest]:
        step = (points[1] - end) - (points[0] - start)[:, None]
        step -= np.where(pbc, np.round(step), 0.0)
        apart = np.linalg.norm(step @ cell, axis=2)
        apart[other] = np.inf
        partner = apart.argmin(axis=1)
        if (apart.min(axis=1) < 2 * near).all() and len(set(partner.tolist())) == len(partner):
            return True
    return False
