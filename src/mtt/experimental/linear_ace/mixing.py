"""Principal components of the density: a few channels that hold most of what differs.

Goscinski, Musil, Pozdnyakov, Nigam and Ceriotti, J. Chem. Phys. 155, 104106 (2021).
"""

from typing import Iterable, List, Sequence

import torch
from torch import Tensor

from mtt import Graph
from mtt.experimental.linear_ace.density import Density
from mtt.nn import neighborhoods


class Mixing(torch.nn.Module):
    """Channels of one degree: linear combinations of radial functions and elements of neighbours.

    :param n_types: number of elements of atoms, each of which has its own channels.
    :param k: functions that are combined.
    :param channels: that are kept, at most ``k``.
    """

    values: Tensor

    def __init__(self, n_types: int, k: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.eye(k)[:, :channels].repeat(n_types, 1, 1))

    def forward(self, density: Tensor, counts: List[int]) -> Tensor:
        """[channels, 2l + 1, n], from [n, 2l + 1, k]; ``counts`` atoms of each element in turn."""
        parts: List[Tensor] = []
        start = 0
        for t, count in enumerate(counts):
            parts.append(torch.matmul(density[start : start + count], self.values[t]))
            start += count
        return torch.cat(parts).permute(2, 1, 0).contiguous()

    def extra_repr(self) -> str:
        n_types, k, channels = self.values.shape
        return f"{k}, {channels}, n_types={n_types}"


def principal_channels(density: Density, mixing: Sequence[Mixing], graphs: Iterable[Graph]) -> None:
    """Fit ``mixing`` of every degree to all atoms of ``graphs``.

    The covariance is summed over the orders m of a degree, so that turned structures give the
    same. Channels descend by their size; the size of the first one of l = 0 becomes 1.
    """
    n_types = density.n_types
    squares = [
        mix.values.new_zeros(n_types, k, k) for mix, k in zip(mixing, density.k_per_l, strict=True)
    ]
    numbers = torch.zeros(n_types, dtype=torch.float64)
    for graph in graphs:
        rows = torch.arange(graph.types.shape[0], device=graph.types.device)
        layout = neighborhoods(graph.centers, rows)
        found = density(graph.vectors, graph.types[graph.neighbors], layout)
        for t in range(n_types):
            own = graph.types == t
            numbers[t] += int(own.sum())
            for l, one in enumerate(found):
                flat = one[own].flatten(0, 1)
                squares[l][t] += flat.T @ flat
    for t in range(n_types):
        size = 1.0
        for l, mix in enumerate(mixing):
            mean = squares[l][t] / (max(float(numbers[t]), 1.0) * (2 * l + 1))
            values, vectors = torch.linalg.eigh(mean)
            if l == 0 and float(values[-1]) > 0:
                size = float(values[-1]) ** -0.5
            kept = vectors.flip(1)[:, : mix.values.shape[2]]
            # an eigenvector has no sign: the largest component is positive
            largest = kept.gather(0, kept.abs().argmax(dim=0, keepdim=True))
            mix.values[t] = kept * torch.where(largest < 0, -size, size)
