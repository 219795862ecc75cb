"""What the console loggers share: which epochs they show, and how numbers look."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

logger = logging.getLogger(__name__)


def number(value: float) -> str:
    """Four significant digits, never in a form that hides a small number."""
    return f"{value:.4g}"


def best(values: Mapping[str, Any]) -> str:
    """Text at the end of the line of a best epoch, ``best by loss``; from an ``epoch``."""
    metric = values.get("metric")  # an own trainer need not say
    return f"best by {metric}" if metric else "best"


class Shown:
    """Which epochs are shown: every ``log_interval``-th, the first of the run, the last one."""

    def __init__(self) -> None:
        self.num_epochs = 0
        self._interval = 1
        self._first: int | None = None
        self.parts: list[str] = []  # beginnings of the names of columns

    def __call__(self, epoch: int) -> bool:
        return epoch % self._interval == 0 or epoch in (self._first, self.num_epochs)

    def start(self, values: Mapping[str, Any], epoch: int) -> None:
        """Say what is about to be trained, from a ``run_start``."""
        self.num_epochs, self._interval = values["num_epochs"], values["log_interval"]
        self._first = epoch + 1
        # "validation bulk loss" belongs to a validation set with separate columns
        losses = [name for name in values["units"] if name.endswith(" loss")]
        self.parts = [name.removesuffix("loss") for name in losses]
        if epoch >= self.num_epochs:
            logger.info("all %d epochs are trained", self.num_epochs)
            return
        logger.info(
            "epochs %d to %d of %d batches each; %s, errors are RMSE",
            epoch + 1,
            self.num_epochs,
            values["n_batches"],
            " | ".join(part.strip() for part in self.parts),
        )

    def end(self, values: Mapping[str, Any]) -> None:
        """Say which epoch is best, from an ``end``."""
        logger.info(
            "best epoch: %s (%s %s on the validation set)",
            values["best_epoch"],
            values["metric"],
            number(values["best_metric"]),
        )
