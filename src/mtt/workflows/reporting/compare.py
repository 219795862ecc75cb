"""``mtt compare``: what distinguishes runs, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtt.errors import ConfigError
from mtt.report.differences import (
    deciding_part,
    errors_of,
    incomparable,
    options_that_differ,
    winners,
    wins,
)
from mtt.report.run_data import RunData
from mtt.report.several.same_sets import set_numbers
from mtt.workflows.reporting.report import different, read_runs


def compare(runs: Sequence[str | Path]) -> dict[str, Any]:
    """Errors of the best weights of each run, and the options that differ, as JSON has them.

    ``errors`` has for each part and each error (its unit in the name) one value for each run,
    None where there is none; ``best``, the number of the run that is best in it (counted from
    0), None where no single one is; and ``winners``, the best run of each set of runs that are
    scored on the same structures and labels. ``sets`` has for each part a number for each run,
    equal for equal structures, None where they are not known. ``wins`` counts winners on the part
    that decides. ``notes`` say what is not compared, and why.

    :param runs: folders of runs, or of ``mtt learning-curve``.
    :raises MttError: a folder is not that of a run, or there are fewer than two.
    """
    folders = different([Path(run) for run in runs])
    if len(folders) < 2:
        raise ConfigError(
            "only one run is named", hint="name two or more; `mtt show RUN` describes one"
        )
    read = read_runs(folders)
    found = errors_of(read)
    return {
        "runs": [_described(folder, run) for folder, run in zip(folders, read, strict=True)],
        "errors": {
            part: {name: _error(read, part, name, row) for name, row in one.items()}
            for part, one in found.items()
        },
        "sets": {part: set_numbers(read, part) for part in found},
        "decided_by": deciding_part(read),
        "wins": wins(read),
        "options": options_that_differ(read),
        "notes": incomparable(read),
    }


def _described(folder: Path, run: RunData) -> dict[str, Any]:
    facts = ("architecture", "epoch", "num_epochs", "best_epoch")
    return {
        "run": run.name,
        "folder": str(folder),
        "state": run.state,
        **{key: run.facts.get(key) for key in facts},
        "seconds": run.seconds,
        "missing": list(run.missing),
    }


def _error(
    runs: Sequence[RunData], part: str, name: str, row: Sequence[float | None]
) -> dict[str, Any]:
    best = winners(runs, part, name)
    return {"values": row, "best": best[0] if len(best) == 1 else None, "winners": best}
