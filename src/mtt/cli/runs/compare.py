"""``mtt compare``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli.render import compared, terminal


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(runs: tuple[Path, ...], as_json: bool) -> None:
    """Compare the errors and the options of RUNS, two or more folders of runs.

    Winners are named only among runs that are scored on the same structures and labels.
    `mtt report RUN RUN` writes the same as a page, with the learning curves.
    """
    from mtt.workflows.reporting.compare import compare

    found = compare(runs)
    if as_json:
        terminal.mapping(found, as_json=True)
    else:
        compared.compared(found)
