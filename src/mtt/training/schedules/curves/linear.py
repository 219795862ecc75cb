"""1 − (1 − m) p; with `steps`, m is reached after that many steps, not at the end."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.training.schedules.base import Schedule
from mtt.training.schedules.kind import Request, ScheduleKind
from mtt.training.schedules.options import LOW, WARMUP, count


@dataclass(frozen=True)
class Linear:
    """A straight line down to ``low``, which is reached after ``span`` steps."""

    span: int
    low: float

    def __call__(self, step: int) -> float:
        return 1.0 - (1.0 - self.low) * min(1.0, step / max(1, self.span))


def build(request: Request) -> Schedule:
    """A straight line over the rest of the stage, or over ``steps``."""
    span = request.rest if request.options["steps"] is None else request.options["steps"]
    return Schedule(request.peak, request.warmup, Linear(span, request.options["min_factor"]))


SCHEDULE = ScheduleKind(build, {**LOW, "steps": count(None, 1), **WARMUP})
