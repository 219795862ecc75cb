"""The folder that ``mtt learning-curve`` writes, as the runs in it."""

from __future__ import annotations

import json
from pathlib import Path

from mtt.errors import ConfigError

CURVE = "learning-curve.json"
"""File of the folder: the sizes, and where their runs are."""


def is_curve(folder: Path) -> bool:
    """Whether ``folder`` is that of a learning curve."""
    return (folder / CURVE).is_file()


def runs_of_curve(folder: Path) -> list[Path]:
    """The run of each size, in their order; those that were removed are left out.

    :raises ConfigError: the file of the folder is damaged, or none of its runs is there.
    """
    path = folder / CURVE
    try:
        points = json.loads(path.read_text(encoding="utf-8"))["points"]
        runs = [folder / str(one["run"]) for one in points]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"cannot be read ({type(error).__name__})", where=str(path), hint="name the runs in it"
        ) from error
    found = [run for run in runs if run.is_dir()]
    if not found:
        raise ConfigError("the runs of this learning curve are not in it", where=str(folder))
    return found
