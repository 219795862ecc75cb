"""``mtt train``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from mtt.cli import arguments
from mtt.cli.render import terminal, training
from mtt.processes.launch import launch, number_of_processes
from mtt.processes.place import speaks


@click.command("train")
@click.argument("options", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("model.pt"),
    show_default=True,
    help="Exported model; the checkpoint is written next to it, with the suffix .ckpt.",
)
@click.option(
    "--restart",
    metavar="FILE|auto",
    help="Resume from a checkpoint; auto takes the newest run of the same options file below "
    "outputs/. All other options are those of OPTIONS and -r as they are now.",
)
@click.option(
    "--nproc",
    metavar="N|gpu",
    help="Train in N processes on this machine, which share every batch; gpu: one for each GPU.",
)
@arguments.extensions
@arguments.overrides
@click.option("--dry-run", is_flag=True, help="Check options, data and model; train nothing.")
@arguments.quiet
@click.option("--debug", is_flag=True, help="Show the model and all debug messages.")
@arguments.architectures
def command(
    options: Path,
    output: Path,
    restart: str | None,
    nproc: str | None,
    extensions: Path | None,
    overrides: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    debug: bool,
    architectures: tuple[Path, ...],
) -> int:
    """Train a model as described in the YAML file OPTIONS, export it, and evaluate it.

    A restart takes every option from OPTIONS and -r, and lists those that differ from the run's. It
    does not remember -r, -o or --architectures: a run that is stopped prints the whole command that
    resumes it, and so does `mtt show RUN`.
    """
    terminal.set_quiet(quiet and not debug)
    if nproc is not None and (n := number_of_processes(nproc, os.environ)) > 1:
        return launch(n, [*_words(click.get_current_context().params)])
    if speaks(os.environ):
        # before the imports, which take seconds
        terminal.begin(f"training with {options}", logged=True)
        arguments.notice_extensions(None if quiet else extensions)
    from mtt.workflows.train import train

    if debug:
        terminal.setup(debug)
    with training.training_display() as listener:
        train(
            options,
            output=output,
            restart=restart,
            overrides=overrides,
            dry_run=dry_run,
            architectures=architectures,
            listeners=[listener],
        )
    return 0


def _words(given: Mapping[str, Any]) -> Iterator[str]:
    """The words of this command for each of its processes: all but ``--nproc``."""
    yield from ("train", str(given["options"]), "--output", str(given["output"]))
    for name in ("restart", "extensions"):
        if given[name] is not None:
            yield from (f"--{name}", str(given[name]))
    for override in given["overrides"]:
        yield from ("--override", override)
    for folder in given["architectures"]:
        yield from ("--architectures", str(folder))
    flags = ("dry_run", "quiet", "debug")
    yield from (f"--{name.replace('_', '-')}" for name in flags if given[name])
