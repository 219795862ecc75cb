"""Convert outputs of a network to physical values: scales, baselines, sums, derivatives."""

from typing import Dict, List, Mapping, Optional

import torch
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.graph import Graph, Target
from mtt.mlip.aggregation.pool import pooled
from mtt.mlip.derivatives import Slope, detached, forces, pair_gradient, strain


def scaled(
    raw: Dict[str, Tensor],
    few: Dict[str, Tensor],
    names: List[str],
    shapes: Dict[str, List[int]],
    scales: Tensor,
    table: Tensor,
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
        else:
            network = raw[name]
            columns = table[:, start:end].index_select(0, types).reshape(network.shape)
            values[name] = network.to(torch.float64) * scales[i] + columns
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


def differentiated(infos: Mapping[str, TargetInfo], all_gradients: bool) -> List[str]:
    """Energies whose forces or strain derivatives are wanted: those with labels, or all."""
    return [n for n, info in infos.items() if info.is_energy and (all_gradients or info.gradients)]


def totals(
    atomic: Mapping[str, Tensor],
    graph: Graph,
    infos: Mapping[str, TargetInfo],
    known: Mapping[str, Slope],
    maps: Mapping[str, Tensor],
    create_graph: bool,
    all_gradients: bool,
) -> Dict[str, Target]:
    """Values of structures or atoms, and derivatives of energies.

    :param atomic: physical values of the atoms, per target [n_atoms, *components, properties]; see
        :func:`mtt.mlip.aggregation.pool.pooled`.
    :param graph: its ``vectors`` require a gradient where one of :func:`differentiated` is there.
    :param known: per energy the part of the derivative that cannot be had from ``atomic``.
    :param maps: see :meth:`mtt.mlip.aggregation.readout.Readout.matrices`.
    :param create_graph: keep what a loss needs to differentiate forces once more.
    :param all_gradients: forces and strain of every energy, labelled or not.
    """
    wanted = differentiated(infos, all_gradients)
    results: Dict[str, Target] = {}
    for name, values in atomic.items():
        info = infos[name]
        if not info.per_atom:
            values = pooled(values, graph.system, graph.n_systems, info.pooling)
        if name in maps:
            values = values @ maps[name]
        force: Optional[Tensor] = None
        slope: Optional[Tensor] = None
        if name in wanted:
            gradient = pair_gradient(values, graph, create_graph, known.get(name))
            force = forces(gradient, graph) if all_gradients or info.has_forces else None
            slope = strain(gradient, graph) if all_gradients or info.has_strain else None
        found = Target(values, force, slope)
        results[name] = found if create_graph else detached(found)
    return results
