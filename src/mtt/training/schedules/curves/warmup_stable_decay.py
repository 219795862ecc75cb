"""1, then down to m over the last `decay_fraction` of all steps: `shape` 1 − q (`linear`), 1 − √q
(`sqrt`) or (1 + cos πq) / 2 (`cosine`) of the progress q (Hägele et al., NeurIPS 2024)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mtt.training.schedules.base import Schedule
from mtt.training.schedules.kind import Request, ScheduleKind
from mtt.training.schedules.options import LOW, WARMUP, choice, fraction


@dataclass(frozen=True)
class StableDecay:
    """The peak until ``stable`` steps are done, then down to ``low`` within ``span`` steps.

    :param shape: of the fall by progress p: ``linear`` 1 - p, ``sqrt`` 1 - √p (Hägele et al.,
        NeurIPS 2024), or ``cosine``.
    """

    stable: int
    span: int
    shape: str
    low: float

    def __call__(self, step: int) -> float:
        progress = min(1.0, max(0, step - self.stable) / max(1, self.span))
        if self.shape == "linear":
            part = 1.0 - progress
        elif self.shape == "sqrt":
            part = 1.0 - math.sqrt(progress)
        else:
            part = 0.5 * (1.0 + math.cos(math.pi * progress))
        return self.low + (1.0 - self.low) * part


def build(request: Request) -> Schedule:
    """The fall takes ``decay_fraction`` of all steps, at most those after the warm-up."""
    options = request.options
    span = min(request.rest, round(options["decay_fraction"] * request.total))
    curve = StableDecay(request.rest - span, span, options["shape"], options["min_factor"])
    return Schedule(request.peak, request.warmup, curve)


SCHEDULE = ScheduleKind(
    build,
    {
        "decay_fraction": fraction(0.2),
        "shape": choice("linear", "sqrt", "cosine"),
        **LOW,
        **WARMUP,
    },
)
