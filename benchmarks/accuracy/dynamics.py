"""Is the energy conserved? Molecular dynamics with a kept model, and its drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ase.io
import numpy as np
from ase.build import bulk
from measure import INSIDE, Bench
from peers import Job, Program
from results import Result
from running import Failed, run, told
from table import Column

LIMIT = 7200.0  # seconds
LATTICE = 5.43  # Å, of silicon


@dataclass(frozen=True)
class Start:
    """Where a trajectory begins.

    :param kelvin: of the velocities; what is at rest gives half of it to its potential energy.
    """

    kelvin: float
    step_fs: float


# from a minimum: both settle near 300 K
STARTS = {"silicon": Start(600.0, 1.0), "ethanol": Start(600.0, 0.5)}


@dataclass(frozen=True)
class Drift:
    """Of the total energy, meV per atom.

    :param total: slope of the straight line of least squares, times the duration.
    :param fluctuation: root mean square of what is left beside the line.
    """

    total: float
    fluctuation: float


def drift(times: Sequence[float], energies: Sequence[float], n_atoms: int) -> Drift:
    """The drift of total energies [eV] at ``times``.

    :raises ValueError: an energy is not finite.
    """
    x, y = np.asarray(times, dtype=np.float64), 1e3 * np.asarray(energies, dtype=np.float64)
    if not np.isfinite(y).all():
        raise ValueError("an energy is not finite")
    slope, offset = np.polyfit(x - x[0], y - y[0], 1)
    rest = y - y[0] - slope * (x - x[0]) - offset
    return Drift(
        total=float(slope * (x[-1] - x[0]) / n_atoms),
        fluctuation=float(np.sqrt(np.mean(rest**2)) / n_atoms),
    )


def structure(name: str, job: Job) -> ase.Atoms:
    """64 atoms of silicon, or the first frame that is predicted of a molecule."""
    if name == "silicon":
        return bulk("Si", "diamond", a=LATTICE, cubic=True).repeat(2)
    return ase.io.read(job.data.tests.get("test", job.data.validation), 0)


def conserve(bench: Bench, program: Program, job: Job, result: Result, picoseconds: float) -> None:
    """Run the dynamics and note drift and temperature in the result, or why there are none."""
    try:
        result.extra["nve"] = _run(bench, program, job, result, picoseconds)
    except Failed as error:
        result.extra["nve failed"] = str(error)


def _run(
    bench: Bench, program: Program, job: Job, result: Result, picoseconds: float
) -> dict[str, Any]:
    start = STARTS[job.data.name]
    frame = job.folder / "start.xyz"
    atoms = structure(job.data.name, job)
    atoms.calc = None
    ase.io.write(frame, atoms, format="extxyz")
    numbers = [start.kelvin, start.step_fs, picoseconds, result.seed]
    command = [str(bench.python(program)), str(INSIDE / "nve.py"), program.calculator]
    command += [str(program.trained(job)), str(frame), *map(str, numbers)]
    done = run(command, job.folder, job.threads, LIMIT)
    found = told(done)
    try:
        drifted = drift(found["fs"], found["eV"], found["atoms"])
    except ValueError as error:
        raise Failed(f"dynamics: {error}") from error
    return {
        **asdict(drifted), **asdict(start), "picoseconds": picoseconds,
        "mean_kelvin": found["K"], "atoms": found["atoms"],
    }  # fmt: skip


def columns() -> tuple[Column, ...]:
    """Of a table."""

    def value(name: str, result: Result) -> float | None:
        found: float | None = result.extra.get("nve", {}).get(name)
        return found

    return (
        Column("NVE drift, meV/atom", lambda r: value("total", r), 3),
        Column("NVE fluctuation, meV/atom", lambda r: value("fluctuation", r), 3),
        Column("NVE ps", lambda r: value("picoseconds", r), 1),
        Column("NVE mean K", lambda r: value("mean_kelvin", r), 0),
    )


NOTES = (
    "Drift is the slope of a straight line through the total energies of the whole trajectory "
    "times its duration, fluctuation the root mean square beside the line."
)
