"""A structure and everything a file says about it, before anybody asks for a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import ase
import numpy as np
from ase.outputs import ArrayProperty, all_outputs
from numpy.typing import NDArray

from mtt.data.frames import Float

_CALCULATED_PER_ATOM = {
    name
    for name, output in all_outputs.items()
    if isinstance(output, ArrayProperty) and output.shapespec[0] == "natoms"
}


class RawFrame(NamedTuple):
    """One structure of a file. Values may still be text; nothing is checked yet."""

    numbers: NDArray[np.int64]  # [n_atoms], 0 where ASE knows no element
    positions: Float  # [n_atoms, 3]
    cell: Float  # [3, 3]
    pbc: NDArray[np.bool_]  # [3]
    per_structure: Mapping[str, Any]
    per_atom: Mapping[str, Any]  # arrays (or lists of words) with n_atoms rows
    file: str
    number: int  # of the frame in its file, from 0

    @property
    def source(self) -> str:
        return f"{self.file}, frame {self.number}"

    @property
    def is_periodic(self) -> bool:
        """Periodic in all three directions, so that it has a volume and a stress."""
        return bool(self.pbc.all())


def from_ase(atoms: ase.Atoms, file: str, index: int) -> RawFrame:
    """Everything that ``atoms`` carries: ``info``, ``arrays``, and the calculator's results.

    ASE's readers move the names it knows (``energy``, ``forces``, ``stress``, ...) into a
    calculator. Its results are taken as they stand, so that constraints (``FixAtoms``) do not
    zero forces. Results of other positions than the present ones are left out.
    """
    info = dict(atoms.info)
    per_structure: dict[str, Any] = {
        **info.pop("data", {}),  # the two folders of an ASE database
        **info.pop("key_value_pairs", {}),
        **info,
    }
    per_atom = {k: v for k, v in atoms.arrays.items() if k not in ("numbers", "positions")}
    for name, value in _results(atoms).items():
        where = per_atom if name in _CALCULATED_PER_ATOM else per_structure
        if value is not None:
            where.setdefault(name, value)
    return RawFrame(
        numbers=np.asarray(atoms.numbers, dtype=np.int64),
        positions=np.asarray(atoms.positions, dtype=np.float64),
        cell=np.asarray(atoms.cell, dtype=np.float64),
        pbc=np.asarray(atoms.pbc, dtype=bool),
        per_structure=per_structure,
        per_atom=per_atom,
        file=file,
        number=index,
    )


def _results(atoms: ase.Atoms) -> dict[str, Any]:
    calculator = atoms.calc
    if calculator is None or calculator.check_state(atoms):
        return {}
    return dict(getattr(calculator, "results", {}))
