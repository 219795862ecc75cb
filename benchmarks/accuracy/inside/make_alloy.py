"""Make periodic Cu-Au structures with EMT: ``make_alloy.py FOLDER``.

32 atoms of random order and composition, with energy, forces and stress of ASE's effective
medium theory (Jacobsen, Stoltze, Nørskov, Surf. Sci. 366, 394 (1996)), a fast many-body potential:

- ``solid.xyz``: crystals at 300 K, at the volume of Vegard's law;
- ``solid-test.xyz``: the same, of other orders;
- ``strained.xyz``: crystals at 300 K in strained cells;
- ``molten.xyz``: melts at 2000 K;
- ``mixed.xyz``: the frames of the last two, in random order;
- ``isolated.xyz``: an atom of each element.

``config_type`` names the kind of a frame. Takes three minutes on one core.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is loaded: sums in one order

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from langevin import Run, trajectory

SEED = 2121
LATTICE = {"Cu": 3.59, "Au": 4.06}  # Å, of EMT
SOLID = Run(kelvin=300.0, fs=5.0, equilibration=200, frames=20, every=20)
STRAINED = Run(kelvin=300.0, fs=5.0, equilibration=39, frames=1, every=1)
MELTING = Run(kelvin=5000.0, fs=2.0, equilibration=299, frames=1, every=1)
MOLTEN = Run(kelvin=2000.0, fs=2.0, equilibration=300, frames=20, every=15)
STRAIN, LARGEST_STRAIN = 0.03, 0.08  # standard deviation of each component, and its bound
MELT_VOLUME = 1.12  # by that of the crystal
COUNTS = {"solid": 10, "solid-test": 2, "strained": 100, "molten": 5}  # trajectories


def crystal(random: np.random.Generator) -> Atoms:
    """Copper and gold on the sites of 2 × 2 × 2 cubic cells, at the volume of Vegard's law."""
    atoms = bulk("Cu", "fcc", a=LATTICE["Cu"], cubic=True).repeat(2)
    gold = random.random(len(atoms)) < random.random()
    atoms.symbols[gold] = "Au"
    scale = 1.0 + gold.mean() * (LATTICE["Au"] / LATTICE["Cu"] - 1.0)
    atoms.set_cell(np.round(scale * atoms.cell.array, 6), scale_atoms=True)
    return atoms


def label(atoms: Atoms, positions: np.ndarray, kind: str) -> Atoms:
    """Energy (eV), forces (eV/Å) and stress (eV/Å³) of the frame as it will be written."""
    frame = Atoms(atoms.symbols, np.round(positions, 6), cell=atoms.cell.array, pbc=atoms.pbc)
    frame.calc = EMT()
    results = {
        "energy": round(frame.get_potential_energy(), 6),
        "forces": np.round(frame.get_forces(), 5) + 0.0,
    }
    if frame.pbc.all():
        results["stress"] = np.round(frame.get_stress(), 8) + 0.0
    frame.calc = SinglePointCalculator(frame, **results)
    frame.info["config_type"] = kind
    return frame


def frames(atoms: Atoms, run: Run, kind: str, random: np.random.Generator) -> Iterator[Atoms]:
    """Labelled frames of a trajectory; ``atoms`` is left at the last one."""
    atoms.calc = EMT()

    def surface(positions: np.ndarray) -> np.ndarray:
        atoms.positions = positions
        return atoms.get_forces()

    for positions in trajectory(atoms, surface, run, random):
        yield label(atoms, positions, kind)


def strained(random: np.random.Generator) -> Iterator[Atoms]:
    """One frame of a crystal in a strained cell."""
    atoms = crystal(random)
    strain = np.clip(STRAIN * random.standard_normal((3, 3)), -LARGEST_STRAIN, LARGEST_STRAIN)
    deformation = np.eye(3) + (strain + strain.T) / 2
    atoms.set_cell(np.round(atoms.cell.array @ deformation, 6), scale_atoms=True)
    yield from frames(atoms, STRAINED, "strained", random)


def molten(random: np.random.Generator) -> Iterator[Atoms]:
    """Frames of a melt, from a crystal melted at a higher temperature."""
    atoms = crystal(random)
    atoms.set_cell(np.round(MELT_VOLUME ** (1 / 3) * atoms.cell.array, 6), scale_atoms=True)
    for _ in frames(atoms, MELTING, "melting", random):
        pass
    yield from frames(atoms, MOLTEN, "molten", random)


def solid(random: np.random.Generator) -> Iterator[Atoms]:
    """Frames of a crystal at 300 K."""
    yield from frames(crystal(random), SOLID, "solid", random)


MAKERS = {"solid": solid, "solid-test": solid, "strained": strained, "molten": molten}


def main(folder: Path) -> None:
    """Write the files."""
    made = {}
    for number, (name, maker) in enumerate(MAKERS.items()):
        random = np.random.Generator(np.random.PCG64([SEED, number]))
        made[name] = [frame for _ in range(COUNTS[name]) for frame in maker(random)]
        print(f"{name}: {len(made[name])} frames", flush=True)
    both = made["strained"] + made["molten"]
    order = np.random.Generator(np.random.PCG64([SEED, len(MAKERS)])).permutation(len(both))
    made["mixed"] = [both[i] for i in order]
    made["isolated"] = [label(Atoms(symbol), np.zeros((1, 3)), "isolated") for symbol in LATTICE]
    for name, found in made.items():
        write(folder / f"{name}.xyz", found, format="extxyz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
