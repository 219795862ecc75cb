"""Cutoff functions as their logarithms, which is what attention adds to its scores."""

import math

import torch
from torch import Tensor

from mtt.errors import ArchitectureError


class LogCutoff(torch.nn.Module):
    """log f(r); f falls from 1 at ``cutoff - width`` to 0 at ``cutoff``.

    With u = (cutoff - r) / width, clamped to [0, 1]:

    - ``Bump``: f = ½ (1 + tanh cot π(1 - u)), smooth to all orders (Pozdnyakov and Ceriotti,
      arXiv:2305.19302);
    - ``Cosine``: f = sin² ½πu, the shifted cosine (Behler, J. Chem. Phys. 134, 074106 (2011)),
      whose second derivative has steps at both ends.

    The logarithm stays finite: f is 3e-28 (2e-16 for the cosine) from the cutoff on, and so
    nothing beside 1.

    :raises ArchitectureError: not 0 < width ≤ cutoff.
    """

    def __init__(self, cutoff: float, width: float, kind: str) -> None:
        super().__init__()
        if not 0 < width <= cutoff:
            raise ArchitectureError(
                f"must be above 0 and at most the cutoff ({cutoff:g}), got {width:g}",
                where="cutoff_width",
            )
        self.cutoff = float(cutoff)
        self.width = float(width)
        self.bump = kind == "Bump"
        self.smallest = 0.01 if self.bump else 1e-8

    def forward(self, r: Tensor) -> Tensor:
        """log f(r), of any shape."""
        return self.inside(self.cutoff - r)

    def inside(self, depth: Tensor) -> Tensor:
        """log f at the distance ``depth`` inside of a cutoff, which may be that of each pair."""
        u = depth / self.width
        if self.bump:
            u = u.clamp(self.smallest, 1 - self.smallest)
            # ½ (1 + tanh x) is the logistic function of 2 x
            return torch.nn.functional.logsigmoid(-2 / torch.tan(math.pi * u))
        return 2 * torch.log(torch.sin(0.5 * math.pi * u.clamp(self.smallest, 1.0)))

    def extra_repr(self) -> str:
        kind = "Bump" if self.bump else "Cosine"
        return f"{kind}, cutoff={self.cutoff}, width={self.width}"
