"""Make periodic silicon with Tersoff's potential: ``make_silicon.py FOLDER``.

``crystals.xyz``: diamond cells of 16 atoms, strained, with displaced atoms; energy, forces and
stress. Takes ten seconds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is loaded: sums in one order

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from tersoff import LATTICE, silicon

SEED, FRAMES = 2128, 200
STRAIN, DISPLACEMENT = 0.02, 0.1  # standard deviation; largest standard deviation, Å


def crystal(random: np.random.Generator) -> Atoms:
    """A labelled frame."""
    atoms = bulk("Si", "diamond", a=LATTICE, cubic=True).repeat((2, 1, 1))
    strain = STRAIN * random.standard_normal((3, 3))
    cell = np.round(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), 6)
    atoms.set_cell(cell, scale_atoms=True)
    size = DISPLACEMENT * random.random()
    atoms.positions = np.round(
        atoms.positions + size * random.standard_normal(atoms.positions.shape), 6
    )
    atoms.calc = silicon()
    results = {
        "energy": round(atoms.get_potential_energy(), 6),
        "forces": np.round(atoms.get_forces(), 5) + 0.0,
        "stress": np.round(atoms.get_stress(), 8) + 0.0,
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info["config_type"] = "crystal"
    return atoms


def main(folder: Path) -> None:
    """Write the file."""
    random = np.random.Generator(np.random.PCG64(SEED))
    frames = [crystal(random) for _ in range(FRAMES)]
    write(folder / "crystals.xyz", frames, format="extxyz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
