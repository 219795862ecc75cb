"""Values of one target as a metatensor ``TensorMap``; compiled by TorchScript like its callers."""

import math
from itertools import accumulate
from typing import Dict, List, Optional, Tuple

import numpy as np
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from torch import Tensor

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.mlip.aggregation.pool import pooled

Layout = Tuple[
    List[str], List[List[int]], List[List[str]], List[List[List[int]]], List[int], List[int]
]
"""Names of the keys; then of every block the key, the names and labels of its axes (those of the
components, and the properties last, whose several names have a comma between them and whose labels
follow one another), and the type of the atoms that have it, -1 for all, and of pairs that of the
second atom. Plain lists, none of which is empty: TorchScript knows the types of such attributes."""

_ALL, _NONE = -1, -2


def layouts_of(info: DatasetInfo) -> Dict[str, Layout]:
    """The blocks of every target; ``mtt::x`` and ``x/variant`` have the property ``x``."""
    types = {0: _ALL, **{int(z): i for i, z in enumerate(info.atomic_types)}}
    return {name: _layout_of(name, target, types) for name, target in info.targets.items()}


def _layout_of(name: str, info: TargetInfo, types: Dict[int, int]) -> Layout:
    kind = info.of_kind
    name = name.split("::")[-1].split("/")[0]
    names: List[List[str]] = []
    labels: List[List[List[int]]] = []
    for block in kind.blocks:
        properties = block.properties(name, info.properties)
        names.append([*(axis.name for axis in block.axes), ",".join(properties.names)])
        own = [label for row in properties.labels for label in row]
        labels.append([*(list(axis.labels) for axis in block.axes), own])
    keys = [list(block.key) for block in kind.blocks]
    elements = [types.get(block.element, _NONE) for block in kind.blocks]
    seconds = [types.get(block.second, _NONE) for block in kind.blocks]
    return list(kind.key_names), keys, names, labels, elements, seconds


def own_numbers(info: DatasetInfo) -> Tensor:
    """[n_types, Σ numbers of a sample] bool, those that atoms of each element have.

    [0, 0] where every atom has all of them.
    """
    kinds = [target.of_kind for target in info.targets.values()]
    if not any(kind.elements for kind in kinds):
        return torch.zeros(0, 0, dtype=torch.bool)
    numbers = np.array(info.atomic_types, dtype=np.int64)
    parts = [
        torch.from_numpy(target.of_kind.own(numbers)).repeat_interleave(target.properties, dim=1)
        for target in info.targets.values()
    ]
    return torch.cat(parts, dim=1)


def ends_of(info: DatasetInfo) -> List[int]:
    """Where the numbers of each target end, with those of all targets side by side.

    So they are in the table of the composition, [n_types, Σ numbers of a sample].
    """
    return list(accumulate(math.prod(target.shape) for target in info.targets.values()))


def of_samples(
    atomic: Tensor,
    samples: Tensor,
    selected: Optional[Tensor],
    pooling: str,
    n_systems: int,
) -> Tuple[Tensor, Labels]:
    """Values of the atoms, or of structures by ``pooling``, and what they are of.

    A structure without atoms has the value zero.

    :param atomic: [n_atoms, *components, properties] values of the atoms.
    :param samples: [n_atoms, 2] int32, structure and atom of each row.
    :param selected: [n_atoms] bool, the atoms that count; None for all. Structures without
        a selected atom are left out.
    :param pooling: ``"atom"`` for values of atoms, else over the atoms that count: see
        :func:`mtt.mlip.aggregation.pool.pooled`.
    :param n_systems: number of structures.
    """
    if selected is not None:
        atomic, samples = atomic[selected], samples[selected]
    if pooling == "atom":
        return atomic, Labels(["system", "atom"], samples)
    systems = torch.arange(n_systems, dtype=torch.int32, device=samples.device)
    of_atom = samples[:, 0].to(torch.long)
    if selected is not None:
        systems, of_atom = torch.unique_consecutive(samples[:, 0], return_inverse=True)
    values = pooled(atomic, of_atom, systems.shape[0], pooling)
    return values, Labels(["system"], systems[:, None])


def tensor_map(
    values: Tensor,
    samples: Labels,
    layout: Layout,
    types: Optional[Tensor] = None,
    others: Optional[Tensor] = None,
) -> TensorMap:
    """``values`` [n, *components, properties] with the blocks and labels of their kind.

    Components of several blocks are concatenated along one axis.

    :param types: [n] int64 element of each sample, an atom; needed where blocks are of elements.
    :param others: [n] int64, of pairs that of the second atom.
    """
    key_names, keys, names, labels, elements, seconds = layout
    blocks: List[TensorBlock] = []
    start = 0
    for i in range(len(keys)):
        axes: List[Labels] = []
        shape = [-1]
        size = 1
        for k in range(len(names[i])):
            of_axis = names[i][k].split(",")
            column = _column(labels[i][k], values.device)
            axes.append(Labels(of_axis, column.reshape(-1, len(of_axis))))
            shape.append(len(labels[i][k]) // len(of_axis))
            size = size * shape[-1]
        part, rows = values, samples
        if len(keys) > 1:
            end = start + size // values.shape[-1]
            part = values[:, start:end]
            start = end
        if elements[i] != -1:
            assert types is not None, "blocks of elements need the elements of the atoms"
            these = types == elements[i]
            if others is not None:
                these = these & (others == seconds[i])
            chosen = torch.nonzero(these)[:, 0]
            part = part.index_select(0, chosen)
            rows = Labels(samples.names, samples.values.index_select(0, chosen))
        shape[0] = part.shape[0]
        blocks.append(TensorBlock(part.reshape(shape), rows, axes[:-1], axes[-1]))
    columns: List[Tensor] = []
    for k in range(len(key_names)):
        columns.append(_column([key[k] for key in keys], values.device))
    return TensorMap(keys=Labels(key_names, torch.cat(columns, dim=1)), blocks=blocks)


def _column(numbers: List[int], device: torch.device) -> Tensor:
    """[n, 1] int32."""
    first, n = numbers[0], len(numbers)
    consecutive = True
    for i in range(n):
        consecutive = consecutive and numbers[i] == first + i
    if consecutive:  # made on the device, which need not be waited for
        return torch.arange(first, first + n, dtype=torch.int32, device=device)[:, None]
    return torch.tensor(numbers, dtype=torch.int32, device=device)[:, None]
