"""Values of one target as a metatensor ``TensorMap``; compiled by TorchScript like its callers."""

import math
from itertools import accumulate
from typing import List, Optional, Tuple

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from torch import Tensor

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.mlip.aggregation.pool import pooled

Layout = Tuple[List[str], List[List[int]], List[List[str]], List[List[List[int]]]]
"""Names of the keys; then of every block the key, and the names and labels of its axes: those of
the components, and the property last. Plain lists, none of which is empty: TorchScript knows the
types of such attributes."""


def layout_of(name: str, info: TargetInfo) -> Layout:
    """The blocks of a target; ``mtt::x`` and ``x/variant`` have the property ``x``."""
    kind = info.of_kind
    prop = (name.split("::")[-1].split("/")[0], tuple(range(info.properties)))
    axes = [[*block.axes, prop] for block in kind.blocks]
    return (
        list(kind.key_names),
        [list(block.key) for block in kind.blocks],
        [[axis[0] for axis in block] for block in axes],
        [[list(axis[1]) for axis in block] for block in axes],
    )


def ends_of(info: DatasetInfo) -> List[int]:
    """Where the numbers of each target end, with those of all targets side by side."""
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


def tensor_map(values: Tensor, samples: Labels, layout: Layout) -> TensorMap:
    """``values`` [n, *components, properties] with the blocks and labels of their kind.

    Components of several blocks are concatenated along one axis.
    """
    key_names, keys, names, labels = layout
    blocks: List[TensorBlock] = []
    start = 0
    for i in range(len(keys)):
        axes: List[Labels] = []
        shape = [values.shape[0]]
        size = 1
        for k in range(len(names[i])):
            axes.append(Labels([names[i][k]], _column(labels[i][k], values.device)))
            shape.append(len(labels[i][k]))
            if k + 1 < len(names[i]):
                size = size * len(labels[i][k])
        part = values
        if len(keys) > 1:
            part = values[:, start : start + size]
            start += size
        block = TensorBlock(part.reshape(shape), samples, axes[:-1], axes[-1])
        blocks.append(block)
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
