"""Spectra on a grid: rigid shifts, running integrals, gaps.

A spectrum is a scalar target with a number for each point of a grid, a density of states for
instance. The zero of its axis may be arbitrary: the energies of a periodic calculation are known up
to a constant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.evaluation.sums import Residual, Tally, largest, whole

_TIE = 1e-12  # relative: shifts whose errors differ by rounding only


def best_shift(predicted: Tensor, true: Tensor) -> Tensor:
    """[n] int64, N + k for the shift k = -N … N at which prediction and label agree best.

    The one with the smallest ``Σ_j (p_{j+k} - y_j)² + Σ_{i<k} p_i²`` over labelled points j, where
    the prediction p is zero beyond both ends of the grid, and the second sum holds what is
    predicted below all labels (How et al., arXiv:2508.17418); of several, that nearest to zero. All
    shifts at once, by Fourier transforms: a direct sum takes N² products for each spectrum.

    :param predicted: [n, N] float64.
    :param true: [n, N] float64, NaN where there is no label.
    """
    points = predicted.shape[1]
    shifts, size = 2 * points + 1, 4 * points
    mask = true.isfinite().to(predicted.dtype)
    label = torch.where(true.isfinite(), true, 0.0)
    padded = torch.nn.functional.pad(predicted, (points, points))
    squares = padded.square()

    def correlated(long: Tensor, short: Tensor) -> Tensor:
        product = torch.fft.rfft(long, n=size) * torch.fft.rfft(short, n=size).conj()
        found: Tensor = torch.fft.irfft(product, n=size)
        return found[:, :shifts]

    tail = torch.nn.functional.pad(squares.cumsum(1), (1, 0))[:, :shifts]
    known = label.square().sum(1, keepdim=True)
    losses = correlated(squares, mask) - 2.0 * correlated(padded, label) + known + tail
    rounding = _TIE * (known + squares.sum(1, keepdim=True))
    near = losses <= losses.amin(1, keepdim=True) + rounding
    distance = (torch.arange(shifts, device=losses.device) - points).abs()
    return torch.where(near, distance, shifts).argmin(1)


def aligned(predicted: Tensor, shift: Tensor) -> Tensor:
    """``predicted`` [n, N] at the places of the labels, zero beyond its ends.

    :param shift: [n], see :func:`best_shift`.
    """
    points = predicted.shape[1]
    padded = torch.nn.functional.pad(predicted, (points, points))
    return padded.gather(1, shift[:, None] + torch.arange(points, device=shift.device))


def by_shift(predicted: Tensor, true: Tensor) -> Tally:
    """One row: errors at the shift of each spectrum at which they are smallest.

    :param predicted: [n, N], as ``true``, NaN where there is no label.
    """
    predicted, true = predicted.double(), true.double()
    return _tally(aligned(predicted, best_shift(predicted, true)), true)


def by_integral(predicted: Tensor, true: Tensor) -> Tally:
    """One row: errors of running integrals, as parts of the length of the grid.

    ``Σ_{i ≤ j} (p_i - y_i) / N`` at every labelled point j, over labelled points i; in the unit of
    the values.

    :param predicted: [n, N], as ``true``, NaN where there is no label.
    """
    predicted, true = predicted.double(), true.double()
    error = torch.where(true.isfinite(), predicted - true, 0.0).cumsum(1) / true.shape[1]
    return _tally(error, torch.where(true.isfinite(), 0.0, torch.nan))


def _tally(predicted: Tensor, true: Tensor) -> Tally:
    counted = true.isfinite()
    found = Residual(torch.where(counted, predicted - true, 0.0), counted)
    return Tally(torch.stack(whole(found))[None], largest(found))


class Gap(NamedTuple):
    """A band gap, in the unit of the energies."""

    width: float  # 0 of a metal
    lower: float  # edge, the last point with states below the gap; NaN of a metal
    upper: float  # edge, the first point with states above it


def band_gap(
    density: NDArray[np.float64],
    energies: NDArray[np.float64],
    electrons: float,
    *,
    threshold: float = 0.01,
    tolerance: float = 0.5,
) -> Gap:
    """The gap of a density of states: where nearly no states are and the electrons are used up.

    Of the intervals whose density is below ``threshold`` and whose integral from the left is
    ``electrons``, within ``tolerance``, that with the nearest integral. Edges are points of the
    grid, so that a width is known to about two steps, and is less by the broadening of the states.

    :param density: [N] states per energy, with both spins, of the structure.
    :param energies: [N] ascending.
    :param electrons: how many the structure has above what the density leaves out (core states).
    :param threshold: part of the largest density.
    :param tolerance: of the integral, in electrons.
    :raises ValueError: arrays of other shapes, or energies that do not ascend.
    """
    if density.ndim != 1 or density.shape != energies.shape or len(density) < 2:
        raise ValueError(f"shapes {list(density.shape)} and {list(energies.shape)} are not [N]")
    steps = np.diff(energies)
    if not (steps > 0).all():
        raise ValueError("energies do not ascend")
    integral = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * steps)])
    empty = density < threshold * density.max()
    starts = np.flatnonzero(empty[1:] & ~empty[:-1])  # the last point with states
    ends = np.flatnonzero(~empty[1:] & empty[:-1]) + 1  # the first point with states again
    best, found = tolerance, Gap(0.0, float("nan"), float("nan"))
    for start in starts:
        later = ends[ends > start]
        if not len(later):
            continue
        end = int(later[0])
        off = abs(float(np.median(integral[start : end + 1])) - electrons)
        if off <= best:
            best = off
            lower, upper = float(energies[start]), float(energies[end])
            found = Gap(upper - lower, lower, upper)
    return found
