"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

architectures = click.option(
    "--architectures",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of architecture folders, or one itself; may be given several times.",
)

overrides = click.option(
    "-r",
    "--override",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option, for example -r architecture.training.num_epochs=10.",
)
