"""A short trajectory at constant energy, and the time that predictions take."""

from __future__ import annotations

import time
from typing import Any

import ase
import numpy as np
from ase import units
from numpy.typing import NDArray

from mtt.report.markup import chemical
from mtt.report.probes.predictor import Predictor
from mtt.report.probes.probe import LATE, Clock, Finding, curve

_STEPS = 200
_FEWEST = 20
_STEP = 0.5  # fs
_TEMPERATURE = 300.0  # K
_SEED = 23
_LARGEST = 600  # atoms whose prediction is timed
_FAR = 12.0  # Å, between copies of a molecule


def drift(predict: Predictor, atoms: ase.Atoms, clock: Clock) -> Finding:
    """Velocity Verlet from a structure of the data, at 300 K; the total energy has to stay."""
    found = Finding("drift")
    atoms = atoms.copy()
    step, masses = _STEP * units.fs, atoms.get_masses()[:, None]
    velocities = _thermal(masses)
    energies, forces = predict([atoms])
    force, totals = forces[0], []
    for _ in range(_STEPS):
        kinetic = 0.5 * float((masses * velocities**2).sum())
        totals.append((float(energies[0]) + kinetic) / len(atoms))
        if clock.left <= 0:
            break
        velocities = velocities + 0.5 * step * force / masses
        atoms.positions = atoms.positions + step * velocities
        energies, forces = predict([atoms])
        force = forces[0]
        velocities = velocities + 0.5 * step * force / masses
    if len(totals) < _FEWEST:
        found.problem = f"{LATE} after {len(totals)} steps"
        return found
    times = _STEP * np.arange(len(totals))
    change = 1e3 * (np.array(totals) - totals[0])
    name = f"{chemical(atoms.get_chemical_formula())}: drift of the total energy"
    lines = {"model": list(zip(times, change, strict=True))}
    note = f"{len(totals)} steps of {_STEP} fs, begun with {_TEMPERATURE:g} K"
    found.curves.append(curve(name, "time (fs)", "change (meV/atom)", lines, note))
    if len(totals) > 2:
        rate = float(np.polyfit(times * 1e-3, change, 1)[0])
        found.numbers.append(("drift of the total energy", f"{rate:.2g} meV/atom/ps"))
    return found


def speed(predict: Predictor, atoms: ase.Atoms, clock: Clock) -> Finding:
    """Time per atom of one prediction with forces, neighbour lists included."""
    found = Finding("speed")
    points: list[tuple[float, float]] = []
    for n in (1, 2, 3, 4, 5, 6, 8):
        larger = _repeated(atoms, n)
        if len(larger) > _LARGEST or (points and clock.left <= 0):
            break
        predict([larger])
        begin = time.perf_counter()
        predict([larger])
        seconds = time.perf_counter() - begin
        points.append((float(len(larger)), 1e6 * seconds / len(larger)))
    name = f"time of {chemical(atoms.get_chemical_formula())}, repeated"
    axes = ("number of atoms", "time (µs/atom)")
    found.curves.append(curve(name, *axes, {"model": points}))
    found.numbers.append(
        (f"time with {points[-1][0]:g} atoms", f"{points[-1][1]:.3g} µs per atom and prediction")
    )
    return found


def _thermal(masses: NDArray[Any]) -> NDArray[Any]:
    """[n_atoms, 3] velocities of the Maxwell-Boltzmann distribution, the centre of mass at rest.

    :param masses: [n_atoms, 1].
    """
    random = np.random.default_rng(_SEED).normal(size=(len(masses), 3))
    drawn = random * np.sqrt(units.kB * _TEMPERATURE / masses)
    return np.asarray(drawn - (masses * drawn).sum(axis=0) / masses.sum())


def _repeated(atoms: ase.Atoms, n: int) -> ase.Atoms:
    """``n³`` cells of a solid, ``n³`` copies of a molecule that do not touch."""
    if atoms.pbc.all():
        return atoms.repeat(n)
    box = atoms.copy()
    box.set_pbc(False)
    box.set_cell(np.diag(np.ptp(atoms.positions, axis=0) + _FAR))
    return box.repeat(n)
