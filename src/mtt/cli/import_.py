"""``mtt import``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments
from mtt.cli.render import terminal


@click.command("import")
@click.argument("file", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The checkpoint [default: the file's name with -imported.ckpt].",
)
@arguments.revision
@arguments.architectures
def command(
    file: tuple[str, ...],
    output: Path | None,
    revision: str | None,
    token: str | None,
    sha256: str | None,
    architectures: tuple[Path, ...],
) -> None:
    """Make a checkpoint of FILE, a trained model of another program.

    FILE is a checkpoint of metatrain's PET, its URL, or OWNER/REPO FILE for one of the Hugging
    Face hub. Nothing in it is run: it is read as values.
    """
    given = arguments.source(file, sha256, revision)
    terminal.begin(f"importing {arguments.shown(given)}")
    import yaml

    from mtt.workflows.import_model import import_model

    done = import_model(given, output, token=token, architectures=architectures)
    terminal.done(f"wrote {done.path}")
    training = {"finetune": {"read_from": str(done.path)}}
    section = {"name": done.architecture, "model": done.hypers, "training": training}
    text = yaml.safe_dump({"architecture": section}, sort_keys=False)
    terminal.done(f"To fine-tune it, put these lines into an options file:\n\n{text.rstrip()}")
