"""``mtt new``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mtt.cli.render import terminal


@click.command("new")
@click.argument("name")
@click.argument("parent", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
def command(name: str, parent: Path) -> None:
    """Write a new architecture NAME into the folder DIR (here, if left out).

    It is a small model of energies, forces and stress that trains at once, for its author
    to change.
    """
    from mtt.scaffold import FILES, write_architecture

    folder = write_architecture(name, parent)
    written = shlex.quote(str(folder))
    width = max(map(len, FILES))
    terminal.done(f"wrote {folder}")
    for file, holds in FILES.items():
        terminal.done(f"  {file:<{width}}  {holds}")
    steps = (
        ("test all that an architecture promises", f"mtt check {written}"),
        ("see its options", f"mtt architectures {name} --architectures {written}"),
        (
            f"train it, with `architecture: {{name: {name}}}` in options.yaml",
            f"mtt train options.yaml --architectures {written}",
        ),
    )
    for what, line in steps:
        terminal.done(f"\n{what}:\n  {line}")
