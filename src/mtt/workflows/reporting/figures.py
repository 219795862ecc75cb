"""Pictures of the report of a run, drawn for loggers that show some."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mtt.report.figures import draw_figures
from mtt.workflows.reporting.read_run import names_of, read_run

log = logging.getLogger(__name__)

FIGURES = "figures"
"""Folder in the run folder."""


def write_figures(run: Path, architectures: Sequence[str | Path] = ()) -> list[Path]:
    """Write the pictures of a run from what its folder holds.

    A warning says why there are none.
    """
    read = read_run(run, names_of([run])[0], architectures)
    try:
        return draw_figures(read, run / FIGURES)
    except ImportError as error:
        log.warning("no figures for the loggers: %s; pip install matplotlib", error)
    except OSError as error:
        log.warning("no figures: %s cannot be written: %s", run / FIGURES, error.strerror)
    return []
