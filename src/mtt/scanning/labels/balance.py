"""Forces of a whole structure: no net force anywhere, no torque on molecules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.tools.finding import Finding
from mtt.scanning.tools.forces import Forces
from mtt.scanning.tools.structures import Mask, Structures

CHECK = "balance of forces"
_NET = 0.1  # of root(number of atoms) times a typical force, above which a net force is reported
_TORQUE = 0.1  # of what the torque could be at most
_LEAST = 0.005  # eV/Å per atom: less is noise of the calculation


def check_balance(structures: Structures, forces: dict[str, Forces]) -> Iterator[Finding]:
    """Net forces, and net torques of molecules."""
    for name, found in forces.items():
        several = (structures.n_atoms > 1) & (found.n_labelled == structures.n_atoms)
        unit = structures.electronvolt(name) / structures.angstrom
        # the sum of n unrelated forces is about as large as the root of their squares
        unbalanced = several & (found.net > _NET * found.size)
        unbalanced &= found.net > _LEAST * unit * structures.n_atoms
        with np.errstate(invalid="ignore"):
            ratio = found.net / found.size
        advice = "forces of constrained atoms, of an external field, or of other positions? "
        what = f"the forces of {name} do not add up to zero"
        yield from _tell(structures, what, unbalanced, ratio, "of unrelated forces", advice)
        free = several & ~structures.pbc.any(axis=1)
        turning = free & ~unbalanced & (found.torque > _TORQUE)
        turning &= found.size > _LEAST * unit * structures.n_atoms
        what = f"the forces of {name} turn molecules as a whole"
        advice = "forces of a turned structure, of atoms in another order, or in a field? "
        yield from _tell(structures, what, turning, found.torque, "of the largest possible", advice)


def _tell(
    structures: Structures, what: str, which: Mask, number: np.ndarray, unit: str, advice: str
) -> Iterator[Finding]:
    if which.any():
        most = float(number[which].max())
        advice += "A model of energies cannot have them"
        places = structures.places(which)
        yield Finding(CHECK, "suspicious", what, places, most, unit, advice)
