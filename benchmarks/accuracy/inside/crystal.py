"""Lattice constant, elastic constants, phonons of a cubic crystal: ``crystal.py KIND MODEL FRAME``.

FRAME is the primitive or the conventional cell, near its minimum, with the conventional cell's
edge as ``info["a"]`` (Å). Prints JSON: the lattice constant where the pressure is zero (Å), C11,
C12, C44 (GPa), from stresses of strained cells with relaxed atoms, and the frequencies (THz) at
the special points of the Brillouin zone, from forces of displaced atoms.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.optimize import BFGS
from ase.phonons import Phonons
from calculators import KINDS
from scipy.optimize import brentq

RANGE = 0.06  # of the lattice constant, to either side
STRAIN, DISPLACEMENT = 0.005, 0.02  # -, Å
AT_REST, RELAXATIONS = 0.002, 200  # eV/Å, steps
SHORTEST_EDGE = 10.0  # Å, of the supercell of the phonons
TERAHERTZ = units._e / units._hplanck * 1e-12  # of an eV


def relaxed(atoms: Atoms, calculator: Calculator) -> Atoms:
    """The crystal in the cubic cell in which the pressure is zero.

    :raises ValueError: there is no such cell within ``RANGE``.
    """

    def scaled(factor: float) -> Atoms:
        found = atoms.copy()
        found.set_cell(factor * atoms.cell.array, scale_atoms=True)
        found.calc = calculator
        return found

    def tension(factor: float) -> float:
        return float(scaled(factor).get_stress()[:3].mean())

    factor = brentq(tension, 1.0 - RANGE, 1.0 + RANGE, xtol=1e-6)
    found = scaled(factor)
    found.info["a"] = factor * atoms.info["a"]
    return found


def stiffness(atoms: Atoms) -> np.ndarray:
    """Elastic constants (GPa), (6, 6) in Voigt's order, by central differences of stresses.

    :raises RuntimeError: the atoms of a strained cell do not come to rest.
    """
    columns = []
    for component in range(6):
        pair = [_strained_stress(atoms, component, sign * STRAIN) for sign in (1, -1)]
        columns.append((pair[0] - pair[1]) / (2 * STRAIN))
    return np.stack(columns, axis=1) / units.GPa


def _strained_stress(atoms: Atoms, component: int, size: float) -> np.ndarray:
    """Stress (eV/Å³, Voigt) after a strain in one of Voigt's components, atoms at rest."""
    i, j = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))[component]
    strain = np.zeros((3, 3))
    strain[i, j] += size / 2
    strain[j, i] += size / 2
    found = atoms.copy()
    found.calc = atoms.calc
    found.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    if not BFGS(found, logfile=None).run(fmax=AT_REST, steps=RELAXATIONS):
        raise RuntimeError(f"forces above {AT_REST} eV/Å after {RELAXATIONS} steps")
    return found.get_stress()


def cubic(matrix: np.ndarray) -> dict[str, float]:
    """The three constants of a cubic crystal, averaged over the directions."""
    outside = matrix[:3, :3][~np.eye(3, dtype=bool)]
    return {
        "C11": float(np.diag(matrix)[:3].mean()),
        "C12": float(outside.mean()),
        "C44": float(np.diag(matrix)[3:].mean()),
    }


def phonons(atoms: Atoms, calculator: Calculator) -> dict[str, list[float]]:
    """Frequencies (THz), in ascending order, at the special points; imaginary ones are negative.

    The supercell's edges are at least ``SHORTEST_EDGE``.
    """
    repeats = tuple(int(np.ceil(SHORTEST_EDGE / length)) for length in atoms.cell.lengths())
    points = atoms.cell.bandpath().special_points
    with tempfile.TemporaryDirectory() as folder:
        bare = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
        found = Phonons(
            bare, calculator, supercell=repeats, delta=DISPLACEMENT, name=str(Path(folder) / "d")
        )
        found.run()
        found.read(acoustic=True)
        energies = found.band_structure(np.array(list(points.values())), verbose=False)
    return {
        name: (TERAHERTZ * np.sort(np.real(row))).tolist()
        for name, row in zip(points, energies, strict=True)
    }


def properties(atoms: Atoms, calculator: Calculator) -> dict[str, Any]:
    """All of them."""
    at_rest = relaxed(atoms, calculator)
    return {
        "a": at_rest.info["a"],
        **cubic(stiffness(at_rest)),
        "phonons": phonons(at_rest, calculator),
    }


def main(kind: str, model: str, frame: str) -> None:
    """Print what came out."""
    print(json.dumps(properties(ase.io.read(frame), KINDS[kind](model))))


if __name__ == "__main__":
    main(*sys.argv[1:])
