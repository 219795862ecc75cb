"""1."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.training.schedules.base import Schedule
from mtt.training.schedules.kind import Request, ScheduleKind
from mtt.training.schedules.options import WARMUP


@dataclass(frozen=True)
class Constant:
    """The peak, always."""

    def __call__(self, step: int) -> float:
        return 1.0


def build(request: Request) -> Schedule:
    """The peak after the warm-up."""
    return Schedule(request.peak, request.warmup, Constant())


SCHEDULE = ScheduleKind(build, WARMUP)
