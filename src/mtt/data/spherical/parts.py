"""The blocks of a spherical target: of one degree each, or of the products of two."""

from __future__ import annotations

import itertools
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from mtt.data.spherical.degrees import Basis, Degree
from mtt.data.target_block import Axis, Block, Channels, Irrep
from mtt.harmonics import coupling, turning

PRODUCTS = ("coupled", "cartesian")


class Part(NamedTuple):
    """One block: components of one degree, or of a product of two, in several channels."""

    irreps: tuple[Irrep, ...]  # one or two
    channels: Channels | None = None
    element: int = 0
    second: int = 0  # of pairs, element of the second atom

    @property
    def n_channels(self) -> int:
        return 1 if self.channels is None else len(self.channels.labels)

    @property
    def n_components(self) -> int:
        """Of one channel."""
        return self.irreps[0].size * (self.irreps[1].size if len(self.irreps) > 1 else 1)

    @property
    def name(self) -> str:
        """As error tables have it: ``l=1``, ``l=1,sigma=-1``, ``l=1,l=2``."""
        sigma = 1
        for one in self.irreps:
            sigma *= one.sigma
        return ",".join(f"l={one.l}" for one in self.irreps) + ",sigma=-1" * (sigma == -1)

    def block(self, with_element: bool) -> Block:
        """What metatensor has for it."""
        names = [""] if len(self.irreps) == 1 else ["_1", "_2"]
        axes = (
            Axis(f"o3_mu{name}", tuple(range(-one.l, one.l + 1)))
            for name, one in zip(names, self.irreps, strict=True)
        )
        key = (*(one.l for one in self.irreps), *(one.sigma for one in self.irreps))
        key += (self.element,) * with_element + (self.second,) * (self.second != 0)
        return Block(key, tuple(axes), self.channels, self.element, self.second)

    def rotated(self, values: Tensor, matrices: Tensor) -> Tensor:
        """``values`` [m, components · channels, p] as they are once turned by [m, 3, 3]."""
        shape = values.shape
        turns = [turning(*one, matrices).to(values) for one in self.irreps]
        if len(turns) == 1:
            split = values.reshape(len(values), self.irreps[0].size, -1)
            return torch.einsum("mab,mbp->map", turns[0], split).reshape(shape)
        split = values.reshape(len(values), self.irreps[0].size, self.irreps[1].size, -1)
        turned = torch.einsum("mac,mcbp->mabp", turns[0], split)
        return torch.einsum("mbd,madp->mabp", turns[1], turned).reshape(shape)

    def irreducible(self) -> dict[Irrep, Tensor]:
        """(l, σ) to [components, 2l + 1] float64 with orthonormal columns, of one channel."""
        if len(self.irreps) == 1:
            (one,) = self.irreps
            return {one: torch.eye(one.size, dtype=torch.float64)}
        first, second = self.irreps
        return {
            Irrep(l, coupled_sigma(first, second, l)): coupling(first.l, second.l, l).flatten(0, 1)
            for l in range(abs(first.l - second.l), first.l + second.l + 1)
        }

    def invariants(self) -> list[int]:
        """Places, of one channel, of components whose mean does not change; none for most."""
        first, last = self.irreps[0], self.irreps[-1]
        if first != last or (len(self.irreps) == 1 and first != Irrep(0, 1)):
            return []
        return [i * last.size + i for i in range(last.size)]


def coupled_sigma(first: Irrep, second: Irrep, l: int) -> int:
    """σ of the part of degree ``l`` of a product."""
    return int(first.sigma * second.sigma * (-1) ** (first.l + second.l + l))


@cache
def parts_of(bases: tuple[Basis, ...], product: str | None, of_pairs: bool) -> tuple[Part, ...]:
    """The blocks of every element, or of every two of them, in the order of the options.

    :param of_pairs: the two indices of a product are of two atoms, not of one.
    """
    degrees = [one for basis in bases for one in basis.degrees]
    # the blocks of one target have the same names of properties
    numbered = bases[0].element != 0 or any(one.num is not None for one in degrees)
    if product is None:
        return tuple(part for basis in bases for part in _of_degrees(basis, numbered))
    both = [(one, other) for one in bases for other in (bases if of_pairs else (one,))]
    return tuple(p for one, other in both for p in _of_product(one, other, product, of_pairs))


def _of_degrees(basis: Basis, numbered: bool) -> list[Part]:
    return [
        Part((one.irrep,), _numbered(("n",), one) if numbered else None, basis.element)
        for one in basis.degrees
    ]


def _of_product(basis: Basis, other: Basis, product: str, of_pairs: bool) -> list[Part]:
    elements = basis.element, other.element if of_pairs else 0
    pairs = list(itertools.product(basis.degrees, other.degrees))
    if product == "cartesian":
        return [
            Part((a.irrep, b.irrep), _numbered(("n_1", "n_2"), a, b), *elements) for a, b in pairs
        ]
    found: dict[Irrep, list[tuple[int, ...]]] = {}
    for a, b in pairs:
        for l in range(abs(a.irrep.l - b.irrep.l), a.irrep.l + b.irrep.l + 1):
            sigma = coupled_sigma(a.irrep, b.irrep, l)
            if sigma == 1 or of_pairs:  # products around one centre have no pseudotensors
                labels = _numbered(("n_1", "n_2"), a, b).labels
                found.setdefault(Irrep(l, sigma), []).extend(
                    (a.irrep.l, b.irrep.l, *label) for label in labels
                )
    names = ("l_1", "l_2", "n_1", "n_2")
    return [
        Part((irrep,), Channels(names, tuple(labels)), *elements) for irrep, labels in found.items()
    ]


def _numbered(names: tuple[str, ...], *degrees: Degree) -> Channels:
    counts = [range(one.n_channels) for one in degrees]
    return Channels(names, tuple(itertools.product(*counts)))
