"""Tables of errors with a line for every group of structures, or for every test set."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import results
from results import Result
from table import cell

Errors = dict[str, dict[str, float | None]]  # by the name of a group or of a part


@dataclass(frozen=True)
class Measure:
    """A column: which of ``score.Errors``, with so many digits after the point."""

    title: str
    name: str
    digits: int


STRUCTURES = Measure("structures", "n_structures", 0)
PER_ATOM = (
    STRUCTURES,
    Measure("E RMSE, meV/atom", "energy_per_atom_rmse", 2),
    Measure("E mean error, meV/atom", "energy_per_atom_mean", 2),
    Measure("F RMSE, meV/Å", "forces_rmse", 1),
    Measure("stress RMSE, meV/Å³", "stress_rmse", 3),
)


def of_validation(result: Result) -> Errors:
    """Errors of the groups of the validation structures."""
    return result.groups.get("validation", {})


def markdown(
    found: Sequence[Result],
    measures: Sequence[Measure],
    lines_of: Callable[[Result], Errors] = of_validation,
    title: str = "group",
) -> str:
    """A line for every group of every kind of run that worked; seeds share a line.

    :param lines_of: the errors of a run, a line each; their order is kept.
    :param title: of the column with their names.
    """
    head = ["data", title, "model", "minutes", *(one.title for one in measures)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    worked = [one for one in results.current(list(found)) if one.failed is None]
    worked.sort(key=lambda one: (one.data, one.minutes or 0.0, one.model_name, *_machine(one)))
    names = {(one.data, name): None for one in worked for name in lines_of(one)}
    for data, name in sorted(names, key=lambda key: key[0]):  # stable: the names keep their order
        runs = [one for one in worked if one.data == data and name in lines_of(one)]
        for same in (list(group) for _, group in itertools.groupby(runs, key=results.kind)):
            errors = [lines_of(one)[name] for one in same]
            cells = [cell([one.get(m.name) for one in errors], m.digits) for m in measures]
            shown = f"{same[0].model_name} | {same[0].budget}"
            lines.append(f"| {data} | {name} | {shown} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _machine(result: Result) -> tuple[str, int, int]:
    return (result.processor, result.threads, result.n_train or 0)
