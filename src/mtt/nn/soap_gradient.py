"""The power spectrum with its first derivative written out; see :mod:`mtt.nn.written_out`.

With c_l = Y_lᵀ F_l and p_l = c_lᵀ c_l for one atom (Y_l: neighbours × m, F_l: neighbours ×
ns, F = f R), and r̂ the unit vector:

    δp_l = δc_lᵀ c_l + c_lᵀ δc_l          δc_l = δY_lᵀ F_l + Y_lᵀ δF_l
    δF = F' (r̂ · δr)                      δY = ∇Y · (δr - r̂ (r̂ · δr)) / r
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from mtt.nn.soap import SoapPowerSpectrum


class _Geometry(NamedTuple):
    """What both derivatives need, from one pass over the neighbours (rows · width of them)."""

    units: Tensor  # [·, 3]
    inverse: Tensor  # [·, 1], 1 / r
    harmonics: Tensor  # [·, (l_max + 1)²]
    radial: Tensor  # [·, Σ k_per_l], f R by element
    slopes: Tensor  # [·, Σ k_per_l], d(f R)/dr by element
    densities: list[Tensor]  # c_l


@dataclass(frozen=True)
class PowerSpectrum:
    """``soap.power_spectrum(vectors, one_hot, n_rows)`` as a formula of the vectors."""

    soap: SoapPowerSpectrum
    one_hot: Tensor
    n_rows: int

    def plain(self, vectors: Tensor) -> Tensor:
        """[n_rows, n_features], from vectors [rows · width, 3], in plain operations."""
        return self.soap.power_spectrum(vectors, self.one_hot, self.n_rows)

    def evaluate(self, vectors: Tensor) -> tuple[Tensor, _Geometry]:
        """The same, and what both derivatives need."""
        geometry = self._geometry(vectors)
        return torch.cat([torch.bmm(c.mT, c).flatten(1) for c in geometry.densities], 1), geometry

    def _geometry(self, table: Tensor) -> _Geometry:
        soap = self.soap
        r = torch.linalg.vector_norm(table, dim=1)
        inverse = r.reciprocal()[:, None]
        units = table * inverse
        harmonics = soap.angular(units)
        values, slopes = soap.radial.with_derivative(r)
        cutoff, cutoff_slope = soap.cutoff(r)[:, None], soap.cutoff.derivative(r)[:, None]
        slopes = soap.by_type(torch.addcmul(slopes * cutoff, values, cutoff_slope), self.one_hot)
        radial = soap.by_type(values * cutoff, self.one_hot)
        densities = soap.densities(harmonics, radial, self.n_rows)
        return _Geometry(units, inverse, harmonics, radial, slopes, densities)

    def pullback(self, h: Tensor, geometry: _Geometry) -> Tensor:
        """(∂p/∂vectors)ᵀ h, [rows · width, 3], from h [n_rows, n_features]."""
        soap = self.soap
        ys, fs = soap.split(geometry.harmonics, geometry.radial, self.n_rows)
        by_ys: list[Tensor] = []
        by_fs: list[Tensor] = []
        for l, h_l in enumerate(_blocks(h, soap)):
            c = geometry.densities[l]
            by_c = torch.baddbmm(torch.bmm(c, h_l), c, h_l.mT)
            by_ys.append(torch.bmm(fs[l], by_c.mT))
            by_fs.append(torch.bmm(ys[l], by_c))
        by_harmonics = torch.cat(by_ys, dim=2).flatten(0, 1)
        by_radial = torch.cat(by_fs, dim=2).flatten(0, 1)
        along = (by_radial * geometry.slopes).sum(1, keepdim=True)
        by_units = soap.angular.pullback(geometry.harmonics, by_harmonics)
        across = by_units - geometry.units * (by_units * geometry.units).sum(1, keepdim=True)
        return torch.addcmul(across * geometry.inverse, geometry.units, along)

    def tangent(self, u: Tensor, geometry: _Geometry) -> Tensor:
        """(∂p/∂vectors) u, [n_rows, n_features], from u [rows · width, 3]."""
        soap = self.soap
        along = (u * geometry.units).sum(1, keepdim=True)
        across = torch.addcmul(u, geometry.units, along, value=-1) * geometry.inverse
        harmonics = soap.angular.tangent(geometry.harmonics, across)
        ys, fs = soap.split(geometry.harmonics, geometry.radial, self.n_rows)
        dys, dfs = soap.split(harmonics, geometry.slopes * along, self.n_rows)
        changes: list[Tensor] = []
        for l, c in enumerate(geometry.densities):
            dc = torch.baddbmm(torch.bmm(dys[l].mT, fs[l]), ys[l].mT, dfs[l])
            changes.append(torch.baddbmm(torch.bmm(dc.mT, c), c.mT, dc).flatten(1))
        return torch.cat(changes, dim=1)


def _blocks(spectrum: Tensor, soap: SoapPowerSpectrum) -> list[Tensor]:
    """Views of the blocks p_l, [n_rows, k_per_l[l], k_per_l[l]]."""
    parts = spectrum.split([k * k for k in soap.k_per_l], dim=1)
    return [part.view(-1, k, k) for part, k in zip(parts, soap.k_per_l, strict=True)]
