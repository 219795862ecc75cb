"""Labels or predictions of a target as a ``TensorMap``, for one structure or many."""

from __future__ import annotations

import re

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.data.target_kind import Axis
from mtt.graph import Target

PAIR = ("system", "first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c")
"""Samples of values of pairs; the vector is that of a neighbour list, r₂ - r₁ + shift · cell."""


def target_map(
    name: str,
    info: TargetInfo,
    target: Target,
    structures: Tensor,
    n_atoms: Tensor,
    types: Tensor | None = None,
    pairs: Tensor | None = None,
) -> TensorMap:
    """The blocks of the target's kind, with gradients where ``target`` has derivatives.

    Values have samples ``system`` (and ``atom``), those of pairs :data:`PAIR`. Gradients are
    derivatives of the values, in each block: ``positions`` is minus the forces of an energy,
    ``strain`` as in :class:`mtt.graph.Target`. Their first components are ``xyz``, or ``xyz_1`` and
    ``xyz_2``; of targets with components, which may have these names, ``displacement``, or
    ``strain_1`` and ``strain_2``.

    :param structures: [m] int64, numbers of the structures, the labels ``system``.
    :param n_atoms: [m] int64, of each of them.
    :param types: [n] atomic numbers of all atoms, needed where blocks are of elements.
    :param pairs: [P, 6] int64 of each value of pairs: place in ``structures``, then the others of
        :data:`PAIR`.
    """
    owner = torch.repeat_interleave(torch.arange(len(structures)), n_atoms)
    atom = torch.arange(len(owner)) - (n_atoms.cumsum(0) - n_atoms)[owner]
    elements: tuple[Tensor, ...] | None = None if types is None else (types,)
    if info.per_pair:
        assert pairs is not None, "values of pairs need the pairs"
        samples = _labels(list(PAIR), structures[pairs[:, 0]], *pairs[:, 1:].unbind(1))
        if types is not None:
            start = (n_atoms.cumsum(0) - n_atoms)[pairs[:, 0]]
            elements = types[start + pairs[:, 1]], types[start + pairs[:, 2]]
    elif info.per_atom:
        samples = _labels(["system", "atom"], structures[owner], atom)
    else:
        samples = _labels(["system"], structures)
    kind = info.of_kind
    blocks = _blocks(name, info, target.values, samples, elements)
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
    name: str,
    info: TargetInfo,
    values: Tensor,
    samples: Labels,
    elements: tuple[Tensor, ...] | None,
) -> list[TensorBlock]:
    """The blocks of the kind, those of an element with its atoms alone, or of two with pairs.

    :param elements: [n] atomic numbers of the atoms, or of both atoms of the pairs.
    """
    blocks = []
    for part, own in zip(info.of_kind.split(values), info.of_kind.blocks, strict=True):
        rows, named = samples, own.properties(_property(name, info), info.properties)
        if own.element:
            assert elements is not None, "blocks of elements need the elements of the atoms"
            wanted = (own.element, own.second)[: len(elements)]
            same = [one == number for one, number in zip(elements, wanted, strict=True)]
            chosen = torch.nonzero(torch.stack(same).all(dim=0))[:, 0]
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
