"""What the weights leave over: labels minus predictions of every structure of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtt.data.batching.largest_batch import describe
from mtt.data.memory import Remedy, telling_lack
from mtt.mlip import MLIPModel
from mtt.ranks import Ranks

if TYPE_CHECKING:
    from mtt.data import Batch, Loader
    from mtt.graph import Target


@torch.no_grad()
def residuals(
    model: MLIPModel,
    loader: Loader,
    names: Sequence[str],
    *,
    interrupted: Callable[[], None],
    ranks: Ranks,
) -> dict[str, Tensor]:
    """One pass over ``loader``, without forces and without gradients.

    :param loader: every structure once, not shuffled.
    :param names: targets of structures.
    :param interrupted: called after every batch; what it raises ends the pass.
    :param ranks: that share the batches out, and get the same numbers.
    :return: per target [n, invariant numbers of a sample] float64 on the CPU, in the unit of the
        target; NaN where a label is missing.
    """
    targets = model.dataset_info.targets
    widths = {name: len(targets[name].invariant_columns) for name in names}
    n = len(loader.dataset)
    # a structure is on one rank: the others add zeros, which change no bit
    found = {
        name: torch.zeros(n, width, dtype=torch.float64, device=model.device)
        for name, width in widths.items()
    }
    with _values_alone(model):
        for batch in loader.epoch(0):
            if len(batch.index):  # ranks share few structures out
                predicted = _predicted(model, batch, loader)
                for name, rows in found.items():
                    left = batch.targets[name].values.double() - predicted[name].values
                    rows[batch.index] = targets[name].invariant_part(left)
            interrupted()
    sums = ranks.sum([found[name] for name in names])
    return {name: one.cpu() for name, one in zip(names, sums, strict=True)}


def _predicted(model: MLIPModel, batch: Batch, loader: Loader) -> dict[str, Target]:
    def doing() -> str:
        return f"the refit of {describe([batch], loader.dataset.source)}"

    with telling_lack(model.device, doing, Remedy):
        return model.predict_targets(batch.graph)


@contextmanager
def _values_alone(model: MLIPModel) -> Iterator[None]:
    """Evaluation mode, and no derivative of any target is asked for."""
    info, training = model.dataset_info, model.training
    plain = {name: replace(target, gradients=()) for name, target in info.targets.items()}
    model.dataset_info = info.with_targets(plain)
    model.eval()
    try:
        yield
    finally:
        model.dataset_info = info
        model.train(training)
