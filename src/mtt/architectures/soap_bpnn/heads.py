"""From the hidden features and densities of atoms to the values of one target."""

import math
from typing import List

import torch
from torch import Tensor

from mtt import TargetInfo
from mtt.nn import Constant, SoapPowerSpectrum, SpeciesLinear, generators, with_known_species

USUAL = 16.0  # neighbours of an atom, before any data were seen


class Head(torch.nn.Module):
    """From the last hidden features to the numbers of one target: linear, or one layer more."""

    def __init__(self, n_types: int, n_in: int, n_out: int, mlp: bool) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList()
        if mlp:
            self.layers.append(SpeciesLinear(n_types, n_in, n_in))
        self.last = SpeciesLinear(n_types, n_in, n_out)

    def forward(self, features: Tensor, densities: List[Tensor], counts: List[int]) -> Tensor:
        """[n_rows, n_in] to [n_rows, n_out]; rows sorted by species, ``counts`` of each.

        ``densities`` are not looked at.
        """
        values: Tensor = self.last(self.features(features, counts), counts)
        return values

    def features(self, features: Tensor, counts: List[int]) -> Tensor:
        """[n_rows, n_in], what the last layer multiplies."""
        for layer in self.layers:
            features = torch.nn.functional.silu(layer(features, counts))
        return features


class Invariant(torch.nn.Module):
    """(l = 0, σ = 1): numbers, from the features alone."""

    def __init__(self, n_types: int, n_in: int, n_out: int, mlp: bool) -> None:
        super().__init__()
        self.head = Head(n_types, n_in, n_out, mlp)

    def forward(self, features: Tensor, densities: List[Tensor], counts: List[int]) -> Tensor:
        """[n_rows, 1, n_out]."""
        values: Tensor = self.head(features, densities, counts)
        return values[:, None, :]


class Proper(torch.nn.Module):
    """(l, σ = 1): densities of degree l, mixed, each times a gate that the features set."""

    def __init__(self, l: int, soap: SoapPowerSpectrum, n_in: int, n_out: int, mlp: bool) -> None:
        super().__init__()
        self.l = l
        self.mix = Mix(l, soap, n_in)
        self.gates = Head(soap.n_types, n_in, n_in, mlp)
        self.last = OrdersLinear(soap.n_types, n_in, n_out)

    def forward(self, features: Tensor, densities: List[Tensor], counts: List[int]) -> Tensor:
        """[n_rows, 2l + 1, n_out]."""
        mixed = self.mix(densities[self.l], counts)
        gates: Tensor = self.gates(features, densities, counts)
        values: Tensor = self.last(mixed * gates[:, None, :], counts)
        return values


class Pseudo(torch.nn.Module):
    """(l, σ = -1), l ≥ 1: products of densities of degrees 1 and l, coupled to l.

    ``Σ_a u_a (G_a w)_m`` with the generators G of rotations: the cross product where l is 1.
    """

    def __init__(self, l: int, soap: SoapPowerSpectrum, n_in: int, n_out: int, mlp: bool) -> None:
        super().__init__()
        self.l = l
        self.couple = Coupling(l)
        self.vectors = Mix(1, soap, n_in)
        self.mix = Mix(l, soap, n_in)
        self.gates = Head(soap.n_types, n_in, n_in, mlp)
        self.last = OrdersLinear(soap.n_types, n_in, n_out)

    def forward(self, features: Tensor, densities: List[Tensor], counts: List[int]) -> Tensor:
        """[n_rows, 2l + 1, n_out]."""
        vectors = self.vectors(densities[1], counts)
        coupled = self.couple(vectors, self.mix(densities[self.l], counts))
        gates: Tensor = self.gates(features, densities, counts)
        values: Tensor = self.last(coupled * gates[:, None, :], counts)
        return values


class Pseudoscalar(torch.nn.Module):
    """(l = 0, σ = -1): triple products u · (v × w) of densities of degree 1."""

    def __init__(self, soap: SoapPowerSpectrum, n_in: int, n_out: int, mlp: bool) -> None:
        super().__init__()
        self.couple = Coupling(1)
        self.vectors = torch.nn.ModuleList([Mix(1, soap, n_in) for _ in range(3)])
        self.gates = Head(soap.n_types, n_in, n_in, mlp)
        self.last = OrdersLinear(soap.n_types, n_in, n_out)

    def forward(self, features: Tensor, densities: List[Tensor], counts: List[int]) -> Tensor:
        """[n_rows, 1, n_out]."""
        vectors: List[Tensor] = []
        for mix in self.vectors:
            vectors.append(mix(densities[1], counts))
        products = (vectors[0] * self.couple(vectors[1], vectors[2])).sum(dim=1, keepdim=True)
        gates: Tensor = self.gates(features, densities, counts)
        values: Tensor = self.last(products * gates[:, None, :], counts)
        return values


class TensorHead(torch.nn.Module):
    """From features and densities of atoms to the components of one target.

    :param target: of a kind whose irreducible parts the densities can hold.
    :param n_in: number of features, and of mixed densities.
    """

    def __init__(self, soap: SoapPowerSpectrum, n_in: int, target: TargetInfo, mlp: bool) -> None:
        super().__init__()
        kind = target.of_kind
        self.parts = torch.nn.ModuleList()
        self.channels: List[int] = []
        for one, number in kind.irreducible_groups:
            n_out = number * target.properties
            self.channels.append(number)
            if one.l == 0 and one.sigma == 1:
                self.parts.append(Invariant(soap.n_types, n_in, n_out, mlp))
            elif one.l == 0:
                self.parts.append(Pseudoscalar(soap, n_in, n_out, mlp))
            else:
                made = Proper if one.sigma == 1 else Pseudo
                self.parts.append(made(one.l, soap, n_in, n_out, mlp))
        self.shape: List[int] = [-1, *target.shape]
        self.properties = target.properties
        self.to_components = Constant(kind.from_irreducible())

    def features(self, features: Tensor, counts: List[int]) -> Tensor:
        """Nothing: a linear layer of the hidden features does not give tensors."""
        return features[:, :0]

    def forward(self, features: Tensor, densities: List[Tensor], counts: List[int]) -> Tensor:
        """[n_rows, *components, properties].

        :param densities: for every l, [n_rows, 2l + 1, channels].
        """
        found: List[Tensor] = []
        for i, part in enumerate(self.parts):
            one: Tensor = part(features, densities, counts)
            if self.channels[i] > 1:  # several parts of one degree and parity, one after the other
                one = one.view(one.shape[0], one.shape[1], self.channels[i], self.properties)
                one = one.transpose(1, 2).flatten(1, 2)
            found.append(one)
        values: Tensor = self.to_components() @ torch.cat(found, dim=1)
        return values.reshape(self.shape)


class OrdersLinear(torch.nn.Module):
    """W_t for an atom of type t on the last axis of tensors, the same for every order m."""

    def __init__(self, n_types: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.linear = SpeciesLinear(n_types, n_in, n_out)

    def forward(self, tensors: Tensor, counts: List[int]) -> Tensor:
        """[n_rows, 2l + 1, n_in] to [n_rows, 2l + 1, n_out]."""
        n_orders = tensors.shape[1]
        rows: List[int] = [count * n_orders for count in counts]
        values: Tensor = self.linear(tensors.flatten(0, 1), rows)
        return values.view(tensors.shape[0], n_orders, values.shape[1])


class Mix(torch.nn.Module):
    """Densities of degree l to as many channels as there are features, for each element."""

    def __init__(self, l: int, soap: SoapPowerSpectrum, n_out: int) -> None:
        super().__init__()
        self.orders = OrdersLinear(soap.n_types, soap.k_per_l[l], n_out)
        # radial functions are normalised in the sphere: densities of as many neighbours in random
        # directions become of the order of one
        self.size = math.sqrt(4 / 3 * math.pi * soap.radial.cutoff**3 / USUAL)

    def forward(self, density: Tensor, counts: List[int]) -> Tensor:
        """[n_rows, 2l + 1, k] to [n_rows, 2l + 1, n_out]."""
        mixed: Tensor = self.orders(density * self.size, counts)
        return mixed


class Coupling(torch.nn.Module):
    """``Σ_a u_a (G_a w)_m`` of degree-1 and degree-l tensors, in the order of harmonics."""

    def __init__(self, l: int) -> None:
        super().__init__()
        # vectors are in the order y, z, x; [2l + 1, 3 (2l + 1)], rows are m
        about = generators(l)[[1, 2, 0]]
        self.couple = Constant(about.transpose(0, 1).flatten(1))

    def forward(self, vectors: Tensor, tensors: Tensor) -> Tensor:
        """[n, 2l + 1, C] from [n, 3, C] and [n, 2l + 1, C]."""
        products = vectors[:, :, None] * tensors[:, None]
        coupled: Tensor = self.couple() @ products.flatten(1, 2)
        return coupled


def known_mix(fresh: Tensor, known: Tensor, soap: SoapPowerSpectrum, places: List[int]) -> Tensor:
    """Weights of :class:`Mix` for more elements, whose neighbours count for nothing at first.

    :param fresh: [n_types, n_out, k] of this model, with elements that ``known`` lacks.
    :param places: where the elements of ``known`` are among those of this model.
    """
    columns = soap.channels_of(fresh.shape[2], places).to(fresh.device)
    rows = torch.zeros_like(fresh[places]).index_copy(-1, columns, known.to(fresh.dtype))
    return with_known_species(fresh, rows, places)
