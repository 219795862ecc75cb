"""``mtt train``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments, render


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
@arguments.extensions
@arguments.overrides
@click.option("--dry-run", is_flag=True, help="Check options, data and model; train nothing.")
@click.option("--debug", is_flag=True, help="Show the model and all debug messages.")
@arguments.architectures
def command(
    options: Path,
    output: Path,
    restart: str | None,
    extensions: Path | None,
    overrides: tuple[str, ...],
    dry_run: bool,
    debug: bool,
    architectures: tuple[Path, ...],
) -> None:
    """Train a model as described in the YAML file OPTIONS, export it, and evaluate it.

    A restart takes every option from OPTIONS and -r, and lists those that differ from the run's. It
    does not remember -r, -o or --architectures: a run that is stopped prints the whole command that
    resumes it, and so does `mtt show RUN`.
    """
    render.begin(f"training with {options}", logged=True)  # before the imports, which take seconds
    arguments.notice_extensions(extensions)
    from mtt.workflows.train import train

    if debug:
        render.setup(debug)
    with render.training_display() as listener:
        train(
            options,
            output=output,
            restart=restart,
            overrides=overrides,
            dry_run=dry_run,
            architectures=architectures,
            listeners=[listener],
        )
