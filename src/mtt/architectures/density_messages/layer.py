"""One round of messages: densities seen along pairs, pairs summed to densities."""

from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor

from mtt.nn import Constant, silu


class Pairs(NamedTuple):
    """The pairs of all atoms in a table, one row of K slots per atom; zeros in empty slots."""

    basis: Tensor  # [N, K, n_angular + n_scalar], f Y_lm, then f B_n and 1
    angular: Tensor  # [N, K, n_angular], the first part of it
    scalar: Tensor  # [N, K, n_scalar], the second part
    reverse: Tensor  # [N · K] int64, slot of the same pair seen from its other end


class DegreeLinear(torch.nn.Module):
    """A linear map for each degree l, the same for all m: commutes with rotations.

    :param max_angular: highest l.
    :param gain: size of results at the start, of those of normal numbers.
    """

    def __init__(self, max_angular: int, n_in: int, n_out: int, gain: float = 1.0) -> None:
        super().__init__()
        size = gain / n_in**0.5
        self.weight = torch.nn.Parameter(size * torch.randn(max_angular + 1, n_in, n_out))
        self.to_orders = Constant(orders_of_degrees(max_angular))

    def forward(self, x: Tensor) -> Tensor:
        """[n_angular, N, n_in] to [n_angular, N, n_out]."""
        weight = self.to_orders() @ self.weight.flatten(1)
        return torch.bmm(x, weight.view(-1, self.weight.shape[1], self.weight.shape[2]))

    def extra_repr(self) -> str:
        return "degrees={}, {} -> {}".format(*self.weight.shape)


class Layer(torch.nn.Module):
    """Scalars and densities of atoms to new ones, by way of the pairs.

    Atoms have scalars ``x`` [N, D] and densities ``v`` [n_angular, N, C].

    :param radial_decay: how fast the radial functions become smaller with n.
    :param normalize: divide what goes into the activation by √(1 + its mean square): sums of
        products that grow from layer to layer cannot.
    :param first: there are no densities yet.
    :param last: its densities have no gates: those who read vectors and tensors from them do.
    """

    def __init__(
        self,
        *,
        max_angular: int,
        n_radial: int,
        radial_decay: float,
        n_channels: int,
        n_features: int,
        normalize: bool,
        first: bool,
        last: bool,
    ) -> None:
        super().__init__()
        n_degrees = max_angular + 1
        self.last, self.normalize = last, normalize
        self.n_degrees, self.n_channels, self.n_features = n_degrees, n_channels, n_features
        # what a pair sees of an atom: the first C channels from the atom, the others from afar
        norm = torch.arange(1.0, n_radial + 1).pow(-radial_decay).norm().item()
        self.radial = torch.nn.Parameter(torch.randn(n_radial, 1, 2 * n_channels) / norm)
        self.constant = torch.nn.Linear(n_features, 2 * n_channels)
        gain = n_degrees**-0.5
        self.project = (
            None if first else DegreeLinear(max_angular, n_channels, 2 * n_channels, gain)
        )
        self.mix = DegreeLinear(max_angular, n_channels, 2 * n_channels)
        n_products = n_degrees * n_channels
        self.products = torch.nn.Parameter(
            torch.randn(n_degrees, n_channels, n_features) / n_products**0.5
        )
        self.own = torch.nn.Linear(n_channels, n_features)
        n_gates = 0 if last else n_products
        self.update = torch.nn.Linear(n_features, n_features + n_gates)
        to_orders = orders_of_degrees(max_angular)
        self.to_orders = Constant(to_orders)
        # Σ_m / √(2l + 1): the sum of 2l + 1 products is of the size of one
        self.sum_orders = Constant((to_orders / to_orders.sum(dim=0).sqrt()).T.contiguous())

    def forward(self, pairs: Pairs, x: Tensor, v: Tensor) -> Tuple[Tensor, Tensor]:
        """New scalars and densities."""
        messages = self.messages(pairs, x, v)
        sums = torch.bmm(pairs.angular.transpose(1, 2), messages)
        left, right = self.mix(sums.transpose(0, 1)).split(self.n_channels, dim=2)
        if self.project is not None:
            left = left + v
        # invariants: Σ_m left_lm right_lm / √(2l + 1), mixed
        products = self.sum_orders() @ (left * right).flatten(1)
        products = products.view(self.n_degrees, -1, self.n_channels).transpose(0, 1)
        hidden = products.flatten(1) @ self.products.view(-1, self.n_features)
        hidden = hidden + self.own(left[0]) + x
        if self.normalize:
            hidden = hidden * torch.rsqrt(1.0 + hidden.square().mean(dim=1, keepdim=True))
        change = self.update(silu(hidden))
        if self.last:
            return x + change, left
        change, gates = change.split([self.n_features, self.n_degrees * self.n_channels], dim=1)
        gates = gates.view(-1, self.n_degrees, self.n_channels).transpose(0, 1)
        return x + change, left * (self.to_orders() @ gates.flatten(1)).view(left.shape)

    def messages(self, pairs: Pairs, x: Tensor, v: Tensor) -> Tensor:
        """[N, K, C] scalars of pairs: what both atoms' densities are in the pair's direction."""
        radial = self.radial.expand(-1, x.shape[0], -1)
        parts: List[Tensor] = [radial, self.constant(x)[None]]
        basis = pairs.scalar
        if self.project is not None:
            parts.insert(0, self.project(v))
            basis = pairs.basis
        seen = torch.bmm(basis, torch.cat(parts).transpose(0, 1))
        here, there = seen.split(self.n_channels, dim=2)
        there = there.reshape(-1, self.n_channels).index_select(0, pairs.reverse)
        return silu(here + there.view(here.shape))

    def extra_repr(self) -> str:
        n_radial, n_channels, n_features = len(self.radial), self.n_channels, self.n_features
        return f"n_radial={n_radial}, n_channels={n_channels}, n_features={n_features}"


def orders_of_degrees(max_angular: int) -> Tensor:
    """[n_angular, max_angular + 1] float64, one where the order belongs to the degree.

    Products with it take the place of indexing, whose derivatives are scattered sums.
    """
    degrees = torch.arange(max_angular + 1)
    return torch.nn.functional.one_hot(degrees.repeat_interleave(2 * degrees + 1)).double()
