"""`history.jsonl`: one strict JSON object per epoch, `null` where a number is not finite."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtt.training.reporting.growing_file import append_line, replace_lines
from mtt.training.reporting.logger_kind import LoggerKind


class HistoryLogger:
    """Writes every epoch to ``path``: epochs are unique and ascend, also after a restart.

    Numbers that are not finite are ``null``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            replace_lines(self._path, map(_line, values["history"]))
        elif category == "epoch":
            append_line(self._path, _line(values["metrics"]))


def _line(metrics: Mapping[str, float]) -> str:
    finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
    return json.dumps(finite, allow_nan=False)


LOGGER = LoggerKind(lambda folder, options: HistoryLogger(folder / "history.jsonl"))
