"""Pairs laid out as rows of neighbours, so that sums over neighbours are matrix products."""

from typing import List, NamedTuple, Optional

import torch
from torch import Tensor

from mtt.graph import PairRows


class Neighborhoods(NamedTuple):
    """The place of each pair in a table with one row per atom, padded to the longest row."""

    slots: Tensor  # [P] int64, row · width + column; no two pairs share a slot
    n_rows: int
    width: int  # neighbours in the longest row, 0 where there are no pairs


def neighborhoods(
    centers: Tensor, row_of_atom: Tensor, known: Optional[PairRows] = None
) -> Neighborhoods:
    """Arrange pairs that are sorted by centre in a dense layout.

    :param centers: [P] int64, ascending.
    :param row_of_atom: [n_atoms] int64, a permutation: the row that each atom gets.
    :param known: ``graph.rows``; without it the width is read from the device.
    """
    n_atoms = row_of_atom.shape[0]
    if known is not None:
        slots = row_of_atom[centers] * known.width + known.columns
        return Neighborhoods(slots, n_atoms, known.width)
    counts = torch.bincount(centers, minlength=n_atoms)
    width = int(counts.max()) if centers.shape[0] > 0 else 0
    first = counts.cumsum(0) - counts
    columns = torch.arange(centers.shape[0], device=centers.device) - first[centers]
    return Neighborhoods(row_of_atom[centers] * width + columns, n_atoms, width)


def layout_tensors(layout: Neighborhoods) -> List[Tensor]:
    """``layout`` as two tensors, for :meth:`mtt.MLIPModel.prepare`; sizes are those of the second.

    :return: slots [P] int64, and nothing [n_rows, width, 0].
    """
    return [layout.slots, layout.slots.new_empty([layout.n_rows, layout.width, 0])]


def layout_of(tensors: List[Tensor]) -> Neighborhoods:
    """The layout back from what :func:`layout_tensors` returned."""
    return Neighborhoods(tensors[0], tensors[1].shape[0], tensors[1].shape[1])


def lay_out(values: Tensor, layout: Neighborhoods, fill: float) -> Tensor:
    """Values of pairs [P, F] as a flat table [n_rows · width, F]; ``fill`` in empty slots.

    Slots are unique, so that no sum is hidden in it or in its derivatives: results do not
    depend on the order of threads, on a GPU either.
    """
    shape = [layout.n_rows * layout.width, values.shape[1]]
    empty = torch.full(shape, fill, dtype=values.dtype, device=values.device)
    return empty.index_copy(0, layout.slots, values)
