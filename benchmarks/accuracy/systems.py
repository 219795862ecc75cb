"""The data of the tables, each split once into files that every program reads."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))
import surroundings


class Missing(Exception):
    """A data file that is not there."""


@dataclass(frozen=True)
class Source:
    """A file of the reference data.

    :param n_validation: frames from the end of the file; a float is a part of it.
    :param isolated: file with energies of free atoms, with the same settings of theory.
    :param test: test set; None, or not there: the errors are of the validation set.
    """

    name: str
    file: str
    n_validation: int | float
    isolated: str | None = None
    test: str | None = None
    stress: bool = False


SOURCES = {
    "acac": Source(
        "acac", "acac/train_300K.xyz", 0.1, "acac/isolated_atoms.xyz", "acac/test_300K.xyz"
    ),
    "ethanol": Source(
        "ethanol", "ethanol/train.xyz", 50, "ethanol/isolated_atoms.xyz", "ethanol/test_MD.xyz"
    ),
    "silicon": Source("silicon", "silicon/train.xyz", 0.1, stress=True),
}  # fmt: skip


@dataclass(frozen=True)
class Data:
    """Files of extended xyz (Å, eV, eV/Å, eV/Å³) with the keys ``energy``, ``forces``, ``stress``.

    :param isolated: energies of free atoms by atomic number, eV; empty: not known.
    :param test: file of the test set, where there is one.
    """

    name: str
    train: Path
    validation: Path
    n_train: int
    elements: tuple[int, ...]
    isolated: dict[int, float]
    periodic: bool
    stress: bool
    test: Path | None = None

    @property
    def scored(self) -> dict[str, Path]:
        """The files whose labels the predictions are compared with."""
        test = {} if self.test is None else {"test": self.test}
        return {"validation": self.validation, **test}


def split(name: str, folder: Path, limit: int | None = None) -> Data:
    """Write ``train.xyz`` and ``validation.xyz`` of a data set below ``folder``.

    :param limit: take that many frames only, evenly from the file.
    :raises Missing: the data are not here.
    """
    source = SOURCES[name]
    path = surroundings.data_file(source.file)
    if path is None:
        raise Missing(f"{source.file} is neither in $MTT_DATA nor in ../shared/data")
    frames = ase.io.read(path, ":")
    if limit is not None and limit < len(frames):
        frames = [frames[i] for i in np.linspace(0, len(frames) - 1, limit).round().astype(int)]
    n_validation = _number(source.n_validation, len(frames))
    parts = {"train": frames[:-n_validation], "validation": frames[-n_validation:]}
    home = folder / (name if limit is None else f"{name}-{limit}")
    home.mkdir(parents=True, exist_ok=True)
    for part, chosen in parts.items():
        ase.io.write(home / f"{part}.xyz", chosen, format="extxyz")
    return Data(
        name=name,
        train=home / "train.xyz",
        validation=home / "validation.xyz",
        n_train=len(parts["train"]),
        elements=tuple(sorted({int(z) for atoms in frames for z in atoms.numbers})),
        isolated=_isolated(source),
        periodic=bool(frames[0].pbc.any()),
        stress=source.stress,
        test=_test(source, home, limit),
    )


def _number(asked: int | float, n: int) -> int:
    if isinstance(asked, float):
        return max(1, n - round((1 - asked) * n))
    return max(1, min(asked, n // 10))


def _isolated(source: Source) -> dict[int, float]:
    path = None if source.isolated is None else surroundings.data_file(source.isolated)
    if path is None:
        return {}
    frames = ase.io.read(path, ":")
    return {int(atoms.numbers[0]): float(atoms.get_potential_energy()) for atoms in frames}


def _test(source: Source, home: Path, limit: int | None) -> Path | None:
    path = None if source.test is None else surroundings.data_file(source.test)
    if path is None or limit is None:
        return path
    short = home / "test.xyz"
    ase.io.write(short, ase.io.read(path, f":{limit}"), format="extxyz")
    return short
