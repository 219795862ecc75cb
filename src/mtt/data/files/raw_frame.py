"""A structure and everything a file says about it, before labels are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import ase
import numpy as np
from ase.outputs import ArrayProperty, all_outputs
from numpy.typing import NDArray

from mtt.data.frames import Float

_DATABASE = ("key_value_pairs", "data")  # where an ASE database keeps what it has no name for
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
    twice: Mapping[str, str] = {}  # names under which there are two values, and what both are

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
    calculator. Its results are taken as they are, so that constraints (``FixAtoms``) do not
    zero forces. Results of other positions than the present ones are left out.

    Of an ASE database, ``data`` and ``key_value_pairs`` are labels too. An array of ``data`` with
    a row for each atom belongs to atoms, and also to the structure where it may be meant so (a
    vector, a matrix of 3 × 3, one atom).
    """
    info = dict(atoms.info)
    database = {name: info.pop(name) for name in _DATABASE if isinstance(info.get(name), Mapping)}
    arrays = {k: v for k, v in atoms.arrays.items() if k not in ("numbers", "positions")}
    calculated = {name: value for name, value in _results(atoms).items() if value is not None}
    of_atoms = {name: v for name, v in calculated.items() if name in _CALCULATED_PER_ATOM}
    of_structure = {name: v for name, v in calculated.items() if name not in of_atoms}
    structure, atom = {"atoms.info": info}, {"atoms.arrays": arrays, "the calculator": of_atoms}
    for where, values in database.items():
        rows = {name: v for name, v in values.items() if _has_rows(v, len(atoms))}
        atom[where] = rows
        structure[where] = {
            k: v for k, v in values.items() if k not in rows or _may_be_one(rows[k])
        }
    structure["the calculator"] = of_structure
    twice: dict[str, str] = {}
    per_structure, per_atom = _joined(structure, twice), _joined(atom, twice)
    return RawFrame(
        numbers=np.asarray(atoms.numbers, dtype=np.int64),
        positions=np.asarray(atoms.positions, dtype=np.float64),
        cell=np.asarray(atoms.cell, dtype=np.float64),
        pbc=np.asarray(atoms.pbc, dtype=bool),
        per_structure=per_structure,
        per_atom=per_atom,
        file=file,
        number=index,
        twice=twice,
    )


def _joined(named: Mapping[str, Mapping[str, Any]], twice: dict[str, str]) -> dict[str, Any]:
    """All values; of a name with two that differ the first one, with a note in ``twice``."""
    joined: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for where, values in named.items():
        for name, value in values.items():
            if name in joined and not _same(joined[name], value):
                here, there = brief(joined[name]), brief(value)
                twice[name] = f"{here} in {owners[name]}, {there} in {where}"
            owners.setdefault(name, where)
            joined.setdefault(name, value)
    return joined


def _same(one: Any, other: Any) -> bool:
    """Whether two arrays agree up to the rounding of files."""
    try:
        numbers = [np.asarray(value, dtype=np.float64) for value in (one, other)]
    except (TypeError, ValueError):
        return bool(np.array_equal(np.asarray(one, object), np.asarray(other, object)))
    if numbers[0].size != numbers[1].size:
        return False
    first, second = (value.reshape(-1) for value in numbers)
    return bool(np.allclose(first, second, rtol=1e-6, atol=1e-8, equal_nan=True))


def brief(value: Any) -> str:
    """The beginning of a value, for messages."""
    text = np.array2string(np.asarray(value).reshape(-1)[:3], separator=" ", precision=6)
    return text.strip("[]") + (" ..." if np.size(value) > 3 else "")


def _has_rows(value: Any, n_atoms: int) -> bool:
    return (
        isinstance(value, np.ndarray | list)
        and len(np.shape(value)) > 0
        and (np.shape(value)[0] == n_atoms)
    )


def _may_be_one(value: Any) -> bool:
    shape = np.shape(value)
    return len(shape) == 1 or shape in ((3, 3), (1, *shape[1:]))


def _results(atoms: ase.Atoms) -> dict[str, Any]:
    calculator = atoms.calc
    if calculator is None or calculator.check_state(atoms):
        return {}
    return dict(getattr(calculator, "results", {}))
