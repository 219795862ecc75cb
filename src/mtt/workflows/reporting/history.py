"""The epochs of a run: from its history, else from its newest checkpoint; and what happened."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtt.report.run_data import Mark, Row

HISTORY = "history.jsonl"
_RESTART = re.compile(r" INFO epochs (\d+) to \d+ of ")
_STOPPED = re.compile(r" DEBUG (TrainingInterrupted|Stopped): (.*?)(?:;|$)")
_EPOCH = re.compile(r" INFO epoch +(\d+)/")


def rows_of(run: Path, content: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """Rows of the epochs in ascending order, and what is wrong with them, in sentences.

    :param content: of the newest checkpoint; empty for none.
    """
    rows: dict[int, Row] = {}
    problems: list[str] = []
    try:
        lines = (run / HISTORY).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    except OSError as error:
        lines, problems = [], [f"{HISTORY} cannot be read: {error.strerror}."]
    wrong = 0
    for line in lines:
        row = _row(line)
        if row is None:
            wrong += bool(line.strip())
        else:
            rows[int(row["epoch"] or 0)] = row
    if wrong:
        problems.append(f"{wrong} lines of {HISTORY} are damaged and left out.")
    if not rows:
        rows = {int(row["epoch"] or 0): row for row in _stored(content)}
    return [rows[epoch] for epoch in sorted(rows)], problems


def marks_of(run: Path, rows: Sequence[Row], best_epoch: int | None) -> list[Mark]:
    """The best epoch, beginnings of stages, restarts and stops."""
    found = [Mark(best_epoch, "best", "best")] if best_epoch else []
    stage = None
    for row in rows:
        number = row.get("stage")
        if number is not None and stage is not None and number != stage:
            text = f"stage {number:g}"
            found.append(Mark(int(row["epoch"] or 1) - 1, "stage", text))
        stage = number
    return [*found, *dict.fromkeys(_of_log(run))]


def last_lines(run: Path, most: int = 40, n_bytes: int = 16_384) -> list[str]:
    """The end of ``train.log``; nothing where it cannot be read."""
    try:
        with (run / "train.log").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - n_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-most:]


def _of_log(run: Path) -> Iterator[Mark]:
    """Restarts and stops, which the log names and the history does not."""
    epoch = 0
    try:
        file = (run / "train.log").open(encoding="utf-8", errors="replace")
    except OSError:
        return
    with file:
        for line in file:
            if begun := _RESTART.search(line):
                if int(begun[1]) > 1:
                    yield Mark(int(begun[1]) - 1, "restart", "restart")
            elif passed := _EPOCH.search(line):
                epoch = int(passed[1])
            elif stopped := _STOPPED.search(line):
                yield Mark(epoch, "stopped", f"stopped: {stopped[2]}")


def _stored(content: Mapping[str, Any]) -> Iterator[Row]:
    state = content.get("trainer_state")
    text = state.get("history") if isinstance(state, Mapping) else None
    try:
        rows = json.loads(text) if isinstance(text, str) else []
    except ValueError:
        rows = []
    yield from (row for one in rows if (row := _plain(one)) is not None)


def _row(line: str) -> Row | None:
    try:
        return _plain(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _plain(values: Any) -> Row | None:
    """Numbers by name, None for those that are not finite; None for anything else."""
    if not isinstance(values, dict) or not isinstance(values.get("epoch"), int | float):
        return None
    return {str(key): _finite(value) for key, value in values.items() if not isinstance(value, str)}


def _finite(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None
