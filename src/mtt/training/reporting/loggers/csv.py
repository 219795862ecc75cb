"""`train.csv`: names, units, then one row per epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtt.training.reporting.growing_file import append_line, replace_lines
from mtt.training.reporting.logger_kind import LoggerKind


class CsvLogger:
    """Writes every epoch to ``path``; after a restart the epochs before it come first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] = []

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            units = values["units"]
            self._names = list(units)
            rows = [
                self._names,
                list(units.values()),
                *map(self._row, values["history"]),
            ]
            replace_lines(self._path, map(_line, rows))
        elif category == "epoch":
            append_line(self._path, _line(self._row(values["metrics"])))

    def _row(self, metrics: Mapping[str, float]) -> list[Any]:
        # empty where this run reports more than the run that it resumes
        return [metrics.get(name, "") for name in self._names]


def _line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


LOGGER = LoggerKind(lambda folder, options: CsvLogger(folder / "train.csv"))
