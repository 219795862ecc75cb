"""The loss: a weighted sum of terms, one per target and derivative.

With d = (prediction − label) / scale, where energies of structures and strain derivatives are
first divided by the number of atoms (unless the target is in ``per_structure_targets``),

    mse    d²
    mae    |d|
    huber  d²/2 where |d| ≤ δ, δ(|d| − δ/2) elsewhere

summed over all labelled components and, with ``reduction: mean``, divided by their number.
δ is in units of the scale. Missing labels (NaN) do not count, and give no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mtt.graph import Target


class TermValue(NamedTuple):
    """One term of one batch."""

    total: Tensor  # 0-d, sum over the labelled components
    labelled: Tensor | float  # number of components; a Tensor [] where some may lack a label

    def reduced(self, reduction: str) -> Tensor:
        """The sum, or the mean over what is labelled (0 where nothing is)."""
        if reduction == "sum":
            return self.total
        if isinstance(self.labelled, Tensor):
            return self.total / self.labelled.clamp(min=1.0)
        return self.total / max(self.labelled, 1.0)


def squared(difference: Tensor, delta: float) -> Tensor:
    """Σ d², 0-d."""
    return difference.square().sum()


def absolute(difference: Tensor, delta: float) -> Tensor:
    """Σ |d|, 0-d."""
    return difference.abs().sum()


def huber(difference: Tensor, delta: float) -> Tensor:
    """Σ d²/2 up to ``delta``, δ(|d| − δ/2) beyond (Huber, Ann. Math. Stat. 1964), 0-d."""
    size = difference.abs()
    inside = torch.where(size <= delta, size, 0.0).square() / 2
    outside = torch.where(size > delta, delta * (size - delta / 2), 0.0)
    return (inside + outside).sum()


ELEMENTWISE: dict[str, Callable[[Tensor, float], Tensor]] = {
    "mse": squared,
    "mae": absolute,
    "huber": huber,
}


@dataclass(frozen=True)
class Term:
    """One term of the loss.

    :param target: name of the target.
    :param part: field of :class:`Target`: ``values``, ``forces`` or ``strain``.
    :param scale: divides the difference; unit of the target (energy per length for forces).
    :param per_atom: divide by the number of atoms of the structure.
    :param complete: no label is missing, so that none needs to be looked for.
    """

    target: str
    part: str
    type: str = "mse"
    weight: float = 1.0
    reduction: str = "mean"
    delta: float = 1.0
    scale: float = 1.0
    per_atom: bool = False
    complete: bool = False

    @property
    def name(self) -> str:
        return self.target if self.part == "values" else f"{self.target} {self.part}"

    def __call__(self, prediction: Target, label: Target, n_atoms: Tensor) -> TermValue:
        predicted, true = getattr(prediction, self.part), getattr(label, self.part)
        difference = predicted - true
        count: Tensor | float = float(true.numel())
        if not self.complete:
            labelled = true.isfinite()
            # the gradient of `where` is zero, not zero times NaN, where there is no label
            difference = torch.where(labelled, difference, 0.0)
            count = labelled.sum()
        if self.per_atom:
            sizes = n_atoms.to(difference.dtype) * self.scale
            difference = difference / sizes.reshape(-1, *[1] * (difference.dim() - 1))
        else:
            difference = difference / self.scale
        return TermValue(ELEMENTWISE[self.type](difference, self.delta), count)


class Loss:
    """The terms of a training, and how they make one number.

    :param terms: at least one; terms of weight 0 are only reported.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)
        self.complete = all(term.complete for term in self.terms)

    def __call__(
        self,
        predictions: Mapping[str, Target],
        labels: Mapping[str, Target],
        n_atoms: Tensor,
    ) -> list[TermValue]:
        """Every term of a batch, before weight and reduction.

        :param predictions: physical totals; ``labels`` likewise, NaN where missing.
        :param n_atoms: [n_systems] int64.
        """
        return [term(predictions[term.target], labels[term.target], n_atoms) for term in self.terms]

    def weighted(self, values: Sequence[TermValue]) -> list[Tensor]:
        """Weight times reduced value of every term with a weight, each one 0-d."""
        return [
            term.weight * value.reduced(term.reduction)
            for term, value in zip(self.terms, values, strict=True)
            if term.weight
        ]

    def pooled(self, sums: Tensor) -> float:
        """The loss of everything that was added up, exact for any batch size.

        :param sums: [n_terms, 2] float64, totals and counts.
        """
        values = [TermValue(total, count) for total, count in sums.cpu()]
        return float(sum(self.weighted(values), torch.zeros((), dtype=torch.float64)))
