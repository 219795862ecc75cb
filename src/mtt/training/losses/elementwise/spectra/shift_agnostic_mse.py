"""The sum of d² over the grid, at the shift of the label along the grid that makes it smallest.

The zero of energy of a density of states is arbitrary in a periodic calculation, so that a
prediction which is right but for a rigid shift must not be punished. With predictions p and labels
y of N points, p zero beyond both ends of the grid, and k = -N … N the shift,

    L(k) = Σ_{j labelled} (p_{j+k} - y_j)² + Σ_{i < k} p_i²

of which the smallest counts; the second sum holds the states that are predicted below all labels.
With ΔE the step of the grid, two terms are added at that shift:

    int_weight · ∫ (∫ (p - y) dE)² dE                         over labelled points, trapezoidal rule
    grad_penalty_weight · ∫ (dp/dE)² dE                       where no label is, above the first one

This is metatrain's loss of the same name, with its options, as PET-MAD-DOS is trained (How et al.,
arXiv:2508.17418); the derivative is its five-point backward difference. Two details differ: the
derivative never crosses the ends of the predicted grid, and points without a label are left out of
the inner integral.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtt.evaluation.spectra import aligned, best_shift
from mtt.training.losses.kind import SpectrumLoss

_BACKWARD = (1 / 4, -4 / 3, 3.0, -4.0, 25 / 12)  # of the derivative at the last of five points


def shift_agnostic(predicted: Tensor, true: Tensor, options: Mapping[str, float]) -> Tensor:
    """The loss [n] of every spectrum; see the module.

    :param predicted: [n, N] float64.
    :param true: [n, N] float64, NaN where there is no label.
    """
    with torch.no_grad():
        shift = best_shift(predicted, true)
    points, step = predicted.shape[1], options["grid_step"]
    labelled = true.isfinite()
    difference = torch.where(labelled, aligned(predicted, shift) - true, 0.0)
    place = torch.arange(points, device=shift.device) + points - shift[:, None]  # among the labels
    loss = difference.square().sum(1) + torch.where(place < 0, predicted, 0.0).square().sum(1)
    if options["int_weight"]:
        running = torch.cumulative_trapezoid(difference, dx=step, dim=1)
        error = torch.where(labelled[:, 1:], running, 0.0).square()
        loss = loss + options["int_weight"] * torch.trapezoid(error, dx=step, dim=1)
    if options["grad_penalty_weight"]:
        inside = labelled.gather(1, place.clamp(0, points - 1))
        free = torch.where(place < 0, False, ~(inside & (place < points)))
        slope = _slopes(predicted, step)
        outside = torch.where(free[:, 4:], slope, 0.0).square()
        loss = loss + options["grad_penalty_weight"] * torch.trapezoid(outside, dx=step, dim=1)
    return loss


def _slopes(predicted: Tensor, step: float) -> Tensor:
    """[n, N - 4] derivatives at all points but the first four."""
    windows = predicted.unfold(1, len(_BACKWARD), 1)
    return windows @ predicted.new_tensor(_BACKWARD) / step


LOSS = SpectrumLoss(
    shift_agnostic,
    only_spectra=True,
    parameters={"int_weight": 0.0, "grad_penalty_weight": 0.0, "grid_step": 0.05},
)
