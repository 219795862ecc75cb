"""What tests of loggers share: a run in two parts, as a logger sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mtt.interface import Listener
from mtt.training.reporting.events import Events

UNITS = {"epoch": "", "training loss": "", "validation forces RMSE": "eV/Å", "seconds": "s"}
ROWS = [dict(zip(UNITS, (i, 0.5**i, 2.0**i, 1.0), strict=True)) for i in (1, 2, 3)]


@pytest.fixture(scope="session")
def two_parts() -> Callable[[Callable[[], Listener], Path], None]:
    """``two_parts(make, file)``, see :func:`_two_parts`."""
    return _two_parts


def _two_parts(make: Callable[[], Listener], file: Path) -> None:
    """Epochs 1 and 2, a stop, and a restart with epoch 3, whose end and test set are reached.

    :param make: makes the logger of each part.
    :param file: a finished file that the second part hands on, and beside it a picture.
    """
    for known in (0, 2):
        events = Events([make()])
        events("run_start", known, history=tuple(ROWS[:known]), units=UNITS)
        for row in ROWS[known : known + 2]:
            epoch = int(row["epoch"])
            events("system", epoch, metrics={"seconds": 1.0, "memory": 7.0}, units={})
            events("epoch", epoch, metrics=row, units=UNITS, is_best=epoch == 3)
        if known:  # the first part is stopped
            events("end", 3)
            events.keep_file(file)
            events.keep_figure(file.with_suffix(".png"))
            events("test", 3, metrics={"energy RMSE": 7.0}, units={"energy RMSE": "meV"})
        events.close()
