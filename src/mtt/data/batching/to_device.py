"""Columns in one piece where batches are gathered: on the GPU, if they fit."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.batching.rows import searched_reverse
from mtt.data.info import DatasetInfo
from mtt.data.storage.columns import Columns, Sources, layout, spans
from mtt.data.storage.pair_labels import pair_targets
from mtt.data.storage.pairs import Pairs
from mtt.stopping import stop_if_asked

_SHARE = 4  # the data may take one part in four of the memory that is free


def fits(info: DatasetInfo, n_atoms: int, n_structures: int, n_pairs: int, free: int) -> bool:
    """Whether staged columns leave most of ``free`` bytes to the training."""
    needed = n_pairs * (4 + 4 + 4 + 3 * 2)
    needed += sum(n_pairs * math.prod(shape) * 8 for shape in pair_targets(info).values())
    for spec in layout(info).values():
        rows = n_atoms if spec.per_atom else n_structures
        needed += rows * int(np.prod(spec.tail)) * np.dtype(spec.dtype).itemsize
    return needed * _SHARE <= free


def sent(table: Tensor, device: torch.device) -> Tensor:
    """Copy a small table to ``device``; the host does not wait for a GPU."""
    if device.type == "cuda":
        table = table.pin_memory()
    return table.to(device, non_blocking=True)


def stage(
    columns: Columns,
    pairs: Pairs,
    structures: NDArray[np.int64],
    info: DatasetInfo,
    device: torch.device,
) -> tuple[Columns, Pairs]:
    """``structures`` alone, in this order, copied to ``device``."""
    rows = {}
    for name, spec in layout(info).items():
        stop_if_asked()
        rows[name] = columns.take(name, structures, per_atom=spec.per_atom).to(device)
        columns.release()
    offsets = np.concatenate([[0], columns.n_atoms[structures].cumsum()])
    staged = Columns(offsets, rows, Sources.of([]))

    n_pairs = pairs.n_pairs[structures]
    which = torch.from_numpy(spans(pairs.offsets[structures], n_pairs))
    reverse = _reverse(pairs, n_pairs, which)
    lists = Pairs(
        np.concatenate([[0], n_pairs.cumsum()]),
        pairs.centers.index_select(0, which).to(device),
        pairs.neighbors.index_select(0, which).to(device),
        None if pairs.shifts is None else pairs.shifts.index_select(0, which).to(device),
        pairs.widths[structures],
        None if reverse is None else reverse.to(device),
    )
    columns.release()
    return staged, lists


def stage_labels(
    labels: Mapping[str, Tensor],
    pairs: Pairs,
    structures: NDArray[np.int64],
    device: torch.device,
) -> dict[str, Tensor]:
    """Labels of the pairs of ``structures`` alone, in this order, copied to ``device``.

    :param labels: of targets of pairs, [P, *shape] of all ``pairs``, by target.
    """
    which = torch.from_numpy(spans(pairs.offsets[structures], pairs.n_pairs[structures]))
    return {name: one.index_select(0, which).to(device) for name, one in labels.items()}


def _reverse(pairs: Pairs, n_pairs: NDArray[np.int64], which: Tensor) -> Tensor | None:
    """[P] int32 of the pairs ``which``, stored or searched; None if a pair has none."""
    if pairs.reverse is not None:
        return pairs.reverse.index_select(0, which)
    structure = torch.from_numpy(np.repeat(np.arange(len(n_pairs)), n_pairs))
    both = [side.index_select(0, which).long() for side in (pairs.centers, pairs.neighbors)]
    most = max((int(side.max()) for side in both if len(side)), default=0) + 1
    found = searched_reverse(*(side + structure * most for side in both))
    if found is None:
        return None
    first = torch.from_numpy(n_pairs.cumsum() - n_pairs)
    return (found - first.index_select(0, structure)).to(torch.int32)
