"""What the terms of a loss are divided by: counts over all batches of a step, on all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtt.ranks import Ranks
from mtt.training.losses.loss import Loss

if TYPE_CHECKING:
    from mtt.data import Batch


def counted(
    loss: Loss, batches: Sequence[Batch], ranks: Ranks, device: torch.device
) -> list[Tensor | float]:
    """Count the labelled components of each term in all ``batches`` of all ranks together.

    :param batches: of this rank; may be empty where there are others.
    :param device: of the counts that are tensors.
    """
    if batches:
        each = zip(*map(loss.counts, batches), strict=True)
        own = [sum(counts[1:], counts[0]) for counts in each]
    else:
        own = nothing_counted(loss, device)
    return over_ranks(own, ranks)


def nothing_counted(loss: Loss, device: torch.device) -> list[Tensor | float]:
    """The counts of no batch, of the kinds that those of a batch have: see Term.count."""
    nothing = torch.zeros((), dtype=torch.int64, device=device)
    return [0.0 if term.complete else nothing for term in loss.terms]


def over_ranks(counts: Sequence[Tensor | float], ranks: Ranks) -> list[Tensor | float]:
    """The sum of each count over the ranks; numbers stay numbers, tensors stay on the device."""
    tensors = iter(ranks.sum([count for count in counts if isinstance(count, Tensor)]))
    numbers = iter(ranks.sum_numbers([count for count in counts if not isinstance(count, Tensor)]))
    return [next(tensors) if isinstance(count, Tensor) else next(numbers) for count in counts]
