"""`factor` to the power of the number of plateaus of the validation, see below."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mtt.errors import ConfigError
from mtt.training.options.defaults import SECTION
from mtt.training.options.named_options import Option, check_name, is_number
from mtt.training.schedules.base import Schedule, Warmup
from mtt.training.schedules.curves.constant import Constant
from mtt.training.schedules.kind import Request, ScheduleKind
from mtt.training.schedules.options import WARMUP, choice, count, fraction, inner


class Plateau(Schedule):
    """``factor`` times the learning rate after ``patience`` validations without progress.

    As torch's ``ReduceLROnPlateau`` with a relative threshold. A validation that is not finite
    counts as a repetition of the last finite one, that is as no progress; before the first
    finite one nothing is counted. Validations during the warm-up count.

    :param metric: name in the mapping that :meth:`observe` gets.
    :param mode: ``min`` where less is better, ``max`` where more is.
    :param threshold: progress is a change by more than this part of the best value.
    :param cooldown: validations after a fall that are not counted.
    :param min_lr: the learning rate after the warm-up is never lower.
    """

    def __init__(
        self,
        peak: float,
        warmup: Warmup,
        *,
        metric: str,
        mode: str,
        factor: float,
        patience: int,
        threshold: float,
        cooldown: int,
        min_lr: float,
    ) -> None:
        super().__init__(peak, warmup, Constant())
        self.metric = metric
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._best: float | None = None
        self._falls = self._bad = self._resting = 0

    def __call__(self, step: int) -> float:
        """Learning rate of ``step``, after the validations that were observed so far."""
        reduced = super().__call__(step) * self.factor**self._falls
        if step < self.warmup.steps:
            return reduced
        return max(reduced, min(self.min_lr, self.peak))

    def check_metrics(self, known: Iterable[str], unlabelled: Collection[str] = ()) -> None:
        """Whether ``metric`` is one of ``known``, and not one of ``unlabelled``.

        :raises ConfigError: it is not.
        """
        where = f"{SECTION}.scheduler.metric"
        check_name(self.metric, known, "metric", where)
        if self.metric in unlabelled:
            what = f"no validation structure has a label for {self.metric}"
            raise ConfigError(what, where=where, hint="the learning rate would never fall by it")

    def observe(self, metrics: Mapping[str, float]) -> None:
        """Count a validation, and lower the rate where patience has come to its end."""
        value = metrics[self.metric]
        if self._best is None and not math.isfinite(value):
            return
        if math.isfinite(value) and self._improves(value):
            self._best, self._bad = value, 0
        else:
            self._bad += 1
        if self._resting:
            self._resting -= 1
            self._bad = 0
        if self._bad > self.patience:
            self._falls += 1
            self._bad, self._resting = 0, self.cooldown

    def state_dict(self) -> dict[str, Any]:
        """Best value, falls so far, and the counters."""
        return {
            "metric": self.metric,
            "best": self._best,
            "falls": self._falls,
            "bad": self._bad,
            "resting": self._resting,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`; another metric resets the best value."""
        if "falls" not in state:
            return
        self._falls, self._bad, self._resting = state["falls"], state["bad"], state["resting"]
        self._best = state["best"]
        if state["metric"] != self.metric:
            self._best, self._bad = None, 0

    def _improves(self, value: float) -> bool:
        if self._best is None:
            return True
        if self.mode == "min":
            return value < self._best * (1.0 - self.threshold)
        return value > self._best * (1.0 + self.threshold)


_OWN = {
    "metric": Option("loss", lambda v: isinstance(v, str), "the name of a metric"),
    "mode": choice("min", "max"),
    "factor": inner(0.1),
    "patience": count(10),
    "threshold": fraction(1e-4),
    "cooldown": count(0),
    "min_lr": Option(0.0, lambda v: is_number(v) and v >= 0, "a number of at least 0"),
}


def build(request: Request) -> Schedule:
    """The peak after the warm-up, as long as the validation gets better."""
    return Plateau(request.peak, request.warmup, **{key: request.options[key] for key in _OWN})


SCHEDULE = ScheduleKind(build, {**_OWN, **WARMUP})
