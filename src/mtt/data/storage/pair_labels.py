"""Labels of pairs of atoms, and their places in neighbour lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.storage.pairs import Pairs
from mtt.data.storage.pieces import join_offsets

if TYPE_CHECKING:
    from mtt.data.info import DatasetInfo


@dataclass(eq=False)
class PairLabels:
    """Values of one target for some pairs of each structure.

    :param offsets: [n + 1] int64; those of structure i are rows offsets[i]:offsets[i + 1].
    :param pairs: [L, 5] int32, first and second atom within the structure, and the cell vectors
        that are added to the second one; each pair of a structure once.
    :param values: [L, *shape] float64.
    """

    offsets: NDArray[np.int64]
    pairs: NDArray[np.int32]
    values: Tensor

    @classmethod
    def none(cls, n: int, shape: Sequence[int]) -> PairLabels:
        """Of ``n`` structures without labels."""
        values = torch.zeros(0, *shape, dtype=torch.float64)
        return cls(np.zeros(n + 1, np.int64), np.zeros((0, 5), np.int32), values)

    def content(self) -> bytes:
        """All of it, for a digest."""
        arrays = np.diff(self.offsets), self.pairs, self.values.numpy()
        return b"".join(array.tobytes() for array in arrays)

    def samples(self) -> Tensor:
        """[L, 6] int64, number of the structure, both atoms, and the shifts."""
        owner = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return torch.from_numpy(np.insert(self.pairs.astype(np.int64), 0, owner, axis=1))

    def rows(self, structures: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of ``structures``, one after the other."""
        lengths = np.diff(self.offsets)[structures]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        starts = self.offsets[structures] - (ends - lengths)
        found: NDArray[np.int64] = np.arange(total) + np.repeat(starts, lengths)
        return found

    def of(self, structures: NDArray[np.int64]) -> PairLabels:
        """Those of ``structures``, in that order."""
        rows = self.rows(structures)
        lengths = np.diff(self.offsets)[structures]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return PairLabels(offsets, self.pairs[rows], self.values[torch.from_numpy(rows)])


def joined_labels(parts: Sequence[PairLabels]) -> PairLabels:
    """Those of several data sets, one after the other."""
    return PairLabels(
        join_offsets([part.offsets for part in parts]),
        np.concatenate([part.pairs for part in parts]),
        torch.cat([part.values for part in parts]),
    )


def pair_targets(info: DatasetInfo) -> dict[str, tuple[int, ...]]:
    """Name to shape of a sample of the targets of pairs."""
    return {name: one.shape for name, one in info.targets.items() if one.per_pair}


def in_lists(labels: PairLabels, lists: Pairs) -> NDArray[np.int64]:
    """[L] row of each label's pair in ``lists``; -1 where it is not in them."""
    n_pairs, n_labels = int(lists.offsets[-1]), len(labels.pairs)
    both = np.zeros((n_pairs + n_labels, 6), dtype=np.int64)
    both[:n_pairs, 0] = np.repeat(np.arange(len(lists.n_pairs)), lists.n_pairs)
    every = torch.arange(n_pairs)
    both[:n_pairs, 1] = lists.centers.index_select(0, every).numpy()
    both[:n_pairs, 2] = lists.neighbors.index_select(0, every).numpy()
    if lists.shifts is not None:
        both[:n_pairs, 3:] = lists.shifts.index_select(0, every).numpy()
    both[n_pairs:, 0] = np.repeat(np.arange(len(labels.offsets) - 1), np.diff(labels.offsets))
    both[n_pairs:, 1:] = labels.pairs
    # stable: a label comes right after the same pair of the list
    order = np.lexsort(both.T[::-1])
    same = np.zeros(len(both), dtype=bool)
    same[1:] = (np.diff(both[order], axis=0) == 0).all(axis=1)
    places = np.flatnonzero(same)
    found = np.full(n_labels, -1, dtype=np.int64)
    found[order[places] - n_pairs] = order[places - 1]
    return found


def aligned(labels: PairLabels, lists: Pairs) -> Tensor:
    """[P, *shape] float64, of every pair of ``lists``; NaN where it has no label.

    Labels of pairs that are not in the lists are left out: see
    :func:`mtt.data.batching.pair_distances.check_pairs`, which refuses them.
    """
    rows = in_lists(labels, lists)
    values = torch.full((int(lists.offsets[-1]), *labels.values.shape[1:]), torch.nan)
    values = values.to(torch.float64)
    there = np.flatnonzero(rows >= 0)
    values[torch.from_numpy(rows[there])] = labels.values[torch.from_numpy(there)]
    return values


def stacked(frames: Sequence[Mapping[str, Any]], name: str, shape: Sequence[int]) -> PairLabels:
    """The labels of ``frames``, each a mapping from target to ``FrameLabels``."""
    parts = []
    for labels in frames:
        one = labels.get(name)
        if one is None or one.pairs is None:
            parts.append(PairLabels.none(1, shape))
        else:
            offsets = np.array([0, len(one.pairs)], dtype=np.int64)
            values = torch.from_numpy(np.asarray(one.values, dtype=np.float64))
            pairs = np.asarray(one.pairs, dtype=np.int32)
            parts.append(PairLabels(offsets, pairs, values.reshape(len(pairs), *shape)))
    return joined_labels(parts)
