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
_WARNING = re.compile(r"\d{4}-\d\d-\d\d \S+ WARNING (.*)")


def rows_of(
    run: Path, content: Mapping[str, Any], *, running: bool = False
) -> tuple[list[Row], list[str]]:
    """Rows of the epochs in ascending order, and what is wrong with them, in sentences.

    :param content: of the newest checkpoint; empty for none.
    :param running: whether a process is writing them: the last line may not be complete yet.
    """
    rows: dict[int, Row] = {}
    problems: list[str] = []
    try:
        text = (run / HISTORY).read_text(encoding="utf-8", errors="replace")
        lines = (text[: text.rfind("\n") + 1] if running else text).splitlines()
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
        what = "1 line" if wrong == 1 else f"{wrong} lines"
        are = "is" if wrong == 1 else "are"
        problems.append(f"{what} of {HISTORY} {are} damaged and left out.")
    if not rows:
        rows = {int(row["epoch"] or 0): row for row in _stored(content)}
    return [rows[epoch] for epoch in sorted(rows)], problems


def marks_of(log: Sequence[str], rows: Sequence[Row], best_epoch: int | None) -> list[Mark]:
    """The best epoch, beginnings of stages, restarts and stops.

    :param log: lines of ``train.log``, read before ``rows``: a running training writes both.
    """
    found = [Mark(best_epoch, "best", "best")] if best_epoch else []
    stage = None
    for row in rows:
        number = row.get("stage")
        if number is not None and stage is not None and number != stage:
            text = f"stage {number:g}"
            found.append(Mark(int(row["epoch"] or 1) - 1, "stage", text))
        stage = number
    return [*found, *dict.fromkeys(_of_log(log))]


def log_lines(run: Path) -> list[str]:
    """Lines of ``train.log``; nothing where it cannot be read."""
    try:
        text = (run / "train.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()


def warnings_in(log: Sequence[str]) -> list[str]:
    """What the training warned of, each text once."""
    return [*dict.fromkeys(found[1] for line in log if (found := _WARNING.match(line)))]


def _of_log(log: Sequence[str]) -> Iterator[Mark]:
    """Restarts and stops, which the log names and the history does not."""
    epoch = 0
    for line in log:
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
