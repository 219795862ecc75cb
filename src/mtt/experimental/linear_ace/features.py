"""Products of densities of one atom, and their gradients by the vectors to its neighbours.

Everything is laid out by feature first and atom (or pair) last, so that taking some of the
features copies whole rows.
"""

from typing import List

import torch
from torch import Tensor

from mtt.experimental.linear_ace.coupling import coupling
from mtt.experimental.linear_ace.products import Contraction, Products
from mtt.nn import Constant


class Coupling(torch.nn.Module):
    """Vectors of degree l from channels of the degrees l1 and l2.

    :param q1: [r] channel of degree l1 of each vector; ``q2`` likewise.
    """

    q1: Tensor
    q2: Tensor

    def __init__(self, l1: int, l2: int, l: int, q1: List[int], q2: List[int]) -> None:
        super().__init__()
        self.l1, self.l2 = l1, l2
        self.matrix = Constant(coupling(l1, l2, l).reshape(-1, 2 * l + 1).T)
        self.register_buffer("q1", torch.tensor(q1), persistent=False)
        self.register_buffer("q2", torch.tensor(q2), persistent=False)
        self.shape: List[int] = [2 * l1 + 1, 2 * l2 + 1, 2 * l + 1]

    def forward(self, channels: List[Tensor]) -> Tensor:
        """[r, 2l + 1, n], from channels [q, 2l + 1, n] of every degree."""
        one = channels[self.l1].index_select(0, self.q1)
        other = channels[self.l2].index_select(0, self.q2)
        outer = (one[:, :, None] * other[:, None]).flatten(1, 2)
        return torch.matmul(self.matrix(), outer)

    @torch.jit.unused
    def gradient(self, channels: List[Tensor], slopes: List[Tensor]) -> Tensor:
        """[r, 2l + 1, 3, P], from channels at the centre of each pair and their gradients."""
        table = self.matrix().view(self.shape[2], self.shape[0], self.shape[1])
        one, other = channels[self.l1][self.q1], channels[self.l2][self.q2]
        by_one = torch.einsum("mab,rbp->ramp", table, other)
        by_other = torch.einsum("mab,rap->rbmp", table, one)
        slope, other_slope = slopes[self.l1][self.q1], slopes[self.l2][self.q2]
        total = by_one[:, 0, :, None] * slope[:, 0, None]
        for a in range(1, self.shape[0]):
            total.addcmul_(by_one[:, a, :, None], slope[:, a, None])
        for b in range(self.shape[1]):
            total.addcmul_(by_other[:, b, :, None], other_slope[:, b, None])
        return total

    def extra_repr(self) -> str:
        return f"{self.l1} x {self.l2}, {self.q1.shape[0]} vectors"


class Invariants(torch.nn.Module):
    """Inner products of vectors of one degree and parity.

    :param n_channels: channels of that degree, which are vectors too where the parity is even.
    """

    norm: float
    first: Tensor
    second: Tensor
    slots: Tensor

    def __init__(self, plan: Contraction, n_channels: int) -> None:
        super().__init__()
        self.l = plan.l
        self.with_channels = not plan.odd
        groups: dict[tuple[int, int], list[int]] = {}
        for place, one in enumerate(plan.coupled):
            groups.setdefault((one.l1, one.l2), []).append(place)
        self.couplings = torch.nn.ModuleList(
            [
                Coupling(
                    *degrees,
                    plan.l,
                    [plan.coupled[i].q1 for i in places],
                    [plan.coupled[i].q2 for i in places],
                )
                for degrees, places in groups.items()
            ]
        )
        self.n_vectors = len(plan.coupled) + (n_channels if self.with_channels else 0)
        self.n_features = len(plan.first)
        first, second = torch.tensor(plan.first), torch.tensor(plan.second)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.register_buffer("slots", first * self.n_vectors + second, persistent=False)
        self.norm = (2 * plan.l + 1) ** -0.5

    def vectors(self, channels: List[Tensor]) -> Tensor:
        """[n_vectors, 2l + 1, n]."""
        found: List[Tensor] = []
        if self.with_channels:
            found.append(channels[self.l])
        for one in self.couplings:
            found.append(one(channels))
        return torch.cat(found)

    def forward(self, channels: List[Tensor], weights: Tensor, counts: List[int]) -> Tensor:
        """[n] Σ weights · features; atoms come grouped by element, ``counts`` of each.

        :param weights: [n_types, n_features].
        """
        vectors = self.vectors(channels)
        # a quadratic form of the vectors, for each element
        size = self.n_vectors
        forms = weights.new_zeros(weights.shape[0], size * size)
        forms = forms.index_copy(1, self.slots, weights * self.norm)
        parts: List[Tensor] = []
        start = 0
        for t, count in enumerate(counts):
            own = vectors[:, :, start : start + count]
            turned = torch.matmul(forms[t].view(size, size), own.reshape(size, -1))
            parts.append((own * turned.view_as(own)).sum(dim=[0, 1]))
            start += count
        return torch.cat(parts)

    def values(self, channels: List[Tensor]) -> Tensor:
        """[n_features, n]."""
        vectors = self.vectors(channels)
        products: Tensor = vectors[self.first] * vectors[self.second]
        return products.sum(1) * self.norm

    @torch.jit.unused
    def gradients(self, channels: List[Tensor], slopes: List[Tensor], out: Tensor) -> None:
        """Write [n_features, 3, P] into ``out``; channels are those at the centre of each pair."""
        vectors = self.vectors(channels) * self.norm
        found = [slopes[self.l]] if self.with_channels else []
        for one in self.couplings:
            assert isinstance(one, Coupling)
            found.append(one.gradient(channels, slopes))
        by_pair = torch.cat(found)
        out.zero_()
        for m in range(2 * self.l + 1):
            values, own = vectors[:, m, None], by_pair[:, m].contiguous()
            out.addcmul_(own[self.first], values[self.second])
            out.addcmul_(values[self.first], own[self.second])

    def extra_repr(self) -> str:
        parity = "" if self.with_channels else ", odd"
        return f"l={self.l}{parity}, {self.n_vectors} vectors, {self.n_features} features"


class Features(torch.nn.Module):
    """All features of an atom, from its channels."""

    def __init__(self, products: Products) -> None:
        super().__init__()
        self.single = products.single
        self.n_features = products.n_features
        self.invariants = torch.nn.ModuleList(
            [Invariants(one, products.channels[one.l]) for one in products.contractions]
        )
        self.ends: List[int] = [self.single]
        for one in products.contractions:
            self.ends.append(self.ends[-1] + len(one.first))

    def forward(self, channels: List[Tensor], weights: Tensor, counts: List[int]) -> Tensor:
        """[n] Σ weights · features; see :meth:`Invariants.forward`."""
        sizes = torch.tensor(counts).to(weights.device, non_blocking=True)
        types = torch.repeat_interleave(sizes, output_size=sum(counts))
        energies = torch.zeros_like(channels[0][0, 0])
        if self.single > 0:
            own = weights[:, : self.single].index_select(0, types)
            energies = (channels[0][: self.single, 0] * own.T).sum(0)
        for i, one in enumerate(self.invariants):
            energies = energies + one(channels, weights[:, self.ends[i] : self.ends[i + 1]], counts)
        return energies

    def values(self, channels: List[Tensor]) -> Tensor:
        """[n_features, n]."""
        found: List[Tensor] = [channels[0][: self.single, 0]]
        for one in self.invariants:
            found.append(one.values(channels))  # type: ignore[operator]
        return torch.cat(found)

    @torch.jit.unused
    def gradients(self, channels: List[Tensor], slopes: List[Tensor]) -> Tensor:
        """[n_features, 3, P], from channels at the centre of each pair and their gradients."""
        n_pairs = slopes[0].shape[3]
        found = slopes[0].new_empty(self.n_features, 3, n_pairs)
        found[: self.single] = slopes[0][: self.single, 0]
        for i, one in enumerate(self.invariants):
            assert isinstance(one, Invariants)
            one.gradients(channels, slopes, found[self.ends[i] : self.ends[i + 1]])
        return found
