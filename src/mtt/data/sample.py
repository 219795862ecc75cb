"""One structure as metatomic and metatensor values, for architectures with their own loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import System
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.data.storage.columns import Columns
from mtt.data.storage.pair_labels import PairLabels
from mtt.data.storage.pairs import Pairs
from mtt.data.tensor_maps import target_map
from mtt.graph import Target

_PAIR = ["first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"]
_XYZ = Labels("xyz", torch.arange(3).reshape(3, 1))
_DISTANCE = Labels("distance", torch.tensor([[0]]))


class Sample(Mapping[str, TensorMap]):
    """One structure of a data set.

    ``sample.system`` is a ``metatomic.torch.System`` in float64 with the neighbour lists
    that were asked for; ``sample["energy"]`` the labels of a target (or extra data) as a
    ``TensorMap``, also ``sample.energy`` where the name allows. Missing labels are NaN.
    """

    def __init__(self, system: System, labels: Mapping[str, TensorMap]) -> None:
        self.system = system
        self._labels = dict(labels)

    def __getitem__(self, name: str) -> TensorMap:
        return self._labels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __getattr__(self, name: str) -> TensorMap:
        labels = self.__dict__.get("_labels", {})
        if name not in labels:
            raise AttributeError(f"a sample has {', '.join(['system', *labels])}, not {name!r}")
        return labels[name]


def system_of(columns: Columns, structure: int) -> System:
    """The structure as a System in float64; cell vectors of axes without period are zero."""
    which = np.array([structure])
    pbc = columns.take("pbc", which, per_atom=False)[0]
    return System(
        types=columns.take("numbers", which, per_atom=True).to(torch.int32),
        positions=columns.take("positions", which, per_atom=True),
        cell=columns.take("cells", which, per_atom=False)[0] * pbc[:, None],
        pbc=pbc,
    )


def pair_block(system: System, pairs: Pairs, structure: int, full_list: bool) -> TensorBlock:
    """The neighbour list of one structure as metatomic wants it.

    A half list holds every pair once: with the smaller atom first, and images of an atom
    itself with the first shift that is not zero positive.
    """
    rows = torch.arange(int(pairs.offsets[structure]), int(pairs.offsets[structure + 1]))
    first = pairs.centers.index_select(0, rows)
    second = pairs.neighbors.index_select(0, rows)
    if pairs.shifts is None:
        shifts = torch.zeros((len(rows), 3), dtype=torch.int32)
    else:
        shifts = pairs.shifts.index_select(0, rows).to(torch.int32)
    if not full_list:
        keep = (first < second) | ((first == second) & _positive(shifts))
        first, second, shifts = first[keep], second[keep], shifts[keep]
    positions = system.positions
    vectors = positions[second.long()] - positions[first.long()]
    vectors = vectors + shifts.to(torch.float64) @ system.cell
    samples = torch.cat([first[:, None], second[:, None], shifts], dim=1)
    return TensorBlock(
        values=vectors[:, :, None],
        samples=Labels(_PAIR, samples, assume_unique=True),
        components=[_XYZ],
        properties=_DISTANCE,
    )


def tensor_map(
    name: str,
    info: TargetInfo,
    labels: Target,
    structure: int,
    types: Tensor | None = None,
    of_pairs: PairLabels | None = None,
) -> TensorMap:
    """The labels of one structure, see :func:`mtt.data.tensor_maps.target_map`.

    :param structure: number of the structure in its data set, the label ``system``.
    :param types: [n_atoms] atomic numbers, needed where blocks are of elements.
    :param of_pairs: what the labels of a target of pairs are of.
    """
    n_atoms = len(labels.values) if info.per_atom else 0 if types is None else len(types)
    n_atoms = n_atoms if labels.forces is None else len(labels.forces)
    of = (torch.tensor([structure]), torch.tensor([n_atoms]))
    pairs = None if of_pairs is None else of_pairs.samples()
    return target_map(name, info, labels, *of, types, pairs)


def _positive(shifts: Tensor) -> Tensor:
    """[P] whether the first number of each shift that is not zero is positive."""
    a, b, c = shifts.sign().unbind(1)
    return 4 * a + 2 * b + c > 0
