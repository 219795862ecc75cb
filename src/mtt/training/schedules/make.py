"""The schedule that the options ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.discovery import SCHEDULES
from mtt.training.options.named_options import check_options, name_and_options
from mtt.training.schedules.base import Schedule, Warmup
from mtt.training.schedules.kind import WHERE, Request, ScheduleKind

DEFAULT = "cosine"


def make_schedule(hypers: Mapping[str, Any], total_steps: int, steps_per_epoch: int) -> Schedule:
    """The schedule of a stage.

    :param hypers: with ``scheduler``, ``learning_rate`` (the peak) and ``warmup_fraction``.
    :param total_steps: optimizer steps of the stage.
    :param steps_per_epoch: optimizer steps of one epoch.
    :raises ConfigError: an unknown schedule or option, or a value that makes no sense.
    """
    name, given = name_and_options(hypers["scheduler"] or DEFAULT)
    kind = SCHEDULES.load(name, ScheduleKind, WHERE)
    elsewhere = {"lr": "use learning_rate", "warmup_fraction": "it stands beside scheduler"}
    check_options(given, kind.options, WHERE, elsewhere)
    options = {key: option.default for key, option in kind.options.items()} | given
    steps = options.get("warmup_steps")
    if steps is None:
        steps = int(hypers["warmup_fraction"] * total_steps)
    warmup = Warmup(steps, options.get("warmup_from", 0.0))
    return kind.build(
        Request(hypers["learning_rate"], total_steps, steps_per_epoch, warmup, options)
    )
