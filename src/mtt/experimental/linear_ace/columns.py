"""Rows of the design matrix: features of structures, and their derivatives, written out.

The derivative of a feature is a product of densities in which one factor is replaced by what one
neighbour changes in it. So everything is done once per pair, for all features, without automatic
differentiation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mtt import Graph
from mtt.experimental.linear_ace.density import Density
from mtt.experimental.linear_ace.features import Features
from mtt.experimental.linear_ace.mixing import Mixing
from mtt.mlip import Columns

_PAIRS = 1000
"""Pairs whose gradients are held at once."""


class Layers(NamedTuple):
    """What turns vectors to neighbours into features; one mixing for each degree."""

    density: Density
    mixing: Sequence[Mixing]
    features: Features


def columns(layers: Layers, graph: Graph, *, forces: bool, strain: bool) -> Columns:
    """What the energies of ``graph`` and their derivatives are for each weight alone.

    Weights of one element are together, in the order of the elements.
    """
    n_types, n_features = layers.density.n_types, layers.features.n_features
    n_atoms = graph.types.shape[0]
    like = graph.vectors
    values = like.new_zeros(graph.n_systems, n_types, n_features)
    by_atom = like.new_zeros(n_atoms, 3, n_types, n_features) if forces else None
    by_strain = like.new_zeros(graph.n_systems, 3, 3, n_types, n_features) if strain else None
    for part in _parts(graph, n_types):
        part.fill(layers, values, by_atom, by_strain)
    if by_strain is not None:
        by_strain = (by_strain + by_strain.transpose(1, 2)) / 2
    return Columns(
        values.flatten(1),
        None if by_atom is None else by_atom.flatten(2),
        None if by_strain is None else by_strain.flatten(3),
    )


class _Part:
    """Some atoms of one element, with all of their pairs."""

    def __init__(self, graph: Graph, element: int, atoms: Tensor, pairs: Tensor) -> None:
        self.element, self.atoms = element, atoms
        self.system = graph.system[atoms]
        self.vectors = graph.vectors[pairs]
        self.centers, self.neighbors = graph.centers[pairs], graph.neighbors[pairs]
        self.own = torch.searchsorted(atoms, self.centers)
        self.kinds = graph.types[self.neighbors]

    def fill(
        self, layers: Layers, values: Tensor, forces: Tensor | None, strain: Tensor | None
    ) -> None:
        density, mixing, features = layers
        order = torch.argsort(self.kinds, stable=True)
        n_kinds = torch.bincount(self.kinds, minlength=density.n_types).tolist()
        added, changes = density.of_pairs(self.vectors[order])
        own = self.own[order]
        channels, slopes = [], []
        for l, mix in enumerate(mixing):
            # [radial function, element of the neighbour, channel]
            table = mix.values[self.element].view(density.n_per_l[l], density.n_types, -1)
            tables = table.permute(1, 2, 0).contiguous()
            channels.append(_mixed(tables, added[l], n_kinds))
            slopes.append(_mixed(tables, changes[l], n_kinds))
        at_atoms = [
            one.new_zeros(*one.shape[:2], len(self.atoms)).index_add_(2, own, one)
            for one in channels
        ]
        found = features.values(at_atoms).T.contiguous()
        values[:, self.element].index_add_(0, self.system, found)
        if (forces is None and strain is None) or not len(own):
            return
        at_pairs = [one.index_select(2, own) for one in at_atoms]
        gradient = features.gradients(at_pairs, slopes).permute(2, 1, 0).contiguous()
        centers, neighbors = self.centers[order], self.neighbors[order]
        if forces is not None:
            target = forces[:, :, self.element]
            target.index_add_(0, centers, gradient)
            target.index_add_(0, neighbors, gradient, alpha=-1)
        if strain is not None:
            self._add_strain(strain[:, :, :, self.element], gradient, order)

    def _add_strain(self, strain: Tensor, gradient: Tensor, order: Tensor) -> None:
        vectors, system = self.vectors[order], self.system[self.own[order]]
        for one in torch.unique(system).tolist():
            mine = system == one
            if bool(mine.all()):
                product = vectors.T @ gradient.flatten(1)
            else:
                product = vectors[mine].T @ gradient[mine].flatten(1)
            strain[one] += product.view(3, 3, -1)


def _parts(graph: Graph, n_types: int) -> Iterator[_Part]:
    n_pairs = torch.bincount(graph.centers, minlength=graph.types.shape[0])
    for element in range(n_types):
        atoms = torch.nonzero(graph.types == element)[:, 0]
        if not len(atoms):
            continue
        number = (n_pairs[atoms].cumsum(0) - n_pairs[atoms]) // _PAIRS
        for some in torch.unique(number).tolist():
            mine = atoms[number == some]
            yield _Part(graph, element, mine, torch.nonzero(torch.isin(graph.centers, mine))[:, 0])


def _mixed(tables: Tensor, functions: Tensor, counts: list[int]) -> Tensor:
    """[channels, ..., P], from [n, ..., P] of pairs sorted by element, ``counts`` of each."""
    parts = []
    start = 0
    for table, count in zip(tables, counts, strict=True):
        own = functions[..., start : start + count]
        mixed = table @ own.reshape(own.shape[0], -1)
        parts.append(mixed.view(len(table), *own.shape[1:]))
        start += count
    return torch.cat(parts, dim=-1)
