"""One optimizer step."""

from __future__ import annotations

import math
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from mtt.data.memory import lacks_memory
from mtt.graph import Target
from mtt.mlip.derivatives import detached
from mtt.ranks import RankError, Ranks
from mtt.training.losses.counts import counted
from mtt.training.losses.gradients import Gradient, total
from mtt.training.losses.loss import Loss, TermValue
from mtt.training.optimizers import Shares, needs_closure

if TYPE_CHECKING:
    from mtt.data import Batch
    from mtt.mlip import MLIPModel
    from mtt.mlip.networks import Network
    from mtt.training.losses.anchor import Anchor


class Seen(NamedTuple):
    """Results of a step for one batch; nothing in it keeps the graph of the step alive."""

    batch: Batch
    predictions: dict[str, Target]
    terms: list[TermValue]


class StepResult(NamedTuple):
    """Result of a step.

    :param fault: why there was no update: ``"not finite"``, ``"overflow"`` (of the scaled
        loss), ``"no labels"``, ``"line search"`` (of L-BFGS: the loss is finite where it began,
        and not where it went), or ``""``.
    :param norm: 0-d, global norm of the gradient before clipping.
    """

    seen: list[Seen]
    norm: Tensor
    fault: str


class Step:
    """zero_grad, forward, loss terms, combine, unscale, finite guard, clip, update: in this order.

    Ranks take a step together, each with its own batches or with none: terms are divided by
    what all of them count, gradients and the loss are summed, so that every rank judges the same
    numbers and moves its weights alike.

    :param gradient: how the terms become one gradient.
    :param max_norm: the gradient is scaled down to this global norm; None leaves it alone.
        Optimizers that evaluate the loss themselves (L-BFGS) are never clipped.
    :param network: evaluates the model's network in training; None: as it is written.
    :param scaler: of the loss, where the network computes in float16.
    :param ranks: those that take the step together.
    :param anchor: a further term of the loss, see :class:`mtt.training.losses.anchor.Anchor`.
    """

    def __init__(
        self,
        model: MLIPModel,
        optimizer: Optimizer,
        gradient: Gradient,
        max_norm: float | None,
        network: Network | None = None,
        scaler: GradScaler | None = None,
        *,
        ranks: Ranks,
        anchor: Anchor | None = None,
    ) -> None:
        self.anchor = anchor
        self.model = model
        self.optimizer = optimizer
        self.gradient = gradient
        self.max_norm = max_norm
        self.network = network
        self.scaler = scaler
        self.ranks = ranks
        self.shares = Shares(optimizer, ranks)
        self._lack: BaseException | None = None  # of memory, for the part of this rank
        self.updating = False  # True where an update was begun, and failed
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def __call__(self, loss: Loss, batches: Sequence[Batch], learning_rate: float) -> StepResult:
        """Learn from some batches, as from one that holds them all, those of other ranks too.

        :param batches: of this rank; may be empty where there are others.

        Synchronises the device once, in the finite guard.
        """
        counts = counted(loss, batches, self.ranks, self.model.device)
        value, seen = self._differentiate(loss, batches, counts)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        # a scaler cannot do without any gradient: forces of isolated atoms depend on no weight
        scaler = self.scaler if gradients else None
        if scaler is not None:
            scaler.unscale_(self.optimizer)
        self._decay()
        norm = get_total_norm(gradients) if gradients else value.new_zeros(())
        size, fault = self._guard(loss, value, norm, counts)
        if fault == "not finite":
            self._raise_lack()
        if not fault:
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate * group["lr_factor"]
            self.updating = True
            fault = self._update(loss, batches, counts, size, norm, scaler)
            self.updating = False
        if scaler is not None:
            scaler.update()
        return StepResult(seen, norm, fault)

    def _differentiate(
        self, loss: Loss, batches: Sequence[Batch], counts: Sequence[Tensor | float]
    ) -> tuple[Tensor, list[Seen]]:
        """Fill ``grad`` of all parameters; the loss, and what was seen of each batch.

        The loss is NaN on all ranks where one of them has no memory for its part.
        """
        weights = [loss.terms[i].weight for i in loss.active]
        self._lack = None
        seen: list[Seen] = []
        own = torch.zeros((), dtype=torch.float64, device=self._parameters[0].device)
        try:
            seen, values = self._own(loss, batches, counts, weights)
            own = total(values).double() if values else own
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            self._lack = error
            traceback.clear_frames(error.__traceback__)
            self.optimizer.zero_grad(set_to_none=True)
            self.gradient.forget()
            own.fill_(torch.nan)
        # the other ranks wait for this one, whatever has become of its part
        self.gradient.finish(weights, self.ranks)
        (value,) = self.ranks.sum([own])
        return value, seen

    def _own(
        self,
        loss: Loss,
        batches: Sequence[Batch],
        counts: Sequence[Tensor | float],
        weights: Sequence[float],
    ) -> tuple[list[Seen], list[Tensor]]:
        """The part of this rank: gradients are added up, losses are not."""
        self.optimizer.zero_grad(set_to_none=True)
        values: list[Tensor] = []
        seen = []
        for batch in batches:
            predictions = self.model.predict_targets(
                batch.graph, create_graph=True, network=self.network
            )
            terms = loss(predictions, batch)
            weighted = loss.weighted(terms, counts)
            self.gradient.add(weighted, weights, self._scaled)
            values.append(total(weighted).detach())
            seen.append(
                Seen(
                    batch,
                    {name: detached(target) for name, target in predictions.items()},
                    [TermValue(term.total.detach(), term.labelled) for term in terms],
                )
            )
        return seen, values

    def _raise_lack(self) -> None:
        """Asked by all ranks: end the step where one of them had no memory for its part.

        :raises MemoryError: of this rank, or what torch raised.
        :raises RankError: of another one.
        """
        lack, self._lack = self._lack, None
        lacking = [i for i, lacks in enumerate(self.ranks.gather(lack is not None)) if lacks]
        if lack is not None:
            raise lack
        if lacking:
            raise RankError(f"rank {lacking[0]} has no memory left for its part of the step")

    def _scaled(self, value: Tensor) -> Tensor:
        return value if self.scaler is None else self.scaler.scale(value)

    def _decay(self) -> None:
        """Weights in the gradient (L2), where a group asks for it, and the anchor; before it is
        clipped."""
        for group in self.optimizer.param_groups:
            if group["l2"]:
                with_gradient = [p for p in group["params"] if p.grad is not None]
                gradients = [p.grad for p in with_gradient if p.grad is not None]
                torch._foreach_add_(
                    gradients, [p.detach() for p in with_gradient], alpha=group["l2"]
                )
        if self.anchor is not None:
            self.anchor.pull()

    def _update(
        self,
        loss: Loss,
        batches: Sequence[Batch],
        counts: Sequence[Tensor | float],
        size: float,
        norm: Tensor,
        scaler: GradScaler | None,
    ) -> str:
        """Move the weights; why they could not, or an empty string."""
        if needs_closure(self.optimizer):
            return self._search(loss, batches, counts)
        if self.max_norm is not None and size > self.max_norm:
            clip_grads_with_norm_(self._parameters, self.max_norm, norm)
        if scaler is None:
            self.shares.step(self.optimizer.step)
        else:
            self.shares.step(lambda: scaler.step(self.optimizer))
        return ""

    def _search(
        self, loss: Loss, batches: Sequence[Batch], counts: Sequence[Tensor | float]
    ) -> str:
        """An update that evaluates the loss at other weights on its way."""
        if not any(group["lr"] for group in self.optimizer.param_groups):
            return ""  # the line search divides by the learning rate
        kept = [p.detach().clone() for p in self._parameters]

        def closure() -> float:
            value, _ = self._differentiate(loss, batches, counts)
            self._decay()
            number = float(value)
            if not math.isfinite(number):
                self._raise_lack()
            return number + (0.0 if self.anchor is None else float(self.anchor.penalty()))

        self.optimizer.step(closure)
        if all(bool(torch.isfinite(p).all()) for p in self._parameters):
            return ""
        # one of its evaluations was not finite, and is now in what it remembers
        self.optimizer.state.clear()
        with torch.no_grad():
            for parameter, before in zip(self._parameters, kept, strict=True):
                parameter.copy_(before)
        return "line search"

    def _guard(
        self, loss: Loss, value: Tensor, norm: Tensor, counts: Sequence[Tensor | float]
    ) -> tuple[float, str]:
        """The norm as a number, and why there must be no update. Synchronises the device."""
        found = [value.double(), norm.double()]
        if not loss.complete:
            zero = value.new_zeros((), dtype=torch.float64)
            found += [zero + counts[i] for i in loss.active]
        number, size, *labelled = torch.stack(found).tolist()
        if not math.isfinite(number):
            return size, "not finite"
        if not math.isfinite(size):
            scaled = self.scaler is not None and self.scaler.get_scale() > 1.0
            return size, "overflow" if scaled else "not finite"
        # without labels Adam would still walk on, along its momentum
        return size, "" if loss.complete or any(labelled) else "no labels"

    def explain(self, loss: Loss, result: StepResult) -> str:
        """Which loss terms, or which parameters' gradients, are not finite; asked by all ranks."""
        lost = [
            not all(torch.isfinite(one.terms[i].total) for one in result.seen)
            for i in range(len(loss.terms))
        ]
        on_any = [any(flags) for flags in zip(*self.ranks.gather(lost), strict=True)]
        terms = [term.name for term, bad in zip(loss.terms, on_any, strict=True) if bad]
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
