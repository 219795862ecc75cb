"""The list of the runs in a folder, for ``mtt show``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.cli.render.quantities import number
from mtt.cli.render.terminal import done

_COLUMNS = ("run", "options", "architecture", "state", "epoch", "best")


def runs(found: Mapping[str, Any]) -> None:
    """One line for each run, the oldest first, followed by its problems.

    :param found: what :func:`mtt.workflows.show.show` says of a folder of runs.
    """
    count = len(found["runs"])
    done(f"{found['file']}: {count} {'run' if count == 1 else 'runs'}")
    rows = [_row(run) for run in found["runs"]]
    # as wide as the text: a name that is cut could not be copied
    widths = [max(len(row[i]) for row in [_COLUMNS, *rows]) for i in range(len(_COLUMNS))]
    for row in [_COLUMNS, *rows]:
        pairs = zip(row, widths, strict=True)
        done("  ".join(cell.ljust(width) for cell, width in pairs).rstrip())


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    total = "" if run["num_epochs"] is None else f" of {run['num_epochs']}"
    best = "-"
    if run["best_epoch"] is not None:
        value = "" if run["best_metric"] is None else f" {number(run['best_metric'])}"
        best = f"{run['metric'] or 'metric not known'}{value} in epoch {run['best_epoch']}"
    damaged = run["problem"] if run["problem"] and "read" in run["problem"] else None
    return (
        run["run"],
        run["options_file"] or "-",
        run["architecture"] or "-",
        damaged or run["state"],
        "-" if run["epoch"] is None else f"{run['epoch']}{total}",
        best,
    )
