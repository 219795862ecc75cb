"""Steps from one structure to a similar one, and the work of forces and stresses along them.

Along a small step an energy changes by what its labels say, to second order:

    ΔE ≈ -½ Σ (F₁ + F₂)·Δr + ½ (V₁σ₁ + V₂σ₂):Δε

In a solid, Δr is the part of a displacement that the cell does not follow. Written in components,
the last term is ½ Σ (V₁σ₁ + V₂σ₂)ₐ Δγₐ with a = xx, yy, zz, yz, xz, xy and γ = 2ε for shear; how
labels fit that are in another order is seen from all products of σₐ and Δγ_b.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mtt.scanning.tools.similar import crystal_points
from mtt.scanning.tools.structures import Block, Float, Index, Mask, Structures, full_cells

_AHEAD = 3  # structures further on in a file that a step may lead to
_GROUP = 1000  # structures of one molecule among which nearest ones are sought
_MOST = 30_000  # steps that are measured
_OF_GROUP = 300  # of them at least of each group, if it has so many
_NEAREST = 3  # most similar crystals that a step may lead to
_PAIRS = 300  # distances that make one structure of a molecule comparable with another


VOIGT = (np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1]))
"""Rows and columns of xx, yy, zz, yz, xz, xy."""


class Steps(NamedTuple):
    """Steps between structures of the same atoms, in the same order."""

    first: Index  # [m]
    second: Index  # [m]
    moved: Float  # [m] root mean square displacement of the atoms
    strained: Float  # [m] largest component of the strain; 0 without a change of the cell
    change: Float  # [m] of the energy
    by_forces: Float  # [m] change of the energy that forces say; NaN without forces
    by_stress: Float  # [m] that stresses say; NaN without
    by_part: Float  # [m, 6, 6] that a component of the stress says of a component of the strain

    def chosen(self, which: Index | np.ndarray) -> Steps:
        """Some of the steps."""
        return Steps(*(column[which] for column in self))


def steps(structures: Structures, name: str, group: Index | None = None) -> Steps:
    """Steps along files, and between the most similar structures of the same atoms.

    :param name: an energy.
    :param group: [n] of structures; steps along files are taken inside of groups as well.
    """
    group = np.zeros(len(structures), dtype=np.int64) if group is None else group
    pairs = np.concatenate(
        [
            along_files(structures, _AHEAD, crystals=True),
            along_files(structures, _AHEAD, group, crystals=True),
            _to_nearest(structures, group),
        ]
    )
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    energy = structures.energy(name)
    pairs = pairs[np.isfinite(energy[pairs]).all(axis=1)]
    pairs = pairs[_some(group[pairs[:, 0]])]
    wanted = (f"forces:{name}",) if structures.info.targets[name].has_forces else ()
    parts: list[tuple[Float, ...]] = [(np.empty(0),) * 4 + (np.empty((0, 6, 6)),)]
    parts += [_measure(structures, name, path) for path in _paths(structures, pairs, wanted)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    length, strained, by_forces, by_stress, by_part = columns
    change = energy[pairs[:, 1]] - energy[pairs[:, 0]]
    first, second = pairs.T
    return Steps(first, second, length, strained, change, by_forces, by_stress, by_part)


def _some(group: Index) -> Index:
    """Some of many steps, evenly, but enough of each group."""
    if len(group) <= _MOST:
        return np.arange(len(group))
    every = len(group) // _MOST + 1
    found = []
    for one in np.unique(group):
        mine = np.flatnonzero(group == one)
        found.append(mine[:: max(min(every, len(mine) // _OF_GROUP), 1)])
    return np.sort(np.concatenate(found))


def along_files(
    structures: Structures, ahead: int, group: Index | None = None, *, crystals: bool = False
) -> Index:
    """[m, 2] each structure and the ``ahead`` next ones of the same atoms in its file.

    :param group: [n] of structures; both are of one group.
    :param crystals: also crystals with one atom in the cell.
    """
    group = np.zeros(len(structures), dtype=np.int64) if group is None else group
    order = np.lexsort((structures.frame, structures.order, group, structures.file))
    found = []
    for distance in range(1, ahead + 1):
        here, there = order[:-distance], order[distance:]
        same = _alike(structures, here, there) & (structures.file[here] == structures.file[there])
        same &= (group[here] == group[there]) & (crystals | (structures.n_atoms[here] > 1))
        found.append(np.stack([here[same], there[same]], axis=1))
    return np.concatenate(found)


def _alike(structures: Structures, here: Index, there: Index) -> Mask:
    """Whether two structures have the same atoms in the same order, and several of them."""
    alike: Mask = (
        (structures.order[here] == structures.order[there])
        & (structures.n_atoms[here] == structures.n_atoms[there])
        & ((structures.n_atoms[here] > 1) | structures.solid[here])
        & (structures.pbc[here] == structures.pbc[there]).all(axis=1)
    )
    return alike


def _to_nearest(structures: Structures, group: Index) -> Index:
    """[m, 2] structures and the most similar ones of the same atoms, file and group.

    They serve files whose frames are shuffled.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    molecule = ~structures.pbc.any(axis=1) & (structures.n_atoms > 1)
    for kind, points, nearest in (
        (molecule, _distances, 1),
        (structures.solid, crystal_points, _NEAREST),
    ):
        chosen = np.flatnonzero(kind)
        keys = np.stack([structures.file, structures.order, group], axis=1)[chosen]
        kinds, of = np.unique(keys, axis=0, return_inverse=True)
        for members in _members(chosen, of.reshape(-1), len(kinds)):
            if len(members) <= 2:
                continue
            even = np.linspace(0, len(members) - 1, min(len(members), _GROUP)).astype(int)
            some = members[even]
            near = _nearest(points(structures, some), min(nearest, len(some) - 1))
            found += [np.stack([some, some[column]], axis=1) for column in near.T]
    return np.concatenate(found)


def _members(items: Index, of: Index, n: int) -> Iterator[Index]:
    """``items`` by the kind that each is of."""
    by_kind = np.argsort(of, kind="stable")
    yield from np.split(items[by_kind], np.cumsum(np.bincount(of, minlength=n))[:-1])


def _distances(structures: Structures, members: Index) -> Float:
    """[m, d] distances between the same pairs of atoms in each structure."""
    n = int(structures.n_atoms[members[0]])
    one, other = np.triu_indices(n, 1)
    if len(one) > _PAIRS:
        some = np.random.default_rng(0).choice(len(one), _PAIRS, replace=False)
        one, other = one[some], other[some]
    rows = []
    for block in structures.blocks(("positions",), members):
        points = block.columns["positions"].reshape(-1, n, 3)
        rows.append(np.linalg.norm(points[:, one] - points[:, other], axis=2))
    return np.concatenate(rows)


def _nearest(points: Float, k: int) -> Index:
    """[m, k] the ``k`` nearest other points of each."""
    square = (points**2).sum(axis=1)
    apart = square[:, None] + square - 2.0 * points @ points.T
    np.fill_diagonal(apart, np.inf)
    return np.argpartition(apart, k - 1, axis=1)[:, :k]


class _Path(NamedTuple):
    """Displacements from some structures to others, the second ones rotated onto the first."""

    one: Block
    two: Block
    cells: tuple[Float, Float]  # [m, 3, 3]
    inverse: tuple[Float, Float]
    turn: Float  # [m, 3, 3]
    step: Float  # [atoms, 3] in units of the cells; without a shift of all atoms
    moved: Float  # [m] root mean square displacement


def moved(structures: Structures, pairs: Index) -> Float:
    """[m] root mean square displacement of the atoms between two structures of the same atoms."""
    return np.concatenate([np.empty(0)] + [path.moved for path in _paths(structures, pairs, ())])


def _paths(structures: Structures, pairs: Index, columns: tuple[str, ...]) -> Iterator[_Path]:
    wanted = ("positions", *columns)
    blocks = (structures.blocks(wanted, pairs[:, k]) for k in (0, 1))
    for one, two in zip(*blocks, strict=True):
        cells = full_cells(structures, one.structures), full_cells(structures, two.structures)
        inverse = np.linalg.inv(cells[0]), np.linalg.inv(cells[1])
        pbc = structures.pbc[one.structures]
        turn = _rotations(one, two, ~pbc.any(axis=1))
        step = np.einsum("ai,aij->aj", _turned(two, "positions", turn), inverse[1][two.owner])
        step -= np.einsum("ai,aij->aj", one.columns["positions"], inverse[0][one.owner])
        # the first atom comes along, so that drift brings nothing across half a cell
        step -= step[one.starts][one.owner]
        step -= np.where(pbc[one.owner], np.round(step), 0.0)
        n = structures.n_atoms[one.structures].astype(float)
        step -= (one.total(step) / n[:, None])[one.owner]  # a shift of all atoms does no work
        lengths = np.einsum("ai,aij->aj", step, 0.5 * (cells[0] + cells[1])[one.owner])
        rms = np.sqrt(one.total((lengths**2).sum(axis=1)) / n)
        yield _Path(one, two, cells, inverse, turn, step, rms)


def _measure(structures: Structures, name: str, path: _Path) -> tuple[Float, ...]:
    """``moved``, ``strained``, ``by_forces``, ``by_stress`` and ``by_part`` of some steps."""
    target = structures.info.targets[name]
    one, two, cells = path.one, path.two, path.cells
    m = len(one.structures)
    by_forces, by_stress = np.full(m, np.nan), np.full(m, np.nan)
    by_part = np.full((m, 6, 6), np.nan)
    if target.has_forces:
        column = f"forces:{name}"
        along = np.einsum("ai,aji->aj", one.columns[column], cells[0][one.owner])
        along += np.einsum("ai,aji->aj", _turned(two, column, path.turn), cells[1][one.owner])
        by_forces = -0.5 * one.total((along * path.step).sum(axis=1))
    change = cells[1] - cells[0]
    strained = np.abs(path.inverse[0] @ change).max(axis=(1, 2))
    if target.has_strain:
        strain = structures.strain(name)
        slope = np.swapaxes(path.inverse[0], 1, 2) @ strain[one.structures]
        slope += np.swapaxes(path.inverse[1], 1, 2) @ strain[two.structures]
        by_stress = 0.5 * (slope * change).sum(axis=(1, 2))
        by_part = np.zeros((m, 6, 6))
        for block, inverse in zip((one, two), path.inverse, strict=True):
            given = strain[block.structures][:, *VOIGT]
            by_part += 0.5 * given[:, :, None] * _voigt_strain(inverse @ change)[:, None, :]
    return path.moved, strained, by_forces, by_stress, by_part


def _voigt_strain(strain: Float) -> Float:
    """[m, 6] xx, yy, zz, and twice yz, xz and xy."""
    symmetric = 0.5 * (strain + np.swapaxes(strain, 1, 2))
    voigt: Float = symmetric[:, *VOIGT] * np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    return voigt


def _rotations(one: Block, two: Block, free: np.ndarray) -> Float:
    """[m, 3, 3] that turn the second structure upon the first, where both are ``free`` to."""
    n = np.bincount(one.owner)[:, None]
    centred = []
    for block in (one, two):
        positions = block.columns["positions"]
        centred.append(positions - (block.total(positions) / n)[block.owner])
    outer = two.total(centred[1][:, :, None] * centred[0][:, None, :])
    left, _, right = np.linalg.svd(outer)
    proper = np.ones((len(outer), 3))
    proper[:, 2] = np.sign(np.linalg.det(left @ right))
    return np.where(free[:, None, None], (left * proper[:, None, :]) @ right, np.eye(3))


def _turned(block: Block, name: str, turn: Float) -> Float:
    turned: Float = np.einsum("ai,aij->aj", block.columns[name], turn[block.owner])
    return turned
