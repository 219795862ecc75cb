"""Values of pairs of atoms, read from both atoms' densities and the vector between them."""

from typing import List, NamedTuple

import torch
from torch import Tensor

from mtt import TargetInfo
from mtt.architectures.density_messages.layer import DegreeLinear, Pairs
from mtt.architectures.density_messages.tensors import one_after_the_other
from mtt.nn import Constant, generators, silu


class Ends(NamedTuple):
    """What a read-out knows of each pair; from its centre, and from its neighbour."""

    x: Tensor  # [N, D] scalars of atoms
    v: Tensor  # [n_angular, N, C] densities of atoms
    pairs: Pairs
    slots: Tensor  # [P] int64, of each pair in the table [N, K]


class PairScalars(torch.nn.Module):
    """Numbers [P, n_out] that no rotation changes, the same for all parts of a target.

    Both atoms' scalars and densities, seen in the direction of the pair, and radial functions.
    """

    def __init__(self, n_features: int, n_channels: int, max_angular: int, n_scalar: int) -> None:
        super().__init__()
        gain = (max_angular + 1) ** -0.5
        self.project = DegreeLinear(max_angular, n_channels, 2 * n_channels, gain)
        self.atoms = torch.nn.Linear(n_features, 2 * n_features)
        self.seen = torch.nn.Linear(2 * n_channels, n_features, bias=False)
        self.radial = torch.nn.Linear(n_scalar, n_features, bias=False)
        self.hidden = torch.nn.Linear(n_features, n_features)
        self.n_features, self.n_channels = n_features, n_channels
        self.n_angular = (max_angular + 1) ** 2

    def forward(self, ends: Ends) -> Tensor:
        """[P, n_features]."""
        width = ends.pairs.angular.shape[1]
        own, other = self.atoms(ends.x).split(self.n_features, dim=1)
        projected = self.project(ends.v).transpose(0, 1)
        angular = ends.pairs.basis[:, :, : self.n_angular]
        here, there = torch.bmm(angular, projected).split(self.n_channels, dim=2)
        # of the neighbour: the same pair seen from its other end
        seen = torch.cat([here.flatten(0, 1), from_other_end(there, ends.pairs.reverse)], dim=1)
        centre = own[:, None].expand(-1, width, -1).flatten(0, 1)
        neighbor = from_other_end(other[:, None].expand(-1, width, -1), ends.pairs.reverse)
        mixed = centre + neighbor + self.seen(seen) + self.radial(ends.pairs.scalar.flatten(0, 1))
        mixed = mixed.index_select(0, ends.slots)
        return silu(self.hidden(silu(mixed)))


class PairTensors(torch.nn.Module):
    """[2l + 1, P, n_channels] tensors of one degree: densities of both atoms, and harmonics."""

    def __init__(self, l: int, n_channels: int) -> None:
        super().__init__()
        self.first, self.end = l * l, (l + 1) ** 2
        self.centre = torch.nn.Linear(n_channels, n_channels, bias=False)
        self.neighbor = torch.nn.Linear(n_channels, n_channels, bias=False)
        self.direction = torch.nn.Parameter(torch.randn(n_channels))

    def forward(self, ends: Ends) -> Tensor:
        """[2l + 1, P, n_channels]."""
        width = ends.pairs.angular.shape[1]
        v = ends.v[self.first : self.end]
        n = v.shape[0]
        own = self.centre(v)[:, :, None].expand(-1, -1, width, -1).flatten(1, 2)
        other = self.neighbor(v)[:, :, None].expand(-1, -1, width, -1).flatten(1, 2)
        found = own + other.index_select(1, ends.pairs.reverse)
        found = found.index_select(1, ends.slots)
        harmonics = ends.pairs.basis[:, :, self.first : self.end].flatten(0, 1)
        harmonics = harmonics.index_select(0, ends.slots).t().reshape(n, -1, 1)
        tensors: Tensor = found + harmonics * self.direction
        return tensors


class PairPart(torch.nn.Module):
    """One irreducible part (l, σ) of the values of pairs.

    Pseudotensors are tensors of degrees l and 1, coupled to l; pseudoscalars triple products.
    """

    def __init__(self, l: int, sigma: int, n_features: int, n_channels: int, n_out: int) -> None:
        super().__init__()
        self.l, self.pseudo = l, sigma == -1
        self.invariant = l == 0 and not self.pseudo
        self.gates = torch.nn.Linear(n_features, n_out if self.invariant else n_channels)
        degrees = [l] if l > 0 else []
        if self.pseudo:
            degrees += [1] if l > 0 else [1, 1, 1]
        self.tensors = torch.nn.ModuleList(PairTensors(one, n_channels) for one in degrees)
        self.last = torch.nn.Parameter(torch.randn(n_out, n_channels) / n_channels**0.5)
        # densities of degree 1 are in the order y, z, x; [2l + 1, 3 (2l + 1)], rows are m
        about = generators(max(l, 1))[[1, 2, 0]] if self.pseudo else torch.zeros(1, 1, 1)
        self.couple = Constant(about.transpose(0, 1).flatten(1))

    def forward(self, scalars: Tensor, ends: Ends) -> Tensor:
        """[P, 2l + 1, n_out]."""
        gates: Tensor = self.gates(scalars)
        if self.invariant:
            return gates[:, None, :]
        found: List[Tensor] = []
        for one in self.tensors:
            found.append(one(ends))
        tensors = found[0]
        if self.pseudo:
            last = found[2] if self.l == 0 else tensors
            products = found[1][:, None] * last[None]  # [3, 2l + 1, P, n_channels]
            coupled = (self.couple() @ products.flatten(0, 1).flatten(1)).view(last.shape)
            tensors = (tensors * coupled).sum(dim=0, keepdim=True) if self.l == 0 else coupled
        values: Tensor = (tensors * gates).transpose(0, 1) @ self.last.t()
        return values


class PairHead(torch.nn.Module):
    """From scalars and densities of atoms to the components of one target of pairs.

    Values vanish at the cutoff, with their derivatives.

    :param target: of a kind whose irreducible parts :func:`mtt.mlip.check_parts` has accepted.
    """

    def __init__(
        self,
        n_features: int,
        n_channels: int,
        max_angular: int,
        n_scalar: int,
        target: TargetInfo,
    ) -> None:
        super().__init__()
        kind = target.of_kind
        self.scalars = PairScalars(n_features, n_channels, max_angular, n_scalar)
        self.parts = torch.nn.ModuleList()
        self.channels: List[int] = []
        for one, number in kind.irreducible_groups:
            self.channels.append(number)
            n_out = number * target.properties
            self.parts.append(PairPart(one.l, one.sigma, n_features, n_channels, n_out))
        self.shape: List[int] = [-1, *target.shape]
        self.properties = target.properties
        self.to_components = Constant(kind.from_irreducible())

    def forward(self, ends: Ends) -> Tensor:
        """[P, *components, properties]."""
        scalars = self.scalars(ends)
        found: List[Tensor] = []
        for i, part in enumerate(self.parts):
            one = part(scalars, ends)
            found.append(one_after_the_other(one, self.channels[i], self.properties))
        # the first harmonic is the cutoff function
        fade = ends.pairs.basis[:, :, 0].flatten().index_select(0, ends.slots)
        parts = torch.cat(found, dim=1) * fade[:, None, None]
        values: Tensor = self.to_components() @ parts
        shape = [parts.shape[0]]
        shape.extend(self.shape[1:])
        return values.reshape(shape)


def from_other_end(table: Tensor, reverse: Tensor) -> Tensor:
    """[N · K, ...] of a table [N, K, ...], each slot with what the reverse pair has."""
    return table.flatten(0, 1).index_select(0, reverse)
