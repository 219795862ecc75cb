"""``mtt runs``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli.render import run_list, terminal


@click.command("runs")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="List all runs, not the newest 50 alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(folder: Path, every: bool, as_json: bool) -> None:
    """List the runs below FOLDER: state, epochs, time, errors, and the options that differ.

    FOLDER may also be that of a single run; it is this folder if it is left out. Errors are those
    of the best weights on the test set, or else on the validation set.
    """
    from mtt.workflows.reporting.listing import NEWEST, list_runs

    found = list_runs(folder, None if every else NEWEST)
    if as_json:
        terminal.mapping(found, as_json=True)
    else:
        run_list.listed(found)
