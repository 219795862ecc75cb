"""Label ethanol with dipoles, charges and their derivatives: ``make_responses.py FOLDER START``.

Needs tblite. The frames are those of START (``examples/data/ethanol_dipoles.xyz``), with their
dipoles (e Å) and polarizabilities (e² Å²/eV) by GFN2-xTB. ``responses.xyz`` has them too, and

- ``mulliken``: the charge of each atom in e;
- ``born_charges``: 9 numbers of each atom, ∂μ_x/∂x, ∂μ_x/∂y, ∂μ_x/∂z, ∂μ_y/∂x … in e. Energy
  and dipole in a field E are related by μ = -∂U/∂E, so that ∂μ_a/∂r_b = ∂F_b/∂E_a: they are
  central differences of the forces in two fields.

``check.json`` compares those of the first frame with central differences of its dipoles.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before tblite is loaded: sums in one order

import numpy as np
from ase import Atoms, units
from ase.io import read, write
from tblite.interface import Calculator

FIELD = 1e-3  # atomic units, 0.05 V/Å
STEP = 0.005  # Å
ACCURACY = 0.001  # of tblite


def calculator(atoms: Atoms, field: np.ndarray | None = None) -> Calculator:
    """GFN2-xTB, in a uniform ``field`` [3] in atomic units."""
    made = Calculator("GFN2-xTB", atoms.numbers, atoms.positions / units.Bohr)
    made.set("verbosity", 0)
    made.set("accuracy", ACCURACY)
    if field is not None:
        made.add("electric-field", field.tolist())
    return made


def born_charges(atoms: Atoms) -> np.ndarray:
    """[n_atoms, 3, 3] in e; the index of the displacement is last."""
    rows = []
    for step in FIELD * np.eye(3):
        above, below = (calculator(atoms, sign * step).singlepoint() for sign in (1, -1))
        rows.append((below.get("gradient") - above.get("gradient")) / (2 * FIELD))
    return np.stack(rows, axis=1)


def by_dipoles(atoms: Atoms) -> np.ndarray:
    """The same from dipoles of displaced atoms."""
    found = np.zeros((len(atoms), 3, 3))
    for i in range(len(atoms)):
        for axis in range(3):
            dipoles = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[i, axis] += sign * STEP
                dipoles.append(calculator(moved).singlepoint().get("dipole") * units.Bohr)
            found[i, :, axis] = (dipoles[0] - dipoles[1]) / (2 * STEP)
    return found


def label(atoms: Atoms) -> Atoms:
    """A frame with all labels, rounded as written."""
    frame = Atoms(atoms.symbols, positions=atoms.positions)
    result = calculator(frame).singlepoint()
    frame.info["dipole"] = np.round(result.get("dipole") * units.Bohr, 5) + 0.0
    frame.info["polarizability"] = atoms.info["polarizability"]
    frame.arrays["mulliken"] = np.round(result.get("charges"), 6) + 0.0
    born = born_charges(frame).reshape(len(frame), 9)
    frame.arrays["born_charges"] = np.round(born, 5) + 0.0
    return frame


def main(folder: Path, start: str) -> None:
    """Write the files."""
    frames = [label(one) for one in read(start, ":")]
    write(folder / "responses.xyz", frames, format="extxyz")
    one, other = born_charges(frames[0]), by_dipoles(frames[0])
    charges = np.array([frame.arrays["mulliken"].sum() for frame in frames])
    about = {
        "largest Born charge of the first frame, e": float(np.abs(one).max()),
        "largest difference to differences of dipoles, e": float(np.abs(one - other).max()),
        "largest sum of charges, e": float(np.abs(charges).max()),
    }
    (folder / "check.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
