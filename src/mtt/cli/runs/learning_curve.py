"""``mtt learning-curve``."""

from __future__ import annotations

from pathlib import Path

import click

from mtt.cli import arguments
from mtt.cli.render import terminal


def _sizes(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    words = [word for word in text.replace(",", " ").split() if word]
    if not words or not all(word.isdecimal() and int(word) for word in words):
        raise click.BadParameter("numbers of structures are expected: 50,100,200")
    return [int(word) for word in words]


def _targets(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> list[tuple[str, float]]:
    found = []
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            found.append((name, float(number)))
        except ValueError:
            raise click.BadParameter(f"{text!r} is not QUANTITY=ERROR: forces=20") from None
        if not name or not 0.0 < found[-1][1] < float("inf"):
            raise click.BadParameter(f"{text!r} is not QUANTITY=ERROR: forces=20")
    return found


@click.command("learning-curve")
@click.argument("options", type=click.Path(path_type=Path))
@click.option(
    "--sizes",
    required=True,
    callback=_sizes,
    metavar="N,N,...",
    help="Structures to train on, for example 50,100,200.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    callback=_targets,
    metavar="QUANTITY=ERROR",
    help="Say how many structures this RMSE needs, in the unit of the table: forces=20.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("learning-curve"),
    show_default=True,
    help="Folder of the runs and of the result.",
)
@click.option(
    "--same-epochs",
    is_flag=True,
    help="Train every size for the epochs of the options; else for as many steps as the largest.",
)
@arguments.overrides
@arguments.quiet
@arguments.architectures
def command(
    options: Path,
    sizes: list[int],
    targets: list[tuple[str, float]],
    output: Path,
    same_epochs: bool,
    overrides: tuple[str, ...],
    quiet: bool,
    architectures: tuple[Path, ...],
) -> None:
    """Train on nested subsets of the training set of OPTIONS, and fit a power law to the errors.

    Sizes that are finished are not trained again.
    """
    terminal.set_quiet(quiet)
    terminal.begin(f"learning curve of {options}", logged=True)
    from mtt.cli.render import curves, training
    from mtt.workflows.learning import learning_curve

    with training.training_display(tables=False) as listener:
        found = learning_curve(
            options,
            sizes,
            output=output,
            overrides=overrides,
            equal_steps=not same_epochs,
            architectures=architectures,
            listeners=[listener],
            wanted=[name for name, _ in targets],
            done=curves.point,
        )
    curves.show(found, targets, output)
