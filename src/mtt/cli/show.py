"""``mtt show``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments, render


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@arguments.architectures
def command(file: Path, as_json: bool, architectures: tuple[Path, ...]) -> None:
    """Say what FILE is: architecture, targets, epochs, errors, where it comes from.

    FILE is a checkpoint, an archive, an exported model, a packed data set, the folder of a run,
    or an options file. Of a damaged one, what can still be read is told.
    """
    from mtt.workflows.show import show

    render.mapping(show(file, architectures), as_json)
