"""``mtt show``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import render


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(file: Path, as_json: bool) -> None:
    """Say what FILE is: architecture, targets, epochs, errors, where it comes from."""
    from mtt.checkpoint import describe

    render.mapping(describe(file), as_json)
