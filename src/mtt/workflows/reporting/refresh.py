"""Refresh the report during the training: its curves, every few minutes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtt.interface import Listener
from mtt.workflows.plan import Plan
from mtt.workflows.reporting.energy import meters
from mtt.workflows.reporting.write import write_report

log = logging.getLogger(__name__)

INTERVAL = 180.0
"""Seconds between two reports of a running training."""

_SHARE = 0.01  # of the time of the training that refreshing may take


def refreshing(plan: Plan, run: Path) -> list[Listener]:
    """The listeners of a run in the folder ``run``; none where the options ask for no report."""
    if not plan.options.report:
        return []
    return [*meters(run, plan.device), Refresh(run, plan.folders)]


class Refresh:
    """A listener that writes the report after an epoch, once some minutes have passed.

    The interval grows if writing takes long, so that it takes at most one per cent of the time.

    :param architectures: folders of architectures outside of the package.
    :param interval: seconds.
    """

    def __init__(
        self, folder: Path, architectures: Sequence[str | Path] = (), interval: float = INTERVAL
    ) -> None:
        self._folder, self._architectures = folder, architectures
        self._interval = interval
        self._last = time.monotonic()

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category != "epoch" or time.monotonic() - self._last < self._interval:
            return
        begin = time.monotonic()
        write_report(self._folder, self._architectures, quiet=True)
        self._last = time.monotonic()
        self._interval = max(self._interval, (self._last - begin) / _SHARE)
        log.debug("the page was written in %.2f s", self._last - begin)
