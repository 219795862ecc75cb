"""Molecular dynamics at constant energy: ``nve.py KIND MODEL FRAME KELVIN FS PS SEED``.

Velocity Verlet from the nearest minimum of the model's energy, with velocities of a
Maxwell-Boltzmann distribution without net momentum. Prints, as JSON, the total energies [eV] of
every tenth step, their times [fs], and the mean temperature.
"""

from __future__ import annotations

import json
import sys

import ase.io
import numpy as np
from ase import units
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from calculators import KINDS

EVERY = 10  # steps
AT_REST, RELAXATIONS = 0.02, 500  # eV/Å, steps


def main(
    kind: str, model: str, frame: str, kelvin: str, fs: str, picoseconds: str, seed: str
) -> None:
    """Run the dynamics and print what came out.

    :raises RuntimeError: the forces do not become zero.
    """
    atoms = ase.io.read(frame)
    atoms.calc = KINDS[kind](model)
    if not BFGS(atoms, logfile=None).run(fmax=AT_REST, steps=RELAXATIONS):
        raise RuntimeError(f"forces above {AT_REST} eV/Å after {RELAXATIONS} steps")
    random = np.random.default_rng(int(seed))
    MaxwellBoltzmannDistribution(atoms, temperature_K=float(kelvin), rng=random)
    Stationary(atoms)
    energies, temperatures = [], []

    def note() -> None:
        energies.append(float(atoms.get_total_energy()))
        temperatures.append(float(atoms.get_temperature()))

    dynamics = VelocityVerlet(atoms, timestep=float(fs) * units.fs)
    dynamics.attach(note, interval=EVERY)
    dynamics.run(round(1e3 * float(picoseconds) / float(fs)))
    times = [i * EVERY * float(fs) for i in range(len(energies))]
    found = {"fs": times, "eV": energies, "K": float(np.mean(temperatures)), "atoms": len(atoms)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
