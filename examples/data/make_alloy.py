"""Make ``alloy.xyz``: 150 periodic Cu-Au structures with energy, forces and stress from EMT.

Needs nothing but ASE and takes seconds::

    python examples/data/make_alloy.py [FILE]

EMT is ASE's effective medium theory (Jacobsen, Stoltze, Nørskov, Surf. Sci. 366, 394 (1996)):
a fast many-body potential, good for a first model with stress, not for metallurgy. The set
mixes crystals of random order, with strain, displacements, vacancies, and slabs with vacuum.
Running it again gives the same file, byte for byte.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is loaded: sums in one order

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111, make_supercell
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

SEED = 2026
LATTICE = {"Cu": 3.61, "Au": 4.08}  # Å
CRYSTALS = 110
VACANCIES = 20
SLABS = 20
SHAPES = (
    np.diag([1, 1, 1]),
    np.diag([2, 1, 1]),
    np.diag([2, 2, 1]),
    np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]]),
    np.array([[2, 0, 0], [1, 1, 0], [0, 0, 1]]),
)  # of the cubic cell of 4 atoms


def mix(atoms: Atoms, random: np.random.Generator) -> None:
    """Give each site an element at random, and the cell the volume of Vegard's law."""
    gold = random.random(len(atoms)) < random.random()
    atoms.symbols[gold] = "Au"
    scale = 1.0 + gold.mean() * (LATTICE["Au"] / LATTICE["Cu"] - 1.0)
    atoms.set_cell(scale * atoms.cell.array, scale_atoms=True)


def deform(atoms: Atoms, strain: float, displacement: float, random: np.random.Generator) -> None:
    """Strain the cell and rattle the atoms (Å), by these standard deviations."""
    gradient = np.eye(3) + strain * random.standard_normal((3, 3))
    atoms.set_cell(np.round(atoms.cell.array @ gradient, 6), scale_atoms=True)
    atoms.positions += displacement * random.standard_normal(atoms.positions.shape)


def structures(random: np.random.Generator) -> list[Atoms]:
    """All structures, before labelling."""
    cubic = bulk("Cu", "fcc", a=LATTICE["Cu"], cubic=True)
    found = []
    for _ in range(CRYSTALS):
        atoms = make_supercell(cubic, SHAPES[random.integers(len(SHAPES))])
        mix(atoms, random)
        deform(atoms, strain=0.02, displacement=0.12 * random.random(), random=random)
        found.append(atoms)
    for _ in range(VACANCIES):
        atoms = make_supercell(cubic, np.diag([2, 2, 1]))
        mix(atoms, random)
        del atoms[random.integers(len(atoms))]
        deform(atoms, strain=0.01, displacement=0.08, random=random)
        found.append(atoms)
    for _ in range(SLABS):
        atoms = fcc111("Cu", (2, 2, 3), a=LATTICE["Cu"], vacuum=6.0, periodic=True)
        mix(atoms, random)
        deform(atoms, strain=0.01, displacement=0.08, random=random)
        found.append(atoms)
    return found


def label(atoms: Atoms) -> Atoms:
    """Energy (eV), forces (eV/Å) and stress (eV/Å³) of the structure as it will be written."""
    frame = Atoms(
        atoms.symbols, positions=np.round(atoms.positions, 6), cell=atoms.cell.array, pbc=True
    )
    frame.calc = EMT()
    results = {
        "energy": round(frame.get_potential_energy(), 6),
        "forces": np.round(frame.get_forces(), 5) + 0.0,
        "stress": np.round(frame.get_stress(), 8) + 0.0,
    }
    frame.calc = SinglePointCalculator(frame, **results)
    return frame


def main(path: Path) -> None:
    random = np.random.Generator(np.random.PCG64(SEED))
    frames = [label(atoms) for atoms in structures(random)]
    order = random.permutation(len(frames))
    write(path, [frames[i] for i in order], format="extxyz")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("alloy.xyz"))
