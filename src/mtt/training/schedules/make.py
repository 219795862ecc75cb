"""The schedule that the options ask for."""

from __future__ import annotations

from mtt.discovery import SCHEDULES
from mtt.options.training import NamedChoice, TrainingOptions
from mtt.training.options.named_options import check_options
from mtt.training.schedules.base import Schedule, Warmup
from mtt.training.schedules.kind import WHERE, Request, ScheduleKind

DEFAULT = "cosine"


def make_schedule(options: TrainingOptions, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The schedule of a stage.

    :param options: of them ``scheduler``, ``learning_rate`` (the peak) and ``warmup_fraction``.
    :param total_steps: optimizer steps of the stage.
    :param steps_per_epoch: optimizer steps of one epoch.
    :raises ConfigError: an unknown schedule or option, or a value that makes no sense.
    """
    chosen = options.scheduler or NamedChoice(DEFAULT)
    name, given = chosen.name, chosen.options
    kind = SCHEDULES.load(name, ScheduleKind, WHERE)
    elsewhere = {
        "lr": "use learning_rate",
        "warmup_fraction": "set it next to scheduler, not in it",
    }
    check_options(given, kind.options, WHERE, elsewhere)
    own = {key: option.default for key, option in kind.options.items()} | dict(given)
    steps = own.get("warmup_steps")
    if steps is None:
        steps = int(options.warmup_fraction * total_steps)
    warmup = Warmup(steps, own.get("warmup_from", 0.0))
    return kind.build(Request(options.learning_rate, total_steps, steps_per_epoch, warmup, own))
