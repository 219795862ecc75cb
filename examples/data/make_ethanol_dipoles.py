"""Make ``ethanol_dipoles.xyz``: 200 frames of ethanol with dipole and polarizability.

Needs ``pip install tblite==0.8.0 ase==3.29.0`` and takes about ten seconds on one core::

    python examples/data/make_ethanol_dipoles.py [FILE]

Every third frame of ``ethanol.xyz``, by GFN2-xTB like there. Dipoles are in e Å. Polarizabilities
are derivatives of the dipole by a uniform electric field, as central differences, in e Å / (V/Å),
which is e² Å²/eV.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before tblite is loaded: sums in one order

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from tblite.interface import Calculator

FIELD = 1e-3  # atomic units, 0.05 V/Å
FIELD_UNIT = units.Hartree / units.Bohr  # V/Å


def calculator(atoms: Atoms, field: np.ndarray | None = None) -> Calculator:
    made = Calculator("GFN2-xTB", atoms.numbers, atoms.positions / units.Bohr)
    made.set("verbosity", 0)
    made.set("accuracy", 0.01)
    if field is not None:
        made.add("electric-field", field.tolist())
    return made


def dipole(atoms: Atoms, field: np.ndarray) -> np.ndarray:
    """[3] e Å, in a ``field`` [3] in atomic units."""
    return calculator(atoms, field).singlepoint().get("dipole") * units.Bohr


def polarizability(atoms: Atoms) -> np.ndarray:
    """[3, 3] e Å / (V/Å), symmetric."""
    rows = [
        (dipole(atoms, step) - dipole(atoms, -step)) / (2 * FIELD * FIELD_UNIT)
        for step in FIELD * np.eye(3)
    ]
    return (np.array(rows) + np.array(rows).T) / 2


def label(atoms: Atoms) -> Atoms:
    frame = Atoms(atoms.symbols, positions=atoms.positions)
    result = calculator(frame).singlepoint()
    forces = -result.get("gradient") * (units.Hartree / units.Bohr)
    frame.calc = SinglePointCalculator(
        frame,
        energy=round(result.get("energy") * units.Hartree, 6),
        forces=np.round(forces, 5) + 0.0,
    )
    frame.info["dipole"] = np.round(result.get("dipole") * units.Bohr, 5) + 0.0
    frame.info["polarizability"] = np.round(polarizability(frame), 4) + 0.0
    return frame


def main(path: Path) -> None:
    atoms = read(Path(__file__).with_name("ethanol.xyz"), "::3")
    write(path, [label(one) for one in atoms], format="extxyz")


if __name__ == "__main__":
    default = Path(__file__).with_name("ethanol_dipoles.xyz")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
