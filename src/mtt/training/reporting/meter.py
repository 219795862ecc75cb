"""Loss and errors of an epoch, added up on the device from the batches' own predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.evaluation.metrics import Errors
from mtt.graph import Target
from mtt.ranks import Ranks, states_of_ranks, stored_by_rank
from mtt.training.losses.loss import Loss, TermValue

if TYPE_CHECKING:
    from mtt.data import Batch


class Meter:
    """Sums over batches; :meth:`compute` equals a computation over one batch of everything.

    :param extended: count the extended errors too, see :class:`mtt.evaluation.Errors`.
    :param ranks: each of which counts its own batches.
    """

    def __init__(
        self,
        loss: Loss,
        info: DatasetInfo,
        device: torch.device,
        extended: bool = False,
        *,
        ranks: Ranks,
    ) -> None:
        self._loss = loss
        self._ranks = ranks
        self._errors = Errors(info, extended=extended)
        # totals and counts of the terms; the last row: norms of the gradient, number of them
        self._sums = torch.zeros(len(loss.terms) + 1, 2, dtype=torch.float64, device=device)

    @torch.no_grad()
    def add(
        self,
        terms: Sequence[TermValue],
        predictions: Mapping[str, Target],
        batch: Batch,
        norm: Tensor | None = None,
    ) -> None:
        """Count one batch; without a synchronisation of the device."""
        values = [*terms, *([] if norm is None else [TermValue(norm, 1.0)])]
        numbers = [_number(number, self._sums) for value in values for number in value]
        self._sums[: len(values)] += torch.stack(numbers).view(-1, 2)
        self._errors.update(
            predictions, batch.targets, batch.n_atoms, batch.volumes, types=batch.graph.types
        )

    def add_norm(self, norm: Tensor) -> None:
        """Count the gradient of a step of which this rank had no batch."""
        self._sums[-1] += torch.stack([norm.to(self._sums.dtype), self._sums.new_ones(())])

    def merge(self, other: Meter) -> None:
        """Count all that ``other`` has counted; it has the same loss, targets and device."""
        self._sums += other._sums
        self._errors.merge(other._errors)

    def compute(self) -> dict[str, float]:
        """``loss``, mean ``gradient norm`` (NaN without any), and the errors of all targets.

        Errors are those of :class:`mtt.evaluation.Errors`, in the units of the targets. All are
        those of the batches of all ranks, and the same numbers on each of them.
        """
        errors = self._errors.over(self._ranks, self._sums.device)
        (pooled,) = self._ranks.sum([self._sums])
        sums = pooled.cpu()
        norms, n = sums[-1].tolist()
        return {
            "loss": self._loss.pooled(sums[:-1]),
            "gradient norm": norms / n if n else float("nan"),
            **errors.compute(),
        }

    def state_dict(self) -> dict[str, Any]:
        """The sums and maxima of all ranks, to resume from in other processes."""
        own = {
            "loss": self._sums.clone(),
            "errors": self._errors.sums.clone(),
            "maxima": self._errors.maxima.clone(),
        }
        return stored_by_rank(self._ranks.gather(own))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from :meth:`state_dict` of a meter with the same loss, targets and extent.

        As many ranks as there were get their own sums back; fewer share them out.
        """
        states = states_of_ranks(state)[self._ranks.rank :: self._ranks.size]
        self._sums.zero_()
        self._errors.clear()
        for one in states:
            self._sums += one["loss"].to(self._sums.device)
            self._errors.add(one["errors"], one["maxima"])


def _number(number: Tensor | float, like: Tensor) -> Tensor:
    """0-d, of the type and on the device of ``like``."""
    if isinstance(number, Tensor):
        return number.to(like.dtype)
    return like.new_full((), number)
