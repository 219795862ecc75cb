"""Two atoms at all distances, against the screened repulsion of their nuclei."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import ase
import numpy as np
from ase.data import chemical_symbols, covalent_radii
from numpy.typing import NDArray

from mtt.report.probes.predictor import Predictor
from mtt.report.probes.probe import LATE, Clock, Finding, curve

_PAIRS = 10
_POINTS = 48
_NEAR = 60  # points around the cutoff
_WIDTH = 0.25  # Å on both sides of the cutoff
_COULOMB = 14.399645  # e² / (4 π ε0) in eV Å
_PHI = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))


def zbl(z1: int, z2: int, distances: NDArray[Any]) -> NDArray[Any]:
    """[n] eV, the universal screened repulsion of Ziegler, Biersack and Littmark.

    J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter (1985).

    :param distances: [n] Å.
    """
    length = 0.8854 * 0.529177 / (z1**0.23 + z2**0.23)
    phi = sum(a * np.exp(-b * distances / length) for a, b in _PHI)
    return np.asarray(_COULOMB * z1 * z2 / distances * phi)


def dimers(predict: Predictor, elements: Sequence[int], clock: Clock) -> Finding:
    """Energy of each pair of elements by distance; the separated atoms are the zero."""
    found = Finding("dimers")
    pairs = list(combinations_with_replacement(elements, 2))
    if len(pairs) > _PAIRS:
        text = f"of {len(pairs)} pairs of elements, the first {_PAIRS} are shown"
        found.numbers.append(("pairs", text))
    far = predict.cutoff + 1.0
    for one, other in pairs[:_PAIRS]:
        if clock.left <= 0:
            found.problem = f"{LATE} before all pairs were computed"
            break
        bond = float(covalent_radii[one] + covalent_radii[other])
        distances = np.append(np.linspace(0.35 * bond, predict.cutoff * 1.02, _POINTS), far)
        energies = predict([_pair(one, other, r) for r in distances]).energies
        relative = energies[:-1] - energies[-1]
        depth = max(float(-relative.min()), 0.5)
        name = f"{chemical_symbols[one]}–{chemical_symbols[other]}"
        lines = {
            "model": list(zip(distances[:-1], relative, strict=True)),
            "ZBL": list(zip(distances[:-1], zbl(one, other, distances[:-1]), strict=True)),
        }
        hole = _hole(distances[:-1], relative, bond)
        axes = ("distance (Å)", "energy (eV)")
        found.curves.append(curve(name, *axes, lines, hole, (-1.3 * depth, 4 * depth)))
    return found


def cutoff_smoothness(predict: Predictor, elements: Sequence[int]) -> Finding:
    """The force of a dimer as an atom leaves the cutoff: it has to fade to zero."""
    found = Finding("cutoff")
    cutoff = predict.cutoff
    one = elements[0]
    distances = np.linspace(cutoff - _WIDTH, cutoff + _WIDTH, _NEAR)
    forces = [rows[1, 0] for rows in predict([_pair(one, one, r) for r in distances]).forces]
    jump = float(np.abs(np.diff(forces)).max())
    name = f"{chemical_symbols[one]}–{chemical_symbols[one]} around the cutoff of {cutoff:g} Å"
    lines = {"model": list(zip(distances, forces, strict=True))}
    found.curves.append(curve(name, "distance (Å)", "force (eV/Å)", lines))
    step = f"{1e3 * (distances[1] - distances[0]):.1f} mÅ"
    found.numbers.append(
        ("largest change of the force at the cutoff", f"{1e3 * jump:.3g} meV/Å within {step}")
    )
    return found


def _hole(distances: NDArray[Any], energies: NDArray[Any], bond: float) -> str:
    """Whether atoms that are too close attract one another."""
    close = energies[distances < 0.75 * bond]
    if len(close) > 2 and close[0] < close[1:].max() - 1e-6:
        return "atoms that are very close attract one another: short distances are not in the data"
    return ""


def _pair(one: int, other: int, distance: float) -> ase.Atoms:
    return ase.Atoms(numbers=[one, other], positions=[[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])
