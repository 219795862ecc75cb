"""``mtt data``: statistics, and packing into the memory-mapped store."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import render


@click.group("data")
def command() -> None:
    """Look at data files, and pack large ones."""


@command.command("stats")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", default="energy", show_default=True, help="Key of the energies.")
def stats(file: Path, key: str) -> None:
    """Print statistics of FILE (anything that ASE reads, or a packed folder)."""
    from mtt.workflows.data import statistics_of

    render.statistics(statistics_of(file, key), str(file))


@command.command("pack")
@click.argument("options", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
def pack(options: Path, output: Path) -> None:
    """Pack the data of OPTIONS into a folder that is memory-mapped in training.

    OPTIONS is a YAML file with one data set (systems and targets) or a list of them.
    """
    from mtt.workflows.data import pack_files

    n = pack_files(options, output)
    render.done(f"packed {n} structures into {output}")
