"""Analytic derivatives of the power spectrum.

Training on forces differentiates twice: g = (∂p/∂vectors)ᵀ h, then the loss by h (and so by
the weights). Automatic differentiation spends most of its time on small operations there.
Here the first derivative is written out, and since g is linear in h, its derivative by h is
the directional derivative of p. What no training needs, second derivatives by the vectors
(Hessians), is left to automatic differentiation of the plain formula.

With c_l = Y_lᵀ F_l and p_l = c_lᵀ c_l for one atom (Y_l: neighbours × m, F_l: neighbours ×
ns, F = f R), and r̂ the unit vector:

    δp_l = δc_lᵀ c_l + c_lᵀ δc_l          δc_l = δY_lᵀ F_l + Y_lᵀ δF_l
    δF = F' (r̂ · δr)                      δY = ∇Y · (δr - r̂ (r̂ · δr)) / r
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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


class _Point(NamedTuple):
    """Where a derivative is taken; the tensors keep the graph that they belong to."""

    table: Tensor  # [rows · width, 3] vectors
    cotangent: Tensor  # [n_rows, n_features], h
    one_hot: Tensor
    n_rows: int
    soap: SoapPowerSpectrum


class PowerSpectrum(torch.autograd.Function):
    """``SoapPowerSpectrum.power_spectrum(table, one_hot, n_rows)`` with its own derivative."""

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, one_hot: Tensor, n_rows: int, soap: SoapPowerSpectrum
    ) -> Tensor:
        geometry = _geometry(table, one_hot, n_rows, soap)
        ctx.save_for_backward(table, one_hot)
        ctx.soap, ctx.n_rows, ctx.geometry = soap, n_rows, geometry
        return torch.cat([torch.bmm(c.mT, c).flatten(1) for c in geometry.densities], dim=1)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor, None, None, None]:
        table, one_hot = ctx.saved_tensors
        at = _Point(table, cotangents[0], one_hot, ctx.n_rows, ctx.soap)
        gradient = _Pullback.apply(cotangents[0], at, ctx.geometry)
        if torch.is_grad_enabled():  # create_graph: this gradient will be differentiated
            gradient = gradient + _Curvature.apply(table, at)
        return gradient, None, None, None


class _Pullback(torch.autograd.Function):
    """(∂p/∂vectors)ᵀ h as a function of h."""

    @staticmethod
    def forward(ctx: Any, cotangent: Tensor, at: _Point, geometry: _Geometry) -> Tensor:
        ctx.at, ctx.geometry = at, geometry
        return _pullback(cotangent, at, geometry)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor, None, None]:
        if torch.is_grad_enabled():  # a third derivative will be asked for
            return _second(ctx.at, directions[0])[1], None, None
        return _tangent(directions[0], ctx.at, ctx.geometry), None, None


class _Curvature(torch.autograd.Function):
    """Zero, with the derivative that (∂p/∂vectors)ᵀ h has by the vectors.

    A node of its own, so that automatic differentiation skips it where only derivatives by
    weights are asked for (``backward(inputs=parameters)``).
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, at: _Point) -> Tensor:
        ctx.at = at
        return torch.zeros_like(table)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor, None]:
        return _second(ctx.at, directions[0])[0], None


def _geometry(table: Tensor, one_hot: Tensor, n_rows: int, soap: SoapPowerSpectrum) -> _Geometry:
    r = torch.linalg.vector_norm(table, dim=1)
    inverse = r.reciprocal()[:, None]
    units = table * inverse
    harmonics = soap.angular(units)
    values, slopes = soap.radial.with_derivative(r)
    cutoff, cutoff_slope = soap.cutoff(r)[:, None], soap.cutoff.derivative(r)[:, None]
    slopes = soap.by_type(torch.addcmul(slopes * cutoff, values, cutoff_slope), one_hot)
    radial = soap.by_type(values * cutoff, one_hot)
    densities = soap.densities(harmonics, radial, n_rows)
    return _Geometry(units, inverse, harmonics, radial, slopes, densities)


def _pullback(h: Tensor, at: _Point, geometry: _Geometry) -> Tensor:
    """(∂p/∂vectors)ᵀ h, [rows · width, 3], from h [n_rows, n_features]."""
    soap = at.soap
    ys, fs = soap.split(geometry.harmonics, geometry.radial, at.n_rows)
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


def _tangent(u: Tensor, at: _Point, geometry: _Geometry) -> Tensor:
    """(∂p/∂vectors) u, [n_rows, n_features], from u [rows · width, 3]."""
    soap = at.soap
    along = (u * geometry.units).sum(1, keepdim=True)
    across = torch.addcmul(u, geometry.units, along, value=-1) * geometry.inverse
    harmonics = soap.angular.tangent(geometry.harmonics, across)
    ys, fs = soap.split(geometry.harmonics, geometry.radial, at.n_rows)
    dys, dfs = soap.split(harmonics, geometry.slopes * along, at.n_rows)
    changes: list[Tensor] = []
    for l, c in enumerate(geometry.densities):
        dc = torch.baddbmm(torch.bmm(dys[l].mT, fs[l]), ys[l].mT, dfs[l])
        changes.append(torch.baddbmm(torch.bmm(dc.mT, c), c.mT, dc).flatten(1))
    return torch.cat(changes, dim=1)


def _blocks(spectrum: Tensor, soap: SoapPowerSpectrum) -> list[Tensor]:
    """Views of the blocks p_l, [n_rows, k_per_l[l], k_per_l[l]]."""
    parts = spectrum.split([k * k for k in soap.k_per_l], dim=1)
    return [part.view(-1, k, k) for part, k in zip(parts, soap.k_per_l, strict=True)]


def _second(at: _Point, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of ((∂p/∂vectors)ᵀ h) · ``direction`` by the vectors and by h."""
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        # h may itself depend on the vectors: views keep the two derivatives apart
        table = at.table.view_as(at.table) if further else at.table.detach()
        h = at.cotangent.view_as(at.cotangent) if further else at.cotangent.detach()
        if not table.requires_grad:
            table = table.requires_grad_(True)
        if not h.requires_grad:
            h = h.requires_grad_(True)
        spectrum = at.soap.power_spectrum(table, at.one_hot, at.n_rows)
        (gradient,) = torch.autograd.grad(spectrum, table, h, create_graph=True)
        by_table, by_h = torch.autograd.grad(gradient, (table, h), direction, create_graph=further)
    return by_table, by_h
