"""Combine loss terms to the gradient that an optimizer gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from mtt.ranks import Ranks
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

    def forget(self) -> None:
        """Nothing was added: ``grad`` is all that there is."""

    def finish(self, weights: Sequence[float], ranks: Ranks) -> None:
        """All batches of the step are added: sum up what the ranks have found.

        :param weights: as in :meth:`add`; a rank without a batch has had none.
        """
        found = [parameter.grad for parameter in self._parameters]
        summed = ranks.sum_known(found, self._parameters)
        for parameter, gradient in zip(self._parameters, summed, strict=True):
            parameter.grad = gradient


class ConflictFreeGradient:
    """The direction in which every term falls; one backward pass per term and batch.

    See :func:`mtt.training.losses.conflict_free.conflict_free`. Holds one gradient per term.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = list(parameters)
        self._rows: list[list[Tensor | None]] = []

    def add(
        self, terms: Sequence[Tensor], weights: Sequence[float], scale: Callable[[Tensor], Tensor]
    ) -> None:
        """Add the gradients of one batch, see :meth:`SummedGradient.add`."""
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

    def forget(self) -> None:
        """Leave out all that was added since the last :meth:`finish`."""
        self._rows = []

    def finish(self, weights: Sequence[float], ranks: Ranks) -> None:
        """Write the direction into ``grad``; parameters that no term knows keep None.

        :param weights: see :meth:`SummedGradient.finish`.
        """
        rows, self._rows = self._summed(len(weights), ranks), []
        used = [k for k in range(len(self._parameters)) if any(row[k] is not None for row in rows)]
        if not used:
            return
        flat = torch.stack([self._flat(row, used) for row in rows])
        direction = conflict_free(flat, torch.tensor(weights, dtype=torch.float64))
        sizes = [self._parameters[k].numel() for k in used]
        for k, part in zip(used, direction.split(sizes), strict=True):
            parameter = self._parameters[k]
            parameter.grad = part.view_as(parameter).to(parameter.dtype)

    def _summed(self, n_terms: int, ranks: Ranks) -> list[list[Tensor | None]]:
        """[n_terms][n_parameters] gradients of all batches of all ranks."""
        n = len(self._parameters)
        rows = self._rows or [[None] * n for _ in range(n_terms)]
        flat = ranks.sum_known([one for row in rows for one in row], self._parameters * n_terms)
        return [flat[start : start + n] for start in range(0, len(flat), n)]

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
