"""from 1 / `div_factor` up to 1 at `pct_start` of all steps, then down to 1 / (`div_factor`
`final_div_factor`) (Smith and Topin, 2018), as in torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mtt.training.schedules.base import Schedule, Warmup
from mtt.training.schedules.kind import Request, ScheduleKind
from mtt.training.schedules.options import at_least_one, choice, fraction


@dataclass(frozen=True)
class OneCycle:
    """Rise to the peak, then fall to far below the start (Smith and Topin, 2018).

    As torch's ``OneCycleLR``: from ``1 / div_factor`` to 1 over the first ``pct_start`` of
    ``total`` steps, then to ``1 / (div_factor * final_div_factor)`` at the last one.

    :param anneal: ``cos`` or ``linear``, for both parts.
    """

    total: int
    pct_start: float
    div_factor: float
    final_div_factor: float
    anneal: str

    def __call__(self, step: int) -> float:
        start = 1.0 / self.div_factor
        peak, last = self.pct_start * self.total - 1.0, self.total - 1.0
        if step <= peak:
            return self._between(start, 1.0, step / peak if peak > 0 else 1.0)
        progress = min(1.0, (step - peak) / max(last - peak, 1e-9))
        return self._between(1.0, start / self.final_div_factor, progress)

    def _between(self, begin: float, end: float, progress: float) -> float:
        if self.anneal == "linear":
            return begin + (end - begin) * progress
        return end + (begin - end) * 0.5 * (1.0 + math.cos(math.pi * progress))


def build(request: Request) -> Schedule:
    """The cycle over the whole stage, which has its own rise in place of the warm-up."""
    options = request.options
    curve = OneCycle(
        total=request.total,
        pct_start=options["pct_start"],
        div_factor=options["div_factor"],
        final_div_factor=options["final_div_factor"],
        anneal=options["anneal_strategy"],
    )
    return Schedule(request.peak, Warmup(0), curve)


SCHEDULE = ScheduleKind(
    build,
    {
        "pct_start": fraction(0.3),
        "div_factor": at_least_one(25.0),
        "final_div_factor": at_least_one(1e4),
        "anneal_strategy": choice("cos", "linear"),
    },
)
