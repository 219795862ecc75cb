"""`huber` with δ times 1, 0.7, 0.4 or 0.1, by the size of the reference force on the atom.

The factors are those of MACE and mlip: 1, 0.7, 0.4, 0.1 where the norm of the reference force is
below 100, below 200, below 300, from 300 eV/Å on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtt.training.losses.elementwise.huber import huber
from mtt.training.losses.kind import ElementwiseLoss

FORCE_THRESHOLDS = (100.0, 200.0, 300.0)  # eV/Å


def force_factors(forces: Tensor, to_ev_per_angstrom: float) -> Tensor:
    """[n_atoms, 1] factors of δ by the norm of reference forces, 1 … 0.1.

    A norm of exactly 100, 200 or 300 eV/Å belongs to the interval above it.
    """
    known = forces.double().nan_to_num(0.0)
    norm = torch.linalg.vector_norm(known, dim=1, keepdim=True) * to_ev_per_angstrom
    passed = sum((norm >= threshold).to(forces.dtype) for threshold in FORCE_THRESHOLDS)
    return torch.as_tensor(1.0 - 0.3 * passed)


LOSS = ElementwiseLoss(huber, has_delta=True, only_forces=True, delta_factors=force_factors)
