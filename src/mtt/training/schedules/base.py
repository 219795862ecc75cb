"""A learning rate that warms up, then follows a curve."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Curve = Callable[[int], float]
"""Part of the peak, in [0, 1], after a number of optimizer steps since the warm-up."""


@dataclass(frozen=True)
class Warmup:
    """A linear rise to the peak.

    :param steps: optimizer steps until the peak is reached; 0 starts with it.
    :param start: part of the peak from which it rises, in [0, 1].
    """

    steps: int
    start: float = 0.0

    def __call__(self, step: int) -> float:
        """Part of the peak at ``step``, from 0: the first step is above ``start``, the last 1."""
        return self.start + (1.0 - self.start) * (step + 1) / self.steps


class Schedule:
    """The learning rate of every optimizer step of a stage.

    A pure function of the step, so that a restart has nothing to restore; what listens to the
    validation (``plateau``) keeps a state.

    :param peak: the largest learning rate.
    """

    metric: str = ""
    """The metric of the validation that it uses; empty: none."""

    def __init__(self, peak: float, warmup: Warmup, curve: Curve) -> None:
        self.peak = peak
        self.warmup = warmup
        self.curve = curve

    def __call__(self, step: int) -> float:
        """Learning rate of the optimizer step number ``step`` of the stage, from 0."""
        if step < self.warmup.steps:
            return self.peak * self.warmup(step)
        return self.peak * self.curve(step - self.warmup.steps)

    def check_metrics(self, known: Iterable[str], unlabelled: Collection[str] = ()) -> None:
        """Whether the metric that the schedule listens to is one of ``known``.

        :param unlabelled: metrics for which no validation structure has a label.
        :raises ConfigError: it is not, or will never be found.
        """

    def observe(self, metrics: Mapping[str, float]) -> None:
        """Take note of a validation."""

    def state_dict(self) -> dict[str, Any]:
        """State from observed validations, in plain types; empty for pure functions."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`; the state of another kind of schedule is ignored."""
