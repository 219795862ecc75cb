"""Labels that are zero, or noise around it: forces and stress that symmetry makes vanish.

Isolated atoms have no forces, and in a crystal whose atoms all sit on centres of symmetry the
forces vanish at every volume. What a file holds there are zeros, or the rounding noise of
another program; what a model predicts there are zeros, or its own rounding noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

NOISE = 1e-4
"""Derivatives are noise where none exceeds this part of the spread of the energies per atom, per
unit of length (forces) or per atom (strain derivatives). Energies that spread by 0.1 eV: 1e-5 eV/Å,
above the noise of float32 and of most programs, and far below any relaxed structure's forces."""


def spread(residual: Tensor) -> float:
    """Root mean square of energies per atom without their composition baseline; 0 if empty.

    :param residual: [n, ...], NaN where a label is missing.
    """
    finite = residual[torch.isfinite(residual)].to(torch.float64)
    return float(finite.square().mean().sqrt()) if finite.numel() else 0.0


def root_mean_square(values: Tensor) -> float:
    """Over all that is not missing; 1 of labels that a baseline explains to the last digit."""
    return scale if (scale := spread(values)) > 1e-10 else 1.0


def largest(labels: Tensor) -> float:
    """Largest magnitude of all labels that are there; NaN where none is."""
    finite = labels[torch.isfinite(labels)]
    return float(finite.abs().amax()) if finite.numel() else float("nan")


def is_noise(largest_label: float, energies: float) -> bool:
    """Whether derivatives of at most ``largest_label`` are zero or noise.

    :param largest_label: of :func:`largest`; without any label (NaN) nothing is noise.
    :param energies: of :func:`spread`.
    """
    return largest_label <= NOISE * energies
