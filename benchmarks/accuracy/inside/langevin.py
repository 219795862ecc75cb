"""Langevin dynamics whose frames are the same, byte for byte, when they are made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

FRICTION = 0.01 / units.fs
DIGITS = 6  # positions and velocities are rounded, so that last bits do not grow

Surface = Callable[[np.ndarray], np.ndarray]  # positions (Å) to forces (eV/Å), both (atoms, 3)


@dataclass(frozen=True)
class Run:
    """A trajectory.

    :param kelvin: temperature.
    :param fs: time step.
    :param equilibration: steps before the first frame.
    :param frames: number of frames.
    :param every: steps between two frames.
    """

    kelvin: float
    fs: float
    equilibration: int
    frames: int
    every: int


def trajectory(
    atoms: Atoms, surface: Surface, run: Run, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """Positions (Å), shape (atoms, 3), of the frames (BAOAB: Leimkuhler, Matthews, AMRX 2013, 34).

    ``atoms`` gives positions and masses, and its cell does not change. The velocities begin
    with the Maxwell-Boltzmann distribution.
    """
    step = run.fs * units.fs
    masses = atoms.get_masses()[:, None]
    thermal = np.sqrt(units.kB * run.kelvin / masses)  # standard deviation of velocities
    keep = np.exp(-FRICTION * step)
    kick = np.sqrt(1.0 - keep**2) * thermal
    positions = atoms.positions.copy()
    velocities = thermal * random.standard_normal(positions.shape)
    forces = surface(positions)
    for number in range(1, run.equilibration + run.frames * run.every + 1):
        velocities += 0.5 * step * forces / masses
        positions += 0.5 * step * velocities
        velocities = keep * velocities + kick * random.standard_normal(positions.shape)
        positions = np.round(positions + 0.5 * step * velocities, DIGITS)
        forces = surface(positions)
        velocities = np.round(velocities + 0.5 * step * forces / masses, DIGITS)
        if number > run.equilibration and (number - run.equilibration) % run.every == 0:
            yield positions.copy()
