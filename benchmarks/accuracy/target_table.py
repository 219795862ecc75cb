"""Tables of the errors of any targets, beside those of trivial predictors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import results
import table
from results import Result
from table import Column

COLUMNS = (
    Column("trained on", lambda r: r.n_train),
    Column("epochs", lambda r: r.epochs),
    Column("CPU s", lambda r: r.extra.get("cpu_seconds")),
)


def row(
    target: str, error: float, unit: str, *, mean: float | None = None,
    composition: float | None = None, measure: str = "RMSE", digits: int = 4,
) -> dict[str, Any]:  # fmt: skip
    """A line of a result.

    :param mean: the error of the mean of the training set.
    :param composition: that of the best linear function of the numbers of atoms.
    """
    return {
        "target": target, "error": error, "unit": unit, "measure": measure, "digits": digits,
        "mean": mean, "composition": composition,
    }  # fmt: skip


def markdown(found: Sequence[Result]) -> str:
    """A line for each target of each model; seeds share a line."""
    head = ["data", "target", "model", "error", "of the mean", "linear in composition", "unit"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    worked = [one for one in results.current(list(found)) if one.failed is None]
    worked.sort(key=lambda r: (r.data, r.n_train or 0, r.model_name, r.processor, r.seed))
    kinds = [list(same) for _, same in itertools.groupby(worked, key=results.kind)]
    names = {(same[0].data, one["target"]): None for same in kinds for one in same[0].extra["rows"]}
    for data, name in names:
        for same in (one for one in kinds if one[0].data == data):
            rows = [one for r in same for one in r.extra["rows"] if one["target"] == name]
            if rows:
                lines.append(line(data, same[0].model_name, rows))
    return "\n".join(lines)


def line(data: str, model: str, rows: Sequence[dict[str, Any]]) -> str:
    """The line of a target of a model, from the ``rows`` of its seeds."""
    first = rows[0]
    cells = [
        table.cell([one[name] for one in rows], first["digits"])
        for name in ("error", "mean", "composition")
    ]
    unit = f"{first['unit']}, {first['measure']}"
    return f"| {data} | {first['target']} | {model} | {' | '.join(cells)} | {unit} |"


def write(name: str, title: str, folder: Path, notes: str) -> Path:
    """``<name>.md`` from all results of the table in ``folder``."""
    shown = markdown(table.shown(name, folder))
    return table.write(name, title, COLUMNS, folder, f"{notes}\n\n{shown}")
