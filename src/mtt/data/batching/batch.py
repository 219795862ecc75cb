"""A batch is gathered from the columns: a few indexing operations, no loop over structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.batching.augmentation import (
    turn_cells,
    turn_forces,
    turn_strain,
    turn_vectors,
)
from mtt.data.batching.inputs import number_inputs, state
from mtt.data.batching.rows import (
    Cuts,
    changed,
    rows_of,
    searched_reverse,
    type_counts,
    widest,
)
from mtt.data.batching.to_device import sent
from mtt.data.info import DatasetInfo
from mtt.data.storage.columns import Columns, spans
from mtt.data.storage.pairs import Pairs
from mtt.graph import Graph, Target


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Structures with their labels, ready for a model."""

    graph: Graph
    targets: dict[str, Target]  # values float64; forces and strain in network precision
    n_atoms: Tensor  # [n] int64
    index: Tensor  # [n] int64, positions of the structures in the loader's data set
    volumes: Tensor  # [n] float64, of the cells as given; 0 without a cell
    weights: Tensor | None = None  # [n] float64, of the structures in the loss; None: all 1

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Batch:
        """Copy the batch to ``device``."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Copy to pinned memory, from which a GPU copies while the CPU continues."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        def maybe(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else change(tensor)

        return Batch(
            graph=changed(self.graph, change),
            targets={
                name: Target(change(target.values), maybe(target.forces), maybe(target.strain))
                for name, target in self.targets.items()
            },
            n_atoms=change(self.n_atoms),
            index=change(self.index),
            volumes=change(self.volumes),
            weights=maybe(self.weights),
        )


class _Table(NamedTuple):
    """[m] int64 each, one number per structure; one transfer to the device takes them all."""

    structures: Tensor  # rows of the columns
    place: Tensor  # what becomes Batch.index
    n_atoms: Tensor
    n_pairs: Tensor
    atom_shift: Tensor  # row of an atom in the columns - row here
    pair_shift: Tensor  # likewise of a pair
    number: Tensor  # of the structure within its batch
    first_in_batch: Tensor  # first atom, counted within its batch
    first_here: Tensor  # first atom, counted within all batches
    pair_in_batch: Tensor  # first pair, counted within its batch
    pair_here: Tensor  # first pair, counted within all batches


class _Rows(NamedTuple):
    """Of atoms, or of pairs."""

    rows: Tensor  # [n] int64, in the columns, or in the lists
    owner: Tensor  # [n] int64, structure among those that are gathered at once


class Gather:
    """Gathers batches from ``columns``, on the device where the columns are.

    :param lookup: [256] int64 on that device, atomic number to index of the model's types.
    :param dtype: network precision. Vectors are formed in float64 and then cast.
    :param weighted: whether any structure has a weight other than 1.
    :param numbers: [N] atomic numbers on the host, where the columns are not; else None.
    :param labels: of targets of pairs, [P, *shape] float64 of all ``pairs``, by target.
    """

    def __init__(
        self,
        columns: Columns,
        pairs: Pairs,
        info: DatasetInfo,
        lookup: Tensor,
        dtype: torch.dtype,
        *,
        weighted: bool = False,
        numbers: NDArray[np.uint8] | None = None,
        labels: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.rows, self.pairs, self.info = columns.rows, pairs, info
        self.labels = {} if labels is None else labels
        self.lookup, self.dtype, self.weighted = lookup, dtype, weighted
        self._numbers, self._to_type = numbers, lookup.cpu().numpy()
        self.n_types = int(self._to_type.max()) + 1
        self.first_atom, self.n_atoms = columns.offsets[:-1], columns.n_atoms
        self.first_pair, self.n_pairs = pairs.offsets[:-1], pairs.n_pairs

    def __call__(
        self,
        structures: NDArray[np.int64],
        index: NDArray[np.int64],
        sizes: NDArray[np.int64],
        turns: Tensor | None = None,
    ) -> tuple[Batch, Cuts]:
        """Several batches at once, which costs little more than one.

        They are taken apart by :func:`mtt.data.batching.cut.cut`.

        Until then ``graph.system``, ``centers`` and ``neighbors`` count from the start of
        their own batch; all other columns are concatenated.

        :param structures: [m] rows of the columns.
        :param index: [m] what becomes ``Batch.index``.
        :param sizes: structures per batch, in all m.
        :param turns: [m, 3, 3] float64, by which structures and labels are turned.
        """
        atom_ends = np.concatenate([[0], self.n_atoms[structures].cumsum()])
        pair_ends = np.concatenate([[0], self.n_pairs[structures].cumsum()])
        ends = np.concatenate([[0], sizes.cumsum()])
        table = self._table(structures, index, np.repeat(ends[:-1], sizes), atom_ends, pair_ends)
        total = int(atom_ends[-1]), int(pair_ends[-1])
        if turns is not None:
            turns = sent(turns, self.lookup.device)
        widths = widest(self.pairs.widths[structures], sizes)
        graph, atoms, of_pairs = self._graph(table, *total, max(widths, default=0), turns)
        batch = Batch(
            graph=graph,
            targets=self._targets(table.structures, atoms, of_pairs, turns),
            n_atoms=table.n_atoms,
            index=table.place,
            volumes=self.rows["volumes"].index_select(0, table.structures),
            weights=self.rows["weights"].index_select(0, table.structures)
            if self.weighted
            else None,
        )
        atoms_of, pairs_of = np.diff(atom_ends[ends]), np.diff(pair_ends[ends])
        counts = type_counts(self._types(structures, graph), self.n_types, atoms_of)
        return batch, Cuts(sizes.tolist(), atoms_of.tolist(), pairs_of.tolist(), widths, counts)

    def _table(
        self,
        structures: NDArray[np.int64],
        index: NDArray[np.int64],
        batch_start: NDArray[np.int64],
        atom_ends: NDArray[np.int64],
        pair_ends: NDArray[np.int64],
    ) -> _Table:
        """What is known of each structure, on the device.

        :param batch_start: number of the first structure of each one's batch.
        :param atom_ends: [m + 1] atoms up to each structure; so ``pair_ends``.
        """
        rows: dict[str, NDArray[np.int64]] = {
            "structures": structures,
            "place": index,
            "n_atoms": self.n_atoms[structures],
            "n_pairs": self.n_pairs[structures],
            "atom_shift": self.first_atom[structures] - atom_ends[:-1],
            "pair_shift": self.first_pair[structures] - pair_ends[:-1],
            "number": np.arange(len(structures)) - batch_start,
            "first_in_batch": atom_ends[:-1] - atom_ends[batch_start],
            "first_here": atom_ends[:-1],
            "pair_in_batch": pair_ends[:-1] - pair_ends[batch_start],
            "pair_here": pair_ends[:-1],
        }
        stacked = sent(torch.from_numpy(np.stack([*rows.values()])), self.lookup.device)
        return _Table(**dict(zip(rows, stacked, strict=True)))

    def _types(self, structures: NDArray[np.int64], graph: Graph) -> NDArray[np.int64]:
        """[n_atoms] on the host, of atoms that may be elsewhere."""
        if self._numbers is None:
            return graph.types.numpy()
        rows = spans(self.first_atom[structures], self.n_atoms[structures])
        types: NDArray[np.int64] = self._to_type[self._numbers[rows]]
        return types

    def _graph(
        self, table: _Table, n_atoms: int, n_pairs: int, width: int, turns: Tensor | None
    ) -> tuple[Graph, _Rows, _Rows]:
        """The graph, and rows of its atoms and pairs."""
        device = self.lookup.device
        owner = torch.repeat_interleave(table.n_atoms, output_size=n_atoms)
        atom_rows = table.atom_shift.index_select(0, owner)
        atom_rows += torch.arange(n_atoms, device=device)
        positions = self.rows["positions"].index_select(0, atom_rows)
        numbers = self.rows["numbers"].index_select(0, atom_rows)
        pbc = self.rows["pbc"].index_select(0, table.structures)
        cells = self.rows["cells"].index_select(0, table.structures) * pbc[:, :, None]
        if turns is not None:  # and with them the vectors of all pairs
            positions = turn_vectors(positions, turns, owner)
            cells = turn_cells(cells, turns)

        pair_owner = torch.repeat_interleave(table.n_pairs, output_size=n_pairs)
        pair_rows = table.pair_shift.index_select(0, pair_owner)
        pair_rows += torch.arange(n_pairs, device=device)
        first = table.first_here.index_select(0, pair_owner)
        centers = self.pairs.centers.index_select(0, pair_rows) + first
        neighbors = self.pairs.neighbors.index_select(0, pair_rows) + first
        vectors = positions.index_select(0, neighbors)
        vectors -= positions.index_select(0, centers)
        if self.pairs.shifts is not None:
            shifts = self.pairs.shifts.index_select(0, pair_rows).to(torch.float64)
            boxes = cells.index_select(0, pair_owner)
            # a matrix product for each pair is slow on GPUs
            moved = shifts[:, :1] * boxes[:, 0]
            moved.addcmul_(shifts[:, 1:2], boxes[:, 1]).addcmul_(shifts[:, 2:], boxes[:, 2])
            vectors += moved
        reverse = self._reverse(table, pair_rows, pair_owner, centers, neighbors)
        to_batch = (table.first_in_batch - table.first_here).index_select(0, pair_owner)
        graph = Graph(
            types=self.lookup.index_select(0, numbers.long()),
            system=table.number.index_select(0, owner),
            n_systems=len(table.structures),
            centers=centers + to_batch,
            neighbors=neighbors + to_batch,
            vectors=vectors.to(self.dtype),
            positions=positions.to(self.dtype),
            cells=cells.to(self.dtype),
            charges=state(self.rows, self.info, "charge", table.structures, 0.0),
            spins=state(self.rows, self.info, "spin_multiplicity", table.structures, 1.0),
            numbers=number_inputs(self.rows, self.info, table.structures, atom_rows),
            rows=None if reverse is None else rows_of(centers, reverse, n_atoms, width),
        )
        return graph, _Rows(atom_rows, owner), _Rows(pair_rows, pair_owner)

    def _reverse(
        self, table: _Table, rows: Tensor, owner: Tensor, centers: Tensor, neighbors: Tensor
    ) -> Tensor | None:
        """[P] int64, reverse pairs counted within their batch; None where a pair has none.

        :param rows: [P] of the pairs in the lists.
        :param owner: [P] structure of the pairs.
        :param centers: [P] counted through all batches; so ``neighbors``.
        """
        first = table.pair_in_batch.index_select(0, owner)
        if self.pairs.reverse is not None:
            return first + self.pairs.reverse.index_select(0, rows)
        if centers.device.type != "cpu":
            return None
        found = searched_reverse(centers, neighbors)
        return None if found is None else found + first - table.pair_here.index_select(0, owner)

    def _targets(
        self, structures: Tensor, atoms: _Rows, pairs: _Rows, turns: Tensor | None
    ) -> dict[str, Target]:
        targets = {}
        for name, info in self.info.targets.items():
            if info.per_pair:
                found = self.labels[name].index_select(0, pairs.rows)
                if turns is not None and not info.of_kind.is_invariant:
                    of_pair = turns.index_select(0, pairs.owner)
                    found = info.of_kind.rotated(found, of_pair)
                targets[name] = Target(found)
                continue
            values = self.rows[f"values:{name}"]
            forces, strain = None, None
            if info.has_forces:
                forces = self.rows[f"forces:{name}"].index_select(0, atoms.rows)
                if turns is not None:
                    forces = turn_forces(forces, info, turns, atoms.owner)
                forces = forces.to(self.dtype)
            if info.has_strain:
                strain = self.rows[f"strain:{name}"].index_select(0, structures)
                if turns is not None:
                    strain = turn_strain(strain, info, turns)
                strain = strain.to(self.dtype)
            values = values.index_select(0, atoms.rows if info.per_atom else structures)
            if turns is not None and not info.of_kind.is_invariant:
                of_row = turns.index_select(0, atoms.owner) if info.per_atom else turns
                values = info.of_kind.rotated(values, of_row)
            targets[name] = Target(values, forces, strain)
        return targets
