"""Time limit of a training, requests to end it, and when its checkpoints are due."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

from mtt.errors import ConfigError
from mtt.ranks import Ranks
from mtt.stopping import Stopped

Clock = Callable[[], float]
"""Seconds since some moment; never goes back."""

MAX_TIME = 143
"""Exit code after ``max_time``: that of a run which its queue stopped in time."""

TIMED = 1
"""What ranks say of ``max_time`` where they say the number of a signal: none that is handled."""

_FORM = re.compile(r"(?:(\d+)-(?=\d+:\d+:))?(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


def parse_max_time(value: str | float | None, key: str = "max_time") -> float | None:
    """Seconds, from seconds, ``SS``, ``MM:SS``, ``HH:MM:SS`` or ``D-HH:MM:SS``.

    The first part may be any number; those that follow stay below 24 or 60.

    :param key: name of the option, for the message.
    :raises ConfigError: another form, or a time that is not above zero.
    """
    if value is None:
        return None
    seconds = _seconds(value) if isinstance(value, str) else float(value)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError(
            f"{value!r} is not a valid training time",
            where=f"architecture.training.{key}",
            hint="give seconds above zero, or 'MM:SS', 'HH:MM:SS' or 'D-HH:MM:SS'",
        )
    return seconds


def _seconds(text: str) -> float:
    """Convert ``text`` to seconds; NaN where it is not a time."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return math.nan
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    limits = [(hours, 24, found[1]), (minutes, 60, found[2]), (seconds, 60, found[3])]
    if any(part >= limit for part, limit, above in limits if above is not None):
        return math.nan
    return seconds + 60 * (minutes + 60 * (hours + 24 * days))


class TrainingInterrupted(Stopped):
    """The training was stopped by a signal or by ``max_time``, and saved."""


class Deadline:
    """The moment at which ``max_time`` is over.

    :param seconds: time limit; None for no limit.
    :param start: when the time began, by the clock; None for now.
    """

    def __init__(
        self, seconds: float | None, clock: Clock = time.monotonic, start: float | None = None
    ) -> None:
        self._clock = clock
        began = clock() if start is None else start
        self._end = math.inf if seconds is None else began + seconds

    @property
    def passed(self) -> bool:
        return self._clock() >= self._end


class Due:
    """Decides after each optimizer step whether a checkpoint is due within the epoch.

    :param interval_steps: due after every step whose number is a multiple; None is never.
    :param interval_minutes: due when the last one by minutes is longer ago; None is never.
    """

    def __init__(
        self,
        interval_steps: int | None,
        interval_minutes: float | None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._steps = interval_steps
        self._seconds = None if interval_minutes is None else 60 * interval_minutes
        self._clock = clock
        self._last = clock()

    def __call__(self, step: int, ranks: Ranks) -> bool:
        """Whether a checkpoint is due after optimizer step number ``step`` (from 1).

        :param ranks: it is due on all of them when it is by the clock of one.
        """
        by_steps = self._steps is not None and step % self._steps == 0
        if self._seconds is None:
            return by_steps
        now = self._clock()
        if not ranks.any(by_steps or now - self._last >= self._seconds):
            return False
        self._last = now
        return True
