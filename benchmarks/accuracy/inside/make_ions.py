"""Label molecules at three charges with GFN2-xTB: ``make_ions.py FOLDER ETHANOL MOLECULES``.

Needs tblite. ``ethanol.xyz`` has the frames of ETHANOL, and ``molecules.xyz`` the molecules of
MOLECULES, each with the charges 0, 1 and -1 at the same geometry: energy (eV), forces (eV/Å),
``charge``, ``multiplicity`` (1, or 2 for ions) and ``geometry``, the number of the frame. A
geometry of which one charge does not converge is left out. GFN2-xTB has no diffuse functions:
its anions of small molecules are bound by the basis, as labels they are as good as others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before tblite is loaded: sums in one order

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from tblite.exceptions import TBLiteRuntimeError
from tblite.interface import Calculator

CHARGES = (0, 1, -1)


def label(atoms: Atoms, charge: int, geometry: int) -> Atoms:
    """A frame with energy and forces, rounded as written."""
    unpaired = (int(atoms.numbers.sum()) - charge) % 2
    calculator = Calculator(
        "GFN2-xTB", atoms.numbers, atoms.positions / units.Bohr, charge=charge, uhf=unpaired
    )
    calculator.set("verbosity", 0)
    calculator.set("accuracy", 0.01)
    result = calculator.singlepoint()
    frame = Atoms(atoms.symbols, positions=atoms.positions)
    frame.calc = SinglePointCalculator(
        frame,
        energy=round(result.get("energy") * units.Hartree, 6),
        forces=np.round(-result.get("gradient") * (units.Hartree / units.Bohr), 5) + 0.0,
    )
    frame.info |= {"charge": charge, "multiplicity": 1 + unpaired, "geometry": geometry}
    return frame


def labelled(frames: list[Atoms], name: str) -> Iterator[Atoms]:
    """Three frames for each geometry."""
    for number, atoms in enumerate(frames):
        try:
            yield from [label(atoms, charge, number) for charge in CHARGES]
        except TBLiteRuntimeError as error:
            print(f"left out: {name} {number}: {error}", flush=True)


def main(folder: Path, ethanol: str, molecules: str) -> None:
    """Write the files."""
    for name, path in (("ethanol", ethanol), ("molecules", molecules)):
        frames = list(labelled(read(path, ":"), name))
        print(f"{name}: {len(frames)} frames", flush=True)
        write(folder / f"{name}.xyz", frames, format="extxyz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
