"""Lengths, angles and chains of bonds from pair vectors; compiled by TorchScript.

Everything is finite, with finite derivatives, if atoms coincide or are collinear. There the
gradient is taken as zero.
"""

from typing import NamedTuple, Tuple

import torch
from torch import Tensor

from mtt.graph import Graph


def length(vectors: Tensor) -> Tensor:
    """[n], norms of [n, 3]."""
    return torch.sqrt((vectors * vectors).sum(1).clamp(min=1e-60))


def angle(a: Tensor, b: Tensor) -> Tensor:
    """[n], angle between the rows of ``a`` and ``b`` in radians, 0 to π.

    θ = atan2(|a × b|, a · b) is exact near 0 and π, where the arc cosine is not. Sines below
    1e-12 count as 1e-12.
    """
    cross = torch.linalg.cross(a, b)
    dot = (a * b).sum(1)
    scale = (a * a).sum(1).detach() * (b * b).sum(1).detach()
    sine = torch.sqrt(torch.maximum((cross * cross).sum(1), 1e-24 * scale + 1e-60))
    return torch.atan2(sine, torch.where(scale > 1e-60, dot, torch.ones_like(dot)))


def torsion(ab: Tensor, bc: Tensor, cd: Tensor) -> Tuple[Tensor, Tensor]:
    """Cosine and sine [n] of the dihedral angle of chains a-b-c-d, by their bond vectors.

    φ = 0 is cis, and the sign is IUPAC's. If three of the atoms are collinear (sine of the
    bond angle below 1e-8) there is no such angle; φ = 0 is returned.
    """
    one, two = torch.linalg.cross(ab, bc), torch.linalg.cross(bc, cd)
    x = (one * two).sum(1)
    y = length(bc) * (ab * two).sum(1)
    squares = [(v * v).sum(1).detach() for v in (ab, bc, cd, one, two)]
    straight = (squares[3] <= 1e-16 * squares[0] * squares[1] + 1e-60) | (
        squares[4] <= 1e-16 * squares[1] * squares[2] + 1e-60
    )
    x = torch.where(straight, torch.ones_like(x), x)
    y = torch.where(straight, torch.zeros_like(y), y)
    size = torch.sqrt((x * x + y * y).clamp(min=1e-60))
    return x / size, y / size


class Edges(NamedTuple):
    """Bonds as runs of directed edges, those of an atom one after the other."""

    pairs: Tensor  # [E] int64 ascending, of the graph's pairs; both directions of every bond
    start: Tensor  # [E] int64, atom
    end: Tensor  # [E] int64, atom
    vectors: Tensor  # [E, 3] float64
    first: Tensor  # [n_atoms] int64, the first edge of each atom
    degree: Tensor  # [n_atoms] int64, edges of each atom


def edges_of(graph: Graph, vectors: Tensor, pairs: Tensor) -> Edges:
    """The bonds ``pairs`` of ``graph``; ``vectors`` [P, 3] float64 are those of the graph."""
    start = graph.centers[pairs]
    degree = torch.bincount(start, minlength=graph.types.shape[0])
    first = degree.cumsum(0) - degree
    return Edges(pairs, start, graph.neighbors[pairs], vectors[pairs], first, degree)


def angles_of(edges: Edges) -> Tensor:
    """[n, 2] edges that share their first atom: every angle once."""
    here = torch.arange(edges.pairs.shape[0], device=edges.pairs.device)
    last = (edges.first + edges.degree)[edges.start]
    one, step = expand(last - 1 - here)
    return torch.stack([one, one + 1 + step], dim=1)


def dihedrals_of(edges: Edges, tolerance: float) -> Tensor:
    """[n, 3] edges b→a, b→c, c→d of all chains a-b-c-d of four atoms, each from both ends.

    :param tolerance: atoms closer than this are the same one.
    """
    vectors = edges.vectors.detach()
    degree_b, degree_c = edges.degree[edges.start], edges.degree[edges.end]
    middle, step = expand(degree_b * degree_c)
    width = degree_c[middle]
    first = edges.first[edges.start[middle]] + torch.div(step, width, rounding_mode="floor")
    third = edges.first[edges.end[middle]] + step % width
    from_b = vectors[middle] + vectors[third]  # to d
    apart = (first != middle) & (length(from_b) > tolerance)  # d is not b
    apart = apart & (length(from_b - vectors[first]) > tolerance)  # d is not a: no ring of three
    return torch.stack([first, middle, third], dim=1)[apart]


def expand(counts: Tensor) -> Tuple[Tensor, Tensor]:
    """Owner of every item and its number within the owner, for ``counts`` [m] items each."""
    owner = torch.repeat_interleave(torch.arange(counts.shape[0], device=counts.device), counts)
    start = counts.cumsum(0) - counts
    return owner, torch.arange(owner.shape[0], device=counts.device) - start[owner]


def find_pairs(
    graph: Graph, first: Tensor, second: Tensor, vectors: Tensor, tolerance: float
) -> Tensor:
    """Indices of the pairs of ``graph`` that lead from ``first`` [m] to ``second`` [m].

    Of the periodic images of an atom it is the one at ``vectors`` [m, 3]. Pairs that are not in
    the list are left out.
    """
    n_atoms = graph.types.shape[0]
    codes, order = torch.sort(graph.centers * n_atoms + graph.neighbors, stable=True)
    wanted = first * n_atoms + second
    low = torch.searchsorted(codes, wanted)
    high = torch.searchsorted(codes, wanted, right=True)
    which, step = expand(high - low)
    found = order[low[which] + step]
    apart = graph.vectors[found].detach().to(vectors.dtype) - vectors[which].detach()
    return found[length(apart) < tolerance]
