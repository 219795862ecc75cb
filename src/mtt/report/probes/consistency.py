"""Laws that hold for any structure: symmetry, and forces that are the slope of the energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ase
import numpy as np
from numpy.typing import NDArray

from mtt.report.probes.predictor import Predictor
from mtt.report.probes.probe import Finding

_SEED = 22
_STEP = 1e-3  # Å


def consistency(predict: Predictor, structures: Sequence[ase.Atoms]) -> Finding:
    """The largest change under rotation, inversion, translation and exchange of atoms; the
    difference between forces and the slope of the energy; the total force."""
    random = np.random.default_rng(_SEED)
    found = Finding("consistency")
    changes: dict[str, float] = {}
    forces: dict[str, float] = {}
    slope = total = 0.0
    for atoms in structures:
        rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
        if np.linalg.det(rotation) < 0:
            rotation = -rotation
        order = random.permutation(len(atoms))
        along = random.normal(size=(len(atoms), 3))
        along /= np.linalg.norm(along)
        made = {
            "rotation": _turned(atoms, rotation),
            "inversion": _turned(atoms, -np.eye(3)),
            "translation": _moved(atoms, np.tile(random.uniform(0, 1, 3), (len(atoms), 1))),
            "exchange of atoms": atoms[order],
        }
        steps = [_moved(atoms, sign * _STEP * along) for sign in (1, -1)]
        energies, rows = predict([atoms, *made.values(), *steps])
        back = (rows[1] @ rotation.T, -rows[2], rows[3], rows[4][np.argsort(order)])
        for name, energy, one in zip(made, energies[1:5], back, strict=True):
            change = abs(energy - energies[0]) / len(atoms)
            changes[name] = max(changes.get(name, 0.0), float(change))
            forces[name] = max(forces.get(name, 0.0), float(np.abs(one - rows[0]).max()))
        slope = max(
            slope,
            abs(float((energies[5] - energies[6]) / (2 * _STEP) + (rows[0] * along).sum())),
        )
        total = max(total, float(np.abs(rows[0].sum(axis=0)).max()))
    for name in changes:
        text = f"{1e3 * changes[name]:.2g} meV/atom, {1e3 * forces[name]:.2g} meV/Å"
        found.numbers.append((f"change under {name}", text))
    found.numbers.append(("force against slope of the energy", f"{1e3 * slope:.2g} meV/Å"))
    found.numbers.append(("total force", f"{1e3 * total:.2g} meV/Å"))
    return found


def _turned(atoms: ase.Atoms, matrix: NDArray[Any]) -> ase.Atoms:
    """Every vector ``v`` becomes ``v @ matrix``."""
    other = atoms.copy()
    other.set_cell(atoms.cell @ matrix)
    other.positions = atoms.positions @ matrix
    return other


def _moved(atoms: ase.Atoms, by: NDArray[Any]) -> ase.Atoms:
    other = atoms.copy()
    other.positions = atoms.positions + by
    return other
