"""``mtt show``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments
from mtt.cli.render import runs, terminal


@click.command("show")
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@arguments.address
@arguments.architectures
def command(
    file: str,
    as_json: bool,
    token: str | None,
    sha256: str | None,
    architectures: tuple[Path, ...],
) -> None:
    """Describe FILE: architecture, targets, epochs, errors, origin.

    FILE is a checkpoint, an archive, an exported model, a packed data set, the folder of a run,
    a folder of runs (outputs), an options file, or the URL of a file. Of a damaged file, the
    readable part is shown.
    """
    from mtt.workflows.show import show

    found = show(arguments.source([file], sha256), architectures, token=token)
    if "runs" in found and not as_json:
        runs.runs(found)
    else:
        terminal.mapping(found, as_json)
