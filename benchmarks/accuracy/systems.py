"""The data of the tables, each split once into files that every program reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ase
import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from making import Missing, reference, surroundings

__all__ = ["GROUP", "SOURCES", "Data", "Missing", "Source", "split", "surroundings"]

GROUP = "config_type"  # key of a frame's group in the files that are written
EVERY = 10
SLAB, VACANCY = 12, 15  # atoms of the alloy's frames of these kinds


@dataclass(frozen=True)
class Source:
    """A file of reference data.

    :param file: in the reference data, or an absolute path.
    :param n_validation: frames from the end of the file; a float is a part of it; None: every
        tenth frame, those whose number ends in 9.
    :param isolated: file with energies of free atoms, with the same settings of theory.
    :param tests: files of test sets by their names; those that are not there are left out.
    :param forces: name of the forces in the file.
    :param group: which group a frame belongs to.
    """

    name: str
    file: str
    n_validation: int | float | None
    isolated: str | None = None
    tests: dict[str, str] = field(default_factory=dict)
    stress: bool = False
    forces: str = "forces"
    group: Callable[[ase.Atoms], str] | None = None


def named(key: str) -> Callable[[ase.Atoms], str]:
    """The group that the file gives under this key."""
    return lambda atoms: str(atoms.info[key])


def kind_of_alloy(atoms: ase.Atoms) -> str:
    """The kind of a frame of the examples' alloy, by its number of atoms."""
    return {SLAB: "slab", VACANCY: "vacancy"}.get(len(atoms), "crystal")


SOURCES = {
    "acac": Source(
        "acac", "acac/train_300K.xyz", 0.1, "acac/isolated_atoms.xyz",
        {"test": "acac/test_300K.xyz"},
    ),
    "ethanol": Source(
        "ethanol", "ethanol/train.xyz", 50, "ethanol/isolated_atoms.xyz",
        {"test": "ethanol/test_MD.xyz"},
    ),
    "silicon": Source(
        "silicon", "silicon/train.xyz", None, stress=True, group=named("config_type")
    ),
    "carbon": Source(
        "carbon", "periodic/carbon_reduced_100.xyz", None, forces="force",
        group=named("detailed_ct"),
    ),
    "alloy": Source(
        "alloy", str(surroundings.ROOT / "examples" / "data" / "alloy.xyz"), None, stress=True,
        group=kind_of_alloy,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Data:
    """Files of extended xyz (Å, eV, eV/Å, eV/Å³) with the keys ``energy``, ``forces``, ``stress``.

    :param isolated: energies of free atoms by atomic number, eV; empty: not known.
    :param tests: files of the test sets that there are, by name.
    """

    name: str
    train: Path
    validation: Path
    n_train: int
    elements: tuple[int, ...]
    isolated: dict[int, float]
    periodic: bool
    stress: bool
    tests: dict[str, Path] = field(default_factory=dict)

    @property
    def scored(self) -> dict[str, Path]:
        """The files whose labels the predictions are compared with, by part."""
        return {"validation": self.validation, **self.tests, "train": self.train}


def split(source: Source, folder: Path, limit: int | None = None) -> Data:
    """Write ``train.xyz``, ``validation.xyz`` and the test sets of a source below ``folder``.

    :param limit: take that many frames only, evenly from every file.
    :raises Missing: the data are not here.
    """
    frames = _frames(source, _found(source.file), limit)
    validation = _validation(source.n_validation, len(frames))
    chosen = [frames[i] for i in range(len(frames)) if i not in validation]
    home = folder / (source.name if limit is None else f"{source.name}-{limit}")
    home.mkdir(parents=True, exist_ok=True)
    ase.io.write(home / "train.xyz", chosen, format="extxyz")
    ase.io.write(home / "validation.xyz", [frames[i] for i in validation], format="extxyz")
    return Data(
        name=source.name,
        train=home / "train.xyz",
        validation=home / "validation.xyz",
        n_train=len(chosen),
        elements=tuple(sorted({int(z) for atoms in frames for z in atoms.numbers})),
        isolated=_isolated(source),
        periodic=bool(frames[0].pbc.any()),
        stress=source.stress,
        tests=_tests(source, home, limit),
    )


def _found(file: str) -> Path:
    return Path(file) if Path(file).is_absolute() else reference(file)


def _frames(source: Source, path: Path, limit: int | None) -> list[ase.Atoms]:
    """Frames with their labels and group, and nothing else of what the file says of them."""
    frames = ase.io.read(path, ":")
    if limit is not None and limit < len(frames):
        frames = [frames[i] for i in np.linspace(0, len(frames) - 1, limit).round().astype(int)]
    return [_clean(source, atoms) for atoms in frames]


def _clean(source: Source, atoms: ase.Atoms) -> ase.Atoms:
    frame = ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    standard = source.forces == "forces"
    forces = atoms.get_forces() if standard else atoms.arrays[source.forces]
    results = {"energy": atoms.get_potential_energy(), "forces": forces}
    if source.stress:
        results["stress"] = atoms.get_stress()
    frame.calc = SinglePointCalculator(frame, **results)
    if source.group is not None:
        frame.info[GROUP] = source.group(atoms)
    return frame


def _validation(asked: int | float | None, n: int) -> Sequence[int]:
    """Numbers of the frames for validation."""
    if asked is None:
        return range(EVERY - 1, n, EVERY)
    number = max(1, n - round((1 - asked) * n) if isinstance(asked, float) else min(asked, n // 10))
    return range(n - number, n)


def _isolated(source: Source) -> dict[int, float]:
    try:
        path = None if source.isolated is None else _found(source.isolated)
    except Missing:
        path = None
    if path is None:
        return {}
    frames = ase.io.read(path, ":")
    return {int(atoms.numbers[0]): float(atoms.get_potential_energy()) for atoms in frames}


def _tests(source: Source, home: Path, limit: int | None) -> dict[str, Path]:
    written = {}
    for name, file in source.tests.items():
        try:
            path = _found(file)
        except Missing:
            continue
        written[name] = home / f"{name}.xyz"
        ase.io.write(written[name], _frames(source, path, limit), format="extxyz")
    return written
