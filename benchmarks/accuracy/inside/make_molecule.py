"""Make frames of a molecule with GFN2-xTB: ``make_molecule.py FOLDER NAME [START]``.

Needs tblite. NAME is in ``SIZES``; the molecule begins as the first frame of START, or, without
one, as ASE builds it. Energies and forces are those of GFN2-xTB (Bannwarth, Ehlert, Grimme, JCTC
15, 1652 (2019)). In the folder:

- ``300K.xyz``: Langevin dynamics at 300 K, for the training;
- ``test-300K.xyz``, ``test-600K.xyz``, ``test-1200K.xyz``: other trajectories;
- ``dihedrals.xyz``: rotations by 360 degrees about every single bond that can be rotated;
- ``dissociation.xyz``: a bond of each pair of elements, stretched to 3 Å;
- ``transfer.xyz``: of the enol, the hydrogen on its way from one oxygen to the other;
- ``minimum.xyz``, ``isolated.xyz``: where the scans begin; an atom of each element.

The scans leave all other coordinates as they are in the minimum; ``config_type`` names the scan
and ``scan`` is its coordinate (degrees or Å). Frames whose atoms overlap (more than ``OVERLAP``
above the minimum, in rotations), or whose density does not converge, are left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before tblite is loaded: sums in one order

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.optimize import BFGS
from langevin import Run, trajectory
from molecular_scans import Step, dihedrals, dissociations, transfers
from tblite.ase import TBLite
from tblite.exceptions import TBLiteRuntimeError
from tblite.interface import Calculator

SEED = 2126
AT_REST = 0.01  # eV/Å
OVERLAP = 5.0  # eV
SAMPLING, PRECISE = 1.0, 0.01  # accuracy of tblite: of dynamics, of labels


@dataclass(frozen=True)
class Size:
    """How much is made of a molecule: frames at 300 K, frames of a test, steps of 1 fs."""

    frames: int
    test: int
    equilibration: int
    every: int


SIZES = {
    "ethanol": Size(500, 100, 500, 15),
    "acetylacetone": Size(500, 50, 400, 12),
    "3bpa": Size(200, 30, 250, 8),
}


class Gfn2:
    """Energy (eV) and forces (eV/Å) of one molecule, each call starting from the last density."""

    def __init__(self, atoms: Atoms, accuracy: float) -> None:
        self.calculator = Calculator("GFN2-xTB", atoms.numbers, atoms.positions / units.Bohr)
        self.calculator.set("verbosity", 0)
        self.calculator.set("accuracy", accuracy)
        self.result = None

    def __call__(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        self.calculator.update(positions / units.Bohr)
        self.result = self.calculator.singlepoint(self.result)
        energy = self.result.get("energy") * units.Hartree
        return energy, -self.result.get("gradient") * (units.Hartree / units.Bohr)


def label(atoms: Atoms, positions: np.ndarray, kind: str) -> Atoms:
    """A frame with energy and forces from a fresh calculation, rounded as written."""
    centred = np.round(positions - positions.mean(axis=0), 6) + 0.0
    frame = Atoms(atoms.symbols, positions=centred)
    energy, forces = Gfn2(frame, PRECISE)(frame.positions)
    frame.calc = SinglePointCalculator(
        frame, energy=round(energy, 6), forces=np.round(forces, 5) + 0.0
    )
    frame.info["config_type"] = kind
    return frame


def relaxed(atoms: Atoms) -> Atoms:
    """The nearest minimum.

    :raises RuntimeError: it is not found.
    """
    found = Atoms(atoms.symbols, positions=atoms.positions)
    found.calc = TBLite(method="GFN2-xTB", verbosity=0, accuracy=0.1)
    if not BFGS(found, logfile=None).run(fmax=AT_REST, steps=500):
        raise RuntimeError("no minimum in 500 steps")
    return Atoms(atoms.symbols, positions=np.round(found.positions, 4))


def dynamics(atoms: Atoms, kelvin: float, frames: int, size: Size, seed: int) -> Iterator[Atoms]:
    """Labelled frames of a trajectory that begins in the minimum."""
    surface = Gfn2(atoms, SAMPLING)
    run = Run(kelvin, 1.0, size.equilibration, frames, size.every)
    random = np.random.Generator(np.random.PCG64([SEED, seed]))
    for positions in trajectory(atoms, lambda x: surface(x)[1], run, random):
        yield label(atoms, positions, f"{kelvin:g} K")


def scan(atoms: Atoms, steps: Iterator[Step], highest: float) -> Iterator[Atoms]:
    """Labelled frames of scans, those below an energy (eV)."""
    for step in steps:
        try:
            frame = label(atoms, step.positions, step.name)
        except TBLiteRuntimeError as error:
            print(f"left out: {step.name} at {step.value:g}: {error}", flush=True)
            continue
        if frame.get_potential_energy() > highest:
            print(f"left out: {step.name} at {step.value:g}: atoms overlap", flush=True)
            continue
        frame.info["scan"] = round(step.value, 4)
        yield frame


def isolated(atoms: Atoms) -> list[Atoms]:
    """A free atom of each element."""
    return [label(Atoms(one), np.zeros((1, 3)), "isolated") for one in sorted(set(atoms.symbols))]


def main(folder: Path, name: str, start: str | None = None) -> None:
    """Write the files."""
    size = SIZES[name]
    atoms = relaxed(molecule("CH3CH2OH") if start is None else read(start, 0))
    minimum = label(atoms, atoms.positions, "minimum")
    highest = minimum.get_potential_energy() + OVERLAP
    makers = {
        "minimum": iter([minimum]),
        "isolated": iter(isolated(atoms)),
        "dihedrals": scan(atoms, dihedrals(atoms), highest),
        "dissociation": scan(atoms, dissociations(atoms), np.inf),
        "transfer": scan(atoms, transfers(atoms), np.inf),
        "300K": dynamics(atoms, 300.0, size.frames, size, 0),
        "test-300K": dynamics(atoms, 300.0, size.test, size, 1),
        "test-600K": dynamics(atoms, 600.0, size.test, size, 2),
        "test-1200K": dynamics(atoms, 1200.0, size.test, size, 3),
    }
    for file, maker in makers.items():
        frames = list(maker)
        print(f"{file}: {len(frames)} frames", flush=True)
        if frames:
            write(folder / f"{file}.xyz", frames, format="extxyz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
