"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import render

architectures = click.option(
    "--architectures",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="An architecture folder, or a folder of such folders; may be given several times.",
)

extensions = click.option(
    "-e",
    "--extensions",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Accepted, as by metatrain: exported files need no extensions, and none are written.",
)


def notice_extensions(folder: Path | None) -> None:
    """Print that nothing is written into the folder of ``-e``."""
    if folder is not None:
        render.done(f"-e {folder}: exported files need no extensions; none are written")


overrides = click.option(
    "-r",
    "--override",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option, for example -r architecture.training.num_epochs=10.",
)
