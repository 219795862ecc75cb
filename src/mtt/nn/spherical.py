"""Real spherical harmonics by a recursion of matrix products."""

import math
from typing import List

import torch
from torch import Tensor

from mtt.harmonics import coupling_matrix
from mtt.nn.constant import Constant


class SphericalHarmonics(torch.nn.Module):
    """Real orthonormal spherical harmonics of unit vectors, l = 0 … l_max, m = -l … l.

    No Condon-Shortley phase: for l = 1 the components are √(3/4π) (y, z, x).

    ``Y_l = (v ⊗ Y_(l-1)) C_l`` with constant matrices ``C_l``, the stretched coupling of
    l = 1 and l - 1. No angle appears, so that poles are like any other point. For vectors
    that are not of unit length the result is the solid harmonic ``|v|^l Y_l``, whose
    gradient is again a coupling, ``∂_i Y_l = l Σ_a Y_(l-1),a C_l[(i, a), :]``.

    :param l_max: highest degree, ≥ 0.
    """

    def __init__(self, l_max: int) -> None:
        super().__init__()
        self.l_max = l_max
        self.couplings = torch.nn.ModuleList(
            [_Coupling(coupling_matrix(l)) for l in range(1, l_max + 1)]
        )
        # all gradients at once: rows (i, a of l - 1), columns b of l
        rows, columns = l_max**2, (l_max + 1) ** 2
        gradient = torch.zeros(3, rows, columns, dtype=torch.float64)
        for l in range(1, l_max + 1):
            below = slice((l - 1) ** 2, l**2)
            own = slice(l**2, (l + 1) ** 2)
            gradient[:, below, own] = l * coupling_matrix(l).reshape(3, 2 * l - 1, 2 * l + 1)
        self.gradient = Constant(gradient.reshape(3 * rows, columns))

    def forward(self, units: Tensor) -> Tensor:
        """[n, (l_max + 1)²], from unit vectors [n, 3]."""
        last = units.new_full([units.shape[0], 1], 0.5 / math.sqrt(math.pi))
        degrees: List[Tensor] = [last]
        for coupling in self.couplings:
            last = coupling(units, last)
            degrees.append(last)
        return torch.cat(degrees, dim=1)

    def gradients(self, harmonics: Tensor) -> Tensor:
        """Of the solid harmonics, [n, 3, (l_max + 1)²].

        :param harmonics: what :meth:`forward` gave for the same vectors, or a multiple of it.
        """
        rows, columns = self.l_max**2, (self.l_max + 1) ** 2
        gradient: Tensor = self.gradient()
        table = gradient.view(3, rows, columns).transpose(0, 1).reshape(rows, 3 * columns)
        return (harmonics[:, :rows] @ table).view(harmonics.shape[0], 3, columns)

    def tangent(self, harmonics: Tensor, direction: Tensor) -> Tensor:
        """Derivative of the solid harmonics along ``direction`` [n, 3], [n, (l_max + 1)²].

        :param harmonics: what :meth:`forward` gave for the same vectors.
        """
        below = harmonics[:, : self.l_max**2]
        outer = direction[:, :, None] * below[:, None, :]
        return self.gradient.times(outer.flatten(1))

    def pullback(self, harmonics: Tensor, cotangent: Tensor) -> Tensor:
        """Gradient [n, 3] of Σ cotangent · solid harmonics; the transpose of :meth:`tangent`."""
        below = harmonics[:, : self.l_max**2]
        pulled = (cotangent @ self.gradient().t()).view(below.shape[0], 3, below.shape[1])
        return torch.bmm(pulled, below[:, :, None])[:, :, 0]

    def extra_repr(self) -> str:
        return f"l_max={self.l_max}"


class _Coupling(torch.nn.Module):
    """Y_l from the unit vectors and Y_(l-1)."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = Constant(matrix)

    def forward(self, units: Tensor, below: Tensor) -> Tensor:
        outer = units[:, :, None] * below[:, None, :]
        return self.matrix.times(outer.flatten(1))
