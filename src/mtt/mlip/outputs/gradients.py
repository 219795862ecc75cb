"""Values of structures from those of atoms, and their derivatives by positions and strain."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Dict, List, Optional

import torch
from torch import Tensor

from mtt.data.info import POSITIONS, STRAIN, TargetInfo
from mtt.graph import Graph, Target
from mtt.mlip.aggregation.pool import pooled
from mtt.mlip.derivatives import Slope, detached, forces, pair_gradient, strain

Gradients = Mapping[str, Sequence[str]]
"""Target to the derivatives that are wanted of it: ``"positions"``, ``"strain"``."""


def with_gradients(
    infos: Mapping[str, TargetInfo], gradients: Optional[Gradients]
) -> Mapping[str, TargetInfo]:
    """``infos`` with further derivatives; targets that are not there do not count."""
    if not gradients:
        return infos
    found: Dict[str, TargetInfo] = {}
    for name, info in infos.items():
        asked = {*info.gradients, *gradients.get(name, ())}
        found[name] = replace(info, gradients=tuple(g for g in (POSITIONS, STRAIN) if g in asked))
    return found


def differentiated(infos: Mapping[str, TargetInfo], all_gradients: bool) -> List[str]:
    """Targets whose derivatives are wanted: those with labels, and energies if all are."""
    return [n for n, t in infos.items() if t.gradients or (t.is_energy and all_gradients)]


def totals(
    atomic: Mapping[str, Tensor],
    graph: Graph,
    infos: Mapping[str, TargetInfo],
    known: Mapping[str, Slope],
    maps: Mapping[str, Tensor],
    create_graph: bool,
    all_gradients: bool,
) -> Dict[str, Target]:
    """Values of structures or atoms, and derivatives of those of structures.

    :param atomic: physical values of the atoms, per target [n_atoms, *components, properties]; see
        :func:`mtt.mlip.aggregation.pool.pooled`. Of targets of pairs those of pairs.
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
        if info.per_structure:
            values = pooled(values, graph.system, graph.n_systems, info.pooling)
        if name in maps:
            values = values @ maps[name]
        force: Optional[Tensor] = None
        slope: Optional[Tensor] = None
        if name in wanted:
            everything = info.is_energy and all_gradients
            parts = info.has_forces or everything, info.has_strain or everything
            if info.is_number:
                gradient = pair_gradient(values, graph, create_graph, known.get(name))
                force = forces(gradient, graph) if parts[0] else None
                slope = strain(gradient, graph) if parts[1] else None
            else:
                force, slope = of_components(values, graph, create_graph, *parts)
        found = Target(values, force, slope)
        results[name] = found if create_graph else detached(found)
    return results


def of_components(
    values: Tensor, graph: Graph, create_graph: bool, positions: bool, by_strain: bool
) -> tuple[Optional[Tensor], Optional[Tensor]]:
    """Derivatives of each number of each structure: one backward pass per number of a sample.

    :param values: [n_systems, *shape].
    :return: by the positions, [n_atoms, 3, *shape], where ``positions`` are asked for; by a
        symmetric strain, [n_systems, 3, 3, *shape]; in the precision of ``graph.vectors``.
    """
    shape = values.shape[1:]
    slopes: List[Tensor] = []
    strains: List[Tensor] = []
    for number in values.flatten(1).unbind(1):
        gradient = pair_gradient(number, graph, create_graph)
        if positions:
            slopes.append(-forces(gradient, graph))
        if by_strain:
            strains.append(strain(gradient, graph))
    return (
        torch.stack(slopes, dim=-1).unflatten(-1, shape) if positions else None,
        torch.stack(strains, dim=-1).unflatten(-1, shape) if by_strain else None,
    )
