"""A table of errors by groups of structures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import results
from results import Result
from table import cell


@dataclass(frozen=True)
class Measure:
    """A column: which of ``score.Errors``, with so many digits after the point."""

    title: str
    name: str
    digits: int


PER_ATOM = (
    Measure("structures", "n_structures", 0),
    Measure("E RMSE, meV/atom", "energy_per_atom_rmse", 2),
    Measure("E mean error, meV/atom", "energy_per_atom_mean", 2),
    Measure("F RMSE, meV/Å", "forces_rmse", 1),
    Measure("stress RMSE, meV/Å³", "stress_rmse", 3),
)


def markdown(found: Sequence[Result], measures: Sequence[Measure], part: str = "validation") -> str:
    """A line for every group of every kind of run that worked; seeds share a line."""
    head = ["data", "group", "model", "minutes", *(one.title for one in measures)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    worked = [one for one in results.current(list(found)) if one.failed is None]
    rows = sorted(
        (one.data, group, one.minutes or 0.0, one.model_name, one.processor, one.threads, one.seed)
        for one in worked
        for group in one.groups.get(part, {})
    )
    by_run = {
        (one.data, one.minutes or 0.0, one.model_name, one.processor, one.threads, one.seed): one
        for one in worked
    }
    for key, same in itertools.groupby(rows, key=lambda row: row[:-1]):
        data, group, minutes, model, *_ = key
        runs = [by_run[(data, *key[2:], row[-1])] for row in same]
        errors = [run.groups[part][group] for run in runs]
        cells = [cell([one.get(m.name) for one in errors], m.digits) for m in measures]
        lines.append(f"| {data} | {group} | {model} | {minutes:g} | {' | '.join(cells)} |")
    return "\n".join(lines)
