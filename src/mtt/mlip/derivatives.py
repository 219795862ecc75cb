"""Forces and stress from one gradient.

Short-range energies depend on the geometry through the pair vectors alone. With
g = ∂E/∂vectors, the chain rule gives, for vectors r_j - r_i + cell shift,

    forces_i = Σ_{centers = i} g - Σ_{neighbors = i} g
    strain   = Σ_pairs (vectors ⊗ g + g ⊗ vectors) / 2      per structure

where the second sum is over the pairs of the first seen from their other ends, and
forces_i = Σ_{centers = i} (g - g_reversed) needs no sum over pairs of other atoms. No cell is
displaced and no gradient passes through the neighbour list.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mtt.graph import Graph, Target


class Slope(NamedTuple):
    """A derivative by pair vectors that is known already."""

    vectors: Tensor  # [P', 3], of which those of the graph are the origin
    values: Tensor  # [P', 3]


def pair_gradient(
    energies: Tensor, graph: Graph, create_graph: bool, known: Slope | None = None
) -> Tensor:
    """∂(Σ energies)/∂vectors, [P, 3]; ``graph.vectors`` must require a gradient.

    :param known: a part of it that cannot be had from ``energies``.
    """
    if graph.vectors.shape[0] == 0:
        return torch.zeros_like(graph.vectors)
    outputs, cotangents = [energies.sum()], [torch.ones_like(energies.sum())]
    if known is not None:
        outputs, cotangents = [*outputs, known.vectors], [*cotangents, known.values]
    # a model may ignore the vectors (constant energies): its derivative is zero
    (gradient,) = torch.autograd.grad(
        outputs,
        graph.vectors,
        cotangents,
        create_graph=create_graph,
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return gradient


def forces(gradient: Tensor, graph: Graph) -> Tensor:
    """Forces [n_atoms, 3] from the pair gradient [P, 3]."""
    rows, n_atoms = graph.rows, graph.types.shape[0]
    if rows is not None:
        # in rows: nothing is added to the same place, so that a GPU repeats every bit
        change = gradient - gradient.index_select(0, rows.reverse)
        table = change.new_zeros(n_atoms * rows.width, 3)
        table = table.index_copy(0, graph.centers * rows.width + rows.columns, change)
        return table.view(n_atoms, rows.width, 3).sum(dim=1)
    zeros = gradient.new_zeros(n_atoms, 3)
    return zeros.index_add(0, graph.centers, gradient).index_add(
        0, graph.neighbors, gradient, alpha=-1
    )


def strain(gradient: Tensor, graph: Graph) -> Tensor:
    """Derivative by a symmetric strain [n_systems, 3, 3] from the pair gradient [P, 3]."""
    outer = graph.vectors[:, :, None] * gradient[:, None, :]
    zeros = outer.new_zeros(graph.n_systems, 3, 3)
    total = zeros.index_add(0, graph.system[graph.centers], outer)
    return (total + total.transpose(1, 2)) / 2


def detached(target: Target) -> Target:
    """``target`` without its autograd graph."""
    return Target(
        target.values.detach(),
        None if target.forces is None else target.forces.detach(),
        None if target.strain is None else target.strain.detach(),
    )
