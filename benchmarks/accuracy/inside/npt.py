"""Density at constant temperature and pressure: ``npt.py KIND MODEL FRAME KELVIN FS PS SEED``.

Isotropic dynamics of Martyna, Tobias and Klein at 1 bar; the first fifth equilibrates. Prints
JSON: the mean density (g/cm³), its standard error from the means of ``BLOCKS`` blocks, and the mean
temperature (K).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import ase.io
import numpy as np
from ase import Atoms, units
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from calculators import KINDS

BLOCKS = 8
EVERY = 5  # steps
DAMPING, BAROSTAT_DAMPING = 100.0, 1000.0  # fs
EQUILIBRATION = 0.2  # of the trajectory
GRAM_PER_CM3 = 1e24 / units.mol  # of an atomic mass unit per Å³


def density(atoms: Atoms) -> float:
    """g/cm³."""
    return float(atoms.get_masses().sum() / atoms.get_volume() * GRAM_PER_CM3)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean after the equilibration, and its standard error from the means of blocks."""
    kept = np.asarray(values)[int(EQUILIBRATION * len(values)) :]
    means = [block.mean() for block in np.array_split(kept, BLOCKS)]
    return float(kept.mean()), float(np.std(means, ddof=1) / np.sqrt(BLOCKS))


def main(
    kind: str, model: str, frame: str, kelvin: str, fs: str, picoseconds: str, seed: str
) -> None:
    """Run the dynamics and print what came out."""
    atoms = ase.io.read(frame)
    atoms.calc = KINDS[kind](model)
    random = np.random.default_rng(int(seed))
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * float(kelvin), rng=random)
    Stationary(atoms)
    densities: list[float] = []
    temperatures: list[float] = []

    def note() -> None:
        densities.append(density(atoms))
        temperatures.append(float(atoms.get_temperature()))

    dynamics = IsotropicMTKNPT(
        atoms, timestep=float(fs) * units.fs, temperature_K=float(kelvin),
        pressure_au=1e5 * units.Pascal, tdamp=DAMPING * units.fs,
        pdamp=BAROSTAT_DAMPING * units.fs,
    )  # fmt: skip
    dynamics.attach(note, interval=EVERY)
    dynamics.run(round(1e3 * float(picoseconds) / float(fs)))
    mean, error = mean_and_error(densities)
    if not np.isfinite(mean):
        raise RuntimeError("a density is not finite")
    temperature, _ = mean_and_error(temperatures)
    print(json.dumps({"density": mean, "error": error, "K": temperature}))


if __name__ == "__main__":
    main(*sys.argv[1:])
