"""Some parameters are fitted to the whole training set before the first epoch.

L-BFGS with a line search by the strong Wolfe conditions (Nocedal and Wright, Numerical
Optimization, 2nd ed., algorithms 7.5 and 3.5), as torch has it. It converges in a few dozen steps
where parameters are few and the loss is nearly quadratic in them: those of a prior.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter

from mtt.errors import TrainingError
from mtt.mlip.trainable.parameter_names import check_patterns, matches
from mtt.options.training import SECTION, PrefitOptions
from mtt.ranks import Ranks
from mtt.training.losses.counts import nothing_counted, over_ranks
from mtt.training.losses.loss import Loss

if TYPE_CHECKING:
    from mtt.data import Batch, Loader
    from mtt.mlip import MLIPModel

log = logging.getLogger(__name__)

WHERE = f"{SECTION}.prefit.parameters"


@dataclass(frozen=True)
class PrefitReport:
    """Result of a pre-fit.

    :param parameters: names of what was fitted; none where nothing could be.
    :param steps: steps of L-BFGS.
    :param evaluations: passes over the training set, those of the line searches included.
    :param losses: loss at the start and after every step.
    :param gradient_norm: largest component of the gradient, by absolute value, at the end.
    :param converged: it is not above the tolerance.
    """

    parameters: tuple[str, ...] = ()
    steps: int = 0
    evaluations: int = 0
    losses: tuple[float, ...] = ()
    gradient_norm: float = 0.0
    converged: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain types for the provenance; of the losses, the first and the last."""
        values = {key: value for key, value in asdict(self).items() if key != "losses"}
        ends = {"loss_before": self.losses[0], "loss_after": self.losses[-1]} if self.losses else {}
        return {**values, "parameters": list(self.parameters), **ends}


def prefit(
    model: MLIPModel,
    loader: Loader,
    loss: Loss,
    options: PrefitOptions,
    *,
    interrupted: Callable[[], None] = lambda: None,
    ranks: Ranks,
) -> PrefitReport:
    """Minimise ``loss`` over the whole of ``loader`` by the parameters that ``options`` name.

    Nothing else changes: other weights, buffers, ``.grad``, modes and the state of random
    numbers are what they were. Dropout and mixed precision are off, gradients are not clipped.
    Batches are summed up one by one and terms divided by what all of them count, so that their
    size decides memory alone.

    :param loader: every structure once, in an order that stays: ``shuffle=False``.
    :param loss: with the weights of the first epoch.
    :param interrupted: called after every batch; what it raises ends the fit, with the old values.
    :param ranks: that share out the batches, and find the same values.
    :raises ConfigError: a pattern of no parameter.
    :raises TrainingError: the loss or its gradient is not finite; the values are the old ones.
    """
    patterns = options.parameters
    check_patterns(model, patterns, WHERE)
    chosen = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and any(matches(name, pattern) for pattern in patterns)
    }
    if not chosen:
        log.warning("prefit is left out: %s can not be trained", ", ".join(patterns))
        return PrefitReport()
    with _undisturbed(model, list(chosen.values())):
        report = _Fit(model, loader, loss, chosen, interrupted, ranks).run(
            options.max_steps, options.tolerance
        )
    _report_result(report, options.max_steps)
    return report


def _report_result(report: PrefitReport, max_steps: int) -> None:
    first, last = report.losses[0], report.losses[-1]
    values = (report.steps, first, last, report.gradient_norm)
    if report.converged:
        log.info("prefit: converged in %d steps, loss %.6g to %.6g, gradient %.2g", *values)
    else:
        why = "max_steps" if report.steps == max_steps else "no step lowers the loss further"
        log.warning(
            "prefit: NOT converged after %d steps, loss %.6g to %.6g, gradient %.2g (%s)",
            *values,
            why,
        )


class _Fit:
    """The fit of ``chosen``, from their present values."""

    def __init__(
        self,
        model: MLIPModel,
        loader: Loader,
        loss: Loss,
        chosen: dict[str, Parameter],
        interrupted: Callable[[], None],
        ranks: Ranks,
    ) -> None:
        self.model, self.loader, self.loss = model, loader, loss
        self.interrupted, self.ranks = interrupted, ranks
        self.names, self.parameters = tuple(chosen), list(chosen.values())
        own = nothing_counted(loss, model.device)
        for batch in _with_structures(loader):
            counts = zip(own, loss.counts(batch), strict=True)
            own = [sum_ + count for sum_, count in counts]
        self.counts = over_ranks(own, ranks)
        self.evaluations = 0
        self.seen: tuple[Tensor, float, list[Tensor]] | None = None

    def run(self, max_steps: int, tolerance: float) -> PrefitReport:
        """Step until convergence, until no step changes the weights, or ``max_steps`` times."""
        optimizer = torch.optim.LBFGS(
            self.parameters,
            max_iter=1,
            max_eval=26,  # the line search gets what is left of it
            tolerance_grad=tolerance,
            tolerance_change=0.0,
            history_size=max(10, min(100, self._flat().numel())),
            line_search_fn="strong_wolfe",
        )
        losses = [self._evaluate()]
        size = self._gradient_norm()
        steps = 0
        while size > tolerance and steps < max_steps:
            before = self._flat()
            optimizer.step(self._evaluate)
            if torch.equal(self._flat(), before):
                break
            losses.append(self._evaluate())
            size = self._gradient_norm()
            steps += 1
        return PrefitReport(
            self.names, steps, self.evaluations, tuple(losses), size, size <= tolerance
        )

    def _evaluate(self) -> float:
        """The loss of everything; leaves its gradient in ``.grad``. The last point is remembered.

        :raises TrainingError: loss or gradient are not finite.
        """
        point = self._flat()
        if self.seen is None or not torch.equal(self.seen[0], point):
            self.evaluations += 1
            total, gradients = 0.0, [torch.zeros_like(p) for p in self.parameters]
            for batch in _with_structures(self.loader):
                predictions = self.model.predict_targets(batch.graph, create_graph=True)
                terms = self.loss.weighted(self.loss(predictions, batch), self.counts)
                value = torch.stack([term.double() for term in terms]).sum()
                parts = torch.autograd.grad(
                    value, self.parameters, allow_unused=True, materialize_grads=True
                )
                torch._foreach_add_(gradients, list(parts))
                total += float(value.detach())
                self.interrupted()
            gradients = self.ranks.sum(gradients)
            (total,) = self.ranks.sum_numbers([total])
            if not (math.isfinite(total) and all(bool(g.isfinite().all()) for g in gradients)):
                what = "loss" if not math.isfinite(total) else "gradient of the loss"
                raise TrainingError(
                    f"the {what} of the pre-fit is not finite; the parameters are as before",
                    where=WHERE,
                    hint="look at the start values of the parameters, and at the data",
                )
            self.seen = point, total, gradients
        _, total, gradients = self.seen
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
        return total

    def _flat(self) -> Tensor:
        return torch.cat([p.detach().double().flatten() for p in self.parameters])

    def _gradient_norm(self) -> float:
        assert self.seen is not None
        return max(float(gradient.abs().max()) for gradient in self.seen[2])


@contextmanager
def _undisturbed(model: MLIPModel, chosen: Sequence[Parameter]) -> Iterator[None]:
    """Evaluation mode; all is put back, values too if the fit fails."""
    training = {module: module.training for module in model.modules()}
    values = [parameter.detach().clone() for parameter in chosen]
    gradients = [parameter.grad for parameter in chosen]
    model.eval()
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for parameter, value in zip(chosen, values, strict=True):
                parameter.copy_(value)
        raise
    finally:
        for module, mode in training.items():
            module.training = mode
        for parameter, gradient in zip(chosen, gradients, strict=True):
            parameter.grad = gradient


def _with_structures(loader: Loader) -> Iterator[Batch]:
    """Ranks share few structures out: batches of none are left out."""
    return (batch for batch in loader.epoch(0) if len(batch.index))
