"""Make ``ethanol.xyz``: 600 frames of ethanol from GFN2-xTB molecular dynamics.

Needs ``pip install tblite==0.8.0 ase==3.29.0`` and takes about five minutes on one core::

    python examples/data/make_ethanol.py [FILE]

Three trajectories (300, 600 and 1000 K, 200 frames each) of Langevin dynamics; a frame every
50 fs after 1 ps of equilibration. Running it again gives the same file, byte for byte: the
positions are rounded in every step, so that the last bits of a linear algebra library do not
grow into another trajectory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before tblite is loaded: sums in one order

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from tblite.interface import Calculator

TEMPERATURES = (300.0, 600.0, 1000.0)  # K
FRAMES = 200  # per temperature
STEPS_PER_FRAME = 100
EQUILIBRATION = 2000  # steps
TIME_STEP = 0.5 * units.fs
FRICTION = 0.01 / units.fs
SEED = 2026


class Gfn2:
    """Energy (eV) and forces (eV/Å) of one molecule, each call starting from the last density."""

    def __init__(self, atoms: Atoms) -> None:
        self.calculator = Calculator("GFN2-xTB", atoms.numbers, atoms.positions / units.Bohr)
        self.calculator.set("verbosity", 0)
        self.calculator.set("accuracy", 0.01)
        self.result = None

    def __call__(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        self.calculator.update(positions / units.Bohr)
        self.result = self.calculator.singlepoint(self.result)
        energy = self.result.get("energy") * units.Hartree
        return energy, -self.result.get("gradient") * (units.Hartree / units.Bohr)


def label(atoms: Atoms, positions: np.ndarray, temperature: float) -> Atoms:
    """A frame with energy and forces from a fresh calculation, rounded as written."""
    frame = Atoms(atoms.symbols, positions=positions)
    energy, forces = Gfn2(frame)(frame.positions)
    frame.calc = SinglePointCalculator(
        frame, energy=round(energy, 6), forces=np.round(forces, 5) + 0.0
    )
    frame.info["temperature"] = temperature
    return frame


def trajectory(atoms: Atoms, temperature: float, seed: int) -> Iterator[Atoms]:
    """Labelled frames of Langevin dynamics (BAOAB: Leimkuhler, Matthews, AMRX 2013, 34)."""
    random = np.random.Generator(np.random.PCG64(seed))
    masses = atoms.get_masses()[:, None]
    thermal = np.sqrt(units.kB * temperature / masses)  # standard deviation of velocities
    keep = np.exp(-FRICTION * TIME_STEP)
    kick = np.sqrt(1.0 - keep**2) * thermal
    surface = Gfn2(atoms)
    positions = atoms.positions.copy()
    velocities = thermal * random.standard_normal(positions.shape)
    _, forces = surface(positions)
    for step in range(1, EQUILIBRATION + FRAMES * STEPS_PER_FRAME + 1):
        velocities += 0.5 * TIME_STEP * forces / masses
        positions += 0.5 * TIME_STEP * velocities
        velocities = keep * velocities + kick * random.standard_normal(positions.shape)
        positions += 0.5 * TIME_STEP * velocities
        positions = np.round(positions, 6)
        _, forces = surface(positions)
        velocities += 0.5 * TIME_STEP * forces / masses
        velocities = np.round(velocities, 6)
        if step > EQUILIBRATION and step % STEPS_PER_FRAME == 0:
            centred = np.round(positions - positions.mean(axis=0), 6) + 0.0
            yield label(atoms, centred, temperature)


def main(path: Path) -> None:
    atoms = molecule("CH3CH2OH")
    frames = [
        frame
        for number, temperature in enumerate(TEMPERATURES)
        for frame in trajectory(atoms, temperature, SEED + number)
    ]
    write(path, frames, format="extxyz")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("ethanol.xyz"))
