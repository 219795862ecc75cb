"""What a batch carries beside its structures, so that no model reads it back from a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.storage.pair_rows import are_opposite, reverse_of
from mtt.graph import Graph, PairRows


class Cuts(NamedTuple):
    """Numbers of structures, atoms and pairs of each of several batches, known on the host."""

    structures: list[int]
    atoms: list[int]
    pairs: list[int]
    widths: list[int]  # most neighbours of an atom
    counts: list[list[int]]  # atoms of each type


def rows_of(centers: Tensor, reverse: Tensor, n_atoms: int, width: int) -> PairRows:
    """Rows of neighbours of batches that follow one another.

    :param centers: [P] ascending, counted through all batches.
    :param reverse: see :class:`PairRows`, counted within each batch.
    :param width: of the longest row of all batches.
    """
    device = centers.device
    first = torch.searchsorted(centers, torch.arange(n_atoms, device=device))
    columns = torch.arange(len(centers), device=device) - first.index_select(0, centers)
    return PairRows(reverse, columns, width)


def searched_reverse(centers: Tensor, neighbors: Tensor) -> Tensor | None:
    """[P] int64, reverse pairs of lists that were stored without them; None where one lacks its
    counterpart. All counted through the batches.

    :param centers: on the host; so ``neighbors``.
    """
    ours, theirs = centers.numpy(), neighbors.numpy()
    found = reverse_of(ours, theirs)
    return torch.from_numpy(found) if are_opposite(ours, theirs, None, found) else None


def widest(widths: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[int]:
    """The largest of the ``widths`` of each batch's structures; 0 without any.

    :param sizes: structures of each batch.
    """
    found = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(found, np.repeat(np.arange(len(sizes)), sizes), widths)
    widest: list[int] = found.tolist()
    return widest


def type_counts(
    types: NDArray[np.int64], n_types: int, atoms: NDArray[np.int64]
) -> list[list[int]]:
    """Atoms of each type, for each batch.

    :param types: [n_atoms] of all batches.
    :param atoms: of each batch.
    """
    shape = len(atoms), n_types
    batch = np.repeat(np.arange(len(atoms)), atoms)
    counts = np.bincount(batch * n_types + types, minlength=shape[0] * n_types)
    found: list[list[int]] = counts.reshape(shape).tolist()
    return found


def changed(graph: Graph, change: Callable[[Tensor], Tensor]) -> Graph:
    """``graph`` with every tensor changed."""
    parts: dict[str, Any] = {
        name: change(part) for name, part in graph._asdict().items() if isinstance(part, Tensor)
    }
    rows, prepared, numbers = graph.rows, graph.prepared, graph.numbers
    if rows is not None:
        parts["rows"] = PairRows(change(rows.reverse), change(rows.columns), rows.width)
    if numbers is not None:
        parts["numbers"] = {name: change(values) for name, values in numbers.items()}
    if prepared is not None:
        parts["prepared"] = [change(table) for table in prepared]
    return graph._replace(**parts)


def cut_rows(
    rows: PairRows | None, pairs: Sequence[int], widths: Sequence[int]
) -> Iterator[PairRows | None]:
    """The rows of each batch.

    :param pairs: of each batch; so ``widths``.
    """
    if rows is None:
        return repeat(None, len(pairs))
    parts = rows.reverse.split(list(pairs)), rows.columns.split(list(pairs))
    return map(PairRows, *parts, widths)
