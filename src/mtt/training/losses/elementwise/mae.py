"""|d|."""

from __future__ import annotations

from torch import Tensor

from mtt.training.losses.kind import ElementwiseLoss


def absolute(difference: Tensor, delta: float | Tensor) -> Tensor:
    """|d|, component by component."""
    return difference.abs()


LOSS = ElementwiseLoss(absolute, aliases=("masked_mae",))
