"""Energies of isolated atoms against those of the structures that such atoms make up.

A structure has less energy than its atoms apart, by 0 to about 10 eV per atom: cohesive energies
of elements reach 8.9 eV (tungsten; Kittel, Introduction to Solid State Physics, 8th ed., ch. 3,
table 1). Atoms of another reference (zero, another functional, all electrons against
pseudopotentials) are off by more, often by hundreds of eV.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols

from mtt.scanning.composition import undetermined
from mtt.scanning.distances import ALONE
from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.structures import Float, Index, Mask, Structures
from mtt.scanning.tools.unit_readings import ENERGIES, between, same

_APART = 7.0  # Å between an atom and its images, from which on it is isolated
_NEVER = 20.0  # eV per atom that binding never gives, nor takes
_MOST = 12.0  # eV per atom that binding gives at most
_UNBOUND = 1.0  # eV per atom above the free atoms: compressed structures, or wrong atoms
_USUAL = 4.5  # eV per atom that binding gives
_VARIES = 0.5  # eV per atom that it differs by from structure to structure
_FEWEST = 3  # structures that say something of atoms
_ELECTRONS = 0.03  # off the energy of all electrons, of structures; and
_ATOM = 0.15  # of atoms, since the formula is worst for hydrogen
_UNIT = 0.03  # of the logarithm: energies of atoms and structures in one unit


class _Kinds(NamedTuple):
    """Compositions of the structures that are made of elements with an isolated atom."""

    counts: Float  # [k, t]
    surplus: Float  # [k] energy of a typical structure without that of its atoms; bound: negative
    bound: Float  # [k] the same per atom


def check_free_atoms(structures: Structures) -> Iterator[Finding]:
    """Energies of single atoms that the compositions of the other structures do not explain."""
    free = _isolated(structures)
    for name in structures.energies:
        energy = structures.energy(name)
        single = free & np.isfinite(energy)
        if not single.any():
            continue
        atoms = np.array([_median(energy[single & (has > 0)]) for has in structures.counts.T])
        several = (structures.n_atoms > 1) & np.isfinite(energy)
        if several.sum() >= _FEWEST:
            yield from _judge(structures, name, single, atoms, several)


def _isolated(structures: Structures) -> Mask:
    """[n] one atom, far from its images."""
    single = structures.n_atoms == 1
    apart = np.full(len(structures), np.inf)
    for k in np.flatnonzero(single & structures.pbc.any(axis=1)):
        vectors = structures.cells[k][structures.pbc[k]]
        apart[k] = np.linalg.svd(vectors, compute_uv=False).min()  # no lattice vector is shorter
    return np.asarray(single & (apart > _APART * structures.angstrom))


def _judge(
    structures: Structures, name: str, single: Mask, atoms: Float, several: Mask
) -> Iterator[Finding]:
    ev, unit = structures.electronvolt(name), structures.info.targets[name].unit
    kinds = _kinds(structures, name, atoms, several)
    wrong = np.abs(kinds.bound) > _NEVER * ev
    bound = (
        float(np.median(kinds.bound[wrong] if wrong.any() else kinds.bound)) if len(wrong) else 0.0
    )
    severity: Severity = "wrong"
    needed = None
    if not len(wrong):  # other elements are in all structures, of which no atom is known
        there = np.isfinite(atoms) & (structures.counts[several] > 0).any(axis=0)
        which = _unlike(structures, name, atoms, several) & there
        needed = _all_electrons(structures.types) * ev
    elif wrong.any():
        which = _determined(kinds, ev)
        if which.any():
            needed = atoms + np.linalg.pinv(kinds.counts) @ kinds.surplus + _USUAL * ev
        else:
            which = _suspects(structures, name, atoms, several, kinds, wrong)
            if which.sum() == 1:
                needed = atoms + _missing(kinds, np.flatnonzero(which)[0], ev)
    else:
        which = np.isfinite(atoms) & (kinds.counts > 0).any(axis=0)
        which &= bound < -_MOST * ev or bound > _UNBOUND * ev
        severity = "suspicious"
    if which.any():
        what, number = _words(structures, name, atoms, np.flatnonzero(which), needed, bound)
        frames = single & (structures.counts[:, which] > 0).any(axis=1)
        advice = _advice(structures, name, atoms, kinds, which)
        unit = f"{unit} {'per atom' if needed is None else 'off'}".strip()
        yield Finding(ALONE, severity, what, structures.places(frames), number, unit, advice)


def _words(
    structures: Structures,
    name: str,
    atoms: Float,
    which: Index,
    needed: Float | None,
    bound: float,
) -> tuple[str, float]:
    """What is said of the elements ``which``, and how far off they are."""
    said = [f"{chemical_symbols[structures.types[k]]} has {atoms[k]:.6g}" for k in which]
    what = f"{name} of isolated atoms does not fit the other structures"
    if needed is None:
        normal = "bound atoms have less" if bound > 0 else "binding gives 0 to 10 eV"
        more = "more" if bound > 0 else "less"
        what = f"{what}, which have {more} than they ({normal}): {', '.join(said)}"
        return what, bound
    both = zip(said, which, strict=True)
    what = f"{what}: {', '.join(f'{one} where about {needed[k]:.4g} is needed' for one, k in both)}"
    return what, float(np.abs(atoms[which] - needed[which]).max())


def _median(values: Float) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _kinds(structures: Structures, name: str, atoms: Float, several: Mask) -> _Kinds:
    counts, energy = structures.counts, structures.energy(name)
    made = several & ~(counts[:, ~np.isfinite(atoms)] > 0).any(axis=1)
    kinds, of = np.unique(counts[made], axis=0, return_inverse=True)
    typical = np.array([_median(energy[made][of.reshape(-1) == k]) for k in range(len(kinds))])
    surplus = typical - kinds @ np.nan_to_num(atoms)
    return _Kinds(kinds, surplus, surplus / np.maximum(kinds.sum(axis=1), 1.0))


def _determined(kinds: _Kinds, ev: float) -> Mask:
    """[t] elements that compositions determine, and that are off by more than binding."""
    inverse = np.linalg.pinv(kinds.counts)
    varies = np.abs(inverse) @ kinds.counts.sum(axis=1) * _VARIES
    known = kinds.counts.any(axis=0) & ~undetermined(kinds.counts)
    return np.asarray(known & (np.abs(inverse @ kinds.surplus) > (_NEVER + varies) * ev))


def _suspects(
    structures: Structures, name: str, atoms: Float, several: Mask, kinds: _Kinds, wrong: Mask
) -> Mask:
    """[t] elements whose atoms may be at fault, where compositions leave it open.

    They are in the compositions that do not fit and not in those that do. Of these, zeros are at
    fault, and atoms without the energy of their electrons where the others have it.
    """
    there = np.asarray((kinds.counts[wrong] > 0).any(axis=0))
    only = there & ~(kinds.counts[~wrong] > 0).any(axis=0)
    there = only if only.any() else there
    for fewer in (atoms == 0.0, _unlike(structures, name, atoms, several)):
        there = there & fewer if (there & fewer).any() else there
    return there


def _unlike(structures: Structures, name: str, atoms: Float, several: Mask) -> Mask:
    """[t] atoms without the energy of all their electrons, though other structures have it."""
    electrons = _all_electrons(structures.types) * structures.electronvolt(name)
    ratio = structures.energy(name)[several] / (structures.counts[several] @ electrons)
    if abs(float(np.median(ratio)) - 1.0) > _ELECTRONS:
        return np.zeros(len(atoms), dtype=bool)
    return np.asarray(np.abs(atoms / electrons - 1.0) > _ATOM)


def _all_electrons(numbers: Index) -> Float:
    """Energies of neutral atoms in eV, to a few per cent.

    -0.768745 Z^(7/3) + Z²/2 - 0.269900 Z^(5/3) Hartree: Thomas, Fermi, Scott, and J. Schwinger,
    Phys. Rev. A 24, 2353 (1981).
    """
    z = numbers.astype(float)
    hartree = -0.768745 * z ** (7 / 3) + 0.5 * z**2 - 0.2699 * z ** (5 / 3)
    return hartree * between("Hartree", "eV")


def _missing(kinds: _Kinds, k: int, ev: float) -> float:
    """What the energy of one atom lacks, if those of all other elements are right."""
    some = kinds.counts[:, k] > 0
    bound = _USUAL * ev * kinds.counts[some].sum(axis=1)
    return float(np.median((kinds.surplus[some] + bound) / kinds.counts[some, k]))


def _advice(structures: Structures, name: str, atoms: Float, kinds: _Kinds, which: Mask) -> str:
    advice = (
        "compute free atoms with the code, functional and pseudopotentials of all others (with "
        "spin), or leave them out"
    )
    if (atoms[which] == 0.0).any():
        return f"an energy of 0 is a reference, not a total energy: {advice}"
    total = kinds.counts @ np.nan_to_num(atoms)
    used = total != 0.0
    if not used.any() or (kinds.counts[:, np.isfinite(atoms) & ~which] > 0).any():
        return advice
    unit = structures.info.targets[name].unit or "eV"
    bound = _USUAL * structures.electronvolt(name) * kinds.counts.sum(axis=1)
    ratio = float(np.median(1.0 + ((kinds.surplus + bound) / np.where(used, total, 1.0))[used]))
    fits = [u for u in ENERGIES if same(between(u, unit), ratio, _UNIT) and abs(ratio - 1.0) > 0.5]
    return f"they would fit in {fits[0]}; if not, {advice}" if fits else advice
