"""Harmonic vibrations of a molecule in its minimum: ``vibrations.py KIND MODEL FRAME``.

Prints JSON: the wave numbers (1/cm) of all but the six lowest modes in ascending order, imaginary
ones as negative numbers, and the zero-point energy of these modes (eV).
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
from ase.vibrations import Vibrations
from calculators import KINDS

AT_REST, RELAXATIONS = 0.005, 500  # eV/Å, steps
DISPLACEMENT = 0.01  # Å
RIGID = 6  # modes of translation and rotation


def vibrations(atoms: Atoms, calculator: Calculator) -> dict[str, Any]:
    """Wave numbers and zero-point energy.

    :raises RuntimeError: the atoms do not come to rest.
    """
    bare = Atoms(atoms.symbols, atoms.positions)
    bare.calc = calculator
    if not BFGS(bare, logfile=None).run(fmax=AT_REST, steps=RELAXATIONS):
        raise RuntimeError(f"forces above {AT_REST} eV/Å after {RELAXATIONS} steps")
    with tempfile.TemporaryDirectory() as folder:
        found = Vibrations(bare, name=str(Path(folder) / "d"), delta=DISPLACEMENT)
        found.run()
        energies = np.asarray(found.get_energies())
    modes = np.sort(energies.real - np.abs(energies.imag))
    modes = np.delete(modes, np.argsort(np.abs(modes))[:RIGID])
    return {
        "wave numbers": (modes / units.invcm).tolist(),
        "zero point": float(0.5 * modes[modes > 0].sum()),
    }


def main(kind: str, model: str, frame: str) -> None:
    """Print what came out."""
    print(json.dumps(vibrations(ase.io.read(frame), KINDS[kind](model))))


if __name__ == "__main__":
    main(*sys.argv[1:])
