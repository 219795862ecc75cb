"""``mtt architectures``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments, render


@click.command("architectures")
@click.argument("name", required=False)
@arguments.architectures
def command(name: str | None, architectures: tuple[Path, ...]) -> None:
    """List the architectures that are found, or show the options of NAME."""
    from mtt import registry

    if name is None:
        render.architectures(registry.discover(architectures).values())
    else:
        render.architecture(registry.find(name, architectures).load())
