"""`factor` to the power of ⌊epochs / `every`⌋, at least m; epochs count from the start of the
stage."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.errors import ConfigError
from mtt.training.schedules.base import Schedule
from mtt.training.schedules.kind import WHERE, Request, ScheduleKind
from mtt.training.schedules.options import LOW, WARMUP, inner, positive


@dataclass(frozen=True)
class Drops:
    """``factor`` times as much after every ``every`` steps, all at once.

    :param begin: steps of the warm-up, which count too: drops are at whole epochs of the stage.
    :param low: never less than this.
    """

    factor: float
    every: int
    begin: int
    low: float

    def __call__(self, step: int) -> float:
        return max(self.low, float(self.factor ** ((step + self.begin) // self.every)))


def build(request: Request) -> Schedule:
    """Drops every ``every`` epochs.

    :raises ConfigError: ``every`` is missing.
    """
    options = request.options
    if options["every"] is None:
        hint = "epochs between two falls: {name: step, every: 30}"
        raise ConfigError("'every' is missing", where=WHERE, hint=hint)
    every = max(1, round(options["every"] * request.per_epoch))
    drops = Drops(options["factor"], every, request.warmup.steps, options["min_factor"])
    return Schedule(request.peak, request.warmup, drops)


SCHEDULE = ScheduleKind(build, {"every": positive(None), "factor": inner(0.1), **LOW, **WARMUP})
