"""``mtt compare``: what distinguishes runs, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtt.errors import ConfigError
from mtt.report.differences import (
    errors_of,
    incomparable,
    options_that_differ,
    winner,
    wins,
)
from mtt.workflows.reporting.report import different, read_runs


def compare(runs: Sequence[str | Path]) -> dict[str, Any]:
    """Errors of the best weights of each run, and the options that differ, as JSON has them.

    ``errors`` has for each part and each error (its unit in the name) one value for each run,
    None where there is none, and ``best``, the number of the run that is best in it (counted
    from 0), None where no single one is. ``wins`` counts these on the part that decides.

    :raises MttError: a folder is not that of a run, or there are fewer than two.
    """
    folders = different([Path(run) for run in runs])
    if len(folders) < 2:
        raise ConfigError(
            "only one run is named", hint="name two or more; `mtt show RUN` describes one"
        )
    read = read_runs(folders)
    errors = {
        part: {name: {"values": row, "best": winner(name, row)} for name, row in one.items()}
        for part, one in errors_of(read).items()
    }
    return {
        "runs": [
            {
                "run": run.name,
                "folder": str(folder),
                "state": run.state,
                "architecture": run.facts.get("architecture"),
                "epoch": run.facts.get("epoch"),
                "num_epochs": run.facts.get("num_epochs"),
                "best_epoch": run.facts.get("best_epoch"),
                "seconds": run.seconds,
                "missing": list(run.missing),
            }
            for folder, run in zip(folders, read, strict=True)
        ],
        "errors": errors,
        "wins": wins(read),
        "options": options_that_differ(read),
        "notes": incomparable(read),
    }
