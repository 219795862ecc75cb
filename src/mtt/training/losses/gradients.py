"""From loss terms to the gradient that an optimizer sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from mtt.training.losses.conflict_free import conflict_free


class SummedGradient:
    """The gradient of the weighted sum: one backward pass per batch.

    :param parameters: what is differentiated by; their ``grad`` takes the result.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = list(parameters)

    def add(
        self, terms: Sequence[Tensor], weights: Sequence[float], scale: Callable[[Tensor], Tensor]
    ) -> None:
        """Add the gradient of one batch.

        :param terms: 0-d each, weighted.
        :param weights: what they were weighted with.
        :param scale: multiplies a loss by the loss scale of 16-bit floats.
        """
        summed = total(terms)
        if summed.requires_grad:  # else a constant: its gradient is zero
            # by the weights alone: positions need no gradient of the loss
            scale(summed).backward(inputs=self._parameters)

    def finish(self) -> None:
        """All batches of the step are added."""


class ConflictFreeGradient:
    """The direction in which every term falls; one backward pass per term and batch.

    See :func:`mtt.training.losses.conflict_free.conflict_free`. Holds one gradient per term.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = list(parameters)
        self._rows: list[list[Tensor | None]] = []
        self._weights: Sequence[float] = ()

    def add(
        self, terms: Sequence[Tensor], weights: Sequence[float], scale: Callable[[Tensor], Tensor]
    ) -> None:
        """Add the gradients of one batch, see :meth:`SummedGradient.add`."""
        self._weights = weights
        if not self._rows:
            self._rows = [[None] * len(self._parameters) for _ in terms]
        for i, (term, weight) in enumerate(zip(terms, weights, strict=True)):
            if not term.requires_grad:  # a constant: its gradient is zero
                continue
            found = torch.autograd.grad(
                scale(term / weight),
                self._parameters,
                retain_graph=i + 1 < len(terms),
                allow_unused=True,
            )
            row = self._rows[i]
            for k, gradient in enumerate(found):
                if gradient is not None:
                    known = row[k]
                    row[k] = gradient if known is None else known + gradient

    def finish(self) -> None:
        """Write the direction into ``grad``; parameters that no term knows keep None."""
        rows, self._rows = self._rows, []
        used = [k for k in range(len(self._parameters)) if any(row[k] is not None for row in rows)]
        if not used:
            return
        flat = torch.stack([self._flat(row, used) for row in rows])
        weights = torch.tensor(self._weights, dtype=torch.float64, device=flat.device)
        direction = conflict_free(flat, weights)
        sizes = [self._parameters[k].numel() for k in used]
        for k, part in zip(used, direction.split(sizes), strict=True):
            parameter = self._parameters[k]
            parameter.grad = part.view_as(parameter).to(parameter.dtype)

    def _flat(self, row: Sequence[Tensor | None], used: Sequence[int]) -> Tensor:
        parts = []
        for k in used:
            gradient = row[k]
            parts.append(
                torch.zeros_like(self._parameters[k]).flatten()
                if gradient is None
                else gradient.flatten()
            )
        return torch.cat(parts)


Gradient = SummedGradient | ConflictFreeGradient


def total(terms: Sequence[Tensor]) -> Tensor:
    """The sum of 0-d terms."""
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result
