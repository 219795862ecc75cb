"""Pairs of atoms of a data set: what predictions and labels of pairs are of, in which order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from metatensor.torch import TensorMap
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.dataset import Dataset
from mtt.data.info import TargetInfo
from mtt.data.storage.columns import spans
from mtt.data.storage.pair_labels import aligned, pair_targets
from mtt.data.storage.pairs import Pairs
from mtt.data.tensor_maps import PAIR
from mtt.errors import ArchitectureError


def labels_in(dataset: Dataset, lists: Pairs) -> dict[str, Tensor]:
    """[P, *shape] float64 of each target of pairs, NaN where a pair of ``lists`` has no label.

    :param lists: of all structures of ``dataset.columns``.
    """
    return {
        name: aligned(dataset.columns.labels_of_pairs(name, shape), lists)
        for name, shape in pair_targets(dataset.info).items()
    }


class PairRows:
    """The pairs within ``cutoff`` of each structure of ``dataset``, in the order of the lists."""

    def __init__(self, dataset: Dataset, cutoff: float) -> None:
        self._structures, self._lists = dataset.structures, dataset.pairs(cutoff)
        self._labels = labels_in(dataset, self._lists)

    def counts(self, index: Tensor) -> Tensor:
        """[n] int64, pairs of each of the structures ``index``."""
        chosen = self._structures[index.cpu().numpy()]
        return torch.from_numpy(self._lists.n_pairs[chosen])

    def samples(self, index: Tensor) -> Tensor:
        """[P, 6] int64: place of the structure in ``index``, both atoms, and the shifts."""
        chosen, rows = self._rows(index)
        n_pairs = self._lists.n_pairs[chosen]
        columns = torch.zeros(len(rows), 6, dtype=torch.int64)
        columns[:, 0] = torch.from_numpy(np.repeat(np.arange(len(chosen)), n_pairs))
        columns[:, 1] = self._lists.centers.index_select(0, rows)
        columns[:, 2] = self._lists.neighbors.index_select(0, rows)
        if self._lists.shifts is not None:
            columns[:, 3:] = self._lists.shifts.index_select(0, rows)
        return columns

    def labels(self, name: str, index: Tensor) -> Tensor:
        """[P, *shape] float64 of the target ``name``, NaN where a pair has no label."""
        return self._labels[name].index_select(0, self._rows(index)[1])

    def _rows(self, index: Tensor) -> tuple[NDArray[np.int64], Tensor]:
        chosen = self._structures[index.cpu().numpy()]
        rows = spans(self._lists.offsets[chosen], self._lists.n_pairs[chosen])
        return chosen, torch.from_numpy(rows)


def values_of_pairs(name: str, tensor: TensorMap, target: TargetInfo, pairs: Tensor) -> Tensor:
    """Values [P, *shape] in the order of ``pairs`` [P, 6] from what a model gave, on its device.

    Zero where a pair has no part in a block of two elements, NaN where the model gave none at all.

    :raises ArchitectureError: samples, keys or components are other ones.
    """
    kind = target.of_kind
    names = list(kind.key_names)
    keys = {tuple(row): i for i, row in enumerate(tensor.keys.values.tolist())}
    if list(tensor.keys.names) != names or any(tuple(b.key) not in keys for b in kind.blocks):
        what = f"the model gave {name!r} without all blocks ({', '.join(names)}) of its kind"
        raise ArchitectureError(what)
    given = torch.zeros(len(pairs), dtype=torch.bool, device=pairs.device)
    rows = []
    for own in kind.blocks:
        block = tensor.block(keys[tuple(own.key)])
        if list(block.samples.names) != list(PAIR):
            what = f"the model gave {name!r} with samples {', '.join(block.samples.names)}"
            raise ArchitectureError(f"{what}, not {', '.join(PAIR)}")
        places, found = _places(block.samples.values.to(torch.int64), pairs)
        values = block.values.flatten(1)
        filled = values.new_zeros(len(pairs), values.shape[1])
        rows.append(filled.index_copy(0, places, values.index_select(0, found)))
        given[places] = True
    values = kind.joined(rows)
    missing = ~given.reshape(-1, *[1] * (values.dim() - 1))
    return values.masked_fill(missing, torch.nan)


def _places(samples: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of ``pairs``, and the rows of ``samples`` that are the same."""
    both = torch.cat([pairs.to(samples.device), samples])
    _, inverse = torch.unique(both, dim=0, return_inverse=True)
    here, there = inverse[: len(pairs)], inverse[len(pairs) :]
    row_of = torch.full((int(inverse.max()) + 1,) if len(both) else (0,), -1, device=here.device)
    row_of[here] = torch.arange(len(pairs), device=here.device)
    places = row_of[there]
    found = torch.nonzero(places >= 0)[:, 0]
    return places[found], found


def n_rows(info: TargetInfo, n_atoms: Sequence[int], n_pairs: Sequence[int]) -> list[int]:
    """Rows of the values of a target that each structure has."""
    if info.per_structure:
        return [1] * len(n_atoms)
    return list(n_atoms if info.per_atom else n_pairs)
