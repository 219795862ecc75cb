"""``mtt export``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments
from mtt.cli.render import terminal


@click.command("export")
@click.argument("checkpoint", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Exported model [default: the checkpoint's name with .pt]. A name that ends in .zip "
    "makes a light archive; a name that ends in .ckpt rewrites the checkpoint with new metadata.",
)
@click.option(
    "-m",
    "--metadata",
    type=click.Path(path_type=Path),
    help="YAML file with name, description, authors, references and extra.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    help="Precision that engines see [default: float64 where the model can].",
)
@arguments.revision
@arguments.extensions
@arguments.quiet
@arguments.architectures
def command(
    checkpoint: tuple[str, ...],
    output: Path | None,
    metadata: Path | None,
    dtype: str | None,
    revision: str | None,
    token: str | None,
    sha256: str | None,
    extensions: Path | None,
    quiet: bool,
    architectures: tuple[Path, ...],
) -> None:
    """Export CHECKPOINT for ASE, LAMMPS, i-PI and every other metatomic engine.

    CHECKPOINT is a file, a URL, or OWNER/REPO FILE for one of the Hugging Face hub.

    With -o model.zip the model is kept as JSON and plain bytes, which hold no program;
    CHECKPOINT may be such an archive.
    """
    given = arguments.source(checkpoint, sha256, revision)
    terminal.set_quiet(quiet)
    terminal.begin(f"exporting {arguments.shown(given)}")
    arguments.notice_extensions(None if quiet else extensions)
    from mtt.workflows.export import export

    path = export(
        given, output, metadata=metadata, dtype=dtype, token=token, architectures=architectures
    )
    if not quiet:
        terminal.done(f"wrote {path}")
