"""``mtt init``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments
from mtt.cli.render import terminal


@click.command("init")
@click.argument("data", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("options.yaml"),
    show_default=True,
    help="Options file to write; an existing one is never overwritten.",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="H",
    help="Time that the training may take here: a few steps are timed, and the epochs chosen.",
)
@click.option("--architecture", metavar="NAME", help="Architecture [default: one for most data].")
@arguments.architectures
def command(
    data: tuple[str, ...],
    output: Path,
    hours: float | None,
    architecture: str | None,
    architectures: tuple[Path, ...],
) -> None:
    """Write an options file for DATA: files that ASE reads, of one training set.

    It finds energies, forces and stress, and chooses cutoff, model, batches and epochs; each
    choice has a comment. What it writes passes `mtt train --dry-run`.
    """
    terminal.begin(f"looking at {' '.join(data)}")
    from mtt.cli.render import drafts
    from mtt.drafting import draft, save
    from mtt.drafting.write import refuse_existing

    refuse_existing(output)
    found = draft(data, hours=hours, architecture=architecture, folders=architectures)
    save(found.text, output, architectures)
    drafts.show(found, output)
