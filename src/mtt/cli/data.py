"""``mtt data``: statistics, and packing into the memory-mapped store."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli.render import terminal


@click.group("data")
def command() -> None:
    """Describe data files, and pack large ones."""


_key = click.option(
    "--key", default="energy", show_default=True, help="Key of the energies in a data file."
)


@command.command("stats")
@click.argument("file", type=click.Path(path_type=Path))
@_key
def stats(file: Path, key: str) -> None:
    """Print statistics of FILE: one that ASE reads, a packed folder, or a YAML file.

    A YAML file names data sets and their targets, as for `mtt eval`.
    """
    terminal.begin(f"reading {file}")
    from mtt.workflows.run.datasets import statistics_of

    terminal.statistics(str(file), statistics_of(file, key))


@command.command("pack")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
@_key
def pack(files: tuple[Path, ...], output: Path, key: str) -> None:
    """Pack FILES into the folder DIR, which is memory-mapped in training.

    FILES are data files with energies, or YAML files that name data sets and their targets, as
    for `mtt eval`.
    """
    terminal.begin(f"packing {len(files)} files")
    from mtt.workflows.run.datasets import pack_files

    n_structures = pack_files(files, output, key)
    terminal.done(f"packed {n_structures} structures into {output}")
