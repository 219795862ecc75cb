"""Pairs of atoms of a structure, and the same ones of a copy that was changed."""

from __future__ import annotations

from typing import NamedTuple

import ase
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data import Dataset
from mtt.data.batching.pairs import PairRows
from mtt.testing.subject import Subject


class Pairs(NamedTuple):
    """The pairs that predictions of pairs are of, in their order."""

    first: NDArray[np.int64]  # [P]
    second: NDArray[np.int64]  # [P]
    vectors: NDArray[np.float64]  # [P, 3]


def pairs_of(subject: Subject, structure: ase.Atoms) -> Pairs:
    """Within the largest cutoff of the neighbour lists that the model asks for."""
    data: Dataset = subject.dataset([structure])
    model = subject.model()
    radii = [
        one.engine_cutoff(subject.info.length_unit) for one in model.requested_neighbor_lists()
    ]
    samples = PairRows(data, float(max(radii))).samples(torch.tensor([0])).numpy()
    first, second, shifts = samples[:, 1], samples[:, 2], samples[:, 3:]
    vectors = structure.positions[second] - structure.positions[first]
    return Pairs(first, second, vectors + shifts @ structure.cell.array)


def rows_in(
    before: Pairs, after: Pairs, order: NDArray[np.int64] | None = None, *, sign: float = 1.0
) -> Tensor:
    """[P] row of ``before`` of each pair of ``after``.

    :param order: number in ``before`` of each atom of ``after``; None: the same.
    :param sign: of the vectors.
    """
    first, second = after.first, after.second
    if order is not None:
        first, second = order[first], order[second]
    same = (before.first == first[:, None]) & (before.second == second[:, None])
    apart = np.linalg.norm(before.vectors - sign * after.vectors[:, None], axis=2)
    return torch.from_numpy(np.where(same, apart, np.inf).argmin(axis=1))


def other_ends(pairs: Pairs) -> Tensor:
    """[P] row of each pair seen from its other end."""
    return rows_in(pairs, Pairs(pairs.second, pairs.first, pairs.vectors), sign=-1.0)
