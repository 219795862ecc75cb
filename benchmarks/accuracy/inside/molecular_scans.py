"""Rigid scans of a molecule: rotations, stretched bonds, a hydrogen between two oxygens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list

ROTATION = 10.0  # degrees
SHORTEST, LONGEST, POINTS = 0.85, 3.0, 22  # of a bond: by its length, Å, number of points
TRANSFER_POINTS, OXYGEN_HYDROGEN = 21, 0.9  # Å, of the hydrogen at either end
DONOR_REACH = 3.0  # Å between two oxygens that share a hydrogen


@dataclass(frozen=True)
class Step:
    """A point of a scan.

    :param name: of the scan.
    :param value: its coordinate: degrees of the rotation, or the length in Å.
    :param positions: Å, (atoms, 3).
    """

    name: str
    value: float
    positions: np.ndarray


def bonds(atoms: Atoms) -> list[tuple[int, int]]:
    """Pairs of bonded atoms, the smaller number first."""
    i, j = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=1.15))
    return sorted({(int(a), int(b)) for a, b in zip(i, j, strict=True) if a < b})


def side(pairs: list[tuple[int, int]], kept: int, moved: int) -> set[int]:
    """The atoms on the side of ``moved`` of the bond between the two; all, if it is in a ring."""
    found, front = {moved}, [moved]
    while front:
        atom = front.pop()
        for pair in pairs:
            if atom in pair and set(pair) != {kept, moved}:
                (other,) = set(pair) - {atom}
                if other not in found:
                    found.add(other)
                    front.append(other)
    return found


def smaller_side(pairs: list[tuple[int, int]], pair: tuple[int, int]) -> tuple[int, int, set[int]]:
    """The atom that stays, the one that moves, and all that move with it."""
    a, b = pair
    one, other = side(pairs, a, b), side(pairs, b, a)
    return (a, b, one) if len(one) <= len(other) else (b, a, other)


def dihedrals(atoms: Atoms) -> Iterator[Step]:
    """Rotations about each bond outside rings whose two atoms both have other neighbours."""
    pairs = bonds(atoms)
    degree = np.bincount(np.array(pairs).ravel(), minlength=len(atoms))
    for pair in pairs:
        kept, moved, group = smaller_side(pairs, pair)
        if degree[kept] < 2 or degree[moved] < 2 or kept in group:
            continue
        axis = atoms.positions[moved] - atoms.positions[kept]
        chosen = sorted(group)
        for angle in np.arange(0.0, 360.0, ROTATION):
            turned = atoms.positions.copy()
            turned[chosen] = rotated(turned[chosen], atoms.positions[kept], axis, angle)
            yield Step(title(atoms, pair), float(angle), turned)


def dissociations(atoms: Atoms) -> Iterator[Step]:
    """The first bond outside rings of each pair of elements, at lengths up to ``LONGEST``."""
    pairs, seen = bonds(atoms), set()
    for pair in pairs:
        kept, moved, group = smaller_side(pairs, pair)
        elements = frozenset((atoms.symbols[kept], atoms.symbols[moved]))
        if elements in seen or kept in group:
            continue
        seen.add(elements)
        bond = atoms.positions[moved] - atoms.positions[kept]
        length = np.linalg.norm(bond)
        for new in np.linspace(SHORTEST * length, LONGEST, POINTS):
            stretched = atoms.positions.copy()
            stretched[sorted(group)] += (new - length) * bond / length
            yield Step(title(atoms, pair), float(new), stretched)


def transfers(atoms: Atoms) -> Iterator[Step]:
    """A hydrogen moved along the line between its oxygen and another one near it."""
    for a, b in bonds(atoms):
        hydrogen, oxygen = (a, b) if atoms.symbols[a] == "H" else (b, a)
        if (atoms.symbols[hydrogen], atoms.symbols[oxygen]) != ("H", "O"):
            continue
        for other in [i for i in range(len(atoms)) if atoms.symbols[i] == "O" and i != oxygen]:
            line = atoms.positions[other] - atoms.positions[oxygen]
            length = np.linalg.norm(line)
            if length > DONOR_REACH:
                continue
            for near in np.linspace(OXYGEN_HYDROGEN, length - OXYGEN_HYDROGEN, TRANSFER_POINTS):
                moved = atoms.positions.copy()
                moved[hydrogen] = atoms.positions[oxygen] + near * line / length
                yield Step(f"H{hydrogen}: O{oxygen} to O{other}", float(near), moved)


def title(atoms: Atoms, pair: tuple[int, int]) -> str:
    """A bond, as C0-O2."""
    return "-".join(f"{atoms.symbols[i]}{i}" for i in pair)


def rotated(points: np.ndarray, origin: np.ndarray, axis: np.ndarray, degrees: float) -> np.ndarray:
    """Points (n, 3) after a rotation about the axis through the origin (Rodrigues' formula)."""
    unit, angle = axis / np.linalg.norm(axis), np.radians(degrees)
    rest = points - origin
    along = np.outer(rest @ unit, unit)
    around = np.cos(angle) * (rest - along) + np.sin(angle) * np.cross(unit, rest)
    return origin + along + around
