"""d²/2 where |d| ≤ δ, δ·(|d| − δ/2) elsewhere (Huber, Ann. Math. Stat. 1964)."""

from __future__ import annotations

import torch
from torch import Tensor

from mtt.training.losses.kind import ElementwiseLoss


def huber(difference: Tensor, delta: float | Tensor) -> Tensor:
    """d²/2 up to ``delta``, δ(|d| − δ/2) beyond, component by component."""
    size = difference.abs()
    inside = torch.where(size <= delta, size, 0.0).square() / 2
    outside = torch.where(size > delta, delta * (size - delta / 2), 0.0)
    return inside + outside


LOSS = ElementwiseLoss(huber, has_delta=True, aliases=("masked_huber",))
