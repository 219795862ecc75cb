"""One optimizer step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from mtt.graph import Target
from mtt.mlip.derivatives import detached
from mtt.training.loss import Loss, TermValue

if TYPE_CHECKING:
    from mtt.data import Batch
    from mtt.mlip import MLIPModel


class StepResult(NamedTuple):
    """What a step did; nothing in it keeps the graph of the step alive.

    :param fault: why the update was skipped: ``"not finite"``, ``"no labels"``, or ``""``.
    :param norm: 0-d, global norm of the gradient before clipping.
    """

    predictions: dict[str, Target]
    terms: list[TermValue]
    norm: Tensor
    fault: str


class Step:
    """zero_grad, forward, loss terms, combine, finite guard, clip, update; in this order.

    :param max_norm: the gradient is scaled down to this global norm; None leaves it alone.
    """

    def __init__(
        self, model: MLIPModel, loss: Loss, optimizer: Optimizer, max_norm: float | None
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.max_norm = max_norm
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def __call__(self, batch: Batch, learning_rate: float) -> StepResult:
        """Learn from one batch. Synchronises the device once, in the finite guard."""
        self.optimizer.zero_grad(set_to_none=True)
        predictions = self.model.predict_targets(batch.graph, create_graph=True)
        terms = self.loss(predictions, batch)
        total = combine(self.loss.weighted(terms))
        # by the weights alone: positions need no gradient of the loss
        total.backward(inputs=self._parameters)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = get_total_norm(gradients)
        size, fault = self._judge(total.detach(), norm, terms)
        if not fault:
            if self.max_norm is not None and size > self.max_norm:
                clip_grads_with_norm_(self._parameters, self.max_norm, norm)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.optimizer.step()
        seen = {name: detached(target) for name, target in predictions.items()}
        values = [TermValue(term.total.detach(), term.labelled) for term in terms]
        return StepResult(seen, values, norm, fault)

    def _judge(self, total: Tensor, norm: Tensor, terms: list[TermValue]) -> tuple[float, str]:
        """The norm as a number, and why there must be no update. Synchronises the device."""
        found = [total.double(), norm.double()]
        if not self.loss.complete:
            found += [total.new_zeros((), dtype=torch.float64) + term.labelled for term in terms]
        loss, size, *labelled = torch.stack(found).tolist()
        if not (math.isfinite(loss) and math.isfinite(size)):
            return size, "not finite"
        # without labels Adam would still walk on, along its momentum
        return size, "" if self.loss.complete or any(labelled) else "no labels"

    def explain(self, result: StepResult) -> str:
        """Which loss terms, or which parameters' gradients, are not finite."""
        named = zip(self.loss.terms, result.terms, strict=True)
        terms = [term.name for term, value in named if not torch.isfinite(value.total)]
        if terms:
            return f"the loss of {', '.join(terms)}"
        names = [
            name
            for name, p in self.model.named_parameters()
            if p.grad is not None and not torch.isfinite(p.grad).all()
        ]
        if not names:
            return "the norm of the gradient"
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"the gradient of {', '.join(names[:3])}{more}"


def combine(terms: list[Tensor]) -> Tensor:
    """The sum of the weighted terms: one number, one backward pass."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
