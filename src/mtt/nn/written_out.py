"""Functions of vectors whose first derivative is written out by hand.

Training on forces differentiates twice: g = Jᵀ u with the Jacobian J of the function, then the
loss by u (and so by the weights): J v, a directional derivative. Neither asks for a derivative
of J. Automatic differentiation would walk through every small operation in both passes.
What no training needs, second derivatives by the vectors (Hessians), is left to it.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class Formula(Protocol):
    """A function of vectors, with both ways to multiply by its Jacobian J.

    What else it depends on has no gradient.
    """

    def plain(self, vectors: Tensor) -> Tensor:
        """The function in plain operations, differentiable to any order."""

    def evaluate(self, vectors: Tensor) -> tuple[Tensor, Any]:
        """The function, and what the derivatives need."""

    def pullback(self, cotangent: Tensor, kept: Any) -> Tensor:
        """Jᵀ u, of the shape of the vectors."""

    def tangent(self, direction: Tensor, kept: Any) -> Tensor:
        """J v, of the shape of the function."""


def written_out(formula: Formula, vectors: Tensor) -> Tensor:
    """``formula.plain(vectors)``, with the derivatives that ``formula`` writes out."""
    value: Tensor = _Value.apply(vectors, formula)
    return value


class _Value(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor, formula: Formula) -> Tensor:
        value, kept = formula.evaluate(vectors)
        ctx.save_for_backward(vectors)
        ctx.formula, ctx.kept = formula, kept
        return value

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor, None]:
        (vectors,) = ctx.saved_tensors
        point = (vectors, cotangents[0], ctx.formula)
        gradient = _Pullback.apply(cotangents[0], point, ctx.kept)
        if torch.is_grad_enabled():  # create_graph: this gradient will be differentiated
            gradient = gradient + _Curvature.apply(vectors, point)
        return gradient, None


Point = tuple[Tensor, Tensor, Formula]
"""Vectors and cotangent where a derivative is taken, with the graph that they belong to."""


class _Pullback(torch.autograd.Function):
    """Jᵀ u as a function of u."""

    @staticmethod
    def forward(ctx: Any, cotangent: Tensor, point: Point, kept: Any) -> Tensor:
        ctx.point, ctx.kept = point, kept
        return point[2].pullback(cotangent, kept)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor, None, None]:
        if torch.is_grad_enabled():  # a third derivative will be asked for
            return _second(ctx.point, directions[0])[1], None, None
        return ctx.point[2].tangent(directions[0], ctx.kept), None, None


class _Curvature(torch.autograd.Function):
    """Zero, with the derivative that Jᵀ u has by the vectors.

    A separate node, so that automatic differentiation skips it where only derivatives by
    weights are asked for (``backward(inputs=parameters)``).
    """

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, point: Point) -> Tensor:
        ctx.point = point
        return torch.zeros_like(vectors)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor, None]:
        return _second(ctx.point, directions[0])[0], None


def _second(point: Point, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of (Jᵀ u) · ``direction`` by the vectors and by u."""
    vectors, cotangent, formula = point
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        # u may itself depend on the vectors: views keep the two derivatives apart
        at = vectors.view_as(vectors) if further else vectors.detach()
        u = cotangent.view_as(cotangent) if further else cotangent.detach()
        if not at.requires_grad:
            at = at.requires_grad_(True)
        if not u.requires_grad:
            u = u.requires_grad_(True)
        (pulled,) = torch.autograd.grad(formula.plain(at), at, u, create_graph=True)
        by_vectors, by_u = torch.autograd.grad(pulled, (at, u), direction, create_graph=further)
    return by_vectors, by_u
