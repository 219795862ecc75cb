"""The SOAP power spectrum of atomic surroundings, with its first derivative written out.

See :mod:`mtt.nn.written_out`. With c_l = Y_lᵀ F_l and p_l = c_lᵀ c_l for one atom (Y_l:
neighbours × m, F_l: neighbours × ns, F = f R), and r̂ the unit vector:

    δp_l = δc_lᵀ c_l + c_lᵀ δc_l          δc_l = δY_lᵀ F_l + Y_lᵀ δF_l
    δF = F' (r̂ · δr)                      δY = ∇Y · (δr - r̂ (r̂ · δr)) / r
"""

from dataclasses import dataclass
from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor

from mtt.nn.cutoff import SmoothCutoff
from mtt.nn.neighborhoods import Neighborhoods, lay_out
from mtt.nn.radial import LaplacianEigenstates
from mtt.nn.spherical import SphericalHarmonics
from mtt.nn.written_out import written_out


class SoapPowerSpectrum(torch.nn.Module):
    """p_l,ns,n's' = Σ_m c_lm,ns c_lm,n's', with c_lm,ns = Σ_j∈s f(r_j) R_ln(r_j) Y_lm(r_j).

    Sums run over the neighbours j of element s of an atom; the atom itself does not count.
    Both halves of the symmetric matrix (ns, n's') are given (Bartók et al., Phys. Rev. B 87,
    184115 (2013)). Invariant to rotations, inversion and the order of neighbours; twice
    continuously differentiable everywhere, also where neighbours cross the cutoff.

    :param cutoff: radius of the surroundings.
    :param width: distance over which the cutoff function falls to zero.
    :param max_radial: see :class:`LaplacianEigenstates`.
    :param max_angular: highest l.
    :param n_types: number of elements.
    """

    def __init__(
        self, cutoff: float, width: float, max_radial: int, max_angular: int, n_types: int
    ) -> None:
        super().__init__()
        self.radial = LaplacianEigenstates(cutoff, max_radial, max_angular)
        self.cutoff = SmoothCutoff(cutoff, width)
        self.angular = SphericalHarmonics(max_angular)
        self.n_types = n_types
        self.m_per_l: List[int] = [2 * l + 1 for l in range(max_angular + 1)]
        self.k_per_l: List[int] = [n * n_types for n in self.radial.n_per_l]
        self.n_features = sum(k * k for k in self.k_per_l)

    def forward(self, vectors: Tensor, types: Tensor, layout: Neighborhoods) -> Tensor:
        """Power spectra [n_rows, n_features], in the order of the rows of ``layout``.

        :param vectors: [P, 3] from centre to neighbour, none of zero length.
        :param types: [P] int64, element of the neighbour.
        """
        if layout.width == 0:  # no atom has a neighbour
            return vectors.new_zeros(layout.n_rows, self.n_features)
        table, one_hot = self.tables(vectors, types, layout)
        if torch.jit.is_scripting():
            return self.power_spectrum(table, one_hot, layout.n_rows)
        # geometry keeps the precision of the vectors, whatever mixed precision is on
        with torch.autocast(vectors.device.type, enabled=False):
            return written_out(PowerSpectrum(self, one_hot, layout.n_rows), table)

    def expansion(self, vectors: Tensor, types: Tensor, layout: Neighborhoods) -> List[Tensor]:
        """c_lm,ns for every l, [n_rows, 2l + 1, k_per_l[l]]: they turn as harmonics do.

        In plain operations, differentiable to any order; parameters as of :meth:`forward`.
        """
        if layout.width == 0:
            shapes = zip(self.m_per_l, self.k_per_l, strict=True)
            return [vectors.new_zeros(layout.n_rows, m, k) for m, k in shapes]
        table, one_hot = self.tables(vectors, types, layout)
        if torch.jit.is_scripting():
            return self.densities_of(table, one_hot, layout.n_rows)
        with torch.autocast(vectors.device.type, enabled=False):
            return self.densities_of(table, one_hot, layout.n_rows)

    def tables(
        self, vectors: Tensor, types: Tensor, layout: Neighborhoods
    ) -> Tuple[Tensor, Tensor]:
        """Vectors [n_rows · width, 3] and one-hot elements [n_rows · width, n_types] in rows."""
        # empty slots are filled with neighbours beyond the cutoff, which count for nothing
        table = lay_out(vectors, layout, fill=2 * self.cutoff.cutoff)
        kinds = lay_out(types[:, None], layout, fill=0.0)[:, 0]
        return table, torch.nn.functional.one_hot(kinds, self.n_types).to(vectors.dtype)

    def power_spectrum(self, table: Tensor, one_hot: Tensor, n_rows: int) -> Tensor:
        """The formula in plain operations, differentiable to any order.

        :param table: [n_rows · width, 3] vectors, row after row.
        :param one_hot: [n_rows · width, n_types] element of the neighbour.
        :return: [n_rows, n_features].
        """
        densities = self.densities_of(table, one_hot, n_rows)
        return torch.cat([torch.bmm(c.mT, c).flatten(1) for c in densities], dim=1)

    def densities_of(self, table: Tensor, one_hot: Tensor, n_rows: int) -> List[Tensor]:
        """c_lm,ns for every l, [n_rows, 2l + 1, k_per_l[l]], from what :meth:`tables` gave."""
        r = torch.linalg.vector_norm(table, dim=1)
        harmonics = self.angular(table / r[:, None])
        radial = self.radial(r) * self.cutoff(r)[:, None]
        return self.densities(harmonics, self.by_type(radial, one_hot), n_rows)

    def features_of(self, types: List[int]) -> Tensor:
        """Indices of the features of pairs of ``types``, in the order of fewer elements.

        The spectrum of ``len(types)`` elements is ``spectrum[:, features_of(types)]`` of
        surroundings that hold no others.

        :param types: indices of elements, ascending.
        :return: [n] int64.
        """
        kept: List[Tensor] = []
        first = 0
        for k in self.k_per_l:
            columns = self.channels_of(k, types)
            kept.append((first + columns[:, None] * k + columns).flatten())
            first += k * k
        return torch.cat(kept)

    def channels_of(self, n_channels: int, types: List[int]) -> Tensor:
        """Indices [n] int64, of the channels ns of one degree, of those of neighbours ``types``."""
        firsts = torch.arange(0, n_channels, self.n_types)
        return (firsts[:, None] + torch.tensor(types)).flatten()

    def by_type(self, radial: Tensor, one_hot: Tensor) -> Tensor:
        """Columns (l, n) to (l, n, s), zero but for the element of the neighbour."""
        return (radial[:, :, None] * one_hot[:, None, :]).flatten(1)

    def densities(self, harmonics: Tensor, radial: Tensor, n_rows: int) -> List[Tensor]:
        """c_lm,ns for every l, [n_rows, 2l + 1, k_per_l[l]]."""
        ys, fs = self.split(harmonics, radial, n_rows)
        return [torch.bmm(ys[l].mT, fs[l]) for l in range(len(ys))]

    def split(
        self, harmonics: Tensor, radial: Tensor, n_rows: int
    ) -> Tuple[List[Tensor], List[Tensor]]:
        """Both factors of the density for every l, [n_rows, width, …]."""
        ys = harmonics.view(n_rows, -1, harmonics.shape[1]).split(self.m_per_l, dim=2)
        fs = radial.view(n_rows, -1, radial.shape[1]).split(self.k_per_l, dim=2)
        return list(ys), list(fs)

    def extra_repr(self) -> str:
        return f"n_types={self.n_types}, n_features={self.n_features}"


class _Geometry(NamedTuple):
    """What both derivatives need, from one pass over the neighbours (rows · width of them)."""

    units: Tensor  # [·, 3]
    inverse: Tensor  # [·, 1], 1 / r
    harmonics: Tensor  # [·, (l_max + 1)²]
    radial: Tensor  # [·, Σ k_per_l], f R by element
    slopes: Tensor  # [·, Σ k_per_l], d(f R)/dr by element
    densities: List[Tensor]  # c_l


@dataclass(frozen=True)
class PowerSpectrum:
    """``soap.power_spectrum(vectors, one_hot, n_rows)`` as a formula of the vectors."""

    soap: SoapPowerSpectrum
    one_hot: Tensor
    n_rows: int

    def plain(self, vectors: Tensor) -> Tensor:
        """[n_rows, n_features], from vectors [rows · width, 3], in plain operations."""
        return self.soap.power_spectrum(vectors, self.one_hot, self.n_rows)

    def evaluate(self, vectors: Tensor) -> Tuple[Tensor, _Geometry]:
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
        by_ys: List[Tensor] = []
        by_fs: List[Tensor] = []
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
        changes: List[Tensor] = []
        for l, c in enumerate(geometry.densities):
            dc = torch.baddbmm(torch.bmm(dys[l].mT, fs[l]), ys[l].mT, dfs[l])
            changes.append(torch.baddbmm(torch.bmm(dc.mT, c), c.mT, dc).flatten(1))
        return torch.cat(changes, dim=1)


def _blocks(spectrum: Tensor, soap: SoapPowerSpectrum) -> List[Tensor]:
    """Views of the blocks p_l, [n_rows, k_per_l[l], k_per_l[l]]."""
    parts = spectrum.split([k * k for k in soap.k_per_l], dim=1)
    return [part.view(-1, k, k) for part, k in zip(parts, soap.k_per_l, strict=True)]
