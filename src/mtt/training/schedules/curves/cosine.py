"""m + (1 − m) (1 + cos πp) / 2 (Loshchilov and Hutter, ICLR 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mtt.training.schedules.base import Schedule
from mtt.training.schedules.kind import Request, ScheduleKind
from mtt.training.schedules.options import LOW, WARMUP


@dataclass(frozen=True)
class Cosine:
    """Half a cosine down to ``low`` (Loshchilov and Hutter, ICLR 2017).

    :param span: steps until the end.
    """

    span: int
    low: float

    def __call__(self, step: int) -> float:
        progress = min(1.0, step / max(1, self.span))
        return self.low + (1.0 - self.low) * 0.5 * (1.0 + math.cos(math.pi * progress))


def build(request: Request) -> Schedule:
    """Half a cosine over the rest of the stage."""
    curve = Cosine(request.rest, request.options["min_factor"])
    return Schedule(request.peak, request.warmup, curve)


SCHEDULE = ScheduleKind(build, {**LOW, **WARMUP})
