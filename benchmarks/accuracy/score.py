"""Errors of predictions: the one scorer of all programs, in numpy and float64."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError


@dataclass(frozen=True)
class Labels:
    """Energies, forces and stresses of a list of structures.

    :param energies: eV, one a structure.
    :param forces: eV/Å, (atoms of all structures, 3).
    :param n_atoms: of each structure.
    :param stress: eV/Å³, (structures, 3, 3); not a number where there is none.
    """

    energies: np.ndarray
    forces: np.ndarray
    n_atoms: np.ndarray
    stress: np.ndarray

    def of(self, chosen: np.ndarray) -> Labels:
        """Those of the structures where ``chosen`` (structures,) is true."""
        atoms = np.repeat(chosen, self.n_atoms)
        return Labels(
            self.energies[chosen], self.forces[atoms], self.n_atoms[chosen], self.stress[chosen]
        )


@dataclass(frozen=True)
class Errors:
    """Of totals [meV], of energies per atom [meV], of components [meV/Å, meV/Å³].

    :param energy_mean: mean of predictions minus labels: what all energies are off by.
    :param energy_spread: root mean square of the energies without that mean.
    :param stress_rmse: None: there is no stress on one side.
    """

    energy_rmse: float
    energy_mae: float
    energy_per_atom_rmse: float
    energy_per_atom_mae: float
    forces_rmse: float
    forces_mae: float
    stress_rmse: float | None
    energy_mean: float
    energy_spread: float
    energy_per_atom_mean: float
    energy_per_atom_spread: float
    n_structures: int

    def to_json(self) -> dict[str, float | None]:
        """Numbers by their names."""
        return asdict(self)


def errors(labels: Labels, predicted: Labels) -> Errors:
    """Root mean squares and mean absolute values of the differences.

    Means go over structures for energies, over all components of all atoms for forces, over
    all nine components of the structures that have both stresses.

    :raises ValueError: the structures are not the same, or a prediction is not finite.
    """
    if not np.array_equal(labels.n_atoms, predicted.n_atoms):
        raise ValueError("the predictions are not of the same structures")
    energy = 1e3 * (predicted.energies - labels.energies)
    forces = 1e3 * (predicted.forces - labels.forces)
    if not (np.isfinite(energy).all() and np.isfinite(forces).all()):
        raise ValueError("a prediction is not finite")
    both = np.isfinite(labels.stress).all((1, 2)) & np.isfinite(predicted.stress).all((1, 2))
    stress = 1e3 * (predicted.stress - labels.stress)[both]
    per_atom = energy / labels.n_atoms
    return Errors(
        energy_rmse=_rms(energy),
        energy_mae=float(np.abs(energy).mean()),
        energy_per_atom_rmse=_rms(per_atom),
        energy_per_atom_mae=float(np.abs(per_atom).mean()),
        forces_rmse=_rms(forces),
        forces_mae=float(np.abs(forces).mean()),
        stress_rmse=_rms(stress) if both.any() else None,
        energy_mean=float(energy.mean()),
        energy_spread=float(energy.std()),
        energy_per_atom_mean=float(per_atom.mean()),
        energy_per_atom_spread=float(per_atom.std()),
        n_structures=len(energy),
    )


def errors_by_group(labels: Labels, predicted: Labels, groups: list[str]) -> dict[str, Errors]:
    """The errors of each group.

    :param groups: name of the group of each structure.
    :raises ValueError: as in ``errors``.
    """
    found = {}
    for name in sorted(set(groups)):
        chosen = np.array([group == name for group in groups])
        found[name] = errors(labels.of(chosen), predicted.of(chosen))
    return found


def read_labels(path: Path) -> Labels:
    """The labels of a file of extended xyz."""
    frames = ase.io.read(path, ":")
    return Labels(
        energies=np.array([atoms.get_potential_energy() for atoms in frames], dtype=np.float64),
        forces=np.concatenate([atoms.get_forces() for atoms in frames]).astype(np.float64),
        n_atoms=np.array([len(atoms) for atoms in frames]),
        stress=np.stack([_stress(atoms) for atoms in frames]),
    )


def read_groups(path: Path, key: str) -> list[str]:
    """The group of each structure of a file, by its ``key``; [] if it has none."""
    found = [atoms.info.get(key) for atoms in ase.io.read(path, ":")]
    return [] if None in found else [str(name) for name in found]


def read_predictions(path: Path) -> Labels:
    """What ``inside/predict.py`` has written."""
    with np.load(path) as file:
        return Labels(file["energies"], file["forces"], file["n_atoms"], file["stress"])


def _stress(atoms: ase.Atoms) -> np.ndarray:
    try:
        return np.asarray(atoms.get_stress(voigt=False), dtype=np.float64)
    except PropertyNotImplementedError:
        return np.full((3, 3), np.nan)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))
