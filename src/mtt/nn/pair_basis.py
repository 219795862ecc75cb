"""Functions of a pair's vector, angular and radial ones."""

import math
from typing import Tuple

import torch
from torch import Tensor

from mtt.nn.constant import Constant
from mtt.nn.cutoff import SmoothCutoff
from mtt.nn.spherical import SphericalHarmonics
from mtt.nn.written_out import written_out


class PairBasis(torch.nn.Module):
    """f(r) Y_lm(r̂), then f(r) B_n(r): all that a short range model needs of a pair.

    ``Y_lm`` are real spherical harmonics up to ``l_max``, times √4π; ``B_n`` is
    ``√(cutoff/2) sin(n π r / cutoff) / (r n**decay)`` for n = 1 … ``n_radial``, with a decay of 0
    all of order one between neighbours, with 1 all of about equal slopes; f is
    :class:`SmoothCutoff`.

    The Jacobian is written out, and computed once for both derivatives of a training on forces.

    Radial functions: Gasteiger, Groß and Günnemann, ICLR 2020, arXiv:2003.03123.

    :param cutoff: radius from which all functions are zero.
    :param width: distance over which f falls from 1 to 0.
    :param l_max: highest degree, ≥ 0.
    :param n_radial: radial functions, ≥ 1.
    :param decay: how fast they become smaller with n, ≥ 0.
    :raises ArchitectureError: not 0 < width ≤ cutoff.
    """

    def __init__(
        self, cutoff: float, width: float, l_max: int, n_radial: int, decay: float = 0.0
    ) -> None:
        super().__init__()
        self.l_max, self.n_radial, self.decay = l_max, n_radial, decay
        self.n_angular = (l_max + 1) ** 2
        self.n_functions = self.n_angular + n_radial
        self.cutoff = SmoothCutoff(cutoff, width)
        self.harmonics = SphericalHarmonics(l_max)
        n = torch.arange(1, n_radial + 1, dtype=torch.float64)
        self.frequencies = Constant(n * (math.pi / cutoff))
        self.amplitudes = Constant(math.sqrt(cutoff / 2) * n**-decay)
        self.angular_norm = math.sqrt(4 * math.pi)
        degrees = [l for l in range(l_max + 1) for _ in range(2 * l + 1)]
        self.degrees = Constant(torch.tensor(degrees))

    def forward(self, vectors: Tensor) -> Tensor:
        """[n, n_functions], from vectors [n, 3], none of zero length."""
        if torch.jit.is_scripting():
            return self.plain(vectors)
        # geometry keeps the precision of the vectors, whatever mixed precision is on
        with torch.autocast(vectors.device.type, enabled=False):
            return written_out(self, vectors)

    def plain(self, vectors: Tensor) -> Tensor:
        """The formulas in plain operations, differentiable to any order."""
        r = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        f = self.cutoff(r)
        angular = self.harmonics(vectors / r) * (self.angular_norm * f)
        radial = torch.sin(r * self.frequencies()) * self.amplitudes() * (f / r)
        return torch.cat([angular, radial], dim=1)

    @torch.jit.unused
    def evaluate(self, vectors: Tensor) -> Tuple[Tensor, Tensor]:
        """The functions, and their gradients [n, 3, n_functions]."""
        r = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        inverse = r.reciprocal()
        units = vectors * inverse
        f, slope = self.cutoff(r), self.cutoff.derivative(r)
        harmonics = self.harmonics(units) * self.angular_norm
        angles, scale = r * self.frequencies(), self.amplitudes() * inverse
        waves = torch.sin(angles) * scale
        wave_slopes = torch.cos(angles) * self.frequencies() * scale - waves * inverse
        # along the pair Y_lm does not change, but its solid harmonic does, as l Y_lm / r
        along = [
            harmonics * (slope - self.degrees() * (f * inverse)),
            torch.addcmul(waves * slope, wave_slopes, f),
        ]
        jacobian = units[:, :, None] * torch.cat(along, dim=1)[:, None, :]
        solid = self.harmonics.gradients(harmonics)
        jacobian[:, :, : self.n_angular] += solid * (f * inverse)[:, :, None]
        return torch.cat([harmonics * f, waves * f], dim=1), jacobian

    @torch.jit.unused
    def pullback(self, cotangent: Tensor, jacobian: Tensor) -> Tensor:
        """Jᵀ u, [n, 3]."""
        return torch.bmm(jacobian, cotangent[:, :, None])[:, :, 0]

    @torch.jit.unused
    def tangent(self, direction: Tensor, jacobian: Tensor) -> Tensor:
        """J v, [n, n_functions]."""
        return torch.bmm(direction[:, None, :], jacobian)[:, 0]

    def extra_repr(self) -> str:
        return f"l_max={self.l_max}, n_radial={self.n_radial}, decay={self.decay:g}"
