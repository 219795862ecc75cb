"""Distances between atoms: too short ones, lengths in another unit, atoms without neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from mtt.data.geometry.finder import Finder, Geometries
from mtt.scanning.tools.finding import Finding, count
from mtt.scanning.tools.structures import Block, Float, Index, Mask, Structures

CLOSE = "distances"
UNIT = "unit of length"
ALONE = "isolated atoms"
_LOOKED_AT = 3.2  # Å: most atoms have a neighbour within, and
_FURTHER = 7.0  # Å, where lengths are larger than their unit says
_SMALL = 60  # atoms of molecules whose distances are all computed
_SHORT = 0.6  # of the sum of covalent radii: shorter than any bond
_LONG_UNIT, _SHORT_UNIT = 1.6, 0.65  # typical shortest distance, by the sum of radii
_NOBLE = (2, 10, 18, 36, 54, 86)


class Distances(NamedTuple):
    """Distances within a few Å, for each structure."""

    shortest: Float  # [n] by the sum of covalent radii; infinite where nothing is near
    first: Index  # [n] element of one atom of that pair
    second: Index  # [n] element of the other
    distance: Float  # [n] of that pair
    lonely: Index  # [n] atoms without a neighbour within the cutoff of the model


def distances_of(structures: Structures, cutoff: float | None) -> Distances:
    """Shortest distances, and the number of atoms without neighbours.

    :param cutoff: of the model, in the unit of length; None: none is counted.
    """
    found = _within(structures, _LOOKED_AT * structures.angstrom, cutoff)
    if np.isfinite(found.shortest).sum() < 0.5 * (structures.n_atoms > 1).sum():
        found = _within(structures, _FURTHER * structures.angstrom, cutoff)
    return found


def _within(structures: Structures, reach: float, cutoff: float | None) -> Distances:
    n = len(structures)
    nothing, none = np.full(n, np.inf), np.zeros(n, dtype=np.int64)
    found = Distances(nothing, none, none.copy(), nothing.copy(), none.copy())
    near, far = (
        Finder(radius, full_list=False, ordered=False) for radius in (reach, cutoff or reach)
    )
    small = ~structures.pbc.any(axis=1) & (structures.n_atoms <= _SMALL)
    for block in structures.blocks(("positions", "numbers"), np.flatnonzero(~small)):
        some = _geometries(structures, block)
        source = partial(_source, structures, block.structures)
        for k, pairs in enumerate(near.each(some, "ijd", source)):
            i, n = block.structures[k], int(some.counts[k])
            first = block.starts[k]
            numbers = block.columns["numbers"][first : first + n].astype(np.int64)
            _closest(found, structures.angstrom, i, numbers, *pairs)
            if cutoff is not None:
                found.lonely[i] = _alone(*_up_to(cutoff, *pairs), n)
                if found.lonely[i] and cutoff > reach:
                    one, other, _ = next(far.each(some.only(k), "ijd", partial(source, k)))
                    found.lonely[i] = _alone(one, other, n)
    for size in np.unique(structures.n_atoms[small & (structures.n_atoms > 1)]):
        _molecules(structures, found, np.flatnonzero(small & (structures.n_atoms == size)), cutoff)
    found.lonely[small & (structures.n_atoms == 1)] = 0 if cutoff is None else 1
    found.shortest[found.distance > reach] = np.inf
    return found


def _molecules(
    structures: Structures, found: Distances, members: Index, cutoff: float | None
) -> None:
    """All distances in molecules of one size, many molecules at once."""
    n = int(structures.n_atoms[members[0]])
    one, other = np.triu_indices(n, 1)
    for block in structures.blocks(("positions", "numbers"), members):
        here = block.structures
        points = block.columns["positions"].reshape(-1, n, 3)
        numbers = block.columns["numbers"].reshape(-1, n).astype(np.int64)
        apart = np.linalg.norm(points[:, one] - points[:, other], axis=2)
        radii = covalent_radii[numbers[:, one]] + covalent_radii[numbers[:, other]]
        best = (apart / radii).argmin(axis=1)
        rows = np.arange(len(here))
        found.distance[here] = apart[rows, best]
        found.shortest[here] = (apart / radii)[rows, best] / structures.angstrom
        ends = np.stack([numbers[rows, one[best]], numbers[rows, other[best]]])
        found.first[here], found.second[here] = np.sort(ends, axis=0)
        if cutoff is not None:
            met = np.zeros((len(here), n), dtype=bool)
            for atom in range(n):
                met[:, atom] = (apart[:, (one == atom) | (other == atom)] < cutoff).any(axis=1)
            found.lonely[here] = n - met.sum(axis=1)


def _closest(
    found: Distances,
    angstrom: float,
    i: int,
    numbers: Index,
    one: Index,
    other: Index,
    apart: Float,
) -> None:
    if len(apart):
        radii = covalent_radii[numbers[one]] + covalent_radii[numbers[other]]
        best = int((apart / radii).argmin())
        found.shortest[i] = apart[best] / (radii[best] * angstrom)
        found.distance[i] = apart[best]
        found.first[i], found.second[i] = sorted((numbers[one[best]], numbers[other[best]]))


def _up_to(cutoff: float, one: Index, other: Index, apart: Float) -> tuple[Index, Index]:
    return one[apart < cutoff], other[apart < cutoff]


def check_distances(structures: Structures, found: Distances) -> Iterator[Finding]:
    """Atoms that are too close, by pair of elements, and lengths that are not in their unit."""
    known = np.isfinite(found.shortest)
    bonded = known & ~np.isin(found.first, _NOBLE) & ~np.isin(found.second, _NOBLE)
    typical = float(np.median(found.shortest[bonded])) if bonded.any() else 1.0
    if bonded.any() and not _SHORT_UNIT < typical < _LONG_UNIT:
        yield _other_unit(structures, typical)
        return
    short = bonded & (found.shortest < _SHORT)
    kinds = np.unique(np.stack([found.first, found.second], axis=1)[short], axis=0)
    for one, other in kinds:
        mine = short & (found.first == one) & (found.second == other)
        least, unit = float(found.distance[mine].min()), structures.info.length_unit
        what = f"{chemical_symbols[one]} and {chemical_symbols[other]} are closer than any bond"
        advice = "meant for the repulsive wall? If not, leave them out"
        yield Finding(CLOSE, "suspicious", what, structures.places(mine), least, unit, advice)


def _other_unit(structures: Structures, typical: float) -> Finding:
    unit = structures.info.length_unit or "angstrom"
    what = f"shortest distances do not fit bonds of these elements, with lengths in {unit}"
    advice = "are the positions in another unit of length (1 Å = 1.89 bohr = 0.1 nm)?"
    everything = structures.whole(np.ones(len(structures), dtype=bool))
    return Finding(UNIT, "suspicious", what, everything, typical, "of a bond", advice)


def check_isolated(
    structures: Structures, found: Distances, cutoff: float | None
) -> Iterator[Finding]:
    """Structures of one atom, and atoms that no other one is near."""
    single = (structures.n_atoms == 1) & ~structures.pbc.any(axis=1)
    if single.any():
        what = f"{count(single.sum(), 'structures')} of a single atom"
        advice = (
            "they are not taken as the energies of free atoms, but fitted with all others; for "
            "that, give the energies as atomic_baseline"
        )
        places, number = structures.places(single), int(single.sum())
        yield Finding(ALONE, "note", what, places, number, "structures", advice)
    lonely: Mask = (found.lonely > 0) & ~single
    if lonely.any():
        reach = f"{cutoff:g} {structures.info.length_unit}".strip()
        what = f"some atoms have no neighbour within the cutoff of {reach}"
        advice = "the model sees nothing there: is the cutoff too short, or the cell mistaken?"
        places, number = structures.places(lonely), int(found.lonely[lonely].sum())
        yield Finding(ALONE, "suspicious", what, places, number, "atoms", advice)


def _geometries(structures: Structures, block: Block) -> Geometries:
    here = block.structures
    cells, pbc = structures.cells[here], structures.pbc[here]
    return Geometries(block.columns["positions"], structures.n_atoms[here], cells, pbc)


def _source(structures: Structures, members: Index, k: int, *_: int) -> str:
    return structures.dataset.source(int(members[k]))


def _alone(one: Index, other: Index, n: int) -> int:
    met = np.zeros(n, dtype=bool)
    met[one] = met[other] = True
    return int(n - met.sum())
