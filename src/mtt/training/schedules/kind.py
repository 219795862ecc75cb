"""What a schedule is made from, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mtt.training.options.defaults import SECTION
from mtt.training.options.named_options import Option
from mtt.training.schedules.base import Schedule, Warmup

WHERE = f"{SECTION}.scheduler"
"""The option, for messages."""


@dataclass(frozen=True)
class Request:
    """What a schedule is made from; all lengths are in optimizer steps of the stage.

    :param peak: the largest learning rate.
    :param total: of the whole stage.
    :param per_epoch: of an epoch.
    :param options: the schedule's own, checked, with their defaults.
    """

    peak: float
    total: int
    per_epoch: int
    warmup: Warmup
    options: Mapping[str, Any]

    @property
    def rest(self) -> int:
        """Steps after the warm-up."""
        return max(0, self.total - self.warmup.steps)


@dataclass(frozen=True)
class ScheduleKind:
    """One schedule by name.

    :param build: makes it.
    :param options: what a user may set beside its name; ``warmup_steps`` and ``warmup_from``
        (:data:`mtt.training.schedules.options.WARMUP`) where it begins with the warm-up.
    """

    build: Callable[[Request], Schedule]
    options: Mapping[str, Option]
