"""``mtt check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mtt.cli import arguments
from mtt.cli.render import checks, terminal, training

if TYPE_CHECKING:
    from mtt.checking import Result, Selection, Target


@click.command("check")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Run the checks whose names contain this (* matches any text).",
)
@click.option(
    "--hypers",
    multiple=True,
    metavar="FILE|KEY=VALUE",
    help="Options of the model that override the defaults; small models are checked faster.",
)
@arguments.overrides
@click.option(
    "--fit",
    is_flag=True,
    help="Fit a model to energies and forces of an options file's data, and hold the labels "
    "against it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@arguments.architectures
@click.pass_context
def command(
    context: click.Context,
    targets: tuple[str, ...],
    only: tuple[str, ...],
    hypers: tuple[str, ...],
    overrides: tuple[str, ...],
    fit: bool,
    as_json: bool,
    architectures: tuple[Path, ...],
) -> None:
    """Check architectures, and options files.

    TARGET is the folder or the name of an architecture: everything that an architecture must do
    is tested, from symmetry to export. Or it is an options file: options, data and model are
    checked as by `mtt train --dry-run`, and the data are searched for hidden faults, such as
    duplicates, leaks and wrong units; with --fit, labels are also compared with a model that is
    fitted to them in seconds. The exit code is 1 if anything is wrong.
    """
    terminal.begin(f"checking {' '.join(targets)}")
    from mtt import checking

    found = checking.find_targets(targets, architectures)
    checking.refuse_for_options(found, bool(only), bool(hypers))
    checking.refuse_for_architectures(found, fit)
    chosen = checking.select(only)
    selection = checking.Selection(chosen, hypers, overrides, architectures, fit)
    if as_json:
        with checks.standard_output_is_json():
            results = [checking.check_target(target, selection) for target in found]
        checks.as_json(results)
    else:
        results = [_shown(target, selection) for target in found]
    context.exit(0 if all(one.passed for one in results) else 1)


def _shown(target: Target, selection: Selection) -> Result:
    """Check one target, and show the results as they come."""
    from mtt import checking

    checks.heading(target)
    if target.kind == "options":
        with training.training_display() as listener:
            result = checking.check_target(target, selection, listeners=[listener])
    else:
        with checks.progress(target, selection.checks) as report:
            result = checking.check_target(target, selection, report)
    checks.result(result)
    return result
