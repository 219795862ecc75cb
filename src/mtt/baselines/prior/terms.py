"""The terms of the prior: parameters, and the energy of every bond, angle, dihedral and pair."""

from typing import List, Sequence, Tuple

import torch
from torch import Tensor

from mtt.baselines.exact import ExactTable


class Tuples(torch.nn.Module):
    """Tuples of elements that have parameters, and which row of them is whose.

    :param names: ``"C-C-H"`` for every row.
    :param codes: the tuples as numbers, in the order of ``names``, ascending.
    """

    codes: Tensor
    known: Tensor

    def __init__(self, names: Sequence[str], codes: Sequence[int]) -> None:
        super().__init__()
        self.names = list(names)
        self.given = [False for _ in names]  # by the options, rather than by the data
        self.register_buffer("codes", torch.tensor(codes, dtype=torch.int64), persistent=False)
        # rows without values yet (or never, where the data lack them) add no energy
        self.register_buffer("known", torch.zeros(len(codes), dtype=torch.bool))

    def forward(self, codes: Tensor) -> Tensor:
        """Row of each of ``codes``, -1 where it has none."""
        row = torch.searchsorted(self.codes, codes).clamp(max=self.codes.shape[0] - 1)
        return torch.where(self.codes[row] == codes, row, torch.full_like(row, -1))

    def extra_repr(self) -> str:
        shown = ", ".join(self.names[:6]) + (", …" if len(self.names) > 6 else "")
        return f"{len(self.names)}: {shown}"


class Harmonic(torch.nn.Module):
    """½ k (x - x0)², with k = exp(log_k): a force constant stays positive whatever moves it."""

    def __init__(self, tuples: Tuples) -> None:
        super().__init__()
        self.tuples = tuples
        n = len(tuples.names)
        self.log_k = torch.nn.Parameter(torch.zeros(n, dtype=torch.float64))
        self.minimum = torch.nn.Parameter(torch.ones(n, dtype=torch.float64))

    def forward(self, row: Tensor, x: Tensor) -> Tensor:
        """Energies [n] of the bonds or angles ``x`` [n] with parameters ``row`` [n]."""
        energy = torch.exp(self.log_k[row]) * (x - self.minimum[row]) ** 2 / 2
        return energy * self.tuples.known[row].to(energy.dtype)


class Fourier(torch.nn.Module):
    """Σ a_n cos nφ + b_n sin nφ, n from 1 to ``order``; without sines unless ``chiral``."""

    def __init__(self, tuples: Tuples, order: int, chiral: bool) -> None:
        super().__init__()
        self.tuples = tuples
        self.order = order
        self.chiral = chiral
        shape = (len(tuples.names), order * (2 if chiral else 1))
        # a_1 … a_order, then b_1 … b_order
        self.coefficients = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))

    def forward(self, row: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Energies [n] of the dihedral angles with this ``cosine`` [n] and ``sine`` [n]."""
        energy = torch.zeros_like(cosine)
        c, s = torch.ones_like(cosine), torch.zeros_like(sine)
        for n in range(self.order):
            c, s = c * cosine - s * sine, s * cosine + c * sine  # of (n + 1) φ
            energy = energy + self.coefficients[row, n] * c
            if self.chiral:
                energy = energy + self.coefficients[row, self.order + n] * s
        return energy * self.tuples.known[row].to(energy.dtype)

    def extra_repr(self) -> str:
        return f"order={self.order}, chiral={self.chiral}"


class Repulsion(torch.nn.Module):
    """ε (σ / r)^p S(r) of two atoms, by the rules of Lorentz and Berthelot.

    σ_ij is the mean of σ_i and σ_j, ε_ij the geometric mean of ε_i and ε_j. Of one element,
    energies depend on ε σ^p alone; σ is therefore given once and for all, and log ε is what is
    learnt. S is 1 up to ``onset``, 0 from ``cutoff`` on, and between them

        (r_c² - r²)² (r_c² + 2 r² - 3 r_o²) / (r_c² - r_o²)³

    (Brooks et al., J. Comput. Chem. 4, 187 (1983)), which is continuous with its slope. Atoms
    closer than a hundredth of σ repel as if at that distance, without a force.

    :param sigma: [n_types] unit of length.
    :param epsilon: [n_types] unit of energy.
    """

    def __init__(
        self, sigma: List[float], epsilon: List[float], power: int, onset: float, cutoff: float
    ) -> None:
        super().__init__()
        self.power = power
        self.onset = onset
        self.cutoff = cutoff
        self.n_types = len(sigma)
        radius = torch.tensor(sigma, dtype=torch.float64)
        self.sigma = ExactTable((radius[:, None] + radius).flatten() / 2)
        self.log_epsilon = torch.nn.Parameter(torch.tensor(epsilon, dtype=torch.float64).log())

    def forward(self, first: Tensor, second: Tensor, r: Tensor) -> Tensor:
        """Energies [n] of pairs of types ``first`` [n] and ``second`` [n] at distance ``r`` [n]."""
        sigma = self.sigma(first * self.n_types + second)
        strength = torch.exp((self.log_epsilon[first] + self.log_epsilon[second]) / 2)
        energy: Tensor = strength * (sigma / torch.maximum(r, sigma / 100)) ** self.power
        outer, inner, square = self.cutoff**2, self.onset**2, r * r
        switch = (outer - square) ** 2 * (outer + 2 * square - 3 * inner) / (outer - inner) ** 3
        switch = torch.where(r < self.onset, torch.ones_like(r), switch)
        return energy * torch.where(r < self.cutoff, switch, torch.zeros_like(r))

    def extra_repr(self) -> str:
        return f"power={self.power}, onset={self.onset}, cutoff={self.cutoff}"


def bond_codes(a: Tensor, b: Tensor, n_types: int) -> Tensor:
    """One number for the bonds a-b and b-a."""
    return torch.minimum(a, b) * n_types + torch.maximum(a, b)


def angle_codes(a: Tensor, b: Tensor, c: Tensor, n_types: int) -> Tensor:
    """One number for the angles a-b-c and c-b-a, with b in the middle."""
    return b * n_types * n_types + bond_codes(a, c, n_types)


def dihedral_codes(a: Tensor, b: Tensor, c: Tensor, d: Tensor, n_types: int) -> Tensor:
    """One number for the chains a-b-c-d and d-c-b-a."""
    forth = ((a * n_types + b) * n_types + c) * n_types + d
    back = ((d * n_types + c) * n_types + b) * n_types + a
    return torch.minimum(forth, back)


def columns(types: Sequence[Sequence[int]]) -> Tuple[Tensor, ...]:
    """The tuples [m, k] as k tensors [m]."""
    return torch.tensor([list(one) for one in types], dtype=torch.int64).unbind(1)
