"""d²."""

from __future__ import annotations

from torch import Tensor

from mtt.training.losses.kind import ElementwiseLoss


def squared(difference: Tensor, delta: float | Tensor) -> Tensor:
    """d², component by component."""
    return difference.square()


LOSS = ElementwiseLoss(squared, aliases=("masked_mse",))
