"""Radial basis functions: eigenstates of the Laplacian in a sphere."""

import math
from functools import cache
from typing import List, Tuple

import numpy as np
import torch
from torch import Tensor

from mtt.errors import ArchitectureError
from mtt.nn.constant import Constant


class LaplacianEigenstates(torch.nn.Module):
    """R_ln(r) = N_ln j_l(z_ln r / cutoff), the radial part of the smoothest basis in a sphere.

    ``z_ln`` is zero number n = 0, 1, … of the spherical Bessel function j_l; functions of one
    l are orthonormal, ∫ r² R_ln R_ln' dr = δ. For every l ≤ ``max_angular`` there are as many
    functions as have an eigenvalue (z_ln)² not above that of l = 0, n = ``max_radial``
    (Bigi et al., J. Chem. Phys. 157, 234101 (2022)), so fewer for higher l.

    The functions are entire; they are evaluated as one Chebyshev expansion, exact to the
    last digits of float64, smooth to all orders.

    ``wave_numbers`` are z_ln / cutoff, in the order of the columns.

    :param cutoff: radius at which all functions vanish.
    :param max_radial: n of the last function of l = 0, ≥ 0.
    :param max_angular: highest l, ≥ 0.
    :raises ArchitectureError: some l ≤ max_angular would have no function at all.
    """

    def __init__(self, cutoff: float, max_radial: int, max_angular: int) -> None:
        super().__init__()
        self.cutoff = float(cutoff)
        limit = (max_radial + 1) * math.pi  # zeros of j_0 are the multiples of π
        zeros = [_bessel_zeros(l, limit) for l in range(max_angular + 1)]
        self.n_per_l: List[int] = [len(z) for z in zeros]
        if 0 in self.n_per_l:
            highest = self.n_per_l.index(0) - 1
            raise ArchitectureError(
                f"max_radial {max_radial} leaves no radial function for l = {highest + 1}",
                hint=f"raise max_radial, or lower max_angular to {highest}",
            )
        self.wave_numbers: List[float] = (np.concatenate(zeros) / self.cutoff).tolist()
        coefficients = _chebyshev_coefficients(zeros, self.cutoff)
        self.coefficients = Constant(coefficients)
        degrees = torch.arange(len(coefficients), dtype=torch.float64)
        self.degrees = Constant(degrees)
        # x = scale r - margin maps [0, cutoff] to [-margin, margin]
        self.margin = _MARGIN
        self.scale = 2 * _MARGIN / self.cutoff
        self.slope_coefficients = Constant(coefficients * degrees[:, None] * self.scale)

    def forward(self, r: Tensor) -> Tensor:
        """[n, Σ n_per_l] from distances [n]; columns are ordered by l, then n."""
        return self.coefficients.times(torch.cos(self._angle(r)[:, None] * self.degrees()))

    def with_derivative(self, r: Tensor) -> Tuple[Tensor, Tensor]:
        """R and dR/dr, both [n, Σ n_per_l]."""
        angle = self._angle(r)[:, None]
        angles = angle * self.degrees()
        values = self.coefficients.times(torch.cos(angles))
        # T_k' = k sin(k θ) / sin θ
        slopes = self.slope_coefficients.times(torch.sin(angles))
        return values, slopes / torch.sin(angle)

    def _angle(self, r: Tensor) -> Tensor:
        # beyond the cutoff, where a cutoff function is zero anyway, the functions stay finite
        return torch.acos(r.clamp(max=self.cutoff) * self.scale - self.margin)

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff}, n_per_l={self.n_per_l}"


# of the mapped distances: arccos is singular at -1 and 1
_MARGIN = 0.98
# Chebyshev coefficients below this, relative to the largest, are noise and dropped
_TAIL = 1e-14


def _spherical_bessel(l: int, x: np.ndarray) -> np.ndarray:
    """j_l(x) = ½ (-i)^l ∫ P_l(t) exp(i x t) dt over [-1, 1] (DLMF 10.54.2), by quadrature."""
    nodes, weights = _quadrature(l, int(np.max(x, initial=0.0)) + l + 32)
    phase = x[..., None] * nodes
    # the other parity integrates to zero; (-i)^l i^(l odd) is a sign
    wave = np.cos(phase) if l % 2 == 0 else np.sin(phase)
    values: np.ndarray = (-1) ** (l // 2) * wave @ weights
    return values


@cache  # 60 steps of a bisection take the same few, which cost more than all else
def _quadrature(l: int, n: int) -> Tuple[np.ndarray, np.ndarray]:
    """``n`` nodes of Gauss and Legendre, and their weights times P_l / 2."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return nodes, weights * np.polynomial.legendre.Legendre.basis(l)(nodes) / 2


@cache
def _bessel_zeros(l: int, limit: float) -> np.ndarray:
    """Positive zeros of j_l up to and including ``limit``, ascending, by bisection."""
    # zeros are more than π/2 apart and the first one is larger than l
    grid = np.arange(max(l, 1), limit + 1.0, 0.1)
    signs = np.sign(_spherical_bessel(l, grid))
    low = grid[:-1][signs[:-1] != signs[1:]]
    high = low + 0.1
    left = np.sign(_spherical_bessel(l, low))
    for _ in range(60):
        middle = (low + high) / 2
        inside = np.sign(_spherical_bessel(l, middle)) == left
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    zeros: np.ndarray = (low + high) / 2
    zeros = zeros[zeros < limit * (1 + 1e-10)]
    zeros.flags.writeable = False
    return zeros


def _chebyshev_coefficients(zeros: List[np.ndarray], cutoff: float) -> Tensor:
    """Expansion of all functions in T_k(x) of the mapped distance, [K, Σ n_per_l] float64."""
    highest = max(float(z[-1]) for z in zeros)
    n_nodes = int(highest) + 64  # the degree that is needed is about highest / 2 + 30
    theta = math.pi * (np.arange(n_nodes) + 0.5) / n_nodes
    reduced = (np.cos(theta) / _MARGIN + 1) / 2  # r / cutoff; slightly beyond [0, 1]
    columns = []
    for l, z in enumerate(zeros):
        # ∫ r² j_l(z r / c)² dr = c³ j_(l+1)(z)² / 2 (DLMF 10.22.37)
        norms = np.sqrt(2 / cutoff**3) / np.abs(_spherical_bessel(l + 1, z))
        sign = np.sign(reduced[:, None]) ** l  # parity of j_l
        columns.append(sign * norms * _spherical_bessel(l, np.abs(reduced[:, None]) * z))
    values = np.concatenate(columns, axis=1)
    transform = 2 / n_nodes * np.cos(np.arange(n_nodes)[:, None] * theta)
    transform[0] /= 2
    coefficients = transform @ values
    sizes = np.abs(coefficients).max(axis=1)
    needed = int(np.nonzero(sizes > _TAIL * sizes.max())[0][-1]) + 1
    return torch.from_numpy(coefficients[:needed].copy())
