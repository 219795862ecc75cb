"""Conflict-free combination of the gradients of several loss terms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# eigenvalues of the matrix of cosines below this part of the largest count as zero: gradients
# at less than 1e-6 rad to each other are parallel within the precision of float32
RELATIVE_CUTOFF = 1e-12
_COLUMNS = 1 << 16  # parameters at a time in float64


def conflict_free(gradients: Tensor, weights: Tensor) -> Tensor:
    """The ConFIG update direction (Liu, Chu and Thuerey, ICLR 2025, arXiv:2408.11104).

    With unit gradients ĝ_i = g_i / ‖g_i‖, the rows of A, and b = weights / ‖weights‖,

        g = (Σ_i g_i · x̂) x̂,    x̂ = x / ‖x‖,    x = A⁺ b = Aᵀ (A Aᵀ)⁺ b.

    Where the gradients are independent, g makes an angle with each whose cosine is
    proportional to its weight, and so decreases every term. Only the m × m matrix of cosines
    A Aᵀ is inverted, in float64 and on its range: eigenvalues below ``RELATIVE_CUTOFF`` of
    the largest count as zero, which gives the solution of least norm for parallel,
    antiparallel and otherwise dependent gradients.

    Terms whose gradient is zero do not count. The result is zero where no term has a
    gradient, and where no direction is better than any other (two antiparallel gradients of
    equal weight). A common factor of all gradients is a factor of the result.

    Of one or two terms the factors have a closed form, for which no device is waited for. Those of
    more terms are found by the host.

    :param gradients: [m, P], one row per term, without the terms' weights.
    :param weights: [m], not negative, on the CPU.
    :return: [P], in the precision of ``gradients``; NaN where a gradient is not finite.
    """
    chunks = gradients.split(_COLUMNS, dim=1)
    products = torch.zeros(2 * gradients.shape[:1], dtype=torch.float64, device=gradients.device)
    for chunk in chunks:
        exact = chunk.double()
        products.addmm_(exact, exact.T)
    if len(gradients) <= 2 and gradients.device.type != "cpu":
        factors = _factors_of_two(products, weights.tolist())
    else:
        factors = _factors(products.cpu(), weights.detach().cpu().double()).to(gradients.device)
    return torch.cat([(factors @ chunk.double()).to(gradients.dtype) for chunk in chunks])


def _factors_of_two(products: Tensor, weights: Sequence[float]) -> Tensor:
    """:func:`_factors` of one or two gradients, on the device of ``products``.

    The matrix of cosines, with a diagonal of ones, has the eigenvectors (1, ±1) / √2.
    """
    active = products.diagonal() > 0
    factors = active.to(products.dtype)  # one gradient is itself
    if len(weights) == 2:
        norms = torch.where(active, products.diagonal(), 1.0).sqrt()
        cosine = products[0, 1] / norms[0] / norms[1]
        values = torch.stack([1 + cosine, 1 - cosine])
        kept = values > RELATIVE_CUTOFF * values.amax()
        b = torch.stack([products.new_full((), weight) for weight in weights])
        parts = torch.where(kept, _turned(b / torch.linalg.vector_norm(b)), 0.0)
        scaled = torch.where(kept, parts / values, 0.0)
        y, seen, squared = _turned(scaled), _turned(parts), (parts * scaled).sum()
        both = (norms @ seen) / squared * (y / norms)
        opposed = torch.linalg.vector_norm(parts) < RELATIVE_CUTOFF**0.5
        factors = torch.where(active.all(), torch.where(opposed, 0.0, both), factors)
    return torch.where(torch.isfinite(products).all(), factors, torch.nan)


def _turned(pair: Tensor) -> Tensor:
    """Components of a vector [2] along (1, 1) / √2 and (1, -1) / √2; and back."""
    return torch.stack([pair[0] + pair[1], pair[0] - pair[1]]) * math.sqrt(0.5)


def _factors(products: Tensor, weights: Tensor) -> Tensor:
    """The part that each gradient has in the result, [m], from their products [m, m]."""
    factors = torch.zeros_like(weights)
    if not bool(torch.isfinite(products).all()):
        return factors.fill_(torch.nan)
    active = products.diagonal() > 0
    if not bool(active.any()):
        return factors
    products, weights = products[active][:, active], weights[active]
    norms = products.diagonal().sqrt()
    values, vectors = torch.linalg.eigh(products / norms[:, None] / norms)
    kept = values > RELATIVE_CUTOFF * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    # of b in the range of the matrix; x = Aᵀ y and A x = seen
    parts = vectors.T @ (weights / torch.linalg.vector_norm(weights))
    if torch.linalg.vector_norm(parts) < RELATIVE_CUTOFF**0.5:
        return factors
    y = vectors @ (parts / values)
    seen = vectors @ parts
    squared = (parts.square() / values).sum()  # ‖x‖²
    factors[active] = (norms @ seen) / squared * (y / norms)
    return factors
