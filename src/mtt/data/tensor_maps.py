"""Labels or predictions of a target as a ``TensorMap``, for one structure or many."""

from __future__ import annotations

import re

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.data.target_kind import Axis
from mtt.graph import Target


def target_map(
    name: str,
    info: TargetInfo,
    target: Target,
    structures: Tensor,
    n_atoms: Tensor,
    types: Tensor | None = None,
) -> TensorMap:
    """The blocks of the target's kind, with gradients where ``target`` has derivatives.

    Values have samples ``system`` (and ``atom``). Gradients are derivatives of the values, in each
    block: ``positions`` is minus the forces of an energy, ``strain`` as in
    :class:`mtt.graph.Target`. Their first components are ``xyz``, or ``xyz_1`` and ``xyz_2``; of
    targets with components, which may have these names, ``displacement``, or ``strain_1`` and
    ``strain_2``.

    :param structures: [m] int64, numbers of the structures, the labels ``system``.
    :param n_atoms: [m] int64, of each of them.
    :param types: [n] atomic numbers of all atoms, needed where blocks are of elements.
    """
    owner = torch.repeat_interleave(torch.arange(len(structures)), n_atoms)
    atom = torch.arange(len(owner)) - (n_atoms.cumsum(0) - n_atoms)[owner]
    if info.per_atom:
        samples = _labels(["system", "atom"], structures[owner], atom)
    else:
        samples = _labels(["system"], structures)
    kind = info.of_kind
    blocks = _blocks(name, info, target.values, samples, types)
    if target.forces is not None:
        rows = _labels(["sample", "system", "atom"], owner, structures[owner], atom)
        sign = -1.0 if info.is_number else 1.0
        _add_gradients("positions", blocks, info, sign * target.forces, rows, 1)
    if target.strain is not None:
        rows = _labels(["sample"], torch.arange(len(structures)))
        _add_gradients("strain", blocks, info, target.strain, rows, 2)
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


def feature_map(values: Tensor, structures: Tensor, n_atoms: Tensor | None) -> TensorMap:
    """Features [n, k] of atoms, or of structures where ``n_atoms`` is None; one block."""
    samples = _labels(["system"], structures)
    if n_atoms is not None:
        owner = torch.repeat_interleave(torch.arange(len(structures)), n_atoms)
        atom = torch.arange(len(owner)) - (n_atoms.cumsum(0) - n_atoms)[owner]
        samples = _labels(["system", "atom"], structures[owner], atom)
    properties = Labels("feature", torch.arange(values.shape[1]).reshape(-1, 1))
    block = TensorBlock(values, samples, [], properties)
    return TensorMap(Labels("_", torch.tensor([[0]])), [block])


def _add_gradients(
    name: str, blocks: list[TensorBlock], info: TargetInfo, values: Tensor, rows: Labels, axes: int
) -> None:
    """:param values: [n, 3, ...] or, with two ``axes``, [n, 3, 3, ...]."""
    kind = info.of_kind
    if kind.components:
        names = ["displacement"] if axes == 1 else ["strain_1", "strain_2"]
    else:
        names = ["xyz"] if axes == 1 else ["xyz_1", "xyz_2"]
    directions = [Labels(one, torch.arange(3).reshape(3, 1)) for one in names]
    shape = values.shape[: 1 + axes]
    for block, part in zip(blocks, kind.split(values.reshape(-1, *info.shape)), strict=True):
        slope = TensorBlock(
            part.reshape(*shape, *part.shape[1:]),
            rows,
            [*directions, *block.components],
            block.properties,
        )
        block.add_gradient(name, slope)


def _labels(names: list[str], *columns: Tensor) -> Labels:
    return Labels(names, torch.stack(columns, dim=1), assume_unique=True)


def _axis(axis: Axis) -> Labels:
    return Labels(axis.name, torch.tensor(axis.labels).reshape(-1, 1))


def _property(name: str, info: TargetInfo) -> str:
    """Name of the property axis: that of the target, as far as metatensor allows it."""
    if info.quantity == "energy":
        return "energy"
    return re.sub(r"\W", "_", name.removeprefix("mtt::"))
