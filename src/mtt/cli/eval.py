"""``mtt eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mtt.cli import arguments
from mtt.cli.render import structures, terminal


@click.command("eval")
@click.argument("model", type=click.Path())
@click.argument("options", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("output.xyz"),
    show_default=True,
    help="Predictions, as extended xyz; FILE.mts: as metatensor's FILE_<target>.mts.",
)
@click.option(
    "-b",
    "--batch-size",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Structures per batch.",
)
@click.option(
    "--check-consistency",
    is_flag=True,
    help="Let metatomic check all inputs and outputs of the model.",
)
@click.option(
    "--warm-up/--no-warm-up",
    default=True,
    show_default=True,
    help="Run a few batches before the time is measured.",
)
@click.option(
    "-e",
    "--extensions",
    "--extensions-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Extensions of an exported model of another program; those of mtt have none.",
)
@click.option(
    "--extended", is_flag=True, help="Errors of elements and components, angles, largest errors."
)
@arguments.address
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    metavar="N",
    help="List the N structures with the greatest errors: file, frame, errors.",
)
@click.option(
    "--per-structure",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the errors of every structure: .csv, or .parquet with pyarrow.",
)
@click.option("--by", metavar="KEY", help="Errors by the value of a key of the data: config_type.")
@click.option(
    "--with-references",
    is_flag=True,
    help="Write labels beside the predictions: REF_energy, REF_forces, ...",
)
@click.option(
    "--features",
    type=click.Choice(["atom", "system"]),
    help="Also write the model's features of atoms, or their sums over structures.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page (.html): parity plots, errors by element and group, worst structures.",
)
@arguments.quiet
@arguments.architectures
def command(
    model: str,
    options: Path,
    output: Path,
    batch_size: int,
    check_consistency: bool,
    warm_up: bool,
    extensions: Path | None,
    extended: bool,
    token: str | None,
    sha256: str | None,
    worst: int | None,
    per_structure: Path | None,
    by: str | None,
    with_references: bool,
    features: Literal["atom", "system"] | None,
    report: Path | None,
    quiet: bool,
    architectures: tuple[Path, ...],
) -> None:
    """Predict the structures of OPTIONS with MODEL (.pt, .ckpt, .zip or a URL), and score them.

    OPTIONS is a YAML file with one data set (systems, and targets to score against) or a
    list of them.
    """
    terminal.set_quiet(quiet)
    given = arguments.source([model], sha256)
    terminal.begin(f"evaluating {arguments.shown(given)}")
    from mtt.workflows.evaluate import evaluate

    sets = evaluate(
        given,
        options,
        output=output, batch_size=batch_size, check_consistency=check_consistency,
        warm_up=warm_up, extensions=_existing(extensions), extended=extended, token=token,
        references=with_references,
        per_structure=worst is not None if per_structure is None else per_structure,
        by=by, features=features, report=report, architectures=architectures,
    )  # fmt: skip
    structures.evaluated(sets, worst, by)
    if report is not None:
        terminal.done(f"wrote {report}")


def _existing(extensions: Path | None) -> Path | None:
    """None with a notice where there is no such folder."""
    if extensions is None or extensions.is_dir():
        return extensions
    # scripts for metatrain name the folder, which no export of mtt makes
    terminal.done(f"-e {extensions}: this folder does not exist; files that mtt exported need none")
    return None
