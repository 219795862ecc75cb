"""The SiLU activation for training on forces, which differentiates it twice."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def silu(z: Tensor) -> Tensor:
    """z σ(z), of any shape.

    The same numbers as ``torch.nn.functional.silu``, whose second derivative is a long chain of
    small operations; here it is a formula. Differentiable to any order.

    Hendrycks and Gimpel, arXiv:1606.08415.
    """
    if torch.jit.is_scripting():
        return torch.nn.functional.silu(z)
    value: Tensor = _SiLU.apply(z)
    return value


class _SiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return torch.nn.functional.silu(z)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        slope: Tensor = _Slope.apply(z)
        return gradients[0] * slope


class _Slope(torch.autograd.Function):
    """dy/dz = σ + σ (z - z σ): no term is larger than about 1, so that none swallows another."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        sigma = torch.sigmoid(z)
        return torch.addcmul(sigma, sigma, torch.addcmul(z, z, sigma, value=-1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """d²y/dz² = σ (1 - σ) (2 + z - 2 y)."""
        (z,) = ctx.saved_tensors
        sigma = torch.sigmoid(z)
        curvature = torch.addcmul(sigma, sigma, sigma, value=-1)
        gradient: Tensor = gradients[0] * curvature * (2 + z - 2 * z * sigma)
        return gradient
