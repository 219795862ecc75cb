"""The end of a training that makes no progress."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mtt.options.training import EarlyStoppingOptions


class EarlyStopping:
    """Counts epochs without progress.

    An epoch is progress if its value is below the best so far by more than ``min_delta``;
    then the count is zero again. Every other epoch from ``first_epoch`` on counts one, and
    at ``patience`` the training ends: after epoch ``first_epoch + patience - 1`` at the
    earliest.

    :param patience: epochs without progress, at least 1.
    :param min_delta: in the unit of the value.
    :param first_epoch: number, from 1, of the first epoch that can count.
    """

    def __init__(self, patience: int, min_delta: float = 0.0, first_epoch: int = 1) -> None:
        self.patience = patience
        self.min_delta = min_delta
        self.first_epoch = first_epoch
        self.best = math.inf
        self.count = 0

    @property
    def stopped(self) -> bool:
        """Whether an observed epoch was the last one."""
        return self.count >= self.patience

    def observe(self, epoch: int, value: float) -> str:
        """Why the training must end after ``epoch`` (from 1), or an empty string."""
        if not math.isfinite(value):
            self.count = self.patience
            return f"the validation of epoch {epoch} is {value}"
        if value + self.min_delta < self.best:
            self.best, self.count = value, 0
        elif epoch >= self.first_epoch:
            self.count += 1
        if not self.stopped:
            return ""
        return f"no progress in {self.count} epochs (best value {self.best:.6g})"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.count = float(state["best"]), int(state["count"])


def make_early_stopping(
    options: EarlyStoppingOptions | None, num_epochs: int
) -> EarlyStopping | None:
    """Make the rule of the option ``early_stopping``; ``start`` is a part of ``num_epochs``."""
    if options is None:
        return None
    first = max(1, int(num_epochs * options.start))
    return EarlyStopping(options.patience, options.min_delta, first)
