"""All structures of a run side by side, and passes over what belongs to their atoms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from metatomic.torch import unit_conversion_factor
from numpy.typing import NDArray

from mtt.data import Dataset, merge
from mtt.data.info import TargetInfo
from mtt.data.storage.columns import CHUNK, Columns, layout
from mtt.scanning.tools.finding import Place
from mtt.stopping import stop_if_asked

# arrays of float64, of int64 and of bool: numpy's own types are too narrow for its results
Float = NDArray[Any]
Index = NDArray[Any]
Mask = NDArray[Any]

_WORDS = np.random.default_rng(17).integers(1, 2**62, 256)  # of elements, for hashes


class Block(NamedTuple):
    """Some structures, with columns of their atoms one structure after the other."""

    structures: Index  # [m]
    starts: Index  # [m], first atom of each
    owner: Index  # [atoms], 0 … m - 1
    columns: dict[str, Float]

    def total(self, values: Float) -> Float:
        """[m, ...] sums over the atoms of each structure."""
        return np.add.reduceat(values, self.starts, axis=0)

    def largest(self, values: Float) -> Float:
        """[m, ...] maxima over the atoms of each structure."""
        return np.maximum.reduceat(values, self.starts, axis=0)


class Structures:
    """The structures of all parts; numbers 0 … n - 1 go through all of them.

    What belongs to structures is held as arrays; what belongs to atoms is read block by block.

    :param parts: the data sets of each part, by its name; at least one structure in all.
    """

    def __init__(self, parts: Mapping[str, Sequence[Dataset]]) -> None:
        filled: dict[str, list[Dataset]] = {
            name: [one for one in sets if len(one)] for name, sets in parts.items() if any(sets)
        }
        self.names = list(filled)
        self.dataset = merge([one for sets in filled.values() for one in sets])
        lengths = [sum(map(len, sets)) for sets in filled.values()]
        self.part: Index = np.repeat(np.arange(len(lengths)), lengths)
        self.info = self.dataset.info
        self.n_atoms: Index = self.dataset.n_atoms.numpy()
        self.types: Index = np.array(self.info.atomic_types, dtype=np.int64)
        self.counts: Float = self.dataset.composition(self.info.atomic_types).numpy()
        self.volumes: Float = self.dataset.volumes.numpy()
        self.cells = self._per_structure("cells")
        self.pbc: Mask = self._per_structure("pbc").astype(bool)
        names = _names(self.dataset.columns, self.dataset.structures)
        self.files, self.file, self.frame = _sources(names)

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def solid(self) -> Mask:
        """[n] periodic in all three directions."""
        return np.asarray(self.pbc.all(axis=1))

    @cached_property
    def energies(self) -> dict[str, TargetInfo]:
        """The targets that are energies of structures."""
        return {
            name: info
            for name, info in self.info.targets.items()
            if info.is_energy and info.properties == 1
        }

    def values(self, name: str) -> Float:
        """[n, p] labels of a target of structures, NaN where missing."""
        return self._per_structure(f"values:{name}")

    def energy(self, name: str) -> Float:
        """[n], NaN where missing."""
        return self.values(name)[:, 0]

    def strain(self, name: str) -> Float:
        """[n, 3, 3] volume times stress, NaN where missing."""
        return self._per_structure(f"strain:{name}")

    @cached_property
    def composition(self) -> Index:
        """[n] equal where structures have the same number of atoms of each element."""
        return np.unique(self.counts, axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def order(self) -> Index:
        """[n] equal where structures have the same elements in the same order (a hash)."""
        found = np.empty(len(self), dtype=np.int64)
        for block in self.blocks(("numbers",)):
            place = np.arange(len(block.owner)) - block.starts[block.owner]
            word = _WORDS[block.columns["numbers"].astype(np.int64)]
            with np.errstate(over="ignore"):
                found[block.structures] = block.total(word * (2 * place + 1))
        return found

    def blocks(self, names: Sequence[str], chosen: Index | None = None) -> Iterator[Block]:
        """The columns ``names`` of the atoms of ``chosen`` structures, some at a time."""
        chosen = np.arange(len(self)) if chosen is None else chosen
        for first in range(0, len(chosen), CHUNK):
            some = chosen[first : first + CHUNK]
            rows = self.dataset.structures[some]
            lengths = self.n_atoms[some]
            columns = {
                name: self.dataset.columns.take(name, rows, per_atom=True).numpy() for name in names
            }
            owner = np.repeat(np.arange(len(some)), lengths)
            stop_if_asked()
            yield Block(some, np.cumsum(lengths) - lengths, owner, columns)
            self.dataset.columns.release()

    def places(self, chosen: Index | Mask) -> tuple[Place, ...]:
        """Where structures are from: by part, then by file."""
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else np.asarray(chosen)
        keys = np.stack([self.part[chosen], self.file[chosen]], axis=1)
        found = []
        for part, file in np.unique(keys, axis=0):
            mine = (keys == (part, file)).all(axis=1)
            frames = np.unique(self.frame[chosen[mine]]).tolist()
            found.append(Place(self.names[part], self.files[file], tuple(frames)))
        return tuple(found)

    def whole(self, chosen: Index | Mask) -> tuple[Place, ...]:
        """The files that ``chosen`` structures are from, all of their frames being meant."""
        return tuple(Place(place.part, place.file) for place in self.places(chosen))

    @cached_property
    def angstrom(self) -> float:
        """One Å in the unit of length; 1 where no unit is given."""
        unit = self.info.length_unit
        return float(unit_conversion_factor("angstrom", unit)) if unit else 1.0

    def electronvolt(self, name: str) -> float:
        """One eV in the unit of the energy ``name``; 1 where no unit is given."""
        unit = self.info.targets[name].unit
        return float(unit_conversion_factor("eV", unit)) if unit else 1.0

    def _per_structure(self, name: str) -> Float:
        assert not layout(self.info)[name].per_atom
        column = self.dataset.columns.take(name, self.dataset.structures, per_atom=False).numpy()
        self.dataset.columns.release()
        return column


def _names(columns: Columns, structures: Index) -> list[str]:
    """:meth:`Columns.source` of each of ``structures``, all at once."""
    if not columns.parts:
        return [columns.source(i) for i in structures.tolist()]
    ends = np.cumsum([len(part) for part in columns.parts])
    names: list[str] = [""] * len(structures)
    which = np.searchsorted(ends, structures, side="right")
    for k, part in enumerate(columns.parts):
        mine = np.flatnonzero(which == k)
        start = int(ends[k]) - len(part)
        for i, name in zip(mine.tolist(), _names(part, structures[mine] - start), strict=True):
            names[i] = name
    return names


def _sources(names: Iterable[str]) -> tuple[list[str], Index, Index]:
    """Files, and file and frame of each structure."""
    files: dict[str, int] = {}
    file, frame = [], []
    for i, name in enumerate(names):
        path, comma, number = name.rpartition(", frame ")
        known = bool(comma) and number.isdecimal()
        file.append(files.setdefault(path if known else name, len(files)))
        frame.append(int(number) if known else i)
    return list(files), np.array(file, dtype=np.int64), np.array(frame, dtype=np.int64)


def full_cells(structures: Structures, chosen: Index) -> Float:
    """[m, 3, 3] cells, with unit vectors across the periodic ones where it is not periodic."""
    cells = structures.cells[chosen].copy()
    pbc = structures.pbc[chosen]
    cells[~pbc.any(axis=1)] = np.eye(3)
    for k in np.flatnonzero(pbc.any(axis=1) & ~pbc.all(axis=1)):
        across = np.linalg.svd(cells[k][pbc[k]])[2]
        cells[k][~pbc[k]] = across[int(pbc[k].sum()) :]
    return cells
