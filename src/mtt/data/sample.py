"""One structure as metatomic and metatensor values, for architectures with their own loop."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import System
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.data.storage.columns import Columns
from mtt.data.storage.pairs import Pairs
from mtt.data.target_kind import Axis
from mtt.graph import Target

_PAIR = ["first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"]
_XYZ, _XYZ_1, _XYZ_2 = (
    Labels(name, torch.arange(3).reshape(3, 1)) for name in ("xyz", "xyz_1", "xyz_2")
)
_DISTANCE, _ONE_SAMPLE = (Labels(name, torch.tensor([[0]])) for name in ("distance", "sample"))


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
    name: str, info: TargetInfo, labels: Target, structure: int, types: Tensor | None = None
) -> TensorMap:
    """The labels of one structure.

    Values have samples ``system`` (and ``atom``) and the blocks of their kind; of gradients
    ``positions`` is minus the forces, ``strain`` as in :class:`mtt.graph.Target`.

    :param structure: number of the structure in its data set, the label ``system``.
    :param types: [n_atoms] atomic numbers, needed where blocks are of elements.
    """
    n = len(labels.values)
    if info.per_atom:
        numbers = torch.stack([torch.full((n,), structure), torch.arange(n)], dim=1)
        samples = Labels(["system", "atom"], numbers)
    else:
        samples = Labels("system", torch.tensor([[structure]]))
    properties = Labels(_property(name, info), torch.arange(info.properties).reshape(-1, 1))
    kind = info.of_kind
    blocks = _blocks(name, info, labels.values, samples, types)
    block = blocks[0]
    if labels.forces is not None:
        n_atoms = len(labels.forces)
        atoms = torch.tensor([0, structure, 0]).repeat(n_atoms, 1)
        atoms[:, 2] = torch.arange(n_atoms)
        block.add_gradient(
            "positions",
            TensorBlock(
                -labels.forces[:, :, None],
                Labels(["sample", "system", "atom"], atoms, assume_unique=True),
                [_XYZ],
                properties,
            ),
        )
    if labels.strain is not None:
        block.add_gradient(
            "strain",
            TensorBlock(
                labels.strain[:, :, :, None],
                _ONE_SAMPLE,
                [_XYZ_1, _XYZ_2],
                properties,
            ),
        )
    keys = torch.tensor([own.key for own in kind.blocks])
    return TensorMap(Labels(list(kind.key_names), keys), blocks)


def _blocks(
    name: str, info: TargetInfo, values: Tensor, samples: Labels, types: Tensor | None
) -> list[TensorBlock]:
    """The blocks of the kind, those of an element with its atoms alone."""
    blocks = []
    for part, own in zip(info.of_kind.split(values), info.of_kind.blocks, strict=True):
        rows, named = samples, own.properties(_property(name, info), info.properties)
        if own.element:
            assert types is not None, "blocks of elements need the elements of the atoms"
            chosen = torch.nonzero(types == own.element)[:, 0]
            part, rows = part[chosen], Labels(samples.names, samples.values[chosen])
        labelled = Labels(list(named.names), torch.tensor(named.labels))
        blocks.append(TensorBlock(part, rows, [_axis(axis) for axis in own.axes], labelled))
    return blocks


def _axis(axis: Axis) -> Labels:
    return Labels(axis.name, torch.tensor(axis.labels).reshape(-1, 1))


def _property(name: str, info: TargetInfo) -> str:
    """Name of the property axis: that of the target, as far as metatensor allows it."""
    if info.quantity == "energy":
        return "energy"
    return re.sub(r"\W", "_", name.removeprefix("mtt::"))


def _positive(shifts: Tensor) -> Tensor:
    """[P] whether the first number of each shift that is not zero is positive."""
    a, b, c = shifts.sign().unbind(1)
    return 4 * a + 2 * b + c > 0
