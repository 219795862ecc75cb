"""Cutoff functions: 1 inside, 0 from the cutoff on, smooth in between."""

import torch
from torch import Tensor

from mtt.errors import ArchitectureError


class SmoothCutoff(torch.nn.Module):
    """f(r) = 1 - 10 t³ + 15 t⁴ - 6 t⁵ with t = (r - cutoff + width) / width, clamped to [0, 1].

    Value, first and second derivative are continuous everywhere.

    :param cutoff: radius from which the function is zero.
    :param width: distance over which it falls from 1 to 0, in the unit of ``cutoff``.
    :raises ArchitectureError: not 0 < width ≤ cutoff.
    """

    def __init__(self, cutoff: float, width: float) -> None:
        super().__init__()
        if not 0 < width <= cutoff:
            raise ArchitectureError(
                f"a cutoff function needs 0 < width <= cutoff, got width {width}, cutoff {cutoff}"
            )
        self.cutoff = float(cutoff)
        self.width = float(width)

    def forward(self, r: Tensor) -> Tensor:
        """f(r), of any shape."""
        t = self._reduced(r)
        return 1 - t * t * t * ((6 * t - 15) * t + 10)

    def derivative(self, r: Tensor) -> Tensor:
        """df/dr, of any shape."""
        t = self._reduced(r)
        return (-30 / self.width) * (t * (1 - t)).square()

    def _reduced(self, r: Tensor) -> Tensor:
        return ((r - (self.cutoff - self.width)) / self.width).clamp(0.0, 1.0)

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff}, width={self.width}"
