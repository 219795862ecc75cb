"""Properties of trained models and of the potentials that made their data, computed alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ase
import ase.io
import making
from ase.build import bulk
from dynamics import drift
from measure import INSIDE, Bench
from running import Failed, run, told

LIMIT = 7200.0  # seconds of a computation
EDGES = {"Si": 5.432, "Cu": 3.59, "Au": 4.06, "Cu3Au": 3.70}  # Å, near the minima
KELVIN = 300.0


@dataclass(frozen=True)
class Dynamics:
    """Trajectories of a structure.

    :param npt: whether there is one at constant pressure, too.
    """

    name: str
    fs: float
    npt: bool


@dataclass(frozen=True)
class Physics:
    """What is computed for a system.

    :param reference: calculator of its labels, in ``inside/calculators.py``.
    :param crystals: names in ``EDGES``.
    :param vibrations: whether those of the molecule are computed.
    """

    reference: str
    crystals: tuple[str, ...] = ()
    dynamics: Dynamics | None = None
    vibrations: bool = False
    packages: tuple[str, ...] = ()
    environment: str = ""


PHYSICS = {
    "silicon-tersoff": Physics("tersoff", crystals=("Si",)),
    "alloy": Physics("emt", ("Cu", "Au", "Cu3Au"), Dynamics("Cu3Au", 5.0, npt=True)),
    "ethanol": Physics(
        "gfn2", (), Dynamics("ethanol", 0.5, npt=False), True, making.TBLITE, "tblite"
    ),
}


@dataclass(frozen=True)
class Model:
    """What predicts: a trained file, or a reference.

    :param kind: in ``inside/calculators.py``.
    :param file: what the calculator loads.
    """

    python: Path
    kind: str
    file: str


@dataclass
class Found:
    """Numbers of one model.

    :param values: by name.
    :param lists: frequencies by name.
    :param failed: reasons, by the name of what could not be computed.
    """

    values: dict[str, float] = field(default_factory=dict)
    lists: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def crystal(name: str) -> ase.Atoms:
    """The primitive cell, with the edge of the cubic one in its ``info``."""
    edge = EDGES[name]
    if name == "Si":
        atoms = bulk(name, "diamond", a=edge)
    elif name == "Cu3Au":
        atoms = bulk("Cu", "fcc", a=edge, cubic=True)
        atoms.symbols[0] = "Au"
    else:
        atoms = bulk(name, "fcc", a=edge)
    atoms.info["a"] = edge
    return atoms


def supercell(name: str, molecule: Path | None) -> ase.Atoms:
    """Where trajectories begin: 32 atoms of a crystal, or the molecule of a file."""
    if name in EDGES:
        return crystal(name).repeat(2)
    assert molecule is not None
    atoms: ase.Atoms = ase.io.read(molecule, 0)
    return atoms


@dataclass(frozen=True)
class Computer:
    """Runs the scripts of ``inside`` for one model.

    :param molecule: file whose first frame is the molecule of the system, if it is one.
    :param picoseconds: of the trajectories; 0: none.
    """

    bench: Bench
    folder: Path
    molecule: Path | None
    picoseconds: float
    seed: int

    def all_of(self, physics: Physics, model: Model) -> Found:
        """Everything that is computed for a system; what fails is noted."""
        found = Found()
        for name in physics.crystals:
            self._note(found, name, lambda name=name: self._crystal(model, name, found))
        if physics.vibrations:
            self._note(found, "vibrations", lambda: self._vibrations(model, found))
        moving = physics.dynamics if self.picoseconds > 0 else None
        if moving is not None:
            self._note(found, "NVE", lambda: self._nve(model, moving, found))
        if moving is not None and moving.npt:
            self._note(found, "NPT", lambda: self._npt(model, moving, found))
        return found

    def _note(self, found: Found, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except (Failed, ValueError) as error:
            found.failed[name] = str(error)[-1000:]

    def _script(self, model: Model, script: str, atoms: ase.Atoms, *words: object) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        frame = self.folder / f"{Path(script).stem}.xyz"
        atoms.calc = None
        ase.io.write(frame, atoms, format="extxyz")
        command = [str(model.python), str(INSIDE / script), model.kind, model.file, str(frame)]
        command += [str(word) for word in words]
        return told(run(command, self.folder, self.bench.setting.threads, LIMIT))

    def _crystal(self, model: Model, name: str, found: Found) -> None:
        answer = self._script(model, "crystal.py", crystal(name))
        found.values[f"{name}: lattice constant, Å"] = answer["a"]
        for constant in ("C11", "C12", "C44"):
            found.values[f"{name}: {constant}, GPa"] = answer[constant]
        for point, frequencies in answer["phonons"].items():
            if point not in ("G", "U"):  # U is equivalent to K
                found.values[f"{name}: highest phonon at {point}, THz"] = max(frequencies)
        found.lists[f"{name}: phonons, THz"] = [
            one for row in answer["phonons"].values() for one in row
        ]

    def _vibrations(self, model: Model, found: Found) -> None:
        assert self.molecule is not None
        atoms = ase.io.read(self.molecule, 0)
        answer = self._script(model, "vibrations.py", atoms)
        found.values["zero-point energy, meV"] = 1e3 * answer["zero point"]
        found.values["highest vibration, 1/cm"] = max(answer["wave numbers"])
        found.values["lowest vibration, 1/cm"] = min(answer["wave numbers"])
        found.lists["vibrations, 1/cm"] = [round(one, 3) for one in answer["wave numbers"]]

    def _nve(self, model: Model, moving: Dynamics, found: Found) -> None:
        atoms = supercell(moving.name, self.molecule)
        words = (2 * KELVIN, moving.fs, self.picoseconds, self.seed)
        answer = self._script(model, "nve.py", atoms, *words)
        drifted = drift(answer["fs"], answer["eV"], answer["atoms"])
        found.values[f"{moving.name}: NVE drift, meV/atom"] = drifted.total
        found.values[f"{moving.name}: NVE fluctuation, meV/atom"] = drifted.fluctuation

    def _npt(self, model: Model, moving: Dynamics, found: Found) -> None:
        atoms = supercell(moving.name, self.molecule)
        words = (KELVIN, moving.fs, self.picoseconds, self.seed)
        answer = self._script(model, "npt.py", atoms, *words)
        found.values[f"{moving.name}: NPT density, g/cm³"] = answer["density"]
        found.values[f"{moving.name}: its standard error, g/cm³"] = answer["error"]
