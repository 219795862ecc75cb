"""Vectors and tensors of atoms, read from their densities: exactly equivariant."""

from typing import List

import torch
from torch import Tensor

from mtt import TargetInfo
from mtt.nn import Constant, generators, silu


class Head(torch.nn.Module):
    """From the scalars of atoms to the numbers of one target."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(n_in, n_in)
        self.last = torch.nn.Linear(n_in, n_out, bias=False)

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """[n, n_in] to [n, n_out]; densities ``v`` are not looked at."""
        values: Tensor = self.last(self.features(x))
        return values

    def features(self, x: Tensor) -> Tensor:
        """[n, n_in], what the last layer multiplies."""
        return silu(self.hidden(x))


class Invariant(Head):
    """(l = 0, σ = 1) of a tensor: numbers, from the scalars."""

    def __init__(self, n_features: int, n_channels: int, n_out: int) -> None:
        super().__init__(n_features, n_out)

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """[n, 1, n_out]."""
        values: Tensor = self.last(self.features(x))
        return values[:, None, :]


class Proper(torch.nn.Module):
    """(l, σ = 1): densities of degree l, mixed, each times a gate that the scalars set."""

    def __init__(self, l: int, n_features: int, n_channels: int, n_out: int) -> None:
        super().__init__()
        self.first, self.end = l * l, (l + 1) ** 2
        self.mix = torch.nn.Linear(n_channels, n_channels, bias=False)
        self.gates = Head(n_features, n_channels)
        self.last = torch.nn.Linear(n_channels, n_out, bias=False)

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """[n, 2l + 1, n_out]."""
        return read_out(self.mix(v[self.first : self.end]), self.gates(x, v), self.last.weight)


class Pseudo(torch.nn.Module):
    """(l, σ = -1), l ≥ 1: products of densities of degrees 1 and l, coupled to l.

    ``Σ_a u_a (G_a w)_m`` with the generators G of rotations: the cross product where l is 1.
    """

    def __init__(self, l: int, n_features: int, n_channels: int, n_out: int) -> None:
        super().__init__()
        self.first, self.end = l * l, (l + 1) ** 2
        # densities of degree 1 are in the order y, z, x; [2l + 1, 3 (2l + 1)], rows are m
        about = generators(l)[[1, 2, 0]]
        self.couple = Constant(about.transpose(0, 1).flatten(1))
        self.vectors = torch.nn.Linear(n_channels, n_channels, bias=False)
        self.mix = torch.nn.Linear(n_channels, n_channels, bias=False)
        self.gates = Head(n_features, n_channels)
        self.last = torch.nn.Linear(n_channels, n_out, bias=False)

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """[n, 2l + 1, n_out]."""
        vectors, tensors = self.vectors(v[1:4]), self.mix(v[self.first : self.end])
        products = vectors[:, None] * tensors[None]  # [3, 2l + 1, n, n_channels]
        coupled = self.couple() @ products.flatten(0, 1).flatten(1)
        return read_out(coupled.view(tensors.shape), self.gates(x, v), self.last.weight)


class Pseudoscalar(torch.nn.Module):
    """(l = 0, σ = -1): triple products u · (v × w) of densities of degree 1."""

    def __init__(self, n_features: int, n_channels: int, n_out: int) -> None:
        super().__init__()
        self.couple = Constant(generators(1)[[1, 2, 0]].transpose(0, 1).flatten(1))
        self.vectors = torch.nn.Linear(n_channels, 3 * n_channels, bias=False)
        self.gates = Head(n_features, n_channels)
        self.last = torch.nn.Linear(n_channels, n_out, bias=False)

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """[n, 1, n_out]."""
        one, two, three = self.vectors(v[1:4]).chunk(3, dim=2)  # [3, n, n_channels] each
        products = two[:, None] * three[None]
        crossed = (self.couple() @ products.flatten(0, 1).flatten(1)).view(one.shape)
        triple = (one * crossed).sum(dim=0, keepdim=True)
        return read_out(triple, self.gates(x, v), self.last.weight)


class TensorHead(torch.nn.Module):
    """From scalars and densities of atoms to the components of one target.

    :param target: of a kind whose irreducible parts :func:`mtt.mlip.check_parts` has accepted.
    """

    def __init__(self, n_features: int, n_channels: int, target: TargetInfo) -> None:
        super().__init__()
        kind = target.of_kind
        self.parts = torch.nn.ModuleList()
        self.channels: List[int] = []
        for one, number in kind.irreducible_groups:
            n_out = number * target.properties
            self.channels.append(number)
            if one.l == 0:
                number_of = Invariant if one.sigma == 1 else Pseudoscalar
                self.parts.append(number_of(n_features, n_channels, n_out))
            else:
                made = Proper if one.sigma == 1 else Pseudo
                self.parts.append(made(one.l, n_features, n_channels, n_out))
        self.shape: List[int] = [-1, *target.shape]
        self.properties = target.properties
        self.to_components = Constant(kind.from_irreducible())

    def features(self, x: Tensor) -> Tensor:
        """Nothing: a linear layer of scalars does not give tensors."""
        return x[:, :0]

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """[n, *components, properties].

        :param x: [n, n_features] scalars.
        :param v: [n_angular, n, n_channels] densities.
        """
        found: List[Tensor] = []
        for i, part in enumerate(self.parts):
            found.append(one_after_the_other(part(x, v), self.channels[i], self.properties))
        values: Tensor = self.to_components() @ torch.cat(found, dim=1)
        return values.reshape(self.shape)


def one_after_the_other(parts: Tensor, number: int, properties: int) -> Tensor:
    """[n, number · (2l + 1), properties] from [n, 2l + 1, number · properties].

    Those are several parts of one degree and parity.
    """
    if number == 1:
        return parts
    parts = parts.reshape(parts.shape[0], parts.shape[1], number, properties)
    return parts.transpose(1, 2).flatten(1, 2)


def read_out(tensors: Tensor, gates: Tensor, weight: Tensor) -> Tensor:
    """[n, 2l + 1, n_out] from [2l + 1, n, n_channels] and gates [n, n_channels].

    :param weight: [n_out, n_channels].
    """
    return (tensors * gates).transpose(0, 1) @ weight.t()


def turns(target: TargetInfo) -> bool:
    """Whether a target has components, which the scalars do not determine."""
    return len(target.of_kind.components) > 0
