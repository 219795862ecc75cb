"""Convert outputs of a network to physical values of atoms: scales and baselines."""

from typing import Dict, List, Mapping

import torch
from torch import Tensor

from mtt.mlip.derivatives import Slope


def scaled(
    raw: Dict[str, Tensor],
    few: Dict[str, Tensor],
    names: List[str],
    shapes: Dict[str, List[int]],
    scales: Tensor,
    table: Tensor,
    own: Tensor,
    types: Tensor,
) -> Dict[str, Tensor]:
    """Values in physical units, per target [n_atoms, *shape] float64; TorchScript.

    :param raw: what the network says, [n_atoms, *shape].
    :param few: of spectra that are made of few numbers, see :mod:`mtt.mlip.aggregation.readout`:
        taken as they are.
    :param names: targets, in the order of ``scales`` and of the columns of ``table``.
    :param shapes: of a sample of each target: components, then properties.
    :param scales: [n_targets] float64.
    :param table: [n_types, Σ numbers of a sample] float64, the baselines by composition.
    :param own: [n_types, Σ numbers of a sample] bool, those that atoms of each element have, see
        :func:`mtt.mlip.tensor_map.own_numbers`; others are zero. [0, 0]: all.
    :param types: [n_atoms] of the graph.
    """
    values: Dict[str, Tensor] = {}
    start = 0
    for i, name in enumerate(names):
        width = 1
        for size in shapes[name]:
            width = width * size
        end = start + width
        if name in few:
            values[name] = few[name]
        elif name in raw:  # not of pairs
            network = raw[name]
            columns = table[:, start:end].index_select(0, types).reshape(network.shape)
            values[name] = network.to(torch.float64) * scales[i] + columns
            if own.shape[0] > 0:
                there = own[:, start:end].index_select(0, types).reshape(network.shape)
                values[name] = values[name] * there
        start = end
    return values


def scaled_slopes(
    raw: Mapping[str, Tensor], vectors: Tensor, names: List[str], scales: Tensor
) -> Dict[str, Slope]:
    """Derivatives [P, 3] of the network's numbers by ``vectors``, in physical units.

    :param names: targets, in the order of ``scales`` [n_targets] float64.
    """
    factors = {name: scales[names.index(name)].to(vectors.dtype) for name in raw}
    return {name: Slope(vectors, slope * factors[name]) for name, slope in raw.items()}


def plus(values: Dict[str, Tensor], names: List[str], energies: Tensor) -> Dict[str, Tensor]:
    """``values`` with ``energies`` [n_atoms] added to the targets ``names``; TorchScript."""
    for name in names:
        values[name] = values[name] + energies.to(torch.float64)[:, None]
    return values


def without_atoms(shapes: Dict[str, List[int]], baseline: Tensor) -> Dict[str, Tensor]:
    """What there is for no atom, per target [0, *shape] of the dtype of ``baseline``."""
    values: Dict[str, Tensor] = {}
    for name, sample in shapes.items():
        shape = [0]
        shape.extend(sample)
        values[name] = baseline.new_zeros(shape)
    return values
