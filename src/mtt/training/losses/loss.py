"""The loss: a weighted sum of terms, one per target and derivative.

With d = (prediction − label) / scale, where energies of structures and their strain derivatives are
first divided by the number of atoms (unless the target is in ``per_structure_targets``), a
component counts what a loss of ``losses/elementwise/`` or of another package makes of d, times the
weight of its structure; a loss of spectra makes one component of all points of a grid.
``reduction`` makes one number of the components of a batch:

    mean            their sum by the number of labelled components
    sum             their sum
    structure_mean  the mean over the labelled components of each structure, added up, by the
                    number of structures that have any

δ is in units of the scale. Missing labels (NaN) do not count, and give no gradient. Weights of
structures change what is added up and not what is counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from mtt.graph import Target
from mtt.training.losses.kind import ElementwiseLoss, SpectrumLoss, load_loss
from mtt.training.losses.weight_schedule import WeightSchedule

if TYPE_CHECKING:
    from mtt.data import Batch

REDUCTIONS = ("mean", "sum", "structure_mean")


class TermValue(NamedTuple):
    """One term of one batch, before weight and reduction."""

    total: Tensor  # 0-d, sum over the labelled components; structure_mean: over structures
    labelled: Tensor | float  # number of them; a Tensor [] where some may lack a label


@dataclass(frozen=True)
class Term:
    """One term of the loss.

    :param target: name of the target.
    :param part: field of :class:`Target`: ``values``, ``forces`` or ``strain``.
    :param weight: of the present epoch, by ``schedule`` where there is one.
    :param scale: divides the difference; unit of the target (energy per length for forces).
    :param per_atom: divide by the number of atoms of the structure.
    :param of_atoms: the rows of the labels are atoms; forces always are.
    :param of_pairs: the rows of the labels are pairs of atoms.
    :param complete: no label is missing, so that none needs to be looked for.
    :param to_ev_per_angstrom: unit of the forces in eV/Å, for losses that depend on their size.
    :param parameters: of a loss of spectra, by name.
    """

    target: str
    part: str
    type: str = "mse"
    weight: float = 1.0
    reduction: str = "mean"
    delta: float = 1.0
    scale: float = 1.0
    per_atom: bool = False
    of_atoms: bool = False
    of_pairs: bool = False
    complete: bool = False
    to_ev_per_angstrom: float = 1.0
    schedule: WeightSchedule | None = None
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        return self.target if self.part == "values" else f"{self.target} {self.part}"

    @cached_property
    def kind(self) -> ElementwiseLoss | SpectrumLoss:
        """The loss called ``type``."""
        return load_loss(self.type)

    def at(self, epoch: int) -> Term:
        """With the weight of that epoch."""
        return self if self.schedule is None else replace(self, weight=self.schedule.at(epoch))

    def __call__(self, prediction: Target, batch: Batch) -> TermValue:
        predicted, true = getattr(prediction, self.part), self._labels(batch)
        rows, labelled = self._counted(true)
        if isinstance(self.kind, SpectrumLoss):
            each = self._of_spectra(self.kind, predicted, true, labelled, batch)
        else:
            each = self._of_components(self.kind, predicted, true, labelled, batch)
        return TermValue(self._total(each, labelled, batch), self._count(rows, labelled, batch))

    def count(self, batch: Batch) -> Tensor | float:
        """``labelled`` of what a call returns, from the labels alone."""
        return self._count(*self._counted(self._labels(batch)), batch)

    def _of_components(
        self,
        kind: ElementwiseLoss,
        predicted: Tensor,
        true: Tensor,
        labelled: Tensor | None,
        batch: Batch,
    ) -> Tensor:
        """The loss of every component, of the shape of the labels; 0 without a label."""
        difference = predicted - true
        if labelled is not None:
            # the gradient of `where` is zero, not zero times NaN, where there is no label
            difference = torch.where(labelled, difference, 0.0)
        difference = difference / self._divisor(difference, batch)
        return kind(difference, self.delta, true, self.to_ev_per_angstrom)

    def _of_spectra(
        self,
        kind: SpectrumLoss,
        predicted: Tensor,
        true: Tensor,
        labelled: Tensor | None,
        batch: Batch,
    ) -> Tensor:
        """The loss [n, 1] of every spectrum; 0 without a label."""
        if labelled is not None:
            predicted = torch.where(labelled, predicted, 0.0)
        divisor = self._divisor(predicted, batch)
        each = kind.function(predicted / divisor, true / divisor, dict(self.parameters))[:, None]
        return each if labelled is None else torch.where(labelled, each, 0.0)

    def _divisor(self, values: Tensor, batch: Batch) -> Tensor | float:
        if not self.per_atom:
            return self.scale
        sizes = batch.n_atoms.to(values.dtype) * self.scale
        return sizes.reshape(-1, *[1] * (values.dim() - 1))

    def _counted(self, true: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is counted of the labels, one column of spectra; and what of it has a label."""
        rows = true[:, :1] if isinstance(self.kind, SpectrumLoss) else true
        if self.complete:
            return rows, None
        labelled = true.isfinite()
        return rows, labelled if rows is true else labelled.any(1, keepdim=True)

    def _labels(self, batch: Batch) -> Tensor:
        labels: Tensor = getattr(batch.targets[self.target], self.part)
        return labels

    def _total(self, each: Tensor, labelled: Tensor | None, batch: Batch) -> Tensor:
        """The weighted sum over components, or over the means of structures, 0-d."""
        if self.reduction != "structure_mean":
            if batch.weights is None:
                return each.sum()
            weights, owner = batch.weights.to(each.dtype), self._owner(batch)
            return each.flatten(1).sum(1) @ (weights if owner is None else weights[owner])
        if labelled is None:
            labelled = torch.ones_like(each, dtype=torch.bool)
        sums = self._by_structure(each, batch)
        means = sums / self._by_structure(labelled.to(each.dtype), batch).clamp(min=1.0)
        return means.sum() if batch.weights is None else means @ batch.weights.to(each.dtype)

    def _count(self, true: Tensor, labelled: Tensor | None, batch: Batch) -> Tensor | float:
        """Labelled components, or structures that have any."""
        if self.reduction != "structure_mean":
            return float(true.numel()) if labelled is None else labelled.sum()
        if labelled is None:
            return float(batch.graph.n_systems)
        return (self._by_structure(labelled.to(torch.float64), batch) > 0).sum()

    def _owner(self, batch: Batch) -> Tensor | None:
        """[n] structure of each row of the labels; None where rows are structures."""
        if self.of_pairs:
            return batch.graph.system[batch.graph.centers]
        return batch.graph.system if self.of_atoms or self.part == "forces" else None

    def _by_structure(self, rows: Tensor, batch: Batch) -> Tensor:
        """[n_systems] sums of the components of each structure."""
        sums = rows.flatten(1).sum(1)
        owner = self._owner(batch)
        if owner is None:
            return sums
        return sums.new_zeros(batch.graph.n_systems).index_add(0, owner, sums)


class Loss:
    """The terms of a training, and how they make one number.

    :param terms: at least one; terms of weight 0 are only reported.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)
        self.complete = all(term.complete for term in self.terms)

    def at(self, epoch: int) -> Loss:
        """The loss after ``epoch`` completed epochs of the stage; itself if that is the same."""
        terms = tuple(term.at(epoch) for term in self.terms)
        return self if terms == self.terms else Loss(terms)

    def final(self) -> Loss:
        """The loss after the last change of every weight."""
        changes = [term.schedule.epochs[-1] for term in self.terms if term.schedule is not None]
        return self.at(max(changes, default=0))

    @property
    def identity(self) -> str:
        """JSON text; losses with the same one give comparable values."""
        keys = ("target", "part", "type", "weight", "reduction", "scale", "per_atom")
        terms = []
        for term in self.terms:
            if term.weight:
                more: dict[str, Any] = {"delta": term.delta} if term.kind.has_delta else {}
                if term.parameters:
                    more["parameters"] = dict(term.parameters)
                terms.append({key: getattr(term, key) for key in keys} | more)
        return json.dumps(terms, sort_keys=True)

    @property
    def active(self) -> list[int]:
        """Numbers of the terms that have a weight."""
        return [i for i, term in enumerate(self.terms) if term.weight]

    def __call__(self, predictions: Mapping[str, Target], batch: Batch) -> list[TermValue]:
        """Every term of a batch, before weight and reduction.

        :param predictions: physical totals; the labels of ``batch`` likewise, NaN where missing.
        """
        return [term(predictions[term.target], batch) for term in self.terms]

    def counts(self, batch: Batch) -> list[Tensor | float]:
        """``labelled`` of every term, from the labels alone."""
        return [term.count(batch) for term in self.terms]

    def weighted(
        self, values: Sequence[TermValue], counts: Sequence[Tensor | float] | None = None
    ) -> list[Tensor]:
        """Weight times reduced value of every active term, each one 0-d; 0 without any label.

        :param counts: what every term is divided by, instead of what its own batch has: the sum
            over several batches whose gradients are added up.
        """
        if counts is None:
            counts = [value.labelled for value in values]
        return [
            self.terms[i].weight * _reduced(values[i].total, counts[i], self.terms[i].reduction)
            for i in self.active
        ]

    def pooled(self, sums: Tensor) -> float:
        """The loss of everything that was added up, exact for any batch size.

        :param sums: [n_terms, 2] float64, totals and counts.
        :returns: NaN where no term that counts has a label.
        """
        if self.active and not sums[self.active, 1].any():
            return float("nan")
        values = [TermValue(total, count) for total, count in sums.cpu()]
        return float(sum(self.weighted(values), torch.zeros((), dtype=torch.float64)))


def _reduced(total: Tensor, count: Tensor | float, reduction: str) -> Tensor:
    if reduction == "sum":
        return total
    if isinstance(count, Tensor):
        return total / count.clamp(min=1)
    return total / max(count, 1.0)
