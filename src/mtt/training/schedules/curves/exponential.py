"""`factor` to the power of the epochs since the warm-up, at least m, updated at every step; without
`factor`, it falls to 1/100 at the end."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.training.schedules.base import Schedule
from mtt.training.schedules.kind import Request, ScheduleKind
from mtt.training.schedules.options import LOW, WARMUP, inner


@dataclass(frozen=True)
class Exponential:
    """``factor`` times as much after every ``span`` steps, changing at every step.

    :param low: never less than this.
    """

    factor: float
    span: int
    low: float

    def __call__(self, step: int) -> float:
        return max(self.low, float(self.factor ** (step / max(1, self.span))))


def build(request: Request) -> Schedule:
    """Decay by ``factor`` per epoch, or to a hundredth over the rest of the stage."""
    factor, low = request.options["factor"], request.options["min_factor"]
    falls, span = (0.01, request.rest) if factor is None else (factor, request.per_epoch)
    return Schedule(request.peak, request.warmup, Exponential(falls, span, low))


SCHEDULE = ScheduleKind(build, {"factor": inner(None), **LOW, **WARMUP})
