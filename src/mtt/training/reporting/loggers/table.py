"""one aligned row per epoch with every metric, below a header with the units, on the terminal and
in `train.log`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mtt.evaluation.quantities import is_extended
from mtt.training.reporting.console.fitted import TableLine
from mtt.training.reporting.console.shown import Shown, best, number
from mtt.training.reporting.events import PARTS
from mtt.training.reporting.logger_kind import LoggerKind

logger = logging.getLogger(__name__)

WIDTH = len("-1.234e-05")  # the longest number of four digits


class TableLogger:
    """Logs every ``log_interval``-th epoch, below a header with the units.

    Extended metrics are left out: they would make lines that no terminal can show. The header
    has three lines: training or validation, the quantity, its unit. A terminal that is
    narrower than a row shows it in blocks of columns, and the header likewise.
    """

    def __init__(self) -> None:
        self._shown = Shown()
        self._known: dict[str, str] = {}
        self._units: dict[str, str] = {}
        self._widths: list[int] = []

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._shown.start(values, epoch)
            self._header(values["units"])
        elif category == "epoch" and self._shown(epoch):
            if values["units"] != self._known:
                self._header(values["units"])
            cells = [number(values["metrics"][name]) for name in self._units]
            end = f"  {best(values)}" if values["is_best"] else ""
            logger.info("%s", TableLine(cells, self._widths, end))
        elif category == "end":
            self._shown.end(values)

    def _header(self, units: Mapping[str, str]) -> None:
        self._known = dict(units)
        self._units = {
            name: unit
            for name, unit in units.items()
            if not is_extended(name.removeprefix(_part(name)))
        }
        units = self._units
        parts = [_part(name) for name in units]
        lines = [
            [part.strip() for part in parts],
            [name.removeprefix(part) for name, part in zip(units, parts, strict=True)],
            list(units.values()),
        ]
        self._widths = [max(WIDTH, *map(len, cells)) for cells in zip(*lines, strict=True)]
        self._widths[0] = max(map(len, next(zip(*lines, strict=True))))
        lines.append(["-" * width for width in self._widths])
        for i, line in enumerate(lines):
            logger.info("%s", TableLine(line, self._widths, rows=[] if i else lines))


def _part(name: str) -> str:
    return next((part for part in PARTS.values() if name.startswith(part)), "")


LOGGER = LoggerKind(lambda folder, options: TableLogger())
