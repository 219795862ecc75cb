"""The density of neighbours around an atom, expanded in radial functions and harmonics."""

import math
from typing import List, Tuple

import torch
from torch import Tensor

from mtt.nn import (
    Constant,
    LaplacianEigenstates,
    Neighborhoods,
    SmoothCutoff,
    SphericalHarmonics,
    lay_out,
)


class Density(torch.nn.Module):
    """c_lm,ns = Σ_j∈s f(r_j) R_ln(r_j) Y_lm(r_j) exp(-k_ln² σ² / 2), over neighbours of element s.

    Functions of wave number k_ln count less the shorter their wave is, as those of neighbours
    smeared over a Gaussian of width σ do (Bartók, Kondor and Csányi, Phys. Rev. B 87, 184115
    (2013)). A constant factor, √(4π cutoff³), makes numbers of order one.

    :param cutoff: radius of the surroundings.
    :param width: distance over which the cutoff function falls to zero.
    :param max_radial: see :class:`mtt.nn.LaplacianEigenstates`.
    :param max_angular: highest l.
    :param smearing: σ, ≥ 0, in the unit of ``cutoff``.
    :param n_types: number of elements.
    """

    def __init__(
        self,
        cutoff: float,
        width: float,
        max_radial: int,
        max_angular: int,
        smearing: float,
        n_types: int,
    ) -> None:
        super().__init__()
        self.radial = LaplacianEigenstates(cutoff, max_radial, max_angular)
        self.cutoff = SmoothCutoff(cutoff, width)
        self.angular = SphericalHarmonics(max_angular)
        self.n_types = n_types
        self.m_per_l: List[int] = [2 * l + 1 for l in range(max_angular + 1)]
        self.n_per_l: List[int] = self.radial.n_per_l
        self.k_per_l: List[int] = [n * n_types for n in self.n_per_l]
        waves = torch.tensor(self.radial.wave_numbers, dtype=torch.float64)
        self.damping = Constant(
            torch.exp(-0.5 * (waves * smearing).square()) * math.sqrt(4 * math.pi * cutoff**3)
        )

    def forward(self, vectors: Tensor, types: Tensor, layout: Neighborhoods) -> List[Tensor]:
        """[n_rows, 2l + 1, n_per_l · n_types] for every l.

        :param vectors: [P, 3] from centre to neighbour, none of zero length.
        :param types: [P] int64, element of the neighbour.
        """
        if layout.width == 0:  # no atom has a neighbour
            return [
                vectors.new_zeros(layout.n_rows, m, k)
                for m, k in zip(self.m_per_l, self.k_per_l)  # noqa: B905 - TorchScript
            ]
        # empty slots are filled with neighbours beyond the cutoff, which count for nothing
        table = lay_out(vectors, layout, fill=2 * self.cutoff.cutoff)
        kinds = lay_out(types[:, None], layout, fill=0.0)[:, 0]
        one_hot = torch.nn.functional.one_hot(kinds, self.n_types).to(vectors.dtype)
        r = torch.linalg.vector_norm(table, dim=1)
        harmonics = self.angular(table / r[:, None]).view(layout.n_rows, layout.width, -1)
        radial = self.radial(r) * self.damping() * self.cutoff(r)[:, None]
        by_type = (radial[:, :, None] * one_hot[:, None, :]).view(layout.n_rows, layout.width, -1)
        ys = torch.split(harmonics, self.m_per_l, dim=2)
        fs = torch.split(by_type, self.k_per_l, dim=2)
        return [torch.bmm(ys[l].transpose(1, 2), fs[l]) for l in range(len(self.m_per_l))]

    @torch.jit.unused
    def of_pairs(self, vectors: Tensor) -> Tuple[List[Tensor], List[Tensor]]:
        """What each pair adds, [n_per_l, 2l + 1, P], and its gradient [n_per_l, 2l + 1, 3, P]."""
        r = torch.linalg.vector_norm(vectors, dim=1)
        units = (vectors / r[:, None]).T  # [3, P]
        y = self.angular(vectors / r[:, None])
        solid = torch.split(self.angular.gradients(y).permute(2, 1, 0), self.m_per_l)
        f, f_slope = self.cutoff(r)[:, None], self.cutoff.derivative(r)[:, None]
        waves, slopes = self.radial.with_derivative(r)
        values = torch.split((waves * f * self.damping()).T.contiguous(), self.n_per_l)
        by_r = ((slopes * f + waves * f_slope) * self.damping()).T.contiguous()
        slope = torch.split(by_r, self.n_per_l)
        harmonics = torch.split(y.T.contiguous(), self.m_per_l)
        found, gradients = [], []
        for l, own in enumerate(harmonics):
            # the solid harmonic changes along the pair as l Y / r, the harmonic does not
            across = (solid[l] - l * own[:, None] * units) / r  # [2l + 1, 3, P]
            along = own[:, None] * units
            gradient = across * values[l][:, None, None]
            gradients.append(gradient.addcmul_(along[None], slope[l][:, None, None]))
            found.append(own * values[l][:, None])
        return found, gradients
