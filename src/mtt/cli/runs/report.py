"""``mtt report``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments
from mtt.cli.render import terminal


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The page. Left out: report.html in the folder of the run; of several runs, here.",
)
@arguments.architectures
def command(runs: tuple[Path, ...], output: Path | None, architectures: tuple[Path, ...]) -> None:
    """Write the report of a run, or of several RUNS side by side, as one HTML file.

    RUN is the folder of a run (outputs/DAY/TIME), which may have ended, have failed, or still be
    running; or that of a learning curve, whose runs are compared. The page needs nothing from
    the network: send it, print it, or open it on a phone.
    """
    terminal.begin(f"report of {', '.join(map(str, runs))}")
    from mtt.workflows.reporting.report import report

    terminal.done(f"wrote {report(runs, output, architectures)}")
