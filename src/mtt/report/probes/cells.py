"""A periodic structure that is compressed, expanded and strained."""

from __future__ import annotations

from typing import Any

import ase
import numpy as np
from numpy.typing import NDArray

from mtt.report.markup import chemical
from mtt.report.probes.predictor import Predictor
from mtt.report.probes.probe import Finding, curve

_VOLUMES = np.linspace(0.8, 1.25, 25)  # of the given one
_STRAINS = np.linspace(-0.06, 0.06, 25)


def volumes(predict: Predictor, atoms: ase.Atoms) -> Finding:
    """Energy against the volume, the shape kept."""
    found = Finding("volumes")
    scaled = [_deformed(atoms, np.eye(3) * factor ** (1 / 3)) for factor in _VOLUMES]
    energies = predict(scaled).energies / len(atoms)
    per_atom = _VOLUMES * atoms.get_volume() / len(atoms)
    lines = {"model": list(zip(per_atom, energies - energies.min(), strict=True))}
    name = f"{chemical(atoms.get_chemical_formula())}: energy against volume"
    axes = ("volume (Å³/atom)", "energy above the lowest (eV/atom)")
    found.curves.append(curve(name, *axes, lines))
    least = int(energies.argmin())
    if least in (0, len(energies) - 1):
        text = "at the end of the range: the structure collapses or falls apart"
    else:
        text = f"{_VOLUMES[least]:.3g} of the volume in the data"
    found.numbers.append(("lowest energy", text))
    return found


def strains(predict: Predictor, atoms: ase.Atoms) -> Finding:
    """Energy against strains along the three axes, and one shear."""
    found = Finding("strains")
    kinds = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "xy": (0, 1)}
    made = [_strained(atoms, *places, size) for places in kinds.values() for size in _STRAINS]
    energies = predict(made).energies.reshape(len(kinds), -1) / len(atoms)
    zero = energies[:, len(_STRAINS) // 2]
    lines = {
        name: list(zip(100 * _STRAINS, 1e3 * (row - middle), strict=True))
        for name, row, middle in zip(kinds, energies, zero, strict=True)
    }
    name = f"{chemical(atoms.get_chemical_formula())}: energy against strain"
    found.curves.append(curve(name, "strain (%)", "energy (meV/atom)", lines))
    return found


def _strained(atoms: ase.Atoms, i: int, j: int, size: float) -> ase.Atoms:
    strain = np.eye(3)
    strain[i, j] += size / 2
    strain[j, i] += size / 2
    return _deformed(atoms, strain)


def _deformed(atoms: ase.Atoms, deformation: NDArray[Any]) -> ase.Atoms:
    other = atoms.copy()
    other.set_cell(atoms.cell @ deformation, scale_atoms=True)
    return other
